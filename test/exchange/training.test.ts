// A network that was trained in PyTorch or Keras for twenty steps goes on here for fifty: losses beside those there in float64 (make_pytorch_fixture.py, make_keras_fixture.py).
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  type AnyModel,
  adagrad,
  adam,
  adamw,
  amsgrad,
  conv2d,
  flatten,
  linear,
  lstm,
  type Minimizer,
  minimizer,
  mse,
  type Optimizer,
  ops,
  program,
  rmsprop,
  sequential,
  sgd,
  spec,
  tanh,
} from "carillon";
import { importKeras, loadOptimizerState, loadStateDict } from "carillon/exchange";
import { expect, test } from "vitest";

const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

interface Training {
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly losses: readonly number[];
}

const told = JSON.parse(readFileSync(fixture("training.json"), "utf8")) as Readonly<Record<string, Training>>;

const OPTIMIZERS: Readonly<Record<string, (compat: "pytorch") => Optimizer>> = {
  adam: (compat) => adam({ compat, lr: 0.01 }),
  adamw: (compat) => adamw({ compat, lr: 0.01, weightDecay: 0.1 }),
  sgd: (compat) => sgd({ compat, lr: 0.05, momentum: 0.9 }),
  rmsprop: (compat) => rmsprop({ compat, lr: 0.003, momentum: 0.5, centered: true }),
  adagrad: (compat) => adagrad({ compat, lr: 0.05 }),
  amsgrad: (compat) => amsgrad({ compat, lr: 0.01 }),
};

const net = () => sequential({ input: [4, 4, 1] }, conv2d(1, 3, { kernel: 3 }), tanh(), flatten(), linear(12, 2));

/** Losses of steps that go on from where a minimizer is. */
async function expectLosses(
  model: AnyModel,
  trainer: Minimizer,
  { x: rows, y: answers, losses }: Training,
): Promise<void> {
  const step = program({
    inputs: { x: spec([8, 4, 4, 1]), y: spec([8, 2]) },
    body({ x, y }) {
      const loss = ops.mean(mse()(model.forward(x), y));
      trainer.minimize(loss);
      return { loss };
    },
  });
  const inputs = { x: Float32Array.from(rows), y: Float32Array.from(answers) };
  for (const [at, expected] of losses.entries()) {
    const { loss } = await step.run(inputs);
    // Rounding of 2⁻²⁴ a step in weights of about 1, which gradients pass on.
    expect(Math.abs((loss.data[0] ?? Number.NaN) - expected), `step ${at + 1}`).toBeLessThan((at + 20) * 2 ** -22);
  }
}

test.each(Object.keys(told))("%s of PyTorch goes on for fifty steps", async (name) => {
  const one = told[name];
  const optimizer = OPTIMIZERS[name]?.("pytorch");
  if (one === undefined || optimizer === undefined) throw new Error(name);
  const model = net();
  await loadStateDict(model, fixture("training.pt"), { key: `${name}.net` });
  const trainer = minimizer(model, optimizer);
  await loadOptimizerState(trainer, fixture("training.pt"), { key: `${name}.optimizer`, updates: 20 });
  expect(trainer.counts).toEqual({ steps: 20, updates: 20 });
  await expectLosses(model, trainer, one);
});

const keras = JSON.parse(readFileSync(fixture("keras-training.json"), "utf8")) as Readonly<Record<string, Training>>;

const OF_KERAS: Readonly<Record<string, () => Optimizer>> = {
  adam: () => adam({ compat: "keras", lr: 0.01 }),
  adamw: () => adamw({ compat: "keras", lr: 0.01, weightDecay: 0.1 }),
  sgd: () => sgd({ compat: "keras", lr: 0.05, momentum: 0.9 }),
  rmsprop: () => rmsprop({ compat: "keras", lr: 0.003 }),
  adagrad: () => adagrad({ compat: "keras", lr: 0.05 }),
};

test.each(Object.keys(keras))("%s of Keras goes on for fifty steps", async (name) => {
  const one = keras[name];
  const optimizer = OF_KERAS[name]?.();
  if (one === undefined || optimizer === undefined) throw new Error(name);
  const path = fixture(`training-${name}.keras`);
  const { model } = await importKeras(path);
  const trainer = minimizer(model, optimizer);
  await loadOptimizerState(trainer, path);
  expect(trainer.counts).toEqual({ steps: 20, updates: 20 });
  await expectLosses(model, trainer, one);
});

test("another rule, another network and a recurrent layer whose biases are one are refused", async () => {
  const file = fixture("training.pt");
  await expect(loadOptimizerState(minimizer(net(), adam()), file, { key: "sgd.optimizer" })).rejects.toThrow(
    "firstMoment of 'conv2d1.weight'",
  );
  await expect(loadOptimizerState(minimizer(net(), adam()), file)).rejects.toThrow("no optimizer at 'optimizer'");
  const other = sequential(linear(12, 2));
  await expect(loadOptimizerState(minimizer(other, adam()), file, { key: "adam.optimizer" })).rejects.toThrow(
    "2 parameters",
  );
  const recurrent = sequential({ input: [5, 3] }, lstm(3, 4));
  await expect(loadOptimizerState(minimizer(recurrent, adam()), file, { key: "adam.optimizer" })).rejects.toThrow(
    "preset: 'pytorch'",
  );
});

const groups = JSON.parse(readFileSync(fixture("groups.json"), "utf8")) as Readonly<Record<string, Training>>;

/** A network of two layers whose parameters have the same shapes, and an Adam of it. */
async function ofGroups(name: string): Promise<{ readonly model: AnyModel; readonly trainer: Minimizer }> {
  const model = sequential(linear(3, 3), tanh(), linear(3, 3));
  await loadStateDict(model, fixture("groups.pt"), { key: `${name}.net` });
  return { model, trainer: minimizer(model, adam({ compat: "pytorch", lr: 0.01 })) };
}

test.each([
  ["named", undefined],
  ["plain", ["2.weight", "2.bias", "0.weight", "0.bias"]],
])("groups of an optimizer, %s, are not taken by their order", async (name, names) => {
  const told = groups[name];
  if (told === undefined) throw new Error(name);
  const { model, trainer } = await ofGroups(name);
  await loadOptimizerState(trainer, fixture("groups.pt"), { key: `${name}.optimizer`, names });
  const step = program({
    inputs: { x: spec([8, 3]), y: spec([8, 3]) },
    body({ x, y }) {
      const loss = ops.mean(mse()(model.forward(x), y));
      trainer.minimize(loss);
      return { loss };
    },
  });
  const inputs = { x: Float32Array.from(told.x), y: Float32Array.from(told.y) };
  for (const [at, expected] of told.losses.entries()) {
    const { loss } = await step.run(inputs);
    expect(Math.abs((loss.data[0] ?? Number.NaN) - expected), `step ${at + 1}`).toBeLessThan((at + 20) * 2 ** -22);
  }
});

test("groups without names are refused, and names that are others", async () => {
  const load = async (names?: readonly string[]): Promise<void> => {
    const { trainer } = await ofGroups("plain");
    await loadOptimizerState(trainer, fixture("groups.pt"), { key: "plain.optimizer", names });
  };
  await expect(load()).rejects.toThrow("none, of 2 groups");
  await expect(load(["2.weight", "2.bias", "0.weight", "0.weight"])).rejects.toThrow(
    "the names 0.weight, 0.bias, 2.weight, 2.bias",
  );
  await expect(load([])).rejects.toMatchObject({ code: "ERR_OPTION", where: "loadOptimizerState.names" });
});
