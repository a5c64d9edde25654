/** What an input or an output of a model holds for every row: [batch, …shape]. */
export interface RowSpec {
  /** `x` and `y` where a model has one of each. */
  readonly name: string;
  /** Without the axis of the batch. */
  readonly shape: readonly number[];
  readonly dtype: "f32" | "i32";
}

/** Inputs and outputs of a model, in the order in which they were declared. */
export interface RowSpecs {
  readonly inputs: readonly RowSpec[];
  readonly outputs: readonly RowSpec[];
}
