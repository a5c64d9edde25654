// From file to file, and what files hold.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fit, linear, loadModel, mse, relu, sequential, sgd, standardize } from "carillon";
import { convertFile, importKeras, inspectFile, modelToJson, readTensors, stateDict } from "carillon/exchange";
import { afterAll, beforeAll, expect, test } from "vitest";

const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "carillon-exchange-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);

test("a model of Keras becomes one of ours, weights of Keras, a description, a state dict and an archive", async () => {
  const { model } = await importKeras(fixture("chained.keras"));
  expect(await convertFile(fixture("chained.keras"), at("m.safetensors"))).toEqual({
    from: "Keras model",
    to: "Carillon model",
    notes: [],
  });
  expect((await loadModel(at("m.safetensors"))).bytes()).toEqual(model.bytes());
  await convertFile(at("m.safetensors"), at("m.weights.h5"));
  await convertFile(at("m.safetensors"), at("m.json"));
  await convertFile(at("m.weights.h5"), at("again.safetensors"), { model: at("m.json") });
  expect(readFileSync(at("again.safetensors"))).toEqual(readFileSync(at("m.safetensors")));
  await convertFile(at("m.safetensors"), at("torch.safetensors"), { names: "pytorch" });
  expect([...(await readTensors(at("torch.safetensors"))).keys()]).toEqual([...stateDict(model).keys()]);
  await convertFile(at("m.safetensors"), at("m.npz"));
  expect([...(await readTensors(at("m.npz"))).keys()]).toEqual([...model.weights().keys()]);
  await convertFile(fixture("tfjs/dense/model.json"), at("t.safetensors"));
  expect((await loadModel(at("t.safetensors"))).parameters.length).toBe(6);
});

test("weights of PyTorch go into a model, and tensors into other files", async () => {
  const model = sequential(linear(4, 6), relu(), linear(6, 3));
  writeFileSync(at("layers.json"), JSON.stringify(modelToJson(model)));
  await convertFile(fixture("types.safetensors"), at("types.npz"));
  expect((await inspectFile(at("types.npz"))).tensors.length).toBeGreaterThan(15);
  await expect(
    convertFile(fixture("pytorch.pt"), at("x.safetensors"), { model: at("layers.json"), key: "mlp" }),
  ).rejects.toThrow("1.num_batches_tracked");
  await expect(convertFile(at("layers.json"), at("x.bin"))).rejects.toThrow("a path that ends in .safetensors");
  await expect(convertFile(fixture("types.pt"), at("x.safetensors"), { model: fixture("types.pt") })).rejects.toThrow(
    "tensors alone",
  );
});

test("of a model with units it is said that weights alone have none", async () => {
  const model = sequential(linear(2, 1));
  const data = {
    x: [
      [1, 20],
      [2, 10],
    ],
    y: [3, 4],
  };
  await fit(model, { data, loss: mse(), optimizer: sgd({ lr: 0.1 }), inputs: standardize(), epochs: 1 });
  await model.save(at("units.safetensors"));
  const told = async (to: string, names?: "pytorch"): Promise<string> =>
    (await convertFile(at("units.safetensors"), at(to), { names })).to;
  for (const to of ["units.weights.h5", "units.npz"]) expect(await told(to)).toContain("without the units of its data");
  expect(await told("torch.safetensors", "pytorch")).toContain("without the units of its data");
  for (const to of ["own.safetensors", "own.onnx"]) expect(await told(to)).not.toContain("units");
  await convertFile(fixture("chained.keras"), at("chained.safetensors"));
  expect((await convertFile(at("chained.safetensors"), at("chained.npz"))).to).toBe("NumPy archive");
});

test("what a file holds is told without reading its tensors", async () => {
  const keras = await inspectFile(fixture("dense.keras"));
  expect(keras).toMatchObject({
    format: "Keras model",
    elements: 75,
    facts: { keras_version: expect.stringMatching(/^3\./) },
  });
  expect(keras.summary).toContain("batch_normalization");
  expect((await inspectFile(fixture("dense.weights.h5"))).tensors.length).toBe(8);
  expect(await inspectFile(fixture("tfjs/hard/model.json"))).toMatchObject({
    format: "TensorFlow.js",
    refused: expect.stringContaining("recurrent_activation"),
  });
  expect((await inspectFile(fixture("types.pt"))).facts).toMatchObject({ epoch: 3, note: "é" });
  writeFileSync(at("other.json"), "[]");
  await expect(inspectFile(at("other.json"))).rejects.toThrow("other JSON");
});

test("a chain leaves as ONNX and comes back; a graph keeps its weights, and is told to have no form", async () => {
  const model = sequential(linear(3, 4), relu(), linear(4, 2)).initialize(5);
  await model.save(at("chain.safetensors"));
  expect(await convertFile(at("chain.safetensors"), at("chain.onnx"))).toMatchObject({ to: "ONNX model", notes: [] });
  expect(await convertFile(at("chain.onnx"), at("chain-again.safetensors"))).toMatchObject({ to: "Carillon model" });
  const again = await loadModel(at("chain-again.safetensors"));
  const x = [[0.5, -1, 2]];
  expect([...(await again.predict(x)).data]).toEqual([...(await model.predict(x)).data]);
  const { format, tensors, elements, facts, summary } = await inspectFile(at("chain.onnx"));
  expect([format, elements, tensors.length]).toEqual(["ONNX model", 26, 4]);
  expect(facts).toMatchObject({ opset: "20", inputs: "x: float [batch, 3]", outputs: "y: float [batch, 2]" });
  expect(summary).toContain("linear2");
  const graph = fixture("../onnx/fixtures/pytorch/resnet_old.onnx");
  expect((await convertFile(graph, at("graph.safetensors"))).to).toContain("build it");
  expect((await inspectFile(graph)).facts).toMatchObject({ producer: expect.stringContaining("pytorch") });
});
