import { type NativeArray, type NativeFault, native } from "../binding/native.js";
import { CarillonError, fail } from "../errors.js";
import type { EagerDraw, OperationAttributes, OperationName } from "../tensor/attributes.js";
import { RaggedValue } from "../tensor/ragged_value.js";
import { checkElements, type Dtype, elements, isBatched, type Shape } from "../tensor/shape.js";
import { allocate, Tensor } from "../tensor/tensor.js";
import { type Applied, type Instruction, type Rule, Value, type ValueSpec } from "../tensor/value.js";
import { encode } from "./encode.js";

/** What functions on values accept: a number is a constant scalar. */
export type Operand = Value | number;

/** Tensors give a Tensor at once; a symbol among them gives a symbol. */
export type Of<A extends Operand> = [A] extends [Tensor | number] ? Tensor<"f32"> : Value;

export function toValue(operand: Operand): Value {
  return typeof operand === "number" ? new Tensor(Float32Array.of(operand), [], "f32") : operand;
}

/** `ERR_OPTION` unless `value` is a tensor or a symbol. */
export function checkValue(where: string, value: unknown): void {
  if (!(value instanceof Value)) fail("ERR_OPTION", where, "a tensor", value);
}

/** `indices[1, 0]`: where a number that is no row stands among those of an instruction. */
function placeIn({ views }: Instruction, { what, row, column }: NativeFault): string {
  const name = what === "label" ? "labels" : "indices";
  const given: unknown = Reflect.get(views, name);
  if (given instanceof Value && given.shape.length === 0) return name;
  return `${name}[${column === undefined ? row : `${row}, ${column}`}]`;
}

/** Runs one instruction on tensors now. */
export function execute(instruction: Instruction, draw: EagerDraw = { seed: 0, step: 1 }): void {
  const values: Value[] = []; // so few that looking through them costs less than a map
  const views: NativeArray[] = [];
  const words: number[] = [];
  const indexOf = (value: Value): number => {
    const known = values.indexOf(value);
    if (known >= 0) return known;
    if (!(value instanceof Tensor)) throw new CarillonError("ERR_TRACE", instruction.operation, "a symbol has no data");
    values.push(value);
    return views.push(value.attached) - 1;
  };
  encode(instruction, indexOf, words);
  const { seed, step, first = 0 } = draw;
  const registers = { seed, step, epoch: 0, rows: 1, batchOffset: first, rate: 0 };
  const fault = native.execute(new Int32Array(words), views, registers);
  if (fault !== null) {
    const { what, limit, value } = fault;
    const place = placeIn(instruction, fault);
    throw new CarillonError(
      what === "label" ? "ERR_LABEL" : "ERR_DATA",
      place,
      `expected an integer in [0, ${limit}) for '${place}' but received ${value}`,
    );
  }
}

/** A new tensor of `spec`, whose shape has no batch. */
function made({ shape, dtype }: ValueSpec): Tensor {
  const sizes = shape.filter((dim) => dim !== "batch");
  return new Tensor(allocate(dtype, elements(shape)), sizes, dtype);
}

/** The outputs of an operation on tensors, computed now. */
export function computedNow<K extends OperationName>(
  { rule, attributes, draw }: Applied<K>,
  inputs: readonly Tensor[],
  specs: readonly ValueSpec[],
): readonly Tensor[] {
  const [input] = inputs;
  const [spec] = specs;
  if (rule.lower === null && input !== undefined && spec !== undefined) {
    const sizes = spec.shape.filter((dim) => dim !== "batch");
    return [new Tensor(input.attached, sizes, input.dtype)];
  }
  const outputs = specs.map(made);
  if (rule.lower !== null) execute(rule.lower(inputs, outputs, attributes), draw);
  return outputs;
}

/** Whether only a step of its program writes the memory of `x`: not a caller, who has a tensor, and no effect, as of weights. */
function isComputed({ source }: Value): boolean {
  if (source.kind !== "operation") return false;
  const { rule, inputs } = source.applied;
  return rule.lower !== null || isComputed(at(inputs, 0));
}

/**
 * {@link apply} of an operation that changes nothing: `x` itself where it is computed, since nobody can tell, otherwise its
 * elements in memory of their own. What the operation refuses it refuses either way.
 */
export function applyUnchanged<K extends OperationName>(
  rule: Rule<K>,
  x: Value,
  attributes: OperationAttributes[K],
): Value {
  if (!(x instanceof Value) || !isComputed(x)) return apply(rule, [x], attributes);
  rule.infer([x], attributes);
  return x;
}

/** {@link applyAll} of an operation with one output. */
export function apply<K extends OperationName>(
  rule: Rule<K>,
  inputs: readonly Value[],
  attributes: OperationAttributes[K],
  draw?: EagerDraw,
): Value {
  return at(applyAll(rule, inputs, attributes, draw), 0);
}

/**
 * Applies `rule`: executes it when every input is a Tensor, otherwise records it; so too where a Tensor is spread over a
 * batch, whose rows a program knows. Checks shapes either way. Returns the outputs.
 */
export function applyAll<K extends OperationName>(
  rule: Rule<K>,
  inputs: readonly Value[],
  attributes: OperationAttributes[K],
  draw?: EagerDraw,
): readonly Value[] {
  for (const input of inputs) {
    if (!(input instanceof Value)) {
      fail("ERR_OPTION", rule.name, "a tensor or a number", input);
    }
    if (input instanceof RaggedValue) fail("ERR_DTYPE", rule.name, "a value, or 'bag', which takes lists,", input);
  }
  const specs = rule.infer(inputs, attributes);
  for (const { shape } of specs) checkElements(rule.name, shape);
  const outputs: Value[] = [];
  const applied: Applied<K> = { operation: rule.name, rule, attributes, inputs, outputs, draw };
  const tensors = inputs.filter((input) => input instanceof Tensor);
  if (tensors.length === inputs.length && inputs.length > 0 && !specs.some(({ shape }) => isBatched(shape))) {
    return computedNow(applied, tensors, specs);
  }
  return recordedAs(applied, outputs, specs);
}

/** An applied operation as one of all, whichever K is. */
function oneOf<K extends OperationName>(applied: Applied<K>): Applied;
function oneOf(applied: Applied): Applied {
  return applied;
}

/** Symbols for the outputs of an operation, put into `outputs`. */
function recordedAs<K extends OperationName>(
  applied: Applied<K>,
  outputs: Value[],
  specs: readonly ValueSpec[],
): readonly Value[] {
  const source = { kind: "operation", applied: oneOf(applied) } as const;
  for (const { shape, dtype } of specs) outputs.push(new Value(shape, dtype, source));
  return outputs;
}

/** Records `rule` whatever its inputs are: a symbol for its first output. */
export function record<K extends OperationName>(
  rule: Rule<K>,
  inputs: readonly Value[],
  attributes: OperationAttributes[K],
): Value {
  const outputs: Value[] = [];
  const applied: Applied<K> = { operation: rule.name, rule, attributes, inputs, outputs, draw: undefined };
  return at(recordedAs(applied, outputs, rule.infer(inputs, attributes)), 0);
}

/** What one f32 output of a shape is. */
export const f32 = (shape: Shape): readonly ValueSpec[] => [{ shape, dtype: "f32" }];

/** The value at `index`; rules are called with the number of inputs and outputs that they were made for. */
export function at(inputs: readonly (Value | undefined)[], index: number): Value {
  const value = inputs[index];
  if (value === undefined) throw new CarillonError("ERR_TRACE", "inputs", `an operation lacks its input ${index}`);
  return value;
}

/** Throws `ERR_DTYPE` unless `value` is of `dtype`. */
export function expectDtype(where: string, value: Value, dtype: Dtype): void {
  if (value.dtype === dtype) return;
  throw new CarillonError("ERR_DTYPE", where, `expected dtype ${dtype} for '${where}' but received ${value.dtype}`);
}
