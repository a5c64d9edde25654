/** A number in [0, 1) that depends on its arguments alone: the same on every machine. */
export function noise(...parts: readonly number[]): number {
  let hash = 2_166_136_261;
  for (const part of parts) {
    hash = Math.imul(hash ^ part, 16_777_619);
    hash ^= hash >>> 15;
    hash = Math.imul(hash, 2_246_822_519);
    hash ^= hash >>> 13;
  }
  return (hash >>> 0) / 4_294_967_296;
}

/** The same in [−1, 1). */
export function signedNoise(...parts: readonly number[]): number {
  return 2 * noise(...parts) - 1;
}
