// Recall among the first k, beside scikit-learn, with lengths and within a batch.
import { readFileSync } from "node:fs";
import {
  binaryCrossEntropy,
  bpr,
  crossEntropy,
  identity,
  inBatchSoftmax,
  linear,
  type Model,
  mse,
  network,
  ops,
  recallAt,
  sequential,
  spec,
  tensor,
  topK,
} from "carillon";
import { describe, expect, test } from "vitest";

type Figure = readonly [k: number, plain: number, weighted: number];
const fixture = JSON.parse(readFileSync(new URL("fixtures/ranking.json", import.meta.url), "utf8")) as {
  readonly columns: number;
  readonly outputs: readonly number[];
  readonly classes: readonly number[];
  readonly labels: readonly number[];
  readonly weights: readonly number[];
  readonly ofClasses: readonly Figure[];
  readonly ofLabels: readonly Figure[];
};
const { columns } = fixture;
const x = Float32Array.from(fixture.outputs);

/** A network that gives out what it is given. */
const mirror = (width: number): Model => sequential(linear(width, width, { init: identity(), bias: false })) as Model;

/** Sums of at most 60 quotients in double, each rounded once. */
const near = (value: number | undefined, expected: number): void => {
  expect(Math.abs((value ?? Number.NaN) - expected)).toBeLessThanOrEqual(60 * 2 ** -52);
};

test.each(fixture.ofClasses)("one class, the first %i", async (k, plain, weighted) => {
  const y = Int32Array.from(fixture.classes);
  const metrics = [recallAt(k), topK(k)];
  const loss = crossEntropy();
  const { metrics: found } = await mirror(columns).evaluate({ x, y }, { loss, metrics });
  near(found[`recallAt${k}`] as number, plain);
  expect(found[`recallAt${k}`]).toBe(found[`top${k}`]);
  const data = { x, y, weight: fixture.weights };
  near((await mirror(columns).evaluate(data, { loss, metrics })).metrics[`recallAt${k}`] as number, weighted);
});

test.each(fixture.ofLabels)("several labels, the first %i", async (k, plain, weighted) => {
  const y = Float32Array.from(fixture.labels);
  const own = { loss: binaryCrossEntropy(), metrics: [recallAt(k)] };
  near((await mirror(columns).evaluate({ x, y }, own)).metrics[`recallAt${k}`] as number, plain);
  const data = { x, y, weight: fixture.weights };
  near((await mirror(columns).evaluate(data, own)).metrics[`recallAt${k}`] as number, weighted);
});

test("nothing to be found anywhere is NaN", async () => {
  const own = { loss: binaryCrossEntropy(), metrics: [recallAt(1)] };
  const { metrics } = await mirror(2).evaluate({ x: [[1, 2]], y: [[0, 0]] }, own);
  expect(metrics.recallAt1).toBeNaN();
});

test("scored candidates: the chance that the chosen one stands among the first", async () => {
  const scores = [
    [3, 1, 2],
    [1, 3, 2],
    [2, 1, 3],
    [2, 2, 1],
  ];
  const { metrics } = await mirror(3).evaluate(
    { x: scores, y: [0, 0, 0, 0] },
    { loss: bpr(), metrics: [recallAt(1), recallAt(2)] },
  );
  expect(metrics).toEqual({ recallAt1: 0.25, recallAt2: 0.75 });
});

test("steps behind the end of a sequence are none", async () => {
  const model = network({
    inputs: { steps: spec(["batch", 3, 2]), lengths: spec(["batch"], "i32") },
    layers: { same: linear(2, 2, { init: identity(), bias: false }) },
    forward: ({ steps, lengths }, { same }) => same(ops.sequence(steps, lengths)),
  });
  const steps = tensor([
    [
      [1, 0],
      [0, 1],
      [5, 0],
    ],
    [
      [1, 0],
      [5, 0],
      [5, 0],
    ],
  ]);
  const data = {
    x: { steps, lengths: Int32Array.of(2, 1) },
    y: [
      [0, 0, 1],
      [0, 1, 1],
    ],
  };
  const { metrics } = await model.evaluate(data, { loss: crossEntropy(), metrics: [recallAt(1)] });
  expect(metrics.recallAt1).toBeCloseTo(2 / 3, 15);
});

describe("things of a batch", () => {
  const loss = inBatchSoftmax({ items: 9 });
  // u and v of each row side by side
  const rows = [
    [1, 0, 2, 0],
    [0, 1, 0, 1],
    [1, 1, 3, 0],
    [1, 0, 1, 0],
  ];

  test("what a row asks for is compared with the others", async () => {
    const own = { loss, metrics: [recallAt(1), recallAt(2)] };
    // Row 0: 2 against 0, 3 and 1; row 1: 1 against zeros; row 2: 3 against 2, 1 and 1; row 3: 1 against 2, 0 and 3.
    const { metrics } = await mirror(4).evaluate({ x: rows, y: [1, 2, 3, 4] }, own);
    expect(metrics).toEqual({ recallAt1: 0.5, recallAt2: 0.75 });
  });

  test("rows of the same thing, and of no weight, are no candidates", async () => {
    const own = { loss, metrics: [recallAt(1)] };
    expect((await mirror(4).evaluate({ x: rows, y: [3, 2, 3, 3] }, own)).metrics.recallAt1).toBe(1);
    const data = { x: rows, y: [1, 2, 3, 4], weight: [1, 1, 0, 1] };
    expect((await mirror(4).evaluate(data, own)).metrics.recallAt1).toBeCloseTo(2 / 3, 15);
  });
});

test("what cannot be is refused", async () => {
  expect(() => recallAt(0)).toThrow(expect.objectContaining({ code: "ERR_OPTION", where: "recallAt.k" }));
  const refused = async (loss: object, width: number, y: unknown): Promise<void> => {
    const options = { loss, metrics: [recallAt(3)] } as never;
    const done = mirror(width).evaluate({ x: new Float32Array(width), y } as never, options);
    await expect(done).rejects.toMatchObject({ code: "ERR_OPTION" });
  };
  await refused(mse(), 4, new Float32Array(4));
  await refused(binaryCrossEntropy(), 1, [1]);
  await refused(crossEntropy(), 2, [1]);
});
