// Every optimizer and preset under rates that change, against PyTorch and Keras (make_rates_fixture.py): what a state holds
// of the rate shows only here.
import { readFileSync } from "node:fs";
import {
  type Callback,
  fit,
  linear,
  type Model,
  mse,
  partition,
  type Schedule,
  type SgdOptions,
  sequential,
  sgd,
} from "carillon";
import { describe, expect, test } from "vitest";
import { OPTIMIZERS, type Options } from "./every.js";
import { stepper } from "./stepper.js";
import { distance } from "./trajectory.js";

interface RateCase {
  readonly name: string;
  readonly optimizer: string;
  readonly options: Options;
  readonly clip: number | null;
  readonly float64: readonly (readonly number[])[];
  readonly float32: readonly (readonly number[])[];
}

const fixture = JSON.parse(readFileSync(new URL("fixtures/rates.json", import.meta.url), "utf8")) as {
  readonly factors: readonly number[];
  readonly kept: readonly number[];
  readonly start: readonly [readonly (readonly number[])[], readonly number[]];
  readonly gradients: readonly (readonly number[])[];
  readonly cases: readonly RateCase[];
};
const { factors, kept, gradients } = fixture;
const [weight, bias] = fixture.start;

/** θ after each kept step, under the rates of the fixture. */
function trajectory({ optimizer, options, clip }: RateCase): readonly Float32Array[] {
  const lr: Schedule = ({ step }) => Number(options.lr) * (factors[step - 1] ?? Number.NaN);
  const made = OPTIMIZERS[optimizer]?.({ ...options, lr });
  if (made === undefined) throw new Error(`no optimizer '${optimizer}'`);
  const start = { weight: { shape: [2, 3], data: weight.flat() }, bias: { shape: [3], data: bias } };
  const one = stepper(made, start, clip === null ? {} : { clip: { norm: clip } });
  const places = gradients.map((gradient) => {
    one.step(gradient);
    return one.theta;
  });
  return kept.map((step) => places[step - 1] ?? new Float32Array());
}

/** Roundings a step: of θ, and on the way from a gradient to it (as in trajectories.test.ts), of values below 4. */
const ROUNDING = 4 * 16 * 2 ** -24;

test.each(fixture.cases.map((each) => [each.name, each] as const))("%s", (_name, each) => {
  const ours = trajectory(each);
  const errors = kept.map((step, index) => {
    const reference = each.float64[index] ?? [];
    const yardstick = 4 * distance(each.float32[index] ?? [], reference);
    const bound = Math.max(yardstick, ROUNDING * Math.sqrt(step));
    return { step, error: distance(ours[index] ?? [], reference), bound };
  });
  expect(errors.filter(({ error, bound }) => !(error <= bound))).toEqual([]);
});

describe("Keras' momentum, whose velocity holds the rate", () => {
  const line = (): Model => sequential(linear(1, 1, { init: 0 }));
  const data = { x: [[1], [1]], y: [[10], [10]] };
  const keras: SgdOptions = { compat: "keras", lr: 0.01, momentum: 0.9 };
  /** Weights after epochs 3 to 6 of Keras 3.15, whose rate is 0.001 from epoch 4 on. */
  const KERAS = [1.0839200019836426, 1.560312271118164, 2.002824068069458, 2.4130733013153076];

  async function weights(optimizer: Parameters<typeof fit>[1]["optimizer"], callbacks: readonly Callback[] = []) {
    const model = line();
    const seen: number[] = [];
    const look: Callback = {
      name: "look",
      decide: ({ epoch }) => {
        if (epoch >= 3) seen.push(model.weights().get("linear1.weight")?.data[0] ?? Number.NaN);
      },
    };
    await fit(model, { data, loss: mse(), optimizer, epochs: 6, batchSize: 2, callbacks: [look, ...callbacks] });
    return seen;
  }

  const close = (seen: readonly number[]): void => {
    expect(seen).toHaveLength(4);
    for (const [index, value] of seen.entries()) expect(Math.abs(value - (KERAS[index] ?? 0))).toBeLessThan(1e-6);
  };

  const slower: Callback = {
    name: "slower",
    decide: (at) => {
      if (at.epoch === 3) at.rateScale = 0.1;
    },
  };
  const schedule: Schedule = ({ epoch }) => (epoch <= 3 ? 0.01 : 0.001);

  test("by a callback", async () => close(await weights(sgd(keras), [slower])));
  test("by a schedule", async () => close(await weights(sgd({ ...keras, lr: schedule }))));
  test("in a group of its own", async () => {
    const groups = partition([
      ["linear1.weight", sgd({ ...keras, lr: schedule })],
      ["*", sgd({ lr: schedule, momentum: 0.9, rateInside: true })],
    ]);
    close(await weights(groups));
  });
});
