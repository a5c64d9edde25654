import { madeBy } from "../../described.js";
import { fail } from "../../errors.js";
import { checkKeys, checkNumber } from "../../options.js";
import { eachLevel } from "../column.js";
import type { BagEncoder, ColumnTransform } from "./transform.js";
import { isMissing, textOf } from "./transform.js";

/** Shortest and longest of the pieces that a text is cut into. */
export type Lengths = readonly [least: number, most: number];

/** Options of {@link hashedText}. */
export interface HashedTextOptions {
  /** Rows of the table that pieces are looked up in, a power of two; 2¹⁸ by default. */
  readonly buckets?: number | undefined;
  /** Words that follow one another; `[1, 2]` by default, `[0, 0]` for none. */
  readonly words?: Lengths | undefined;
  /** Characters of a word with a space on either side; `[3, 5]` by default, `[0, 0]` for none. */
  readonly characters?: Lengths | undefined;
  /** Most different pieces of a text, from its beginning; 1024 by default. */
  readonly most?: number | undefined;
}

const WORD = /[\p{L}\p{N}_]+/gu;

/** FNV-1a over the 16-bit units [begin, end) of a text, each as its two bytes, low byte first. */
function hashOf(text: string, begin: number, end: number, seed: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let at = begin; at < end; at++) {
    const unit = text.charCodeAt(at);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193);
  }
  // The last steps of MurmurHash3: its low bits are then of all bytes.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Keep pieces of words and of characters apart. */
const OF_WORDS = 0;
const OF_CHARACTERS = 1;

function checkLengths(where: string, given: Lengths): Lengths {
  if (!Array.isArray(given) || given.length !== 2) return fail("ERR_OPTION", where, "two lengths", given);
  const least = checkNumber(`${where}[0]`, given[0], { min: 0, integer: true });
  const most = checkNumber(`${where}[1]`, given[1], { min: least, max: 16, integer: true });
  if (least === 0 && most > 0) fail("ERR_OPTION", `${where}[0]`, "an integer >= 1", least);
  return [least, most];
}

/**
 * A text as a bag of its pieces: neighbouring words, and characters of each word with a space on either side, in small letters. A piece is the number of a bucket:
 * FNV-1a over its UTF-16 units, low byte first, mixed by the last steps of MurmurHash3, modulo the buckets. A piece counts once, as does each of
 * those that share a bucket; there is no list of words. Nothing is fitted but the most pieces of a training row.
 */
export function hashedText(options: HashedTextOptions = {}): ColumnTransform {
  checkKeys("hashedText", options, ["buckets", "words", "characters", "most"]);
  const buckets = checkNumber("hashedText.buckets", options.buckets ?? 262_144, {
    min: 2,
    max: 1_073_741_824,
    integer: true,
  });
  if ((buckets & (buckets - 1)) !== 0) fail("ERR_OPTION", "hashedText.buckets", "a power of two", buckets);
  const words = checkLengths("hashedText.words", options.words ?? [1, 2]);
  const characters = checkLengths("hashedText.characters", options.characters ?? [3, 5]);
  const most = checkNumber("hashedText.most", options.most ?? 1024, { min: 1, max: 65_536, integer: true });
  const wordsOf = (text: string): readonly string[] => text.toLowerCase().match(WORD) ?? [];
  /** Pieces, equal ones too: no text has more ids. */
  const countOf = (found: readonly string[]): number => {
    let count = 0;
    for (let length = Math.max(1, words[0]); length <= words[1]; length++)
      count += Math.max(0, found.length - length + 1);
    for (let length = Math.max(1, characters[0]); length <= characters[1]; length++)
      for (const word of found) count += Math.max(0, word.length + 3 - length);
    return count;
  };
  const idsOf = (found: readonly string[]): readonly number[] => {
    const ids = new Set<number>();
    for (let place = 0; place < found.length && ids.size < most; place++) {
      let piece = "";
      for (let length = 1; length <= words[1] && place + length <= found.length; length++) {
        piece = length === 1 ? (found[place] ?? "") : `${piece} ${found[place + length - 1]}`;
        if (length >= words[0] && ids.size < most) ids.add(hashOf(piece, 0, piece.length, OF_WORDS) & (buckets - 1));
      }
      if (characters[1] === 0) continue;
      const spaced = ` ${found[place]} `;
      for (let length = characters[0]; length <= Math.min(characters[1], spaced.length); length++) {
        for (let at = 0; at + length <= spaced.length && ids.size < most; at++)
          ids.add(hashOf(spaced, at, at + length, OF_CHARACTERS) & (buckets - 1));
      }
    }
    return [...ids];
  };
  const transform: ColumnTransform = {
    kind: "hashedText",
    takes: ["text", "category"],
    fitter(name, schema) {
      let widest = 1;
      return {
        add(column) {
          if (column.kind !== "text") return fail("ERR_DATA", `column '${name}'`, "texts", `${column.kind}s`);
          eachLevel(column, (level) => {
            if (widest >= most || isMissing(level, schema)) return;
            const found = wordsOf(level);
            if (countOf(found) > widest) widest = Math.max(widest, idsOf(found).length);
          });
        },
        finish: () => ({ most: widest }),
      };
    },
    encoder(_, schema, state): BagEncoder {
      const widest = state.at("most").count(1, most);
      return {
        gives: "bag",
        buckets,
        most: widest,
        ids: (where, value) => (isMissing(value, schema) ? [] : idsOf(wordsOf(textOf(where, value))).slice(0, widest)),
      };
    },
  };
  return madeBy(
    "hashedText",
    { buckets, words: [...words], characters: [...characters], most },
    Object.freeze(transform),
  );
}
