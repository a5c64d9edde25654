// Runs of small networks with attention, beside those of PyTorch and Keras (make_attention_fixture.py).
import { readFileSync } from "node:fs";
import {
  type AnyModel,
  attention,
  type FitOptions,
  fit,
  type Layer,
  linear,
  type Model,
  mse,
  network,
  ops,
  sgd,
  spec,
  type Tensor,
  tensor,
  transformerBlock,
} from "carillon";
import type { Numbers } from "./norm_runs.js";

/** A run: answers at first, weights and answers in float64 after the first and the last step, and how far the run in float32 ends from that. */
export interface Case {
  readonly framework: "pytorch" | "keras";
  readonly kind: "attention" | "transformerBlock";
  readonly options: Readonly<Record<string, unknown>>;
  readonly lengths: boolean;
  readonly memory: boolean;
  readonly begin: Numbers;
  readonly before: readonly number[];
  readonly first: Numbers;
  readonly last: Numbers;
  readonly distance: number;
}

type Steps = readonly (readonly (readonly number[])[])[];

export const fixture = JSON.parse(readFileSync(new URL("fixtures/attention.json", import.meta.url), "utf8")) as {
  readonly steps: number;
  readonly batch: number;
  readonly rate: number;
  readonly x: Steps;
  readonly memory: Steps;
  readonly y: Steps;
  readonly lengths: readonly number[];
  readonly cases: readonly Case[];
};

const [SIZE, HEADS, OUTPUTS] = [4, 2, 2];
const time = fixture.x[0]?.length ?? 0;
const keys = fixture.memory[0]?.length ?? 0;

/** `attention of pytorch, causal, lengths`. */
export function nameOf({ framework, kind, options, lengths, memory }: Case): string {
  const own = Object.entries(options).map(([name, value]) => (value === true ? name : `${name} ${String(value)}`));
  return [`${kind} of ${framework}`, ...own, ...(lengths ? ["lengths"] : []), ...(memory ? ["memory"] : [])].join(", ");
}

function layerOf({ kind, options }: Case): Layer {
  return kind === "attention" ? attention(SIZE, HEADS, options) : transformerBlock(SIZE, HEADS, options);
}

/** Rows of the fixture; where they have lengths padded by `more` steps, all behind their ends being `filling`. */
export function rowsOf({ lengths, memory }: Case, more = 0, filling?: number) {
  const behind = Array.from({ length: more }, () => new Array<number>(SIZE).fill(filling ?? 0));
  const x = fixture.x.map((steps, row) => {
    const length = lengths ? (fixture.lengths[row] ?? 0) : steps.length;
    return [
      ...steps.map((step, at) => (at < length || filling === undefined ? step : step.map(() => filling))),
      ...behind,
    ];
  });
  return {
    x: tensor(x),
    ...(lengths ? { lengths: Int32Array.from(fixture.lengths) } : {}),
    ...(memory ? { memory: tensor(fixture.memory) } : {}),
  };
}

/** A layer and a linear one behind it, on the first step where there are lengths, with the fixture's first weights. */
export function networkOf(one: Case, more = 0): AnyModel {
  const model = network({
    inputs: {
      x: spec(["batch", time + more, SIZE]),
      ...(one.lengths ? { lengths: spec(["batch"], "i32") } : {}),
      ...(one.memory ? { memory: spec(["batch", keys, SIZE]) } : {}),
    },
    layers: { layer: layerOf(one), linear1: linear(SIZE, OUTPUTS) },
    forward: ({ x, lengths, memory }, { layer, linear1 }) => {
      if (memory !== undefined) return linear1(layer(ops.attendTo(x, memory)));
      if (lengths === undefined) return linear1(layer(x));
      const states = layer(ops.sequence(x, lengths));
      return linear1(ops.flatten(ops.slice(states, 0, 1, { axis: 1 })));
    },
  });
  model.initialize(0);
  const begin = Object.entries(one.begin).map(([name, data]) => [name, Float32Array.from(data)] as const);
  model.setWeights(Object.fromEntries(begin));
  return model;
}

/** What the fixture keeps of a run, after some steps in the order of the rows. */
export async function trained(one: Case, steps: number, more = 0, filling?: number): Promise<Numbers> {
  const model = networkOf(one, more);
  const x = rowsOf(one, more, filling);
  const y = one.lengths ? tensor(fixture.y.map(([first = []]) => first)) : tensor(fixture.y);
  const own = { batchSize: fixture.batch, shuffle: false, optimizer: sgd({ lr: fixture.rate }), loss: mse() };
  await fit(model as Model, { data: { x, y }, steps, ...own } as unknown as FitOptions);
  const weights = [...model.weights()].map(([name, { data }]) => [name, Array.from(data)] as const);
  return Object.fromEntries([...weights, ["predicted", await predicted(model, x)]]);
}

export async function predicted(model: AnyModel, x: unknown): Promise<readonly number[]> {
  const answers = (await (model as Model).predict(x as Tensor<"f32">)) as Tensor<"f32">;
  return Array.from(answers.data);
}
