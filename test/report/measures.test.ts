// Measures of trust against scikit-learn (make_measures_fixture.py), and against mathematics.
import { readFileSync } from "node:fs";
import {
  atTemperature,
  bootstrap,
  chooseThreshold,
  confusionTable,
  errorsBySlice,
  partialDependence,
  permutationImportance,
  precisionRecallCurve,
  reliability,
  rocCurve,
  type Schema,
  type Table,
  table,
  temperatureOf,
} from "carillon";
import { describe, expect, test } from "vitest";
import { fitLinear } from "../../lib/report/linear.js";

interface Figures {
  readonly two: {
    readonly chance: readonly number[];
    readonly actual: readonly number[];
    readonly roc: Readonly<Record<"falsePositives" | "truePositives" | "thresholds", readonly number[]>> & {
      readonly area: number;
    };
    readonly precisionRecall: Readonly<Record<"precision" | "recall" | "thresholds", readonly number[]>> & {
      readonly average: number;
    };
    readonly reliability: Readonly<
      Record<"width" | "rows", { readonly observed: readonly number[]; readonly predicted: readonly number[] }>
    >;
    readonly temperature: number;
    readonly best: Readonly<Record<string, number>>;
  };
  readonly classes: {
    readonly chances: readonly (readonly number[])[];
    readonly actual: readonly number[];
    readonly predicted: readonly number[];
    readonly temperature: number;
    readonly confusion: readonly (readonly number[])[];
    readonly accuracy: number;
    readonly precision: readonly number[];
    readonly recall: readonly number[];
    readonly f1: readonly number[];
    readonly support: readonly number[];
  };
  readonly columns: {
    readonly x: readonly (readonly [number, number, number])[];
    readonly y: readonly number[];
    readonly mean: readonly number[];
    readonly deviation: readonly number[];
    readonly values: readonly number[];
    readonly depends: readonly (readonly number[])[];
  };
  readonly linear: {
    readonly x: readonly (readonly number[])[];
    readonly values: readonly number[];
    readonly ridge: readonly number[];
    readonly labels: readonly number[];
    readonly logistic: readonly (readonly number[])[];
  };
}
const figures = JSON.parse(readFileSync(new URL("fixtures/measures.json", import.meta.url), "utf8")) as Figures;

/** Quotients of counts below 2⁵³ and sums of a few hundred of them. */
const CLOSE = 1e-12;

function expectAll(found: ArrayLike<number>, expected: readonly number[], within = CLOSE): void {
  expect(found.length).toBe(expected.length);
  expected.forEach((value, at) => {
    expect(Math.abs((found[at] ?? Number.NaN) - value), `${at}: ${found[at]} ${value}`).toBeLessThanOrEqual(within);
  });
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe("two classes", () => {
  const { chance, actual, roc, precisionRecall, reliability: bins, temperature, best } = figures.two;

  test("curves are scikit-learn's", async () => {
    const found = await rocCurve(chance, actual);
    expectAll(found.falsePositives, roc.falsePositives);
    expectAll(found.truePositives, roc.truePositives);
    expect([...found.thresholds]).toEqual([Number.POSITIVE_INFINITY, ...roc.thresholds]);
    expect(found.area).toBeCloseTo(roc.area, 12);
    const over = await precisionRecallCurve(chance, actual);
    // scikit-learn stops where recall is 1; ours goes on to the lowest probability.
    const points = precisionRecall.precision.length;
    expectAll(over.precision.slice(0, points), precisionRecall.precision);
    expectAll(over.recall.slice(0, points), precisionRecall.recall);
    expect(over.averagePrecision).toBeCloseTo(precisionRecall.average, 12);
  });

  test.each(["width", "rows"] as const)("bins of equal %s", async (by) => {
    const found = await reliability(chance, actual, { bins: 7, by });
    expectAll(
      found.bins.map(({ observed }) => observed),
      bins[by].observed,
    );
    expectAll(
      found.bins.map(({ predicted }) => predicted),
      bins[by].predicted,
    );
    const error = found.bins.reduce((sum, one) => sum + one.rows * Math.abs(one.observed - one.predicted), 0);
    expect(found.error).toBeCloseTo(error / actual.length, 12);
    expect(found.bins.reduce((sum, one) => sum + one.rows, 0)).toBe(actual.length);
  });

  test("the temperature is scikit-learn's, and what it gives is less sure and as well ordered", async () => {
    const found = await temperatureOf(chance, actual);
    expect(found).toBeGreaterThan(1.5);
    // Both end within the slope's noise: the loss is flat to 2⁻⁵² over √(2⁻⁵²) about its least.
    expect(Math.abs(found / temperature - 1)).toBeLessThan(1e-6);
    const cooled = atTemperature(chance, found);
    expectAll(
      cooled,
      chance.map((p) => 1 / (1 + Math.exp(-Math.log(p / (1 - p)) / found))),
    );
    const [before, after] = [await reliability(chance, actual), await reliability(cooled, actual)];
    expect(after.error).toBeLessThan(before.error);
    expect((await rocCurve(cooled, actual)).area).toBeCloseTo(roc.area, 12);
  });

  test.each([0.6, 0.75])("the highest recall at a precision of %d, and the reverse", async (least) => {
    const byPrecision = await chooseThreshold(chance, actual, { by: { precision: least } });
    expect(byPrecision.precision).toBeGreaterThanOrEqual(least);
    expect(byPrecision.recall).toBeCloseTo(best[`precision ${least}`] ?? Number.NaN, 12);
    const byRecall = await chooseThreshold(chance, actual, { by: { recall: least } });
    expect(byRecall.recall).toBeGreaterThanOrEqual(least);
    expect(byRecall.precision).toBeCloseTo(best[`recall ${least}`] ?? Number.NaN, 12);
  });

  test("thresholds by F1 and by cost are the best of all", async () => {
    const all = [0, ...new Set(chance)].map((above) => {
      const said = chance.map((p) => p > above);
      const hits = said.filter((yes, row) => yes && actual[row] === 1).length;
      const wrong = said.filter((yes, row) => yes && actual[row] === 0).length;
      return { hits, wrong, missed: actual.filter((one) => one === 1).length - hits };
    });
    const f1 = await chooseThreshold(chance, actual);
    expect(f1.f1).toBe(Math.max(...all.map(({ hits, wrong, missed }) => (2 * hits) / (2 * hits + wrong + missed))));
    const cost = await chooseThreshold(chance, actual, { by: { wrong: 1, missed: 7 } });
    expect(cost.wrong + 7 * cost.missed).toBe(Math.min(...all.map(({ wrong, missed }) => wrong + 7 * missed)));
  });
});

describe("several classes", () => {
  const { chances, actual, predicted, temperature, confusion, accuracy, precision, recall, f1, support } =
    figures.classes;

  test("temperature", async () => {
    expect(Math.abs((await temperatureOf(chances, actual)) / temperature - 1)).toBeLessThan(1e-6);
  });

  test("confusion and figures by class", () => {
    const found = confusionTable(actual, predicted, ["a", "b", "c", "d"]);
    expect(found.counts).toEqual(confusion);
    expect(found.accuracy).toBe(accuracy);
    for (const [at, one] of found.classes.entries()) {
      expectAll(
        [one.precision, one.recall, one.f1, one.rows],
        [precision[at] ?? 0, recall[at] ?? 0, f1[at] ?? 0, support[at] ?? 0],
      );
    }
  });

  test("reliability is of the class that is predicted", async () => {
    const { bins } = await reliability(chances, actual, { bins: 1 });
    expect(bins[0]?.observed).toBeCloseTo(accuracy, 12);
    expect(bins[0]?.predicted).toBeCloseTo(mean(chances.map((row) => Math.max(...row))), 12);
  });
});

describe("intervals by drawing rows anew", () => {
  const values = Float64Array.from({ length: 400 }, (_, at) => ((at * 7919) % 400) / 400);
  const score = (rows: Uint32Array): number => mean(Array.from(rows, (row) => values[row] ?? 0));

  test("of a mean are those of the normal distribution, within what 2000 draws may miss", async () => {
    const { value, low, high, error } = await bootstrap(values.length, score, { repeats: 2000 });
    // σ/√n of 0, 1/400, …: σ² = (400² − 1)/(12·400²). A standard deviation of 2000 draws has an error of 1/√4000, a quantile of 2.5% one of 2.1%·… below 6%.
    const standard = Math.sqrt((400 ** 2 - 1) / (12 * 400 ** 2) / 400);
    expect(value).toBeCloseTo(mean([...values]), 12);
    expect(Math.abs(error / standard - 1)).toBeLessThan(4 / Math.sqrt(4000));
    expect(Math.abs((high - low) / (2 * 1.96 * standard) - 1)).toBeLessThan(0.1);
  });

  test("the same seed gives the same, on every machine; another seed another", async () => {
    const [first, again, other] = [
      await bootstrap(50, score, { repeats: 20, seed: 3 }),
      await bootstrap(50, score, { repeats: 20, seed: 3 }),
      await bootstrap(50, score, { repeats: 20, seed: 4 }),
    ];
    expect(again).toEqual(first);
    expect(other.low).not.toBe(first.low);
    expect([first.low, first.high]).toMatchInlineSnapshot(`
      [
        0.4411712500000002,
        0.5794199999999999,
      ]
    `);
  });

  test("draws without a score are left out; where none has one it is an error", async () => {
    const { low, high } = await bootstrap(2, (rows) => (rows[0] === rows[1] ? Number.NaN : 1), { repeats: 100 });
    expect([low, high]).toEqual([1, 1]);
    await expect(bootstrap(2, () => Number.NaN)).rejects.toThrow(
      "expected a number of some rows that are drawn for 'bootstrap.score' but received NaN",
    );
  });
});

describe("columns of a raw table", async () => {
  const { x, y, mean: means, deviation, values, depends } = figures.columns;
  const rows = await table(x.map(([a, b, c]) => ({ a, b, c })));
  const say = (given: Table): number[] => Array.from(given, ({ a, b }) => 3 * Number(a) + Number(b) * Number(b));
  const loss = (given: Table): number => mean(say(given).map((one, row) => (one - (y[row] ?? 0)) ** 2));

  test("importances are scikit-learn's, within 4 standard errors of both", async () => {
    const found = await permutationImportance(rows, loss, { repeats: 400, best: "low" });
    expect(found.map(({ column }) => column)).toEqual(["a", "b", "c"]);
    found.forEach((one, at) => {
      const error = Math.sqrt((2 * (deviation[at] ?? 0) ** 2) / 400);
      expect(Math.abs(one.mean - (means[at] ?? 0)), one.column).toBeLessThanOrEqual(4 * error);
      expect(one.repeats).toHaveLength(400);
      if (at < 2) expect(Math.abs(one.deviation / (deviation[at] ?? 1) - 1)).toBeLessThan(4 / Math.sqrt(800) + 0.1);
    });
    expect(found[2]).toMatchObject({ column: "c", mean: 0, deviation: 0 });
  });

  test("partial dependence is scikit-learn's", async () => {
    for (const [at, name] of ["a", "b", "c"].entries()) {
      const found = await partialDependence(rows, name, (given) => mean(say(given)), { values });
      expectAll(
        found.map((point) => point.mean),
        depends[at] ?? [],
      );
      expect(found.reduce((sum, point) => sum + point.rows, 0)).toBe(x.length);
    }
  });

  test("values of a column: quantiles of numbers, the most frequent of texts, both of booleans, days", async () => {
    const mixed = await table({
      n: Float64Array.from({ length: 101 }, (_, at) => at),
      t: Array.from({ length: 101 }, (_, at) => (at % 3 === 0 ? "x" : at % 7 === 0 ? null : "y")),
      d: Array.from({ length: 101 }, (_, at) => new Date(at * 86_400_000)),
      yes: Array.from({ length: 101 }, (_, at) => at % 2 === 0),
    });
    const settings = async (name: string) =>
      (await partialDependence(mixed, name, () => 1, { points: 3 })).map(({ value }) => value);
    expect(await settings("n")).toEqual([2, 50, 98]);
    expect(await settings("t")).toEqual(["y", "x"]);
    expect(await settings("d")).toEqual([2, 50, 98].map((day) => new Date(day * 86_400_000)));
    expect(await settings("yes")).toEqual([false, true]);
  });

  test("texts that the schema says are dates are asked as dates", async () => {
    const given = await table({
      since: Array.from({ length: 101 }, (_, at) => `${at % 28 || 28}.${(at % 12) + 1}.2020`),
    });
    const schema: Schema = { columns: { since: { kind: "date", format: "dmy" } } };
    const moments = Array.from(given, ({ since }) => {
      const [day = "", month = "", year = ""] = String(since).split(".");
      return Date.UTC(Number(year), Number(month) - 1, Number(day));
    }).sort((a, b) => a - b);
    const asked: unknown[] = [];
    const points = await partialDependence(
      given,
      "since",
      (set) => {
        asked.push(set.at(0, "since"), set.at(100, "since"));
        return 1;
      },
      { points: 3, schema },
    );
    const expected = [2, 50, 98].map((place) => new Date(moments[place] ?? 0));
    expect(points.map(({ value }) => value)).toEqual(expected);
    expect(asked).toEqual(expected.flatMap((date) => [date, date]));
    expect(points.reduce((sum, { rows: at }) => sum + at, 0)).toBe(101);
    await expect(partialDependence(await table({ since: ["soon"] }), "since", () => 1, { schema })).rejects.toThrow(
      "expected a date (dmy)",
    );
  });

  test("slices that differ come first, with Welch's t", async () => {
    const plans = await table({
      plan: Array.from({ length: 90 }, (_, at) => ["basic", "pro", null][at % 3]),
      age: Float64Array.from({ length: 90 }, (_, at) => at),
    });
    const errors = Array.from({ length: 90 }, (_, at) => (at % 3 === 1 ? 5 : 1) + ((at * 37) % 10) / 10);
    const [first, ...others] = errorsBySlice(plans, errors);
    expect(first).toMatchObject({ column: "plan", value: "pro", rows: 30 });
    const [own, rest] = [errors.filter((_, at) => at % 3 === 1), errors.filter((_, at) => at % 3 !== 1)];
    const variance = (list: readonly number[]): number =>
      list.reduce((sum, one) => sum + (one - mean(list)) ** 2, 0) / (list.length - 1);
    const welch = (mean(own) - mean(rest)) / Math.sqrt(variance(own) / 30 + variance(rest) / 60);
    expect(first?.apart).toBeCloseTo(welch, 9);
    expect(others.map(({ column, value }) => `${column} ${value}`)).toContain("plan missing");
    expect(others.filter(({ column }) => column === "age").every(({ apart }) => Math.abs(apart) < 1)).toBe(true);
  });
});

describe("linear models are fitted to the end", () => {
  const { x, values, ridge, labels, logistic } = figures.linear;
  const design = { rows: x.length, columns: 4, data: Float64Array.from(x.flat()) };

  test("of values: Ridge", async () => {
    const model = await fitLinear(design, { classes: undefined, values: Float64Array.from(values) }, 2);
    expectAll(model.predict(design), ridge, 1e-4);
  });

  test("of classes: LogisticRegression", async () => {
    const model = await fitLinear(design, { classes: 3, labels: Int32Array.from(labels) }, 2);
    expectAll(model.predict(design), logistic.flat(), 1e-4);
  });
});

describe("what is wrong is told", () => {
  test.each([
    [
      () => rocCurve([0.5, 1.5], [0, 1]),
      "a probability in [0, 1] for 'rocCurve.probabilities, row 1' but received 1.5",
    ],
    [
      () => rocCurve([0.5, 0.5], [0, 0]),
      "rows of both classes for 'rocCurve.actual' but received \"0 of class 1 among 2\"",
    ],
    [() => rocCurve([0.5], [2]), "a class in [0, 1] for 'rocCurve.actual, row 0' but received 2"],
    [() => rocCurve([[0.2, 0.3, 0.5]], [2]), "probabilities of two classes for 'rocCurve.probabilities'"],
    [() => temperatureOf([[0.5, 0.5], [1]], [0, 1]), "2 probabilities for 'temperatureOf.probabilities, row 1'"],
    [() => temperatureOf([0.5, 0.5], [0]), "2 classes, one a row, for 'temperatureOf.actual' but received 1"],
    [
      () => chooseThreshold([0.9, 0.1], [0, 1], { by: { precision: 0.9 } }),
      "what some threshold reaches for 'chooseThreshold.by'",
    ],
    [
      () => chooseThreshold([0.9, 0.1], [0, 1], { by: { precision: 2 } }),
      "'chooseThreshold.by.precision' but received 2",
    ],
    [() => reliability([0.1], [0], { bin: 3 } as object), "Did you mean 'bins'?"],
  ])("%#", async (call, message) => {
    await expect(call()).rejects.toThrow(message);
  });

  test("columns that are not there", async () => {
    const one = await table({ age: Float64Array.of(1, 2) });
    await expect(permutationImportance(one, () => 0, { columns: ["agee"] })).rejects.toThrow("Did you mean 'age'?");
    await expect(partialDependence(one, "agee", () => 0)).rejects.toThrow("Did you mean 'age'?");
    expect(() => errorsBySlice(one, [1])).toThrow("2 numbers, one a row, for 'errorsBySlice.errors' but received 1");
  });
});
