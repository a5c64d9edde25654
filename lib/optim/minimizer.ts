import { CarillonError } from "../errors.js";
import { gradients } from "../graph/gradient.js";
import { currentTrace } from "../graph/trace.js";
import type { Model } from "../nn/model.js";
import { checkRegularizer } from "../nn/parameter.js";
import { ParameterSlab } from "../nn/slab.js";
import * as ops from "../ops/index.js";
import { checkKeys } from "../options.js";
import type { Regularizer } from "../regularizers/index.js";
import { Value } from "../tensor/value.js";
import type { Optimizer } from "./optimizer.js";
import { rateAt } from "./schedule.js";

/** What {@link Minimizer.minimize} gives. */
export interface Minimized {
  /** Σ of the penalties, of the weights before the update: a scalar. */
  readonly penalty: Value;
}

/** λ for a parameter: its own, or the model-wide one if its rank is 2 or more. */
function lambdaOf(own: Regularizer | null | undefined, rank: number, wide: Regularizer | null): number {
  const chosen = own === undefined ? (rank >= 2 ? wide : null) : own;
  return chosen?.lambda ?? 0;
}

/** Models and the state of the optimizer that trains them. */
export class Minimizer {
  readonly optimizer: Optimizer;
  readonly #models: readonly Model[];
  readonly #states: ReadonlyMap<Model, ReadonlyMap<string, ParameterSlab>>;
  readonly #regularizer: Regularizer | null;

  constructor(models: readonly Model[], optimizer: Optimizer, regularizer: Regularizer | null) {
    this.optimizer = optimizer;
    this.#models = models;
    this.#regularizer = regularizer;
    this.#states = new Map(
      models.map((model) => {
        const slabs = optimizer.states.map((name): [string, ParameterSlab] => {
          return [name, new ParameterSlab(model.segments, model.total)];
        });
        return [model, new Map(slabs)];
      }),
    );
  }

  /**
   * Records one update of every parameter by ∂loss/∂θ, in the body of a program: what is recorded later sees the new
   * weights. `loss`: a scalar. A parameter that `loss` does not depend on is `ERR_TRACE`.
   */
  minimize(loss: Value): Minimized {
    const trace = currentTrace("minimize");
    const { lr, rule, constants } = this.optimizer;
    const lane = trace.lane((at) => rateAt(`${this.optimizer.kind}.lr`, lr, at));
    const values = this.#models.map((model) => model.values(trace));
    const all = values.flatMap((own) => [...own.values()]);
    const flowing = gradients(loss, all);
    let next = 0;
    let total: Value | undefined;
    for (const [index, model] of this.#models.entries()) {
      const segments = model.segments.map(({ name, offset, count, spec, shape }) => {
        const gradient = flowing[next];
        next += 1;
        if (gradient === undefined) {
          throw new CarillonError("ERR_TRACE", name, `expected a loss that depends on '${name}' for 'minimize'`);
        }
        return {
          offset,
          count,
          gradient,
          l2: lambdaOf(spec.regularizer, shape.length, this.#regularizer),
          rateScale: 1,
        };
      });
      if (segments.length === 0) continue;
      const states = [...(this.#states.get(model)?.values() ?? [])].map(({ slab }) => slab);
      const penalty = new Value([], "f32", { kind: "input", name: `penalty ${index}` });
      trace.add({
        kind: "update",
        rule,
        constants,
        lane,
        parameters: model.slab,
        states,
        total: model.total,
        segments,
        penalty,
      });
      total = total === undefined ? penalty : ops.add(total, penalty);
    }
    if (total === undefined) throw new CarillonError("ERR_TRACE", "minimize", "expected a model with parameters");
    return { penalty: total };
  }

  /** Copies of the states, by model, state and parameter. */
  states(model: Model): ReadonlyMap<string, ReadonlyMap<string, Float32Array>> {
    const own = this.#states.get(model) ?? new Map<string, ParameterSlab>();
    return new Map([...own].map(([name, slab]) => [name, slab.read()]));
  }

  /** Overwrites the states of a model; `ERR_STATE` where one is missing. */
  restore(model: Model, states: ReadonlyMap<string, ReadonlyMap<string, Float32Array>>): void {
    for (const [name, slab] of this.#states.get(model) ?? []) slab.write(states.get(name) ?? new Map(), name);
  }
}

/**
 * An optimizer at work on one model or several: it holds the states, one of the parameters' layout each.
 *
 * @param options.regularizer Model-wide penalty for parameters of rank ≥ 2 that have none of their own.
 */
export function minimizer(
  models: Model | readonly Model[],
  optimizer: Optimizer,
  options: { readonly regularizer?: Regularizer | null | undefined } = {},
): Minimizer {
  checkKeys("minimizer", options, ["regularizer"]);
  checkRegularizer("minimizer.regularizer", options.regularizer);
  const list = Array.isArray(models) ? models : [models];
  for (const model of list) if (!model.initialized) model.initialize(0);
  return new Minimizer(list, optimizer, options.regularizer ?? null);
}
