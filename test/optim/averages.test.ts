// The moving average of the weights: θ̄ ← decay·θ̄ + (1 − decay)·θ after every step.
import {
  type AverageWeights,
  adam,
  defineOptimizer,
  type MinimizerOptions,
  type Optimizer,
  ops,
  partition,
  sgd,
  sgdMomentum,
} from "carillon";
import { describe, expect, test } from "vitest";
import { type Probe, signed, startAt } from "../regularizers/probe.js";
import { outside } from "../regularizers/reference.js";
import { add, type Bounded, divide, exact, multiply, rounded } from "../train/bounded.js";

const SHAPE = [5, 13];
const COUNT = 65;
const STEPS = 6;

const own = (lr: number): Optimizer =>
  defineOptimizer({
    kind: "own",
    lr,
    update: ({ parameter, gradient, rate }) => ({ parameter: ops.subtract(parameter, ops.multiply(rate, gradient)) }),
  });

async function stepping(probe: Probe, seen: (step: number) => void): Promise<void> {
  for (let step = 1; step <= STEPS; step++) {
    await probe.step(signed(COUNT, 40 + step));
    seen(step);
  }
}

const averageOf = (probe: Probe, name = "probe.weight"): Float32Array =>
  probe.trainer.averages(probe.model)?.get(name) ?? new Float32Array();

describe.each<[string, Optimizer]>([
  ["sgd", sgd({ lr: 0.1 })],
  ["sgdMomentum", sgdMomentum({ lr: 0.1 })],
  ["adam", adam({ lr: 0.1 })],
  ["one of operations", own(0.1)],
])("%s", (_name, optimizer) => {
  test.each([0, 0.5, 0.9, 0.999])("decay %f: the recurrence, from the initial weights", async (decay) => {
    const probe = startAt(SHAPE, signed(COUNT, 1), optimizer, { averageWeights: { decay } });
    const means = new Map<string, readonly Bounded[]>();
    for (const [name, data] of probe.look().weights) means.set(name, Array.from(data, exact));
    await stepping(probe, () => {
      for (const [name, data] of probe.look().weights) {
        const next = (means.get(name) ?? []).map((mean, index) =>
          add(multiply(rounded(decay), mean), multiply(rounded(1 - decay), exact(data[index] ?? Number.NaN))),
        );
        means.set(name, next);
        expect(outside(averageOf(probe, name), next)).toEqual([]);
      }
    });
  });

  test.each([0, 0.5, 0.9, 0.999])("decay %f, from the weights after the first step", async (decay) => {
    const probe = startAt(SHAPE, signed(COUNT, 1), optimizer, { averageWeights: { decay, start: "firstStep" } });
    let means: readonly Bounded[] = [];
    await stepping(probe, (step) => {
      const weights = Array.from(probe.weight, exact);
      if (step === 1) expect(averageOf(probe)).toEqual(probe.weight.map((weight) => weight + 0)); // no −0
      means =
        step === 1
          ? weights
          : weights.map((weight, index) =>
              add(multiply(rounded(decay), means[index] ?? weight), multiply(rounded(1 - decay), weight)),
            );
      expect(outside(averageOf(probe), means)).toEqual([]);
    });
  });

  test.each([0, 0.5, 0.9, 0.999])("decay %f, bias-corrected: from 0, over 1 − decayᵗ", async (decay) => {
    const probe = startAt(SHAPE, signed(COUNT, 1), optimizer, { averageWeights: { decay, biasCorrection: true } });
    let means: readonly Bounded[] = Array.from({ length: COUNT }, () => exact(0));
    await stepping(probe, (step) => {
      means = means.map((mean, index) =>
        add(multiply(rounded(decay), mean), multiply(rounded(1 - decay), exact(probe.weight[index] ?? Number.NaN))),
      );
      const corrected = means.map((mean) => divide(mean, exact(1 - decay ** step)));
      expect(outside(averageOf(probe), corrected)).toEqual([]);
      // The correction makes it a mean of the weights: after one step, those weights.
      if (step === 1) {
        const weights = Array.from(probe.weight, (one) => ({ value: one, error: 4 * 2 ** -24 * Math.abs(one) }));
        // 1 − decay in float32 and in double differ by 2⁻²⁵/(1 − decay).
        const widened = weights.map(({ value, error }) => ({
          value,
          error: error + (Math.abs(value) * 2 ** -24) / (1 - decay),
        }));
        expect(outside(averageOf(probe), widened)).toEqual([]);
      }
    });
  });
});

test("the weights themselves do not depend on it", async () => {
  const weights = async (averageWeights: AverageWeights | undefined): Promise<Float32Array> => {
    const probe = startAt(SHAPE, signed(COUNT, 1), adam({ lr: 0.1 }), { averageWeights });
    await stepping(probe, () => undefined);
    return probe.weight;
  };
  expect(await weights({ decay: 0.9 })).toEqual(await weights(undefined));
});

test("frozen parameters are their own average, before the first step all are", async () => {
  for (const form of [{}, { biasCorrection: true }, { start: "firstStep" }] as const) {
    const groups = partition([
      ["*.bias", null],
      ["*", sgd({ lr: 0.1 })],
    ]);
    const options: MinimizerOptions = { averageWeights: { decay: 0.9, ...form } };
    const probe = startAt(SHAPE, signed(COUNT, 1), groups, options);
    expect(averageOf(probe)).toEqual(signed(COUNT, 1));
    await stepping(probe, () => {
      expect(averageOf(probe, "probe.bias")).toEqual(signed(COUNT, 1));
      expect(averageOf(probe)).not.toEqual(signed(COUNT, 1));
    });
  }
});

test.each<[unknown, string, string]>([
  [{ decay: 1 }, "minimizer.averageWeights.decay", "[0, 1)"],
  [{ decay: -0.1 }, "minimizer.averageWeights.decay", "[0, 1)"],
  [{ decay: Number.NaN }, "minimizer.averageWeights.decay", "[0, 1)"],
  [{}, "minimizer.averageWeights.decay", "[0, 1)"],
  [{ decay: 0.9, biasCorrection: 1 }, "minimizer.averageWeights.biasCorrection", "true or false"],
  [{ decay: 0.9, start: "first" }, "minimizer.averageWeights.start", "firstStep"],
  [{ decay: 0.9, start: "initial", biasCorrection: true }, "minimizer.averageWeights.start", "none"],
  [{ decay: 0.9, bias: true }, "minimizer.averageWeights.bias", "known option"],
  [0.9, "minimizer.averageWeights", "an object of options"],
])("%o is refused", (averageWeights, where, says) => {
  const call = () =>
    startAt([1, 1], new Float32Array(1), sgd({ lr: 1 }), { averageWeights: averageWeights as AverageWeights });
  expect(call).toThrow(expect.objectContaining({ where, message: expect.stringContaining(says) }));
});
