import { type NativeArray, native } from "../binding/native.js";
import { CarillonError, fail } from "../errors.js";
import { type Dtype, elements, isBatched, type Shape } from "../tensor/shape.js";
import { allocate, Tensor } from "../tensor/tensor.js";
import { type EagerDraw, type Instruction, Value } from "../tensor/value.js";
import { encode } from "./encode.js";

/** What functions on values accept: a number is a constant scalar. */
export type Operand = Value | number;

/** Tensors give a Tensor at once; a symbol among them gives a symbol. */
export type Of<A extends Operand> = [A] extends [Tensor | number] ? Tensor<"f32"> : Value;

/** How one operation infers, computes and differentiates. Written once, executed or recorded. */
export interface Rule<A> {
  readonly name: string;
  /** Checks the inputs and gives the output's shape; its dtype is f32 unless told. */
  infer(inputs: readonly Value[], attributes: A): { readonly shape: Shape; readonly dtype?: Dtype };
  /** `null`: the output is the input's memory under another shape. */
  readonly lower: ((inputs: readonly Value[], output: Value, attributes: A) => Instruction) | null;
  /** `null`: nothing flows back (integers, counts, steps of zero slope). */
  readonly gradient:
    | ((inputs: readonly Value[], output: Value, gradient: Value, attributes: A) => readonly (Value | undefined)[])
    | null;
  /** Index of the input whose memory the output may take. */
  readonly inPlace?: number;
}

export function toValue(operand: Operand): Value {
  return typeof operand === "number" ? new Tensor(Float32Array.of(operand), [], "f32") : operand;
}

/** Runs one instruction on tensors now. */
export function execute(instruction: Instruction, draw: EagerDraw = { seed: 0, step: 1 }): void {
  const indices = new Map<Value, number>();
  const views: NativeArray[] = [];
  const words: number[] = [];
  const indexOf = (value: Value): number => {
    const known = indices.get(value);
    if (known !== undefined) return known;
    if (!(value instanceof Tensor)) throw new CarillonError("ERR_TRACE", instruction.operation, "a symbol has no data");
    indices.set(value, views.length);
    views.push(value.attached);
    return views.length - 1;
  };
  encode(instruction, indexOf, words);
  const { seed, step, first = 0 } = draw;
  const registers = { seed, step, epoch: 0, rows: 1, batchOffset: first, rate: 0 };
  const fault = native.execute(Int32Array.from(words), views, registers);
  if (fault !== null) {
    const code = fault.what === "label" ? "ERR_LABEL" : "ERR_DATA";
    throw new CarillonError(
      code,
      `${fault.what}s[${fault.row}]`,
      `expected an integer in [0, ${fault.limit}) for '${fault.what}s[${fault.row}]' but received ${fault.value}`,
    );
  }
}

/**
 * Applies `rule`: executes it when every input is a Tensor, otherwise records it; so too where a Tensor is spread over a
 * batch, whose rows a program knows. Checks shapes either way.
 */
export function apply<A>(rule: Rule<A>, inputs: readonly Value[], attributes: A, draw?: EagerDraw): Value {
  for (const input of inputs) {
    if (!(input instanceof Value)) {
      fail("ERR_OPTION", rule.name, "a tensor or a number", input);
    }
  }
  const { shape, dtype = "f32" } = rule.infer(inputs, attributes);
  const { lower, gradient } = rule;
  const tensors = inputs.filter((input) => input instanceof Tensor);
  if (tensors.length === inputs.length && inputs.length > 0 && !isBatched(shape)) {
    const numbers = shape.filter((dim) => dim !== "batch");
    const [first] = tensors;
    if (lower === null && first !== undefined) return new Tensor(first.attached, numbers, first.dtype);
    const output = new Tensor(allocate(dtype, elements(shape)), numbers, dtype);
    if (lower !== null) execute(lower(inputs, output, attributes), draw);
    return output;
  }
  return new Value(shape, dtype, {
    kind: "operation",
    applied: {
      name: rule.name,
      inputs,
      lower: lower === null ? null : (from, output) => lower(from, output, attributes),
      gradient: gradient === null ? null : (output, flowing) => gradient(inputs, output, flowing, attributes),
      inPlace: rule.inPlace ?? null,
      draw,
    },
  });
}

/** The input at `index`; rules are called with the number of inputs that they were made for. */
export function at(inputs: readonly Value[], index: number): Value {
  const value = inputs[index];
  if (value === undefined) throw new CarillonError("ERR_TRACE", "inputs", `an operation lacks its input ${index}`);
  return value;
}

/** Throws `ERR_DTYPE` unless `value` is of `dtype`. */
export function expectDtype(where: string, value: Value, dtype: Dtype): void {
  if (value.dtype === dtype) return;
  throw new CarillonError("ERR_DTYPE", where, `expected dtype ${dtype} for '${where}' but received ${value.dtype}`);
}
