// earlyStopping and reduceOnPlateau: what they decide is what Keras' callbacks decide (make_callbacks_fixture.py); what a
// run does with it.
import { readFileSync } from "node:fs";
import {
  adam,
  binaryCrossEntropy,
  type Callback,
  crossEntropy,
  type Decision,
  defineMetric,
  dropout,
  earlyStopping,
  fit,
  linear,
  type Model,
  type ReduceOnPlateauOptions,
  reduceOnPlateau,
  relu,
  sequential,
  sgd,
  split,
} from "carillon";
import { describe, expect, test } from "vitest";
import { bitsOf, clusters, hashOf, numbers } from "./synthetic.js";

interface Case {
  readonly values: readonly (number | "NaN")[];
  readonly mode: "min" | "max";
  readonly options: { readonly patience: number; readonly minDelta?: number };
}
interface Fixture {
  readonly earlyStopping: readonly (Case & { readonly epochs: number; readonly best: number })[];
  readonly reduceOnPlateau: readonly (Case & {
    readonly options: Omit<ReduceOnPlateauOptions, "monitor">;
    readonly scales: readonly number[];
  })[];
}

const FIXTURE = JSON.parse(
  readFileSync(new URL("fixtures/callbacks.json", import.meta.url), "utf8"),
) as unknown as Fixture;

/** A decision at the end of an epoch; what is decided is written into `made`. */
function decision(epoch: number, figure: number, made: { stopped: boolean }, rateScale = 1): Decision {
  return {
    step: epoch,
    epoch,
    loss: 0,
    dataLoss: 0,
    penalty: 0,
    metrics: { figure },
    validation: undefined,
    validationStep: undefined,
    rateScale,
    stop() {
      made.stopped = true;
    },
    weights: () => new Map([["epoch", Float32Array.of(epoch)]]),
    checkpoint: () => new Uint8Array(),
  };
}

describe("Keras' decisions", () => {
  test.each(FIXTURE.earlyStopping)(
    "earlyStopping, $mode, $options",
    async ({ values, mode, options, epochs, best }) => {
      const callback = earlyStopping({ monitor: "figure", mode, restoreBest: true, ...options });
      const made = { stopped: false };
      let epoch = 0;
      callback.start?.({ step: 0 });
      while (epoch < values.length && !made.stopped) {
        epoch += 1;
        await callback.decide(decision(epoch, Number(values[epoch - 1]), made));
      }
      expect(epoch).toBe(epochs);
      expect(callback.best).toEqual({ monitor: "figure", value: values[best - 1], epoch: best, step: best });
      let restored: unknown;
      await callback.end?.({
        reason: "stopped",
        step: epoch,
        setWeights(weights) {
          restored = weights;
        },
      });
      expect(restored).toEqual(new Map([["epoch", Float32Array.of(best)]]));
    },
  );

  // Of pytabkit, whose best epoch is the last of several that are alike.
  test.each([
    ["min", [3, 1, 2, 1, Number.NaN, 1.5], 4],
    ["max", [3, 1, 3, 3, 2], 4],
    ["max", [0.5, 0.5], 2],
  ] as const)("earlyStopping whose ties go to the last, %s of %j", async (mode, values, best) => {
    const callback = earlyStopping({ monitor: "figure", mode, patience: 9, restoreBest: true, ties: "last" });
    callback.start?.({ step: 0 });
    for (const [at, value] of values.entries()) await callback.decide(decision(at + 1, value, { stopped: false }));
    expect(callback.best).toMatchObject({ epoch: best, value: values[best - 1] });
    expect(() => earlyStopping({ monitor: "loss", patience: 1, ties: "none" as never })).toThrow(/earlyStopping.ties/);
  });

  test.each(FIXTURE.reduceOnPlateau)("reduceOnPlateau, $mode, $options", async ({ values, mode, options, scales }) => {
    const callback = reduceOnPlateau({ monitor: "figure", mode, ...options });
    let scale = 1;
    const found: number[] = [];
    for (const [index, value] of values.entries()) {
      const at = decision(index + 1, Number(value), { stopped: false }, scale);
      await callback.decide(at);
      scale = at.rateScale;
      found.push(scale);
    }
    expect(found).toEqual(scales);
  });
});

const DATA = clusters(120, 4, 3, 5);

function network(): Model<4, 3> {
  return sequential(linear(4, 16), relu(), dropout(0.25), linear(16, 3));
}

/** A figure that is best at a given epoch of training: its distance from there, as the number of epochs begun. */
function peakAt(best: number) {
  let epochs = 0;
  return defineMetric({
    name: "distance",
    start() {
      epochs += 1;
      return 0;
    },
    add: (state) => state,
    result: () => Math.abs(epochs - 1 - best),
  });
}

const OPTIONS = { data: DATA, loss: crossEntropy(), optimizer: adam({ lr: 0.01 }), batchSize: 32, seed: 4 } as const;

async function bitsAfter(epochs: number): Promise<string> {
  const model = network();
  await fit(model, { ...OPTIONS, epochs });
  return bitsOf(model);
}

describe("earlyStopping in a run", () => {
  test("stops, tells who stopped it, and gives the best weights back", async () => {
    const model = network();
    const callbacks = [earlyStopping({ monitor: "distance", mode: "min", patience: 3, restoreBest: true })];
    const run = fit(model, { ...OPTIONS, epochs: 50, metrics: [peakAt(5)], callbacks });
    const result = await run;
    expect(result).toMatchObject({ reason: "stopped", stoppedBy: "earlyStopping", step: 8 * 4 });
    expect(result.best).toEqual({ monitor: "distance", value: 0, epoch: 5, step: 20 });
    expect(result.history).toHaveLength(8);
    expect(bitsOf(model)).toBe(await bitsAfter(5));
    for await (const event of run) {
      if (event.kind === "end") expect(event).toMatchObject({ reason: "stopped", stoppedBy: "earlyStopping" });
    }
  });

  test("without restoreBest leaves the last weights", async () => {
    const model = network();
    const callbacks = [earlyStopping({ monitor: "distance", mode: "min", patience: 3 })];
    const { best } = await fit(model, { ...OPTIONS, epochs: 50, metrics: [peakAt(5)], callbacks });
    expect(best).toMatchObject({ epoch: 5 });
    expect(bitsOf(model)).toBe(await bitsAfter(8));
  });

  test("gives them back at the end of the run as well, but not after an abort", async () => {
    const model = network();
    const early = earlyStopping({ monitor: "distance", mode: "min", patience: 30, restoreBest: true });
    await fit(model, { ...OPTIONS, epochs: 6, metrics: [peakAt(3)], callbacks: [early] });
    expect(bitsOf(model)).toBe(await bitsAfter(3));

    const aborting = new AbortController();
    const aborter: Callback = {
      name: "aborter",
      decide({ epoch }) {
        if (epoch === 5) aborting.abort("gone");
      },
    };
    const other = network();
    const options = { ...OPTIONS, epochs: 9, metrics: [peakAt(3)], callbacks: [early, aborter] };
    await expect(fit(other, { ...options, signal: aborting.signal })).rejects.toBe("gone");
    expect(bitsOf(other)).toBe(await bitsAfter(5));
  });

  test("its checkpoint is that of the last step, and a resumed run has the same best weights", async () => {
    const make = () => [earlyStopping({ monitor: "loss", mode: "max", patience: 3, restoreBest: true })];
    const whole = network();
    const { best, step } = await fit(whole, { ...OPTIONS, epochs: 9, callbacks: make() });
    const cut = network();
    const first = await fit(cut, { ...OPTIONS, epochs: 2, callbacks: make() });
    const resumed = network();
    const second = await fit(resumed, { ...OPTIONS, epochs: 9, callbacks: make(), resume: first.checkpoint() });
    expect(second).toMatchObject({ best, step });
    // A loss that falls is best, for 'max', at the first epoch, which only the checkpoint has seen.
    expect(best?.epoch).toBe(1);
    expect(bitsOf(resumed)).toBe(bitsOf(whole));
    expect(bitsOf(whole)).toBe(await bitsAfter(1));
    const plain = network();
    await fit(plain, { ...OPTIONS, epochs: 2 });
    const weights = network();
    await fit(weights, {
      ...OPTIONS,
      epochs: 2,
      resume: (await fit(network(), { ...OPTIONS, epochs: 2 })).checkpoint(),
    });
    expect(bitsOf(weights)).toBe(bitsOf(plain));
  });

  test("a second run with the same callback begins anew", async () => {
    const early = earlyStopping({ monitor: "distance", mode: "min", patience: 2, restoreBest: true });
    for (const best of [4, 2]) {
      const options = { ...OPTIONS, epochs: 20, metrics: [peakAt(best)], callbacks: [early] };
      expect(await fit(network(), options)).toMatchObject({ best: { epoch: best }, step: (best + 2) * 4 });
    }
  });

  test("keeps the averages where validation measures them", async () => {
    const averageWeights = { decay: 0.9 };
    const callbacks = [earlyStopping({ monitor: "distance", mode: "min", patience: 2, restoreBest: true })];
    const model = network();
    await fit(model, { ...OPTIONS, epochs: 9, metrics: [peakAt(3)], callbacks, averageWeights });
    const { averaged } = await fit(network(), { ...OPTIONS, epochs: 3, averageWeights });
    const weights = [...(averaged() ?? [])].map(([name, data]) => [name, { data }] as const);
    expect(bitsOf(model)).toBe(hashOf(new Map(weights)));
  });

  test("counts a figure of validation once a validation", async () => {
    const seen: number[] = [];
    const early = earlyStopping({ monitor: "validation.loss", mode: "max", patience: 2, every: { steps: 1 } });
    const watching: Callback = {
      name: "watching",
      every: { steps: 1 },
      decide({ step, validationStep }) {
        if (step === validationStep) seen.push(step);
      },
    };
    const options = { ...OPTIONS, steps: 100, validation: DATA, validate: { every: { steps: 5 } } };
    const { step } = await fit(network(), { ...options, callbacks: [watching, early] });
    expect(seen.slice(0, 3)).toEqual([5, 10, 15]);
    // A falling loss is best, for 'max', at first: two more validations.
    expect(step).toBe(15);
  });
});

describe("reduceOnPlateau in a run", () => {
  test("changes the rate from the next step on", async () => {
    const callbacks = [reduceOnPlateau({ monitor: "distance", mode: "min", patience: 1, factor: 0.5, minScale: 0.25 })];
    const reduced = network();
    await fit(reduced, { ...OPTIONS, epochs: 6, metrics: [peakAt(2)], callbacks });
    const scales = [1, 1, 1, 0.5, 0.25, 0.25]; // of the epochs: the first worse one is the third
    const lr = ({ epoch }: { readonly epoch: number }): number => 0.01 * (scales[epoch - 1] ?? 0);
    const scheduled = network();
    await fit(scheduled, { ...OPTIONS, epochs: 6, optimizer: adam({ lr }) });
    expect(bitsOf(reduced)).toBe(bitsOf(scheduled));
  });

  test("goes on in a resumed run", async () => {
    const make = () => [reduceOnPlateau({ monitor: "loss", mode: "max", patience: 2, factor: 0.5, cooldown: 1 })];
    const whole = network();
    await fit(whole, { ...OPTIONS, epochs: 9, callbacks: make() });
    for (const epochs of [2, 3, 4]) {
      const { checkpoint } = await fit(network(), { ...OPTIONS, epochs, callbacks: make() });
      const resumed = network();
      await fit(resumed, { ...OPTIONS, epochs: 9, callbacks: make(), resume: checkpoint() });
      expect(bitsOf(resumed)).toBe(bitsOf(whole));
    }
    const plain = network();
    await fit(plain, { ...OPTIONS, epochs: 9 });
    expect(bitsOf(plain)).not.toBe(bitsOf(whole));
  });
});

test("imbalance, early stopping, best weights", async () => {
  // One in eight is of class 1: inside of a ball.
  const next = numbers(3);
  const x = Array.from({ length: 600 }, () => Array.from({ length: 12 }, () => 2 * next() - 1));
  const y = x.map((row, index) => ((row[0] ?? 0) + (index % 8 === 0 ? 1 : -0.2) > 0.7 ? 1 : 0));
  const { train, validation } = split({ x, y }, { validation: 0.2, stratify: true, seed: 1 });
  const model = sequential(linear(12, 32), relu(), dropout(0.2), linear(32, 1));
  const { best, history, step } = await fit(model, {
    data: train,
    validation,
    classWeights: "balanced",
    epochs: 100,
    seed: 1,
    loss: binaryCrossEntropy(),
    optimizer: adam(),
    metrics: ["auc"],
    callbacks: [earlyStopping({ monitor: "validation.auc", patience: 10, restoreBest: true })],
  });
  const areas = history.map((event) => event.validation.metrics.auc);
  const most = Math.max(...areas);
  expect(best).toEqual({ monitor: "validation.auc", value: most, epoch: areas.indexOf(most) + 1, step: best?.step });
  expect(step).toBe(Math.min(areas.indexOf(most) + 11, 100) * 15);
  const { metrics } = await model.evaluate(validation, { loss: binaryCrossEntropy(), metrics: ["auc"] });
  expect(metrics.auc).toBe(most);
  expect(most).toBeGreaterThan(0.5);
});

describe("options", () => {
  test.each([
    [() => earlyStopping({ monitor: "loss", patience: 0 }), "earlyStopping.patience"],
    [() => earlyStopping({ monitor: "", patience: 1 }), "earlyStopping.monitor"],
    [() => earlyStopping({ monitor: "loss", patience: 1, minDelta: -1 }), "earlyStopping.minDelta"],
    [() => earlyStopping({ monitor: "loss", patience: 1, mode: "auto" as "min" }), "earlyStopping.mode"],
    [() => reduceOnPlateau({ monitor: "loss", factor: 1 }), "reduceOnPlateau.factor"],
    [() => reduceOnPlateau({ monitor: "loss", factor: 0 }), "reduceOnPlateau.factor"],
    [() => reduceOnPlateau({ monitor: "loss", cooldown: -1 }), "reduceOnPlateau.cooldown"],
    [() => reduceOnPlateau({ monitor: "loss", minScale: 1 }), "reduceOnPlateau.minScale"],
  ])("%s is refused", (make, where) => {
    expect(make).toThrow(expect.objectContaining({ name: "CarillonError", code: "ERR_OPTION", where }));
  });

  test("unknown ones too", () => {
    const options = { monitor: "loss", patience: 1, minDelt: 1 };
    expect(() => earlyStopping(options)).toThrow(expect.objectContaining({ code: "ERR_UNKNOWN_OPTION" }));
  });

  test.each(["acuracy", "validation.loss", "validation.accuracy", "confusionMatrix"])(
    "a monitor %s that the run does not have is refused before it",
    async (monitor) => {
      const model = network();
      const options = { ...OPTIONS, epochs: 1, metrics: ["accuracy", "confusionMatrix"] as const };
      const run = fit(model, { ...options, callbacks: [earlyStopping({ monitor, patience: 1 })] });
      await expect(run).rejects.toMatchObject({ code: "ERR_OPTION", where: "earlyStopping.monitor" });
      expect(model.initialized).toBe(false);
    },
  );

  test("errors are better when they are less, other metrics when they are more", async () => {
    const better = async (monitor: string, values: readonly number[]): Promise<number | undefined> => {
      const callback = earlyStopping({ monitor, patience: 9 });
      for (const [index, value] of values.entries()) {
        const at = decision(index + 1, 0, { stopped: false });
        const metrics = { mae: value, accuracy: value, classError: value };
        const validation = { loss: value, metrics: { rmse: value, mine: value } };
        await callback.decide({ ...at, loss: value, metrics, validation, validationStep: at.step });
      }
      return callback.best?.value;
    };
    for (const name of ["loss", "mae", "classError", "validation.loss", "validation.rmse"])
      expect(await better(name, [2, 1, 3])).toBe(1);
    for (const name of ["accuracy", "validation.mine"]) expect(await better(name, [2, 1, 3])).toBe(3);
  });

  test("two of a kind have names", async () => {
    const one = earlyStopping({ monitor: "loss", patience: 1 });
    const two = earlyStopping({ monitor: "dataLoss", patience: 1, name: "second" });
    await expect(fit(network(), { ...OPTIONS, epochs: 1, callbacks: [one, one] })).rejects.toMatchObject({
      code: "ERR_OPTION",
    });
    expect((await fit(network(), { ...OPTIONS, epochs: 1, callbacks: [one, two] })).reason).toBe("finished");
  });
});

test("class weights of a binary loss are weights of the examples", async () => {
  const { x } = clusters(60, 4, 2);
  const y = Float32Array.from({ length: 60 }, (_, row) => (row % 4 === 0 ? 1 : 0));
  const train = async (weight?: readonly number[], classWeights?: "balanced" | readonly number[]): Promise<string> => {
    const model = sequential(linear(4, 1));
    const data = { x, y, ...(weight === undefined ? {} : { weight }) };
    await fit(model, { data, classWeights, loss: binaryCrossEntropy(), optimizer: sgd({ lr: 0.5 }), epochs: 3 });
    return bitsOf(model);
  };
  const by = (zero: number, one: number): number[] => Array.from(y, (label) => (label === 1 ? one : zero));
  // 45 and 15 of 60: n/(2·count)
  expect(await train(undefined, "balanced")).toBe(await train(by(60 / 90, 60 / 30)));
  expect(await train(undefined, [0.5, 3])).toBe(await train(by(0.5, 3)));
  expect(await train(by(2, 1), [0.5, 3])).toBe(await train(by(1, 3)));
  expect(await train(undefined, "balanced")).not.toBe(await train());

  const soft = { data: { x, y: Array.from(y, (label) => (label + 0.5) / 2) }, optimizer: sgd({ lr: 1 }), epochs: 1 };
  const options = { ...soft, loss: binaryCrossEntropy(), classWeights: "balanced" } as const;
  await expect(fit(sequential(linear(4, 1)), options)).rejects.toMatchObject({
    code: "ERR_LABEL",
    where: "fit.data.y",
  });
  await expect(fit(sequential(linear(4, 1)), { ...options, classWeights: [1, 1, 1] })).rejects.toMatchObject({
    code: "ERR_OPTION",
    where: "fit.classWeights",
  });
});
