import { valueAndGrad } from "../../lib/graph/grad.js";
import { program, type Spec, spec } from "../../lib/graph/program.js";
import * as ops from "../../lib/ops/index.js";
import { isBatched, type Shape } from "../../lib/tensor/shape.js";
import { Tensor, tensor } from "../../lib/tensor/tensor.js";
import { Value } from "../../lib/tensor/value.js";
import { apart, type Drawn, floats, type Numbers, type Sample, size, type Usage } from "./sample.js";
import { DRAW } from "./samples.js";

/** A usage of an operation with one set of inputs, under the name that a test bears. */
export interface Named {
  readonly name: string;
  readonly usage: Usage;
  readonly sample: Sample;
  readonly large: boolean;
}

/** Every sample of one operation. */
export function namedSamples(operation: string, usages: readonly Usage[]): Named[] {
  return usages.flatMap((usage) => {
    const name = usage.label === undefined ? operation : `${operation} ${usage.label}`;
    const shapes = ({ inputs }: Sample): string => inputs.map(({ shape }) => `[${shape.join(", ")}]`).join(" ");
    const small = usage.samples.map((one) => ({ name: `${name} ${shapes(one)}`, usage, sample: one, large: false }));
    const { large } = usage;
    return large === undefined
      ? small
      : [...small, { name: `${name} ${shapes(large)}`, usage, sample: large, large: true }];
  });
}

export function toTensor({ shape, dtype, data }: Drawn): Tensor {
  return dtype === "i32" ? tensor(Int32Array.from(data), shape) : tensor(Float32Array.from(data), shape);
}

/** A symbol that belongs to no program: for questions about shapes. */
export function symbol(shape: Shape, dtype: "f32" | "i32"): Value {
  return new Value(shape, dtype, { kind: "input", name: "none" });
}

/** Shape of an input, with `'batch'` in the place of its rows if `batch` is set and the sample has some. */
function inputShape({ inputs, batched }: Sample, index: number, batch: boolean): Shape {
  const shape = inputs[index]?.shape ?? [];
  return batch && batched.includes(index) ? ["batch", ...shape.slice(1)] : shape;
}

/** Shape of the result. */
export function resultShape({ usage, sample }: Named, batch: boolean): Shape {
  return usage.apply(...sample.inputs.map(({ dtype }, index) => symbol(inputShape(sample, index, batch), dtype))).shape;
}

/** Fixed random factors c of the loss Σ c·y, apart from 0 so that every element counts. */
export function projection(named: Named): Drawn {
  const shape = resultShape(named, false).map((dim) => (dim === "batch" ? 1 : dim));
  const known = projections.get(named.sample) ?? floats(shape, apart(0.5, 1.5));
  projections.set(named.sample, known);
  return known;
}

const projections = new WeakMap<Sample, Drawn>();

/** Inputs that a gradient reaches. */
export function reached({ usage }: Named): readonly number[] {
  return usage.differentiable ?? [];
}

/** The result, then ∂(Σ c·y)/∂x of every input that a gradient reaches. */
export function compute(named: Named, inputs: readonly Value[], c: Value): readonly Value[] {
  const { usage } = named;
  const over = reached(named);
  const value = usage.apply(...inputs);
  if (over.length === 0) return [value];
  const [, gradients] = valueAndGrad(lossOf(named, inputs, c))(...chosen(inputs, over));
  return [value, ...gradients];
}

/** The inputs at `indices`. */
export function chosen<T>(inputs: readonly T[], indices: readonly number[]): T[] {
  return inputs.filter((_, index) => indices.includes(index));
}

/** Σ c·y as a function of the inputs that a gradient reaches; the others stay as they are. */
export function lossOf(named: Named, inputs: readonly Value[], c: Value): (...values: Value[]) => Value {
  const over = reached(named);
  return (...values) => {
    const all = inputs.map((input, index) => values[over.indexOf(index)] ?? input);
    return ops.sum(ops.multiply(named.usage.apply(...all), c));
  };
}

/** Result and gradients computed at once. */
export function eager(named: Named): readonly Tensor[] {
  return compute(named, named.sample.inputs.map(toTensor), toTensor(projection(named))).filter(
    (value): value is Tensor => value instanceof Tensor,
  );
}

/** How a program is made for a sample. */
export interface Way {
  /** The rows are those of a batch, and fewer than the largest one. */
  readonly batch: boolean;
  readonly threads?: number;
}

/** Result and gradients of one step of a program. */
export async function inProgram(named: Named, { batch, threads }: Way): Promise<readonly Tensor[]> {
  const { sample } = named;
  const rows = sample.inputs[sample.batched[0] ?? 0]?.shape[0] ?? 1;
  const SPARE = 3;
  const specs = sample.inputs.map(({ dtype }, index): [string, Spec] => {
    return [`x${index}`, spec(inputShape(sample, index, batch), dtype)];
  });
  const c = projection(named);
  const step = program({
    seed: DRAW.seed,
    training: true,
    maxBatch: batch ? rows + SPARE : undefined,
    threads,
    inputs: Object.fromEntries([...specs, ["c", spec(resultShape(named, batch), c.dtype)]]),
    body(inputs) {
      const values = specs.map(([name]) => inputs[name]).filter((value) => value !== undefined);
      const outcome = compute(named, values, inputs.c ?? values[0] ?? ops.rowCount());
      return Object.fromEntries(outcome.map((value, index) => [`y${index}`, value]));
    },
  });
  const given = sample.inputs.map((input, index): [string, Tensor] => [`x${index}`, toTensor(input)]);
  const results = await step.run(Object.fromEntries([...given, ["c", toTensor(c)]]));
  return Object.values(results);
}

/** Whether a batch reaches the inputs at all. */
export function isBatchable({ sample }: Named): boolean {
  return sample.batched.length > 0;
}

/** Whether the result has one row a row of the batch. */
export function keepsBatch(named: Named): boolean {
  return isBatched(resultShape(named, true));
}

/** The first 32-bit word in which two lists of tensors differ, in words; `undefined` where all bits are the same. */
export function difference(actual: readonly Tensor[], expected: readonly Tensor[]): string | undefined {
  if (actual.length !== expected.length) return `${actual.length} tensors in the place of ${expected.length}`;
  for (const [index, tensor] of actual.entries()) {
    const given = bits(tensor);
    const wanted = bits(expected[index] ?? tensor);
    if (given.length !== wanted.length) return `tensor ${index}: ${given.length} elements, not ${wanted.length}`;
    const at = given.findIndex((word, element) => word !== wanted[element]);
    if (at >= 0) return `tensor ${index}, element ${at}: ${tensor.data[at]}, not ${expected[index]?.data[at]}`;
  }
  return undefined;
}

/** The sample with row `row` of its batched inputs alone. */
export function rowOf(named: Named, row: number): Named {
  const { inputs, batched } = named.sample;
  const cut = inputs.map((input, index): Drawn => {
    if (!batched.includes(index)) return input;
    const shape = [1, ...input.shape.slice(1)];
    return { ...input, shape, data: input.data.slice(row * size(shape), (row + 1) * size(shape)) };
  });
  return { ...named, sample: { inputs: cut, batched } };
}

/** The 32-bit words of a tensor, for comparison of every bit. */
export function bits({ data }: Tensor): Uint32Array {
  return new Uint32Array(data.buffer, data.byteOffset, data.byteLength / 4);
}

/** The inputs of a sample in float64. */
export function numbers({ inputs }: Sample): readonly Numbers[] {
  return inputs;
}
