import { CarillonError } from "../errors.js";
import { gradients } from "../graph/gradient.js";
import type { Model } from "../nn/model.js";
import type { Segment } from "../nn/slab.js";
import type { Penalties } from "../regularizers/index.js";
import type { Value } from "../tensor/value.js";
import type { Optimizer } from "./optimizer.js";
import type { UpdateSegment } from "./update.js";

/** A parameter at work: whose it is, what trains it, what is done to it besides. */
export interface Trained {
  readonly model: Model;
  readonly segment: Segment;
  readonly optimizer: Optimizer;
  readonly penalties: Penalties;
  readonly parameter: Value;
}

/** A trained parameter and its gradient. */
export interface TrainedGradient extends Trained {
  readonly gradient: Value;
}

/** Trained parameters with their gradients. @internal */
export interface WithGradients {
  readonly list: readonly TrainedGradient[];
}

/** Parameters that a minimizer trains. @internal */
export class TrainedParameters {
  readonly #list: readonly Trained[];

  constructor(list: readonly Trained[]) {
    this.#list = list;
  }

  /** As values of the trace. */
  get parameters(): readonly Value[] {
    return this.#list.map(({ parameter }) => parameter);
  }

  /** ∂loss/∂θ of each; a parameter that `loss` does not depend on is `ERR_TRACE`. */
  gradientsOf(loss: Value): WithGradients {
    const [flowing = []] = this.gradientsOfSums([loss]);
    return this.withGradients(flowing);
  }

  /** The same of each of several losses, `undefined` where one does not depend on a parameter; of which none does is `ERR_TRACE`. */
  gradientsOfSums(losses: readonly Value[]): readonly (readonly (Value | undefined)[])[] {
    const flowing = losses.map((loss) => gradients(loss, this.parameters));
    for (const [index, { segment }] of this.#list.entries()) {
      if (flowing.some((each) => each[index] !== undefined)) continue;
      const { name } = segment;
      throw new CarillonError("ERR_TRACE", name, `expected a loss that depends on '${name}' for 'minimize'`);
    }
    return flowing;
  }

  /** Each with its gradient, in their order. */
  withGradients(list: readonly (Value | undefined)[]): WithGradients {
    return {
      list: this.#list.flatMap((each, index): TrainedGradient[] => {
        const gradient = list[index];
        return gradient === undefined ? [] : [{ ...each, gradient }];
      }),
    };
  }
}

/** Rows of a parameter whose norms may be bounded: those of its first axis, of a vector the whole. */
export function rowsOf(shape: readonly number[]): number {
  return shape.length >= 2 ? (shape[0] ?? 1) : 1;
}

/** How the native pass treats one parameter. */
export function segmentOf({
  segment,
  gradient,
  penalties,
  summed,
}: TrainedGradient & { readonly summed: boolean }): UpdateSegment {
  const { offset, count, shape } = segment;
  const rows = rowsOf(shape);
  const { l2, l1, decay, shrink, metric, maxNorm } = penalties;
  return {
    offset,
    rows,
    columns: count / rows,
    gradient,
    l2: summed ? 0 : l2,
    l1: summed ? 0 : l1,
    decay,
    shrink,
    metric,
    maxNorm,
    penaltySquares: l2,
    penaltyAbsolutes: l1 + shrink,
  };
}
