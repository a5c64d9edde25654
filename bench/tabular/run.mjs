// Our scores on the sets that make_scores.py has written, beside those of the oracles:
//
//     node bench/tabular/run.mjs FOLDER [--presets fast,auto] [--splits 2] [set …]
//
// Splits are those of make_scores.py. Writes ours.json beside scores.json; summary.mjs puts them side by side.
import { table, tabular } from "../../dist/index.js";
import { scoreAll } from "../splits.mjs";

await scoreAll(import.meta.url, { presets: "fast,auto", splits: "2" }, "presets", table, async (kind, parts, of) => {
  const preset = /** @type {"fast" | "auto" | "best"} */ (kind);
  const { target, task } = of.entry;
  const model = await tabular({ preset }).fit(parts.train, { target });
  const { accuracy, rmse } = await model.evaluate(parts.test);
  return (task === "classes" ? accuracy : rmse) ?? Number.NaN;
});
