// Gradients in rows: `exact` has the bits of the dense update, whatever the rule and what stands beside it; `touched` has those of a dense
// update of the touched rows alone.
import {
  adagrad,
  adam,
  defineOptimizer,
  elasticNet,
  l1,
  l2,
  type MinimizerOptions,
  maxNorm,
  type Optimizer,
  ops,
  parameter,
  type Regularizers,
  sgd,
  weightDecay,
} from "carillon";
import { describe, expect, test } from "vitest";
import { NATIVE } from "./every.js";
import { floats, idsOf, type Table, train } from "./tables.js";

const OWN: readonly (readonly [name: string, regularizer: Regularizers | undefined])[] = [
  ["nothing", undefined],
  ["l2", l2(0.1)],
  ["elasticNet", elasticNet({ l1: 0.05, l2: 0.1 })],
  ["proximal, maxNorm and decay", [l1(0.01, { proximal: true }), maxNorm(0.7), weightDecay(0.2)]],
];

const BESIDE: readonly (readonly [name: string, options: MinimizerOptions])[] = [
  ["", {}],
  ["clipped by norm", { clip: { norm: 0.3 } }],
  ["clipped by value", { clip: { value: 0.2 } }],
  ["averaged", { averageWeights: { decay: 0.9 } }],
  ["averaged from the first step", { averageWeights: { decay: 0.9, start: "firstStep" } }],
  ["averaged from 0", { averageWeights: { decay: 0.9, biasCorrection: true } }],
];

/** Bits of floats. */
const bitsOf = (data: Float32Array): string =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");

/** Bits of weights, states and averages. */
const bits = (look: Readonly<Record<string, Float32Array>>) =>
  Object.fromEntries(Object.entries(look).map(([name, data]) => [name, bitsOf(data)]));

function expectSame(table: Table, optimizer: Optimizer, options: MinimizerOptions = {}): void {
  const [rows, dense] = [train(table, optimizer, options), train({ ...table, dense: true }, optimizer, options)];
  for (let step = 1; step <= 4; step++) {
    const batch = step === 3 ? 2 : 7;
    const ids = idsOf(table, batch, step);
    const gradient = floats(batch * table.width * table.columns, 100 + step);
    const [reported, expected] = [rows.step(ids, gradient), dense.step(ids, gradient)];
    expect(reported).toBe(expected);
    expect(bits(rows.look())).toEqual(bits(dense.look()));
  }
}

const still = defineOptimizer({
  kind: "still",
  lr: 0.1,
  update: ({ parameter: theta, gradient, rate }) => ({ parameter: ops.subtract(theta, ops.multiply(rate, gradient)) }),
});

describe.each(Object.entries(NATIVE))("%s", (_name, make) => {
  test.each(OWN)("exact, with %s", (_own, regularizer) => {
    for (const [, options] of BESIDE) {
      expectSame({ rows: 37, columns: 5, width: 3, padding: 1, regularizer }, make({ lr: 0.05 }), options);
    }
  });
});

test.each<[string, Table]>([
  ["rows of a line", { rows: 300, columns: 16, width: 2 }],
  ["many to a block", { rows: 5000, columns: 3, width: 4 }],
  ["longer than a block", { rows: 6, columns: 4100, width: 2 }],
  ["one row", { rows: 1, columns: 9, width: 2 }],
  ["one column", { rows: 9000, columns: 1, width: 1 }],
  ["two look-ups", { rows: 50, columns: 8, width: 3, uses: 2 }],
  ["three look-ups with a padding", { rows: 50, columns: 8, width: 3, uses: 3, padding: 0 }],
])("exact: %s", (_name, table) => {
  for (const optimizer of [sgd({ lr: 0.1 }), adagrad(), adam(), sgd({ lr: 0.1, momentum: 0.9, compat: "keras" })]) {
    expectSame(table, optimizer);
    expectSame(table, optimizer, { clip: { norm: 0.1 } });
    expectSame({ ...table, regularizer: [l2(0.1), maxNorm(0.5)] }, optimizer);
  }
});

test("a scale that is not finite reaches every row, as in the dense update", () => {
  const table: Table = { rows: 20, columns: 4, width: 1 };
  const [rows, dense] = [table, { ...table, dense: true }].map((each) =>
    train(each, sgd({ lr: 0.1 }), { clip: { norm: 1 } }),
  );
  const gradient = new Float32Array(4).fill(Number.NaN);
  rows?.step(Int32Array.of(3), gradient);
  dense?.step(Int32Array.of(3), gradient);
  expect(rows?.look()["own.table"]?.every(Number.isNaN)).toBe(true);
  expect(dense?.look()["own.table"]?.every(Number.isNaN)).toBe(true);
});

test("the padding is read as 0, whatever stands there, and has no gradient", () => {
  const table: Table = { rows: 5, columns: 2, width: 2, padding: 3 };
  const { step, look } = train(table, sgd({ lr: 1 }));
  const before = look()["own.table"]?.slice() ?? new Float32Array();
  step(Int32Array.of(3, 4), Float32Array.of(1, 1, 1, 1));
  const expected = before.slice();
  for (const index of [8, 9]) expected[index] = (expected[index] ?? 0) - 1;
  expect(look()["own.table"]).toEqual(expected);
});

test("ids out of range are found before anything is changed, by row and column", () => {
  for (const wrong of [-1, 37, 2 ** 31 - 1, -(2 ** 31)]) {
    const table: Table = { rows: 37, columns: 5, width: 3 };
    const { step, look } = train(table, adam());
    const before = bits(look());
    const ids = Int32Array.of(1, 2, 3, 4, wrong, 6);
    expect(() => step(ids, floats(30, 1))).toThrow(
      expect.objectContaining({
        code: "ERR_DATA",
        message: `expected an integer in [0, 37) for the index of row 1, column 1 of the batch but received ${wrong}`,
      }),
    );
    expect(bits(look())).toEqual(before);
  }
});

describe("touched", () => {
  const table: Table = { rows: 60, columns: 16, width: 2, padding: 7, updates: "touched" };
  const TOUCHED = [3, 7, 11, 12, 13, 59]; // the padding is not: it keeps its place in the table of the reference

  const picked = (data: Float32Array): Float32Array =>
    Float32Array.from(TOUCHED.flatMap((row) => [...data.subarray(row * 16, (row + 1) * 16)]));
  const part = (look: Readonly<Record<string, Float32Array>>) =>
    Object.fromEntries(Object.entries(look).map(([name, data]) => [name, picked(data)]));
  const rest = (look: Readonly<Record<string, Float32Array>>) =>
    Object.entries(look).map(([name, data]) => [
      name,
      bitsOf(data.filter((_, index) => !TOUCHED.includes(Math.floor(index / 16)) || index >> 4 === 7)),
    ]);

  /** Ten ids that name every touched row, some twice, in an order of their own. */
  const order = (step: number): readonly number[] => [5, 0, 2, 1, 3, 4, 2, 0, 2, 1].map((at) => (at + step) % 6);

  function expectLazy(
    optimizer: Optimizer,
    dense: Optimizer,
    regularizer?: Regularizers,
    options: MinimizerOptions = {},
  ): void {
    const own = train({ ...table, regularizer }, optimizer, options);
    const reference = train({ rows: 6, columns: 16, width: 2, padding: 1, regularizer, dense: true }, dense, options);
    for (let step = 1; step <= 4; step++) {
      const places = order(step);
      const gradient = floats(places.length * 16, 40 + step);
      const before = own.look();
      reference.put(part(before));
      const expected = reference.step(Int32Array.from(places), gradient);
      const reported = own.step(
        Int32Array.from(places, (at) => TOUCHED[at] ?? -1),
        gradient,
      );
      const after = own.look();
      const touched = (look: Readonly<Record<string, Float32Array>>) =>
        Object.entries(look).map(([name, data]) => [name, bitsOf(data.filter((_, index) => index >> 4 !== 1))]);
      expect(touched(part(after))).toEqual(touched(reference.look()));
      expect(rest(after)).toEqual(rest(before));
      // Of the touched rows, without the padding, whose weights the reference counts.
      const padding = picked(before["own.table"] ?? new Float32Array()).subarray(16, 32);
      expect(reported).toBeLessThanOrEqual(expected);
      if (padding.every((each) => each === 0)) expect(reported).toBeCloseTo(expected, 5);
    }
  }

  describe.each(Object.entries(NATIVE))("%s", (_name, make) => {
    test.each(OWN)("with %s", (_own, regularizer) => {
      const optimizer = make({ lr: 0.05 });
      for (const [, options] of BESIDE.filter(([name]) => name !== "averaged from 0")) {
        expectLazy(optimizer, optimizer, regularizer, options);
      }
    });
  });

  test("compat: 'pytorch' has ε on the uncorrected root, as SparseAdam", () => {
    const options = { lr: 0.05, epsilon: 1e-3 };
    expectLazy(adam({ ...options, compat: "pytorch" }), adam({ ...options, compat: "keras" }));
    expect(() => expectLazy(adam(options), adam({ ...options, compat: "keras" }))).toThrow();
  });

  test.each<[string, () => unknown, string]>([
    ["a rule of operations", () => train(table, still), "'still', an optimizer of operations"],
    [
      "clipping that sees penalties",
      () => train({ ...table, regularizer: l2(1) }, adam({ compat: "keras" }), { clip: { norm: 1 } }),
      "a penalty whose gradient is clipped",
    ],
    [
      "averages from 0",
      () => train(table, adam(), { averageWeights: { decay: 0.9, biasCorrection: true } }),
      "averageWeights with biasCorrection",
    ],
  ])("%s is refused", (_case, call, received) => {
    expect(call).toThrow(
      expect.objectContaining({
        code: "ERR_OPTION",
        where: "own.table",
        message: `expected rows: 'exact' of 'own.table' beside ${received}, but received 'touched'`,
      }),
    );
  });

  test("without another parameter a table is named as well; others have no rows", () => {
    expect(() => parameter([3, 2], { rows: "touched" })).toThrow(expect.objectContaining({ where: "parameter.rows" }));
  });
});

test("an optimizer of operations has the gradient of every element", () => {
  const rows = train({ rows: 9, columns: 3, width: 2 }, still);
  const dense = train({ rows: 9, columns: 3, width: 2, dense: true }, still);
  for (const each of [rows, dense]) each.step(Int32Array.of(1, 1, 8, 0), floats(12, 3));
  expect(bits(rows.look())).toEqual(bits(dense.look()));
});

test("the same bits with any number of threads", () => {
  const table: Table = { rows: 4000, columns: 48, width: 8, regularizer: l2(0.01) };
  const look = (threads: number, updates: "exact" | "touched") => {
    const made = train({ ...table, updates }, adam(), { threads, maxBatch: 300, clip: { norm: 1 } });
    for (let step = 1; step <= 3; step++) made.step(idsOf(table, 300, step), floats(300 * 8 * 48, step));
    return bits(made.look());
  };
  for (const updates of ["exact", "touched"] as const) {
    const one = look(1, updates);
    for (const threads of [2, 3, 4]) expect(look(threads, updates)).toEqual(one);
  }
});
