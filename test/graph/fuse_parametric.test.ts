// Activations with a share a unit: what becomes one instruction forward and one back, and that its bits are those of the operations alone.
import {
  adam,
  crossEntropy,
  defineLayer,
  dropout,
  fit,
  type Layer,
  linear,
  mish,
  ntkLinear,
  parameter,
  parametricActivation,
  selu,
  sequential,
} from "carillon";
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

type Function = (x: Value) => Value;
type Drop = (x: Value) => Value;
const FACTOR = 1 / Math.sqrt(35);

const activated = (f: Function, x: Value, share: Value): Value =>
  ops.add(x, ops.multiply(ops.subtract(f(x), x), share));

/** What may stand behind an activation. */
const behind = {
  nothing: (y: Value) => y,
  "a factor": (y: Value) => ops.multiply(y, FACTOR),
  "a dropout": (y: Value, drop: Drop) => drop(y),
  both: (y: Value, drop: Drop) => ops.multiply(drop(y), FACTOR),
} as const;
const forms = Object.entries(behind);

interface Inputs {
  readonly x: Value;
  readonly share: Value;
  readonly seen: Value;
}
type End = (y: Value, drop: Drop) => Value;

/** The activation and its gradients with respect to x and share, of a sum by `seen`. */
function body(f: Function, end: End, { x, share, seen }: Inputs, drop: Drop): readonly Value[] {
  const whole = (...given: readonly Value[]): Value => end(activated(f, given[0] ?? x, given[1] ?? share), drop);
  let y = seen;
  const gradients = grad((...given) => {
    y = whole(...given);
    return ops.sum(ops.multiply(y, seen));
  })(x, share);
  return [x instanceof Tensor ? whole(x, share) : y, ...gradients];
}

const names = (code: Int32Array): string[] => decoded(code).map(({ name }) => name);
const shapes = { x: { shape: ["batch", 35] }, share: { shape: [35] }, seen: { shape: ["batch", 35] } } as const;
const drawn: Drop = (x) => ops.dropout(x, { rate: 0.3, site: 4 });

describe.each(forms)("with %s behind it", (label, end) => {
  test.each([
    ["selu", ops.selu],
    ["mish", ops.mish],
  ] as const)("%s is one instruction forward and one back", (_name, f) => {
    const told = names(planned(shapes, (inputs) => body(f, end, inputs, drawn)).code);
    expect(told.filter((name) => name.startsWith("parametric"))).toEqual(["parametric", "parametric_gradient"]);
    for (const alone of ["unary", "dropout", "column_sum"]) expect(told).not.toContain(alone);
    const forward = planned(shapes, ({ x, share }) => [end(activated(f, x, share), drawn)]);
    expect(names(forward.code)).toEqual(["parametric"]);
  });

  test("other functions, and others' shares, stay apart", () => {
    const others = planned(shapes, (inputs) => body(ops.gelu, end, inputs, drawn));
    expect(names(others.code)).not.toContain("parametric");
    const own = planned({ ...shapes, share: { shape: ["batch", 35] } }, ({ x, share }) => [
      end(activated(ops.selu, x, share), drawn),
    ]);
    expect(names(own.code)).not.toContain("parametric");
  });

  test("what is used besides is computed besides", () => {
    const { code } = planned(shapes, ({ x, share }) => {
      const y = activated(ops.selu, x, share);
      return [end(y, drawn), ops.square(y), ops.subtract(ops.selu(x), x)];
    });
    expect(names(code).filter((name) => name === "parametric")).toHaveLength(1);
    if (label === "both") expect(names(code)).toContain("dropout");
  });

  // One block of sums, one and a row, three; rows beside whole registers, and longer than what is worked on at once.
  test.each([
    [1, 35],
    [129, 35],
    [300, 64],
    [3, 2500],
  ])("has the bits of the operations alone: %i rows of %i", async (rows, columns) => {
    const given = {
      x: toTensor(floats([rows, columns])),
      share: toTensor(floats([columns])),
      seen: toTensor(floats([rows, columns])),
    };
    const all = (inputs: Inputs, drop: Drop): readonly Value[] =>
      [ops.selu, ops.mish].flatMap((f) => body(f, end, inputs, drop));
    const known = all(given, (x) => ops.dropout(x, { rate: 0.3, site: 4, seed: 17, step: 1 }));
    const step = program({
      inputs: { x: spec(["batch", columns]), share: spec([columns]), seen: spec(["batch", columns]) },
      maxBatch: rows + 3,
      seed: 17,
      training: true,
      body: (inputs) => Object.fromEntries(all(inputs, drawn).map((value, index) => [`v${index}`, value])),
    });
    const found = Object.values(await step.run(given)).map((value) => bits(value as Tensor));
    expect(found).toEqual(known.map((value) => bits(value as Tensor)));
  });
});

/** The same layer with the operands of a product the other way round, which no pass looks for. */
function apart(units: number, f: Function): Layer<number, "same"> {
  return defineLayer({
    kind: "apart",
    inputs: units,
    outputs: "same",
    config: {},
    parameters: { share: parameter([units], { role: "scale", rateFactor: 0.1 }) },
    forward: (x, { share }) => ops.add(x, ops.multiply(share, ops.subtract(f(x), x))),
  });
}

test.each([
  ["selu", selu, ops.selu],
  ["mish", mish, ops.mish],
] as const)("a run has the bits of the layer apart, for one to four threads and in parts: %s", async (_name, f, op) => {
  const trained = async (together: boolean, threads: number, accumulate: number): Promise<string> => {
    const own = (): Layer<number, "same"> =>
      together ? parametricActivation(160, f(), { rateFactor: 0.1 }) : apart(160, op);
    const model = sequential(
      ntkLinear(6, 160),
      own(),
      dropout({ rate: 0.15, fade: 0.5 }),
      ntkLinear(160, 160),
      own(),
      dropout(0.2),
      linear(160, 3),
    );
    const options = { loss: crossEntropy(), batchSize: 280, epochs: 3, seed: 9, accumulate, threads };
    await fit(model, { data: clusters(301, 6, 3), optimizer: adam({ lr: 0.01 }), ...options });
    return bitsOf(model);
  };
  for (const accumulate of [1, 2]) {
    const expected = await trained(false, 1, accumulate);
    for (const threads of [1, 2, 3, 4]) expect(await trained(true, threads, accumulate)).toBe(expected);
  }
});
