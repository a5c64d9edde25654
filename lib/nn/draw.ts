import { execute } from "../ops/apply.js";
import { Tensor } from "../tensor/tensor.js";
import type { Draw } from "./initializers.js";

/** FNV-1a (Fowler, Noll, Vo) over the UTF-8 bytes of `text`, from `basis`, as a signed 32-bit word. */
function fnv1a(text: string, basis: number): number {
  const PRIME = 0x01000193;
  let hash = basis;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, PRIME);
  return hash;
}

const BASES = [0x811c9dc5, 0x050c5d1f] as const;

/**
 * The initial elements of the parameter `name`: draws from (seed, name, element index), so that adding a layer leaves the
 * others as they were. Uniform: low + (high − low)·u. Normal: Marsaglia's polar method. In double, rounded once.
 */
export function drawParameter(name: string, shape: readonly number[], draw: Draw, seed: number): Float32Array {
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
  if (draw.kind === "constant") return data.fill(draw.value);
  const constants = draw.kind === "uniform" ? [draw.low, draw.high] : [draw.mean, draw.deviation];
  const hash = BASES.map((basis) => fnv1a(name, basis));
  execute(
    { operation: draw.kind, views: [new Tensor(data, shape, "f32")], ints: [data.length, ...hash], doubles: constants },
    { seed, step: 1 },
  );
  return data;
}
