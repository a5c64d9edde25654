// Two networks that foretell the next letter of each of 64, and what they write.
import {
  adam,
  crossEntropy,
  embedding,
  type FitEvent,
  fit,
  gru,
  layerNorm,
  linear,
  type Model,
  positions,
  sequential,
  spec,
  transformerBlock,
} from "carillon";
import { numbersOf, rowsOf, TIME, textOf, VOCABULARY } from "./text.js";

/** Takes and gives rows of letters. */
type Writer = Model<typeof TIME, readonly [typeof TIME, number], "i32">;

const input = spec(["batch", TIME], "i32");
const SIZE = 64;

export const transformer = (): Writer =>
  sequential(
    { input },
    embedding(VOCABULARY, SIZE),
    positions("learned", { time: TIME, size: SIZE }),
    transformerBlock(SIZE, 4, { causal: true }),
    transformerBlock(SIZE, 4, { causal: true }),
    layerNorm(SIZE),
    linear(SIZE, VOCABULARY),
  );

export const recurrent = (): Writer =>
  sequential(
    { input },
    embedding(VOCABULARY, SIZE),
    gru(SIZE, 2 * SIZE, { sequences: true }),
    linear(2 * SIZE, VOCABULARY),
  );

/** How a network is trained. */
export interface Training {
  readonly epochs: number;
  /** Letters between the beginnings of two rows. */
  readonly stride: number;
  readonly seed: number;
}

/** Mean losses of the epochs, in nats a letter. */
export async function learn(model: Writer, { epochs, stride, seed }: Training): Promise<readonly number[]> {
  const losses: number[] = [];
  const own = { optimizer: adam({ lr: ({ step, steps }) => 0.003 * (1 - (step - 1) / steps) }), loss: crossEntropy() };
  const run = fit(model, { data: rowsOf(stride), batchSize: 32, clip: { norm: 1 }, epochs, seed, ...own });
  for await (const event of run as AsyncIterable<FitEvent>) if (event.kind === "epoch") losses.push(event.loss);
  return losses;
}

/** How a text is drawn. */
const DRAWN = { temperature: 0.5, topK: 10, seed: 1 } as const;

/**
 * What a network writes behind a beginning: letter by letter, with what it keeps of those before, keys and values or a state. A text is begun anew every 64
 * letters, from the last 32.
 */
export async function written(model: Writer, beginning: string, letters: number): Promise<string> {
  let text = beginning;
  while (text.length < beginning.length + letters) {
    const generator = model.generator();
    const half = text.slice(-TIME / 2);
    const numbers: number[] = [];
    for await (const number of generator.generate(numbersOf(half), { ...DRAWN, seed: text.length }))
      numbers.push(number);
    text += textOf(numbers);
  }
  return text.slice(0, beginning.length + letters);
}
