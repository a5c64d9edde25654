// Runs of small networks with a normalization, beside those of PyTorch and Keras (make_norms_fixture.py).
import { readFileSync } from "node:fs";
import { fit, type Layer, linear, type Model, mse, sequential, sgd, tanh, tensor } from "carillon";
import { expect } from "vitest";

export type Numbers = Readonly<Record<string, readonly number[]>>;

/** A run: its weights and answers in float64 after the first and the last step, and how far the run in float32 ends from that. */
export interface Case {
  readonly first: Numbers;
  readonly last: Numbers;
  readonly distance: number;
}

type Name = "layerNorm" | "rmsNorm" | "groupNorm" | "batchNorm";

export const fixture = JSON.parse(readFileSync(new URL("fixtures/norms.json", import.meta.url), "utf8")) as {
  readonly steps: number;
  readonly batch: number;
  readonly rate: number;
  readonly x: readonly (readonly number[])[];
  readonly y: readonly (readonly number[])[];
  readonly first: Numbers;
  readonly cases: Readonly<Record<"pytorch" | "keras", Readonly<Record<Name, Case>>>>;
};

const [inputs = 0, outputs = 0] = [fixture.x[0]?.length, fixture.y[0]?.length];
/** Features that are normalized. */
export const HIDDEN = 8;

function networkWith(norm: Layer): Model {
  const model: Model = sequential(linear(inputs, HIDDEN), norm, tanh(), linear(HIDDEN, outputs));
  model.initialize(0);
  const first = Object.entries(fixture.first).map(([name, data]): [string, Float32Array] => [
    name,
    Float32Array.from(data),
  ]);
  const norms = [...model.weights()].filter(([name]) => name.startsWith("norm."));
  model.setWeights(
    Object.fromEntries([...first, ...norms.map(([name, { data }]): [string, Float32Array] => [name, data])]),
  );
  return model;
}

/** After some steps in the order of the rows: what the fixture keeps of a run. */
export async function trained(norm: Layer, steps: number): Promise<Numbers> {
  const model = networkWith(norm);
  const data = { x: tensor(fixture.x), y: tensor(fixture.y) };
  const own = { batchSize: fixture.batch, shuffle: false, optimizer: sgd({ lr: fixture.rate }), loss: mse() };
  await fit(model, { data, steps, ...own });
  const weights = [...model.weights()].map(([name, { data: values }]): [string, readonly number[]] => [
    name,
    Array.from(values),
  ]);
  return Object.fromEntries([...weights, ["predicted", Array.from((await model.predict(data.x)).data)]]);
}

export function distanceOf(a: Numbers, b: Numbers): number {
  const names = Object.keys(b);
  expect(Object.keys(a).sort()).toEqual(names.sort());
  const squares = names.flatMap((name) =>
    (b[name] ?? []).map((value, i) => (value - (a[name]?.[i] ?? Number.NaN)) ** 2),
  );
  return Math.sqrt(squares.reduce((sum, square) => sum + square, 0));
}
