// Gradients in rows: of tables that are looked up and nothing else, the rows that the batch has named and what flows back into them.
import { CarillonError } from "../errors.js";
import type { Effect, Emitter } from "../graph/effect.js";
import { applied } from "../graph/passes/pass.js";
import { currentTrace, type Trace } from "../graph/trace.js";
import * as ops from "../ops/index.js";
import { type BagParts, bagParts, scatterNumbers } from "../ops/take.js";
import type { OperationAttributes } from "../tensor/attributes.js";
import { elements, extent, isBatched, type Shape, sameShape } from "../tensor/shape.js";
import { Value } from "../tensor/value.js";

/** What flows back into the rows that one look-up has named. */
interface Scattered {
  readonly flowing: Value;
  readonly parts: BagParts;
  readonly attributes: OperationAttributes["takeGradient"];
}

/** The look-ups whose gradients `gradient` is the sum of, in their order; `undefined` where anything else flows in. */
function scattered(gradient: Value): readonly Scattered[] | undefined {
  const taken = applied(gradient, "takeGradient");
  const [flowing] = taken?.inputs ?? [];
  if (taken !== undefined && flowing !== undefined) {
    return [{ flowing, parts: bagParts(taken.inputs, taken.attributes), attributes: taken.attributes }];
  }
  const [before, last] = applied(gradient, "add")?.inputs ?? [];
  if (before === undefined || last === undefined || applied(last, "takeGradient") === undefined) return undefined;
  if (!sameShape(before.shape, last.shape)) return undefined;
  const [earlier, own] = [scattered(before), scattered(last)];
  return earlier === undefined || own === undefined ? undefined : [...earlier, ...own];
}

/** Whether a gradient is 0 but in rows that look-ups have named. */
export const isScattered = (gradient: Value): boolean => scattered(gradient) !== undefined;

/** Of all elements of a parameter, or of the rows of a table that the batch has named. */
export type Gradient = Value | RowGradient;

/** scale·gradient */
export const timesScale = (gradient: Gradient, scale: Value): Gradient =>
  gradient instanceof RowGradient ? gradient.times(scale) : ops.multiply(gradient, scale);

/** Σ of gradients of one parameter, all of them in rows or none. */
export function sumOf(gradients: readonly Gradient[]): Gradient | undefined {
  const rows = gradients.filter((each) => each instanceof RowGradient);
  if (rows.length > 0) return RowGradient.sum(currentTrace("minimize"), rows);
  return gradients
    .filter((each) => each instanceof Value)
    .reduce<Value | undefined>((total, each) => (total === undefined ? each : ops.add(total, each)), undefined);
}

/** A value that effects compute. */
const written = (name: string, shape: Shape, dtype: "f32" | "i32"): Value =>
  new Value(shape, dtype, { kind: "input", name });

/** A shape of `rows` rows, or so many an example, of what a row of a table holds. */
const rowsOf = (rows: Shape, table: Shape): Shape => [...rows, ...table.slice(1)];

/** The gradient of a table in rows: `rows` are the numbers of the first `count` ones, ascending; `sums` are their gradients. */
export class RowGradient {
  /** Of the table. */
  readonly shape: Shape;
  /** [1] */
  readonly count: Value;
  readonly rows: Value;
  readonly sums: Value;

  constructor(shape: Shape, parts: { readonly count: Value; readonly rows: Value; readonly sums: Value }) {
    this.shape = shape;
    this.count = parts.count;
    this.rows = parts.rows;
    this.sums = parts.sums;
  }

  /** With memory for as many rows as `rows` says, which effects will fill. */
  static empty(shape: Shape, rows: Shape): RowGradient {
    return new RowGradient(shape, {
      count: written("touched rows", [1], "i32"),
      rows: written("row numbers", rows, "i32"),
      sums: written("row gradients", rowsOf(rows, shape), "f32"),
    });
  }

  /** The gradient of a table in rows, recorded in `trace`, of one that {@link isScattered}. */
  static of(trace: Trace, gradient: Value): RowGradient {
    const parts = (scattered(gradient) ?? []).map((part) => {
      const made = RowGradient.empty(gradient.shape, part.parts.ids.shape);
      trace.add(scatter(part, made));
      return made;
    });
    return RowGradient.sum(trace, parts);
  }

  /** Σ of gradients of one table, in their order. */
  static sum(trace: Trace, parts: readonly RowGradient[]): RowGradient {
    const [first] = parts;
    if (first === undefined) throw new CarillonError("ERR_TRACE", "minimize", "expected a gradient");
    if (parts.length === 1) return first;
    const batched = parts.some(({ rows }) => isBatched(rows.shape));
    const width = parts.reduce((sum, { rows }) => sum + elements(rows.shape), 0);
    const total = RowGradient.empty(first.shape, batched ? ["batch", width] : [width]);
    trace.add({
      reads: parts.flatMap((part) => part.values),
      writes: total.values,
      barrier: false,
      emit(emitter) {
        total.clear(emitter);
        for (const part of parts) total.add(part, emitter);
      },
    });
    return total;
  }

  get values(): readonly Value[] {
    return [this.count, this.rows, this.sums];
  }

  /** Elements of a row. */
  get columns(): number {
    return elements(this.shape.slice(1));
  }

  /** Rows of the table. */
  get tableRows(): number {
    return extent(this.shape.slice(0, 1));
  }

  /** scale·gradient */
  times(scale: Value): RowGradient {
    const { shape, count, rows } = this;
    return new RowGradient(shape, { count, rows, sums: ops.multiply(this.sums, scale) });
  }

  /** Σ of the squares of all elements: the bits of `sumSquares` of the dense gradient. */
  sumSquares(trace: Trace): Value {
    const sum = written("sum of squares", [], "f32");
    trace.add({
      reads: this.values,
      writes: [sum],
      barrier: false,
      emit: (emitter) => {
        const { tableRows, columns } = this;
        const views = { ...this.places(emitter), sum: emitter.placeOf(sum) };
        emitter.emit("rows_squares", views, { room: emitter.totalOf(this.rows), tableRows, columns });
      },
    });
    return sum;
  }

  /** Has no row from here on. */
  clear(emitter: Emitter): void {
    const count = emitter.placeOf(this.count);
    emitter.emit("fill", { y: { ...count, dtype: "f32" } }, { count: 1, value: 0 }); // the bits of the integer 0
  }

  /** Adds another gradient of the table, row by row. */
  add(part: RowGradient, emitter: Emitter): void {
    const { count, rows, sums } = this.places(emitter);
    const { tableRows, columns } = this;
    emitter.emit(
      "merge_rows",
      { ...part.places(emitter), totalCount: count, totalRows: rows, totalSums: sums },
      { room: emitter.totalOf(part.rows), totalRoom: emitter.totalOf(this.rows), tableRows, columns },
    );
  }

  places(emitter: Emitter) {
    return {
      count: emitter.placeOf(this.count),
      rows: emitter.placeOf(this.rows),
      sums: emitter.placeOf(this.sums),
    };
  }
}

/** Puts what flows back into the rows of a look-up together by rows. */
function scatter({ flowing, parts, attributes }: Scattered, made: RowGradient): Effect {
  const { ids, ends, weights } = parts;
  return {
    reads: [flowing, ids, ends, weights].filter((value) => value !== undefined),
    writes: made.values,
    barrier: false,
    emit(emitter) {
      const views = {
        gradient: emitter.placeOf(flowing),
        indices: emitter.placeOf(ids),
        weights: weights === undefined ? null : emitter.placeOf(weights),
        ends: ends === undefined ? null : emitter.placeOf(ends),
      };
      emitter.emit(
        "scatter_rows",
        { ...views, ...made.places(emitter) },
        scatterNumbers(parts, made.shape, attributes),
      );
    },
  };
}
