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
export interface LookUp {
  readonly flowing: Value;
  readonly parts: BagParts;
  readonly attributes: OperationAttributes["takeGradient"];
}

/** The look-ups whose gradients `gradient` is the sum of, in their order; `undefined` where anything else flows in. */
function lookUps(gradient: Value): readonly LookUp[] | undefined {
  const taken = applied(gradient, "takeGradient");
  const [flowing] = taken?.inputs ?? [];
  if (taken !== undefined && flowing !== undefined) {
    return [{ flowing, parts: bagParts(taken.inputs, taken.attributes), attributes: taken.attributes }];
  }
  const [before, last] = applied(gradient, "add")?.inputs ?? [];
  if (before === undefined || last === undefined || applied(last, "takeGradient") === undefined) return undefined;
  if (!sameShape(before.shape, last.shape)) return undefined;
  const [earlier, own] = [lookUps(before), lookUps(last)];
  return earlier === undefined || own === undefined ? undefined : [...earlier, ...own];
}

/** Whether a gradient is 0 but in rows that look-ups have named. */
export const isScattered = (gradient: Value): boolean => lookUps(gradient) !== undefined;

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

/** `rows` are the numbers of the first `count` ones, ascending; `sums` are their gradients. */
interface Rows {
  /** [1] */
  readonly count: Value;
  readonly rows: Value;
  readonly sums: Value;
}

/** Memory for as many rows as `rows` says, which effects will fill. */
const emptyRows = (shape: Shape, rows: Shape): Rows => ({
  count: written("touched rows", [1], "i32"),
  rows: written("row numbers", rows, "i32"),
  sums: written("row gradients", rowsOf(rows, shape), "f32"),
});

/** A look-up whose rows somebody may ask for: they are put together then, behind what flows into them. */
interface Pending {
  readonly lookUp: LookUp;
  readonly trace: Trace;
}

/**
 * The gradient of a table in rows. That of one look-up needs no memory for them as long as nobody asks for its rows: updates and the guard
 * put together by themselves what flows back.
 */
export class RowGradient {
  /** Of the table. */
  readonly shape: Shape;
  readonly #pending: Pending | undefined;
  /** Numbers of rows, and gradients: so many, or so many an example. */
  readonly room: Shape;
  #rows: Rows | undefined;

  private constructor(shape: Shape, room: Shape, rows: Rows | undefined, pending?: Pending) {
    this.shape = shape;
    this.room = room;
    this.#rows = rows;
    this.#pending = pending;
  }

  /** With memory for as many rows as `room` says, which effects will fill. */
  static empty(shape: Shape, room: Shape): RowGradient {
    return new RowGradient(shape, room, emptyRows(shape, room));
  }

  /** The gradient of a table in rows, recorded in `trace`, of one that {@link isScattered}. */
  static of(trace: Trace, gradient: Value): RowGradient {
    const { shape } = gradient;
    const parts = (lookUps(gradient) ?? []).map(
      (lookUp) => new RowGradient(shape, lookUp.parts.ids.shape, undefined, { lookUp, trace }),
    );
    return RowGradient.sum(trace, parts);
  }

  /** Σ of gradients of one table, in their order. */
  static sum(trace: Trace, parts: readonly RowGradient[]): RowGradient {
    const [first] = parts;
    if (first === undefined) throw new CarillonError("ERR_TRACE", "minimize", "expected a gradient");
    if (parts.length === 1) return first;
    const total = RowGradient.empty(first.shape, first.#roomFor(parts));
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

  /** A shape of as many rows as these gradients of the table have together. */
  #roomFor(parts: readonly RowGradient[]): Shape {
    const width = parts.reduce((sum, { room }) => sum + elements(room), 0);
    const batched = parts.filter(({ room }) => isBatched(room)).length;
    if (batched === parts.length) return ["batch", width];
    // Of rows of a batch and of lists no shape says the sum, but there are no more than those of the table.
    return [batched === 0 ? Math.min(width, this.tableRows) : this.tableRows];
  }

  /** The look-up that it is put together from, where there is but one. */
  get source(): LookUp | undefined {
    return this.#pending?.lookUp;
  }

  /** The same as long as nobody has asked for rows. */
  get lookUp(): LookUp | undefined {
    return this.#rows === undefined ? this.source : undefined;
  }

  /** Rows as values, put together at the first call. */
  get summed(): Rows {
    if (this.#rows === undefined) {
      this.#rows = emptyRows(this.shape, this.room);
      if (this.#pending !== undefined) this.#pending.trace.add(scatter(this.#pending.lookUp, this.#rows, this.shape));
    }
    return this.#rows;
  }

  /** Rows as values, for effects that read them. */
  get values(): readonly Value[] {
    return Object.values(this.summed);
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
    const { count, rows, sums } = this.summed;
    return new RowGradient(this.shape, this.room, { count, rows, sums: ops.multiply(sums, scale) });
  }

  /** Σ of the squares of all elements: the bits of `sumSquares` of the dense gradient. */
  sumSquares(trace: Trace): Value {
    const sum = written("sum of squares", [], "f32");
    const { rows } = this.summed;
    trace.add({
      reads: this.values,
      writes: [sum],
      barrier: false,
      emit: (emitter) => {
        const { tableRows, columns } = this;
        const views = { ...this.places(emitter), sum: emitter.placeOf(sum) };
        emitter.emit("rows_squares", views, { room: emitter.totalOf(rows), tableRows, columns });
      },
    });
    return sum;
  }

  /** Has no row from here on. */
  clear(emitter: Emitter): void {
    const count = emitter.placeOf(this.summed.count);
    emitter.emit("fill", { y: { ...count, dtype: "f32" } }, { count: 1, value: 0 }); // the bits of the integer 0
  }

  /** Adds another gradient of the table, row by row. */
  add(part: RowGradient, emitter: Emitter): void {
    const { count, rows, sums } = this.places(emitter);
    const { tableRows, columns } = this;
    emitter.emit(
      "merge_rows",
      { ...part.places(emitter), totalCount: count, totalRows: rows, totalSums: sums },
      { room: emitter.totalOf(part.summed.rows), totalRoom: emitter.totalOf(this.summed.rows), tableRows, columns },
    );
  }

  places(emitter: Emitter) {
    return placesOf(this.summed, emitter);
  }
}

/** What an effect reads that works on a look-up as it is. */
export const lookUpValues = ({ flowing, parts: { ids, ends, weights } }: LookUp): readonly Value[] =>
  [flowing, ids, ends, weights].filter((value) => value !== undefined);

const placesOf = ({ count, rows, sums }: Rows, emitter: Emitter) => ({
  count: emitter.placeOf(count),
  rows: emitter.placeOf(rows),
  sums: emitter.placeOf(sums),
});

/** Where the operands of a look-up lie, and what instructions say of them, in a table of `shape`. */
export function lookUpOperands({ flowing, parts, attributes }: LookUp, shape: Shape, emitter: Emitter) {
  const { ids, ends, weights } = parts;
  return {
    views: {
      gradient: emitter.placeOf(flowing),
      indices: emitter.placeOf(ids),
      weights: weights === undefined ? null : emitter.placeOf(weights),
      ends: ends === undefined ? null : emitter.placeOf(ends),
    },
    ...scatterNumbers(parts, shape, attributes),
  };
}

/** Puts what flows back into the rows of a look-up together by rows. */
function scatter(lookUp: LookUp, made: Rows, shape: Shape): Effect {
  return {
    reads: lookUpValues(lookUp),
    writes: Object.values(made),
    barrier: false,
    emit(emitter) {
      const { views, numbers, table } = lookUpOperands(lookUp, shape, emitter);
      emitter.emit("scatter_rows", { ...views, ...placesOf(made, emitter) }, { ...numbers, ...table });
    },
  };
}
