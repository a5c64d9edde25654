// Products with what follows them: which chains become one instruction, and that its bits are those of the chain.
import { describe, expect, test } from "vitest";
import { grad } from "../../lib/graph/grad.js";
import { program, spec } from "../../lib/graph/program.js";
import { reluGradient, tanhGradient } from "../../lib/ops/elementwise.js";
import * as ops from "../../lib/ops/index.js";
import type { DropoutScaling } from "../../lib/ops/random.js";
import type { Tensor } from "../../lib/tensor/tensor.js";
import type { Value } from "../../lib/tensor/value.js";
import { floats, labels } from "../ops/sample.js";
import { bits, toTensor } from "../ops/ways.js";
import { type Decoded, decoded, instructions, planned } from "./inspect.js";

/** A mask at a place of its own, each time. */
type Drop = (x: Value, site: number) => Value;
type Activation = (x: Value) => Value;

const SEED = 17;
const dropping = (rate: number, scaling: DropoutScaling = "inverted"): Drop => {
  return (x, site) => ops.dropout(x, { rate, site, scaling });
};
/** The same masks for tensors. */
const eager = (rate: number, scaling: DropoutScaling = "inverted"): Drop => {
  return (x, site) => ops.dropout(x, { rate, site, scaling, seed: SEED, step: 1 });
};
const half = dropping(0.5);
const none: Activation = (x) => x;

const shapes = {
  x: { shape: ["batch", 5] },
  w1: { shape: [7, 5] },
  b1: { shape: [7] },
  w2: { shape: [6, 7] },
  b2: { shape: [6] },
  w3: { shape: [3, 6] },
  y: { shape: ["batch"], dtype: "i32" },
} as const;
type Inputs = { readonly [K in keyof typeof shapes]: Value };

/** Two hidden layers; the gradient of every parameter, and of x. */
function gradientsOf({ x, w1, b1, w2, b2, w3, y }: Inputs, f: Activation, drop: Drop): readonly Value[] {
  const loss = grad((x_, w1_, b1_, w2_, b2_, w3_) => {
    const first = drop(f(ops.linear(x_, w1_, b1_)), 0);
    const second = drop(f(ops.linear(first, w2_, b2_)), 1);
    return ops.sum(ops.softmaxCrossEntropy(ops.linear(second, w3_), y));
  });
  return loss(x, w1, b1, w2, b2, w3);
}

const fusedOf = (code: Int32Array): Decoded[] => decoded(code).filter(({ name }) => name === "gemm_fused");
/** What a fused product says of itself. */
const says = ({ ints, doubles }: Decoded) => {
  const [activation, , site, exampleRows, gate] = ints.slice(5);
  const [keep, keepScale, gateScale] = doubles;
  return { activation, site, exampleRows, gate, keep, keepScale, gateScale };
};
const counted = (code: Int32Array, ...names: readonly string[]): number[] => {
  const all = instructions(code);
  return names.map((name) => all.filter((each) => each === name).length);
};

describe("a network with two hidden layers", () => {
  test("relu and dropout: each layer is one product forward and one backward", () => {
    const { code } = planned(shapes, (inputs) => gradientsOf(inputs, ops.relu, half));
    expect(counted(code, "gemm_fused", "dropout", "unary", "binary", "gemm")).toEqual([4, 0, 0, 0, 5]);
    const forward = { activation: 1, exampleRows: 1, gate: 0, keep: 0.5, keepScale: 2, gateScale: 1 };
    const backward = { activation: 0, site: -1, exampleRows: 0, gate: 1, keep: 1, keepScale: 1, gateScale: 2 };
    const fused = fusedOf(code);
    expect(fused.map(says)).toEqual([{ ...forward, site: 0 }, { ...forward, site: 1 }, backward, backward]);
    // The gates are the dropped-out outputs, last layer first.
    const [first, second, third, fourth] = fused.map(({ views }) => views);
    expect([third?.[4], fourth?.[4]]).toEqual([second?.[3], first?.[3]]);
    expect([first?.[4], second?.[4]]).toEqual([-1, -1]);
  });

  test("dropout with 'classic' scaling: the same with factors of 1", () => {
    const { code } = planned(shapes, (inputs) => gradientsOf(inputs, ops.relu, dropping(0.25, "classic")));
    expect(counted(code, "gemm_fused", "dropout", "unary", "binary")).toEqual([4, 0, 0, 0]);
    expect(fusedOf(code).map((each) => says(each).keepScale)).toEqual([1, 1, 1, 1]);
    expect(fusedOf(code).map((each) => says(each).gateScale)).toEqual([1, 1, 1, 1]);
  });

  test("dropout alone: masks forward and backward, no gate", () => {
    const { code } = planned(shapes, (inputs) => gradientsOf(inputs, none, half));
    expect(counted(code, "gemm_fused", "dropout", "binary")).toEqual([4, 0, 0]);
    expect(fusedOf(code).map((each) => [says(each).site, says(each).gate])).toEqual([
      [0, 0],
      [1, 0],
      [1, 0],
      [0, 0],
    ]);
  });

  test("relu alone: gates from its output", () => {
    const { code } = planned(shapes, (inputs) => gradientsOf(inputs, ops.relu, none));
    expect(counted(code, "gemm_fused", "unary", "binary")).toEqual([2, 0, 0]);
    expect(fusedOf(code).map((each) => [says(each).site, says(each).gate])).toEqual([
      [-1, 1],
      [-1, 1],
    ]);
  });

  test.each([
    ["gelu", (x: Value): Value => ops.gelu(x), 3],
    ["silu", (x: Value): Value => ops.silu(x), 4],
  ] as const)("%s: its slope is a gate, from what it was given", (_name, f, gate) => {
    const { code } = planned(shapes, (inputs) => gradientsOf(inputs, f, none));
    expect(fusedOf(code).map((each) => says(each).gate)).toEqual([gate, gate]);
    expect(counted(code, "unary", "binary")).toEqual([2, 0]);
  });

  test("tanh and dropout: its slope needs the output without the mask, so the mask forward stays apart", () => {
    const { code } = planned(shapes, (inputs) => gradientsOf(inputs, ops.tanh, half));
    expect(counted(code, "gemm_fused", "dropout", "unary", "binary")).toEqual([2, 2, 0, 0]);
    expect(fusedOf(code).map((each) => [says(each).site, says(each).gate])).toEqual([
      [1, 2],
      [0, 2],
    ]);
  });

  test.each<[string, Drop]>([
    ["alphaDropout", (x, site) => ops.alphaDropout(x, { rate: 0.5, site })],
    ["gaussianDropout", (x, site) => ops.gaussianDropout(x, { rate: 0.5, site })],
    ["a dropout with draws of its own", (x, site) => ops.dropout(x, { rate: 0.5, site, seed: 3, step: 1 })],
  ])("%s stays apart, forward", (_name, drop) => {
    const { code } = planned(shapes, (inputs) => [drop(ops.relu(ops.linear(inputs.x, inputs.w1)), 0)]);
    expect(counted(code, "gemm", "gemm_fused")).toEqual([1, 0]);
    expect(counted(code, "dropout", "noise").reduce((a, b) => a + b)).toBe(1);
  });

  test("spatialDropout stays apart: rows share its mask", () => {
    const { code } = planned({ x: { shape: ["batch", 4, 5] } }, ({ x }) => [
      ops.spatialDropout(x, { rate: 0.5, site: 0 }),
    ]);
    expect(instructions(code)).toEqual(["dropout"]);
  });
});

describe("not fused, or not away", () => {
  const layer = { x: { shape: ["batch", 5] }, w: { shape: [7, 5] }, g: { shape: ["batch", 7] } } as const;

  test("a relu that is used besides its dropout", () => {
    const { code } = planned(layer, ({ x, w }) => {
      const h = ops.relu(ops.linear(x, w));
      return [half(h, 0), ops.sum(h)];
    });
    expect(counted(code, "gemm", "dropout", "gemm_fused")).toEqual([1, 1, 0]);
  });

  test("a relu that is given out", () => {
    const { code } = planned(layer, ({ x, w }) => {
      const h = ops.relu(ops.linear(x, w));
      return [h, half(h, 0)];
    });
    expect(counted(code, "gemm", "dropout", "gemm_fused")).toEqual([1, 1, 0]);
  });

  test("two masks of one relu", () => {
    const { code } = planned(layer, ({ x, w }) => {
      const h = ops.relu(ops.linear(x, w));
      return [half(h, 0), half(h, 1)];
    });
    expect(counted(code, "gemm", "dropout", "gemm_fused")).toEqual([1, 2, 0]);
  });

  test("a dropped-out output may be used as often as wanted", () => {
    const { code } = planned(layer, ({ x, w }) => {
      const h = half(ops.relu(ops.linear(x, w)), 0);
      return [h, ops.sum(h), ops.square(h)];
    });
    expect(counted(code, "gemm", "dropout", "gemm_fused")).toEqual([0, 0, 1]);
  });

  test("a gate whose gradient is also wanted without it", () => {
    const { code } = planned(layer, ({ x, w, g }) => {
      const h = ops.linear(x, w);
      return [reluGradient(h, g), ops.sum(h)];
    });
    expect(counted(code, "gemm", "binary", "gemm_fused")).toEqual([1, 1, 0]);
  });

  test.each([
    ["relu", reluGradient],
    ["tanh", tanhGradient],
  ] as const)("the gate of a %s whose gradient is one column for all", (_name, gate) => {
    const { code } = planned({ ...layer, w: { shape: [1, 5] } }, ({ x, w, g }) => [gate(ops.linear(x, w), g)]);
    expect(counted(code, "gemm", "binary", "gemm_fused")).toEqual([1, 1, 0]);
  });

  test("a mask of another place is no gate: the gradient keeps mask and relu's own gate", () => {
    const { code } = planned(layer, ({ x, w, g }) => {
      const h = ops.relu(g);
      return [half(h, 0), reluGradient(half(ops.linear(x, w), 1), h)];
    });
    expect(fusedOf(code).map(says)).toEqual([expect.objectContaining({ site: 1, gate: 1, keep: 0.5, gateScale: 1 })]);
  });

  test("the same place and another share kept is another mask", () => {
    const { code } = planned(layer, ({ x, w, g }) => {
      const h = ops.relu(g);
      return [half(h, 0), reluGradient(dropping(0.2)(ops.linear(x, w), 0), h)];
    });
    expect(fusedOf(code).map(says)).toEqual([expect.objectContaining({ site: 0, gate: 1, keep: 0.8, gateScale: 1 })]);
  });

  test("the same mask is a gate wherever the relu comes from", () => {
    const { code } = planned(layer, ({ x, w, g }) => {
      const h = ops.relu(g);
      return [half(h, 0), reluGradient(half(ops.linear(x, w), 0), h)];
    });
    expect(fusedOf(code).map(says)).toEqual([expect.objectContaining({ site: -1, gate: 1, gateScale: 2 })]);
  });

  test("a mask of the gradient that is used besides", () => {
    const { code } = planned(layer, ({ x, w, g }) => {
      const [h, flowing] = [ops.relu(g), half(ops.linear(x, w), 0)];
      return [half(h, 0), reluGradient(flowing, h), flowing];
    });
    expect(fusedOf(code).map(says)).toEqual([expect.objectContaining({ site: 0, gate: 0 })]);
    expect(counted(code, "binary")).toEqual([1]);
  });
});

describe("bits", () => {
  const ROWS = 37;
  const drawn: Record<keyof typeof shapes, Tensor> = {
    x: toTensor(floats([ROWS, 5])),
    w1: toTensor(floats([7, 5])),
    b1: toTensor(floats([7])),
    w2: toTensor(floats([6, 7])),
    b2: toTensor(floats([6])),
    w3: toTensor(floats([3, 6])),
    y: toTensor(labels([ROWS], 3)),
  };
  const specs = {
    x: spec(["batch", 5]),
    w1: spec([7, 5]),
    b1: spec([7]),
    w2: spec([6, 7]),
    b2: spec([6]),
    w3: spec([3, 6]),
    y: spec(["batch"], "i32"),
  };

  /** Gradients by a program, and by one operation after another. */
  async function both(
    body: (inputs: Inputs, drop: Drop) => readonly Value[],
    rate: number,
    scaling: DropoutScaling = "inverted",
  ): Promise<[unknown[], unknown[]]> {
    const step = program({
      inputs: specs,
      maxBatch: ROWS + 3,
      seed: SEED,
      training: true,
      body: (inputs) =>
        Object.fromEntries(body(inputs, dropping(rate, scaling)).map((value, index) => [`v${index}`, value])),
    });
    const given = Object.values(await step.run(drawn)).map((value) => bits(value as Tensor));
    const known = body(drawn, eager(rate, scaling)).map((value) => bits(value as Tensor));
    return [given, known];
  }

  const functions = [
    ["relu", ops.relu],
    ["tanh", ops.tanh],
    ["gelu", (x: Value): Value => ops.gelu(x)],
    ["silu", (x: Value): Value => ops.silu(x)],
    ["identity", none],
  ] as const;
  test.each(
    functions.flatMap(([name, f]) =>
      ([0.5, 0.2, 1 / 3, 0] as const).flatMap((rate) =>
        (["inverted", "classic"] as const).map((scaling) => [name, rate, scaling, f] as const),
      ),
    ),
  )(
    "gradients of a network with %s and a rate of %f (%s) are those of eager steps",
    async (_name, rate, scaling, f) => {
      const [given, known] = await both((inputs, drop) => gradientsOf(inputs, f, drop), rate, scaling);
      expect(given).toHaveLength(6);
      expect(given).toEqual(known);
    },
  );

  test("dropout twice, between and after activations", async () => {
    const twice = (drop: Drop): Drop => {
      return (x, site) => drop(drop(x, 2 * site), 2 * site + 1);
    };
    const [given, known] = await both((inputs, drop) => gradientsOf(inputs, ops.relu, twice(drop)), 0.4);
    expect(given).toEqual(known);
    const [more, expected] = await both(
      (inputs, drop) => gradientsOf(inputs, none, (x, site) => ops.relu(drop(ops.relu(drop(x, site)), site + 2))),
      0.4,
    );
    expect(more).toEqual(expected);
  });

  test("the same place twice: one mask, two uses", async () => {
    const [given, known] = await both(
      (inputs, drop) => gradientsOf(inputs, ops.relu, (x, site) => ops.add(drop(x, site), drop(x, site))),
      0.5,
    );
    expect(given).toEqual(known);
  });

  test("the gradient of a gradient", async () => {
    const [given, known] = await both(({ x, w1, b1, w2, b2 }, drop) => {
      const inner = grad((x_, w1_, w2_) => {
        const first = drop(ops.relu(ops.linear(x_, w1_, b1)), 0);
        return ops.sum(ops.square(drop(ops.tanh(ops.linear(first, w2_, b2)), 1)));
      });
      return grad((x_, w1_, w2_) =>
        inner(x_, w1_, w2_)
          .map((each) => ops.sum(ops.square(each)))
          .reduce((a, b) => ops.add(a, b)),
      )(x, w1, w2);
    }, 0.3);
    expect(given).toHaveLength(3);
    expect(given).toEqual(known);
  });

  test("values given out as well, and a hidden layer that two layers use", async () => {
    const [given, known] = await both(({ x, w1, b1, w2 }, drop) => {
      const hidden = (x_: Value, w1_: Value): Value => drop(ops.relu(ops.linear(x_, w1_, b1)), 0);
      const gradient = grad((x_, w1_, w2_) => {
        const h = hidden(x_, w1_);
        return ops.sum(ops.add(ops.relu(ops.linear(h, w2_)), ops.tanh(ops.linear(h, w2_))));
      })(x, w1, w2);
      return [...gradient, hidden(x, w1), ops.relu(ops.linear(x, w1, b1))];
    }, 0.5);
    expect(given).toEqual(known);
  });
});
