import { expect, test } from "vitest";
import { type AdamOptions, adam } from "../../lib/optim/adam.js";

test("the defaults are those of the paper", () => {
  const paper = {
    kind: "adam",
    lr: 0.001,
    rule: "adam",
    states: ["firstMoment", "secondMoment"],
    constants: [0.9, 0.999, 1e-8, 0],
  };
  expect(adam()).toEqual(paper);
  expect(adam({ lr: undefined, beta1: undefined, beta2: undefined, epsilon: undefined })).toEqual(paper);
});

test("every option arrives, and 0 is not taken for absent", () => {
  expect(adam({ lr: 0, beta1: 0, beta2: 0, epsilon: 1e-3 })).toMatchObject({ lr: 0, constants: [0, 0, 1e-3, 0] });
  const lr = () => 1;
  expect(adam({ lr }).lr).toBe(lr);
});

test("epsilon stands where it is put", () => {
  expect(adam({ epsilon: { value: 1e-7, placement: "inside" } }).constants.slice(2)).toEqual([1e-7, 1]);
  expect(adam({ epsilon: { value: 1e-7, placement: "outside" } }).constants.slice(2)).toEqual([1e-7, 0]);
  expect(adam({ epsilon: { value: 1e-7 } }).constants.slice(2)).toEqual([1e-7, 0]);
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
  expect([one, one.states, one.constants].every(Object.isFrozen)).toBe(true);
});
