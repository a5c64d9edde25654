import { adam, binaryCrossEntropy, embeddingBag, fit, linear, sequential, spec, type Tensor, tensor } from "carillon";
import type { Reviews } from "./reviews.js";

/** Columns that words are hashed into: no list of words is needed, and no two of these few meet in one. */
export const COLUMNS = 2 ** 18;

/** FNV-1a over the UTF-8 bytes of a word. */
function hashOf(word: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(word)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** Numbers of the words of texts, and of their pairs of neighbours if `pairs`: [texts, longest] i32, −1 behind the end of a text. */
export function hashed(texts: readonly string[], pairs: boolean, longest: number): Tensor<"i32"> {
  const ids = new Int32Array(texts.length * longest).fill(-1);
  for (const [row, text] of texts.entries()) {
    const words = text.toLowerCase().match(/\p{L}+/gu) ?? [];
    const grams = pairs ? [...words, ...words.slice(1).map((word, index) => `${words[index]} ${word}`)] : words;
    for (const [place, gram] of grams.slice(0, longest).entries()) ids[row * longest + place] = hashOf(gram) % COLUMNS;
  }
  return tensor(ids, [texts.length, longest]);
}

/** Words and pairs of a review at most. */
const LONGEST = 40;

/** What is asked of a run. */
export interface Training {
  readonly epochs: number;
  readonly seed: number;
  /** Whether neighbours count as a word of their own: "not good". */
  readonly pairs: boolean;
}

/** The share of new reviews that a bag of hashed words judges as they are meant, after the last epoch. */
export async function learnReviews(
  data: Reviews,
  validation: Reviews,
  { epochs, seed, pairs }: Training,
): Promise<number> {
  const model = sequential(
    { input: spec(["batch", LONGEST], "i32") },
    embeddingBag(COLUMNS, 16, { rows: "touched" }),
    linear(16, 1),
  );
  const run = await fit(model, {
    data: { x: hashed(data.texts, pairs, LONGEST), y: data.y },
    validation: { x: hashed(validation.texts, pairs, LONGEST), y: validation.y },
    loss: binaryCrossEntropy(),
    optimizer: adam({ lr: 0.003 }),
    metrics: ["accuracy"],
    batchSize: 64,
    epochs,
    seed,
  });
  return run.history.at(-1)?.validation.metrics.accuracy ?? Number.NaN;
}
