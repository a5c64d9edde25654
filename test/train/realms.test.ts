// Runs inside a vm context, as Jest makes them: arrays, maps, dates and errors of another realm than that of Node.js and its files,
// with carillon itself on either side. Each gives the bits of a run that knows one realm only.
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createContext, Script } from "node:vm";
import { buildSync } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** carillon in one script, which gives its exports to who calls it. */
function bundled(): Script {
  const contents =
    'export * from "./lib/index.js"; export * as exchange from "./lib/exchange/index.js"; export * as kernels from "./lib/kernels/index.js";';
  const { outputFiles } = buildSync({
    stdin: { contents, resolveDir: root, loader: "ts" },
    bundle: true,
    format: "cjs",
    platform: "node",
    target: "node20.19",
    external: ["node-gyp-build"],
    write: false,
    logLevel: "silent",
  });
  const text = outputFiles[0]?.text ?? "";
  return new Script(`((require) => { const module = { exports: {} }; {${text}\n} return module.exports; })`);
}

/** What is done in every realm; the result is text, which has no realm. */
const JOB = new Script(`(async (carillon, dir) => {
  const { adam, crossEntropy, earlyStopping, fit, kernels, linear, loadCheckpoint, loadModel, mse, minimizer, ops, program, relu } = carillon;
  const { reduceOnPlateau, saveCheckpoint, sequential, spec, standardize } = carillon;
  const hex = ({ buffer, byteOffset, byteLength }) => Array.from(new Uint8Array(buffer, byteOffset, byteLength), (byte) => byte.toString(16)).join("-");
  const bits = (model) => [...model.weights().values()].map(({ data }) => hex(data)).join(" ");
  const x = Float32Array.from({ length: 160 }, (_, i) => ((i * 37) % 23) / 8 - 1);
  const y = Int32Array.from({ length: 40 }, (_, i) => (i * 7) % 3);
  const make = () => sequential(linear(4, 6), relu(), linear(6, 3));
  const told = [];
  const state = () => ({ seen: new Map([["a", [1n, undefined]]]), at: new Date(5), set: new Set([-0]), bytes: new Uint8Array([1, 2]),
    doubles: Float64Array.of(0.5, NaN), buffer: new ArrayBuffer(2), view: new DataView(new ArrayBuffer(1)) });
  const keeping = () => ({ name: "keeping", every: { steps: 1 }, decide() {}, state, restore(back) {
    told.push(Object.entries(back).map(([key, value]) => key + ":" + Object.prototype.toString.call(value)), back.seen.get("a").length, back.doubles[0]);
  } });
  const options = () => ({
    data: { x, y }, validation: { x: x.subarray(0, 40), y: y.subarray(0, 10) }, inputs: standardize(), loss: crossEntropy(),
    optimizer: adam({ lr: 0.05 }), averageWeights: { decay: 0.5 }, batchSize: 16, seed: 3, epochs: 6,
    metrics: ["accuracy", "auc", "logLoss", "confusionMatrix", "f1"],
    callbacks: [earlyStopping({ monitor: "validation.loss", patience: 1, restoreBest: true }), reduceOnPlateau({ monitor: "loss", patience: 1 }), keeping()],
  });
  const whole = make();
  const { history, best } = await fit(whole, options());
  told.push(bits(whole), JSON.stringify(history.map(({ loss, metrics }) => [loss, metrics])), JSON.stringify(best));

  // In a folder that is not there yet, stopped in mid-epoch, and resumed.
  const cut = make();
  const checkpoint = { dir, every: { steps: 1 }, keep: 3 };
  const first = await fit(cut, { ...options(), steps: 4, checkpoint, resume: "auto" });
  const rest = make();
  const resumed = await fit(rest, { ...options(), checkpoint, resume: "auto" });
  told.push(bits(rest), resumed.bitEqual, bits(rest) === bits(whole));
  const given = make();
  await fit(given, { ...options(), resume: new Uint8Array(first.checkpoint()) });
  told.push(bits(given) === bits(whole));

  // Files, rows, weights and signals.
  const loaded = await loadModel(whole.bytes());
  told.push(hex((await loaded.predict(Array.from({ length: 2 }, () => [1, 2, 3, 4]))).data));
  told.push(hex(loaded.predictSync(Float64Array.of(1, 2, 3, 4)).data));
  loaded.setWeights(new Map([...whole.weights()].map(([name, { data }]) => [name, data.slice()])));
  told.push(bits(loaded) === bits(whole));
  const listeners = new Set();
  const signal = { aborted: false, reason: undefined, throwIfAborted() {}, addEventListener: (_, one) => listeners.add(one), removeEventListener: (_, one) => listeners.delete(one) };
  await loaded.predict(x, { signal });
  await fit(make(), { ...options(), signal });
  told.push(listeners.size);

  // Kernels.
  const [a, b] = [Float32Array.of(1, 2, 3), new Float32Array(3)];
  kernels.copy(a, b);
  kernels.convertU8(new Uint8Array([1, 2, 255]), a, { scale: 0.5 });
  const gathered = new Int32Array(2);
  kernels.gather({ columns: 1, indices: Int32Array.of(2, 0), source: Int32Array.of(7, 8, 9), y: gathered });
  told.push(hex(a), hex(b), hex(gathered));

  // Loops of programs.
  const loop = () => {
    const model = sequential(linear(2, 1)).initialize(1);
    const trainer = minimizer(model, adam());
    const step = program({ inputs: { x: spec([8, 2]), y: spec([8, 1]) }, body({ x, y }) {
      const loss = ops.mean(mse()(model.forward(x), y));
      trainer.minimize(loss);
      return { loss };
    } });
    return { models: model, minimizers: trainer, programs: step };
  };
  const inputs = { x: new Float32Array(16).fill(1), y: new Float32Array(8) };
  const one = loop();
  await one.programs.run(inputs);
  await saveCheckpoint(dir + "/loop.safetensors", { ...one, state: state() });
  const two = loop();
  const back = await loadCheckpoint(dir + "/loop.safetensors", two);
  told.push(back.seen.get("a")[0] === 1n, bits(one.models) === bits(two.models), two.programs.step);

  // What is refused, and what others have thrown.
  const refusal = async (work) => { try { await work(); return "nothing"; } catch (error) { return error.code + " " + error.message.replaceAll(dir, "DIR"); } };
  told.push(await refusal(() => fit(make(), { ...options(), data: { x: new BigInt64Array(160), y } })));
  told.push(await refusal(() => fit(make(), { ...options(), signal: new Map() })));
  told.push(await refusal(() => fit(make(), { ...options(), seed: new RangeError("mine") })));
  told.push(await refusal(() => fit(make(), { ...options(), epochs: Promise.resolve(3) })));
  told.push(await refusal(() => loadModel(dir + "/nothing.safetensors")));
  told.push(await refusal(() => kernels.copy(a, Float64Array.of(1, 2, 3))));
  told.push(await refusal(() => kernels.copy(a, a)));
  const mine = { ...keeping(), decide() { throw new RangeError("mine"); } };
  told.push(await fit(make(), { ...options(), callbacks: [mine] }).then(() => "nothing", (error) => error instanceof RangeError));
  return JSON.stringify(told);
})`);

const HOST = {
  process,
  Buffer,
  console,
  URL,
  TextEncoder,
  TextDecoder,
  AbortController,
  AbortSignal,
  Event,
  EventTarget,
  structuredClone,
  performance,
};

/** The globals of a vm context. `like Jest`: those that its environment takes from Node.js, too. */
const CONTEXTS: Readonly<Record<string, object>> = { plain: HOST, "like Jest": { ...HOST, ArrayBuffer, Uint8Array } };

type Job = (carillon: object, dir: string) => Promise<string>;

let folder = "";
let script: Script;
let expected: readonly unknown[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "carillon-"));
  script = bundled();
  expected = await told(
    (job) => job(imported(script.runInThisContext()), join(folder, "this")),
    JOB.runInThisContext() as Job,
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function imported(load: unknown): object {
  return (load as (require: NodeJS.Require) => object)(createRequire(import.meta.url));
}

async function told(run: (job: Job) => Promise<string>, job: Job): Promise<readonly unknown[]> {
  return JSON.parse(await run(job)) as readonly unknown[];
}

test("one realm only", () => {
  expect(expected.filter((one) => one === "nothing")).toEqual([]);
  expect(expected.filter((one) => one === false)).toEqual([]);
  expect(expected.length).toBeGreaterThan(25);
});

test.each(Object.keys(CONTEXTS))("data of a %s context", async (kind) => {
  const context = createContext({ ...CONTEXTS[kind] });
  const dir = join(folder, `data ${kind}`);
  const found = await told((job) => job(imported(script.runInThisContext()), dir), JOB.runInContext(context) as Job);
  expect(found).toEqual(expected);
});

test.each(Object.keys(CONTEXTS))("all of it in a %s context", async (kind) => {
  const context = createContext({ ...CONTEXTS[kind] });
  const dir = join(folder, `all ${kind}`);
  const found = await told((job) => job(imported(script.runInContext(context)), dir), JOB.runInContext(context) as Job);
  expect(found).toEqual(expected);
});
