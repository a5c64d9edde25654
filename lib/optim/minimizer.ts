import { native } from "../binding/native.js";
import { CarillonError, fail, introduce } from "../errors.js";
import type { Lane, LaneUpdate, ScheduleAt } from "../graph/lane.js";
import { currentTrace, type Trace } from "../graph/trace.js";
import { UpdateCounter, type UpdateCounts } from "../graph/update_counter.js";
import type { Averaging } from "../nn/files/saved.js";
import type { Segment, Stretch } from "../nn/memory/slab.js";
import { type AnyModel, Model } from "../nn/model/model.js";
import { formatSizes } from "../nn/model/summary.js";
import type { ParameterRole } from "../nn/parameters/parameter.js";
import * as ops from "../ops/index.js";
import { scheduleValue } from "../ops/sums.js";
import { checkKeys } from "../options.js";
import {
  checkBiasRegularizers,
  checkRegularizers,
  type Penalties,
  penaltiesOf,
  type Regularizer,
} from "../regularizers/index.js";
import { power } from "../tensor/exact.js";
import { INSPECT, type Inspect, type InspectOptions, inspectDescription } from "../tensor/inspect.js";
import { extent } from "../tensor/shape.js";
import { Value } from "../tensor/value.js";
import { type DefinedOptimizer, isDefined, nativeRule } from "./define_optimizer.js";
import { applyDefined } from "./defined_update.js";
import { boundLookups } from "./lookup_norm.js";
import { type AverageWeights, type Clip, checkAverage, checkClip, type MinimizerOptions } from "./minimizer_options.js";
import { ModelState } from "./model_state.js";
import type { Optimizer } from "./optimizer.js";
import { checkGroups, checkOptimizers, type Group, groupOf, groupsOf, type Partition } from "./partition.js";
import { checkTouched, reachOf } from "./reach.js";
import { type Gradient, RowGradient, timesScale } from "./row_gradient.js";
import { rateAt, type Schedule } from "./schedule.js";
import {
  type SummedGradient,
  segmentOf,
  type Trained,
  type TrainedGradient,
  TrainedParameters,
  type WithGradients,
} from "./trained.js";
import { Update, type UpdateGradients, type UpdateRows } from "./update.js";
import { groupsTold, type Telling } from "./words.js";

/** Result of {@link Minimizer.minimize}. */
export interface Minimized {
  /** Σ of the penalties, of the weights before the update: a scalar. */
  readonly penalty: Value;
}

/** A value of a parameter. @internal */
export interface Named {
  readonly name: string;
  readonly value: Value;
}

/** A gradient of a parameter. @internal */
export interface NamedGradient {
  readonly name: string;
  readonly value: Gradient;
}

/** A parameter behind an update. @internal */
export interface NamedWeight extends Named {
  /** Of a table of which only touched rows have changed. */
  readonly rows?: UpdateRows | undefined;
}

/** Who looks at the gradients that an update is made of, and at the parameters behind it. @internal */
export interface UpdateWatcher {
  gradients(list: readonly NamedGradient[]): void;
  weights(list: readonly NamedWeight[]): void;
}

/** Elements of a slab from its first to the last that has a gradient in its layout. */
const roomOf = (gradients: readonly TrainedGradient[]): number =>
  Math.max(
    0,
    ...gradients.map(({ segment, gradient }) => (gradient instanceof RowGradient ? 0 : segment.offset + segment.count)),
  );

/** Parameters by the factor of their learning rate. */
function byRateFactor<T extends Trained>(
  list: readonly T[],
): readonly (readonly [factor: number, list: readonly T[]])[] {
  const factors = [...new Set(list.map(({ segment }) => segment.spec.rateFactor))];
  return factors.map((factor) => [factor, list.filter(({ segment }) => segment.spec.rateFactor === factor)]);
}

/** Scalars behind a rule's own where the average starts late: its decay, and 1 − decay for rules made of operations. */
const AVERAGE_SCALARS = 2;

/** Added to the norm that a gradient is divided by, as PyTorch does. */
const NORM_EPSILON = 1e-6;

/** Models and the state of the optimizers that train them. */
export class Minimizer {
  readonly #groups: readonly Group[];
  readonly #models: readonly AnyModel[];
  readonly #memory: ReadonlyMap<AnyModel, ModelState>;
  /** Model-wide regularizers by role. */
  readonly #wide: Readonly<Record<ParameterRole, readonly Regularizer[]>>;
  readonly #clip: Clip | null;
  readonly #average: AverageWeights | null;
  readonly #counter = new UpdateCounter();

  /**
   * Records one update of every parameter by ∂loss/∂θ, in the body of a program: what is recorded later sees the new
   * weights. `loss`: a scalar. A parameter that `loss` does not depend on is `ERR_TRACE`. Rules go by the updates that were made of
   * the states, schedules by the steps of programs in which they were, wherever this minimizer is recorded: {@link counts}.
   */
  // An own function, at which structuredClone throws: the states are in native memory.
  readonly minimize = (loss: Value): Minimized => {
    const trained = this.trained(currentTrace("minimize"));
    return this.apply(trained.gradientsOf(loss), null);
  };

  constructor(models: readonly AnyModel[], optimizer: Optimizer | Partition, options: MinimizerOptions = {}) {
    this.#groups = groupsOf(optimizer);
    this.#models = [...models];
    this.#wide = {
      weight: checkRegularizers("minimizer.regularizer", options.regularizer),
      bias: checkBiasRegularizers("minimizer.biasRegularizer", options.biasRegularizer),
      scale: [],
      table: [],
    };
    this.#clip = checkClip("minimizer.clip", options.clip);
    this.#average = checkAverage("minimizer.averageWeights", options.averageWeights);
    this.#memory = new Map(models.map((model) => [model, new ModelState(model, this.#groups, this.#average !== null)]));
  }

  /** Optimizers, without their rates, and averages as plain data: what a checkpoint is compared by. @internal */
  told(telling: Telling): { readonly optimizer: unknown; readonly averageWeights: unknown } {
    return { optimizer: groupsTold(this.#groups, telling), averageWeights: this.#average };
  }

  /** Sets the averages to the weights, as before step 1. */
  resetAverages(): void {
    for (const [model, { average }] of this.#memory) {
      if (average !== null && this.#average?.biasCorrection !== true) native.slabCopy(model.slab, average.slab);
    }
  }

  /**
   * The averaged weights of a model; `undefined` without `averageWeights`. Frozen parameters, states of layers, and all of them before
   * the first update, are their own average.
   */
  averages(model: AnyModel): ReadonlyMap<string, Float32Array> | undefined {
    const values = this.#memory.get(model)?.average?.read();
    const averaging = this.averaging(model);
    if (values === undefined || averaging === undefined) return values;
    const { scale, except } = averaging;
    const corrects = this.#average?.biasCorrection === true;
    if (!corrects && model.state.length === 0) return values;
    const weights = model.weights();
    const averages = [...values].map(([name, data]): [string, Float32Array] => {
      const own = except.includes(name) ? weights.get(name)?.data : undefined;
      return [name, own ?? (corrects ? data.map((value) => value * scale) : data)];
    });
    const states = model.state.map(({ name }): [string, Float32Array] => [
      name,
      weights.get(name)?.data ?? new Float32Array(),
    ]);
    return new Map([...averages, ...states]);
  }

  /** How the memory of the averages becomes {@link averages}. @internal */
  averaging(model: AnyModel): Averaging | undefined {
    if (this.#average === null) return undefined;
    if (this.#average.biasCorrection !== true) return { scale: 1, except: [] };
    const isFrozen = (name: string): boolean => this.#groups[groupOf(this.#groups, name)]?.optimizer === null;
    const names = model.parameters.map(({ name }) => name);
    const { updates } = this.counts;
    if (updates === 0) return { scale: 1, except: names };
    return { scale: 1 / (1 - power(this.#average.decay, updates)), except: names.filter(isFrozen) };
  }

  /** The parameters that are trained, in the order of the models. @internal */
  trained(trace: Trace): TrainedParameters {
    checkGroups(
      this.#groups,
      this.#models.flatMap(({ parameters }) => parameters.map(({ name }) => name)),
    );
    const all = this.#models.flatMap((model) => {
      const values = model.values(trace);
      return model.segments.flatMap((segment): readonly Trained[] => {
        const optimizer = this.#groups[groupOf(this.#groups, segment.name)]?.optimizer ?? null;
        const parameter = values.get(segment.name);
        if (optimizer === null || parameter === undefined) return [];
        const trained = { model, segment, optimizer, parameter, penalties: this.#penalties(segment, optimizer) };
        checkTouched(trained, this.#average);
        return [trained];
      });
    });
    return new TrainedParameters(all);
  }

  /** Records the update from gradients, which are multiplied by `scale` first. @internal */
  apply(parameters: WithGradients, scale: Value | null, watcher?: UpdateWatcher): Minimized {
    if (parameters.list.length === 0) {
      throw new CarillonError("ERR_TRACE", "minimize", "expected a model with parameters to train");
    }
    // A clipped sum needs the gradient in full before the penalties' gradients are added.
    const early = scale !== null && this.#clip !== null && parameters.list.some(({ optimizer }) => optimizer.clipsSum);
    const scaled = early
      ? parameters.list.map((each) => ({ ...each, gradient: timesScale(each.gradient, scale) }))
      : parameters.list;
    const summed = scaled.map((each) => this.#withSum(each));
    const gradientScale = this.#clipScale(summed, early ? null : scale);
    const trace = currentTrace("minimize");
    const place = trace.nextUpdate(this.#counter);
    watcher?.gradients(summed.map(({ segment: { name }, gradient }) => ({ name, value: gradient })));
    const tables = this.#tablesOf(summed);
    // One optimizer may stand in several groups.
    const optimizers = [...new Set(this.#groups.map(({ optimizer }) => optimizer))];
    const penalties = this.#models.flatMap((model) => {
      const total = roomOf(summed.filter((each) => each.model === model));
      return optimizers.flatMap((optimizer) => {
        const own = summed.filter((each) => each.model === model && each.optimizer === optimizer);
        if (optimizer === null || own.length === 0) return [];
        const rate = (at: ScheduleAt): number => rateAt(`${optimizer.kind}.lr`, optimizer.lr, at);
        const decayLane = this.#decayLane(optimizer);
        const { scalars, touchedScalars = scalars } = optimizer;
        const apart = own.filter((each) => touchedScalars !== scalars && tables.get(each)?.reach === "touched");
        const whole = own.filter((each) => !apart.includes(each));
        return [
          { list: whole, scalars },
          { list: apart, scalars: touchedScalars },
        ].flatMap(({ list, scalars: own }) => {
          return byRateFactor(list).flatMap(([factor, equal]) => {
            const lane = trace.lane((at) => factor * rate(at), this.#update(own, place));
            return this.#updateGroup(model, optimizer, equal, { gradientScale, lane, decayLane, total, tables });
          });
        });
      });
    });
    watcher?.weights(
      summed.map((each) => {
        const rows = tables.get(each);
        return { name: each.segment.name, value: each.parameter, rows: rows?.reach === "all" ? undefined : rows };
      }),
    );
    return { penalty: penalties.reduce((total, penalty) => ops.add(total, penalty)) };
  }

  /** Copies of the states of a model by `state/parameter`. `ERR_BUSY` while a program is changing them. */
  states(model: AnyModel): ReadonlyMap<string, Float32Array> {
    this.#stateOf(model).expectStill("states");
    return new Map(
      this.stretches(model).map(({ key, shape, slab, offset }): [string, Float32Array] => {
        const data = new Float32Array(extent(shape));
        native.slabRead(slab, offset, data);
        return [key, data];
      }),
    );
  }

  /** Keys and lengths of {@link states}, in order. */
  stateShapes(model: AnyModel): ReadonlyMap<string, readonly number[]> {
    return new Map(this.stretches(model).map(({ key, shape }) => [key, shape]));
  }

  /** The models that it trains. @internal */
  get models(): readonly AnyModel[] {
    return this.#models;
  }

  /** The learning rates of its groups, by pattern. @internal */
  get rates(): readonly (readonly [pattern: string, lr: number | Schedule])[] {
    return this.#groups.flatMap(({ pattern, optimizer }) => (optimizer === null ? [] : [[pattern, optimizer.lr]]));
  }

  /** Where the states of a model lie, in the order of {@link states}. @internal */
  stretches(model: AnyModel): readonly Stretch[] {
    return this.#stateOf(model).stretches();
  }

  /** What the states have been through: they and their counts are one thing. */
  get counts(): UpdateCounts {
    return this.#counter.counts;
  }

  /** Overwrites the states of a model, and the counts; `ERR_STATE` where a state is missing, `ERR_BUSY` while a program is changing them. */
  restore(model: AnyModel, states: ReadonlyMap<string, Float32Array>, counts: UpdateCounts): void {
    this.#stateOf(model).expectStill("restore");
    this.#stateOf(model).restore(states);
    this.recount(counts);
  }

  /** Overwrites the counts, by who has overwritten the states. @internal */
  recount(counts: UpdateCounts): void {
    this.#counter.restore(counts);
  }

  /** @internal */
  [INSPECT](depth: number | null, options: InspectOptions, inspect: Inspect): string {
    const groups = this.#groups.map(({ pattern, optimizer }) => [pattern, optimizer?.kind ?? "frozen"]);
    const models = this.#models.map(formatSizes);
    return inspectDescription(
      { title: "Minimizer", fields: { models, ...Object.fromEntries(groups) } },
      depth,
      options,
      inspect,
    );
  }

  #stateOf(model: AnyModel): ModelState {
    const state = this.#memory.get(model);
    if (state === undefined) throw new CarillonError("ERR_STATE", "minimizer", "expected a model of this minimizer");
    return state;
  }

  /** Its own regularizers, or the model-wide ones of its role, and the optimizer's decay. */
  #penalties({ spec: { role, regularizer, decayFactor } }: Segment, { decay }: Optimizer): Penalties {
    const own = regularizer === undefined ? this.#wide[role] : regularizer;
    const penalties = penaltiesOf(checkRegularizers("regularizer", own));
    if (decay === null) return penalties;
    const { lambda, everywhere } = decay;
    const factor = decayFactor ?? (everywhere || role === "weight" ? 1 : 0);
    if (typeof lambda === "function") return { ...penalties, scheduledDecay: factor };
    return { ...penalties, decay: penalties.decay + factor * lambda };
  }

  /** For optimizers whose clipping sees the sum, the penalties' gradients are added before it. */
  #withSum(each: TrainedGradient): SummedGradient {
    const { optimizer, penalties, parameter, gradient } = each;
    if (!optimizer.clipsSum || this.#clip === null) return { ...each, summed: false };
    if (gradient instanceof RowGradient) return { ...each, summed: true }; // there are none; see takesRows()
    let sum = gradient;
    if (penalties.l2 !== 0) sum = ops.add(sum, ops.multiply(penalties.l2, parameter));
    if (penalties.l1 !== 0) sum = ops.add(sum, ops.multiply(penalties.l1, ops.sign(parameter)));
    return { ...each, gradient: sum, summed: true };
  }

  /** min(1, c/(‖g‖ + 1e-6)) over all parameters, times `scale`; Keras' form is c/max(‖g‖, c). */
  #clipScale(parameters: readonly SummedGradient[], scale: Value | null): Value | null {
    const bound = this.#clip?.norm;
    if (bound === undefined) return scale;
    const trace = currentTrace("minimize");
    const squares = parameters.map(({ gradient }) =>
      gradient instanceof RowGradient ? gradient.sumSquares(trace) : ops.sumSquares(gradient),
    );
    const plain = ops.sqrt(squares.reduce((total, square) => ops.add(total, square)));
    const norm = scale === null ? plain : ops.multiply(plain, scale);
    const factor = parameters.some(({ summed }) => summed)
      ? ops.divide(bound, ops.maximum(norm, bound))
      : ops.minimum(ops.divide(bound, ops.add(norm, NORM_EPSILON)), 1);
    return scale === null ? factor : ops.multiply(factor, scale);
  }

  /** The schedule of an optimizer's decay, if it has one. */
  #decayLane({ kind, decay }: Optimizer): Lane | undefined {
    const lambda = decay?.lambda;
    if (typeof lambda !== "function") return undefined;
    const at = { counter: this.#counter, scalars: null };
    return currentTrace("minimize").lane((step) => rateAt(`${kind}.weightDecay`, lambda, step), at, false);
  }

  /** How the update at `place` of a step counts: its rule's scalars, then the decay of an average that starts late. */
  #update(scalars: Optimizer["scalars"], place: number): LaneUpdate {
    const counter = this.#counter;
    if (!this.#startsLate) return { counter, scalars: scalars && ((updates) => scalars(updates + place)) };
    const { decay = 0 } = this.#average ?? {};
    return {
      counter,
      scalars: (updates) => {
        const update = updates + place;
        const keep = update === 1 ? 0 : decay;
        return [...(scalars?.(update) ?? []), keep, 1 - keep];
      },
    };
  }

  /** Whether the average takes the weights after the first update as they are. */
  get #startsLate(): boolean {
    return this.#average?.start === "firstStep";
  }

  #updateGroup(
    model: AnyModel,
    optimizer: Optimizer,
    own: readonly SummedGradient[],
    shared: {
      readonly gradientScale: Value | null;
      readonly lane: Lane;
      readonly decayLane: Lane | undefined;
      readonly total: number;
      readonly tables: ReadonlyMap<SummedGradient, UpdateRows>;
    },
  ): readonly Value[] {
    const trace = currentTrace("minimize");
    const { kind } = optimizer;
    const { gradientScale, lane, decayLane, total, tables } = shared;
    for (const each of own) boundLookups(trace, each);
    if (isDefined(optimizer)) return this.#updateDefined(model, optimizer, own, shared);
    const { slots, average } = this.#stateOf(model);
    const list = own.flatMap((each) =>
      each.gradient instanceof RowGradient ? [] : [{ segment: segmentOf(each), gradient: each.gradient }],
    );
    const passes: readonly UpdateGradients[] = [
      ...(list.length === 0 ? [] : [{ kind: "dense", list } as const]),
      ...own.flatMap((each) => tables.get(each) ?? []),
    ];
    return passes.map((gradients) => {
      const penalty = new Value([], "f32", { kind: "input", name: `penalty of ${kind}` });
      const update = new Update({
        rule: nativeRule(optimizer),
        constants: optimizer.constants,
        scalars: lane.count - 1 - (this.#startsLate ? AVERAGE_SCALARS : 0),
        lane: lane.first,
        decayLane: decayLane?.first,
        parameters: model.slab,
        states: slots.slice(0, optimizer.states.length).map(({ slab }) => slab),
        average:
          average === null || this.#average === null
            ? null
            : { slab: average.slab, decay: this.#startsLate ? "lane" : this.#average.decay },
        gradients,
        total,
        clipValue: this.#clip?.value ?? Number.POSITIVE_INFINITY,
        gradientScale,
        penalty,
      });
      trace.add(update);
      return penalty;
    });
  }

  /** How native passes treat tables whose gradients are in rows, each in one of its own. */
  #tablesOf(list: readonly SummedGradient[]): ReadonlyMap<SummedGradient, UpdateRows> {
    return new Map(
      list.flatMap((each): [SummedGradient, UpdateRows][] => {
        const { gradient } = each;
        if (!(gradient instanceof RowGradient)) return [];
        const squares = new Value([], "f32", { kind: "input", name: "squares of touched rows" });
        const reach = reachOf(each, this.#average !== null);
        const { lookUp } = gradient;
        return [[each, { kind: "rows", segment: segmentOf(each), gradient, lookUp, reach, squares }]];
      }),
    );
  }

  #updateDefined(
    model: AnyModel,
    optimizer: DefinedOptimizer,
    own: readonly SummedGradient[],
    shared: { readonly gradientScale: Value | null; readonly lane: Lane; readonly decayLane: Lane | undefined },
  ): readonly Value[] {
    const { gradientScale, lane, decayLane } = shared;
    const { first, count } = lane;
    const { slots, average } = this.#stateOf(model);
    const values = Array.from({ length: count }, (_, index) => scheduleValue(first + index));
    const [rate = scheduleValue(first), ...rest] = values;
    const scalars = this.#startsLate ? rest.slice(0, -AVERAGE_SCALARS) : rest;
    const { decay = 0 } = this.#average ?? {};
    const [keep, take] = this.#startsLate ? rest.slice(-AVERAGE_SCALARS) : [decay, 1 - decay];
    return own.flatMap(({ segment, parameter, gradient, penalties, summed }) => {
      if (gradient instanceof RowGradient) return []; // see takesRows()
      return applyDefined(optimizer, {
        segment,
        parameter,
        gradient,
        gradientScale,
        clipValue: this.#clip?.value,
        penalties,
        summed,
        rate,
        decay: decayLane === undefined ? null : scheduleValue(decayLane.first),
        scalars,
        parameterSlab: model.slab,
        stateSlabs: slots.map(({ slab }) => slab),
        average: average === null ? null : { slab: average.slab, keep: keep ?? decay, take: take ?? 1 - decay },
      });
    });
  }
}
introduce(Minimizer.prototype, "a minimizer");

/**
 * Optimizers at work on one model or several, with their states. Every `minimize` in the body of a program is one step.
 * A model without weights yet is initialized with seed 0.
 *
 * @param optimizer One for all parameters, or a {@link partition}.
 */
export function minimizer(
  models: AnyModel | readonly AnyModel[],
  optimizer: Optimizer | Partition,
  options: MinimizerOptions = {},
): Minimizer {
  checkKeys("minimizer", options, ["regularizer", "biasRegularizer", "clip", "averageWeights"]);
  const list = Array.isArray(models) ? models : [models];
  for (const model of list) if (!(model instanceof Model)) fail("ERR_OPTION", "minimizer.models", "a model", model);
  for (const model of list) if (!model.initialized) model.initialize(0);
  const made = new Minimizer(list, checkOptimizers("minimizer.optimizer", optimizer), options);
  made.resetAverages();
  return made;
}
