// What a report says of models that are formulas, and of tables that are made to be warned of.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ReportedModel, report, rocCurve, table } from "carillon";
import { describe, expect, test } from "vitest";
import { churn, drawing, prices, weather, wines } from "./models.js";

const quick = { repeats: 60, shuffles: 3, rows: 200 } as const;

describe("two classes", async () => {
  const { model, rows } = await churn();
  const found = await report(model, rows, {
    ...quick,
    command: "npx carillon train churn.csv --target churned",
    job: { seed: 0 },
  });
  const { json, html, markdown } = found;
  const [target] = json.targets;
  const actual = Array.from(rows, ({ churned }) => (churned === "yes" ? 1 : 0));
  const said = await model.predict(rows);
  const chances = Array.from({ length: rows.rows }, (_, row) => Number(said.probabilities?.data[2 * row + 1]));

  test("scores are those of the answers, within their intervals, beside those of plain models", async () => {
    const byName = new Map(target?.scores.map((score) => [score.measure, score]));
    expect(byName.get("AUC")?.value).toBeCloseTo((await rocCurve(chances, actual)).area, 12);
    expect(byName.get("accuracy")?.value).toBeCloseTo(
      chances.filter((p, row) => Number(p > 0.5) === actual[row]).length / rows.rows,
      12,
    );
    for (const { low, value, high, linear = Number.NaN, constant, best } of byName.values()) {
      expect(low).toBeLessThan(value);
      expect(value).toBeLessThan(high);
      expect(best === "high" ? linear > constant : linear < constant).toBe(true);
    }
    expect(byName.get("AUC")?.constant).toBeCloseTo(0.5, 1);
    // The formula is linear in its columns: a linear model is as good.
    expect(Math.abs((byName.get("AUC")?.linear ?? 0) - (byName.get("AUC")?.value ?? 0))).toBeLessThan(0.03);
  });

  test("probabilities that are twice as sure as they may be have temperature 2, and less error at it", () => {
    const { temperature = 0, error = 0, calibrated } = target?.calibration ?? {};
    expect(Math.abs(temperature - 2)).toBeLessThan(0.5);
    expect(calibrated?.error).toBeLessThan(error);
  });

  test("what is said beside the linear model is of the difference on the same draws", () => {
    const [auc, , logLoss] = target?.scores ?? [];
    expect(auc?.difference.value).toBeCloseTo((auc?.value ?? 0) - (auc?.linear ?? 0), 12);
    expect(Number(auc?.difference.low)).toBeLessThan(auc?.difference.value ?? 0);
    expect(Number(auc?.difference.high)).toBeLessThan(0.03);
    // Narrower than that of either: both err in the same rows.
    const { low = 0, high = 0 } = auc?.difference ?? {};
    expect(high - low).toBeLessThan((Number(auc?.high) - Number(auc?.low)) / 2);
    // Too sure of itself: a higher log loss, beyond chance.
    expect(Number(logLoss?.difference.low)).toBeGreaterThan(0);
    expect(html).toMatch(/<td>worse \(\+/);
  });

  test("the threshold, and the matrix at it", () => {
    const above = target?.twoClasses?.chosen.threshold ?? Number.NaN;
    const hits = chances.filter((p, row) => p > above && actual[row] === 1).length;
    expect(target?.confusion?.counts[1]?.[1]).toBe(hits);
    expect(target?.twoClasses?.chosen.hits).toBe(hits);
  });

  test("columns that the formula has matter, others do not at all; slices, weights, columns, cost", () => {
    const mean = (name: string): number =>
      json.importance.columns.find(({ column }) => column === name)?.mean ?? Number.NaN;
    expect(json.importance.columns[0]?.column).toBe("minutes");
    expect(mean("nights")).toBe(0);
    expect(mean("plan")).toBeGreaterThan(0);
    expect(json.dependence[0]?.points.map(({ mean: one }) => one)).toEqual(
      json.dependence[0]?.points.map(({ mean: one }) => one).toSorted((a, b) => a - b),
    );
    expect(json.slices.worst.length).toBeGreaterThan(5);
    expect(json.weights[2]?.zeros).toBeCloseTo(0.4, 1);
    expect(json.columns.find(({ name }) => name === "calls")).toMatchObject({ kind: "number" });
    expect(json.cost.microsecondsPerRow).toBeGreaterThan(0);
    expect(json.cost.bytes).toBe(1_234_567);
  });

  test("a clean table gives no warning; names of columns are text in every form", () => {
    expect(json.warnings).toEqual([]);
    expect(html).not.toContain("<b>quoted");
    expect(html).toContain("&lt;b&gt;quoted&quot;&amp;");
    expect(html).not.toMatch(/<script|https?:|src=|@import|url\(/);
    expect(html).toContain("npx carillon train churn.csv --target churned");
    expect(markdown).toContain("| AUC |");
    expect(markdown).toContain('\\<b>quoted"&');
    expect(markdown).not.toMatch(/(?<!\\)<b>/);
    expect(markdown).toContain("npx carillon train churn.csv --target churned");
    expect(JSON.parse(JSON.stringify(json))).toMatchObject({
      version: 1,
      task: "binary",
      rows: { all: 600, how: "held out" },
    });
  });

  test("save writes all three", async () => {
    const folder = mkdtempSync(join(tmpdir(), "carillon-report-"));
    try {
      await found.save(join(folder, "runs/churn"));
      const read = (name: string): string => readFileSync(join(folder, "runs/churn", name), "utf8");
      expect([read("report.html"), read("report.md")]).toEqual([html, markdown]);
      expect(JSON.parse(read("report.json"))).toEqual(JSON.parse(JSON.stringify(json)));
      await expect(found.save(join(folder, "runs/churn/report.md"))).rejects.toMatchObject({ code: "ERR_FILE" });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("the same again, but for what a clock says", async () => {
    const again = await report(model, rows, quick);
    expect({ ...again.json, cost: 0, made: 0 }).toEqual({ ...json, cost: 0, made: 0 });
  });
});

test("several classes", async () => {
  const { model, rows } = await wines();
  const { json } = await report(model, rows, quick);
  expect(json.targets[0]?.scores.map(({ measure }) => measure)).toEqual(["accuracy", "macro F1", "log loss"]);
  expect(json.targets[0]?.confusion?.counts.flat().reduce((sum, count) => sum + count, 0)).toBe(400);
  expect(json.targets[0]?.twoClasses).toBeUndefined();
});

test("a value, and a table with a time", async () => {
  const { model, rows } = await prices();
  const { json } = await report(model, rows, quick);
  const [rmse, , r2] = json.targets[0]?.scores ?? [];
  // 40·(u + v − 1) of uniform u, v: σ = 40/√6 = 16.3.
  expect(Math.abs((rmse?.value ?? 0) - 40 / Math.sqrt(6))).toBeLessThan(1.5);
  expect(rmse?.linear).toBeLessThan(20);
  expect(r2?.constant).toBeCloseTo(0, 1);
  expect(json.targets[0]?.residuals?.points).toHaveLength(500);
  expect(json.warnings.map(({ kind }) => kind)).toContain("time");
});

test("several values are measured one by one", async () => {
  const { model, rows } = await weather();
  const { json } = await report(model, rows, quick);
  expect(json.targets.map(({ target }) => target)).toEqual(["heat", "wind"]);
  expect(json.targets[1]?.scores[0]?.value).toBeCloseTo(Math.sqrt(3 / 4), 1);
});

test("rows of their own are measured where they are given", async () => {
  const { model, rows } = await churn();
  const { outOfFold: _, ...without } = model;
  const test = rows.head(200);
  const { json } = await report(without, rows, { ...quick, test });
  expect(json.rows).toEqual({ all: 600, measured: 200, how: "test" });
  await expect(report(without, rows, quick)).rejects.toThrow(
    "rows that the model was not trained on for 'report.test'",
  );
});

test("a source is read as it is told, with the kinds of the schema", async () => {
  const { model, rows } = await churn(80);
  const line = (cells: readonly unknown[]): string =>
    cells.map((cell) => (cell === null ? "" : String(cell))).join("|");
  const columns = rows.without(['<b>quoted"&']);
  const text = [line(columns.names), ...Array.from(columns, (row) => line(Object.values(row)))].join("\n");
  const { '<b>quoted"&': _, ...known } = model.schema.columns;
  const plain = { ...model, schema: { ...model.schema, columns: known } };
  const read = { delimiter: "|", thread: false } as const;
  const { json } = await report(plain, new TextEncoder().encode(text), { ...quick, read });
  expect(json.targets).toEqual((await report(plain, columns, quick)).json.targets);
});

describe("a table that is made for it is warned of", () => {
  const draw = drawing(9);
  const base = (at: number) => ({
    age: Math.floor(draw() * 60) + draw(),
    plan: ["a", "b"][at % 2] ?? "",
    bought: draw() < 0.4 ? "yes" : "no",
  });
  const clean = Array.from({ length: 200 }, (_, at) => base(at));
  const kindsOf = async (rows: readonly Readonly<Record<string, unknown>>[]): Promise<readonly string[]> => {
    const whole = await table(rows as Readonly<Record<string, unknown>>[]);
    const { schemaOf } = await import("carillon");
    const { schema } = await schemaOf(whole, { target: "bought" });
    const answers = Float32Array.from({ length: 2 * whole.rows }, () => 0.5);
    const predict: ReportedModel["predict"] = async (asked) => ({
      probabilities: { shape: [asked.rows, 2], data: new Float32Array(2 * asked.rows).fill(0.5) },
    });
    const outOfFold = {
      rows: Uint32Array.from(answers.subarray(whole.rows), (_, row) => row),
      answers: { shape: [whole.rows, 2], data: answers },
    };
    const model: ReportedModel = {
      task: "binary",
      target: ["bought"],
      classes: ["no", "yes"],
      schema,
      predict,
      outOfFold,
    };
    const { json, html } = await report(model, whole, { ...quick, rows: 20 });
    expect(html).toContain("To look at");
    return json.warnings.map(({ kind }) => kind);
  };
  test.each([
    ["nothing", clean, []],
    [
      "a column that gives the target away",
      clean.map((row) => ({ ...row, paid: row.bought === "yes" ? 1 + draw() : -draw() })),
      ["leak"],
    ],
    ["names of rows", clean.map((row, at) => ({ customer_id: 1000 + at, ...row })), ["id"]],
    ["a constant", clean.map((row) => ({ ...row, country: "CH" })), ["constant"]],
    ["rows that stand twice", [...clean, ...clean.slice(0, 9)], ["duplicates"]],
    ["a time", clean.map((row, at) => ({ ...row, day: new Date(Date.UTC(2021, 0, 1 + ((at * 37) % 200))) })), ["time"]],
  ])("%s", async (_, rows, kinds) => {
    expect(await kindsOf(rows)).toEqual(kinds);
  });
});

describe("what is wrong is told", async () => {
  const { model, rows } = await churn(60);
  test.each<[() => Promise<unknown>, string]>([
    [() => report({} as ReportedModel, rows), "a model of tabular() for 'report.model' but received an empty object"],
    [
      () => report(model, rows.head(30)),
      "the table of the training, of more than 59 rows, for 'report.source' but received \"30 rows\"",
    ],
    [() => report(model, rows.without(["churned"])), "expected a column of"],
    [() => report(model, rows, { repeat: 3 } as object), "Did you mean 'repeats'?"],
    [() => report({ ...model, predict: async () => ({}) }, rows), "probabilities or values for 'report.model.predict'"],
  ])("%#", async (call, message) => {
    await expect(call()).rejects.toThrow(message);
  });

  test("an aborted signal ends it", async () => {
    await expect(report(model, rows, { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
  });
});
