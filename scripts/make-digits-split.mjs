// Writes examples/digits/split.json: the rows of examples/data/digits.csv.gz that the examples keep for testing, 360 of
// 1,797, chosen at random with the same share of every digit (the last rows of the file come from other writers and
// are harder, so its end would be no fair test set). The other 1,437 rows are for training.
//
//     node scripts/make-digits-split.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";
import { bundleProgram, root } from "./tools.mjs";

const SEED = 1;
const TEST_ROWS = 360;

const bundle = join(root, "build/scripts/split.mjs");
await bundleProgram("lib/data/split.ts", bundle, []);
/** @type {typeof import("../lib/data/split.ts")} */
const { split } = await import(pathToFileURL(bundle).href);

const [, ...lines] = gunzipSync(readFileSync(join(root, "examples/data/digits.csv.gz")))
  .toString()
  .trim()
  .split("\n");
const digits = lines.map((line) => Number(line.slice(line.lastIndexOf(",") + 1)));
const rows = digits.map((_, row) => row);
const { validation } = split(
  { x: rows.map((row) => [row]), y: digits },
  { validation: TEST_ROWS, stratify: true, seed: SEED },
);
const test = validation.x.flat();
writeFileSync(
  join(root, "examples/digits/split.json"),
  `{
  "source": "node scripts/make-digits-split.mjs",
  "seed": ${SEED},
  "rows": ${digits.length},
  "test": [\n${wrapped(test)}\n  ]
}
`,
);
console.log(`examples/digits/split.json: ${digits.length - test.length} rows for training, ${test.length} for testing`);

/**
 * Numbers in lines of at most 120 characters, indented by four, as the formatter has them.
 *
 * @param {number[]} numbers
 */
function wrapped(numbers) {
  return (
    numbers
      .join(", ")
      .match(/.{1,115}(?:,(?= )|$)/g)
      ?.map((line) => `    ${line.trim()}`)
      .join("\n") ?? ""
  );
}
