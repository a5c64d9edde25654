// A network that was trained in PyTorch for twenty steps goes on here for fifty: losses beside those of PyTorch in float64 (make_pytorch_fixture.py).
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  adagrad,
  adam,
  adamw,
  amsgrad,
  conv2d,
  flatten,
  linear,
  lstm,
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
import { loadOptimizerState, loadStateDict } from "carillon/exchange";
import { expect, test } from "vitest";

const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

interface Training {
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly losses: readonly number[];
}

const told = JSON.parse(readFileSync(fixture("training.json"), "utf8")) as Readonly<Record<string, Training>>;

const OPTIMIZERS: Readonly<Record<string, () => Optimizer>> = {
  adam: () => adam({ compat: "pytorch", lr: 0.01 }),
  adamw: () => adamw({ compat: "pytorch", lr: 0.01, weightDecay: 0.1 }),
  sgd: () => sgd({ compat: "pytorch", lr: 0.05, momentum: 0.9 }),
  rmsprop: () => rmsprop({ compat: "pytorch", lr: 0.003, momentum: 0.5, centered: true }),
  adagrad: () => adagrad({ compat: "pytorch", lr: 0.05 }),
  amsgrad: () => amsgrad({ compat: "pytorch", lr: 0.01 }),
};

const net = () => sequential({ input: [4, 4, 1] }, conv2d(1, 3, { kernel: 3 }), tanh(), flatten(), linear(12, 2));

test.each(Object.keys(told))("%s goes on for fifty steps", async (name) => {
  const one = told[name];
  const optimizer = OPTIMIZERS[name]?.();
  if (one === undefined || optimizer === undefined) throw new Error(name);
  const model = net();
  await loadStateDict(model, fixture("training.pt"), { key: `${name}.net` });
  const trainer = minimizer(model, optimizer);
  await loadOptimizerState(trainer, fixture("training.pt"), { key: `${name}.optimizer`, updates: 20 });
  expect(trainer.counts).toEqual({ steps: 20, updates: 20 });
  const step = program({
    inputs: { x: spec([8, 4, 4, 1]), y: spec([8, 2]) },
    body({ x, y }) {
      const loss = ops.mean(mse()(model.forward(x), y));
      trainer.minimize(loss);
      return { loss };
    },
  });
  const inputs = { x: Float32Array.from(one.x), y: Float32Array.from(one.y) };
  for (const [at, expected] of one.losses.entries()) {
    const { loss } = await step.run(inputs);
    // Rounding of 2⁻²⁴ a step in weights of about 1, which gradients pass on.
    expect(Math.abs((loss.data[0] ?? Number.NaN) - expected), `step ${at + 1}`).toBeLessThan((at + 20) * 2 ** -22);
  }
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
