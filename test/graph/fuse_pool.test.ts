// Gradients of maxima over windows with the relu in front of them: what becomes one instruction, and that its bits are those of both.
import { describe, expect, test } from "vitest";
import { nativeInfo } from "../../lib/binding/native.js";
import { grad } from "../../lib/graph/grad.js";
import { program, spec } from "../../lib/graph/program.js";
import * as ops from "../../lib/ops/index.js";
import type { Tensor } from "../../lib/tensor/tensor.js";
import type { Value } from "../../lib/tensor/value.js";
import { floats } from "../ops/sample.js";
import { bits, toTensor } from "../ops/ways.js";
import { decoded, planned } from "./inspect.js";

const WINDOWS = {
  "side by side": [2, {}],
  "side by side, a rest left out": [3, {}],
  overlapping: [3, { stride: 2, padding: 1 }],
} as const;

/** What flows to x from the pooled relu of it, each place by a weight of its own. */
const flowing = (x: Value, weight: Value, [size, options]: (typeof WINDOWS)[keyof typeof WINDOWS]): Value =>
  grad((x_) => ops.sum(ops.multiply(ops.maxPool2d(ops.relu(x_), size, options), weight)))(x)[0];

describe.each(Object.entries(WINDOWS))("windows %s", (_name, windows) => {
  // 11 channels are a register and a rest of AVX2.
  const places = windows[0] === 2 ? 4 : windows[0] === 3 && "stride" in windows[1] ? 4 : 2;
  const shapes = { x: { shape: ["batch", 8, 8, 11] }, weight: { shape: [places, places, 11] } } as const;

  test("are one instruction with the relu in front", () => {
    const told = decoded(planned(shapes, ({ x, weight }) => [flowing(x, weight, windows)]).code);
    expect(told.find(({ name }) => name === "max_pool_gradient")?.ints.at(-1)).toBe(1);
    const gate = nativeInfo.binary.indexOf("relu_gradient");
    expect(told.filter(({ name, ints }) => name === "binary" && ints[2] === gate)).toEqual([]);
  });

  test("have the bits of the operations alone", async () => {
    const x = floats([3, 8, 8, 11]);
    const given = { x: toTensor(x), weight: toTensor(floats([places, places, 11])) };
    const [first = 0] = given.x.data;
    given.x.data.set([Number.NaN, -0, 0, first, first], 40);
    given.weight.data.set([-0, 0], 3);
    const step = program({
      inputs: { x: spec(["batch", 8, 8, 11]), weight: spec([places, places, 11]) },
      maxBatch: 4,
      body: (inputs) => ({ flow: flowing(inputs.x, inputs.weight, windows) }),
    });
    const rectified = ops.relu(given.x);
    const [pooled] = grad((y) => ops.sum(ops.multiply(ops.maxPool2d(y, windows[0], windows[1]), given.weight)))(
      rectified,
    );
    const apart = ops.where(ops.greater(rectified, 0), pooled, 0) as Tensor;
    expect(bits((await step.run(given)).flow)).toEqual(bits(apart));
  });
});

test("what flows to a pool is given out besides: both stay apart", () => {
  const shapes = { x: { shape: ["batch", 4, 4, 3] } } as const;
  const { code } = planned(shapes, ({ x }) => {
    const y = ops.relu(x);
    const by = grad((x_, y_) => ops.sum(ops.square(ops.maxPool2d(ops.multiply(y_, x_), 2))));
    return by(x, y);
  });
  expect(
    decoded(code)
      .find(({ name }) => name === "max_pool_gradient")
      ?.ints.at(-1),
  ).toBe(0);
});
