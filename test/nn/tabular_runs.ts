// Runs of small networks of the layers for tables, beside those of pytabkit (make_tabular_fixture.py).
import { readFileSync } from "node:fs";
import { type FitOptions, fit, type Model, mse, sgd, tensor } from "carillon";
import { expect } from "vitest";

export type Numbers = Readonly<Record<string, readonly number[]>>;

/** A run: its weights and answers in float64 after the second and the last step, and how far runs in float32 end from that. */
export interface Case {
  readonly first: Numbers;
  readonly second: Numbers;
  readonly last: Numbers;
  readonly distance: number;
}

export const fixture = JSON.parse(readFileSync(new URL("fixtures/tabular.json", import.meta.url), "utf8")) as {
  readonly steps: number;
  readonly batch: number;
  readonly rate: number;
  readonly x: readonly (readonly number[])[];
  readonly y: readonly (readonly number[])[];
  readonly cases: Readonly<Record<string, Case>>;
  readonly robust: Readonly<Record<"table" | "scaled" | "clipped", readonly (readonly number[])[]>>;
  readonly scheduled: Case;
  readonly clamped: Readonly<Record<"targets" | "answers" | "clamped", readonly (readonly number[])[]>>;
  readonly schedules: Readonly<Record<"coslog4" | "flat_cos", readonly number[]>>;
};

/** After some steps in the order of the rows, from the weights of the fixture: what it keeps of a run. */
export async function trained(
  model: Model,
  first: Numbers,
  steps: number,
  optimizer: FitOptions["optimizer"] = sgd({ lr: fixture.rate }),
): Promise<Numbers> {
  model.setWeights(
    Object.fromEntries(Object.entries(first).map(([name, data]) => [name, Float32Array.from(data)] as const)),
  );
  const data = { x: tensor(fixture.x), y: tensor(fixture.y) };
  await fit(model, { data, steps, batchSize: fixture.batch, shuffle: false, loss: mse(), optimizer });
  const weights = [...model.weights()].map(([name, { data: values }]) => [name, Array.from(values)] as const);
  return Object.fromEntries([...weights, ["predicted", Array.from((await model.predict(data.x)).data)]]);
}

export function distanceOf(a: Numbers, b: Numbers): number {
  const names = Object.keys(b);
  expect(Object.keys(a).sort()).toEqual(names.sort());
  const squares = names.flatMap((name) => {
    const [ours = [], theirs = []] = [a[name], b[name]];
    expect(ours.length).toBe(theirs.length);
    return ours.map((value, index) => (value - (theirs[index] ?? 0)) ** 2);
  });
  return Math.sqrt(squares.reduce((sum, square) => sum + square, 0));
}

/** Numbers of a run. */
export function sizeOf(numbers: Numbers): number {
  return Object.values(numbers).reduce((sum, { length }) => sum + length, 0);
}
