// A CSV of any size, generated as it is read, and the training on it.
import { pipeline, Readable } from "node:stream";
import {
  adam,
  crossEntropy,
  type Dataset,
  dataset,
  dropout,
  type EpochEvent,
  fit,
  linear,
  relu,
  type StreamExample,
  sequential,
} from "carillon";
import { parse } from "csv-parse";

export const FEATURES = 16;
const CHUNK = 65_536;

/** How much was written and read so far. */
export interface Meter {
  bytes: number;
  rows: number;
}

/** Words in [0, 2³²), one after another (Numerical Recipes' linear congruential generator). */
function next(state: number): number {
  return (Math.imul(state, 1664525) + 1013904223) >>> 0;
}

/**
 * Text of at least `bytes` bytes: a line of names, then lines of 16 numbers in [0, 1) with ten digits and a label, which says
 * whether the first four add up to more than the next four.
 */
export function* csvText(bytes: number, meter: Meter): Generator<Buffer> {
  const names = Array.from({ length: FEATURES }, (_, column) => `feature${column}`);
  let text = `${names.join(",")},label\n`;
  let state = 1;
  while (meter.bytes < bytes) {
    while (text.length < CHUNK) {
      let balance = 0;
      for (let column = 0; column < FEATURES; column++) {
        state = next(state);
        if (column < 4) balance += state;
        else if (column < 8) balance -= state;
        text += `0.${String(state).padStart(10, "0")},`; // state < 2³² < 10¹⁰
      }
      text += balance > 0 ? "1\n" : "0\n";
    }
    const chunk = Buffer.from(text, "latin1");
    text = "";
    meter.bytes += chunk.length;
    yield chunk;
  }
}

/** The examples of such a text, read through csv-parse. */
export function csvExamples(bytes: number, meter: Meter, shuffleBuffer: number): Dataset {
  return dataset(
    async function* (): AsyncGenerator<StreamExample> {
      meter.bytes = 0;
      meter.rows = 0;
      const text = Readable.from(csvText(bytes, meter), { objectMode: false, highWaterMark: 4 * CHUNK });
      const parser = parse({ fromLine: 2 });
      pipeline(text, parser, () => undefined); // the parser tells its reader of errors
      for await (const record of parser as AsyncIterable<readonly string[]>) {
        const x = new Float32Array(FEATURES);
        for (let column = 0; column < FEATURES; column++) x[column] = Number(record[column]);
        meter.rows += 1;
        yield { x, y: Number(record[FEATURES]) };
      }
    },
    { shuffleBuffer },
  );
}

/** What a run over a CSV is told. */
export interface CsvRun {
  readonly bytes: number;
  readonly shuffleBuffer: number;
  readonly meter: Meter;
  /** Called from time to time. */
  progress(step: number, loss: number): void;
}

/** One epoch; its event says how well the last half of it went. */
export async function trainOnCsv({ bytes, shuffleBuffer, meter, progress }: CsvRun): Promise<EpochEvent<"accuracy">> {
  const model = sequential(linear(FEATURES, 64), relu(), dropout(0.1), linear(64, 2));
  const run = fit(model, {
    data: csvExamples(bytes, meter, shuffleBuffer),
    loss: crossEntropy(),
    optimizer: adam({ lr: 0.003 }),
    metrics: ["accuracy"],
    batchSize: 64,
    epochs: 1,
    seed: 1,
    reportEvery: 100,
  });
  for await (const event of run) if (event.kind === "step") progress(event.step, event.loss);
  const [epoch] = (await run).history;
  if (epoch === undefined) throw new Error("the epoch did not end");
  return epoch;
}
