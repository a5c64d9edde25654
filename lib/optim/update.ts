import { type NativeSlab, nativeInfo } from "../binding/native.js";
import type { Claims, Effect, Emitter } from "../graph/effect.js";
import { optimizerId } from "../ops/encode.js";
import type { Value } from "../tensor/value.js";

/** Constants that every native rule is given; it reads those that it knows. */
const RULE_CONSTANTS = 8;

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

/** What one native update pass is made of. */
export interface UpdatePass {
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

  /** Operands in the order of native/ops/update.cc. */
  emit(emitter: Emitter): void {
    const { rule, constants, scalars, lane, parameters, states, average, total, segments } = this.#pass;
    const { clipValue, gradientScale, penalty } = this.#pass;
    const whole = (slab: NativeSlab) => emitter.memory(slab, "write", { count: total, dtype: "f32" });
    const absent = Array.from({ length: nativeInfo.maxStates - states.length }, () => null);
    emitter.emit(
      "update",
      [
        ...[whole(parameters), emitter.laidOut(this), ...states.map(whole), ...absent],
        average === null ? null : whole(average.slab),
        gradientScale === null ? null : emitter.placeOf(gradientScale),
        emitter.placeOf(penalty),
      ],
      [
        ...[optimizerId(rule), lane, constants.length, scalars, average?.decay === "lane" ? 1 : 0],
        ...segments.flatMap(({ offset, rows, columns, metric }) => [offset, rows, columns, metric ? 1 : 0]),
      ],
      [
        ...Array.from({ length: RULE_CONSTANTS }, (_, index) => constants[index] ?? 0),
        clipValue,
        average === null || average.decay === "lane" ? 0 : average.decay,
        ...segments.flatMap(factorsOf),
      ],
    );
  }
}

function factorsOf(segment: UpdateSegment): readonly number[] {
  const { l2, l1, decay, shrink, rateScale, maxNorm, penaltySquares, penaltyAbsolutes } = segment;
  return [l2, l1, decay, shrink, rateScale, maxNorm, penaltySquares, penaltyAbsolutes];
}
