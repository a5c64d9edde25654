import { CarillonError, fail } from "../errors.js";
import { checkKeys, checkNumber } from "../options.js";
import { Tensor } from "../tensor/tensor.js";

/** Options of {@link padded}. */
export interface PaddedOptions {
  /** Steps of all of them, at least as many as the longest has, which is the default. */
  readonly longest?: number | undefined;
}

/** Sequences side by side. */
export interface Padded {
  /** [sequences, time, features], 0 behind the end of each. */
  readonly values: Tensor<"f32">;
  /** [sequences] */
  readonly lengths: Tensor<"i32">;
}

/**
 * Sequences of any number of steps, each a list of `features` numbers, as one tensor with their lengths, which `ops.sequence` takes: two inputs of a `network`, of `fit`
 * and of `predict`. A sequence may be empty. Steps of different sizes are `ERR_SHAPE`, with sequence and step; sequences that are longer than `longest` `ERR_DATA`.
 *
 * @example
 * const { values, lengths } = padded([[[0.5, 1], [0.25, 2]], [[1, 1]]]); // [2, 2, 2] and [2, 1]
 */
export function padded(sequences: readonly (readonly (readonly number[])[])[], options: PaddedOptions = {}): Padded {
  checkKeys("padded", options, ["longest"]);
  if (!Array.isArray(sequences) || sequences.length === 0)
    fail("ERR_OPTION", "padded", "a list of sequences", sequences);
  const size = sequences.find((steps) => Array.isArray(steps) && steps.length > 0)?.[0]?.length ?? 1;
  const features = checkNumber("padded: features of a step", size, { min: 1, integer: true });
  const longest = sequences.reduce((most, steps) => Math.max(most, Array.isArray(steps) ? steps.length : 0), 1);
  const time = checkNumber("padded.longest", options.longest ?? longest, { min: 1, integer: true });
  const values = new Float32Array(sequences.length * time * features);
  const lengths = new Int32Array(sequences.length);
  for (const [row, steps] of sequences.entries()) {
    if (!Array.isArray(steps)) fail("ERR_OPTION", `padded: sequence ${row}`, "a list of steps", steps);
    if (steps.length > time) {
      const problem = `expected at most ${time} steps for 'padded: sequence ${row}' but received ${steps.length}`;
      throw new CarillonError("ERR_DATA", `padded: sequence ${row}`, problem);
    }
    lengths[row] = steps.length;
    for (const [step, numbers] of steps.entries()) {
      const place = `padded: sequence ${row}, step ${step}`;
      if (!Array.isArray(numbers) || numbers.length !== features)
        fail("ERR_SHAPE", place, `${features} numbers, as the first step has,`, numbers);
      for (const [feature, value] of numbers.entries())
        values[(row * time + step) * features + feature] = checkNumber(place, value);
    }
  }
  return {
    values: new Tensor(values, [sequences.length, time, features], "f32"),
    lengths: new Tensor(lengths, [sequences.length], "i32"),
  };
}
