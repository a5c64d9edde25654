// Periodic embeddings of numbers: what becomes one instruction, and that its bits are those of the operations alone.
import { crossEntropy, fit, linear, numericEmbedding, sequential, sgd } from "carillon";
import { describe, expect, test } from "vitest";
import { grad } from "../../lib/graph/grad.js";
import { program, spec } from "../../lib/graph/program.js";
import * as ops from "../../lib/ops/index.js";
import { Tensor } from "../../lib/tensor/tensor.js";
import type { Value } from "../../lib/tensor/value.js";
import { floats } from "../ops/sample.js";
import { bits, toTensor } from "../ops/ways.js";
import { bitsOf, clusters } from "../train/synthetic.js";
import { decoded, planned } from "./inspect.js";

interface Sizes {
  readonly columns: number;
  readonly frequencies: number;
  readonly mixes: number;
}

const shapesOf = ({ columns, frequencies, mixes }: Sizes) =>
  ({
    x: { shape: ["batch", columns] },
    frequency: { shape: [columns, frequencies] },
    phase: { shape: [columns, frequencies] },
    weight: { shape: [columns, mixes, frequencies] },
    bias: { shape: [columns, mixes] },
    seen: { shape: ["batch", columns * mixes] },
  }) as const;
type Inputs = Readonly<Record<keyof ReturnType<typeof shapesOf>, Value>>;

/** As the layer records it. */
function embedded({ x, frequency, phase, weight, bias }: Omit<Inputs, "seen">): Value {
  const [columns = 1, mixes = 1, frequencies = 1] = weight.shape;
  const batch = x.shape[0] ?? 1;
  const turned = ops.multiply(ops.multiply(ops.reshape(x, [batch, columns, 1]), 2 * Math.PI), frequency);
  const waves = ops.reshape(ops.cos(ops.add(turned, phase)), [batch, columns, 1, frequencies]);
  const y = ops.add(ops.sum(ops.multiply(waves, weight), { axis: "last" }), bias);
  return ops.reshape(y, [batch, Number(columns) * Number(mixes)]);
}

const LEARNED = ["frequency", "phase", "weight", "bias"] as const;

/** The embedding, and gradients of a sum of its outputs by `seen`, which tells every output from every other. */
function body(inputs: Inputs, of: readonly (keyof Inputs)[] = LEARNED): readonly Value[] {
  const { seen, ...rest } = inputs;
  let y = seen;
  const by = grad((...given) => {
    const own = Object.fromEntries(of.map((name, index) => [name, given[index]]));
    y = embedded({ ...rest, ...own });
    return ops.sum(ops.multiply(y, seen));
  });
  const gradients = by(...of.map((name) => inputs[name]));
  // On tensors `grad` records a program of its own, whose symbols are nobody else's.
  return [inputs.x instanceof Tensor ? embedded(rest) : y, ...gradients];
}

const names = (code: Int32Array): string[] => decoded(code).map(({ name }) => name);
const SMALL: Sizes = { columns: 3, frequencies: 5, mixes: 2 };

describe("what is fused", () => {
  test("the embedding, and the gradients of what it learns beside that of its bias", () => {
    const { code } = planned(shapesOf(SMALL), (inputs) => body(inputs));
    const told = names(code);
    expect(told.filter((name) => name.startsWith("periodic"))).toEqual(["periodic", "periodic_gradient"]);
    for (const alone of ["unary", "binary_spread", "row_sum", "axis_sum"]) expect(told).not.toContain(alone);
  });

  test("not the gradients where the numbers themselves have one, nor one sum a column", () => {
    const learned = planned(shapesOf(SMALL), (inputs) => body(inputs, [...LEARNED, "x"]));
    expect(names(learned.code)).toContain("periodic");
    expect(names(learned.code)).not.toContain("periodic_gradient");
    const single = planned(shapesOf({ ...SMALL, mixes: 1 }), (inputs) => body(inputs));
    expect(names(single.code)).not.toContain("periodic");
  });

  test("what is used besides is computed besides", () => {
    const { code } = planned(shapesOf(SMALL), (inputs) => {
      const y = embedded(inputs);
      return [y, ops.add(ops.multiply(ops.multiply(ops.reshape(inputs.x, ["batch", 3, 1]), 2), inputs.frequency), 1)];
    });
    expect(names(code).filter((name) => name === "periodic")).toHaveLength(1);
  });
});

describe("its bits", () => {
  // 1, 128 and 129 rows: one block of sums, and one and a row; 300: three. Widths beside whole registers.
  test.each<[number, Sizes]>([
    [1, { columns: 1, frequencies: 1, mixes: 2 }],
    [3, { columns: 14, frequencies: 16, mixes: 3 }],
    [128, SMALL],
    [129, { columns: 6, frequencies: 17, mixes: 3 }],
    [300, { columns: 14, frequencies: 16, mixes: 3 }],
    [300, { columns: 2, frequencies: 50, mixes: 17 }],
  ])("are those of the operations alone: %i rows, %o", async (rows, sizes) => {
    const { columns, frequencies, mixes } = sizes;
    const drawn = {
      x: toTensor(floats([rows, columns])),
      frequency: toTensor(floats([columns, frequencies])),
      phase: toTensor(floats([columns, frequencies])),
      weight: toTensor(floats([columns, mixes, frequencies])),
      bias: toTensor(floats([columns, mixes])),
      seen: toTensor(floats([rows, columns * mixes])),
    };
    const known = [...body(drawn), ...body(drawn, [...LEARNED, "x"])].map((value) => bits(value as Tensor));
    const { x, seen, ...weights } = shapesOf(sizes);
    const specs = Object.fromEntries(Object.entries(weights).map(([name, { shape }]) => [name, spec([...shape])]));
    const step = program({
      inputs: { ...specs, x: spec(["batch", columns]), seen: spec(["batch", columns * mixes]) },
      maxBatch: rows + 3,
      training: true,
      body: (inputs) => {
        const given = inputs as unknown as Inputs;
        const all = [...body(given), ...body(given, [...LEARNED, "x"])];
        return Object.fromEntries(all.map((value, index) => [`v${index}`, value]));
      },
    });
    const given = Object.values(await step.run(drawn)).map((value) => bits(value as Tensor));
    expect(given).toEqual(known);
  });

  test("are the same for one to four threads, in parts of a batch too", async () => {
    const trained = async (threads: number, accumulate: number): Promise<string> => {
      const model = sequential(numericEmbedding(40, { rateFactor: 0.1 }), linear(160, 3));
      const data = clusters(301, 40, 3);
      const options = {
        loss: crossEntropy(),
        optimizer: sgd({ lr: 0.1 }),
        batchSize: 280,
        epochs: 2,
        seed: 9,
        accumulate,
      };
      await fit(model, { data, ...options, threads });
      return bitsOf(model);
    };
    for (const accumulate of [1, 2]) {
      const expected = await trained(1, accumulate);
      for (const threads of [2, 3, 4]) expect(await trained(threads, accumulate)).toBe(expected);
    }
  });
});
