// Ten of Shakespeare's sonnets (1609), letter by letter.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { type Tensor, tensor } from "carillon";

// Found by the name of the package, so that it is the same from the source and from a bundle of it.
const examples = join(dirname(createRequire(import.meta.url).resolve("carillon/package.json")), "examples");

export const TEXT = readFileSync(join(examples, "characters/sonnets.txt"), "utf8");

/** Letters that occur, in the order of their code units: a letter's place is its number. */
const LETTERS = [...new Set(TEXT)].sort();

export const VOCABULARY = LETTERS.length;

/** Letters that a row shows. */
export const TIME = 64;

const PLACES = new Map(LETTERS.map((letter, place) => [letter, place]));

export const numbersOf = (text: string): number[] => [...text].map((letter) => PLACES.get(letter) ?? 0);

export const textOf = (numbers: readonly number[]): string => numbers.map((number) => LETTERS[number] ?? "").join("");

/** Rows of 64 letters, one beginning every `stride` letters, and the letter that follows each. */
export function rowsOf(stride: number): { readonly x: Tensor<"i32">; readonly y: Tensor<"i32"> } {
  const numbers = numbersOf(TEXT);
  const begins = Array.from({ length: Math.floor((numbers.length - TIME - 1) / stride) + 1 }, (_, row) => row * stride);
  const rows = (ahead: number): Tensor<"i32"> => {
    const letters = begins.flatMap((begin) => numbers.slice(begin + ahead, begin + ahead + TIME));
    return tensor(Int32Array.from(letters), [begins.length, TIME]);
  };
  return { x: rows(0), y: rows(1) };
}

const wordsOf = (text: string): readonly string[] => text.toLowerCase().match(/[a-z'-]+/g) ?? [];

const KNOWN = new Set(wordsOf(TEXT));

/** The share of the words of a text that the sonnets have; the last one, which may be cut off, does not count. */
export function knownShare(text: string): number {
  const words = wordsOf(text).slice(0, -1);
  return words.filter((word) => KNOWN.has(word)).length / Math.max(words.length, 1);
}
