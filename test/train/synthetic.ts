// What the tests of training learn: small data sets that are the same everywhere, and hashes of what was learned.
import { createHash } from "node:crypto";
import type { Model } from "carillon";

/** Numbers in [0, 1), the same on every machine (Numerical Recipes' linear congruential generator). */
export function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A classification set in memory. */
export interface Classes {
  readonly x: Float32Array;
  readonly y: Int32Array;
}

/** `rows` points around one centre a class. x: [rows, features], y: [rows]. */
export function clusters(rows: number, features: number, classes: number, seed = 1): Classes {
  const next = numbers(seed);
  const centres = Float32Array.from({ length: classes * features }, () => 2 * next() - 1);
  const y = Int32Array.from({ length: rows }, (_, row) => row % classes);
  const x = new Float32Array(rows * features);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < features; column++) {
      const centre = centres[(y[row] ?? 0) * features + column] ?? 0;
      x[row * features + column] = centre + 2 * next() - 1;
    }
  }
  return { x, y };
}

/** One hash of all bits of a set of weights, in order. */
export function hashOf(weights: ReadonlyMap<string, { readonly data: Float32Array }>): string {
  const hash = createHash("sha256");
  for (const { data } of weights.values()) hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest("hex");
}

/** The hash of a model's weights. */
export function bitsOf(model: Model): string {
  return hashOf(model.weights());
}

/** The elements of one parameter. */
export function weightsOf(model: Model, name: string): number[] {
  const found = model.weights().get(name);
  if (found === undefined) throw new Error(`no parameter ${name}`);
  return Array.from(found.data);
}
