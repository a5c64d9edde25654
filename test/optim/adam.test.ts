import { describe, expect, test } from "vitest";
import { type AdamOptions, adam } from "../../lib/optim/adam.js";
import { adamw } from "../../lib/optim/adamw.js";
import { amsgrad } from "../../lib/optim/amsgrad.js";

const MOMENTS = [
  { name: "firstMoment", initial: 0 },
  { name: "secondMoment", initial: 0 },
];

test("the defaults are those of the paper, which are PyTorch's too", () => {
  const paper = {
    kind: "adam",
    lr: 0.001,
    rule: "adam",
    states: MOMENTS,
    constants: [0.9, 1 - 0.9, 0.999, 1 - 0.999, 1e-8, 0],
    scalars: expect.any(Function),
    decay: null,
    clipsSum: false,
  };
  expect(adam()).toEqual(paper);
  expect(adam({ lr: undefined, beta1: undefined, beta2: undefined, epsilon: undefined })).toEqual(paper);
  // Tables of which touched rows alone are updated have those of SparseAdam.
  expect(adam({ compat: "pytorch" })).toEqual({ ...paper, touchedScalars: expect.any(Function) });
});

test("adamw and amsgrad are adam with a decay, with a third state", () => {
  const { constants } = adam();
  expect(adamw()).toMatchObject({
    rule: "adam",
    states: MOMENTS,
    constants,
    decay: { lambda: 0.01, everywhere: false },
  });
  expect(adamw({ compat: "keras" })).toMatchObject({ decay: { lambda: 0.004, everywhere: true }, clipsSum: true });
  expect(amsgrad()).toMatchObject({
    rule: "amsgrad",
    states: [...MOMENTS, { name: "maxSecondMoment", initial: 0 }],
    constants,
  });
});

test("every option arrives, and 0 is not taken for absent", () => {
  expect(adam({ lr: 0, beta1: 0, beta2: 0, epsilon: 1e-3 })).toMatchObject({ lr: 0, constants: [0, 1, 0, 1, 1e-3, 0] });
  const lr = () => 1;
  expect(adam({ lr }).lr).toBe(lr);
});

describe("bias correction", () => {
  test("is 1/(1 − βᵗ) of both averages", () => {
    const { scalars } = adam({ beta1: 0.5, beta2: 0.75 });
    expect(scalars?.(1)).toEqual([2, 4]);
    expect(scalars?.(2)).toEqual([4 / 3, 16 / 7]);
    expect(adam({ beta1: 0, beta2: 0 }).scalars?.(1)).toEqual([1, 1]);
  });

  test("as Keras has it leaves the root alone", () => {
    const { scalars } = adam({ beta1: 0.5, beta2: 0.75, compat: "keras" });
    expect(scalars?.(1)).toEqual([1, 1]);
    expect(scalars?.(2)).toEqual([Math.sqrt(7 / 16) / 0.75, 1]);
  });
});

test("epsilon stands where it is put", () => {
  expect(adam({ epsilon: { value: 1e-7, placement: "inside" } }).constants.slice(4)).toEqual([1e-7, 1]);
  expect(adam({ epsilon: { value: 1e-7, placement: "outside" } }).constants.slice(4)).toEqual([1e-7, 0]);
  expect(adam({ epsilon: { value: 1e-7 } }).constants.slice(4)).toEqual([1e-7, 0]);
});

test.each<[unknown, string, string]>([
  [0.001, "adam", "ERR_OPTION"],
  [null, "adam", "ERR_OPTION"],
  [{ lr: Number.NaN }, "adam.lr", "ERR_OPTION"],
  [{ lr: "0.1" }, "adam.lr", "ERR_OPTION"],
  [{ beta1: 1 }, "adam.beta1", "ERR_OPTION"],
  [{ beta2: -0.5 }, "adam.beta2", "ERR_OPTION"],
  [{ epsilon: 0 }, "adam.epsilon", "ERR_OPTION"],
  [{ epsilon: 1e-40 }, "adam.epsilon", "ERR_OPTION"],
  [{ epsilon: "1e-8" }, "adam.epsilon", "ERR_OPTION"],
  [{ epsilon: { value: -1 } }, "adam.epsilon.value", "ERR_OPTION"],
  [{ epsilon: { placement: "inside" } }, "adam.epsilon.value", "ERR_OPTION"],
  [{ epsilon: { value: 1e-8, placement: "Inside" } }, "adam.epsilon.placement", "ERR_OPTION"],
  [{ epsilon: { value: 1e-8, place: "inside" } }, "adam.epsilon.place", "ERR_UNKNOWN_OPTION"],
  [{ beta: 0.9 }, "adam.beta", "ERR_UNKNOWN_OPTION"],
])("refuses %o", (options, where, code) => {
  expect(() => adam(options as AdamOptions)).toThrow(expect.objectContaining({ code, where }));
});

test("the description is frozen, lists too", () => {
  const one = adam();
  expect([one, one.states, one.constants, ...one.states].every(Object.isFrozen)).toBe(true);
});
