import { fail, isPromise } from "../errors.js";
import { unlessAborted } from "../signals.js";
import { blockForm, type ExampleShape } from "./block.js";
import { ExampleReader, failNoExamples } from "./example_reader.js";
import { type Answers, Measurement, type Questions } from "./measure.js";
import { type Dataset, END } from "./stream.js";
import { Turns } from "./turns.js";

/** Reads a stream once, in its order, for figures over all of its examples, and says how many it has read. Rejects with the reason of an abort. */
export async function measureStream(
  where: string,
  dataset: Dataset,
  shape: ExampleShape,
  questions: Questions,
  signal?: AbortSignal | undefined,
  read?: ((examples: number) => void) | undefined,
): Promise<Answers> {
  const kinds = [...questions.inputs, ...questions.targets.map(({ transform }) => transform)];
  const purpose = `'${kinds.find((transform) => transform !== undefined)?.kind ?? "balanced"}'`;
  dataset.expectPasses(where, purpose);
  const measurement = new Measurement(blockForm(where, shape), questions);
  const reader = new ExampleReader(where, shape);
  const turns = new Turns(signal);
  const pass = await dataset.open(where, purpose, signal);
  let examples = 0;
  try {
    for (;;) {
      const given = pass.next();
      const item = isPromise(given) ? await unlessAborted(signal, Promise.resolve(given)) : given;
      if (item === END) break;
      reader.begin(item);
      for (; reader.left > 0; examples++) {
        reader.measure(measurement);
        if (turns.over) await turns.next();
      }
      read?.(examples);
    }
  } finally {
    await pass.close();
  }
  if (examples === 0) failNoExamples(where, 1);
  const { weightless } = reader;
  if (weightless !== undefined) fail("ERR_DATA", weightless, "a weight above 0 somewhere", "only zeros");
  return measurement.answers();
}
