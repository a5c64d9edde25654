/** Where the size of weights sits: sums over the largest of them, as shares of Σ |θ|. */
export interface Concentration {
  /** Mean |θ|. */
  readonly meanSize: number;
  /** Median |θ|. */
  readonly median: number;
  /** Largest |θ|. */
  readonly largest: number;
  /** Share of Σ |θ| that the largest hundredth and the largest tenth of the weights hold. */
  readonly topHundredth: number;
  readonly topTenth: number;
}

/** How unequally the size of these weights is spread. */
export function concentrationOf(weights: Float32Array): Concentration {
  const sizes = weights.map(Math.abs).sort().reverse();
  const sumOf = (part: Float32Array): number => part.reduce((sum, size) => sum + size, 0);
  const total = sumOf(sizes);
  const top = (share: number): number => sumOf(sizes.subarray(0, Math.round(share * sizes.length))) / total;
  return {
    meanSize: total / sizes.length,
    median: sizes[Math.floor(sizes.length / 2)] ?? 0,
    largest: sizes[0] ?? 0,
    topHundredth: top(0.01),
    topTenth: top(0.1),
  };
}
