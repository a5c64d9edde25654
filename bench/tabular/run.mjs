// Our scores on the sets that make_scores.py has written, beside those of the oracles:
//
//     node bench/tabular/run.mjs FOLDER [--presets fast,auto] [--splits 2] [set …]
//
// Row r is a test row of split s where hash(r, s) is below a fifth, as in make_scores.py. Writes ours.json beside scores.json;
// summary.mjs puts them side by side.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { table, tabular } from "../../dist/index.js";

const here = fileURLToPath(new URL(".", import.meta.url));

/** @param {number} row @param {number} split */
function isTest(row, split) {
  let h = (Math.imul(row, 2654435761) + Math.imul(split, 0x9e3779b9) + 12345) >>> 0;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b) >>> 0;
  h = (h ^ (h >>> 13)) >>> 0;
  h = Math.imul(h, 0xc2b2ae35) >>> 0;
  h = (h ^ (h >>> 16)) >>> 0;
  return h < 0.2 * 2 ** 32;
}

const [folder = ".", ...rest] = process.argv.slice(2);
/** @type {Record<string, string>} */
const options = { presets: "fast,auto", splits: "2" };
while (rest[0]?.startsWith("--")) {
  const key = (rest.shift() ?? "").slice(2);
  options[key] = rest.shift() ?? "";
}
const scores = JSON.parse(readFileSync(join(here, "scores.json"), "utf8"));
const path = join(here, "ours.json");
/** @type {Record<string, Record<string, number[]>>} */
let ours = {};
try {
  ours = JSON.parse(readFileSync(path, "utf8"));
} catch {}

for (const name of rest.length > 0 ? rest : Object.keys(scores)) {
  const { target, task } = scores[name];
  const all = await table(join(folder, `${name}.csv`));
  for (let split = 0; split < Number(options.splits); split++) {
    const rows = Array.from({ length: all.rows }, (_, row) => row);
    const train = all.pick(rows.filter((row) => !isTest(row, split)));
    const test = all.pick(rows.filter((row) => isTest(row, split)));
    for (const preset of (options.presets ?? "").split(",")) {
      const ofSet = ours[name] ?? {};
      const own = ofSet[preset] ?? [];
      ofSet[preset] = own;
      ours[name] = ofSet;
      if (own.length > split) continue;
      const began = performance.now();
      const model = await tabular({ preset: /** @type {"fast"} */ (preset) }).fit(train, { target });
      const measures = await model.evaluate(test);
      const value = task === "classes" ? measures.accuracy : measures.rmse;
      own.push(Number((value ?? Number.NaN).toPrecision(7)));
      const oracle = scores[name].scores;
      const beside = Object.entries(oracle).map(([kind, list]) => `${kind} ${list[split]}`);
      console.log(
        name,
        split,
        preset,
        own.at(-1),
        "|",
        beside.join(", "),
        `| ${((performance.now() - began) / 1000).toFixed(1)} s`,
      );
      writeFileSync(path, JSON.stringify(ours, undefined, 1));
    }
  }
}
