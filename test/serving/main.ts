// npm run serving-test [-- --minutes 10 --seed 1] [--quick]: random callers of a predictor, aborts, refreshes and a training beside, then
// a million calls of `run(x, into)`. Fails where a call is lost, answered twice or wrongly, or where memory grows.
import { PerformanceObserver } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { linear, relu, runtime, sequential } from "carillon";
import { collected } from "../collected.js";
import { callAtRandom } from "./callers.js";

const MEGABYTE = 1_048_576;

/** Bytes by which the memory of JavaScript may grow, which the training's history takes, and that of the process: what an allocator keeps. */
const MOST_HEAP = 4 * MEGABYTE;
const MOST_GROWTH = 64 * MEGABYTE;

/** Bytes that looking at memory takes itself: less than one a call. */
const LOOKING = 1_048_576;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: "1" },
    quick: { type: "boolean", default: false },
  },
});

/** Bytes on JavaScript's heap and outside of it, and native allocations, by so many calls. */
async function runMany(calls: number): Promise<{
  readonly heap: number;
  readonly external: number;
  readonly native: number;
  readonly collections: number;
}> {
  const model = sequential(linear(32, 64), relu(), linear(64, 2)).initialize(1);
  const predictor = model.predictor({ maxBatch: 1 });
  const [x, into] = [new Float32Array(32).fill(0.5), new Float32Array(2)];
  for (let call = 0; call < 20_000; call++) predictor.run(x, into);
  let collections = 0;
  const observer = new PerformanceObserver((list) => {
    collections += list.getEntries().length;
  });
  await collected();
  const before = process.memoryUsage();
  const { allocations } = runtime.memory();
  observer.observe({ entryTypes: ["gc"] });
  for (let call = 0; call < calls; call++) predictor.run(x, into);
  const after = process.memoryUsage();
  const native = runtime.memory().allocations - allocations;
  await new Promise((resolve) => setImmediate(resolve));
  observer.disconnect();
  const [heap, external] = [after.heapUsed - before.heapUsed, after.external - before.external];
  return { heap, external, native, collections };
}

const milliseconds = values.quick ? 1500 : 60_000 * Number(values.minutes);
const result = await callAtRandom(milliseconds, Number(values.seed));
const { before, after, problems, ...counts } = result;
console.log(JSON.stringify(counts));
const growth = {
  native: after.native - before.native,
  heap: after.heap - before.heap,
  resident: after.resident - before.resident,
};
console.log(`grown since the warm-up, bytes: ${JSON.stringify(growth)}`);
const many = await runMany(values.quick ? 100_000 : 1_000_000);
console.log(`run(x, into) again and again: ${JSON.stringify(many)}`);
const failures = [
  ...problems,
  ...(growth.native > 0 ? ["native memory grows"] : []),
  ...(growth.heap > MOST_HEAP ? ["JavaScript's memory grows"] : []),
  ...(growth.resident > MOST_GROWTH && !values.quick ? ["the process grows"] : []),
  ...(many.collections > 0 || many.native > 0 || many.external > LOOKING || many.heap > LOOKING
    ? ["run(x, into) allocates"]
    : []),
];
for (const failure of failures) console.error(failure);
console.log(failures.length === 0 ? "every call was answered once" : "FAILED");
process.exitCode = failures.length === 0 ? 0 : 1;
