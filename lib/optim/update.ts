import type { NativeSlab } from "../binding/native.js";
import type { NativeLists } from "../binding/operations.js";
import type { Claims, Effect, Emitter } from "../graph/effect.js";
import type { Value } from "../tensor/value.js";
import { type LookUp, lookUpOperands, lookUpValues, type RowGradient } from "./row_gradient.js";

/** A parameter in one update pass: a stretch of a slab, and what is done to it besides the rule. */
export interface UpdateSegment {
  readonly offset: number;
  readonly rows: number;
  readonly columns: number;
  /** λ added to the gradient as λθ and as λ·sign(θ). */
  readonly l2: number;
  readonly l1: number;
  /** λ of decoupled decay: θ ← θ·(1 − ηλ). */
  readonly decay: number;
  /** What the λ in `decayLane` is multiplied by, beside that. */
  readonly scheduledDecay: number;
  /** λ of the proximal step, whose threshold is ηλ, in the rule's metric or not. */
  readonly shrink: number;
  readonly metric: boolean;
  /** Bound of the rows' norms, 0: none. */
  readonly maxNorm: number;
  /** Factors of the reported penalty: (λ/2)·Σθ² and λ·Σ|θ|. */
  readonly penaltySquares: number;
  readonly penaltyAbsolutes: number;
}

/** The gradient of one table in rows. */
export interface UpdateRows {
  readonly kind: "rows";
  readonly segment: UpdateSegment;
  readonly gradient: RowGradient;
  /** From which the update puts it together; `undefined`: it reads the gradient's rows. */
  readonly lookUp: LookUp | undefined;
  readonly reach: NativeLists["reaches"];
  /** Receives the sum of the squares of the new rows, NaN where all rows are gone through; a scalar. */
  readonly squares: Value;
}

/** What parameters are updated from: gradients of whole ones, or that of one table in rows. */
export type UpdateGradients =
  | { readonly kind: "dense"; readonly list: readonly { readonly segment: UpdateSegment; readonly gradient: Value }[] }
  | UpdateRows;

/** What one native update pass is made of. */
export interface UpdatePass {
  readonly rule: NativeLists["optimizers"];
  readonly constants: readonly number[];
  /** Number of the rule's scalars, which stand in the lanes behind the rate's. */
  readonly scalars: number;
  /** Index of the schedule value that is the rate. */
  readonly lane: number;
  /** Index of the schedule value that scheduled decays are multiplied by. */
  readonly decayLane: number | undefined;
  readonly parameters: NativeSlab;
  readonly states: readonly NativeSlab[];
  /** Moving average of the weights: its memory and its decay, or that it stands in the lane behind the rule's scalars. */
  readonly average: { readonly slab: NativeSlab; readonly decay: number | "lane" } | null;
  readonly gradients: UpdateGradients;
  /** Elements of the slab from its first to the last that has a gradient in its layout. */
  readonly total: number;
  /** Clamps the gradient to ±clipValue. */
  readonly clipValue: number;
  /** Multiplies the gradient: a scalar. */
  readonly gradientScale: Value | null;
  /** Receives the penalty of the weights before the update. */
  readonly penalty: Value;
}

const readOf = ({ gradient, lookUp }: UpdateRows): readonly Value[] =>
  lookUp === undefined ? gradient.values : lookUpValues(lookUp);

/** Operands of a table's gradient: its rows, or what flows back into them. */
function operandsOf({ gradient, lookUp, reach, squares }: UpdateRows, emitter: Emitter) {
  const written = { squares: emitter.placeOf(squares) };
  if (lookUp === undefined) {
    const { count, rows, sums } = gradient.places(emitter);
    return {
      views: { gradients: sums, count, rows, ...written },
      numbers: { reach, room: emitter.totalOf(gradient.summed.rows) },
    };
  }
  const { views, numbers } = lookUpOperands(lookUp, gradient.shape, emitter);
  const { gradient: gradients, ...own } = views;
  return { views: { gradients, ...own, ...written }, numbers: { reach, ...numbers } };
}

/** Updates parameters in place, in one native pass over their slab. */
export class Update implements Effect {
  readonly reads: readonly Value[];
  readonly writes: readonly Value[];
  readonly barrier = true;
  readonly #pass: UpdatePass;

  constructor(pass: UpdatePass) {
    const { gradients, gradientScale, penalty } = pass;
    const own = gradients.kind === "rows" ? readOf(gradients) : gradients.list.map(({ gradient }) => gradient);
    this.reads = gradientScale === null ? own : [...own, gradientScale];
    this.writes = gradients.kind === "rows" ? [penalty, gradients.squares] : [penalty];
    this.#pass = pass;
  }

  /** As they lie in the slab. */
  get #segments(): readonly UpdateSegment[] {
    const { gradients } = this.#pass;
    if (gradients.kind === "rows") return [gradients.segment];
    return gradients.list.map(({ segment }) => segment).sort((a, b) => a.offset - b.offset);
  }

  /** Gradients of whole parameters lie as these do. */
  claim(memory: Claims): void {
    const { parameters, gradients, total } = this.#pass;
    if (gradients.kind === "rows") return;
    const values = gradients.list.map(({ gradient, segment: { offset } }) => ({ value: gradient, offset }));
    memory.layOut(this, { slab: parameters, total, values });
  }

  emit(emitter: Emitter): void {
    const { rule, constants, scalars, lane, decayLane, parameters, states, average, gradients } = this.#pass;
    const { clipValue, gradientScale, penalty } = this.#pass;
    const segments = this.#segments;
    const end = Math.max(...segments.map(({ offset, rows, columns }) => offset + rows * columns));
    const whole = (slab: NativeSlab) => emitter.memory(slab, "write", { count: end, dtype: "f32" });
    const own =
      gradients.kind === "rows"
        ? operandsOf(gradients, emitter)
        : { views: { gradients: emitter.laidOut(this) }, numbers: {} };
    const averageDecay = typeof average?.decay === "number" ? average.decay : undefined;
    emitter.emit(
      "update",
      {
        parameters: whole(parameters),
        states: states.map(whole),
        average: average === null ? null : whole(average.slab),
        gradientScale: gradientScale === null ? null : emitter.placeOf(gradientScale),
        penalty: emitter.placeOf(penalty),
        ...own.views,
      },
      {
        ...{
          rule,
          lane,
          constants,
          scalars,
          averageLane: average?.decay === "lane",
          decayLane: decayLane === undefined ? 0 : decayLane + 1,
          clipValue,
          averageDecay,
        },
        ...own.numbers,
        segments,
      },
    );
  }
}
