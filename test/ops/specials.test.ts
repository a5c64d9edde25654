import { describe, expect, test } from "vitest";
import * as ops from "../../lib/ops/index.js";
import { tensor } from "../../lib/tensor/tensor.js";

const nan = Number.NaN;
const inf = Number.POSITIVE_INFINITY;
/** Smallest normal number and largest denormal one. */
const NORMAL = 2 ** -126;
const DENORMAL = 2 ** -126 - 2 ** -149;

/** 17 copies, so that whole vectors and the tail are both seen. */
function each(f: (x: ReturnType<typeof many>) => { readonly data: ArrayLike<number> }, x: number): number[] {
  const results = Array.from(f(many(x)).data);
  return results.filter((value, index) => !results.slice(0, index).some((before) => Object.is(before, value)));
}

function many(x: number) {
  return tensor(new Float32Array(17).fill(x));
}

describe("numbers with a rule of their own", () => {
  test.each([
    [
      "relu",
      ops.relu,
      [
        [nan, nan],
        [-0, -0],
        [inf, inf],
        [-inf, 0],
        [DENORMAL, DENORMAL],
      ],
    ],
    [
      "absolute",
      ops.absolute,
      [
        [-0, 0],
        [-inf, inf],
        [nan, nan],
      ],
    ],
    [
      "sign",
      ops.sign,
      [
        [0, 0],
        [-0, -0],
        [nan, nan],
        [-inf, -1],
        [DENORMAL, 1],
      ],
    ],
    [
      "exp",
      ops.exp,
      [
        [nan, nan],
        [inf, inf],
        [-inf, 0],
        [89, inf],
        [-88, 0],
        [0, 1],
      ],
    ],
    [
      "log",
      ops.log,
      [
        [0, -inf],
        [-0, -inf],
        [-1, nan],
        [inf, inf],
        [1, 0],
        [nan, nan],
      ],
    ],
    [
      "sqrt",
      ops.sqrt,
      [
        [-1, nan],
        [-0, -0],
        [inf, inf],
      ],
    ],
    [
      "reciprocal",
      ops.reciprocal,
      [
        [0, inf],
        [-0, -inf],
        [inf, 0],
      ],
    ],
    [
      "tanh",
      ops.tanh,
      [
        [inf, 1],
        [-inf, -1],
        [-0, -0],
        [nan, nan],
        [20, 1],
      ],
    ],
    [
      "sigmoid",
      ops.sigmoid,
      [
        [inf, 1],
        [-inf, 0],
        [0, 0.5],
        [nan, nan],
        [100, 1],
      ],
    ],
    [
      "flush",
      ops.flush,
      [
        [NORMAL, NORMAL],
        [DENORMAL, 0],
        [-DENORMAL, 0],
        [nan, nan],
        [inf, inf],
      ],
    ],
    [
      "negate",
      ops.negate,
      [
        [0, -0],
        [nan, nan],
      ],
    ],
  ] as const)("%s", (_name, f, cases) => {
    for (const [x, y] of cases) expect(each(f, x)).toEqual([y]);
  });

  test("minimum and maximum pass NaN on from either side", () => {
    for (const f of [ops.minimum, ops.maximum]) {
      expect(each((x) => f(x, nan), 1)).toEqual([nan]);
      expect(each((x) => f(nan, x), 1)).toEqual([nan]);
      expect(each((x) => f(x, many(nan)), 1)).toEqual([nan]);
    }
    expect(each((x) => ops.greater(x, nan), 1)).toEqual([0]);
    expect(each((x) => ops.greater(x, -inf), 1)).toEqual([1]);
  });

  test("softmax and cross-entropy of far numbers neither overflow nor lose the small ones", () => {
    expect(Array.from(ops.softmax(tensor([[1e30, -1e30, 0]])).data)).toEqual([1, 0, 0]);
    expect(Array.from(ops.softmax(tensor([[-1e4, -1e4]])).data)).toEqual([0.5, 0.5]);
    const losses = ops.softmaxCrossEntropy(
      tensor([
        [0, 100],
        [100, 0],
      ]),
      tensor(Int32Array.of(0, 0)),
    );
    expect(Array.from(losses.data)).toEqual([100, 0]);
    expect(Array.from(ops.softmax(tensor([[1, nan]])).data)).toEqual([nan, nan]);
  });

  test("the sum of one element is that element, −0 as 0, in rows of one as in a whole", () => {
    const numbers = [-0, 0, nan, inf, -inf, DENORMAL, -NORMAL];
    const rows = tensor(
      Float32Array.from({ length: 70 }, (_, row) => numbers[row % numbers.length] ?? 0),
      [70, 1],
    );
    const wholes = Array.from(rows.data, (value) => ops.sum(tensor([value])).item());
    expect(Object.is(wholes[0], 0)).toBe(true);
    expect(Array.from(ops.sum(rows, { axis: "last" }).data)).toEqual(wholes);
  });

  test("argmax takes the first of equal numbers and the first NaN", () => {
    expect(
      Array.from(
        ops.argmax(
          tensor([
            [1, 3, 3],
            [-inf, -inf, -inf],
            [5, nan, nan],
          ]),
        ).data,
      ),
    ).toEqual([1, 0, 1]);
  });

  test("an empty set of options, numbers for tensors, and what is no value at all", () => {
    expect(ops.add(1, 2).item()).toBe(3);
    expect(Array.from(ops.multiply(2, tensor([1, 2])).data)).toEqual([2, 4]);
    const nothing = { apply: (x: unknown) => ops.add(x as number, 1) };
    for (const bad of ["1", null, undefined, [1], {}]) {
      expect(() => nothing.apply(bad)).toThrow(expect.objectContaining({ code: "ERR_OPTION", where: "add" }));
    }
  });
});

test("a label that is no class is named with its place", () => {
  const logits = tensor([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  for (const bad of [-1, 2, 2_147_483_647, -2_147_483_648]) {
    const error = expect.objectContaining({
      code: "ERR_LABEL",
      where: "labels[1]",
      message: `expected an integer in [0, 2) for 'labels[1]' but received ${bad}`,
    });
    const labels = tensor(Int32Array.of(1, bad, 0));
    expect(() => ops.softmaxCrossEntropy(logits, labels)).toThrow(error);
    expect(() => ops.oneHot(labels, 2)).toThrow(error);
  }
});

describe("options", () => {
  test.each([
    [{ site: 0 }, "dropout"],
    [{ rate: 0.5, keep: 0.5, site: 0 }, "dropout"],
    [{ rate: 1, site: 0 }, "dropout.rate"],
    [{ keep: 0, site: 0 }, "dropout.keep"],
    [{ rate: 0.5, site: -1 }, "dropout.site"],
    [{ rate: 0.5, site: 0 }, "dropout.seed"],
    [{ rate: 0.5, site: 0, seed: 1 }, "dropout.step"],
    [{ rate: 0.5, site: 0, seed: 1, step: 0 }, "dropout.step"],
  ])("dropout refuses %o", (options, where) => {
    expect(() => ops.dropout(tensor([1]), options)).toThrow(expect.objectContaining({ code: "ERR_OPTION", where }));
  });

  test("oneHot wants a whole number of classes, sum a known option", () => {
    const refused = (code: string, where: string) => expect.objectContaining({ code, where });
    expect(() => ops.oneHot(tensor(Int32Array.of(0)), 0)).toThrow(refused("ERR_OPTION", "oneHot.classes"));
    const misspelt = { axes: "last" } as object;
    expect(() => ops.sum(tensor([1]), misspelt)).toThrow(refused("ERR_UNKNOWN_OPTION", "sum.axes"));
    expect(() => ops.mean(tensor([1]), misspelt)).toThrow(refused("ERR_UNKNOWN_OPTION", "mean.axes"));
  });

  test.each(["all", "first", "last"] as const)(
    "sum and mean refuse to be told an axis that is none (%s is one)",
    (axis) => {
      const x = tensor([
        [1, 2],
        [3, 4],
      ]);
      expect(ops.sum(x, { axis }).shape.length).toBe(axis === "all" ? 0 : 1);
      const wrong = { axis: "rows" } as unknown as { axis: typeof axis };
      expect(() => ops.sum(x, wrong)).toThrow(expect.objectContaining({ code: "ERR_OPTION", where: "sum.axis" }));
      expect(() => ops.mean(x, wrong)).toThrow(expect.objectContaining({ code: "ERR_OPTION", where: "mean.axis" }));
    },
  );
});
