// How a guarded step looks for numbers that are not finite, by instructions that cost next to nothing.
import type { Claims, Effect, Emitter, Planned } from "../graph/effect.js";
import type { Trace } from "../graph/trace.js";
import type { Named, UpdateWatcher } from "../optim/minimizer.js";
import type { RowGradient } from "../optim/row_gradient.js";
import { elements, extent } from "../tensor/shape.js";
import type { Value } from "../tensor/value.js";

/** What a check looks at. */
export interface FiniteCheck extends Named {
  readonly what: "loss" | "gradient" | "weight" | "state";
  /** Steps between two looks. */
  readonly every: number;
}

/**
 * Steps between two looks at the weights: a finite gradient leaves them finite unless the rate is absurd, and the next loss
 * then tells.
 */
const WEIGHT_CHECKS = 64;

/** Records the checks of a step. */
export class FiniteChecks implements UpdateWatcher {
  readonly #trace: Trace;
  readonly #checks: FiniteCheck[] = [];

  constructor(trace: Trace) {
    this.#trace = trace;
  }

  /** By the number that a fault reports. */
  get list(): readonly FiniteCheck[] {
    return this.#checks;
  }

  loss(value: Value): void {
    this.#expect([{ what: "loss", name: "loss", value, every: 1 }]);
  }

  /** What layers leave for the next step: no loss may ever tell of it, as only inference reads it. */
  states(list: readonly Named[]): void {
    this.#expect(list.map((each) => ({ what: "state", ...each, every: 1 })));
  }

  gradients(list: readonly Named[]): void {
    this.#expect(list.map((each) => ({ what: "gradient", ...each, every: 1 })));
  }

  weights(list: readonly Named[]): void {
    // Rows that a step touches may not be touched again before the next look.
    const often = ({ rows }: Named): number => (rows === undefined ? WEIGHT_CHECKS : 1);
    this.#expect(list.map((each) => ({ what: "weight", ...each, every: often(each) })));
  }

  #expect(checks: readonly FiniteCheck[]): void {
    this.#trace.add(new ExpectFinite(checks, this.#checks.length));
    this.#checks.push(...checks);
  }
}

/** A product whose operands are looked at in its stead. */
interface Operands {
  readonly left: Value;
  readonly right: Value;
}

/**
 * The operands of a product that have fewer elements than it: where the sums of their squares are small it is finite, so
 * that a weight's gradient need not be read again. A fused product has other operands than its operation.
 */
function operandsOf(value: Value, planned: Planned): Operands | undefined {
  if (value.source.kind !== "operation") return undefined;
  const { applied } = value.source;
  const [left, right] = applied.inputs;
  const plain = applied.operation === "matmul" && planned.stepOf(value)?.applied === applied;
  if (!plain || left === undefined || right === undefined) return undefined;
  const smaller = planned.totalOf(left) + planned.totalOf(right) < planned.totalOf(value);
  return smaller ? { left, right } : undefined;
}

/** Looks at the rows of a table that a step has touched: their gradients, one after another, or the weights where they stand. */
function emitRows({ what, value, every, number }: NumberedCheck, rows: RowGradient, emitter: Emitter): void {
  emitter.emit(
    "expect_finite",
    { x: emitter.placeOf(value), count: emitter.placeOf(rows.count), rows: emitter.placeOf(rows.rows) },
    {
      every,
      ...{ room: emitter.totalOf(rows.rows), columns: rows.columns, compact: what === "gradient" },
      ranges: [{ offset: 0, count: elements(rows.shape), check: number }],
    },
  );
}

/** A check, by the number that a fault reports. */
type NumberedCheck = FiniteCheck & { readonly number: number };

/** Ends the step as a fault, at once, where a number is not finite. */
class ExpectFinite implements Effect {
  readonly reads: readonly Value[];
  /** It reads, and a step that it ends has changed nothing, whatever was computed before. */
  readonly barrier = false;
  readonly #checks: readonly NumberedCheck[];

  /** @param first Number of the first check. */
  constructor(checks: readonly FiniteCheck[], first: number) {
    this.reads = checks.flatMap(({ value, rows }) => (rows === undefined ? [value] : [value, rows.count, rows.rows]));
    this.#checks = checks.map((check, index) => ({ ...check, number: first + index }));
  }

  claim(memory: Claims): void {
    const seen = new Set<Value>();
    for (const { value, every, number, rows } of this.#checks) {
      const operands = rows === undefined ? operandsOf(value, memory) : undefined;
      if (operands === undefined || seen.has(value)) continue;
      seen.add(value);
      const { left, right } = operands;
      memory.behind(value, (emitter) => {
        const ranges = [{ offset: 0, count: elements(value.shape), check: number }];
        emitter.emit(
          "expect_finite",
          { x: emitter.placeOf(value), left: emitter.placeOf(left), right: emitter.placeOf(right) },
          { leftCount: extent(left.shape), rightCount: extent(right.shape), every, ranges },
        );
      });
    }
  }

  /** One instruction for all checks of one memory with one period. */
  emit(emitter: Emitter): void {
    for (const check of this.#checks) if (check.rows !== undefined) emitRows(check, check.rows, emitter);
    const whole = this.#checks.filter(({ rows }) => rows === undefined);
    const direct = whole.filter(({ value }) => operandsOf(value, emitter) === undefined);
    const ranges = direct.map(({ value, every, number }) => {
      const place = emitter.placeOf(value);
      return { place, every, number, count: elements(value.shape), memory: `${place.slot} ${every}` };
    });
    for (const memory of new Set(ranges.map((range) => range.memory))) {
      const own = ranges.filter((range) => range.memory === memory);
      const [first] = own;
      if (first === undefined) continue;
      const count = Math.max(...own.map((range) => range.place.offset + range.count));
      const x = { ...first.place, offset: 0, count, batched: false };
      emitter.emit(
        "expect_finite",
        { x },
        {
          every: first.every,
          ranges: own.map((range) => ({ offset: range.place.offset, count: range.count, check: range.number })),
        },
      );
    }
  }
}
