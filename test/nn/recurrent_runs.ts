// Runs of small recurrent networks, beside those of PyTorch and Keras (make_recurrent_fixture.py).
import { readFileSync } from "node:fs";
import {
  type AnyModel,
  type FitOptions,
  fit,
  gru,
  type Layer,
  linear,
  lstm,
  type Model,
  mse,
  network,
  ops,
  rnn,
  sequential,
  sgd,
  spec,
  type Tensor,
  tensor,
} from "carillon";
import type { Numbers } from "./norm_runs.js";

/** A run: answers at first, weights and answers in float64 after the first and the last step, and how far the run in float32 ends from that. */
export interface Case {
  readonly framework: "pytorch" | "keras";
  readonly kind: "lstm" | "gru" | "rnn";
  readonly options: { readonly sequences: boolean; readonly [option: string]: unknown };
  readonly lengths: boolean;
  readonly begin: Numbers;
  readonly before: readonly number[];
  readonly first: Numbers;
  readonly last: Numbers;
  readonly distance: number;
}

export const fixture = JSON.parse(readFileSync(new URL("fixtures/recurrent.json", import.meta.url), "utf8")) as {
  readonly steps: number;
  readonly batch: number;
  readonly rate: number;
  readonly x: readonly (readonly (readonly number[])[])[];
  readonly y: {
    readonly last: readonly (readonly number[])[];
    readonly all: readonly (readonly (readonly number[])[])[];
  };
  readonly lengths: readonly number[];
  readonly cases: readonly Case[];
};

const [INPUTS, HIDDEN, OUTPUTS] = [3, 4, 2];
const time = fixture.x[0]?.length ?? 0;

/** `lstm of pytorch, layers 2, bidirectional`. */
export function nameOf({ framework, kind, options, lengths }: Case): string {
  const own = Object.entries(options).filter(([key, value]) => {
    return value === true
      ? key !== "bias" && key !== "resetAfter"
      : value !== false || key === "bias" || key === "resetAfter";
  });
  const text = own
    .filter(([key, value]) => key !== "preset" && !(key === "layers" && value === 1) && value !== "tanh")
    .map(([key, value]) => (value === true ? key : `${key} ${String(value)}`));
  return [`${kind} of ${framework}`, ...text, ...(lengths ? ["lengths"] : [])].join(", ");
}

function layerOf({ kind, options }: Case): Layer {
  const make = { lstm, gru, rnn }[kind];
  return make(INPUTS, HIDDEN, { ...options, name: "cell" });
}

/** Rows of the fixture, with their lengths where the case has them, padded by `more` steps of `filling`. */
export function rowsOf({ lengths }: Case, more = 0, filling = 0) {
  const behind = Array.from({ length: more }, () => new Array<number>(INPUTS).fill(filling));
  const x = fixture.x.map((steps, row) => {
    const known = lengths ? steps.slice(0, fixture.lengths[row]) : steps;
    const rest = steps.slice(known.length).map((step) => (more === 0 ? step : step.map(() => filling)));
    return [...known, ...rest, ...behind];
  });
  return lengths ? { x: tensor(x), lengths: Int32Array.from(fixture.lengths) } : tensor(x);
}

/** A recurrent layer and a linear one, with the fixture's first weights. */
export function networkOf(one: Case, more = 0): AnyModel {
  const cell = layerOf(one);
  const linear1 = linear(HIDDEN * (one.options.bidirectional === true ? 2 : 1), OUTPUTS);
  const model = one.lengths
    ? network({
        inputs: { x: spec(["batch", time + more, INPUTS]), lengths: spec(["batch"], "i32") },
        layers: { cell, linear1 },
        forward: ({ x, lengths }, layers) => layers.linear1(layers.cell(ops.sequence(x, lengths))),
      })
    : (sequential({ input: [time, INPUTS] }, cell, linear1) as Model);
  model.initialize(0);
  const begin = Object.entries(one.begin).map(([name, data]): [string, Float32Array] => [
    name,
    Float32Array.from(data),
  ]);
  model.setWeights(Object.fromEntries(begin));
  return model;
}

/** What the fixture keeps of a run, after some steps in the order of the rows. */
export async function trained(one: Case, steps: number, more = 0, filling = 0): Promise<Numbers> {
  const model = networkOf(one, more);
  const x = rowsOf(one, more, filling);
  const data = { x, y: tensor(one.options.sequences ? fixture.y.all : fixture.y.last) };
  const own = { batchSize: fixture.batch, shuffle: false, optimizer: sgd({ lr: fixture.rate }), loss: mse() };
  await fit(model as Model, { data, steps, ...own } as FitOptions);
  const weights = [...model.weights()].map(([name, { data: values }]): [string, readonly number[]] => [
    name,
    Array.from(values),
  ]);
  return Object.fromEntries([...weights, ["predicted", await predicted(model, x)]]);
}

export async function predicted(model: AnyModel, x: unknown): Promise<readonly number[]> {
  const answers = (await (model as Model).predict(x as Tensor<"f32">)) as Tensor<"f32">;
  return Array.from(answers.data);
}
