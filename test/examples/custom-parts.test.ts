// What examples/custom-parts is there to show.
import { beforeAll, describe, expect, test } from "vitest";
import { noisy, quantile } from "../../examples/custom-parts/noisy.js";
import {
  learnQuantiles,
  type Progress,
  pinball,
  QUANTILES,
  radialBasis,
} from "../../examples/custom-parts/quantiles.js";
import { linear, type Model, sequential, Tensor, tensor } from "../../lib/index.js";

const held = noisy(1024, 4096);
const told: Progress[] = [];
let model: Model<1, 3>;

beforeAll(async () => {
  model = await learnQuantiles(noisy(4096), held, { epochs: 40, seed: 1 }, (progress) => told.push(progress));
});

test("the layer is the formula", () => {
  const layer = sequential(radialBasis(2));
  layer.setWeights(
    new Map([
      ["radialBasis1.center", Float32Array.of(0, 0.5)],
      ["radialBasis1.width", Float32Array.of(0.5)],
    ]),
  );
  const { data } = layer.predictSync([[0], [1]]);
  const expected = [1, Math.exp(-0.5), Math.exp(-2), Math.exp(-0.5)];
  // exp to 2 ulp of its argument's rounding: some 2⁻²² relative.
  for (const [index, value] of expected.entries())
    expect(Math.abs((data[index] ?? 0) / value - 1)).toBeLessThan(2 ** -21);
});

test("the loss is the formula", () => {
  const losses = pinball(tensor([[1, 1, 1]]), tensor([[3, 1, 0]]));
  if (!(losses instanceof Tensor)) throw new Error("expected a tensor");
  expect(losses.item()).toBeCloseTo((0.1 * 2 + 0 + 0.1 * 1) / 3, 6);
});

describe("after forty epochs", () => {
  test("the loss is that of the true quantiles, to 2%", async () => {
    const truth = held.x.flatMap(([x = 0], row) =>
      QUANTILES.map((q) => {
        const distance = (held.y[row]?.[0] ?? 0) - quantile(x, q);
        return Math.max(q * distance, (q - 1) * distance);
      }),
    );
    const least = truth.reduce((sum, loss) => sum + loss, 0) / truth.length;
    expect(told).toHaveLength(40);
    expect(told.at(-1)?.loss).toBeLessThan(1.02 * least);
    const untrained = sequential(radialBasis(24), linear(24, 3)).initialize(1);
    expect((await untrained.evaluate(held, { loss: pinball })).loss).toBeGreaterThan(5 * least);
  });

  test("four fifths of the targets lie between the outer quantiles", () => {
    // The deviation of that share of 1,024 points is √(0.8·0.2/1024) = 0.0125.
    expect(Math.abs((told.at(-1)?.coverage ?? 0) - 0.8)).toBeLessThan(0.0375);
  });

  test("the quantiles are the true ones", async () => {
    const places = Array.from({ length: 181 }, (_, index) => (index - 90) / 100);
    const { data } = await model.predict(places.map((x) => [x]));
    const wrong = places.flatMap((x, row) =>
      QUANTILES.map((q, at) => Math.abs((data[3 * row + at] ?? Number.NaN) - quantile(x, q))),
    );
    const mean = wrong.reduce((sum, distance) => sum + distance, 0) / wrong.length;
    expect(mean).toBeLessThan(0.02); // of spreads from 0.2 to 0.9
  });
});
