// Splits of tables into rows to train on and rows to test by, and the scores of ours on them, for the scripts that write ours.json beside an oracle's scores.json.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

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
 * @param {import("../dist/index.js").Table} all @param {number} split
 */
export function partsOf(all, split) {
  const rows = Array.from({ length: all.rows }, (_, row) => row);
  const [train, test] = [rows.filter((row) => !isTest(row, split)), rows.filter((row) => isTest(row, split))];
  return { train: all.pick(train), test: all.pick(test) };
}

/**
 * The arguments `FOLDER [--option value …] [set …]`, with options of their own defaults.
 *
 * @template {string} K
 * @param {Record<K, string>} defaults
 */
export function argumentsOf(defaults) {
  const [folder = ".", ...sets] = process.argv.slice(2);
  /** @type {Record<K, string>} */
  const options = { ...defaults };
  while (sets[0]?.startsWith("--")) {
    const key = /** @type {K} */ ((sets.shift() ?? "").slice(2));
    options[key] = sets.shift() ?? "";
  }
  return { folder, options, sets };
}

/**
 * The scores of an oracle and ours in the folder of a script, by set, and a function that writes ours.
 *
 * @template T
 * @param {string} url of the script
 */
export function scoresBeside(url) {
  const here = fileURLToPath(new URL(".", url));
  const scores = JSON.parse(readFileSync(join(here, "scores.json"), "utf8"));
  const path = join(here, "ours.json");
  /** @type {Record<string, Record<string, T>>} */
  let ours = {};
  try {
    ours = JSON.parse(readFileSync(path, "utf8"));
  } catch {}
  const keep = () => writeFileSync(path, `${JSON.stringify(ours, undefined, 1)}\n`);
  return { scores, ours, keep };
}
