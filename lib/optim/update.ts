import type { NativeSlab } from "../binding/native.js";
import type { NativeLists } from "../binding/operations.js";
import type { Claims, Effect, Emitter } from "../graph/effect.js";
import type { Value } from "../tensor/value.js";

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
  /** Bound of the rows' norms, 0: none. */
  readonly maxNorm: number;
  /** Factors of the reported penalty: (λ/2)·Σθ² and λ·Σ|θ|. */
  readonly penaltySquares: number;
  readonly penaltyAbsolutes: number;
}

/** What one native update pass is made of. */
export interface UpdatePass {
  readonly rule: NativeLists["optimizers"];
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

/** Updates parameters in place, in one native pass over their slab. */
export class Update implements Effect {
  readonly reads: readonly Value[];
  readonly writes: readonly Value[];
  readonly barrier = true;
  readonly #pass: UpdatePass;

  constructor(pass: UpdatePass) {
    const { segments, gradientScale, penalty } = pass;
    const gradients = segments.map(({ gradient }) => gradient);
    this.reads = gradientScale === null ? gradients : [...gradients, gradientScale];
    this.writes = [penalty];
    this.#pass = pass;
  }

  /** Gradients lie as the parameters do. */
  claim(memory: Claims): void {
    const { parameters, total, segments } = this.#pass;
    const values = segments.map(({ gradient, offset }) => ({ value: gradient, offset }));
    memory.layOut(this, { slab: parameters, total, values });
  }

  emit(emitter: Emitter): void {
    const { rule, constants, scalars, lane, parameters, states, average, total, segments } = this.#pass;
    const { clipValue, gradientScale, penalty } = this.#pass;
    const whole = (slab: NativeSlab) => emitter.memory(slab, "write", { count: total, dtype: "f32" });
    const averageDecay = typeof average?.decay === "number" ? average.decay : undefined;
    emitter.emit(
      "update",
      {
        parameters: whole(parameters),
        gradients: emitter.laidOut(this),
        states: states.map(whole),
        average: average === null ? null : whole(average.slab),
        gradientScale: gradientScale === null ? null : emitter.placeOf(gradientScale),
        penalty: emitter.placeOf(penalty),
      },
      { rule, lane, constants, scalars, averageLane: average?.decay === "lane", clipValue, averageDecay, segments },
    );
  }
}
