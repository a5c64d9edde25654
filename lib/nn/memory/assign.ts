import type { NativeSlab } from "../../binding/native.js";
import type { Effect } from "../../graph/effect.js";
import { elements } from "../../tensor/shape.js";
import type { Value } from "../../tensor/value.js";

/** Overwrites the elements of a slab from `offset` on: what is read of it afterwards is the new value. */
export function assign(value: Value, slab: NativeSlab, offset: number): Effect {
  return {
    reads: [value],
    barrier: true,
    emit(emitter) {
      const target = emitter.memory(slab, "write", { count: elements(value.shape), dtype: "f32", offset });
      emitter.copy(value, target, "assign");
    },
  };
}
