// What importOnnx makes of files: of those that exportOnnx writes, of nodes made by hand, and of those that PyTorch has written (make_onnx_fixture.py).
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exportOnnx, importOnnx } from "../../../lib/exchange/index.js";
import { float, integer, text, texts } from "../../../lib/exchange/onnx/encode.js";
import { type AnyModel, batchNorm, conv2d, flatten, linear, relu, sequential, tensor } from "../../../lib/index.js";
import { answersOf } from "./answers.js";
import { ARCHITECTURES, architecture, Draws, drawnInput } from "./architectures.js";
import { fileOf, floats, node, numbered, sizes, weight } from "./files.js";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "carillon-onnx-import-"));
});
afterAll(async () => await rm(folder, { recursive: true, force: true }));

/** The first output of a model for rows of one input. */
function answer(model: AnyModel, data: Float32Array | Int32Array, shape: readonly number[]): readonly number[] {
  return Array.from(answersOf(model, [{ data, shape }])[0]?.data ?? []);
}

/** Kinds of the layers of a model. */
const kindsOf = (model: AnyModel): readonly string[] => model.layers.map(({ kind }) => kind);

describe("there and back", () => {
  /** Families that layers are made of again; others have operations whose form no layer takes. */
  const FAMILIES = ["dense", "images", "series", "recurrent", "shapes", "table"];

  test("architectures answer as before", { timeout: 60_000 }, async () => {
    const problems: string[] = [];
    let found = 0;
    for (let number = 0; number < ARCHITECTURES; number++) {
      const made = architecture(number);
      if (!FAMILIES.includes(made.name) || made.inputs.some(({ kind }) => kind === "u8")) continue;
      const path = join(folder, "there.onnx");
      await exportOnnx(made.model, path, { probabilities: false });
      try {
        const again = await importOnnx(path);
        const draws = new Draws(number);
        const rows = made.inputs.map((_, at) => drawnInput(draws, made, at, 3).rows);
        const [own, theirs] = [answersOf(made.model, rows)[0], answersOf(again, rows)[0]];
        const most = own?.data.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-3) ?? 0;
        const off =
          own?.data.reduce(
            (largest, value, at) => Math.max(largest, Math.abs(value - (theirs?.data[at] ?? Number.NaN))),
            0,
          ) ?? 1;
        if (!(off <= 1e-5 * most)) problems.push(`${number} (${made.name}): off by ${off / most}`);
        found += 1;
      } catch (error) {
        const isTold = /no layer is made of it$|numbers that are repeated$/.test(String(error));
        if (!isTold) problems.push(`${number} (${made.name}): ${String(error)}`);
      }
    }
    expect(problems).toEqual([]);
    expect(found).toBeGreaterThan(100);
  });
});

describe("files of PyTorch", () => {
  interface Told {
    readonly file: string;
    readonly dtype: "f32" | "i32";
    readonly shape: readonly number[];
    readonly x: readonly number[];
    readonly y: readonly number[];
  }

  /** [batch, …places, channels] of [batch, channels, …places]. */
  function channelsLast(data: readonly number[], [batch = 1, channels = 1, ...rest]: readonly number[]): Float32Array {
    const places = rest.reduce((product, size) => product * size, 1);
    return Float32Array.from({ length: batch * channels * places }, (_, at) => {
      const [row, place, channel] = [
        Math.floor(at / (channels * places)),
        Math.floor(at / channels) % places,
        at % channels,
      ];
      return data[(row * channels + channel) * places + place] ?? 0;
    });
  }

  const KINDS: Readonly<Record<string, string>> = {
    "lenet_training.onnx": "conv2d relu maxPool2d conv2d tanh averagePool2d flatten linear relu dropout linear softmax",
    // Its exporter folds the norm, and writes the rest of the weights anew.
    "normed_new.onnx": "linear gelu linear layerNorm silu linear",
    "series_new.onnx": "conv1d elu maxPool1d flatten linear",
  };

  test("they answer as there", async () => {
    const fixtures = new URL("./fixtures/pytorch/", import.meta.url);
    const told = JSON.parse(await readFile(new URL("pytorch.json", fixtures), "utf8")) as readonly Told[];
    expect(told.length).toBe(8);
    for (const { file, dtype, shape, x, y } of told) {
      const model = await importOnnx(fileURLToPath(new URL(file, fixtures)));
      if (file in KINDS) expect(kindsOf(model).join(" ")).toBe(KINDS[file]);
      const [row, made] = [model.rows.inputs[0]?.shape ?? [], model.rows.outputs[0]?.shape ?? []];
      const isTurned = row.some((size, at) => size !== shape[at + 1]);
      const data = dtype === "i32" ? Int32Array.from(x) : isTurned ? channelsLast(x, shape) : Float32Array.from(x);
      const [height, width, channels] = made;
      const expected = made.length === 3 ? channelsLast(y, [shape[0] ?? 1, channels ?? 1, height ?? 1, width ?? 1]) : y;
      const found = answer(model, data, [shape[0] ?? 1, ...row]);
      expect(found.length).toBe(y.length);
      for (const [at, value] of found.entries()) expect(Math.abs(value - (expected[at] ?? 0)), file).toBeLessThan(1e-6);
    }
  });
});

describe("traps", () => {
  const x = [floats("x", ["n", 3])];
  const y = [floats("y", ["n", 2])];

  test("a dropout of training is a layer, which answers as if it were not there", async () => {
    const bytes = await fileOf({
      inputs: x,
      outputs: y,
      tensors: [
        weight("w", [2, 3]),
        weight("ratio", [], Float32Array.of(0.25)),
        weight("training", [], Uint8Array.of(1), "bool"),
      ],
      nodes: [
        node("Gemm", ["x", "w"], ["h"], { transB: integer(1) }),
        node("Dropout", ["h", "ratio", "training"], ["y", "mask"]),
      ],
    });
    const model = await importOnnx(bytes);
    expect(kindsOf(model)).toEqual(["linear", "dropout"]);
    expect(answer(model, Float32Array.of(1, 0, 0), [1, 3])).toEqual([numbered([6])[0], numbered([6])[3]]);
  });

  test("integers of 64 bits are those of 32", async () => {
    const bytes = await fileOf({
      inputs: [{ name: "ids", elements: "int64", sizes: ["n", 2] }],
      outputs: [floats("y", ["n", 2, 3])],
      tensors: [weight("table", [4, 3])],
      nodes: [node("Gather", ["table", "ids"], ["y"])],
    });
    const model = await importOnnx(bytes);
    expect(model.rows.inputs).toMatchObject([{ name: "x", shape: [2], dtype: "i32" }]);
    expect(answer(model, Int32Array.of(3, 0), [1, 2])).toEqual([
      ...numbered([12]).slice(9),
      ...numbered([12]).slice(0, 3),
    ]);
  });

  test("what PyTorch flattens channels first, layers take channels last", async () => {
    const bytes = await fileOf({
      inputs: [floats("x", [1, 2, 3, 2])],
      outputs: y,
      tensors: [weight("k", [2, 2, 1, 1]), weight("w", [2, 12])],
      nodes: [
        node("Conv", ["x", "k"], ["c"]),
        node("Flatten", ["c"], ["f"]),
        node("Gemm", ["f", "w"], ["y"], { transB: integer(1) }),
      ],
    });
    const model = await importOnnx(bytes);
    expect(kindsOf(model)).toEqual(["conv2d", "flatten", "linear"]);
    expect(model.rows.inputs[0]?.shape).toEqual([3, 2, 2]);
    const [kernel, w] = [numbered([2, 2]), numbered([2, 12])];
    // Channels first: x[c, i, j]; ours: x[i, j, c].
    const first = Float32Array.from({ length: 12 }, (_, at) => at / 4 - 1);
    const last = Float32Array.from({ length: 12 }, (_, at) => first[(at % 2) * 6 + Math.floor(at / 2)] ?? 0);
    const seen = Array.from({ length: 12 }, (_, at) => {
      const [output, place] = [Math.floor(at / 6), at % 6];
      return [0, 1].reduce(
        (sum, channel) => sum + (kernel[2 * output + channel] ?? 0) * (first[6 * channel + place] ?? 0),
        0,
      );
    });
    const expected = [0, 1].map((output) =>
      seen.reduce((sum, value, at) => sum + value * (w[12 * output + at] ?? 0), 0),
    );
    for (const [at, value] of answer(model, last, [1, 3, 2, 2]).entries())
      expect(value).toBeCloseTo(expected[at] ?? 0, 5);
  });

  test("axes that are turned and put together stand as in the file", async () => {
    const bytes = await fileOf({
      inputs: [floats("x", ["n", 4, 2, 3])],
      outputs: [floats("y", ["n", 1, 4, 6])],
      tensors: [sizes("apart", [-1, 1, 2, 2, 2, 3]), sizes("together", [-1, 1, 4, 6])],
      nodes: [
        node("Reshape", ["x", "apart"], ["a"]),
        node("Transpose", ["a"], ["b"], { perm: { integers: [0, 1, 4, 2, 5, 3] } }),
        node("Reshape", ["b", "together"], ["y"]),
      ],
    });
    const model = await importOnnx(bytes);
    const found = answer(
      model,
      Float32Array.from({ length: 24 }, (_, at) => at),
      [1, 4, 2, 3],
    );
    // Pixels of 2 × 2 channels: y[2i + r, 2j + c] = x[2r + c, i, j].
    const expected = Array.from({ length: 24 }, (_, at) => {
      const [row, column] = [Math.floor(at / 6), at % 6];
      return (2 * (row % 2) + (column % 2)) * 6 + Math.floor(row / 2) * 3 + Math.floor(column / 2);
    });
    expect(model.rows.outputs[0]?.shape).toEqual([1, 4, 6]);
    expect(found).toEqual(expected);
  });

  test("batch norm has the file's epsilon, and what is kept of running figures", async () => {
    const bytes = await fileOf({
      inputs: [floats("x", ["n", 2])],
      outputs: [floats("y", ["n", 2])],
      tensors: ["scale", "shift", "mean", "variance"].map((name, at) =>
        weight(name, [2], Float32Array.of(1 + at, 2 - at / 2)),
      ),
      nodes: [
        node("BatchNormalization", ["x", "scale", "shift", "mean", "variance"], ["y"], {
          epsilon: float(0.5),
          momentum: float(0.75),
        }),
      ],
    });
    const model = await importOnnx(bytes);
    expect(model.layers[0]?.config).toMatchObject({ epsilon: 0.5, keep: 0.75 });
    const [first = 0] = answer(model, Float32Array.of(4, 1), [1, 2]);
    expect(first).toBeCloseTo((4 - 3) / Math.sqrt(4 + 0.5) + 2, 5);
  });

  test("halves, doubles and bfloat16 become floats", async () => {
    const half = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x3555, 0x7bff, 0x8000);
    const bfloat = Uint16Array.of(0x3f80, 0xc000, 0x3eab, 0x4049, 0x0000, 0x3f00);
    const double = Float64Array.of(1, -2, 0.1, 3, 0, 0.5);
    const found: number[][] = [];
    for (const [elements, data] of [
      ["float16", half],
      ["bfloat16", bfloat],
      ["double", double],
    ] as const) {
      const bytes = await fileOf({
        inputs: x,
        outputs: y,
        tensors: [weight("w", [2, 3], data, elements)],
        nodes: [node("Gemm", ["x", "w"], ["y"], { transB: integer(1) })],
      });
      found.push(Array.from((await importOnnx(bytes)).weights().get("linear1.weight")?.data ?? []));
    }
    expect(found).toEqual([
      [1, -2, 2 ** -24, 0.333251953125, 65504, -0],
      [1, -2, 0.333984375, 3.140625, 0, 0.5],
      [1, -2, Math.fround(0.1), 3, 0, 0.5],
    ]);
  });

  test.each([0, 1])("a GRU with linear_before_reset %i is the layer of that form", async (after) => {
    const [hidden, inputs] = [2, 3];
    const bytes = await fileOf({
      inputs: [floats("x", [4, "n", inputs])],
      outputs: [floats("h", [1, "n", hidden])],
      tensors: [weight("w", [1, 6, inputs]), weight("r", [1, 6, hidden]), weight("b", [1, 12])],
      nodes: [
        node("GRU", ["x", "w", "r", "b"], ["", "h"], {
          hidden_size: integer(hidden),
          linear_before_reset: integer(after),
        }),
      ],
    });
    const model = await importOnnx(bytes);
    expect(kindsOf(model)).toContain("gru");
    const given = Float32Array.from({ length: 12 }, (_, at) => Math.sin(at));
    const expected = gruOf(given, numbered([6, inputs]), numbered([6, hidden]), numbered([12]), after === 1);
    const found = answer(model, given, [1, 4, inputs]);
    for (const [at, value] of expected.entries()) expect(found[at]).toBeCloseTo(value, 5);
  });
});

/** A GRU as ONNX has it, gates z, r, h, in double: the last state over four steps of three features. */
function gruOf(
  x: Float32Array,
  w: Float32Array,
  r: Float32Array,
  b: Float32Array,
  isAfter: boolean,
): readonly number[] {
  const sigma = (value: number): number => 1 / (1 + Math.exp(-value));
  const row = (m: Float32Array, at: number, v: readonly number[]): number =>
    v.reduce((sum, value, k) => sum + value * (m[at * v.length + k] ?? 0), 0);
  let h = [0, 0];
  for (let step = 0; step < 4; step++) {
    const own = Array.from(x.slice(3 * step, 3 * step + 3));
    const gate = (k: number, j: number): number => row(w, 2 * k + j, own) + (b[2 * k + j] ?? 0);
    const z = [0, 1].map((j) => sigma(gate(0, j) + row(r, j, h) + (b[6 + j] ?? 0)));
    const reset = [0, 1].map((j) => sigma(gate(1, j) + row(r, 2 + j, h) + (b[8 + j] ?? 0)));
    const n = [0, 1].map((j) => {
      const behind = isAfter
        ? (reset[j] ?? 0) * (row(r, 4 + j, h) + (b[10 + j] ?? 0))
        : row(
            r,
            4 + j,
            h.map((value, k) => value * (reset[k] ?? 0)),
          ) + (b[10 + j] ?? 0);
      return Math.tanh(gate(2, j) + behind);
    });
    h = [0, 1].map((j) => (1 - (z[j] ?? 0)) * (n[j] ?? 0) + (z[j] ?? 0) * (h[j] ?? 0));
  }
  return h;
}

describe("refusals", () => {
  const parts = { inputs: [floats("x", ["n", 3])], outputs: [floats("y", ["n", 3])] };

  test("the first node that no layer is made of, with its name and inputs", async () => {
    const bytes = await fileOf({ ...parts, nodes: [node("Relu", ["x"], ["h"]), node("Celu", ["h"], ["y"])] });
    await expect(importOnnx(bytes)).rejects.toMatchObject({
      code: "ERR_FILE",
      message:
        "expected operators that layers are made of for 'importOnnx' but received Celu (node 'Celu_0') of 'h': no layer is made of it",
    });
  });

  test("names that nothing gives, and tensors of other lengths than their sizes", async () => {
    const absent = await fileOf({ ...parts, nodes: [node("Relu", ["z"], ["y"])] });
    await expect(importOnnx(absent)).rejects.toThrow("nothing before it gives 'z'");
    const short = await fileOf({
      ...parts,
      tensors: [weight("w", [3, 3], new Float32Array(8))],
      nodes: [node("Gemm", ["x", "w"], ["y"])],
    });
    await expect(importOnnx(short)).rejects.toThrow("tensor 'w'' but received 32");
    const acts = await fileOf({
      inputs: [floats("x", [4, "n", 3])],
      outputs: [floats("h", [1, "n", 2])],
      tensors: [weight("w", [1, 2, 3]), weight("r", [1, 2, 2])],
      nodes: [
        node("RNN", ["x", "w", "r"], ["", "h"], {
          hidden_size: integer(2),
          activations: texts(["Affine"]),
          direction: text("forward"),
        }),
      ],
    });
    await expect(importOnnx(acts)).rejects.toThrow("RNN (node 'RNN_0') of 'x', 'w', 'r': the functions affine");
  });

  test("weights beside a model lie in its folder and are no links", async () => {
    const inner = join(folder, "inner");
    await mkdir(inner, { recursive: true });
    await writeFile(join(folder, "secret.data"), new Uint8Array(4096));
    await symlink(join(folder, "secret.data"), join(inner, "link.data"));
    const model = sequential(linear(32, 32)).initialize(1);
    await exportOnnx(model, join(inner, "m.onnx"), { externalData: true });
    const file = await readFile(join(inner, "m.onnx"));
    const named = file.indexOf("m.onnx.data");
    expect(named).toBeGreaterThan(0);
    const with_ = async (location: string): Promise<unknown> => {
      const changed = Buffer.from(file);
      changed.write(location.padEnd(11, "x").slice(0, 11), named, "latin1");
      await writeFile(join(inner, "changed.onnx"), changed);
      return await importOnnx(join(inner, "changed.onnx")).catch((error: unknown) => error);
    };
    expect(String(await with_("../sec.data"))).toContain("which lies outside");
    expect(String(await with_("/etc/passwd"))).toContain("no path within it");
    await symlink(join(folder, "secret.data"), join(inner, "linked.data"));
    expect(String(await with_("linked.data"))).toContain("a link");
    expect(String(await with_("absent.data"))).toContain("external data in 'absent.data' beside it");
    await expect(importOnnx(file)).rejects.toThrow("a path of a model whose weights lie beside it");
  });

  test("answers that are not those that were asked for", async () => {
    const model = sequential(linear(2, 1)).initialize(1);
    const path = join(folder, "verified.onnx");
    await exportOnnx(model, path);
    const inputs = tensor([[1, 2]]);
    const outputs = tensor(answersOf(model, [inputs])[0]?.data ?? new Float32Array(1), [1, 1]);
    for (const given of [outputs, outputs.data, [...outputs.data], { y: outputs }])
      await expect(importOnnx(path, { verify: { inputs, outputs: given } })).resolves.toBeDefined();
    await expect(importOnnx(path, { verify: { inputs, outputs: tensor([[9]]) } })).rejects.toThrow(
      "expected outputs within 0.0001",
    );
  });
});

test("a model goes on training, and is saved as any other", async () => {
  const model = sequential(
    { input: [6, 6, 1] },
    conv2d(1, 2, { kernel: 3 }),
    batchNorm(2),
    relu(),
    flatten(),
    linear(32, 2),
  ).initialize(5);
  const path = join(folder, "lenet.onnx");
  await exportOnnx(model, path);
  const again = await importOnnx(path);
  expect(kindsOf(again)).toEqual(["conv2d", "relu", "flatten", "linear"]);
  await again.save(join(folder, "again.safetensors"));
});
