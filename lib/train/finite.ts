// How a guarded step looks for numbers that are not finite, by instructions that cost next to nothing.
import type { Claims, Effect, Emitter, Planned } from "../graph/effect.js";
import type { Trace } from "../graph/trace.js";
import type { Named, NamedGradient, NamedWeight, UpdateWatcher } from "../optim/minimizer.js";
import { lookUpOperands, lookUpValues, RowGradient } from "../optim/row_gradient.js";
import type { UpdateRows } from "../optim/update.js";
import { elements, extent } from "../tensor/shape.js";
import type { Value } from "../tensor/value.js";

/** Value or gradient that a check looks at. */
export interface FiniteCheck {
  readonly what: "loss" | "gradient" | "weight" | "state";
  readonly name: string;
  readonly value: Value | RowGradient;
  /** Of a table of which only touched rows have changed. */
  readonly rows?: UpdateRows | undefined;
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

  /** Checks the states that layers leave for the next step: no loss may ever tell of them, as only inference reads them. */
  states(list: readonly Named[]): void {
    this.#expect(list.map((each) => ({ what: "state", ...each, every: 1 })));
  }

  gradients(list: readonly NamedGradient[]): void {
    this.#expect(list.map((each) => ({ what: "gradient", ...each, every: 1 })));
  }

  weights(list: readonly NamedWeight[]): void {
    // Rows that a step touches may not be touched again before the next look.
    const often = ({ rows }: NamedWeight): number => (rows === undefined ? WEIGHT_CHECKS : 1);
    this.#expect(list.map((each) => ({ what: "weight", ...each, every: often(each) })));
  }

  #expect(checks: readonly FiniteCheck[]): void {
    const whole: WholeCheck[] = [];
    for (const [index, { value, rows, every }] of checks.entries()) {
      const numbered = { every, number: this.#checks.length + index };
      if (value instanceof RowGradient) this.#trace.add(gradientEffect(value, numbered));
      else if (rows !== undefined) this.#trace.add(changedEffect(value, rows, numbered));
      else whole.push({ value, ...numbered });
    }
    if (whole.length > 0) this.#trace.add(new ExpectFinite(whole));
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

/** When a check looks, and the number that its fault reports. */
interface Numbered {
  readonly every: number;
  readonly number: number;
}

/** A check of all elements of a value. */
interface WholeCheck extends Numbered {
  readonly value: Value;
}

/**
 * Looks at a gradient in rows: by what flows back, of which its rows are sums, and only where some of that is large at the rows
 * themselves.
 */
function gradientEffect(gradient: RowGradient, { every, number }: Numbered): Effect {
  const { lookUp, source, shape, columns } = gradient;
  const values = lookUp === undefined ? gradient.values : [];
  const range = { offset: 0, count: elements(shape), check: number };
  return {
    reads: source === undefined ? values : [...values, ...lookUpValues(source)],
    barrier: false,
    emit(emitter) {
      const flows = source && lookUpOperands(source, shape, emitter);
      const [left, right] = [flows?.views.gradient, flows?.views.weights ?? flows?.views.gradient];
      const bounds = source && {
        leftCount: extent(source.flowing.shape),
        rightCount: extent((source.parts.weights ?? source.flowing).shape),
      };
      const numbers = { ...bounds, every, columns, compact: true, ranges: [range] };
      if (lookUp === undefined || flows === undefined) {
        const { count, rows, sums } = gradient.places(emitter);
        const room = emitter.totalOf(gradient.summed.rows);
        emitter.emit("expect_finite", { x: sums, left, right, count, rows }, { ...numbers, room });
      } else {
        const { gradient: x, ...views } = flows.views;
        emitter.emit("expect_finite", { x, left, right, ...views }, { ...numbers, ...flows.numbers });
      }
    },
  };
}

/** Looks at the rows of a table that a step has changed: at the sum of their squares, and only where that is large at the rows. */
function changedEffect(table: Value, { gradient, lookUp, squares }: UpdateRows, { every, number }: Numbered): Effect {
  const { shape, columns } = gradient;
  const named = lookUp === undefined ? gradient.values : lookUpValues(lookUp);
  return {
    reads: [table, squares, ...named],
    barrier: false,
    emit(emitter) {
      const bound = emitter.placeOf(squares);
      const views = { x: emitter.placeOf(table), left: bound, right: bound };
      const ranges = [{ offset: 0, count: elements(shape), check: number }];
      const numbers = { leftCount: 1, rightCount: 1, every, columns, ranges };
      if (lookUp === undefined) {
        const { count, rows } = gradient.places(emitter);
        const room = emitter.totalOf(gradient.summed.rows);
        emitter.emit("expect_finite", { ...views, count, rows }, { ...numbers, room });
      } else {
        const looked = lookUpOperands(lookUp, shape, emitter);
        const { indices, ends } = looked.views;
        emitter.emit("expect_finite", { ...views, indices, ends }, { ...numbers, ...looked.numbers });
      }
    },
  };
}

/** Ends the step as a fault, at once, where a number is not finite. */
class ExpectFinite implements Effect {
  readonly reads: readonly Value[];
  /** It reads, and a step that it ends has changed nothing, whatever was computed before. */
  readonly barrier = false;
  readonly #checks: readonly WholeCheck[];

  constructor(checks: readonly WholeCheck[]) {
    this.reads = checks.map(({ value }) => value);
    this.#checks = checks;
  }

  claim(memory: Claims): void {
    const seen = new Set<Value>();
    for (const { value, every, number } of this.#checks) {
      const operands = operandsOf(value, memory);
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
    const direct = this.#checks.filter(({ value }) => operandsOf(value, emitter) === undefined);
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
