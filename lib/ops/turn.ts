// Rotary positions (Su et al. 2021): pairs of features, half a head apart, turned by an angle for each place.
import { power, sineAndCosine } from "../tensor/exact.js";
import { Tensor } from "../tensor/tensor.js";
import type { Value } from "../tensor/value.js";
import { concat, slice } from "./arrange.js";
import { reshape } from "./broadcast.js";
import { add, multiply, subtract } from "./elementwise.js";

/** The angle of pair `pair` of a head of `size` at a place: place·base^(−2·pair/size), in double. */
export function angleAt(place: number, pair: number, size: number, base: number): number {
  return place / power(base, (2 * pair) / size);
}

/** [time, size]: cosines of the angles of each place, and their sines behind them. */
export function rotationOf(time: number, size: number, base: number): Tensor {
  const half = size / 2;
  const table = new Float32Array(time * size);
  for (let pair = 0; pair < half; pair++) {
    for (let place = 0; place < time; place++) {
      const { sine, cosine } = sineAndCosine(angleAt(place, pair, size, base));
      table[place * size + pair] = cosine;
      table[place * size + half + pair] = sine;
    }
  }
  return new Tensor(table, [time, size], "f32");
}

/**
 * x: [batch, time, heads, size] turned by the angles of a table, or back: [a, b] becomes [a·cos − b·sin, b·cos + a·sin], each product and sum
 * a rounding.
 */
export function turned(x: Value, rotation: Value, back: boolean): Value {
  const [, time = 1, , size = 0] = x.shape;
  const half = Number(size) / 2;
  const axis = { axis: 3 } as const;
  const [a, b] = [slice(x, 0, half, axis), slice(x, half, undefined, axis)];
  const rows = slice(rotation, 0, Number(time), { axis: 0 });
  const table = (from: number): Value => reshape(slice(rows, from, from + half), [time, 1, half]);
  const [c, s] = [table(0), table(half)];
  const first = back ? add(multiply(a, c), multiply(b, s)) : subtract(multiply(a, c), multiply(b, s));
  const second = back ? subtract(multiply(b, c), multiply(a, s)) : add(multiply(b, c), multiply(a, s));
  return concat([first, second], axis);
}
