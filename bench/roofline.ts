// The least time that a training step can take on a machine.

export interface Step {
  /** Inputs, hidden widths, outputs of a dense network. */
  readonly sizes: readonly number[];
  readonly batch: number;
  /** GFLOP/s, a fused multiply-add counts two. */
  readonly fmaPeak: number;
  /** GB/s of reading and writing at the working set of the parameters and their states. */
  readonly bandwidth: number;
}

/** Bytes of Adam's pass a parameter: θ, m, v read and written, the gradient read. */
export const ADAM_BYTES = 28;

/** Weights and biases. */
export function parametersOf(sizes: readonly number[]): number {
  return sizes.slice(1).reduce((sum, out, layer) => sum + ((sizes[layer] ?? 0) + 1) * out, 0);
}

/**
 * Floating-point operations of the products of one step: 2·batch·in·out a layer forward, the same for its weight
 * gradient, and the same for its input gradient in every layer but the first.
 */
export function stepFlops(sizes: readonly number[], batch: number): number {
  return sizes
    .slice(1)
    .reduce((sum, out, layer) => sum + 2 * batch * (sizes[layer] ?? 0) * out * (layer === 0 ? 2 : 3), 0);
}

/** flops / peak + 28 bytes × parameters / bandwidth, in µs; nothing else is added. */
export function rooflineMicroseconds({ sizes, batch, fmaPeak, bandwidth }: Step): number {
  return stepFlops(sizes, batch) / (fmaPeak * 1e3) + (ADAM_BYTES * parametersOf(sizes)) / (bandwidth * 1e3);
}
