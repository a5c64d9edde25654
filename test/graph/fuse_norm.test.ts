// Normalizations with what follows them: which chains become one instruction, and that its bits are those of the chain.
import {
  adam,
  batchNorm,
  crossEntropy,
  defineLayer,
  dropout,
  fit,
  type Layer,
  layerNorm,
  linear,
  type Model,
  minimizer,
  relu,
  sequential,
  sgd,
  tanh,
} from "carillon";
import { describe, expect, test } from "vitest";
import { grad } from "../../lib/graph/grad.js";
import { program, spec } from "../../lib/graph/program.js";
import * as ops from "../../lib/ops/index.js";
import type { Tensor } from "../../lib/tensor/tensor.js";
import type { Value } from "../../lib/tensor/value.js";
import { floats } from "../ops/sample.js";
import { bits, toTensor } from "../ops/ways.js";
import { bitsOf, clusters } from "../train/synthetic.js";
import { type Decoded, decoded, planned } from "./inspect.js";

const SEED = 17;
const COLUMNS = 35;
const shapes = {
  x: { shape: ["batch", COLUMNS] },
  scale: { shape: [COLUMNS] },
  shift: { shape: [COLUMNS] },
} as const;
type Inputs = { readonly [K in keyof typeof shapes]: Value };

const NORMS = {
  row_norm: ({ x, scale, shift }: Inputs) => ops.layerNorm(x, scale, shift),
  "row_norm without a mean": ({ x, scale }: Inputs) => ops.rmsNorm(x, scale),
  "row_norm of groups": ({ x, scale, shift }: Inputs) => ops.groupNorm(x, 7, scale, shift),
  column_norm: ({ x, scale, shift }: Inputs) => ops.batchNorm(x, scale, shift).y,
  scale_shift: ({ x, scale, shift }: Inputs) => ops.scaleShift(x, scale, shift),
} as const;
const norms = Object.entries(NORMS);

/** Names of the instructions; of a normalization with its function, site and share that is kept. */
function told(code: Int32Array): string[] {
  const finish = ({ name, ints, doubles }: Decoded): string => {
    const [function_ = -1, site = -1] = ints.slice(-3);
    return `${name}${function_ < 0 ? "" : " then a function"}${site < 0 ? "" : `, keep ${doubles.at(-2)} at ${site}`}`;
  };
  return decoded(code).map((each) =>
    ["row_norm", "column_norm", "scale_shift"].includes(each.name) ? finish(each) : each.name,
  );
}

describe.each(norms)("%s", (label, norm) => {
  const [name = ""] = label.split(" ");

  test.each([
    ["relu", ops.relu],
    ["tanh", ops.tanh],
    ["gelu", ops.gelu],
  ] as const)("%s behind it, and a dropout behind that, are a part of it", (_name, f) => {
    const drop = (x: Value): Value => ops.dropout(x, { rate: 0.25, site: 3 });
    expect(told(planned(shapes, (inputs) => [f(norm(inputs))]).code)).toEqual([`${name} then a function`]);
    expect(told(planned(shapes, (inputs) => [drop(f(norm(inputs)))]).code)).toEqual([
      `${name} then a function, keep 0.75 at 3`,
    ]);
    expect(told(planned(shapes, (inputs) => [drop(norm(inputs))]).code)).toEqual([`${name}, keep 0.75 at 3`]);
  });

  test("a result that is used besides stays apart", () => {
    const { code } = planned(shapes, (inputs) => {
      const y = norm(inputs);
      return [ops.relu(y), y];
    });
    expect(told(code)).toEqual([name, "unary"]);
    const more = planned(shapes, (inputs) => {
      const y = ops.relu(norm(inputs));
      return [ops.dropout(y, { rate: 0.5, site: 0 }), y];
    });
    expect(told(more.code)).toEqual([`${name} then a function`, "dropout"]);
  });

  // 131 rows are two blocks of sums, and several pieces.
  test.each([1, 2, 131])("has the bits of the operations alone, and so have its gradients: %i rows", async (rows) => {
    const drawn = {
      x: toTensor(floats([rows, COLUMNS])),
      scale: toTensor(floats([COLUMNS])),
      shift: toTensor(floats([COLUMNS])),
    };
    const body = (inputs: Inputs, drop: (x: Value, site: number) => Value): readonly Value[] =>
      [ops.relu, ops.tanh, ops.sigmoid, ops.gelu, (x: Value) => x].flatMap((f, index) => {
        const whole = (x: Value, scale: Value, shift: Value): Value => drop(f(norm({ x, scale, shift })), index);
        const { x, scale, shift } = inputs;
        const plain = f(norm(inputs));
        return [
          plain,
          whole(x, scale, shift),
          ...grad((...all) => ops.sum(ops.square(whole(...(all as [Value, Value, Value])))))(x, scale, shift),
        ];
      });
    const step = program({
      inputs: { x: spec(["batch", COLUMNS]), scale: spec([COLUMNS]), shift: spec([COLUMNS]) },
      maxBatch: rows + 3,
      seed: SEED,
      training: true,
      body: (inputs) =>
        Object.fromEntries(
          body(inputs, (x, site) => ops.dropout(x, { rate: 0.3, site })).map((value, index) => [`v${index}`, value]),
        ),
    });
    const given = Object.values(await step.run(drawn)).map((value) => bits(value as Tensor));
    const known = body(drawn, (x, site) => ops.dropout(x, { rate: 0.3, site, seed: SEED, step: 1 }));
    expect(given).toEqual(known.map((value) => bits(value as Tensor)));
  });
});

test("mean and variance are there before what stands between normalization and function needs them", async () => {
  const step = program({
    inputs: { x: spec(["batch", COLUMNS]) },
    maxBatch: 8,
    body({ x }) {
      const { y, mean, variance } = ops.batchNorm(x);
      const sum = ops.add(mean, variance);
      return { h: ops.relu(y), sum };
    },
  });
  const x = toTensor(floats([8, COLUMNS]));
  const { y, mean, variance } = ops.batchNorm(x);
  const { h, sum } = await step.run({ x });
  expect(bits(h)).toEqual(bits(ops.relu(y) as Tensor));
  expect(bits(sum)).toEqual(bits(ops.add(mean, variance) as Tensor));
});

test("no function goes across an update", async () => {
  const model = sequential(layerNorm(4)).initialize(1);
  const trainer = minimizer(model, sgd({ lr: 0.5 }));
  const step = program({
    inputs: { x: spec(["batch", 4]) },
    maxBatch: 2,
    body({ x }) {
      const before = model.forward(x);
      trainer.minimize(ops.sum(ops.square(model.forward(x))));
      return { h: ops.relu(before) };
    },
  });
  const x = toTensor(floats([2, 4]));
  const [scale, shift] = [...model.weights().values()] as [Tensor, Tensor];
  const expected = ops.relu(ops.layerNorm(x, scale, shift));
  const { h } = await step.run({ x });
  expect(bits(h)).toEqual(bits(expected as Tensor));
});

/** Changes nothing, and ends every chain. */
const block = (): Layer => defineLayer({ kind: "block", outputs: "same", forward: (x) => ops.multiply(x, 1) });
const chain = sequential as (...layers: readonly unknown[]) => Model;
const BLOCKS: Readonly<Record<string, (width: number) => readonly Layer[]>> = {
  "batch norm and relu": (width) => [batchNorm(width), relu()],
  "batch norm, relu and dropout": (width) => [batchNorm(width), relu(), dropout(0.3)],
  "layer norm, tanh and dropout": (width) => [layerNorm(width), tanh(), dropout(0.5)],
};

test.each(Object.entries(BLOCKS))("training with %s: the weights are those of steps apart", async (_name, behind) => {
  const build = (apart: boolean): Model => {
    const layers = (width: number) => behind(width).flatMap((layer) => (apart ? [layer, block()] : [layer]));
    return chain(linear(6, 40), ...layers(40), linear(40, 17), ...layers(17), linear(17, 3));
  };
  // Batches of 160, two blocks of sums, in one part or in several, and a last one of 20 rows.
  const train = async (model: Model, threads: number, accumulate: number): Promise<string> => {
    const data = clusters(340, 6, 3);
    const options = { data, loss: crossEntropy(), batchSize: 160, epochs: 3, seed: 9, accumulate, threads };
    await fit(model, { ...options, optimizer: adam({ lr: 0.01 }) });
    return bitsOf(model);
  };
  for (const accumulate of [1, 4]) {
    const expected = await train(build(true), 1, accumulate);
    expect(await train(build(false), 1, accumulate)).toBe(expected);
    expect(await train(build(false), 2, accumulate)).toBe(expected);
  }
});

test("batch norm of one block of rows goes strip by strip over the threads: the weights are those of one thread, and of steps apart", async () => {
  // 100 × 530 elements are three strips, which end at whole lines and at the last column; batches of 1 row are the last.
  const train = async (apart: boolean, threads: number): Promise<string> => {
    const ends = apart ? [block()] : [];
    const hidden = [batchNorm(530, { preset: "keras" }), ...ends, relu(), ...ends];
    const model = chain(linear(6, 530), ...hidden, linear(530, 530), ...hidden.slice(1), linear(530, 3));
    const options = { data: clusters(201, 6, 3), loss: crossEntropy(), batchSize: 100, epochs: 2, seed: 9, threads };
    await fit(model, { ...options, optimizer: adam({ lr: 0.01 }) });
    return bitsOf(model);
  };
  const expected = await train(true, 1);
  for (const threads of [1, 2, 3, 4]) expect(await train(false, threads)).toBe(expected);
});
