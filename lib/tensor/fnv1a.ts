/** The hash of an empty text, by its authors. */
export const FNV_BASIS = 0x811c9dc5;

/** FNV-1a (Fowler, Noll, Vo) over the UTF-8 bytes of `text`, from `basis`, as a signed 32-bit word. */
export function fnv1a(text: string, basis = FNV_BASIS): number {
  const PRIME = 0x01000193;
  let hash = basis;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, PRIME);
  return hash;
}
