// Our scores on the texts that make_scores.py has written, beside those of linear models by SGD:
//
//     node bench/texts/run.mjs FOLDER [--models fast,bag] [--splits 5] [set …]
//
// `fast` is tabular({ preset: "fast" }) with a column of texts; `bag` a bag of the same pieces alone, a linear model. Splits are those of make_scores.py.
// Writes ours.json beside scores.json.
import { join } from "node:path";
import {
  adam,
  crossEntropy,
  embeddingBag,
  fit,
  prepare,
  ragged,
  sequential,
  table,
  tabular,
} from "../../dist/index.js";
import { argumentsOf, partsOf, scoresBeside } from "../splits.mjs";

/** @typedef {Awaited<ReturnType<typeof table>>} Table */

const schema = /** @type {const} */ ({ columns: { text: { kind: "text" }, label: { kind: "category" } } });

/** @param {Table} train @param {Table} test @param {number} seed */
async function fast(train, test, seed) {
  const model = await tabular({ preset: "fast", seed }).fit(train, { target: "label", schema });
  const { accuracy, logLoss } = await model.evaluate(test);
  return { accuracy, logLoss };
}

/** Epochs at most. */
const EPOCHS = 12;

/**
 * A bag of as many numbers as there are classes, which is a linear model: as many epochs as a tenth of the rows is told best after, then all rows.
 *
 * @param {Table} train @param {Table} test @param {number} seed
 */
async function bag(train, test, seed) {
  const preparation = await prepare(train, { schema: { ...schema, target: "label" } });
  /** @param {Table} rows */
  const examplesOf = (rows) => {
    const { x, y } = preparation.examples(rows, { texts: "lists" });
    if (x.text1 === undefined || !("offsets" in x.text1) || "shape" in y) throw new Error("expected texts and classes");
    return { x: x.text1, y };
  };
  const classes = preparation.classes?.length ?? 0;
  /** @param {Table} known @param {Table} asked @param {number} epochs */
  const trained = async (known, asked, epochs) => {
    const table = embeddingBag(2 ** 18, classes, { mode: "mean", init: 0, rows: "touched" });
    const run = await fit(sequential({ input: ragged("i32") }, table), {
      data: examplesOf(known),
      validation: examplesOf(asked),
      metrics: ["accuracy"],
      loss: crossEntropy(),
      optimizer: adam({ lr: 0.1 }),
      batchSize: 64,
      epochs,
      seed,
    });
    return run.history.map(({ validation }) => ({ loss: validation.loss, accuracy: validation.metrics.accuracy }));
  };
  const rows = Array.from({ length: train.rows }, (_, row) => row);
  const [known, held] = [rows.filter((row) => row % 10 !== 0), rows.filter((row) => row % 10 === 0)];
  const tried = await trained(train.pick(known), train.pick(held), EPOCHS);
  const best = tried.reduce((least, { loss }, at) => (loss < (tried[least]?.loss ?? 0) ? at : least), 0);
  const last = (await trained(train, test, best + 1)).at(-1);
  return { accuracy: last?.accuracy, logLoss: last?.loss };
}

const MODELS = { fast, bag };
const { folder, options, sets } = argumentsOf({ models: "fast,bag", splits: "5" });
/** @type {ReturnType<typeof scoresBeside<{ accuracy: number[], logLoss: number[] }>>} */
const { scores, ours, keep } = scoresBeside(import.meta.url);

for (const name of sets.length > 0 ? sets : Object.keys(scores)) {
  const all = await table(join(folder, `${name}.csv`), { kinds: { text: "text", label: "text" } });
  for (let split = 0; split < Number(options.splits); split++) {
    const { train, test } = partsOf(all, split);
    for (const kind of /** @type {("fast" | "bag")[]} */ (options.models.split(","))) {
      const ofSet = ours[name] ?? {};
      const own = ofSet[kind] ?? { accuracy: [], logLoss: [] };
      ofSet[kind] = own;
      ours[name] = ofSet;
      if (own.accuracy.length > split) continue;
      const began = performance.now();
      const { accuracy = Number.NaN, logLoss = Number.NaN } = await MODELS[kind](train, test, split);
      own.accuracy.push(Number(accuracy.toPrecision(6)));
      own.logLoss.push(Number(logLoss.toPrecision(6)));
      const beside = Object.entries(scores[name].scores).map(
        ([one, { accuracy: right, logLoss: loss }]) => `${one} ${right[split]} ${loss[split]}`,
      );
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      console.log(name, split, kind, accuracy.toFixed(4), logLoss.toFixed(4), "|", beside.join("; "), `| ${seconds} s`);
      keep();
    }
  }
}
