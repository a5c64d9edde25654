import type { Ragged } from "./ragged.js";
import { type ListBound, RaggedValue } from "./ragged_value.js";
import { Value, type ValueSpec } from "./value.js";

/** What an input or an output of a model holds for every row: [batch, …shape]. */
export interface RowSpec {
  /** `x` and `y` where a model has one of each. */
  readonly name: string;
  /** Without the axis of the batch. Of lists one axis, as long as they may be, or 1 where nobody says that. */
  readonly shape: readonly number[];
  readonly dtype: "f32" | "i32";
  /** Of an input whose rows are lists. */
  readonly ragged?: Ragged | undefined;
  /** Of an input whose data are bytes, which are f32 in a program. */
  readonly bytes?: true | undefined;
}

/** Such rows as the input of a program, [batch, …shape]; `name` is what the program calls it. */
export function inputOf(spec: RowSpec): Value {
  const { name, shape, dtype, ragged } = spec;
  if (ragged !== undefined) return listsOf(spec, { room: 1, weights: "none" });
  return new Value(["batch", ...shape], dtype, { kind: "input", name });
}

/** One such row as the value that layers are given. */
export function specOf({ shape, dtype, bytes }: RowSpec): ValueSpec {
  return { shape: ["batch", ...shape], dtype, ...(bytes ? { bytes } : {}) };
}

/** What its numbers are called: bytes by themselves. */
export const elementsOf = ({ dtype, bytes }: Pick<RowSpec, "dtype" | "bytes">): "f32" | "i32" | "u8" =>
  bytes ? "u8" : dtype;

/** Lists as the input of a program that has room for so many. */
export function listsOf({ name, shape }: RowSpec, bound: ListBound): RaggedValue {
  return new RaggedValue(name, shape[0] ?? 1, bound);
}

/** Inputs and outputs of a model, in the order in which they were declared. */
export interface RowSpecs {
  readonly inputs: readonly RowSpec[];
  readonly outputs: readonly RowSpec[];
}

/** Members of examples that a model has rows for. */
export type Whole = "x" | "y";

/** Whether rows are given by name, as a record: not where there is a single input or output without a name of its own. */
export function areNamed(whole: Whole, specs: readonly Pick<RowSpec, "name">[]): boolean {
  return !(specs.length === 1 && specs[0]?.name === whole);
}

/** Whether a path that {@link pathsOf} gives has the name of an input or an output. */
export const isNamedPath = (path: string): boolean => path !== "x" && path !== "y";

/** What each of them is called in errors and programs: `x`, or `x.user` where rows are given by name; so `weight.rating`. */
export function pathsOf(
  whole: Whole,
  specs: readonly Pick<RowSpec, "name">[],
  called: string = whole,
): readonly string[] {
  return areNamed(whole, specs) ? specs.map(({ name }) => `${called}.${name}`) : [called];
}
