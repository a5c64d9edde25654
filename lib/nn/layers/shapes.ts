import { madeBy } from "../../described.js";
import { fail } from "../../errors.js";
import * as ops from "../../ops/index.js";
import { checkNothing } from "../../options.js";
import { checkShape, isBatched } from "../../tensor/shape.js";
import { defineLayer, type Layer } from "../structure/layer.js";

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
export function reshape<const S extends readonly number[]>(shape: S): Layer<number, { readonly shape: S }, "any"> {
  const sizes = checkSizes(shape);
  const layer = defineLayer({
    kind: "reshape",
    outputs: { shape },
    takes: "any",
    config: { shape: sizes },
    forward: (x) => ops.reshape(x, [...x.shape.slice(0, 1), ...shape]),
  });
  return madeBy("reshape", { shape: sizes }, layer);
}
