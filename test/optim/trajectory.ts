// Trajectories of PyTorch, Keras and numpy (fixtures/make_trajectories.py), and the same steps taken by Carillon.
import { readFileSync } from "node:fs";
import { minimizer, type Optimizer, ops, type Partition, program, spec, tensor } from "carillon";
import { flat, modelOf, type Start, stepper } from "./stepper.js";

/** One optimizer with its options, and who computed its trajectory. */
export interface Case {
  readonly name: string;
  readonly optimizer: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly framework: "pytorch" | "keras" | "numpy";
}

/** `gradients`: given in advance. `network`: 6-8-4, tanh, softmax cross-entropy, all 32 rows in every step. */
export type Problem = "gradients" | "network";

type Stored = Float64Array | Float32Array | Int32Array;

const file = readFileSync(new URL("fixtures/trajectories.safetensors", import.meta.url));
const headerBytes = Number(file.readBigUInt64LE(0));
const { __metadata__: metadata, ...entries } = JSON.parse(file.toString("utf8", 8, 8 + headerBytes)) as {
  readonly __metadata__: { readonly cases: string; readonly steps: string };
  readonly [name: string]: unknown;
};

export const CASES = JSON.parse(metadata.cases) as readonly Case[];

/** Steps, from 1, whose parameters the file has. */
export const KEPT = JSON.parse(metadata.steps) as readonly number[];

/** lib/io/safetensors.ts reads no float64, which is why this file is read by hand. */
function stored(name: string): { readonly shape: readonly number[]; readonly data: Stored } {
  const entry = entries[name] as
    | {
        readonly dtype: "F64" | "F32" | "I32";
        readonly shape: readonly number[];
        readonly data_offsets: [number, number];
      }
    | undefined;
  if (entry === undefined) throw new Error(`no '${name}' in the fixture`);
  const [begin, end] = entry.data_offsets.map((offset) => offset + 8 + headerBytes);
  const bytes = Uint8Array.from(file.subarray(begin, end)).buffer;
  const data = { F64: Float64Array, F32: Float32Array, I32: Int32Array }[entry.dtype];
  return { shape: entry.shape, data: new data(bytes) };
}

/** All parameters, flat, at every step of {@link KEPT}. */
export function trajectory({ name }: Case, problem: Problem, precision: "float64" | "float32"): readonly Stored[] {
  const { shape, data } = stored(`${name}.${problem}.${precision}`);
  const count = shape[1] ?? 0;
  return KEPT.map((_, row) => data.subarray(row * count, (row + 1) * count));
}

/** A role of ours for each name of the file, in its order. */
const ROLES = {
  gradients: { "first.weight": "firstWeight", "first.bias": "firstBias", "second.weight": "secondWeight" },
  network: {
    "first.weight": "firstWeight",
    "first.bias": "firstBias",
    "second.weight": "secondWeight",
    "second.bias": "secondBias",
  },
} as const;

function startOf(problem: Problem): Readonly<Record<string, Start>> {
  const roles = Object.entries(ROLES[problem]).map(
    ([name, role]) => [role, stored(`${problem}.start.${name}`)] as const,
  );
  return Object.fromEntries(roles);
}

/** The parameters before step 1, flat. */
export function flatStart(problem: Problem): Float32Array {
  return Float32Array.from(Object.values(startOf(problem)).flatMap(({ data }) => Array.from(data)));
}

/** What Carillon has at every step of {@link KEPT}. */
export function run(optimizer: Optimizer | Partition, problem: Problem): readonly Float32Array[] {
  const step = problem === "gradients" ? gradientSteps(optimizer) : networkSteps(optimizer);
  const places = Array.from({ length: Math.max(...KEPT) }, (_, index) => step(index + 1));
  return KEPT.map((t) => places[t - 1] ?? new Float32Array());
}

function gradientSteps(optimizer: Optimizer | Partition): (t: number) => Float32Array {
  const one = stepper(optimizer, startOf("gradients"));
  const { shape, data } = stored("gradients");
  const count = shape[1] ?? 0;
  return (t) => {
    one.step(data.subarray((t - 1) * count, t * count));
    return one.theta;
  };
}

function networkSteps(optimizer: Optimizer | Partition): () => Float32Array {
  const model = modelOf(startOf("network"), [6, 4], (x, parameters) => {
    const { firstWeight = x, firstBias, secondWeight = x, secondBias } = parameters;
    return ops.linear(ops.tanh(ops.linear(x, firstWeight, firstBias)), secondWeight, secondBias);
  });
  const trainer = minimizer(model, optimizer);
  const x = stored("network.x");
  const labels = stored("network.labels");
  const [rows = 0, features = 0] = x.shape;
  const compiled = program({
    training: true,
    maxBatch: rows,
    inputs: { x: spec(["batch", features]), labels: spec(["batch"], "i32") },
    body(batch) {
      const loss = ops.mean(ops.softmaxCrossEntropy(model.forward(batch.x), batch.labels));
      trainer.minimize(loss);
      return { loss };
    },
  });
  const inputs = {
    x: tensor(Float32Array.from(x.data), x.shape),
    labels: tensor(Int32Array.from(labels.data), labels.shape),
  };
  return () => {
    compiled.runSync(inputs);
    return flat(model);
  };
}

/** Root of the mean square of a − b. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const squares = Array.from(a, (value, index) => (value - (b[index] ?? Number.NaN)) ** 2);
  return Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / squares.length);
}
