// Models that Keras 3.15 has written, and their answers there (make_keras_fixture.py).
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type AnyModel,
  attention,
  batchNorm,
  conv1d,
  conv2d,
  convTransposed2d,
  embedding,
  fit,
  flatten,
  groupNorm,
  gru,
  layerNorm,
  linear,
  loadModel,
  lstm,
  mse,
  relu,
  rmsNorm,
  rnn,
  sequential,
  sgd,
  spec,
  transformerBlock,
} from "carillon";
import { importKeras, kerasNameMap, loadKerasWeights, saveKerasWeights } from "carillon/exchange";
import { afterAll, beforeAll, expect, test } from "vitest";

const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

interface Told {
  readonly x: Readonly<Record<string, readonly number[]>>;
  readonly y: readonly number[];
}

const told = JSON.parse(readFileSync(fixture("keras.json"), "utf8")) as Readonly<Record<string, Told>>;

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "carillon-exchange-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bits = (model: AnyModel): string => Buffer.from(model.bytes()).toString("hex");

/** Rows as the model takes them: of several inputs by name. */
function inputsOf(name: string): unknown {
  const values = Object.entries(told[name]?.x ?? {});
  const typed = values.map(([input, x]) => {
    return [input, name === "words" ? Int32Array.from(x) : Float32Array.from(x)] as const;
  });
  return name === "functional" || name === "looks" ? Object.fromEntries(typed) : typed[0]?.[1];
}

test.each(Object.keys(told))("%s.keras gives the answers of Keras", async (name) => {
  const verify = { inputs: inputsOf(name), outputs: told[name]?.y ?? [], tolerance: 2e-6 };
  const { model, notes } = await importKeras(fixture(`${name}.keras`), { verify });
  expect(notes).toEqual(name === "dense" ? ["dense_1.kernel_regularizer"] : []);
  expect(model.parameters.length).toBeGreaterThan(1);
});

// A gate whose axes of 1 are repeated makes an image of an image; the activation of `dense` is not `dense_1`.
test.each(["gated", "first-names", "first-names-apart"])("%s.keras, with the names of a new session", async (name) => {
  const names = JSON.parse(readFileSync(fixture("keras-names.json"), "utf8")) as Record<
    string,
    Record<"x" | "y", number[]>
  >;
  const x = Float32Array.from(names[name]?.x ?? []);
  const verify = { inputs: name === "first-names" ? x : { x }, outputs: names[name]?.y ?? [], tolerance: 2e-6 };
  await expect(importKeras(fixture(`${name}.keras`), { verify })).resolves.toMatchObject({ notes: [] });
});

test("a norm that was called with training: true, which goes by its batch in Keras' answers too, is refused", async () => {
  await expect(importKeras(fixture("by-batch.keras"))).rejects.toThrow(/norm.*training/);
});

test("a chain is kept by its file, and goes on to be trained", async () => {
  for (const name of ["chained", "nested"]) {
    const { model } = await importKeras(fixture(`${name}.keras`));
    const loaded = await loadModel(model.bytes());
    const [a, b] = [model, loaded].map((one) => one.predictSync(inputsOf(name) as never));
    expect(Reflect.get(Object(a), "data")).toEqual(Reflect.get(Object(b), "data"));
    const data = { x: Float32Array.from({ length: 32 }, (_, at) => Math.sin(at)), y: new Float32Array(16) };
    const { history } = await fit(loaded, { data, loss: mse(), optimizer: sgd({ lr: 0.05 }), epochs: 5 } as never);
    expect(history.at(-1)?.loss).toBeLessThan(history[0]?.loss ?? 0);
  }
});

test.each(["dense", "lstm"])("%s.weights.h5 has the weights of the model", async (name) => {
  const { model } = await importKeras(fixture(`${name}.keras`));
  const [before, other] = [bits(model), (await importKeras(fixture(`${name}.keras`))).model];
  other.initialize(3);
  await loadKerasWeights(other, fixture(`${name}.weights.h5`));
  expect(bits(other)).toBe(before);
});

const MODELS: Readonly<Record<string, () => AnyModel>> = {
  "layers of rows": () =>
    sequential(linear(4, 6), batchNorm(6), relu(), layerNorm(6), rmsNorm(6), linear(6, 2, { bias: false })),
  images: () =>
    sequential(
      { input: [6, 6, 2] },
      conv2d(2, 4, { kernel: 3 }),
      groupNorm(4, 2),
      convTransposed2d(4, 3, { kernel: 2 }),
      flatten(),
      linear(75, 2),
    ),
  series: () => sequential({ input: [5, 3] }, conv1d(3, 4, { kernel: 2 }), lstm(4, 3, { sequences: true }), rnn(3, 2)),
  "gates of Keras": () => sequential({ input: [5, 3] }, gru(3, 4, { preset: "keras" })),
  "gates of ours": () => sequential({ input: [5, 3] }, gru(3, 4)),
  "a gate in front": () => sequential({ input: [5, 3] }, gru(3, 4, { resetAfter: false })),
  "both directions": () => sequential({ input: [5, 3] }, lstm(3, 4, { bidirectional: true, preset: "keras" })),
  attention: () => sequential({ input: [5, 8] }, attention(8, 2)),
  words: () => sequential({ input: spec(["batch", 4], "i32") }, embedding(9, 3), flatten(), linear(12, 2)),
};

test.each(Object.keys(MODELS))("%s: there and back has the same bits", async (name) => {
  const [model, other] = [MODELS[name]?.(), MODELS[name]?.()];
  if (model === undefined || other === undefined) throw new Error(name);
  model.initialize(4);
  const path = join(folder, "model.weights.h5");
  await saveKerasWeights(model, path);
  await loadKerasWeights(other, path);
  expect(bits(other)).toBe(bits(model));
});

test("a name map is a table", () => {
  const map = kerasNameMap(
    sequential({ input: [5, 3] }, gru(3, 4, { preset: "keras" }), linear(4, 8), relu(), linear(8, 2)),
  );
  expect(map.pairs.map(({ theirs, shape }) => [theirs, shape])).toEqual([
    ["layers/gru/cell/vars/0", [3, 12]],
    ["layers/gru/cell/vars/1", [4, 12]],
    ["layers/gru/cell/vars/2", [2, 12]],
    ["layers/dense/vars/0", [4, 8]],
    ["layers/dense/vars/1", [8]],
    ["layers/dense_1/vars/0", [8, 2]],
    ["layers/dense_1/vars/1", [2]],
  ]);
});

test("what does not fit, or has no counterpart, is refused by its name", async () => {
  const path = fixture("dense.weights.h5");
  await expect(loadKerasWeights(sequential(linear(4, 6)), path)).rejects.toThrow("the variables of the model alone");
  await expect(loadKerasWeights(sequential(linear(4, 5), linear(5, 3)), path)).rejects.toThrow("[4, 5]");
  await expect(loadKerasWeights(sequential({ input: [5, 3] }, lstm(3, 4)), path)).rejects.toThrow(
    "layers/lstm/cell/vars/0",
  );
  expect(() => kerasNameMap(sequential({ input: [5, 8] }, transformerBlock(8, 2)))).toThrow(
    "attention, layerNorm and linear",
  );
  expect(() => kerasNameMap(sequential({ input: [5, 3] }, lstm(3, 4, { preset: "pytorch" })))).toThrow(
    "preset: 'keras'",
  );
  await expect(saveKerasWeights(sequential(linear(1, 1)).initialize(1), join(folder, "w.h5"))).rejects.toThrow(
    ".weights.h5",
  );
});
