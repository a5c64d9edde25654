// Names that other libraries have, and typing errors: the message says what was meant, and what it needs.
import * as carillon from "carillon";
import {
  adam,
  binaryCrossEntropy,
  type Callback,
  CarillonError,
  type CheckpointOptions,
  crossEntropy,
  earlyStopping,
  fit,
  linear,
  type Model,
  mse,
  reduceOnPlateau,
  relu,
  sequential,
  sgd,
  split,
  standardize,
  tensor,
} from "carillon";
import { describe, expect, test } from "vitest";

const DATA = { x: [[1], [2]], y: [[1], [3]] };
const BASE = { data: DATA, loss: mse(), optimizer: sgd({ lr: 0.1 }), epochs: 1 };

function line(): Model<1, 1> {
  return sequential(linear(1, 1));
}

describe("a monitor", () => {
  const NEEDS_SET = "needs a set as 'fit.validation'";
  const NEEDS_METRIC = "needs its metric in 'fit.metrics'";

  test.each([
    ["validation.loss", `received "validation.loss". 'validation.loss' ${NEEDS_SET}`],
    ["val_loss", `Did you mean 'validation.loss'? 'validation.loss' ${NEEDS_SET}`],
    ["val_acc", `Did you mean 'validation.accuracy'? 'validation.accuracy' ${NEEDS_SET}`],
    ["accuracy", `'accuracy' ${NEEDS_METRIC}`],
    ["train_loss", "Did you mean 'loss'?"],
    ["los", "Did you mean 'loss'?"],
  ])("%s without a validation set", async (monitor, text) => {
    for (const callback of [earlyStopping({ monitor, patience: 1 }), reduceOnPlateau({ monitor })]) {
      const run = fit(line(), { ...BASE, callbacks: [callback] });
      await expect(run).rejects.toThrow(text);
      await expect(run).rejects.toMatchObject({ code: "ERR_OPTION", where: `${callback.name}.monitor` });
    }
    const checkpoint: CheckpointOptions = { dir: "none", best: { monitor } };
    const run = fit(line(), { ...BASE, checkpoint });
    await expect(run).rejects.toThrow(text);
    await expect(run).rejects.toMatchObject({ code: "ERR_OPTION", where: "fit.checkpoint.best.monitor" });
  });

  test.each([
    ["val_loss", "Did you mean 'validation.loss'?"],
    ["val/loss", "Did you mean 'validation.loss'?"],
    ["valLoss", "Did you mean 'validation.loss'?"],
    ["valid_rmse", "Did you mean 'validation.rmse'?"],
    ["val_root_mean_squared_error", "Did you mean 'validation.rmse'?"],
    ["validation.rsme", "Did you mean 'validation.rmse'?"],
    ["val_accuracy", `Did you mean 'validation.accuracy'? 'validation.accuracy' ${NEEDS_METRIC}`],
  ])("%s with one", async (monitor, text) => {
    const callbacks = [earlyStopping({ monitor, patience: 1 })];
    await expect(fit(line(), { ...BASE, validation: DATA, metrics: ["rmse"], callbacks })).rejects.toThrow(text);
  });

  test("that is no name, and one that is like none", async () => {
    for (const monitor of [3, "lightness"]) {
      const callback: Callback = { name: "mine", monitor: monitor as string, decide: () => undefined };
      const problem = `expected 'loss', 'dataLoss' or 'penalty' for 'mine.monitor' but received ${JSON.stringify(monitor)}`;
      await expect(fit(line(), { ...BASE, callbacks: [callback] })).rejects.toMatchObject({ message: problem });
    }
  });
});

describe("an option", () => {
  test.each([
    ["weights", "data.weight"],
    ["sample_weight", "data.weight"],
    ["learningRate", "optimizer.lr"],
    ["learning_rate", "optimizer.lr"],
    ["y", "data.y"],
    ["validation_data", "validation"],
    ["val_data", "validation"],
    ["batch_size", "batchSize"],
    ["max_epochs", "epochs"],
    ["random_state", "seed"],
    ["n_jobs", "threads"],
    ["class_weight", "classWeights"],
    ["criterion", "loss"],
    ["max_grad_norm", "clip"],
    ["ckpt_path", "resume"],
    ["verbose", "reportEvery"],
  ])("%s of fit was meant as %s", async (name, meant) => {
    await expect(fit(line(), { ...BASE, [name]: 1 })).rejects.toMatchObject({
      code: "ERR_UNKNOWN_OPTION",
      where: `fit.${name}`,
      message: `expected a known option for 'fit' but received '${name}'. Did you mean '${meant}'?`,
    });
  });

  test.each<[string, (options: never) => unknown, string]>([
    ["learning_rate", adam, "lr"],
    ["learningRate", adam, "lr"],
    ["eps", adam, "epsilon"],
    ["beta_1", adam, "beta1"],
    ["restore_best_weights", earlyStopping, "restoreBest"],
    ["min_delta", earlyStopping, "minDelta"],
    ["min_lr", reduceOnPlateau, "minScale"],
    ["use_bias", (options) => linear(1, 1, options), "bias"],
  ])("%s was meant as another", (name, make, meant) => {
    expect(() => make({ [name]: 1 } as never)).toThrow(`received '${name}'. Did you mean '${meant}'?`);
  });

  test.each([
    ["acc", "accuracy"],
    ["mse", "rmse"],
    ["pr_auc", "averagePrecision"],
    ["ece", "calibrationError"],
    ["cross_entropy", "logLoss"],
  ])("%s of the metrics was meant as %s", async (name, meant) => {
    const metrics = [name as "accuracy"];
    await expect(fit(line(), { ...BASE, metrics })).rejects.toThrow(`received "${name}". Did you mean '${meant}'?`);
  });
});

describe("what is given to a function that does not know it", () => {
  const later = ["grad", "valueAndGrad"]; // give a function, which is asked
  const makers = Object.entries(carillon).filter(
    ([name, value]) => typeof value === "function" && /^[a-z]/.test(name) && !later.includes(name),
  );

  test.each(makers)("%s", async (_, make) => {
    const call = async (): Promise<unknown> => {
      const made: unknown = Reflect.apply(make as () => unknown, undefined, [{ nosuchoption: 1 }]);
      const isGenerator = typeof made === "object" && made !== null && "next" in made;
      return await (isGenerator && typeof made.next === "function" ? made.next() : made);
    };
    await expect(call()).rejects.toBeInstanceOf(CarillonError);
  });

  test.each<[string, () => unknown, unknown, string]>([
    ["binaryCrossEntropy", binaryCrossEntropy, { labelSmoothing: 0.1 }, "object with labelSmoothing"],
    ["relu", relu, tensor([1]), "a tensor"],
    ["standardize", standardize, [0, 1], "array of 2"],
  ])("%s takes nothing", (name, make, given, received) => {
    const call = (): unknown => Reflect.apply(make, undefined, [given]);
    expect(call).toThrow(`expected no options for '${name}' but received ${received}`);
  });
});

describe("what is no set, loss or optimizer is told what would be one", () => {
  const rows = [{ x: [1], y: [1] }];
  test.each<[string, object, string]>([
    ["x and y in a list", { data: [DATA.x, DATA.y] }, "{ x, y } or a dataset() for 'fit.data' but received array of 2"],
    ["a list of examples", { data: rows }, "{ x, y } or a dataset() for 'fit.data' but received array of 1"],
    ["a generator", { data: rows.values() }, "{ x, y } or a dataset() for 'fit.data' but received"],
    ["a function", { data: () => rows }, "{ x, y } or a dataset() for 'fit.data' but received function data"],
    ["the name of a loss", { loss: "mse" }, `a loss such as mse() for 'fit.loss' but received "mse"`],
    [
      "that of an optimizer",
      { optimizer: "adam" },
      `an optimizer such as adam() for 'fit.optimizer' but received "adam"`,
    ],
    [
      "no optimizer",
      { optimizer: undefined },
      "an optimizer such as adam() for 'fit.optimizer' but received undefined",
    ],
    ["a loss", { optimizer: mse() }, "an optimizer such as adam() for 'fit.optimizer' but received the loss mse()"],
  ])("%s", async (_, wrong, text) => {
    await expect(fit(line(), { ...BASE, ...wrong })).rejects.toThrow(`expected ${text}`);
  });

  test("targets have units under a loss of values only", async () => {
    const data = { x: DATA.x, y: [0, 1] };
    const options = { ...BASE, data, loss: crossEntropy(), targets: standardize() };
    await expect(fit(sequential(linear(1, 2)), options)).rejects.toThrow("received the loss crossEntropy()");
  });

  test("labels of which some are names", async () => {
    const options = { ...BASE, data: { x: [[1], [2], [3]], y: ["a", 1, "a"] as string[] }, loss: crossEntropy() };
    const problem = "expected a name in row 1, as row 0 has one, for 'fit.data.y' but received 1";
    await expect(fit(sequential(linear(1, 2)), options)).rejects.toThrow(problem);
  });

  test("what cannot be divided", () => {
    const parts = { validation: 0.5 };
    expect(() => split(rows.values() as never, parts)).toThrow(
      "expected { x, y } or an array of rows for 'split.data'",
    );
    expect(() => split({ x: [], y: [] }, parts)).toThrow("expected at least two rows for 'split.data' but received 0");
  });
});

test("many runs on one signal are no leak to Node.js, and none stays with it", async () => {
  const warnings: Error[] = [];
  const note = (warning: Error): void => {
    warnings.push(warning);
  };
  process.on("warning", note);
  try {
    const aborting = new AbortController();
    const { signal } = aborting;
    const listeners = new Set<unknown>();
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners.add(args[1]);
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners.delete(args[1]);
      remove(...args);
    };
    const options = { ...BASE, epochs: 1_000_000, signal };
    const models = Array.from({ length: 12 }, line);
    const runs = models.map((model) => fit(model, options));
    const predicted = models.map((model) => model.predict([[1]], { signal }));
    await Promise.all(predicted);
    const refused = Promise.all(runs.map((run) => expect(run).rejects.toBe("enough")));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(listeners.size).toBe(1);
    aborting.abort("enough");
    await refused;
    expect(listeners.size).toBe(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings).toEqual([]);
  } finally {
    process.off("warning", note);
  }
});
