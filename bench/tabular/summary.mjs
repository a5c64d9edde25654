// The guide's table of accuracies, of scores.json (make_scores.py) and ours.json (run.mjs):
//
//     node bench/tabular/summary.mjs [PRESET]
//
// Paired by split, as far as both have splits: the mean difference to an oracle over its standard error, positive where ours is better.
import { readFileSync } from "node:fs";

/** @typedef {{ rows: number, columns: number, task: "classes" | "value", scores: Record<string, number[]> }} Entry */

const read = (/** @type {string} */ name) => JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8"));
/** @type {Record<string, Entry>} */
const oracles = read("scores.json");
/** @type {Record<string, Record<string, number[]>>} */
const ours = read("ours.json");
const preset = process.argv[2] ?? "auto";

const mean = (/** @type {number[]} */ values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** @param {number[]} own @param {number[]} theirs @param {"classes" | "value"} task */
function standardized(own, theirs, task) {
  const splits = Math.min(own.length, theirs.length);
  const sign = task === "classes" ? 1 : -1;
  const d = Array.from({ length: splits }, (_, at) => sign * ((own[at] ?? 0) - (theirs[at] ?? 0)));
  if (splits < 2) return Number.NaN;
  const m = mean(d);
  const error = Math.sqrt(d.reduce((sum, value) => sum + (value - m) ** 2, 0) / (splits - 1) / splits);
  return error === 0 ? Math.sign(m) * (m === 0 ? 0 : Number.POSITIVE_INFINITY) : m / error;
}

/** @param {number[] | undefined} values @param {number} splits @param {"classes" | "value"} task */
function shown(values, splits, task) {
  const own = (values ?? []).slice(0, splits);
  if (own.length === 0) return "";
  return task === "classes" ? mean(own).toFixed(4) : mean(own).toPrecision(4);
}

const kinds = ["realmlp", "mlp", "histgb"];
console.log(
  `| set | rows × columns | splits | figure | ${preset} | ${kinds.join(" | ")} | to ${kinds.join(" | to ")} |`,
);
console.log(`|---|---|---|---|---|${kinds.map(() => "---|---|").join("")}`);
/** @type {Record<string, number[]>} */
const all = {};
for (const [name, { rows, columns, task, scores }] of Object.entries(oracles)) {
  const own = ours[name]?.[preset] ?? [];
  if (own.length === 0) continue;
  const splits = Math.min(own.length, ...kinds.map((kind) => scores[kind]?.length ?? 0));
  const differences = kinds.map((kind) => standardized(own.slice(0, splits), scores[kind] ?? [], task));
  kinds.forEach((kind, at) => {
    const list = all[kind] ?? [];
    list.push(differences[at] ?? Number.NaN);
    all[kind] = list;
  });
  const means = [own, ...kinds.map((kind) => scores[kind])].map((values) => shown(values, splits, task));
  const texts = differences.map((value) => (Number.isNaN(value) ? "" : `${value > 0 ? "+" : ""}${value.toFixed(1)}`));
  const figure = task === "classes" ? "accuracy" : "RMSE";
  console.log(`| ${[name, `${rows} × ${columns}`, splits, figure, ...means, ...texts].join(" | ")} |`);
}
for (const [kind, list] of Object.entries(all)) {
  const known = list.filter((value) => Number.isFinite(value));
  const [ahead, behind] = [known.filter((value) => value > 0).length, known.filter((value) => value < -2).length];
  const figures = `mean ${mean(known).toFixed(2)}, least ${Math.min(...known).toFixed(2)}`;
  console.log(
    `${kind}: ${figures}; ahead on ${ahead} of ${known.length}, behind by more than two standard errors on ${behind}`,
  );
}
