// Our scores on the sets that make_scores.py has written, beside those of the oracles:
//
//     node bench/tabular/run.mjs FOLDER [--presets fast,auto] [--splits 2] [set …]
//
// Splits are those of make_scores.py. Writes ours.json beside scores.json; summary.mjs puts them side by side.
import { join } from "node:path";
import { table, tabular } from "../../dist/index.js";
import { argumentsOf, partsOf, scoresBeside } from "../splits.mjs";

const { folder, options, sets } = argumentsOf({ presets: "fast,auto", splits: "2" });
/** @type {ReturnType<typeof scoresBeside<number[]>>} */
const { scores, ours, keep } = scoresBeside(import.meta.url);

for (const name of sets.length > 0 ? sets : Object.keys(scores)) {
  const { target, task } = scores[name];
  const all = await table(join(folder, `${name}.csv`));
  for (let split = 0; split < Number(options.splits); split++) {
    const { train, test } = partsOf(all, split);
    for (const preset of options.presets.split(",")) {
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
      keep();
    }
  }
}
