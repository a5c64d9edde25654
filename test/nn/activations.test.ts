import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as carillon from "carillon";
import { type Layer, linear, loadModel, ops, sequential, type Tensor, tensor } from "carillon";
import { afterAll, describe, expect, test } from "vitest";
import { activationLayers } from "../../lib/nn/kinds/layers.js";

/** Each layer, and the operation that it must be. */
const LAYERS: Readonly<Record<string, readonly [layer: Layer<number, "same">, operation: (x: Tensor) => Tensor]>> = {
  relu: [carillon.relu(), ops.relu],
  relu6: [carillon.relu6(), ops.relu6],
  tanh: [carillon.tanh(), ops.tanh],
  sigmoid: [carillon.sigmoid(), ops.sigmoid],
  softplus: [carillon.softplus(), ops.softplus],
  silu: [carillon.silu(), ops.silu],
  mish: [carillon.mish(), ops.mish],
  selu: [carillon.selu(), ops.selu],
  hardTanh: [carillon.hardTanh(), ops.hardTanh],
  hardSigmoid: [carillon.hardSigmoid(), ops.hardSigmoid],
  hardSilu: [carillon.hardSilu(), ops.hardSilu],
  softmax: [carillon.softmax(), ops.softmax],
  logSoftmax: [carillon.logSoftmax(), ops.logSoftmax],
  leakyRelu: [carillon.leakyRelu(), (x) => ops.leakyRelu(x, 0.01)],
  "leakyRelu, slope 0": [carillon.leakyRelu({ slope: 0 }), (x) => ops.leakyRelu(x, 0)],
  "leakyRelu, slope 0.3": [carillon.leakyRelu({ slope: 0.3 }), (x) => ops.leakyRelu(x, 0.3)],
  elu: [carillon.elu(), (x) => ops.elu(x, 1)],
  "elu, alpha 0.5": [carillon.elu({ alpha: 0.5 }), (x) => ops.elu(x, 0.5)],
  gelu: [carillon.gelu(), (x) => ops.gelu(x)],
  "gelu, tanh": [carillon.gelu({ approximate: "tanh" }), (x) => ops.gelu(x, { approximate: "tanh" })],
};

const x = tensor([
  [-9, -3, -1, -0.25, 0, 0.25],
  [0.5, 1, 2.5, 3, 6, 20],
]);

const folder = mkdtempSync(join(tmpdir(), "carillon-activations-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("every activation stands here", () => {
  const here = Object.keys(LAYERS).map((name) => name.split(",")[0]);
  expect([...new Set(here)].sort()).toEqual(Object.keys(activationLayers).sort());
});

describe.each(Object.entries(LAYERS))("%s", (name, [layer, operation]) => {
  /** The identity before it: a layer with a size. */
  const model = () => sequential(linear(6, 6, { init: carillon.identity() }), layer).initialize(0);

  test("is the operation, for any number of features", async () => {
    expect(layer.outputs).toBe("same");
    expect(layer.kind).toBe(name.split(",")[0]);
    const { data } = await model().predict(x);
    expect(data).toEqual(operation(x).data);
  });

  test("comes back from a file", async () => {
    const path = join(folder, `${name}.safetensors`);
    await model().save(path);
    const loaded = await loadModel(path);
    expect(loaded.layers[1]).toMatchObject({ kind: layer.kind, config: layer.config });
    expect((await loaded.predict(x)).data).toEqual(operation(x).data);
  });
});

test.each<[string, () => unknown, string, string]>([
  ["a slope that is no number", () => carillon.leakyRelu({ slope: Number.NaN }), "ERR_OPTION", "leakyRelu.slope"],
  ["a bare slope", () => carillon.leakyRelu(0.1 as never), "ERR_OPTION", "leakyRelu"],
  ["alpha 0", () => carillon.elu({ alpha: 0 }), "ERR_OPTION", "elu.alpha"],
  ["another form", () => carillon.gelu({ approximate: "sigmoid" as never }), "ERR_OPTION", "gelu.approximate"],
  ["an unknown option", () => carillon.gelu({ approx: "tanh" } as never), "ERR_UNKNOWN_OPTION", "gelu.approx"],
  ["an operation's unknown option", () => ops.gelu(x, { tanh: true } as never), "ERR_UNKNOWN_OPTION", "gelu.tanh"],
])("refuses %s", (_, make, code, where) => {
  expect(make).toThrow(expect.objectContaining({ code, where }));
});

test("clip keeps what is within, and its gradient", () => {
  const value = tensor([-2, -1, 0.5, 1, 2]);
  expect([...ops.clip(value, -1, 1).data]).toEqual([-1, -1, 0.5, 1, 1]);
  const [gradient] = carillon.grad((v) => ops.sum(ops.clip(v ?? value, -1, 1)))(value);
  expect([...gradient.data]).toEqual([0, 1, 1, 1, 0]);
  expect([...ops.clip(tensor([Number.NaN]), 0, 1).data]).toEqual([Number.NaN]);
});
