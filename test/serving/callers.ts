// Callers who come at random, with aborts, refreshes and trainings beside: every call is answered once, with what its own row gives by
// one of the weights that the model had meanwhile.
import { fit, linear, type Model, mse, relu, runtime, sequential, sgd, tensor } from "carillon";
import { collected } from "../collected.js";
import { numbers } from "../train/synthetic.js";

export interface CallersResult {
  readonly calls: number;
  readonly answered: number;
  readonly aborted: number;
  readonly refused: number;
  readonly refreshes: number;
  readonly batches: number;
  readonly largest: number;
  /** What was wrong, if anything. */
  readonly problems: readonly string[];
  /** After a warm-up and at the end, each behind a collection. */
  readonly before: Memory;
  readonly after: Memory;
}

/** Bytes. */
interface Memory {
  /** Native, of Carillon. */
  readonly native: number;
  /** Of JavaScript, with its buffers. */
  readonly heap: number;
  /** Of the process: what an allocator keeps, too. */
  readonly resident: number;
}

const INPUTS = 8;
const MOST_ROWS = 5;
const BURST = 40;

/** Calls that are made in any case, on a machine that has no time for us, too. */
const LEAST_CALLS = 500;

/** Share of the time before memory is looked at first. */
const WARM_UP = 0.3;

/**
 * y = s·(x₁ + …, x₁ − …): with weights of the stage s every output of a row is s times that of stage 1, exactly, as s is a power of two.
 * So an answer tells which weights it has, and whether all of it has the same.
 */
function network(): { readonly model: Model; readonly scale: (stage: number) => void } {
  const model = sequential(linear(INPUTS, 16), relu(), linear(16, 3, { bias: false })).initialize(1);
  const first = model.weights();
  const last = first.get("linear2.weight");
  const scale = (stage: number): void => {
    const scaled = tensor(last?.data.map((value) => value * 2 ** stage) ?? [0], [3, 16]);
    model.setWeights(new Map([...first, ["linear2.weight", scaled]]));
  };
  return { model, scale };
}

/** The stage whose weights gave `y` in the place of `expected`; undefined for none, or for several. */
function stageOf(y: Float32Array, expected: Float32Array): number | undefined {
  const at = expected.findIndex((value) => value !== 0);
  const stage = at < 0 ? 0 : Math.log2((y[at] ?? Number.NaN) / (expected[at] ?? 1));
  return y.length === expected.length && y.every((value, index) => value === (expected[index] ?? 0) * 2 ** stage)
    ? stage
    : undefined;
}

export async function callAtRandom(milliseconds: number, seed: number): Promise<CallersResult> {
  const next = numbers(seed);
  const pick = (count: number): number => Math.floor(next() * count);
  const { model, scale } = network();
  const predictor = model.predictor({ maxBatch: 16, maxQueue: 64 });
  const reference = model.predictor({ maxBatch: MOST_ROWS });
  const problems: string[] = [];
  let [calls, answered, aborted, refused, stage] = [0, 0, 0, 0, 0];
  const problem = (text: string): void => {
    if (problems.length < 10) problems.push(text);
  };

  async function one(): Promise<void> {
    const x = Float32Array.from({ length: INPUTS * (1 + pick(MOST_ROWS)) }, () => 2 * next() - 1);
    const expected = reference.run(x).data;
    const abort = pick(4) === 0 ? new AbortController() : undefined;
    if (abort !== undefined) setTimeout(() => abort.abort(abort), pick(3));
    calls += 1;
    let ends = 0;
    try {
      const { data } = await predictor.submit(x, { signal: abort?.signal });
      ends += 1;
      answered += 1;
      const seen = stageOf(data, expected);
      if (seen === undefined || seen < 0 || seen > stage) problem(`stage ${seen} of ${stage}: ${data} for ${expected}`);
    } catch (error) {
      ends += 1;
      if (error === abort) aborted += 1;
      else if (error instanceof Error && "code" in error && error.code === "ERR_QUEUE_FULL") refused += 1;
      else problem(String(error));
    }
    if (ends !== 1) problem(`a call ended ${ends} times`);
  }

  /** Weights of the next stage, taken while calls go on; what comes behind it has them. */
  async function refresh(): Promise<void> {
    const wanted = (stage + 1) % 8;
    scale(wanted);
    stage = Math.max(stage, wanted);
    await predictor.refresh();
    const x = new Float32Array(INPUTS).fill(0.5);
    const seen = stageOf(predictor.run(x).data, reference.run(x).data);
    if (seen !== wanted) problem(`stage ${seen} behind the refresh to ${wanted}`);
  }

  const training = sequential(linear(64, 256), relu(), linear(256, 1));
  const data = { x: new Float32Array(64 * 64).fill(0.1), y: new Float32Array(64) };
  const run = fit(training, { data, loss: mse(), optimizer: sgd({ lr: 0 }), steps: 1_000_000_000, threads: 1 });
  const look = async (): Promise<Memory> => {
    await collected();
    const { heapUsed, external, rss } = process.memoryUsage();
    return { native: runtime.memory().bytes, heap: heapUsed + external, resident: rss };
  };
  // What is made once, is there.
  for (let time = 0; time < 2; time++) {
    await training.predict(data.x);
    await refresh();
  }
  const began = performance.now();
  let before: Memory | undefined;
  let refreshing: Promise<void> = Promise.resolve();
  while (performance.now() - began < milliseconds || calls < LEAST_CALLS) {
    const burst = Array.from({ length: pick(BURST) }, one);
    if (pick(20) === 0) refreshing = refreshing.then(refresh);
    if (pick(3) > 0) await Promise.all(burst);
    else await new Promise((resolve) => setTimeout(resolve, pick(3)));
    if (pick(200) === 0) await training.predict(data.x); // beside its run
    if (before === undefined && performance.now() - began > WARM_UP * milliseconds) before = await look();
  }
  await refreshing;
  await predictor.close();
  run.stop();
  await run;
  await new Promise((resolve) => setImmediate(resolve));
  const { statistics } = predictor;
  const after = await look();
  if (answered + aborted + refused !== calls) problem(`${calls} calls, ${answered} + ${aborted} + ${refused} ends`);
  if (statistics.queued !== 0 || statistics.computing !== 0) problem(`left over: ${JSON.stringify(statistics)}`);
  // A call may be answered in the moment of its abort.
  if (statistics.calls < answered || statistics.calls + statistics.aborted + statistics.refused > calls) {
    problem(`counted: ${JSON.stringify(statistics)} of ${calls} calls, ${answered} answered`);
  }
  return {
    calls,
    answered,
    aborted,
    refused,
    refreshes: statistics.refreshes,
    batches: statistics.batches,
    largest: statistics.largest,
    problems,
    before: before ?? after,
    after,
  };
}
