import { Value } from "./value.js";

/** What an input or an output of a model holds for every row: [batch, …shape]. */
export interface RowSpec {
  /** `x` and `y` where a model has one of each. */
  readonly name: string;
  /** Without the axis of the batch. */
  readonly shape: readonly number[];
  readonly dtype: "f32" | "i32";
}

/** Such rows as the input of a program, [batch, …shape]; `name` is what the program calls it. */
export function inputOf({ name, shape, dtype }: RowSpec): Value {
  return new Value(["batch", ...shape], dtype, { kind: "input", name });
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

/** What each of them is called in errors and programs: `x`, or `x.user` where rows are given by name; so `weight.rating`. */
export function pathsOf(
  whole: Whole,
  specs: readonly Pick<RowSpec, "name">[],
  called: string = whole,
): readonly string[] {
  return areNamed(whole, specs) ? specs.map(({ name }) => `${called}.${name}`) : [called];
}
