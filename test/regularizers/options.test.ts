// What the regularizers refuse, and how they say so.
import {
  type ErrorCode,
  elasticNet,
  l1,
  l2,
  linear,
  maxNorm,
  minimizer,
  type Regularizers,
  sequential,
  sgd,
  weightDecay,
} from "carillon";
import { describe, expect, test } from "vitest";

/** Calls as JavaScript may make them. */
type Anything = (...given: readonly unknown[]) => unknown;
const any = (call: unknown): Anything => call as Anything;

function expectError(call: () => unknown, code: ErrorCode, where: string, says = ""): void {
  const fields = { code, where, message: expect.stringContaining(says) };
  expect(call).toThrow(expect.objectContaining(fields));
}

describe("what is kept", () => {
  test.each<[string, unknown, object]>([
    ["l1", l1(0.1), { kind: "l1", lambda: 0.1, proximal: false, metric: "adaptive" }],
    ["l1, proximal", l1(0, { proximal: true }), { kind: "l1", lambda: 0, proximal: true, metric: "adaptive" }],
    [
      "elasticNet",
      elasticNet({ l1: 0.1, l2: 0, proximal: true, metric: "euclidean" }),
      { kind: "elasticNet", l1: 0.1, l2: 0, proximal: true, metric: "euclidean" },
    ],
    ["weightDecay", weightDecay(0), { kind: "weightDecay", lambda: 0 }],
    ["maxNorm", maxNorm(3), { kind: "maxNorm", bound: 3 }],
    ["undefined options", l1(1, { proximal: undefined, metric: undefined }), l1(1)],
  ])("%s", (_name, made, expected) => {
    expect(made).toEqual(expected);
    expect(Object.isFrozen(made)).toBe(true);
  });
});

describe.each([
  ["l1.lambda", l1],
  ["l2.lambda", l2],
  ["weightDecay.lambda", weightDecay],
] as const)("%s", (where, make) => {
  test.each([-1e-9, Number.NaN, Number.POSITIVE_INFINITY, "0.1", { lambda: 0.1 }, undefined, null])("%o", (given) => {
    expectError(() => any(make)(given), "ERR_OPTION", where, `a number >= 0 for '${where}'`);
  });
});

test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, "3", undefined, null])("maxNorm(%o)", (given) => {
  expectError(() => any(maxNorm)(given), "ERR_OPTION", "maxNorm.bound", "a number > 0 for 'maxNorm.bound'");
});

describe("options", () => {
  test.each<[string, () => unknown, ErrorCode, string, string]>([
    ["a number", () => any(elasticNet)(0.1), "ERR_OPTION", "elasticNet", "an object of options"],
    ["no l1", () => any(elasticNet)({ l2: 1 }), "ERR_OPTION", "elasticNet.l1", "a number >= 0"],
    ["no l2", () => any(elasticNet)({ l1: 1 }), "ERR_OPTION", "elasticNet.l2", "a number >= 0"],
    ["l2 < 0", () => elasticNet({ l1: 1, l2: -1 }), "ERR_OPTION", "elasticNet.l2", "a number >= 0"],
    [
      "misspelt",
      () => any(elasticNet)({ l1: 1, l2: 1, proximl: true }),
      "ERR_UNKNOWN_OPTION",
      "elasticNet.proximl",
      "'proximal'",
    ],
    ["misspelt", () => any(l1)(1, { metrics: "euclidean" }), "ERR_UNKNOWN_OPTION", "l1.metrics", "'metric'"],
    ["l1 takes no boolean", () => any(l1)(1, true), "ERR_OPTION", "l1", "an object of options"],
    ["not a boolean", () => any(l1)(1, { proximal: 1 }), "ERR_OPTION", "l1.proximal", "true or false"],
    [
      "no such metric",
      () => any(l1)(1, { proximal: true, metric: "adam" }),
      "ERR_OPTION",
      "l1.metric",
      "'adaptive' or 'euclidean'",
    ],
    ["a metric of nothing", () => l1(1, { metric: "euclidean" }), "ERR_OPTION", "l1.metric", "proximal"],
    [
      "a metric of nothing",
      () => elasticNet({ l1: 1, l2: 1, proximal: false, metric: "adaptive" }),
      "ERR_OPTION",
      "elasticNet.metric",
      "proximal",
    ],
  ])("%s", (_name, call, code, where, says) => {
    expectError(call, code, where, says);
  });
});

describe("a regularizer option", () => {
  test.each([0.01, "l2", true, {}, { kind: "l3" }, [0.01], [l2(1), null], [[l2(1)]], l2])("%o", (given) => {
    const regularizer = given as Regularizers;
    expectError(
      () => linear(2, 3, { regularizer }),
      "ERR_OPTION",
      "linear.regularizer",
      "a regularizer such as l2(1e-4)",
    );
    const model = sequential(linear(2, 3));
    const call = () => minimizer(model, sgd({ lr: 1 }), { regularizer });
    expectError(call, "ERR_OPTION", "minimizer.regularizer", "a regularizer such as l2(1e-4)");
  });

  test("two proximal steps of one parameter have one metric", () => {
    const mixed = [l1(0.1, { proximal: true }), elasticNet({ l1: 0.1, l2: 0, proximal: true, metric: "euclidean" })];
    for (const regularizer of [mixed, mixed.toReversed()]) {
      expectError(() => linear(2, 3, { regularizer }), "ERR_OPTION", "linear.regularizer", "one metric");
    }
    const same = [l1(0.1, { proximal: true }), l1(0.2), elasticNet({ l1: 0.1, l2: 0, proximal: true })];
    expect(linear(2, 3, { regularizer: same }).parameters).toHaveProperty("weight.regularizer", same);
  });
});
