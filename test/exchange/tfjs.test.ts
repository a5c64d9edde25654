// Layers models that TensorFlow.js 4.22 has saved, and their answers there (make_tfjs_fixture.mjs).
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { importTfjs } from "carillon/exchange";
import { afterAll, beforeAll, expect, test } from "vitest";

const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/tfjs/${name}`, import.meta.url));

interface Told {
  readonly x: readonly number[];
  readonly y: readonly number[];
}

const told = JSON.parse(readFileSync(fixture("answers.json"), "utf8")) as Readonly<Record<string, Told>>;

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "carillon-exchange-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function inputsOf(name: string): unknown {
  const x = told[name]?.x ?? [];
  if (name === "words") return Int32Array.from(x);
  return name === "functional" ? { x: Float32Array.from(x) } : Float32Array.from(x);
}

test.each(Object.keys(told).filter((name) => name !== "hard"))(
  "%s gives the answers of TensorFlow.js",
  async (name) => {
    const verify = { inputs: inputsOf(name), outputs: told[name]?.y ?? [], tolerance: 2e-6 };
    const { model, notes } = await importTfjs(fixture(`${name}/model.json`), { verify });
    expect(notes).toEqual([]);
    expect(model.parameters.length).toBeGreaterThan(1);
  },
);

test("the hard sigmoid of TensorFlow.js is refused: it is another function than ours", async () => {
  await expect(importTfjs(fixture("hard/model.json"))).rejects.toThrow("recurrent_activation");
});

test("options of a call, which Keras 2 writes beside the tensor, are none that change answers", async () => {
  const copy = mkdtempSync(join(folder, "m-"));
  cpSync(fixture("functional"), copy, { recursive: true });
  const path = join(copy, "model.json");
  const text = readFileSync(path, "utf8");
  for (const [options, message] of [
    ['{"training":false,"mask":null}', undefined],
    ['{"training":true}', /a call without options.*training/],
    ['{"value":["x",0,0,{}]}', /a call without options.*value/],
  ] as const) {
    writeFileSync(path, text.replaceAll("0,0,{}]", `0,0,${options}]`));
    if (message === undefined) await expect(importTfjs(path)).resolves.toMatchObject({ notes: [] });
    else await expect(importTfjs(path)).rejects.toThrow(message);
  }
});

/** A copy of a model, whose model.json is changed. */
function changed(
  change: (json: {
    modelTopology: Record<string, unknown>;
    weightsManifest: Record<string, unknown>[];
    format: string;
  }) => void,
): string {
  const copy = mkdtempSync(join(folder, "m-"));
  cpSync(fixture("dense"), copy, { recursive: true });
  const path = join(copy, "model.json");
  const json = JSON.parse(readFileSync(path, "utf8")) as Parameters<typeof change>[0];
  change(json);
  writeFileSync(path, JSON.stringify(json));
  return path;
}

test.each([
  ["graph models", (json) => (json.format = "graph-model"), "a graph model"],
  [
    "files elsewhere",
    ({ weightsManifest: [group] }) => Object.assign(group ?? {}, { paths: ["../weights.bin"] }),
    "names of files beside the model",
  ],
  [
    "weights that are missing",
    ({ weightsManifest: [group] }) => Object.assign(group ?? {}, { weights: [] }),
    "0 bytes of weights",
  ],
  ["no topology", (json) => Reflect.deleteProperty(json, "modelTopology"), "a model with modelTopology"],
  ["no manifest", (json) => Reflect.deleteProperty(json, "weightsManifest"), "a list of groups"],
] as const satisfies readonly (readonly [string, Parameters<typeof changed>[0], string])[])(
  "%s are refused",
  async (_, change, expected) => {
    await expect(importTfjs(changed(change))).rejects.toThrow(expected);
  },
);

test("links are refused", async () => {
  const path = changed(({ weightsManifest: [group] }) => Object.assign(group ?? {}, { paths: ["link.bin"] }));
  symlinkSync(fixture("dense/weights.bin"), join(path, "../link.bin"));
  await expect(importTfjs(path)).rejects.toThrow("and no link");
});
