// Tables in `fit`: parts of a batch, the guard, a stop in the middle. Ids are told by the largest feature of an example.
import {
  adagrad,
  adam,
  defineLayer,
  type FitOptions,
  fit,
  type Loss,
  type Model,
  mse,
  ops,
  parameter,
  partition,
  type RowUpdates,
  sequential,
  sgd,
} from "carillon";
import { describe, expect, test } from "vitest";
import { bitsOf, numbers } from "./synthetic.js";

const IDS = 12;
const SIZE = 5;

/** Looks up the row of the largest feature; `dense` gives every element of the table a gradient, and changes none. */
function tableModel(rows: RowUpdates, dense = false): Model {
  return sequential(
    defineLayer({
      kind: "looked",
      inputs: IDS,
      outputs: SIZE,
      parameters: {
        table: parameter([IDS, SIZE], { role: "table", rows }),
        scale: parameter([SIZE], { role: "scale" }),
      },
      forward(x, { table, scale }) {
        const y = ops.multiply(ops.take(table, ops.argmax(x)), scale);
        return dense ? ops.add(y, ops.multiply(0, ops.sum(table))) : y;
      },
    }),
  );
}

const next = numbers(3);
const draw = (rows: number, columns: number): number[][] =>
  Array.from({ length: rows }, () => Array.from({ length: columns }, () => 2 * next() - 1));
/** Fewer ids than there are rows, so that some are never named. */
const data = { x: draw(33, IDS).map((row) => row.map((value, id) => (id < 9 ? value : -2))), y: draw(33, SIZE) };

type Options = Omit<FitOptions, "data" | "loss" | "epochs">;
const trained = async (model: Model, options: Options): Promise<Model> => {
  await fit(model, { data, loss: mse(), epochs: 3, seed: 1, ...options });
  return model;
};

describe.each([1, 2, 3, 7])("a batch in %i parts", (accumulate) => {
  test.each([
    ["sgd", sgd({ lr: 0.1 }), {}],
    ["adagrad", adagrad(), {}],
    ["adam", adam(), {}],
    ["adam, clipped by norm", adam(), { clip: { norm: 0.1 } }],
    ["adam as Keras, clipped", adam({ compat: "keras" }), { clip: { norm: 0.1 } }],
    ["adam, averaged", adam(), { averageWeights: { decay: 0.9 } }],
  ])("exact: %s", async (_name, optimizer, options) => {
    const every = { optimizer, batchSize: 8, accumulate, ...options };
    const rows = await trained(tableModel("exact"), every);
    const dense = await trained(tableModel("exact", true), every);
    expect(bitsOf(rows)).toEqual(bitsOf(dense));
  });

  test("touched: as exact under a rule that leaves the other rows as they are", async () => {
    const every = { optimizer: adagrad(), batchSize: 8, accumulate };
    expect(bitsOf(await trained(tableModel("touched"), every))).toEqual(
      bitsOf(await trained(tableModel("exact"), every)),
    );
  });
});

test("rows that no example names stay as they are, and others do not", async () => {
  const model = tableModel("touched").initialize(4);
  const before = model.weights().get("looked1.table")?.data ?? new Float32Array();
  await trained(model, { optimizer: adam(), batchSize: 8 });
  const after = model.weights().get("looked1.table")?.data ?? new Float32Array();
  expect(after.subarray(9 * SIZE)).toEqual(before.subarray(9 * SIZE));
  expect(after.subarray(0, SIZE)).not.toEqual(before.subarray(0, SIZE));
});

test.each(["exact", "touched"] as const)(
  "%s: a sum that is not finite is told by its element of the table",
  async (rows) => {
    const model = tableModel(rows).setWeights({
      "looked1.table": new Float32Array(IDS * SIZE),
      "looked1.scale": new Float32Array(SIZE).fill(1),
    });
    const before = bitsOf(model);
    const x = Array.from({ length: 4 }, () => Array.from({ length: IDS }, (_, id) => (id === 7 ? 1 : 0)));
    const y = x.map(() => Array.from({ length: SIZE }, (_, column) => (column === 2 ? 3e38 : 0)));
    // 4 times 2·3e38/4
    const loss: Loss = (output, target) => ops.sum(ops.multiply(ops.multiply(2, output), target), { axis: "last" });
    const run = fit(model, { data: { x, y }, loss, optimizer: adam(), epochs: 1, batchSize: 4 });
    await expect(run).rejects.toMatchObject({
      code: "ERR_NON_FINITE",
      where: "looked1.table",
      message: expect.stringContaining("finite gradient of 'looked1.table' but received Infinity in element 37,"),
    });
    expect(bitsOf(model)).toEqual(before);
  },
);

test.each(["exact", "touched"] as const)("%s: what is large and finite is no fault", async (rows) => {
  // Squares of what flows back, and of the new rows, overflow.
  const large = async (dense: boolean) => {
    const model = tableModel(rows, dense).setWeights({
      "looked1.table": new Float32Array(IDS * SIZE).fill(1e16),
      "looked1.scale": new Float32Array(SIZE).fill(1),
    });
    const loss: Loss = (output) => ops.sum(ops.multiply(1e18, output), { axis: "last" });
    const optimizer = partition([
      ["looked1.scale", null],
      ["*", sgd({ lr: 0.01 })],
    ]);
    await fit(model, { data, loss, optimizer, batchSize: 8, epochs: 2, seed: 1 });
    return model;
  };
  expect(bitsOf(await large(false))).toEqual(bitsOf(await large(true)));
});

test("a row that its step makes infinite ends the run with that step", async () => {
  const model = tableModel("touched").setWeights({
    "looked1.table": new Float32Array(IDS * SIZE),
    "looked1.scale": new Float32Array(SIZE).fill(1),
  });
  const x = [7, 8].map((wanted) => Array.from({ length: IDS }, (_, id) => (id === wanted ? 1 : 0)));
  const y = [7, 8].map(() => new Array<number>(SIZE).fill(5e18));
  const run = fit(model, {
    data: { x, y },
    loss: mse(),
    optimizer: sgd({ lr: 1e25 }),
    epochs: 1,
    batchSize: 1,
    shuffle: false,
  });
  await expect(run).rejects.toMatchObject({
    code: "ERR_NON_FINITE",
    where: "looked1.table",
    message: expect.stringContaining(
      "expected a finite looked1.table after step 1 but received Infinity in element 35",
    ),
  });
});

test.each([
  ["exact", adagrad()],
  ["exact", adam()],
  ["touched", adam()],
  ["touched", sgd({ lr: 0.1, momentum: 0.9 })],
] as const)(
  "a run that goes on in the middle of an epoch has the bits of one that did not stop: %s",
  async (rows, optimizer) => {
    const every = { data, loss: mse(), optimizer, batchSize: 8, accumulate: 2, seed: 1 };
    const whole = tableModel(rows);
    await fit(whole, { ...every, steps: 13 });
    const first = await fit(tableModel(rows), { ...every, steps: 7 });
    const second = tableModel(rows);
    await fit(second, { ...every, steps: 13, resume: first.checkpoint() });
    expect(bitsOf(second)).toEqual(bitsOf(whole));
  },
);
