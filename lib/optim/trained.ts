import { CarillonError } from "../errors.js";
import { gradients } from "../graph/gradient.js";
import { currentTrace } from "../graph/trace.js";
import type { Segment } from "../nn/memory/slab.js";
import type { AnyModel } from "../nn/model/model.js";
import type { Penalties } from "../regularizers/index.js";
import type { Value } from "../tensor/value.js";
import { isDefined } from "./define_optimizer.js";
import type { Optimizer } from "./optimizer.js";
import { type Gradient, isScattered, RowGradient } from "./row_gradient.js";
import type { UpdateSegment } from "./update.js";

/** A parameter at work: whose it is, what trains it, what is done to it besides. */
export interface Trained {
  readonly model: AnyModel;
  readonly segment: Segment;
  readonly optimizer: Optimizer;
  readonly penalties: Penalties;
  readonly parameter: Value;
}

/** A trained parameter and its gradient. */
export interface TrainedGradient extends Trained {
  readonly gradient: Gradient;
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

  /**
   * ∂loss/∂θ of each, in rows of those that are looked up and nothing else, where a native rule takes it so; a parameter that
   * `loss` does not depend on is `ERR_TRACE`.
   */
  gradientsOf(loss: Value): WithGradients {
    const [flowing = []] = this.gradientsOfSums([loss]);
    return this.withGradients(flowing);
  }

  /** The same of each of several losses, `undefined` where one does not depend on a parameter; of which none does is `ERR_TRACE`. */
  gradientsOfSums(losses: readonly Value[]): readonly (readonly (Gradient | undefined)[])[] {
    const flowing = losses.map((loss) => gradients(loss, this.parameters));
    const trace = currentTrace("minimize");
    const inRows = this.#list.map((trained, index) => {
      const own = flowing.flatMap((each) => each[index] ?? []);
      if (own.length > 0) return takesRows(trained) && own.every(isScattered);
      const { name } = trained.segment;
      throw new CarillonError("ERR_TRACE", name, `expected a loss that depends on '${name}' for 'minimize'`);
    });
    return flowing.map((each) =>
      each.map((gradient, index) => {
        if (gradient === undefined || inRows[index] !== true) return gradient;
        return RowGradient.of(trace, gradient);
      }),
    );
  }

  /** Each with its gradient, in their order. */
  withGradients(list: readonly (Gradient | undefined)[]): WithGradients {
    return {
      list: this.#list.flatMap((each, index): TrainedGradient[] => {
        const gradient = list[index];
        return gradient === undefined ? [] : [{ ...each, gradient }];
      }),
    };
  }
}

/** Whether nothing asks for the gradient of every element: a rule of operations, and what clips the gradient and those of penalties. */
export function takesRows({ optimizer, penalties: { l1, l2 } }: Pick<Trained, "optimizer" | "penalties">): boolean {
  return !isDefined(optimizer) && !(optimizer.clipsSum && (l1 !== 0 || l2 !== 0));
}

/** Rows of a parameter whose norms may be bounded: those of its first axis, of a vector the whole. */
export function rowsOf(shape: readonly number[]): number {
  return shape.length >= 2 ? (shape[0] ?? 1) : 1;
}

/** A trained parameter whose gradient has its penalties' gradients already, where `summed`. */
export interface SummedGradient extends TrainedGradient {
  readonly summed: boolean;
}

/** How the native pass treats one parameter. */
export function segmentOf({ segment, penalties, summed }: SummedGradient): UpdateSegment {
  const { offset, count, shape } = segment;
  const rows = rowsOf(shape);
  const { l2, l1, decay, scheduledDecay, shrink, metric, maxNorm } = penalties;
  return {
    offset,
    rows,
    columns: count / rows,
    l2: summed ? 0 : l2,
    l1: summed ? 0 : l1,
    decay,
    scheduledDecay,
    shrink,
    metric,
    maxNorm,
    penaltySquares: l2,
    penaltyAbsolutes: l1 + shrink,
  };
}
