import type { Effect } from "../graph/effect.js";
import type { Trace } from "../graph/trace.js";
import { elements, type Shape } from "../tensor/shape.js";
import { Value } from "../tensor/value.js";

/** What follows runs once for every part of a batch, or once a step again. Only accumulators cross the border. */
function border(emit: Effect["emit"]): Effect {
  return { reads: [], barrier: true, emit };
}

/** Sets an accumulator to 0. */
function clear(accumulator: Value): Effect {
  return {
    reads: [],
    barrier: true,
    claim: (memory) => memory.keep(accumulator),
    emit(emitter) {
      emitter.emit("fill", { y: emitter.placeOf(accumulator) }, { count: elements(accumulator.shape), value: 0 });
    },
  };
}

/** Adds a value to an accumulator. */
function accumulate(accumulator: Value, value: Value): Effect {
  return {
    reads: [value],
    barrier: true,
    emit(emitter) {
      const sum = emitter.placeOf(accumulator);
      emitter.emit(
        "binary",
        { a: sum, b: emitter.placeOf(value), y: sum },
        { rows: 1, columns: sum.count, function: "add", spreadA: "full", spreadB: "full" },
      );
    },
  };
}

/** Sums over the parts of a batch: what is recorded until {@link end} runs once for every part. */
export class PartSums {
  readonly #trace: Trace;
  readonly #sums: readonly Value[];

  /** @param shapes Of the values to sum. */
  constructor(trace: Trace, shapes: readonly Shape[]) {
    this.#trace = trace;
    this.#sums = shapes.map((shape, index) => new Value(shape, "f32", { kind: "input", name: `sum ${index}` }));
    for (const sum of this.#sums) trace.add(clear(sum));
    trace.add(border((emitter) => emitter.beginParts()));
  }

  /** Adds the values of a part, in the order of the shapes, nothing where there is none; returns their sums over all parts. */
  end(values: readonly (Value | undefined)[]): readonly Value[] {
    for (const [index, sum] of this.#sums.entries()) {
      const value = values[index];
      if (value !== undefined) this.#trace.add(accumulate(sum, value));
    }
    this.#trace.add(border((emitter) => emitter.endParts()));
    return this.#sums;
  }
}
