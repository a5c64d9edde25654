import type { Effect } from "../graph/effect.js";
import type { Trace } from "../graph/trace.js";
import { type Gradient, RowGradient } from "../optim/row_gradient.js";
import { elements, isBatched } from "../tensor/shape.js";
import { Value } from "../tensor/value.js";

/** Border of the instructions that run once for every part of a batch. Only accumulators cross it. */
function border(emit: Effect["emit"]): Effect {
  return { reads: [], barrier: true, emit };
}

/** Sets accumulators to 0; which there are is known when the parts are. */
function clear(accumulators: () => readonly Gradient[]): Effect {
  return {
    reads: [],
    barrier: true,
    claim(memory) {
      for (const sum of accumulators()) {
        for (const value of sum instanceof RowGradient ? sum.values : [sum]) memory.keep(value);
      }
    },
    emit(emitter) {
      for (const sum of accumulators()) {
        if (sum instanceof RowGradient) sum.clear(emitter);
        else emitter.emit("fill", { y: emitter.placeOf(sum) }, { count: elements(sum.shape), value: 0 });
      }
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

/** Adds the rows of a part to those of the parts before it. */
function accumulateRows(accumulator: RowGradient, part: RowGradient): Effect {
  return { reads: part.values, barrier: true, emit: (emitter) => accumulator.add(part, emitter) };
}

function ofValue(part: Value): { readonly sum: Value; readonly effect: Effect } {
  const sum = new Value(part.shape, "f32", { kind: "input", name: "sum over parts" });
  return { sum, effect: accumulate(sum, part) };
}

/** Sums over the parts of a batch: what is recorded until {@link close} runs once for every part. */
export class PartSums {
  readonly #trace: Trace;
  readonly #parts: { readonly count: number; readonly rows: number };
  readonly #sums: Gradient[] = [];

  /** @param parts How many parts a batch has, and how many rows a part. */
  constructor(trace: Trace, parts: { readonly count: number; readonly rows: number }) {
    this.#trace = trace;
    this.#parts = parts;
    trace.add(clear(() => this.#sums));
    trace.add(border((emitter) => emitter.beginParts()));
  }

  /** Adds values of a part, nothing where there is none; returns their sums over all parts. */
  add(values: readonly Value[]): readonly Value[];
  add(values: readonly (Gradient | undefined)[]): readonly (Gradient | undefined)[];
  add(values: readonly (Gradient | undefined)[]): readonly (Gradient | undefined)[] {
    return values.map((value) => {
      if (value === undefined) return undefined;
      const { sum, effect } = value instanceof RowGradient ? this.#ofRows(value) : ofValue(value);
      this.#sums.push(sum);
      this.#trace.add(effect);
      return sum;
    });
  }

  /** Ends the parts: the trace behind it runs once a step. */
  close(): void {
    this.#trace.add(border((emitter) => emitter.endParts()));
  }

  #ofRows(part: RowGradient): { readonly sum: RowGradient; readonly effect: Effect } {
    const sum = RowGradient.empty(part.shape, [this.#rowsOf(part)]);
    return { sum, effect: accumulateRows(sum, part) };
  }

  /** Rows that all parts together touch at most. */
  #rowsOf({ room, tableRows }: RowGradient): number {
    const { count, rows } = this.#parts;
    return Math.min(tableRows, count * elements(room) * (isBatched(room) ? rows : 1));
  }
}
