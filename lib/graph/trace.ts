import type { NativeSlab } from "../binding/native.js";
import { CarillonError } from "../errors.js";
import { lastValueId, type Value } from "../tensor/value.js";
import type { UpdateCounter } from "./update_counter.js";

/** A parameter in one update pass: a stretch of a slab, and what is done to it besides the rule. */
export interface UpdateSegment {
  readonly offset: number;
  readonly rows: number;
  readonly columns: number;
  readonly gradient: Value;
  /** λ added to the gradient as λθ and as λ·sign(θ). */
  readonly l2: number;
  readonly l1: number;
  /** λ of decoupled decay: θ ← θ·(1 − ηλ). */
  readonly decay: number;
  /** λ of the proximal step, whose threshold is ηλ, in the rule's metric or not. */
  readonly shrink: number;
  readonly metric: boolean;
  /** Factor of the learning rate. */
  readonly rateScale: number;
  /** Bound of the rows' norms, 0: none. */
  readonly maxNorm: number;
  /** Factors of the reported penalty: (λ/2)·Σθ² and λ·Σ|θ|. */
  readonly penaltySquares: number;
  readonly penaltyAbsolutes: number;
}

/** One native update pass. */
export interface UpdateEffect {
  readonly kind: "update";
  readonly rule: string;
  readonly constants: readonly number[];
  /** Number of the rule's scalars, which stand in the lanes behind the rate's. */
  readonly scalars: number;
  /** Index of the schedule value that is the rate. */
  readonly lane: number;
  readonly parameters: NativeSlab;
  readonly states: readonly NativeSlab[];
  /** Moving average of the weights: its memory and its decay, or that it stands in the lane behind the rule's scalars. */
  readonly average: { readonly slab: NativeSlab; readonly decay: number | "lane" } | null;
  /** Elements of the parameter slab. */
  readonly total: number;
  readonly segments: readonly UpdateSegment[];
  /** Clamps the gradient to ±clipValue. */
  readonly clipValue: number;
  /** Multiplies the gradient: a scalar. */
  readonly gradientScale: Value | null;
  /** Receives the penalty of the weights before the update. */
  readonly penalty: Value;
}

/** What a check of the guard looks at. */
export interface FiniteCheck {
  readonly what: "loss" | "gradient" | "weight";
  /** Of the parameter. */
  readonly name: string;
  readonly value: Value;
  /** Steps between two looks. */
  readonly every: number;
}

/** What a program does besides computing values, in the order of the source. */
export type Effect =
  | UpdateEffect
  | { readonly kind: "log"; readonly value: Value; readonly column: number }
  | { readonly kind: "output"; readonly value: Value; readonly slab: NativeSlab }
  /** Keeps the rows of the last `steps` steps: [steps, batch, columns], step s at (s − 1) mod `steps`. */
  | {
      readonly kind: "collect";
      readonly value: Value;
      readonly slab: NativeSlab;
      readonly batch: number;
      readonly steps: number;
    }
  /** Overwrites a stretch of a slab. */
  | { readonly kind: "assign"; readonly value: Value; readonly slab: NativeSlab; readonly offset: number }
  /** Ends the step as a fault, at once, where a number is not finite. */
  | { readonly kind: "finite"; readonly value: Value; readonly every: number; readonly check: number }
  /** An accumulator, set to 0 at the beginning of a step, and what every micro-batch adds to it. */
  | { readonly kind: "clear"; readonly accumulator: Value }
  | { readonly kind: "accumulate"; readonly accumulator: Value; readonly value: Value }
  /** What follows runs once for every micro-batch, or once a step again. Only accumulators cross the border. */
  | { readonly kind: "micro" }
  | { readonly kind: "whole" };

/** Values that an effect reads. */
export function rootsOf(effect: Effect): readonly Value[] {
  switch (effect.kind) {
    case "update": {
      const gradients = effect.segments.map(({ gradient }) => gradient);
      return effect.gradientScale === null ? gradients : [...gradients, effect.gradientScale];
    }
    case "clear":
    case "micro":
    case "whole":
      return [];
    default:
      return [effect.value];
  }
}

/** Where a run stands when schedules are asked. */
export interface RateAt {
  readonly step: number;
  readonly steps: number;
  readonly epoch: number;
}

/** What an update counts by, and the scalars of its rule. */
export interface LaneUpdate {
  readonly counter: UpdateCounter;
  /** Of a step before which so many updates were made, from 0; always as many. */
  readonly scalars: ((updates: number) => readonly number[]) | null;
}

/** Values that change from step to step: a learning rate, and the scalars of a rule that stand behind it. */
export interface Lane {
  /** Index of the rate; the scalars follow. */
  readonly first: number;
  readonly rate: (at: RateAt) => number;
  /** `null` for a rate that goes by the program's own steps. */
  readonly update: LaneUpdate | null;
  readonly count: number;
}

/** What happens while a program is traced: its effects, and the count of places that draw. */
export class Trace {
  readonly seed: number;
  readonly training: boolean;
  /** The id of the last value created before this trace. */
  readonly since: number = lastValueId();
  /** With the id of the last value created before each: later values come after it. */
  readonly effects: { readonly after: number; readonly effect: Effect }[] = [];
  /** What has to be done before a first step: weights that nobody has looked at have to be drawn. */
  readonly first = new Set<() => void>();
  /** Of a guarded trace, by the number that a fault reports. */
  readonly checks: FiniteCheck[] = [];
  readonly #guarded: boolean;
  readonly #lanes: Lane[] = [];
  readonly #updates = new Map<UpdateCounter, number>();
  #sites = 0;

  /** @param guarded Whether {@link expectFinite} checks anything. */
  constructor(seed: number, training: boolean, guarded = false) {
    this.seed = seed;
    this.training = training;
    this.#guarded = guarded;
  }

  /** Of a guarded trace: what must be finite, from here on in the source. */
  expectFinite(what: FiniteCheck["what"], name: string, value: Value, every = 1): void {
    if (!this.#guarded) return;
    this.add({ kind: "finite", value, every, check: this.checks.length });
    this.checks.push({ what, name, value, every });
  }

  /** Records what happens at this place of the source. */
  add(effect: Effect): void {
    this.effects.push({ after: lastValueId(), effect });
  }

  /** Reserves values that change from step to step and are uploaded for the steps of a call. */
  lane(rate: Lane["rate"], update: LaneUpdate | null = null): Lane {
    const lane = { first: this.laneCount, rate, update, count: 1 + (update?.scalars?.(0).length ?? 0) };
    this.#lanes.push(lane);
    return lane;
  }

  get lanes(): readonly Lane[] {
    return this.#lanes;
  }

  /** Values a step. */
  get laneCount(): number {
    return this.#lanes.reduce((total, { count }) => total + count, 0);
  }

  /** The place of a counter's next update among those of a step, from 1. */
  nextUpdate(counter: UpdateCounter): number {
    const place = (this.#updates.get(counter) ?? 0) + 1;
    this.#updates.set(counter, place);
    return place;
  }

  /** Updates of a step by counter. */
  get updates(): ReadonlyMap<UpdateCounter, number> {
    return this.#updates;
  }

  /** The next place that draws random numbers. */
  nextSite(): number {
    this.#sites += 1;
    return this.#sites - 1;
  }
}

const open: Trace[] = [];

/** Runs `body` with `trace` as the one that records. */
export function tracing<R>(trace: Trace, body: () => R): R {
  open.push(trace);
  try {
    return body();
  } finally {
    open.pop();
  }
}

/** The trace that records now; `ERR_TRACE` outside of a program. */
export function currentTrace(where: string): Trace {
  const trace = open.at(-1);
  if (trace === undefined) {
    throw new CarillonError("ERR_TRACE", where, `'${where}' works inside the body of a program only`);
  }
  return trace;
}
