// A report on a model that was trained: what `tabular` gives is all that a report asks for.
import { report, tabular } from "carillon";
import { expect, test } from "vitest";
import { churn, prices } from "./models.js";

const quick = { repeats: 100, shuffles: 2, rows: 200 } as const;

test("two classes, of five members", async () => {
  const { rows } = await churn(300);
  const model = await tabular({ preset: "auto", epochs: 3, threads: 1 }).fit(rows, { target: "churned" });
  const { json, html, markdown } = await report(model, rows, quick);
  expect(json.rows).toEqual({ all: 300, measured: 300, how: "held out" });
  const [target] = json.targets;
  const score = (measure: string): number | undefined => target?.scores.find((one) => one.measure === measure)?.value;
  // What the estimator has measured of the rows that were held out, float32 for float32.
  expect(score("AUC")).toBeCloseTo(model.score.auc ?? Number.NaN, 9);
  expect(score("accuracy")).toBeCloseTo(model.score.accuracy ?? Number.NaN, 9);
  expect(score("log loss")).toBeCloseTo(model.score.logLoss ?? Number.NaN, 4);
  expect(json.training.map(({ epochs }) => epochs.length)).toEqual([3, 3, 3, 3, 3]);
  expect(json.weights.find(({ name }) => name.includes("ntkLinear2"))).toMatchObject({ members: 5, shape: [256, 256] });
  expect(json.importance.columns[0]?.column).toBe("minutes");
  expect(html).toContain("of 5 members");
  expect(markdown).toContain("| AUC |");
});

test("a value, of one member and rows that it has not seen", async () => {
  const { rows } = await prices(200);
  const model = await tabular({ preset: "fast", epochs: 8, threads: 1 }).fit(rows, { target: "price" });
  const { json } = await report(model, rows, quick);
  expect(json.rows).toEqual({ all: 200, measured: 40, how: "held out" });
  expect(json.targets[0]?.scores[0]?.value).toBeCloseTo(model.score.rmse ?? Number.NaN, 4);
  const whole = await report(model, rows, { ...quick, test: rows.head(50) });
  expect(whole.json.rows).toEqual({ all: 200, measured: 50, how: "test" });
});
