// What it costs that calls are gathered: of one that is alone, and of 2,000 at once.
import { fixed, median, type SuiteOptions } from "../report.js";
import { floats, modelOf, type Network, nameOf } from "./entrants.js";

const CALLS = 2000;
const ALONE = 500;
const TURNS = 7;

export interface Gathered {
  readonly network: string;
  readonly calls: number;
  /** µs from `submit` of one row to its answer, and above `run` of it: nobody else is there. */
  readonly submit: number;
  readonly submitAdds: number;
  /** The same of `await model.predict`. */
  readonly predict: number;
  /** Milliseconds of one `predict` with as many rows as calls. */
  readonly oneBatch: number;
  /** Milliseconds of so many calls at once, over those of one batch. */
  readonly submitted: number;
  readonly predicted: number;
}

async function timed(work: () => unknown): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

export async function measureGathered(network: Network, { quick, print }: SuiteOptions): Promise<Gathered> {
  const model = modelOf(network);
  const inputs = Number(model.inputs);
  const predictor = model.predictor();
  const all = floats(CALLS * inputs, 3);
  const rows = Array.from({ length: CALLS }, (_, row) => all.subarray(row * inputs, (row + 1) * inputs));
  const [row = all] = rows;
  const into = new Float32Array(Number(model.outputs));
  const turns = quick ? 1 : TURNS;
  const times: Record<"run" | "submit" | "predict" | "oneBatch" | "submitted" | "predicted", number[]> = {
    run: [],
    submit: [],
    predict: [],
    oneBatch: [],
    submitted: [],
    predicted: [],
  };
  for (let turn = -1; turn < turns; turn++) {
    const taken = {
      run: await timed(() => {
        for (let call = 0; call < ALONE; call++) predictor.run(row, into);
      }),
      submit: await timed(async () => {
        for (let call = 0; call < ALONE; call++) await predictor.submit(row);
      }),
      predict: await timed(async () => {
        for (let call = 0; call < ALONE; call++) await model.predict(row);
      }),
      oneBatch: await timed(() => model.predict(all)),
      submitted: await timed(() => Promise.all(rows.map((each) => predictor.submit(each)))),
      predicted: await timed(() => Promise.all(rows.map((each) => model.predict(each)))),
    };
    if (turn < 0 && !quick) continue; // warms up
    for (const [name, list] of Object.entries(times)) list.push(taken[name as keyof typeof taken]);
  }
  const each = (list: readonly number[]): number => (1000 * median(list)) / ALONE;
  const result: Gathered = {
    network: nameOf(network),
    calls: CALLS,
    submit: each(times.submit),
    submitAdds: median(times.submit.map((value, at) => (1000 * (value - (times.run[at] ?? 0))) / ALONE)),
    predict: each(times.predict),
    oneBatch: median(times.oneBatch),
    submitted: median(times.submitted.map((value, at) => value / (times.oneBatch[at] ?? Number.NaN))),
    predicted: median(times.predicted.map((value, at) => value / (times.oneBatch[at] ?? Number.NaN))),
  };
  print(
    `${result.network}: submit of a row ${fixed(result.submit, 1)} µs, ${fixed(result.submitAdds, 1)} above run; ` +
      `predict ${fixed(result.predict, 1)} µs; ${CALLS} rows as one ${fixed(result.oneBatch, 1)} ms, ` +
      `as calls of submit ${fixed(result.submitted, 2)} ×, of predict ${fixed(result.predicted, 2)} ×`,
  );
  return result;
}
