// Our scores on the texts that make_scores.py has written, beside those of linear models by SGD:
//
//     node bench/texts/run.mjs FOLDER [--models fast,bag] [--splits 5] [set …]
//
// `fast` is tabular({ preset: "fast" }) with a column of texts; `bag` a bag of the same pieces alone, a linear model. Splits are those of make_scores.py.
// Writes ours.json beside scores.json.
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
import { scoreAll } from "../splits.mjs";

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
const read = async (/** @type {string} */ path) => await table(path, { kinds: { text: "text", label: "text" } });

await scoreAll(import.meta.url, { models: "fast,bag", splits: "5" }, "models", read, async (kind, parts, { split }) => {
  const trained = MODELS[/** @type {"fast" | "bag"} */ (kind)];
  const { accuracy = Number.NaN, logLoss = Number.NaN } = await trained(parts.train, parts.test, split);
  return { accuracy, logLoss };
});
