// Trains, measures, saves and loads while all that JavaScript has of time stands still. Arguments: who puts the false clocks
// in place, and whether before or after the import. Prints what came out.
import { mkdtempSync, rmSync, writeSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import timers from "node:timers";

const ignored = (): number => 0;

const WAYS: Readonly<Record<string, () => Promise<void> | void>> = {
  nobody: () => undefined,
  // Whatever anybody fakes, and time never goes on.
  everything() {
    const names = ["setTimeout", "setInterval", "setImmediate", "clearTimeout", "clearInterval", "clearImmediate"];
    for (const target of [globalThis, timers]) {
      for (const name of names) Object.defineProperty(target, name, { value: ignored });
    }
    Object.defineProperty(globalThis, "queueMicrotask", { value: ignored });
    Object.defineProperty(globalThis, "performance", { value: { now: ignored, mark: ignored, measure: ignored } });
    Object.defineProperty(Date, "now", { value: ignored });
    Object.defineProperty(process, "nextTick", { value: ignored });
    Object.defineProperty(process, "hrtime", { value: () => [0, 0] });
    syncBuiltinESMExports();
  },
  async "node:test"() {
    const { mock } = await import("node:test");
    mock.timers.enable();
  },
};

const [way = "nobody", when = "before"] = process.argv.slice(2);
if (when === "before") await WAYS[way]?.();
const { adam, dataset, earlyStopping, fit, linear, binaryCrossEntropy, loadModel, relu, sequential } = await import(
  "carillon"
);
if (when === "after") await WAYS[way]?.();

const x = Array.from({ length: 400 }, (_, index) => [Math.sin(index), Math.cos(3 * index)]);
const y = x.map(([a = 0, b = 0]) => (a * b > 0 ? 1 : 0));
const model = sequential(linear(2, 16), relu(), linear(16, 1));
const folder = mkdtempSync(join(tmpdir(), "carillon-clocks-"));
const settings = {
  loss: binaryCrossEntropy(),
  optimizer: adam(),
  metrics: ["accuracy", "auc"],
  epochs: 5,
  seed: 1,
} as const;

const run = fit(model, {
  ...settings,
  data: { x, y },
  validation: { x, y },
  callbacks: [earlyStopping({ monitor: "validation.loss", patience: 3 })],
  checkpoint: { dir: join(folder, "checkpoints"), every: { epochs: 1 } },
  reportEvery: 1,
});
let paused = false;
let events = 0;
for await (const { kind } of run) {
  if (kind === "step") continue; // as many as a reader is in time for
  events += 1;
  if (kind !== "epoch" || paused) continue;
  paused = true;
  run.pause();
  run.resume();
}
const stream = dataset(() => x.map((row, index) => ({ x: row, y: y[index] ?? 0 })), { shuffleBuffer: 100 });
const { step } = await fit(model, { ...settings, data: stream, validation: { x, y } });
const evaluation = await model.evaluate({ x, y }, { loss: settings.loss, metrics: settings.metrics });
await model.save(join(folder, "model.safetensors"));
const loaded = await loadModel(join(folder, "model.safetensors"));
const [first] = (await loaded.predict(x)).data;
rmSync(folder, { recursive: true });
writeSync(1, JSON.stringify({ events, step, evaluation, first }));
