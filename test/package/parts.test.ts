// What an import loads and what comes with the first call of a function: scripts/parts.mjs. Sizes and lists, as times are those of a machine.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { beforeEach, expect, test } from "vitest";
import { withOwnNames } from "../../scripts/class-names.mjs";
import { withShortLocals } from "../../scripts/local-names.mjs";
import { PARTS, partEntries, partsAtFirstUse } from "../../scripts/parts.mjs";
import { root } from "../../scripts/tools.mjs";
import { runBare } from "./installed.js";

const dist = join(root, "dist");
const isBuilt = existsSync(join(dist, "whole.js")) && existsSync(join(root, "build/Release/carillon.node"));
const bytes = (name: string): number => statSync(join(dist, name)).size;

beforeEach((context) => {
  if (!isBuilt) context.skip("nothing is built: npm run prepare");
});

/** The chunk that the core and `carillon/kernels` import. */
function sharedChunk(): string {
  const chunk = /from"\.\/(chunks\/[^"]+)"/.exec(readFileSync(join(dist, "index.js"), "utf8"))?.[1];
  if (chunk === undefined) throw new Error("dist/index.js imports no chunk");
  return chunk;
}

/** What a program prints, as JSON. */
function printed(program: string): unknown {
  const { status, stdout, stderr } = runBare(["--input-type=module", "--eval", program], dist);
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return JSON.parse(stdout);
}

/** Lists the parts that are loaded. */
const LOADED = `
  import { createRequire } from "node:module";
  import { basename } from "node:path";
  const loaded = () => Object.keys(createRequire(import.meta.url).cache).map((file) => basename(file)).sort();`;

test("an import is a text that V8 reads in a few milliseconds (30 µs a KB on a slow core)", () => {
  expect(bytes("index.js") + bytes(sharedChunk())).toBeLessThan(250_000);
  expect(bytes("kernels/index.js") + bytes(sharedChunk())).toBeLessThan(150_000);
  const imported = readFileSync(join(dist, "index.js"), "utf8").matchAll(/from"(\.[^"]+)"/g);
  expect([...new Set(Array.from(imported, ([, name]) => name))]).toEqual([`./${sharedChunk()}`]);
});

test("classes are called as they are in lib/, whole and loaded by parts", () => {
  const names = `const named = (all) => Object.entries(all).filter(([, one]) => typeof one === "function" && /^class\\b/.test(one)).map(([name, { name: own }]) => [name, own]);`;
  for (const entry of ["whole.js", "index.js", "kernels/index.js"]) {
    const found = printed(`import * as all from "./${entry}"; ${names} console.log(JSON.stringify(named(all)));`);
    expect(found).toContainEqual(["CarillonError", "CarillonError"]);
    for (const [name, own] of found as [string, string][]) expect(own).toBe(name);
  }
  const others = `import { linear, program, sequential, spec, tensor } from "./index.js";
    const model = sequential(linear(1, 1)).initialize();
    const step = program({ inputs: { x: spec(["batch"]) }, maxBatch: 1, body: ({ x }) => ({ x }) });
    console.log(JSON.stringify([model, tensor([1]), model.predictor(), step].map((one) => one.constructor.name)));`;
  expect(printed(others)).toEqual(["Model", "Tensor", "Predictor", "TracedProgram"]);
  for (const file of readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((name) => /\.c?js$/.test(name)))
    expect(readFileSync(join(dist, file), "utf8"), file).not.toMatch(/class _/);
});

test("two classes of one name are refused, and what merely looks like a name stays", () => {
  expect(withOwnNames("A=class _A{b(){return new _A(x._A,_Ab)}}")).toBe("A=class A{b(){return new A(x._A,_Ab)}}");
  expect(() => withOwnNames("A2=class _A{}")).toThrow("two classes of a bundle have one name");
});

test("variables within functions get short names in lines that are short; functions, classes and exports keep theirs", async () => {
  const text =
    "export class Layer{run(first){const second=first+1;return inner(second)}}function inner(third){return third*2}";
  const short = await withShortLocals("a.js", text, 20);
  for (const name of ["class Layer", "run(", "function inner("]) expect(short).toContain(name);
  expect(short).toMatch(/export\s*(?:class Layer|\{)/);
  expect(short).not.toMatch(/first|second|third/);
  expect(short.split("\n").length).toBeGreaterThan(3);
  const { Layer } = (await import(`data:text/javascript,${encodeURIComponent(short)}`)) as {
    Layer: new () => { run(first: number): number };
  };
  expect(new Layer().run(2)).toBe(6);
});

test("the core has no training, no models, no programs, no files and no data", async () => {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [{ in: "lib/kernels/index.ts", out: "kernels/index" }, ...partEntries],
    outdir: "none",
    write: false,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    external: ["node-gyp-build"],
    metafile: true,
    plugins: [partsAtFirstUse],
  });
  const core = new Set<string>();
  const add = (name: string): void => {
    const output = metafile.outputs[name];
    for (const input of Object.keys(output?.inputs ?? {})) core.add(input);
    for (const { path, external } of output?.imports ?? []) if (external !== true) add(path);
  };
  add("none/index.js");
  expect(core).toContain("lib/nn/layers/linear.ts");
  const late =
    /^lib\/(?:train\/|table\/|io\/(?!refusal)|graph\/(?!shared|trace)|data\/(?!transform|quantiles)|nn\/(?:model|serving\/|saved|written|evaluat)|optim\/minimizer)/;
  expect([...core].filter((file) => late.test(file))).toEqual([]);
});

test("parts are loaded by the first call that needs them, once, and with those that they use", () => {
  const program = `${LOADED}
    const { adam, bootstrap, fit, gru, linear, mse, ops, program, sequential, spec, split, table, tabular } =
      await import("./index.js");
    const seen = [];
    const note = () => seen.push(loaded().map((name) => name.replace(".cjs", "")));
    note();
    const layers = [linear(2, 1), mse(), adam({ lr: 0.01 })];
    note();
    const model = sequential(layers[0]);
    note();
    program({ inputs: { x: spec(["batch"]) }, maxBatch: 1, body: ({ x }) => ({ x }) });
    note();
    model.initialize(1).predictSync([[1, 2]]);
    note();
    model.bytes();
    note();
    await model.evaluate({ x: [[1, 2]], y: [1] }, { loss: mse() });
    note();
    try {
      ops.max([1]);
    } catch {}
    note();
    gru(2, 3);
    note();
    await fit(model, { data: { x: [[1, 2]], y: [1] }, loss: mse(), optimizer: adam({ lr: 0.01 }), epochs: 1 });
    note();
    split({ x: [[1, 2], [3, 4]], y: [0, 1] }, { validation: 0.5 });
    note();
    await table([{ a: 1 }]);
    note();
    tabular();
    note();
    await bootstrap(2, () => 1);
    note();
    console.log(JSON.stringify([...seen, Object.getOwnPropertySymbols(globalThis).map(String).filter((name) => name.includes("carillon"))]));`;
  const order: readonly (readonly string[])[] = [
    ...[["models"], ["programs"], ["data", "serving"], ["files"], ["measuring"], ["operations"], ["layers"]],
    ...[["training"], ["tools"], ["tables"], ["generation", "estimators"], ["reports"]],
  ];
  const upTo = (_: readonly string[], place: number): readonly string[] =>
    order
      .slice(0, place + 1)
      .flat()
      .toSorted();
  expect(printed(program)).toEqual([[], [], ...order.map(upTo), []]);
});

const MODEL = "sequential(linear(2, 1)).initialize(1)";

/** Parts that are loaded after a call of its own in a fresh process, with whatever the call gave. */
function partsAfter(call: string): readonly string[] {
  const program = `${LOADED}
    import * as carillon from "./index.js";
    const { classes, conv2d, fit, fromDescription, gru, linear, loadModel, mse, ops, pinball, program } = carillon;
    const { sequential, sgd, spec } = carillon;
    ${call};
    console.log(JSON.stringify(loaded().map((name) => name.replace(".cjs", ""))));`;
  return printed(program) as readonly string[];
}

test.each([
  ["a layer", "gru(2, 3)", ["layers", "operations"]],
  ["a loss", "pinball({ quantiles: [0.5] })", ["layers", "operations"]],
  ["a file that is not there", "await loadModel('/none').catch(() => {})", ["files", "models"]],
  ["a prediction", `${MODEL}.predictSync([[1, 2]])`, ["data", "models", "programs", "serving"]],
  ["a model as bytes", `${MODEL}.bytes()`, ["files", "models"]],
  [
    "a run",
    `await fit(${MODEL}, { data: { x: [[1, 2]], y: [1] }, loss: mse(), optimizer: sgd({ lr: 0.1 }), epochs: 1 })`,
    ["data", "files", "measuring", "models", "programs", "training"],
  ],
  [
    "an operation in a program",
    "program({ inputs: { x: spec(['batch', 4, 4, 1]) }, maxBatch: 1, body: ({ x }) => ({ y: ops.maxPool2d(x, 2) }) })",
    ["operations", "programs"],
  ],
])("%s loads no more than it uses", (_, call, parts) => {
  expect(partsAfter(call)).toEqual(parts);
});

test("a model of a file has layers of parts that its reader did not load", () => {
  const program = `
    const { gru, linear, loadModel, sequential } = await import("./index.js");
    const made = sequential({ input: [3, 2] }, gru(2, 3), linear(3, 1)).initialize(1);
    const model = await loadModel(made.bytes());
    const x = [[[1, 2], [3, 4], [5, 6]]];
    console.log(JSON.stringify([...model.predictSync(x).data].join() === [...made.predictSync(x).data].join()));`;
  expect(printed(program)).toBe(true);
});

test("the entry with all parts exports what the other one does, loads them at once, and has the same classes", () => {
  const program = `${LOADED}
    const [index, whole] = [await import("./index.js"), await import("./whole.js")];
    const describe = (all) => Object.keys(all).map((name) => [name, typeof all[name], all[name].name]);
    const model = whole.sequential(whole.linear(2, 1)).initialize(1);
    const same = ["CarillonError", "Tensor", "Value", "linear", "ops"].every((name) => index[name] === whole[name]);
    console.log(JSON.stringify({
      index: describe(index), whole: describe(whole), same, later: whole.sequential !== index.sequential,
      isTensor: model.predictSync([[1, 2]]) instanceof index.Tensor,
    }));`;
  const { index, whole, ...rest } = printed(program) as { readonly index: unknown[]; readonly whole: unknown[] };
  expect(whole).toEqual(index);
  expect(index.length).toBeGreaterThan(100);
  expect(rest).toEqual({ same: true, later: true, isTensor: true });
});

test("both entries in one process, in any order, have one copy of every part", () => {
  for (const [first, second] of [
    ["index", "whole"],
    ["whole", "index"],
  ]) {
    const program = `
      const one = await import("./${first}.js");
      const made = one.sequential(one.linear(2, 1)).initialize(1);
      const other = await import("./${second}.js");
      const data = { x: [[1, 2]], y: [1] };
      const { history } = await other.fit(made, { data, loss: one.mse(), optimizer: other.sgd({ lr: 0.1 }), epochs: 1 });
      const model = other.sequential(one.linear(2, 1));
      console.log(JSON.stringify([history.length, model.constructor === made.constructor]));`;
    expect(printed(program), first).toEqual([1, true]);
  }
});

test("a copy of the entry by another address makes parts of its own classes, and leaves those of the first", () => {
  const program = `
    const one = await import("./index.js");
    const other = await import("./index.js?other");
    const answers = [one, other].map(({ linear, relu, sequential }) => {
      return sequential(linear(2, 1, { bias: false }), relu()).initialize(1).predictSync([[1, 2]]).data.length;
    });
    const losses = [];
    for (const { adam, fit, linear, mse, sequential } of [one, other]) {
      const data = { x: [[1, 2]], y: [1] };
      const { history } = await fit(sequential(linear(2, 1)), { data, loss: mse(), optimizer: adam(), epochs: 2, seed: 1 });
      losses.push(history.map(({ loss }) => loss).join());
    }
    console.log(JSON.stringify([...answers, losses[0] === losses[1]]));`;
  expect(printed(program)).toEqual([1, 1, true]);
});

test("a part neither imports nor exports, so that it may be taken for a module or for CommonJS", () => {
  const names = readdirSync(join(dist, "parts")).filter((name) => name.endsWith(".cjs"));
  expect(names.toSorted()).toEqual(
    Object.keys(PARTS)
      .map((name) => `${name}.cjs`)
      .toSorted(),
  );
  for (const name of names) {
    const text = readFileSync(join(dist, "parts", name), "utf8");
    expect(text).toMatch(/^"use strict";\s?\(globalThis\[Symbol\.for\(["`]carillon\.parts["`]\)\]\?\?=\{\}\)\./);
    expect(text).not.toMatch(/(?:^|[;}])(?:import|export)\s*[{*"]|import\.meta|\bmodule\.exports\b/);
  }
});
