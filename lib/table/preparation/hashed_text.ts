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

/** Of FNV-1a, by which a hash of nothing begins. */
const BASIS = 0x811c9dc5;

/** FNV-1a of one 16-bit unit more, as its two bytes, low byte first. */
function hashedOn(hash: number, unit: number): number {
  return Math.imul(Math.imul(hash ^ (unit & 0xff), 0x01000193) ^ (unit >>> 8), 0x01000193);
}

/** The last steps of MurmurHash3: its low bits are then of all bytes. */
function mixed(hash: number): number {
  const first = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  const second = Math.imul(first ^ (first >>> 13), 0xc2b2ae35);
  return (second ^ (second >>> 16)) >>> 0;
}

/** Numbers in the order in which they come, each once, up to so many: memory that one text after another uses. */
class Distinct {
  readonly #most: number;
  readonly #mask: number;
  readonly #found: Int32Array;
  /** By the low bits of a number, −1 where none is; and which of them are in use. */
  readonly #slots: Int32Array;
  readonly #used: Int32Array;
  #count = 0;

  constructor(most: number) {
    const room = 4 << (32 - Math.clz32(most));
    this.#most = most;
    this.#mask = room - 1;
    this.#slots = new Int32Array(room).fill(-1);
    [this.#found, this.#used] = [new Int32Array(most), new Int32Array(most)];
  }

  get isFull(): boolean {
    return this.#count >= this.#most;
  }

  get count(): number {
    return this.#count;
  }

  clear(): void {
    for (let at = 0; at < this.#count; at++) this.#slots[this.#used[at] ?? 0] = -1;
    this.#count = 0;
  }

  add(id: number): void {
    if (this.isFull) return;
    let slot = id & this.#mask;
    while (this.#slots[slot] !== -1) {
      if (this.#slots[slot] === id) return;
      slot = (slot + 1) & this.#mask;
    }
    this.#slots[slot] = id;
    this.#used[this.#count] = slot;
    this.#found[this.#count] = id;
    this.#count += 1;
  }

  /** The first of them, until the next text. */
  first(most: number): Int32Array {
    return this.#found.subarray(0, Math.min(most, this.#count));
  }
}

/** Keep pieces of words and of characters apart. */
const OF_WORDS = 0;
const OF_CHARACTERS = 1;

const SPACE = 32;

/** Ids of what is missing. */
const NONE = new Int32Array();

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
  const least = Math.max(1, characters[0]);
  let distinct: Distinct | undefined;
  /** Units of a word with a space on either side, and the hash of the piece that begins with each. */
  let [units, hashes] = [new Uint16Array(64), new Int32Array(64)];
  const addCharacters = (word: string, ids: Distinct): void => {
    const length = word.length + 2;
    if (length > units.length) [units, hashes] = [new Uint16Array(2 * length), new Int32Array(2 * length)];
    units[0] = units[length - 1] = SPACE;
    for (let at = 0; at < word.length; at++) units[at + 1] = word.charCodeAt(at);
    hashes.fill(BASIS ^ OF_CHARACTERS, 0, length);
    for (let size = 1; size <= Math.min(characters[1], length); size++) {
      for (let at = 0; at + size <= length; at++) {
        const hash = hashedOn(hashes[at] ?? 0, units[at + size - 1] ?? 0);
        hashes[at] = hash;
        if (size >= least) ids.add(mixed(hash) & (buckets - 1));
      }
    }
  };
  /** Ids of a text: memory that the next text has, too. */
  const idsOf = (found: readonly string[]): Distinct => {
    distinct ??= new Distinct(most);
    distinct.clear();
    for (let place = 0; place < found.length && !distinct.isFull; place++) {
      let hash = BASIS ^ OF_WORDS;
      for (let length = 1; length <= words[1] && place + length <= found.length; length++) {
        const word = found[place + length - 1] ?? "";
        if (length > 1) hash = hashedOn(hash, SPACE);
        for (let at = 0; at < word.length; at++) hash = hashedOn(hash, word.charCodeAt(at));
        if (length >= words[0]) distinct.add(mixed(hash) & (buckets - 1));
      }
      if (characters[1] > 0) addCharacters(found[place] ?? "", distinct);
    }
    return distinct;
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
            if (countOf(found) > widest) widest = Math.max(widest, idsOf(found).count);
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
        ids: (where, value) => (isMissing(value, schema) ? NONE : idsOf(wordsOf(textOf(where, value))).first(widest)),
      };
    },
  };
  return madeBy(
    "hashedText",
    { buckets, words: [...words], characters: [...characters], most },
    Object.freeze(transform),
  );
}
