import { describe, expect, test } from "vitest";
import { type SgdOptions, sgd, sgdMomentum } from "../../lib/optim/sgd.js";

describe("sgd", () => {
  test("without momentum it has no state", () => {
    const plain = {
      kind: "sgd",
      lr: 0.1,
      rule: "sgd",
      states: [],
      constants: [],
      scalars: null,
      decay: null,
      clipsSum: false,
    };
    expect(sgd({ lr: 0.1 })).toEqual(plain);
    expect(sgd({ lr: 0.1, momentum: 0, dampening: 0, nesterov: false })).toEqual(plain);
    expect(sgd({ lr: 0.1, momentum: undefined, dampening: undefined, nesterov: undefined })).toEqual(plain);
  });

  test("with momentum it accumulates, from the first gradient on", () => {
    expect(sgd({ lr: 0.1, momentum: 0.9 })).toEqual({
      kind: "sgd",
      lr: 0.1,
      rule: "momentum",
      states: [{ name: "velocity", initial: 0 }],
      constants: [0.9, 1, 0, 1, 0],
      scalars: expect.any(Function),
      decay: null,
      clipsSum: false,
    });
    const { scalars } = sgd({ lr: 0.1, momentum: 0.9 });
    expect([1, 2, 3].map((step) => scalars?.(step))).toEqual([[1], [0], [0]]);
    expect(sgd({ lr: 1, momentum: 0.5, dampening: 0.25 }).constants).toEqual([0.5, 0.75, 0, 1, 0]);
    expect(sgd({ lr: 1, momentum: 0.5, nesterov: true }).constants).toEqual([0.5, 1, 1, 1, 0]);
  });

  test("Keras' velocity holds the rate", () => {
    expect(sgd({ compat: "keras", momentum: 0.9 }).constants).toEqual([0.9, 1, 0, 1, 1]);
    expect(sgd({ lr: 1, momentum: 0.9, rateInside: true }).constants).toEqual([0.9, 1, 0, 1, 1]);
  });

  test("a schedule stays a function", () => {
    const lr = ({ step }: { step: number }) => 1 / step;
    expect(sgd({ lr }).lr).toBe(lr);
  });

  test.each<[Record<string, unknown>, string, string]>([
    [{}, "sgd.lr", "ERR_OPTION"],
    [{ lr: -1 }, "sgd.lr", "ERR_OPTION"],
    [{ lr: Number.NaN }, "sgd.lr", "ERR_OPTION"],
    [{ lr: 1, momentum: 1 }, "sgd.momentum", "ERR_OPTION"],
    [{ lr: 1, momentum: "0.9" }, "sgd.momentum", "ERR_OPTION"],
    [{ lr: 1, momentum: 0.9, dampening: 1.5 }, "sgd.dampening", "ERR_OPTION"],
    [{ lr: 1, dampening: 0.5 }, "sgd.dampening", "ERR_OPTION"],
    [{ lr: 1, nesterov: true }, "sgd.momentum", "ERR_OPTION"],
    [{ lr: 1, momentum: 0.9, dampening: 0.1, nesterov: true }, "sgd.dampening", "ERR_OPTION"],
    [{ lr: 1, momentum: 0.9, nesterov: 1 }, "sgd.nesterov", "ERR_OPTION"],
    [{ lr: 1, rateInside: true }, "sgd.momentum", "ERR_OPTION"],
    [{ lr: 1, momentum: 0.9, rateInside: 1 }, "sgd.rateInside", "ERR_OPTION"],
    [{ lr: 1, momentun: 0.9 }, "sgd.momentun", "ERR_UNKNOWN_OPTION"],
  ])("refuses %o", (options, where, code) => {
    expect(() => sgd(options as unknown as SgdOptions)).toThrow(expect.objectContaining({ code, where }));
  });

  test.each([undefined, 0.1, [0.1]])("refuses %o in place of options", (options) => {
    expect(() => sgd(options as unknown as SgdOptions)).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
  });
});

describe("sgdMomentum", () => {
  test("averages: the gradient enters with 1 - beta, also the first", () => {
    expect(sgdMomentum({ lr: 0.1, beta: 0.75 })).toEqual({
      kind: "sgdMomentum",
      lr: 0.1,
      rule: "momentum",
      states: [{ name: "velocity", initial: 0 }],
      constants: [0.75, 0.25, 0, 0, 0],
      scalars: expect.any(Function),
      decay: null,
      clipsSum: false,
    });
    expect(sgdMomentum({ lr: 0.1 }).scalars?.(1)).toEqual([0]);
    expect(sgdMomentum({ lr: 0.1 }).constants).toEqual([0.9, 1 - 0.9, 0, 0, 0]);
  });

  test("a beta of 0 is kept, not taken for absent", () => {
    expect(sgdMomentum({ lr: 0.1, beta: 0 }).constants).toEqual([0, 1, 0, 0, 0]);
  });

  test.each([1, -0.1, Number.NaN])("refuses beta %o", (beta) => {
    expect(() => sgdMomentum({ lr: 0.1, beta })).toThrow(
      expect.objectContaining({ code: "ERR_OPTION", where: "sgdMomentum.beta" }),
    );
  });
});

test("descriptions are frozen, lists too", () => {
  for (const one of [sgd({ lr: 1 }), sgd({ lr: 1, momentum: 0.5 }), sgdMomentum({ lr: 1 })]) {
    expect([one, one.states, one.constants].every(Object.isFrozen)).toBe(true);
  }
});
