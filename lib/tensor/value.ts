import type { NativeSlab } from "../binding/native.js";
import type { NativeOperands, NativeOperation } from "../binding/operations.js";
import { CarillonError, fail, introduce } from "../errors.js";
import type { EagerDraw, OperationAttributes, OperationName } from "./attributes.js";
import { INSPECT } from "./inspect.js";
import type { Ragged } from "./ragged.js";
import { type Dtype, formatShape, type Shape } from "./shape.js";

/** The views of an instruction by name. */
export type ViewsOf<N extends NativeOperation, V> = NativeOperands<V>[N]["views"];

/** The numbers of an instruction by name; of a dimension −k means k·batch. */
export type NumbersOf<N extends NativeOperation> = NativeOperands<unknown>[N]["numbers"];

/** An instruction of one native operation; V is what its views are still: values, or places in memory. */
export interface InstructionOf<N extends NativeOperation, V> {
  readonly operation: N;
  readonly views: ViewsOf<N, V>;
  readonly numbers: NumbersOf<N>;
}

/** An instruction of any operation. */
export type Instruction<V = Value> = { [N in NativeOperation]: InstructionOf<N, V> }[NativeOperation];

/** Shape and dtype of a value. */
export interface ValueSpec {
  readonly shape: Shape;
  readonly dtype: Dtype;
  /** Of lists of any length. */
  readonly ragged?: Ragged | undefined;
  /** Of an input whose data are bytes, which are f32 in a program. */
  readonly bytes?: true | undefined;
}

/** How one operation infers, computes and differentiates. Written once, executed or recorded. */
export interface Rule<K extends OperationName> {
  readonly name: K;
  /** Checks the inputs and tells what the outputs are. */
  readonly infer: (inputs: readonly Value[], attributes: OperationAttributes[K]) => readonly ValueSpec[];
  /** The instruction that computes the outputs; `null`: the one output is the first input's memory under another shape. */
  readonly lower:
    | ((inputs: readonly Value[], outputs: readonly Value[], attributes: OperationAttributes[K]) => Instruction)
    | null;
  /**
   * ∂ℓ/∂inputs from ∂ℓ/∂outputs (`undefined` of an output that ℓ does not depend on), as values; `undefined` where nothing
   * flows. `null`: not differentiable (integers, counts, steps of zero slope).
   */
  readonly gradient:
    | ((
        inputs: readonly Value[],
        outputs: readonly Value[],
        flowing: readonly (Value | undefined)[],
        attributes: OperationAttributes[K],
      ) => readonly (Value | undefined)[])
    | null;
  /** Where a gradient is defined and not computed: why. Asking for it is `ERR_TRACE` with this sentence. */
  readonly refusesGradient?: string;
  /** The first output may lie where this input lies, if that is not needed afterwards. */
  readonly inPlace?: number;
  /** An activation, a mask or a gate behind it may become a part of its instruction, which is a `gemm` or a convolution. */
  readonly takesEpilogue?: true;
}

/** An operation applied to values: everything that passes over a graph need to know of it, as data. */
export type Applied<K extends OperationName = OperationName> = {
  readonly [P in K]: {
    readonly operation: P;
    readonly rule: Rule<P>;
    readonly attributes: OperationAttributes[P];
    readonly inputs: readonly Value[];
    readonly outputs: readonly Value[];
    /** What is drawn from outside of a program, which has its own seed and step. */
    readonly draw: EagerDraw | undefined;
  };
}[K];

/** The instruction that computes `outputs` from `inputs` as an applied operation does; `ERR_TRACE` of one without. */
export function instructionOf<K extends OperationName>(
  { operation, rule, attributes }: Applied<K>,
  inputs: readonly Value[],
  outputs: readonly Value[],
): Instruction {
  if (rule.lower === null) throw new CarillonError("ERR_TRACE", operation, `'${operation}' computes nothing`);
  return rule.lower(inputs, outputs, attributes);
}

/** ∂ℓ/∂inputs of an applied operation from ∂ℓ/∂outputs; `undefined` where nothing flows. */
export function flowsBack<K extends OperationName>(
  { rule, attributes, inputs, outputs }: Applied<K>,
  flowing: readonly (Value | undefined)[],
): readonly (Value | undefined)[] {
  if (rule.refusesGradient !== undefined) throw new CarillonError("ERR_TRACE", rule.name, rule.refusesGradient);
  return rule.gradient === null ? [] : rule.gradient(inputs, outputs, flowing, attributes);
}

/** Where a value comes from. */
export type Source =
  | { readonly kind: "tensor" }
  | { readonly kind: "operation"; readonly applied: Applied }
  | { readonly kind: "slab"; readonly slab: NativeSlab; readonly offset: number }
  | { readonly kind: "input"; readonly name: string };

let created = 0;

/** The id of the value created last: what a trace does now comes after it. */
export function lastValueId(): number {
  return created;
}

/**
 * A value of a network: a {@link Tensor} that holds its data, or a symbol that a trace recorded and a program computes.
 * Only a Tensor has `data`; who asks a symbol for numbers is told so (`ERR_TRACE`).
 */
export class Value {
  readonly dtype: Dtype;
  readonly shape: Shape;
  readonly #source: Source;
  readonly #id: number;

  static {
    // Not in the types: the compiler says that a symbol has no numbers. This is for those whom no compiler has told.
    const refuse = (name: string) =>
      function (this: Value): never {
        throw new CarillonError(
          "ERR_TRACE",
          name,
          `expected a tensor for '${name}' but received the symbol ${this.#text()}`,
        );
      };
    for (const name of ["data", "item"]) Object.defineProperty(Value.prototype, name, { get: refuse(name) });
  }

  /** @internal */
  constructor(shape: Shape, dtype: Dtype, source: Source) {
    this.dtype = dtype;
    this.shape = shape;
    this.#source = source;
    created += 1;
    this.#id = created;
  }

  /** `ERR_OPTION` for a Proxy of a value, which has its prototype and nothing else of it. */
  static #expect(value: Value): void {
    if (!(#source in value)) fail("ERR_OPTION", "value", "a tensor or a symbolic value", value);
  }

  /** @internal */
  get source(): Source {
    Value.#expect(this);
    return this.#source;
  }

  /** Order of creation: operands come before what uses them. @internal */
  get id(): number {
    Value.#expect(this);
    return this.#id;
  }

  /** @internal */
  [INSPECT](): string {
    return this.#text();
  }

  #text(): string {
    return `Value ${this.dtype} ${formatShape(this.shape)}: ${describeSource(this.#source)}, known when the program runs`;
  }
}
introduce(Value.prototype, "a symbolic value");

function describeSource(source: Source): string {
  switch (source.kind) {
    case "operation":
      return `what '${source.applied.operation}' gives`;
    case "input":
      return `the input '${source.name}'`;
    case "slab":
      return "memory of a model or an optimizer";
    case "tensor":
      return "a tensor";
  }
}
