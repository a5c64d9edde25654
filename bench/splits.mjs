// Splits of tables into rows to train on and rows to test by, and the scores of ours on them, for the scripts that write ours.json beside an oracle's scores.json.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** @typedef {import("../dist/index.js").Table} Table */
/** @typedef {{ target: string, task: string, scores: Record<string, number[] | Record<string, number[]>> }} Entry */

/**
 * Whether a row is a test row of a split: where hash(row, split) is below a fifth, as in the make_scores.py of each folder.
 *
 * @param {number} row @param {number} split
 */
function isTest(row, split) {
  let h = (Math.imul(row, 2654435761) + Math.imul(split, 0x9e3779b9) + 12345) >>> 0;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b) >>> 0;
  h = (h ^ (h >>> 13)) >>> 0;
  h = Math.imul(h, 0xc2b2ae35) >>> 0;
  h = (h ^ (h >>> 16)) >>> 0;
  return h < 0.2 * 2 ** 32;
}

/**
 * The rows of a split.
 *
 * @param {Table} all @param {number} split
 */
function partsOf(all, split) {
  const rows = Array.from({ length: all.rows }, (_, row) => row);
  const [train, test] = [rows.filter((row) => !isTest(row, split)), rows.filter((row) => isTest(row, split))];
  return { train: all.pick(train), test: all.pick(test) };
}

/**
 * The arguments `FOLDER [--option value …] [set …]`, with options of their own defaults.
 *
 * @param {Record<string, string>} defaults
 */
function argumentsOf(defaults) {
  const [folder = ".", ...sets] = process.argv.slice(2);
  const options = { ...defaults };
  while (sets[0]?.startsWith("--")) options[(sets.shift() ?? "").slice(2)] = sets.shift() ?? "";
  return { folder, options, sets };
}

/** @param {string} path */
function jsonOf(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return {};
  }
}

/** @param {number} value */
const rounded = (value) => Number(value.toPrecision(7));

/**
 * Scores what is still missing of ours: every kind on every split of every set of the folder that the arguments name. ours.json beside the script has figures
 * as it is given them, in lists by split, and grows with each; they are told beside those of scores.json, the oracle's.
 *
 * @param {string} url of the script
 * @param {Record<string, string>} defaults of the options: `splits`, and `names` of the option that says which kinds
 * @param {string} names
 * @param {(path: string) => Promise<Table>} read
 * @param {(kind: string, parts: { train: Table, test: Table }, of: { split: number, entry: Entry }) => Promise<number | Record<string, number>>} score
 */
export async function scoreAll(url, defaults, names, read, score) {
  const here = fileURLToPath(new URL(".", url));
  const { folder, options, sets } = argumentsOf(defaults);
  /** @type {Record<string, Entry>} */
  const scores = jsonOf(join(here, "scores.json"));
  const path = join(here, "ours.json");
  /** @type {Record<string, Record<string, number[] | Record<string, number[]>>>} */
  const ours = jsonOf(path);
  for (const name of sets.length > 0 ? sets : Object.keys(scores)) {
    const entry = scores[name];
    if (entry === undefined) throw new Error(`no oracle has scores of '${name}'`);
    const all = await read(join(folder, `${name}.csv`));
    for (let split = 0; split < Number(options.splits); split++) {
      const parts = partsOf(all, split);
      for (const kind of (options[names] ?? "").split(",")) {
        ours[name] ??= {};
        const known = ours[name][kind];
        const [first = []] = Array.isArray(known) ? [known] : Object.values(known ?? {});
        if (first.length > split) continue;
        const began = performance.now();
        const found = await score(kind, parts, { split, entry });
        const seconds = ((performance.now() - began) / 1000).toFixed(1);
        if (typeof found === "number") ours[name][kind] = [...first, rounded(found)];
        else {
          /** @type {Record<string, number[]>} */
          const before = Array.isArray(known) ? {} : (known ?? {});
          ours[name][kind] = Object.fromEntries(
            Object.entries(found).map(([figure, value]) => [figure, [...(before[figure] ?? []), rounded(value)]]),
          );
        }
        const beside = Object.entries(entry.scores).map(
          ([one, list]) =>
            `${one} ${(Array.isArray(list) ? [list] : Object.values(list)).map((own) => own[split]).join(" ")}`,
        );
        console.log(name, split, kind, found, "|", beside.join("; "), `| ${seconds} s`);
        writeFileSync(path, `${JSON.stringify(ours, undefined, 1)}\n`);
      }
    }
  }
}
