// Files of models and checkpoints that are not what they should be: refused by name, and nothing is written half.
import { createHash } from "node:crypto";
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  adam,
  crossEntropy,
  dropout,
  fit,
  l2,
  linear,
  loadModel,
  type Model,
  relu,
  runtime,
  sequential,
  sgd,
} from "carillon";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeSafetensors, encodeSafetensors } from "../io/whole_file.js";
import { bitsOf, clusters } from "./synthetic.js";
import { type Anything, expectRefusal } from "./wrong.js";

const DATA = clusters(30, 4, 3);
const GOOD = { data: DATA, loss: crossEntropy(), optimizer: adam(), steps: 9, batchSize: 8 } as const;

function network(hidden = 8): Model<4, 3> {
  return sequential(linear(4, hidden), relu(), linear(hidden, 3));
}

let folder = "";
let checkpoint = new Uint8Array();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "carillon-"));
  checkpoint = new Uint8Array((await fit(network(), { ...GOOD, steps: 3, seed: 6 })).checkpoint());
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** The checkpoint with other metadata, and a seal that fits them. */
function withMetadata(change: Readonly<Record<string, string>>): Uint8Array {
  const { tensors, metadata } = decodeSafetensors(checkpoint);
  return sealed(encodeSafetensors(tensors, { ...metadata, ...change }));
}

/** Any file that ends in a tensor of 32 bytes, with the hash of what is before it there. */
function sealed(bytes: Uint8Array): Uint8Array {
  const before = bytes.subarray(0, -32);
  return Buffer.concat([before, createHash("sha256").update(before).digest()]);
}

/** The checkpoint with one byte changed. */
function withByte(index: number): Uint8Array {
  return checkpoint.map((byte, at) => (at === index ? byte ^ 1 : byte));
}

function unsealed(): Uint8Array {
  const { tensors, metadata } = decodeSafetensors(checkpoint);
  return encodeSafetensors(new Map([...tensors].filter(([name]) => name !== "sha256")), metadata);
}

function withProgress(change: Anything): Uint8Array {
  const { metadata } = decodeSafetensors(checkpoint);
  const progress: unknown = JSON.parse(metadata.progress ?? "");
  return withMetadata({ progress: JSON.stringify({ ...(progress as object), ...change }) });
}

describe("resume from", () => {
  test.each<[string, () => Anything, string | RegExp]>([
    ["nothing", () => ({ resume: new Uint8Array() }), "an empty file"],
    ["garbage", () => ({ resume: new Uint8Array(1000).fill(77) }), "a safetensors file"],
    ["a truncated file", () => ({ resume: checkpoint.subarray(0, checkpoint.length - 4) }), "bytes"],
    ["a file with more behind it", () => ({ resume: Buffer.concat([checkpoint, Buffer.alloc(4)]) }), "bytes"],
    ["a model", () => ({ resume: network().initialize(1).bytes() }), "carillon.checkpoint"],
    ["other arithmetic", () => ({ resume: withMetadata({ numericsVersion: "999" }) }), "numericsVersion"],
    ["no arithmetic", () => ({ resume: withMetadata({ numericsVersion: "" }) }), `${runtime.numericsVersion}`],
    ["no progress", () => ({ resume: withMetadata({ progress: "{" }) }), "progress"],
    ["a negative step", () => ({ resume: withProgress({ step: -1 }) }), "progress"],
    ["half a step", () => ({ resume: withProgress({ step: 0.5 }) }), "progress"],
    ["sums of text", () => ({ resume: withProgress({ sums: ["1"] }) }), "progress"],
    ["no settings", () => ({ resume: withMetadata({ settings: "" }) }), "settings"],
    ["a best that is none", () => ({ resume: withProgress({ best: 3 }) }), "progress"],
    ["no seal", () => ({ resume: unsealed() }), "SHA-256"],
    ["another seal", () => ({ resume: withByte(checkpoint.length - 1) }), "SHA-256"],
    ["another weight", () => ({ resume: withByte(checkpoint.length - 40) }), "SHA-256"],
    ["a negative rate", () => ({ resume: withProgress({ rateScale: -1 }) }), "progress"],
    ["a sum that is text", () => ({ resume: withProgress({ sums: [1, "NaN"] }) }), "progress"],
    [
      "the loss of a validation as text",
      () => ({ resume: withProgress({ validation: { loss: "0.5", metrics: {} } }) }),
      "progress",
    ],
    ["a validation without metrics", () => ({ resume: withProgress({ validation: { loss: 0.5 } }) }), "progress"],
    ["a best step of text", () => ({ resume: withProgress({ best: { step: "3", value: 1 } }) }), "progress"],
    ["a best figure that is none", () => ({ resume: withProgress({ best: { step: 3, value: null } }) }), "progress"],
    ["a list for metrics", () => ({ resume: withProgress({ metrics: [] }) }), "progress"],
    ["text for data", () => ({ resume: withProgress({ data: "none" }) }), "progress"],
    ["a rate of text", () => ({ resume: withProgress({ rateScale: "1" }) }), "progress"],
    ["null for callbacks", () => ({ resume: withProgress({ callbacks: null }) }), "progress"],
  ])("%s", async (_, wrong, says) => {
    await expectRefusal(network().initialize(2), { ...GOOD, ...wrong() }, "ERR_FILE", "fit.resume", says);
    await expectRefusal(network(), { ...GOOD, ...wrong() }, "ERR_FILE", "fit.resume", says);
  });

  test("another architecture", async () => {
    const other = network(9).initialize(2);
    const options = { ...GOOD, resume: checkpoint };
    await expectRefusal(other, options, "ERR_STATE", "fit.resume.layers", "layers[0].config.outputs 8");
    const named = { ...GOOD, resume: { from: checkpoint, changed: ["layers"] } };
    await expectRefusal(network(9).initialize(2), named, "ERR_FILE", "fit.resume", "linear1.weight");
    const deeper = sequential(linear(4, 8), relu(), linear(8, 8), relu(), linear(8, 3)).initialize(2);
    await expectRefusal(deeper, options, "ERR_STATE", "fit.resume.layers", "layers[2].config.outputs 3");
  });

  test.each<[string, Anything]>([
    ["seed", { seed: 7 }],
    ["batchSize", { batchSize: 16 }],
    ["shuffle", { shuffle: false }],
    ["samples", { data: clusters(29, 4, 3) }],
    ["loss", { loss: crossEntropy({ labelSmoothing: 0.1 }) }],
    ["regularizer", { regularizer: l2(1e-3) }],
    ["clip", { clip: { norm: 1 } }],
    ["accumulate", { accumulate: 2 }],
    ["lr", { optimizer: adam({ lr: 0.5 }) }],
    ["lr", { optimizer: adam({ lr: ({ step }) => 1 / step }) }],
  ])("another %s", async (name, wrong) => {
    const options = { ...GOOD, resume: checkpoint, ...wrong };
    await expectRefusal(network().initialize(2), options, "ERR_STATE", `fit.resume.${name}`, name);
  });

  test("settings that are said to be changed", async () => {
    const wrong = { ...GOOD, optimizer: adam({ lr: 0.5 }), clip: { norm: 1 } };
    const refused = { ...wrong, resume: { from: checkpoint, changed: ["clip"] } };
    await expectRefusal(network(), refused, "ERR_STATE", "fit.resume.lr", "0.5");
    const { step } = await fit(network(), { ...wrong, resume: { from: checkpoint, changed: ["clip", "lr"] } });
    expect(step).toBe(9);
  });

  test("other layers with the same parameters", async () => {
    const dropping = sequential(linear(4, 8), relu(), dropout(0.5), linear(8, 3)).initialize(2);
    await expectRefusal(dropping, { ...GOOD, resume: checkpoint }, "ERR_STATE", "fit.resume.layers", "dropout");
  });

  test("a checkpoint without the state of a callback", async () => {
    const callbacks = [{ name: "patient", decide: () => undefined, restore: () => undefined }];
    const options = { ...GOOD, resume: checkpoint, callbacks };
    await expectRefusal(network().initialize(2), options, "ERR_STATE", "fit.resume.callbacks", "'patient'");
  });

  test("a callback that does not take its state, which changes nothing", async () => {
    const stateful = { name: "patient", decide: () => undefined, state: () => 1 };
    const { checkpoint: saved } = await fit(network(), { ...GOOD, callbacks: [stateful] });
    const model = network().initialize(2);
    const before = bitsOf(model);
    const restore = (): void => {
      throw new Error("mine");
    };
    const run = fit(model, { ...GOOD, steps: 20, resume: saved(), callbacks: [{ ...stateful, restore }] });
    await expect(run).rejects.toThrow("mine");
    expect(bitsOf(model)).toBe(before);
  });

  test("a path: the file, or ERR_FILE with the path", async () => {
    const path = join(folder, "run.safetensors");
    await writeFile(path, checkpoint);
    const resumed = network();
    await fit(resumed, { ...GOOD, resume: path });
    const whole = network();
    await fit(whole, { ...GOOD, seed: 6 });
    expect(bitsOf(resumed)).toBe(bitsOf(whole));
    const missing = join(folder, "nothing.safetensors");
    await expectRefusal(network().initialize(2), { ...GOOD, resume: missing }, "ERR_FILE", missing, /ENOENT/);
  });
});

describe("models", () => {
  const error = (where: string, says: string | RegExp) =>
    expect.objectContaining({ name: "CarillonError", code: "ERR_FILE", where, message: expect.stringMatching(says) });

  test.each<[string, () => Uint8Array | string, string | RegExp]>([
    ["text", () => "not a model at all", "a safetensors file"],
    ["nothing", () => "", "an empty file"],
    ["a damaged checkpoint", () => withByte(checkpoint.length - 40), "SHA-256"],
    ["a later version of the layout", () => withMetadata({ version: "2" }), "version 1"],
    [
      "another format of ours",
      () => withMetadata({ format: "carillon.other" }),
      "carillon.model or carillon.checkpoint",
    ],
    ["a loop's checkpoint", () => withMetadata({ format: "carillon.loop" }), "loadCheckpoint"],
    ["a truncated model", () => network().bytes().subarray(0, -8), "bytes"],
    ["a truncated header", () => network().bytes().subarray(0, 60), "header"],
    ["another architecture", () => network(9).bytes(), "linear1.weight"],
    [
      "more layers",
      () => sequential(linear(4, 8), linear(8, 8), linear(8, 3)).bytes(),
      "linear3.weight \\[3, 8\\], linear3.bias",
    ],
  ])("load of %s changes nothing", async (_, bytes, says) => {
    const path = join(folder, "wrong.safetensors");
    await writeFile(path, bytes());
    const model = network().initialize(2);
    const before = bitsOf(model);
    await expect(model.load(path)).rejects.toEqual(error(path, says));
    expect(bitsOf(model)).toBe(before);
    const fresh = network();
    await expect(fresh.load(path)).rejects.toEqual(error(path, says));
    expect(fresh.initialized).toBe(false);
  });

  function encoded(layers: unknown, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
    const { tensors } = decodeSafetensors(network().bytes());
    return encodeSafetensors(tensors, { format: "carillon.model", layers: JSON.stringify(layers), ...metadata });
  }
  const layer = (inputs: unknown, outputs: unknown): unknown => {
    return { kind: "linear", name: null, config: { inputs, outputs, bias: true } };
  };

  test.each<[string, () => Uint8Array, string | RegExp]>([
    ["no layers", () => encoded([]), "layer"],
    ["layers of text", () => encoded("linear"), "a list for .layers."],
    ["layers that are no JSON", () => encoded([], { layers: "[" }), "JSON for .layers."],
    ["only activations", () => encoded([{ kind: "relu", name: null, config: {} }]), "layer"],
    ["an unknown layer", () => encoded([{ kind: "toString", name: null, config: {} }]), "'toString'"],
    ["a layer that a user defined", () => encoded([{ kind: "mine", name: null, config: null }]), "'mine'.*load\\(\\)"],
    ["sizes of text", () => encoded([layer("a", 3)]), "linear.inputs"],
    [
      "sizes that are text of numbers",
      () => encoded([layer("4", 8), layer(8, 3)]),
      "expected an integer >= 1 for 'layers.0.: linear.inputs'.*received \"4\"",
    ],
    [
      "no word on biases",
      () => encoded([{ kind: "linear", name: null, config: { inputs: 4, outputs: 3 } }]),
      "linear.bias",
    ],
    [
      "text for a truth",
      () => encoded([{ kind: "linear", name: null, config: { inputs: 4, outputs: 3, bias: "true" } }]),
      "linear.bias",
    ],
    [
      "a share of null",
      () => encoded([layer(4, 3), { kind: "dropout", name: null, config: { keep: null, scaling: "inverted" } }]),
      "dropout",
    ],
    [
      "a scaling that nobody knows",
      () => encoded([layer(4, 3), { kind: "dropout", name: null, config: { keep: 0.5, scaling: "other" } }]),
      "dropout.scaling",
    ],
    [
      "a slope of text",
      () => encoded([layer(4, 3), { kind: "leakyRelu", name: null, config: { slope: "0.01" } }]),
      "leakyRelu.slope",
    ],
    [
      "an approximation that nobody knows",
      () => encoded([layer(4, 3), { kind: "gelu", name: null, config: { approximate: "x" } }]),
      "gelu.approximate",
    ],
    [
      "a layer that is one behind it",
      () => encoded([{ ...(layer(4, 4) as object), same: 1 }, layer(4, 4)]),
      "the place of a linear before it.*same",
    ],
    ["layers that do not fit", () => encoded([layer(4, 8), layer(9, 3)]), "layer 2 takes 9 features"],
    ["other sizes than the weights", () => encoded([layer(4, 8), layer(8, 2)]), "linear2.weight"],
    ["a name twice", () => encoded([1, 2].map(() => ({ ...(layer(4, 4) as object), name: "a" }))), "'a'"],
    ["a name that is none", () => encoded([{ ...(layer(4, 4) as object), name: "a b" }]), "name"],
  ])("loadModel of a file with %s", async (_, bytes, says) => {
    const path = join(folder, "odd.safetensors");
    await writeFile(path, bytes());
    await expect(loadModel(path)).rejects.toEqual(error(path, new RegExp(`${says}`, "s")));
  });

  test("no file at all", async () => {
    const missing = join(folder, "missing.safetensors");
    await expect(loadModel(missing)).rejects.toEqual(error(missing, "ENOENT"));
    await expect(network().load(missing)).rejects.toEqual(error(missing, "ENOENT"));
    await expect(loadModel("")).rejects.toMatchObject({ code: "ERR_OPTION", where: "loadModel.path" });
    await expect(network().load(5 as unknown as string)).rejects.toMatchObject({ where: "load.path" });
    await expect(network().save("")).rejects.toMatchObject({ where: "save.path" });
  });

  test("save to a place that cannot be written leaves what was there", async () => {
    const file = join(folder, "file");
    await writeFile(file, "not a folder");
    const below = join(file, "model.safetensors");
    await expect(network().save(below)).rejects.toEqual(error(below, "expected a file that can be written"));
    const model = sequential(linear(4, 8), dropout(0.5), linear(8, 3)).initialize(3);
    const taken = await mkdtemp(join(folder, "taken-"));
    await writeFile(join(taken, "inside"), "x");
    await expect(model.save(taken)).rejects.toEqual(error(taken, "expected a file that can be written"));
    expect(await readdir(taken)).toEqual(["inside"]);
    expect((await readdir(folder)).filter((name) => name.startsWith("."))).toEqual([]);
    expect(await readFile(file, "utf8")).toBe("not a folder");
  });

  // Windows has other permissions, and the superuser has all.
  test.skipIf(process.platform === "win32" || process.getuid?.() === 0)(
    "save into a folder without permission",
    async () => {
      const closed = await mkdtemp(join(folder, "closed-"));
      await chmod(closed, 0o500);
      const path = join(closed, "model.safetensors");
      await expect(network().save(path)).rejects.toEqual(error(path, "EACCES"));
    },
  );
});

test("an optimizer without states checks its checkpoints too", async () => {
  const { checkpoint: saved } = await fit(network(), { ...GOOD, optimizer: sgd({ lr: 0.1 }), steps: 3 });
  await expectRefusal(
    network().initialize(1),
    { ...GOOD, resume: saved() },
    "ERR_STATE",
    "fit.resume.optimizer",
    "sgd",
  );
});
