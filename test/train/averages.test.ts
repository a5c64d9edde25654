// averageWeights in a run: what validation measures, what the result and a checkpoint hold.
import {
  type AverageWeights,
  adam,
  type Callback,
  crossEntropy,
  dropout,
  fit,
  linear,
  type Model,
  partition,
  relu,
  sequential,
  sgd,
} from "carillon";
import { describe, expect, test } from "vitest";
import { stoppedAtStart } from "./stopped.js";
import { bitsOf, clusters, hashOf, weightsOf } from "./synthetic.js";

const DATA = clusters(50, 6, 3);
const HELD_OUT = clusters(30, 6, 3, 2);
const network = (): Model => sequential(linear(6, 12), relu(), dropout(0.2), linear(12, 3));
const BASE = { data: DATA, loss: crossEntropy(), optimizer: adam({ lr: 0.05 }), batchSize: 16, seed: 5 } as const;

type Averages = ReadonlyMap<string, Float32Array>;
const bitsOfAverages = (averages: Averages | undefined): string =>
  hashOf(new Map([...(averages ?? [])].map(([name, data]) => [name, { data }])));

describe.each<[string, AverageWeights]>([
  ["plain", { decay: 0.9 }],
  ["bias-corrected", { decay: 0.9, biasCorrection: true }],
])("%s", (_name, averageWeights) => {
  test("the result's averages follow the recurrence over all steps", async () => {
    const model = network().initialize(2);
    const means = new Map(model.parameters.map(({ name }) => [name, weightsOf(model, name)]));
    if (averageWeights.biasCorrection === true) for (const mean of means.values()) mean.fill(0);
    const following: Callback = {
      name: "following",
      every: { steps: 1 },
      decide() {
        for (const [name, mean] of means) {
          for (const [index, one] of weightsOf(model, name).entries())
            mean[index] = 0.9 * (mean[index] ?? 0) + 0.1 * one;
        }
      },
    };
    const { averaged } = await fit(model, { ...BASE, averageWeights, epochs: 3, callbacks: [following] });
    const steps = 12;
    const factor = averageWeights.biasCorrection === true ? 1 / (1 - 0.9 ** steps) : 1;
    for (const [name, mean] of means) {
      const received = averaged()?.get(name) ?? [];
      // 0.9 and 0.1 rounded, three roundings a step of numbers below 2.
      for (const [index, one] of mean.entries()) {
        expect(Math.abs((received[index] ?? 9) - one * factor)).toBeLessThan(steps * 5 * 2 * 2 ** -24 * factor);
      }
    }
    expect(bitsOfAverages(averaged())).not.toBe(bitsOf(model));
  });

  test("validation measures them; the run trains on with the weights", async () => {
    const model = network();
    const validation = HELD_OUT;
    const { averaged, history } = await fit(model, { ...BASE, averageWeights, validation, epochs: 3 });
    const measured = model.clone().setWeights(averaged() ?? new Map());
    const { loss } = await measured.evaluate(HELD_OUT, { loss: crossEntropy() });
    expect(history.at(-1)?.validation?.loss).toBe(loss);
    expect((await model.evaluate(HELD_OUT, { loss: crossEntropy() })).loss).not.toBe(loss);
    const plain = network();
    const without = await fit(plain, { ...BASE, validation, epochs: 3 });
    expect(bitsOf(plain)).toBe(bitsOf(model));
    expect(without.averaged()).toBeUndefined();
    expect(without.history.map(({ dataLoss }) => dataLoss)).toEqual(history.map(({ dataLoss }) => dataLoss));
  });

  test("a resume continues them to the bit, and refuses other averages", async () => {
    const options = { ...BASE, averageWeights, validation: HELD_OUT, epochs: 3 };
    const whole = network();
    const { averaged, history } = await fit(whole, options);
    for (const cut of [1, 4, 7]) {
      const { checkpoint } = await fit(network(), { ...options, steps: cut });
      const resumed = network();
      const rest = await fit(resumed, { ...options, resume: checkpoint() });
      expect(bitsOf(resumed)).toBe(bitsOf(whole));
      expect(bitsOfAverages(rest.averaged())).toBe(bitsOfAverages(averaged()));
      expect(rest.history.at(-1)?.validation).toEqual(history.at(-1)?.validation);
      for (const other of [undefined, { ...averageWeights, decay: 0.5 }]) {
        const refused = fit(network(), { ...options, averageWeights: other, resume: checkpoint() });
        await expect(refused).rejects.toThrow(
          expect.objectContaining({ code: "ERR_STATE", where: "fit.resume.averageWeights" }),
        );
      }
    }
  });

  test("any number of threads and of micro-batches: averages of the weights that there are", async () => {
    const trained = async (more: object): Promise<string> => {
      const { averaged } = await fit(network(), { ...BASE, averageWeights, epochs: 2, ...more });
      return bitsOfAverages(averaged());
    };
    expect(await trained({ threads: 2 })).toBe(await trained({ threads: 1 }));
    expect(await trained({ threads: 2, accumulate: 3 })).toBe(await trained({ threads: 1, accumulate: 3 }));
  });

  test("with frozen parameters validation still measures a whole network", async () => {
    const optimizer = partition([
      ["linear1.*", null],
      ["*", sgd({ lr: 0 })],
    ]);
    const model = network();
    const { history, averaged } = await fit(model, {
      ...BASE,
      optimizer,
      averageWeights,
      validation: HELD_OUT,
      epochs: 1,
    });
    expect(Array.from(averaged()?.get("linear1.weight") ?? [])).toEqual(weightsOf(model, "linear1.weight"));
    // No weight moved: the averages are the weights, but for the rounding of 0.9 and 0.1.
    const { loss } = await model.evaluate(HELD_OUT, { loss: crossEntropy() });
    expect(history[0]?.validation?.loss).toBeCloseTo(loss, 5);
  });

  test("a run stopped before its first step has none", async () => {
    const model = network();
    const { step, averaged } = await stoppedAtStart(fit(model, { ...BASE, averageWeights, epochs: 1 }));
    expect([step, averaged(), model.initialized]).toEqual([0, undefined, false]);
  });
});

test("a second run begins its averages anew", async () => {
  const model = network();
  await fit(model, { ...BASE, averageWeights: { decay: 0.5 }, epochs: 1 });
  const start = model.clone();
  const { averaged } = await fit(model, {
    ...BASE,
    optimizer: sgd({ lr: 0 }),
    averageWeights: { decay: 0.5 },
    epochs: 1,
  });
  expect(bitsOfAverages(averaged())).toBe(bitsOf(start));
});

test("averages are those of the end of the run, or an error", async () => {
  const model = network();
  const { averaged } = await fit(model, { ...BASE, averageWeights: { decay: 0.9 }, steps: 3 });
  model.initialize(1);
  expect(averaged).toThrow(expect.objectContaining({ code: "ERR_STATE", where: "averaged" }));
});

test.each([{ decay: 1 }, { decay: "0.9" }, {}, 0.9])("%o is refused", async (averageWeights) => {
  const run = fit(network(), { ...BASE, averageWeights: averageWeights as AverageWeights, epochs: 1 });
  const where = expect.stringMatching(/^fit\.averageWeights/);
  await expect(run).rejects.toThrow(expect.objectContaining({ code: "ERR_OPTION", where }));
});
