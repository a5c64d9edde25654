import { adam, binaryCrossEntropy, embeddingBag, fit, type Lists, linear, ragged, sequential } from "carillon";
import type { Reviews } from "./reviews.js";

/** Columns that words are hashed into: no list of words is needed, and no two of these few meet in one. */
export const COLUMNS = 2 ** 18;

/** FNV-1a over the UTF-8 bytes of a word. */
function hashOf(word: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(word)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** Numbers of the words of texts, and of their pairs of neighbours if `pairs`: a list a text, as long as it is. */
export function hashed(texts: readonly string[], pairs: boolean): Lists {
  const offsets = new Int32Array(texts.length + 1);
  const ids: number[] = [];
  for (const [row, text] of texts.entries()) {
    const words = text.toLowerCase().match(/\p{L}+/gu) ?? [];
    const grams = pairs ? [...words, ...words.slice(1).map((word, index) => `${words[index]} ${word}`)] : words;
    for (const gram of grams) ids.push(hashOf(gram) % COLUMNS);
    offsets[row + 1] = ids.length;
  }
  return { offsets, ids: Int32Array.from(ids) };
}

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
  const model = sequential({ input: ragged("i32") }, embeddingBag(COLUMNS, 16, { rows: "touched" }), linear(16, 1));
  const run = await fit(model, {
    data: { x: hashed(data.texts, pairs), y: data.y },
    validation: { x: hashed(validation.texts, pairs), y: validation.y },
    loss: binaryCrossEntropy(),
    optimizer: adam({ lr: 0.003 }),
    metrics: ["accuracy"],
    batchSize: 64,
    epochs,
    seed,
  });
  return run.history.at(-1)?.validation.metrics.accuracy ?? Number.NaN;
}
