import type { NativeSlab } from "../binding/native.js";
import { elements, isBatched } from "../tensor/shape.js";
import type { Value } from "../tensor/value.js";
import type { Effect } from "./effect.js";

/** Gives a value out: it stands in the first elements of `slab` after the step. */
export function giveOut(value: Value, slab: NativeSlab): Effect {
  return {
    reads: [value],
    barrier: false,
    claim: (memory) => memory.computeIn(value, slab),
    emit(emitter) {
      const { shape, dtype } = value;
      const target = emitter.memory(slab, "write", { count: elements(shape), dtype, batched: isBatched(shape) });
      emitter.copy(value, target, "output");
    },
  };
}
