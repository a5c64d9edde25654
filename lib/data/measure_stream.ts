import { balancedFactors } from "./bind.js";
import { classesOf, ExampleReader, failNoExamples, type ReaderOptions } from "./example_reader.js";
import { type Dataset, END, failOneShot } from "./stream.js";
import { ColumnStatistics, type Transform, type Transforms } from "./transform.js";
import { Turns, unlessAborted } from "./turns.js";

/** What a first pass over a stream is to find out. */
export interface StreamQuestions {
  readonly inputs: Transform | undefined;
  readonly targets: Transform | undefined;
  /** Whether the factors of balanced classes are wanted. */
  readonly balanced: boolean;
}

/** What a first pass found. */
export interface StreamAnswers {
  readonly transforms: Transforms;
  readonly classFactors: readonly number[] | undefined;
}

/** Reads a stream once, in its order, for figures over all of its examples. Rejects with the reason of an abort. */
export async function measureStream(
  dataset: Dataset,
  options: ReaderOptions,
  { inputs, targets, balanced }: StreamQuestions,
  signal?: AbortSignal | undefined,
): Promise<StreamAnswers> {
  const { where } = options;
  const purpose = `'${inputs?.kind ?? targets?.kind ?? "balanced"}'`;
  if (dataset.oneShot) failOneShot(where, purpose, dataset);
  const inputStatistics = inputs === undefined ? undefined : new ColumnStatistics(options.inputs);
  const targetStatistics = targets === undefined ? undefined : new ColumnStatistics(options.outputs);
  const counts = balanced ? new Array<number>(classesOf(options)).fill(0) : undefined;
  const reader = new ExampleReader(options);
  const turns = new Turns(signal);
  const pass = await dataset.open(where, purpose, signal);
  let examples = 0;
  try {
    for (;;) {
      const given = pass.next();
      const item = given instanceof Promise ? await unlessAborted(signal, given) : given;
      if (item === END) break;
      reader.begin(item);
      for (; reader.left > 0; examples++) {
        reader.measure(inputStatistics, targetStatistics, counts);
        if (turns.over) await turns.next();
      }
    }
  } finally {
    await pass.close();
  }
  if (examples === 0) failNoExamples(where, 1);
  return {
    transforms: {
      inputs: inputs === undefined ? undefined : inputStatistics?.fit(inputs),
      targets: targets === undefined ? undefined : targetStatistics?.fit(targets),
    },
    classFactors: counts === undefined ? undefined : balancedFactors(counts),
  };
}
