import { madeBy } from "../../described.js";
import { CarillonError, fail } from "../../errors.js";
import * as ops from "../../ops/index.js";
import { checkNothing } from "../../options.js";
import { checkShape, elements, formatShape, isBatched } from "../../tensor/shape.js";
import { defineLayer, type Layer } from "../layer.js";

const flat: Layer<number, "flat", "any"> = madeBy(
  "flatten",
  {},
  defineLayer({
    kind: "flatten",
    outputs: "flat",
    takes: "any",
    config: {},
    forward: (x) => ops.flatten(x),
  }),
);

/** [batch, n] from [batch, …]: all axes of a row become one, the last axis fastest. */
export function flatten(...given: readonly never[]): Layer<number, "flat", "any"> {
  checkNothing("flatten", given);
  return flat;
}

function checkSizes(shape: readonly number[]): readonly number[] {
  checkShape("reshape", shape);
  return isBatched(shape) ? fail("ERR_SHAPE", "reshape", "sizes of a row, without 'batch',", shape) : [...shape];
}

/** [batch, …shape] from [batch, …] with as many elements a row, in the same order; else `ERR_SHAPE`. */
export function reshape<const S extends readonly number[]>(shape: S): Layer<number, S, "any"> {
  const sizes = checkSizes(shape);
  const count = elements(sizes);
  const layer = defineLayer({
    kind: "reshape",
    outputs: shape,
    takes: "any",
    config: { shape: sizes },
    infer({ shape: given, dtype }) {
      const row = given.slice(1);
      if (elements(row) === count) return { shape: [...given.slice(0, 1), ...shape], dtype };
      const expected = `expected ${count} elements a row, as ${formatShape(shape)} has,`;
      throw new CarillonError("ERR_SHAPE", "reshape", `${expected} for 'reshape' but received ${formatShape(row)}`);
    },
    forward: (x) => ops.reshape(x, [...x.shape.slice(0, 1), ...shape]),
  });
  return madeBy("reshape", { shape: sizes }, layer);
}
