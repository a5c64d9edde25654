// What exportOnnx writes. Files of 240 architectures are those that onnx.checker and ONNX Runtime have taken, byte for byte (check_architectures.py), and the runtime's
// answers to some of them stand beside.
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exportOnnx, importOnnx } from "../../../lib/exchange/index.js";
import { decodeModel } from "../../../lib/exchange/onnx/decode.js";
import { onnxRules } from "../../../lib/exchange/onnx/rules/index.js";
import { loadWire } from "../../../lib/exchange/onnx/wire.js";
import {
  adam,
  crossEntropy,
  fit,
  linear,
  network,
  ops,
  relu,
  sequential,
  softmax,
  spec,
  standardize,
  tensor,
} from "../../../lib/index.js";
import { rules } from "../../../lib/ops/rules.js";
import { answersOf } from "./answers.js";
import { ARCHITECTURES, architecture, Draws, drawnInput } from "./architectures.js";

interface Fixture {
  readonly architectures: readonly { readonly sha256: string; readonly outputs?: readonly (readonly number[])[] }[];
}

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "carillon-onnx-"));
});
afterAll(async () => await rm(folder, { recursive: true, force: true }));

const fixtureOf = async (): Promise<Fixture> =>
  JSON.parse(await readFile(new URL("./fixtures/architectures.json", import.meta.url), "utf8")) as Fixture;

/** A file as it was read. */
const fileAt = async (path: string) => decodeModel(await loadWire(), await readFile(path), path);

test("every operation has a form in ONNX, or a reason why it has none", () => {
  expect(Object.keys(onnxRules).sort()).toEqual(Object.keys(rules).sort());
  const without = Object.entries(onnxRules).filter(([, rule]) => typeof rule !== "function");
  for (const [, rule] of without) expect(Reflect.get(rule, "without")).toMatch(/^it (?:stands|looks) /);
  expect(
    without
      .map(([name]) => name)
      .filter((name) => !/Gradient|Slope$/.test(name))
      .sort(),
  ).toEqual(
    [
      ...["candidates", "columnNorm", "convWeight", "dropout", "inBatch", "noise", "scheduleValue"],
      "softmaxCrossEntropy",
    ].sort(),
  );
});

describe("architectures", () => {
  test("files are those that the checker and the runtime have taken", { timeout: 60_000 }, async () => {
    const { architectures } = await fixtureOf();
    expect(architectures.length).toBe(ARCHITECTURES);
    const different: string[] = [];
    for (const [number, { sha256, outputs }] of architectures.entries()) {
      const made = architecture(number);
      const path = join(folder, "model.onnx");
      await exportOnnx(made.model, path);
      const own = createHash("sha256")
        .update(await readFile(path))
        .digest("hex")
        .slice(0, 16);
      if (own !== sha256) different.push(`${number} (${made.name})`);
      if (outputs === undefined) continue;
      const draws = new Draws(1000 * number + 2);
      const rows = made.inputs.map((_, at) => drawnInput(draws, made, at, 2).rows);
      for (const [at, { data }] of answersOf(made.model, rows).entries()) {
        const most = data.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-3);
        for (const [place, value] of (outputs[at] ?? []).entries())
          expect(Math.abs((data[place] ?? 0) - value)).toBeLessThanOrEqual(1e-5 * most);
      }
    }
    expect(different).toEqual([]);
  });
});

test("units and classes are in the file", async () => {
  const model = sequential(linear(2, 4), relu(), linear(4, 3));
  const x = [
    [10, 200],
    [20, 100],
    [30, 300],
    [15, 250],
  ];
  await fit(model, {
    data: { x, y: ["a", "b", "c", "a"] },
    loss: crossEntropy(),
    epochs: 2,
    optimizer: adam(),
    inputs: standardize(),
    seed: 1,
  });
  const path = join(folder, "classes.onnx");
  const exported = await exportOnnx(model, path);
  expect(exported).toMatchObject({ opset: 20, inputs: ["x"], outputs: ["y", "probabilities"], externalBytes: 0 });
  const file = await fileAt(path);
  expect(JSON.parse(file.metadata.get("classes") ?? "")).toEqual(["a", "b", "c"]);
  expect(file.graph.nodes.map(({ operator }) => operator)).toEqual([
    "Cast",
    "Sub",
    "Div",
    "Cast",
    "Gemm",
    "Relu",
    "Gemm",
    "Softmax",
  ]);
  expect((await exportOnnx(model, path, { probabilities: false })).outputs).toEqual(["y"]);
});

test("norms are folded into the product before them, dropout is gone, and names are those of the model", async () => {
  const made = architecture(15);
  const path = join(folder, "folded.onnx");
  await exportOnnx(made.model, path);
  const { graph } = await fileAt(path);
  expect(graph.nodes.map(({ operator }) => operator)).toContain("Conv");
  expect(graph.nodes.map(({ operator }) => operator)).not.toContain("BatchNormalization");
  expect([...graph.initializers.keys()]).toEqual(
    expect.arrayContaining(["conv2d1.weight", "linear1.weight", "linear2.bias"]),
  );
});

test("weights beside the model come back", async () => {
  const model = sequential(linear(64, 32), relu(), linear(32, 4)).initialize(3);
  const path = join(folder, "beside.onnx");
  const { externalBytes } = await exportOnnx(model, path, { externalData: true });
  expect(externalBytes).toBe(64 * 32 * 4);
  const again = await importOnnx(path);
  const rows = tensor(
    Float32Array.from({ length: 128 }, (_, at) => Math.fround(at / 64 - 1)),
    [2, 64],
  );
  expect(answersOf(again, [rows])[0]?.data).toEqual(answersOf(model, [rows])[0]?.data);
});

test("an operation without a form is refused by its layer", async () => {
  const model = network({
    inputs: { x: spec(["batch", 3]) },
    layers: { head: linear(3, 3) },
    forward: ({ x }, { head }) => ops.batchNorm(head(x)).y,
  });
  await expect(exportOnnx(model, join(folder, "none.onnx"))).rejects.toThrow(
    "expected operations that ONNX has for 'exportOnnx' but received the network's 'columnNorm': it looks at the other rows",
  );
  await expect(exportOnnx(sequential(linear(1, 1), softmax()), "")).rejects.toThrow("exportOnnx.path");
});
