// Measures, beside scikit-learn's on the same answers (make_measures_fixture.py), and weights of ensembles.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { greedyWeights } from "../../lib/index.js";
import type { Task } from "../../lib/table/schema/schema.js";
import { auc, type Measures, measure } from "../../lib/tabular/measures.js";

interface Case {
  readonly task: Task;
  readonly width: number;
  readonly answers: readonly number[];
  readonly targets: readonly number[];
  readonly measures: Measures;
}

const cases: readonly Case[] = JSON.parse(readFileSync(new URL("fixtures/measures.json", import.meta.url), "utf8"));

test.each(cases)(
  "$task, $width wide: as scikit-learn has them",
  async ({ task, width, answers, targets, measures }) => {
    const isClasses = task === "binary" || task === "classes";
    const truth = isClasses ? Int32Array.from(targets) : Float64Array.from(targets);
    const found = await measure(task, { width, data: Float64Array.from(answers) }, truth);
    expect(Object.keys(found)).toEqual(Object.keys(measures));
    for (const [name, value] of Object.entries(measures)) expect(found[name], name).toBeCloseTo(value, 10);
  },
);

test("the area under the curve counts ties as halves, and is none of one class", async () => {
  expect(await auc(Float64Array.of(0.1, 0.5, 0.5, 0.9), Int32Array.of(0, 0, 1, 1))).toBe(3.5 / 4);
  expect(await auc(Float64Array.of(0.1, 0.5), Int32Array.of(1, 1))).toBeNaN();
});

test("greedy weights are those of the best round: of what errs to either side both, of what is worse nothing", () => {
  const truth = [1, 2, 3, 4];
  const loss = (answers: Float64Array): number =>
    answers.reduce((sum, answer, at) => sum + (answer - (truth[at] ?? 0)) ** 2, 0);
  const [high, low, bad] = [truth.map((one) => one + 1), truth.map((one) => one - 1), truth.map(() => 9)];
  expect(greedyWeights([high, low, bad], loss)).toEqual([0.5, 0.5, 0]);
  expect(greedyWeights([truth, bad], loss)).toEqual([1, 0]);
  // Two of one side: a third of what errs twice as far to the other.
  const far = truth.map((one) => one - 2);
  expect(greedyWeights([high, far], loss, { rounds: 3 })).toEqual([2 / 3, 1 / 3]);
  expect(() => greedyWeights([[1], [1, 2]], loss)).toThrow("expected 1 number of each member");
});
