import { fail } from "../../errors.js";
import { checkKeys, checkString } from "../../options.js";
import { checkRagged, isRagged, type Ragged } from "../../tensor/ragged.js";
import { checkShape } from "../../tensor/shape.js";
import type { ValueSpec } from "../../tensor/value.js";
import type { Chained, Element, First, Last, Plain, Sized, Start, TakenBy } from "./chain.js";
import { checkName } from "./layer.js";

/** Options of {@link sequential}, before its layers. */
export interface SequentialOptions {
  /**
   * Shape of a row, without the axis of the batch; a `spec` of a batch, with `"batch"` as its first axis; or `ragged('i32')`, where a row is
   * a list. By default what the first layer with sizes takes.
   */
  readonly input?: readonly number[] | ValueSpec | Ragged | undefined;
  /** As a layer of another model, in the place of kind and ordinal. */
  readonly name?: string | undefined;
  readonly kind?: never;
}

/** Row of a `spec` or a shape. */
type RowOf<I> = I extends readonly number[]
  ? I
  : I extends { readonly shape: readonly ["batch", ...infer Row extends readonly number[]] }
    ? readonly [...Row]
    : number;

type ElementOf<I> = I extends readonly number[]
  ? "f32"
  : I extends Ragged
    ? "ragged"
    : I extends { readonly dtype: infer D extends Element }
      ? D
      : Element;

/** The row that the layers are given: what the options say, or the layers. */
type StartWith<O extends SequentialOptions, L extends readonly unknown[]> = O extends { readonly input: infer I }
  ? I extends undefined
    ? Start<L>
    : RowOf<I>
  : Start<L>;

/** Arguments of {@link sequential}, with a sentence in place of the first layer that does not fit. */
export type Arguments<L extends readonly unknown[]> = L extends readonly [
  infer O extends SequentialOptions,
  ...infer Layers,
]
  ? [O, ...Chained<Layers, StartWith<O, Layers>, 0, ElementOf<O["input"]>>]
  : Chained<L>;

/** Rows that a model of these arguments takes. */
export type InputOf<L extends readonly unknown[]> = L extends readonly [
  infer O extends SequentialOptions,
  ...infer Layers,
]
  ? O extends { readonly input: Ragged }
    ? Ragged
    : Plain<StartWith<O, Layers>>
  : Plain<First<L>>;

/** Elements that it takes: what the options say, or the first layer that does not take any. */
export type ElementsOf<L extends readonly unknown[]> = L extends readonly [
  infer O extends SequentialOptions,
  ...infer Layers,
]
  ? O extends { readonly input: infer I }
    ? I extends undefined
      ? FirstElement<Layers>
      : ElementOf<I>
    : FirstElement<Layers>
  : FirstElement<L>;

type FirstElement<L extends readonly unknown[]> = L extends readonly [infer H extends Sized, ...infer R]
  ? [TakenBy<H>] extends ["any"]
    ? FirstElement<R>
    : "any" extends TakenBy<H>
      ? Element
      : Exclude<TakenBy<H>, "any">
  : L extends readonly []
    ? "f32"
    : Element;

/** Rows that it gives. */
export type OutputOf<L extends readonly unknown[]> = L extends readonly [
  infer O extends SequentialOptions,
  ...infer Layers,
]
  ? Plain<Last<Layers, StartWith<O, Layers>>>
  : Plain<Last<L, Start<L>>>;

/** The options of `sequential`, checked: else `ERR_OPTION`. */
export function checkSequential(options: object): {
  readonly input: ValueSpec | undefined;
  readonly name: string | undefined;
} {
  checkKeys("sequential", options, ["input", "name"]);
  const { input, name }: { readonly input?: unknown; readonly name?: unknown } = options;
  if (name !== undefined) checkString("sequential.name", name);
  return {
    input: input === undefined ? undefined : checkInput("sequential.input", input),
    name: checkName("sequential.name", name === undefined ? undefined : String(name)),
  };
}

/** The value that a model is given for a shape of rows, a `spec` or lists; `ERR_OPTION` for what is none of them. */
export function checkInput(where: string, input: unknown): ValueSpec {
  if (isRagged(input)) {
    const ragged = checkRagged(where, input);
    return { shape: ["batch", ragged.longest ?? 1], dtype: ragged.ragged, ragged };
  }
  if (Array.isArray(input)) return { shape: checkShape(where, ["batch", ...input]), dtype: "f32" };
  if (!isSpec(input)) return fail("ERR_OPTION", where, 'the shape of a row, or a spec(["batch", …])', input);
  const [first] = checkShape(where, input.shape);
  if (first !== "batch") fail("ERR_SHAPE", where, '"batch" as the first axis', input.shape);
  if (input.dtype === "u8") return { shape: input.shape, dtype: "f32", bytes: true };
  if (input.dtype !== "f32" && input.dtype !== "i32") fail("ERR_DTYPE", where, "'f32', 'i32' or 'u8'", input.dtype);
  return { shape: input.shape, dtype: input.dtype };
}

function isSpec(input: unknown): input is ValueSpec {
  return (
    typeof input === "object" && input !== null && "shape" in input && Array.isArray(input.shape) && "dtype" in input
  );
}
