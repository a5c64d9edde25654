import { nativeInfo } from "../binding/native.js";
import { fail } from "../errors.js";
import { numberOf } from "../ops/native_table.js";
import { nativeRule } from "../optim/define_optimizer.js";
import type { Optimizer } from "../optim/optimizer.js";
import { checkBoolean, checkKeys, checkNumber, checkOneOf } from "../options.js";
import type { ProximalMetric } from "../regularizers/index.js";
import { isFloats } from "../tensor/arrays.js";
import { checkFloats, checkSize, checkThreads, lengthOf, type ThreadOptions } from "./arguments.js";
import { atFirstUse, Call } from "./call.js";

/** Options that every update takes besides those of its rule. Penalties are those of `l2()`, `l1()`, `weightDecay()`, `maxNorm()`. */
export interface StepOptions extends ThreadOptions {
  /** θ: [count], count ≥ 0; read and written. */
  readonly parameters: Float32Array;
  /** g = dℓ/dθ: [count]. */
  readonly gradients: Float32Array;
  /** t, an integer in [1, 2³²): what the bias corrections of a rule depend on. */
  readonly step: number;
  /** g is multiplied by this first, rounded to float32; 1 by default. Clipping by norm is min(1, c/‖g‖) here. */
  readonly gradientScale?: number | undefined;
  /** Then clamped to ±clipValue, > 0; not by default. */
  readonly clipValue?: number | undefined;
  /** Then λ·θ is added, ≥ 0; 0 by default. */
  readonly l2?: number | undefined;
  /** Then λ·sign(θ) is added, ≥ 0; 0 by default. With `proximal` the weights shrink by ηλ after the step instead. */
  readonly l1?: number | undefined;
  /** false by default. */
  readonly proximal?: boolean | undefined;
  /** Metric of the proximal step: that of the rule, `'adaptive'` by default, or `'euclidean'`. */
  readonly metric?: ProximalMetric | undefined;
  /** λ of decoupled decay, ≥ 0: θ ← θ − ηλ·θ before the step; 0 by default, 0.01 of `adamwStep`. */
  readonly weightDecay?: number | undefined;
  /** Rows of `columns` parameters whose norm exceeds `bound` are scaled to it after the step; not by default. */
  readonly maxNorm?: { readonly bound: number; readonly columns: number } | undefined;
  /** θ̄ ← decay·θ̄ + (1 − decay)·θ with the new θ; values: [count], read and written, decay in [0, 1). */
  readonly average?: { readonly values: Float32Array; readonly decay: number } | undefined;
  /** [1], written: (l2/2)·Σ θ² + l1·Σ |θ| of the θ before the step. */
  readonly penalty?: Float32Array | undefined;
}

const STEP_KEYS = [
  "parameters",
  "gradients",
  "states",
  "step",
  "lr",
  "gradientScale",
  "clipValue",
  "l2",
  "l1",
  "proximal",
  "metric",
  "weightDecay",
  "maxNorm",
  "average",
  "penalty",
  "threads",
] as const satisfies readonly (keyof StepOptions | "states" | "lr")[];

/** The options of any step, as the checks here read them. */
export interface AnyStep extends StepOptions {
  /** Its type promises a number; a schedule is refused. */
  readonly lr?: number | undefined;
  readonly states?: Readonly<Record<string, Float32Array | undefined>> | undefined;
}

/** An update rule by itself, besides its penalties. */
export interface Rule<O> {
  /** Options of the rule itself, without `lr`. */
  readonly keys: readonly (keyof O & string)[];
  /** The optimizer that has these options, as `fit` would take it. */
  readonly describe: (options: Readonly<Record<string, unknown>>) => Optimizer;
  /** `weightDecay` is an option of the optimizer too, which has a default for it. */
  readonly decays?: boolean | undefined;
}

const STEP = { min: 1, max: 4_294_967_295, integer: true } as const;
const FACTOR = { min: 0 } as const;
const POSITIVE = { above: 0 } as const;
const SHARE = { min: 0, below: 1 } as const;

/** Scalars of a rule at most. */
const MOST_SCALARS = 8;

const METRICS = ["adaptive", "euclidean"] as const;
const NONE = {};
const VIEWS = ["parameters", "gradients", "states", "average", "gradientScale", "penalty"] as const;
const FIRST_STATE = VIEWS.indexOf("states");
const STATES = Array.from({ length: nativeInfo.maxStates }, (_, place) => place);

type StepKey = (typeof STEP_KEYS)[number];

/** The description made last for a rule, and what it was made of: options rarely change from step to step. */
interface Described {
  readonly optimizer: Optimizer;
  /** Names of its states, in the order of the rule. */
  readonly names: readonly string[];
  /** Whether the rate was given: a description without one holds the default rate. */
  readonly rated: boolean;
  readonly values: readonly unknown[];
}

/** ε with its place may be an object that its owner changes. */
function kept(value: unknown): unknown {
  return typeof value === "object" && value !== null ? { ...value } : value;
}

function equal(a: unknown, b: unknown): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  const [left, right] = [new Map(Object.entries(a)), Object.entries(b)];
  return left.size === right.length && right.every(([key, value]) => left.get(key) === value);
}

/** One optimizer's update, which {@link stepKernel} makes a function of. */
class Update<O extends AnyStep> {
  readonly #where: string;
  readonly #rule: Rule<O>;
  readonly #known: readonly string[];
  /** Options that the description depends on. */
  readonly #own: readonly (keyof O & string)[];
  /** The names of the options in messages. */
  readonly #at: Readonly<Record<StepKey, string>>;
  readonly #call: Call<"update">;
  readonly #scale = new Float32Array(1);
  #last: Described | undefined;

  constructor(where: string, rule: Rule<O>) {
    this.#where = where;
    this.#rule = rule;
    this.#known = [...STEP_KEYS, ...rule.keys];
    this.#own = rule.decays === true ? [...rule.keys, "weightDecay"] : rule.keys;
    const names = STEP_KEYS.map((key): [StepKey, string] => [key, `${where}.${key}`]);
    this.#at = Object.fromEntries(names) as Record<StepKey, string>;
    this.#call = new Call(where, "update", VIEWS, {}, 1 + MOST_SCALARS);
  }

  run(options: O): void {
    const at = this.#at;
    checkKeys(this.#where, options, this.#known);
    const { parameters } = options;
    const count = lengthOf(at.parameters, parameters);
    const gradients = checkFloats(at.gradients, options.gradients, count);
    const { optimizer, names } = this.#describe(options, options.lr);
    const states = this.#states(options.states ?? NONE, names, count);
    this.#writeScalars(options, optimizer);
    this.#writePenalties(options, optimizer);
    this.#writeSegment(options.maxNorm, count);
    const average = this.#average(options.average, count);
    const scale = this.#gradientScale(options.gradientScale);
    const penalty = options.penalty === undefined ? null : checkFloats(at.penalty, options.penalty, 1);
    const threads = checkThreads(at.threads, options.threads);
    if (count === 0) penalty?.fill(0);
    else this.#call.run(threads, [parameters, gradients, ...states, average, scale, penalty]);
  }

  #describe(options: O, lr: number | undefined): Described {
    const rated = lr !== undefined;
    const last = this.#last;
    if (last !== undefined && (rated || !last.rated)) {
      if (this.#own.every((key, index) => equal(options[key], last.values[index]))) return last;
    }
    const values = this.#own.map((key) => kept(options[key]));
    const picked = Object.fromEntries(this.#own.map((key, index) => [key, values[index]]));
    const optimizer = this.#rule.describe({ ...picked, lr });
    const { constants } = optimizer;
    this.#call.set(this.#call.at.rule, numberOf("optimizers", nativeRule(optimizer)));
    this.#call.setAll(this.#call.at.constants, constants);
    const names = optimizer.states.map(({ name }) => name);
    for (const [index, name] of names.entries()) this.#call.name(FIRST_STATE + index, `states.${name}`);
    this.#last = { optimizer, names, rated, values };
    return this.#last;
  }

  /** The arrays in the order of the rule, `null` for what it does not have. */
  #states(
    given: Readonly<Record<string, Float32Array | undefined>>,
    names: readonly string[],
    count: number,
  ): readonly (Float32Array | null)[] {
    checkKeys(this.#at.states, given, names);
    return STATES.map((place) => {
      const name = names[place];
      if (name === undefined) return null;
      const state = given[name];
      // Names are put together only for the message.
      if (isFloats(state) && state.length === count) return state;
      const where = `${this.#at.states}.${name}`;
      return state === undefined ? fail("ERR_DTYPE", where, "a Float32Array", state) : checkFloats(where, state, count);
    });
  }

  #writeScalars(options: AnyStep, optimizer: Optimizer): void {
    const step = checkNumber(this.#at.step, options.step, STEP);
    this.#call.lane(0, checkNumber(this.#at.lr, options.lr ?? optimizer.lr, FACTOR));
    const scalars = optimizer.scalars?.(step) ?? [];
    this.#call.set(this.#call.at.scalars, scalars.length);
    for (let index = 0; index < scalars.length; index++) this.#call.lane(1 + index, scalars[index] ?? 0);
  }

  #writePenalties(options: AnyStep, optimizer: Optimizer): void {
    const at = this.#at;
    const { clipValue, penalty } = options;
    const l2 = checkNumber(at.l2, options.l2 ?? 0, FACTOR);
    const l1 = checkNumber(at.l1, options.l1 ?? 0, FACTOR);
    const proximal = checkBoolean(at.proximal, options.proximal ?? false);
    if (!proximal && options.metric !== undefined) {
      fail("ERR_OPTION", at.metric, "no metric without proximal: true,", options.metric);
    }
    const metric = checkOneOf(at.metric, options.metric ?? "adaptive", METRICS);
    const decay = this.#rule.decays === true ? (optimizer.decay?.lambda ?? 0) : (options.weightDecay ?? 0);
    if (optimizer.clipsSum && clipValue !== undefined && (l2 > 0 || (l1 > 0 && !proximal))) {
      const expected = "none beside l2 or l1, as Keras clips their sum with the gradient: clip that yourself,";
      fail("ERR_OPTION", at.clipValue, expected, clipValue);
    }
    const clip = clipValue === undefined ? Number.POSITIVE_INFINITY : checkNumber(at.clipValue, clipValue, POSITIVE);
    const call = this.#call;
    const { segments, clipValue: clipped } = call.at;
    call.set(clipped, clip);
    call.set(segments.l2, l2);
    call.set(segments.l1, proximal ? 0 : l1);
    call.set(segments.shrink, proximal ? l1 : 0);
    call.set(segments.metric, metric === "adaptive" ? 1 : 0);
    call.set(segments.decay, checkNumber(at.weightDecay, decay, FACTOR));
    call.set(segments.penaltySquares, penalty === undefined ? 0 : l2);
    call.set(segments.penaltyAbsolutes, penalty === undefined ? 0 : l1);
  }

  /** One segment: a row, or the rows whose norms are bounded. */
  #writeSegment(maxNorm: StepOptions["maxNorm"], count: number): void {
    let columns = count;
    let bound = 0;
    if (maxNorm !== undefined) {
      const where = this.#at.maxNorm;
      checkKeys(where, maxNorm, ["bound", "columns"]);
      bound = checkNumber(`${where}.bound`, maxNorm.bound, POSITIVE);
      columns = checkSize(`${where}.columns`, maxNorm.columns);
      if (count % columns !== 0) fail("ERR_SHAPE", `${where}.columns`, `a divisor of ${count} parameters`, columns);
    }
    const { segments } = this.#call.at;
    this.#call.set(segments.rows, columns === 0 ? 0 : count / columns);
    this.#call.set(segments.columns, columns);
    this.#call.set(segments.maxNorm, bound);
  }

  #average(average: StepOptions["average"], count: number): Float32Array | null {
    if (average === undefined) return null;
    const where = this.#at.average;
    checkKeys(where, average, ["values", "decay"]);
    this.#call.set(this.#call.at.averageDecay, checkNumber(`${where}.decay`, average.decay, SHARE));
    return checkFloats(`${where}.values`, average.values, count);
  }

  #gradientScale(gradientScale: number | undefined): Float32Array | null {
    if (gradientScale === undefined) return null;
    this.#scale[0] = checkNumber(this.#at.gradientScale, gradientScale, FACTOR);
    return this.#scale;
  }
}

/** The step of one optimizer: its constants and scalars from its description, one pass of the native `update`. */
export function stepKernel<O extends AnyStep>(where: string, rule: Rule<O>): (options: O) => void {
  const made = atFirstUse(() => new Update(where, rule));
  return (options) => made().run(options);
}
