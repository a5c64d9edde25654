// Numbers as quantiles of the normal distribution: SciPy's and scikit-learn's (make_scores_fixture.py), and what noise before them promises.
import { readFileSync } from "node:fs";
import { preparationOf, prepare, table } from "carillon";
import { describe, expect, test } from "vitest";
import { normalScore } from "../../lib/table/preparation/normal_scores.js";
import { normalQuantile } from "../../lib/tensor/exact.js";
import { uniforms } from "../ops/sample.js";

interface Column {
  readonly quantiles: readonly number[];
  readonly values: readonly number[];
  readonly scores: readonly number[];
}

const fixture = JSON.parse(readFileSync(new URL("fixtures/scores.json", import.meta.url), "utf8")) as {
  readonly shares: readonly number[];
  readonly normal: readonly number[];
  readonly columns: Readonly<Record<string, Column>>;
};

test.each(fixture.shares.map((share, at) => [share, fixture.normal[at] ?? 0]))(
  "SciPy's quantile at %o",
  (p, expected) => {
    // Both are of AS 241's order, and 1 − p has half a unit of 2⁻⁵³ to lose where p is near 1.
    const lost = p > 0.5 ? 2 ** -54 / (1 - p) : 0;
    expect(Math.abs(normalQuantile(p) - expected)).toBeLessThanOrEqual(
      (2 ** -50 + lost) * Math.max(1, Math.abs(expected)),
    );
  },
);

test.each(Object.entries(fixture.columns))("scikit-learn's scores, %s", (_, { quantiles, values, scores }) => {
  for (const [at, value] of values.entries()) {
    // Shares differ by roundings of a line, 2⁻⁵² of them, and the slope of the quantile is below 5·10⁵ where it is not cut off.
    expect(Math.abs(normalScore(quantiles, value) - (scores[at] ?? 0))).toBeLessThan(1e-9);
  }
});

describe("numeric with the scale 'normal'", () => {
  const schema = { columns: { x: { kind: "number" as const } } };
  const transforms = { x: { kind: "numeric", options: { scale: "normal" } } };
  const scoresOf = async (values: readonly number[], asked: readonly number[] = values): Promise<readonly number[]> => {
    const made = await prepare(await table({ x: values }), { schema, transforms });
    const again = preparationOf(JSON.parse(JSON.stringify(made)));
    const found = again.encode(await table({ x: asked })).x.numbers?.data ?? [];
    expect(found).toEqual(made.encode(await table({ x: asked })).x.numbers?.data);
    return Array.from(found);
  };

  test("makes a skew column a normal one, in its order", async () => {
    const next = uniforms(4);
    const values = Array.from({ length: 6000 }, () => Math.exp(3 * next()));
    const scores = await scoresOf(values);
    const mean = scores.reduce((sum, z) => sum + z, 0) / scores.length;
    const square = scores.reduce((sum, z) => sum + z * z, 0) / scores.length;
    // Scores of 200 quantiles of the very values: a hundredth is far more than lines between quantiles can move.
    expect(Math.abs(mean)).toBeLessThan(0.01);
    expect(Math.abs(square - 1)).toBeLessThan(0.05);
    const order = values.map((value, row) => [value, scores[row] ?? 0] as const).sort(([a], [b]) => a - b);
    for (let at = 1; at < order.length; at++) expect(order[at]?.[1]).toBeGreaterThanOrEqual(order[at - 1]?.[1] ?? 0);
  });

  test("two values are as far apart as their shares say, a constant is 0, and what is beyond is at the ends", async () => {
    const two = await scoresOf(Array.from({ length: 300 }, (_, row) => (row % 3 === 0 ? 1 : 0)));
    // In the middle of shares [0, ⅔) and [⅔, 1): Φ⁻¹ of ⅓ and ⅚, whose quantiles lie a ninth apart.
    expect(two[0]).toBeGreaterThan(0.5);
    expect(two[1]).toBeLessThan(0);
    expect(await scoresOf([7, 7, 7], [7, 8])).toEqual([0, 0]);
    const ends = await scoresOf([1, 2, 3, 4], [-100, 100]);
    expect(ends[0]).toBeCloseTo(-5.1993, 4);
    expect(ends[1]).toBeCloseTo(5.1993, 4);
  });
});
