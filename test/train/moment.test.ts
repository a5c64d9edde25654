// What looks at a model beside a run gets weights and units of one moment, however late its copy is made.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fit, linear, type Model, mse, sequential, sgd, standardize, tanh } from "carillon";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { native } from "../../lib/binding/native.js";
import { NO_MEANING, NO_OUTPUT_MEANING } from "../../lib/nn/meaning/meaning.js";
import { bitsOf, numbers } from "./synthetic.js";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "carillon-moment-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const ROWS = 16;
const next = numbers(5);
const x = Float32Array.from({ length: 2 * ROWS }, () => 10 + 4 * next());
const data = { x, y: Float32Array.from({ length: ROWS }, (_, row) => 3 * (x[2 * row] ?? 0)) };
const whole = { data, loss: mse(), optimizer: sgd({ lr: 0.01 }), batchSize: ROWS, steps: 3, seed: 2 } as const;
const units = { inputs: standardize(), targets: standardize() } as const;

/** Large enough that an evaluation copies it on a native thread. */
const make = (): Model => sequential(linear(2, 20_000), tanh(), linear(20_000, 1)).initialize(1);
const keyOf = (model: Model): string => `${bitsOf(model)} ${JSON.stringify(model.transforms)}`;

const lossOf = async (model: Model): Promise<number> => (await model.evaluate(data, { loss: mse() })).loss;

/** What bf16 costs, in the units of the data. */
const errorOf = async (model: Model): Promise<number> =>
  (await model.predictor({ weights: "bf16" }).error(data.x)).rootMeanSquare;

/** What the model is at the moments of the run, and a figure of each. */
async function moments(figureOf: (model: Model) => Promise<number>): Promise<Map<string, number>> {
  const known = new Map<string, number>();
  const model = make();
  const look = async (): Promise<void> => {
    known.set(keyOf(model), await figureOf(model.clone()));
  };
  await look();
  await fit(model, { ...whole, ...units, callbacks: [{ name: "look", every: { steps: 1 }, decide: look }] });
  const begun = make();
  begun.changeMeaning({
    ...NO_MEANING,
    inputs: model.meaning.inputs,
    outputs: model.meaning.outputs.map(({ units }) => ({ ...NO_OUTPUT_MEANING, units })),
  });
  known.set(keyOf(begun), await figureOf(begun));
  return known;
}

/** A run of the model, and copies of weights that are made behind its first step only. */
function runWithLateCopies(model: Model) {
  let begin = (): void => undefined;
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const copy = native.slabCopyLater.bind(native);
  const late = vi.spyOn(native, "slabCopyLater").mockImplementation((from, to) => begun.then(() => copy(from, to)));
  const callbacks = [{ name: "begun", every: { steps: 1 }, decide: () => begin() }];
  return { late, run: fit(model, { ...whole, ...units, callbacks }) };
}

test("a file saved, and an evaluation, while a run begins and changes units", async () => {
  const known = await moments(lossOf);
  expect(known.size).toBe(5);
  const model = make();
  const path = join(folder, "model.safetensors");
  const { late, run } = runWithLateCopies(model);
  const [loss] = await Promise.all([lossOf(model), model.save(path), run]);
  expect([...known.keys()]).toContain(keyOf(await make().load(path)));
  expect([...known.values()]).toContain(loss);
  expect(late).toHaveBeenCalledTimes(4); // each again, as units had changed
  late.mockRestore();
});

test("the error of a predictor's form, while a run begins and changes units", async () => {
  const known = await moments(errorOf);
  expect(known.size).toBe(5);
  const model = make();
  const { late, run } = runWithLateCopies(model);
  const [error] = await Promise.all([errorOf(model), run]);
  expect([...known.values()]).toContain(error);
  expect(late).toHaveBeenCalledTimes(2);
  late.mockRestore();
});
