import { madeBy } from "../../described.js";
import { fail } from "../../errors.js";
import { checkKeys, checkNumber, noteMakers } from "../../options.js";
import { cos, log, power } from "../../tensor/exact.js";
import type { Schedule } from "../schedule.js";
import { checkSteps } from "./period.js";

/** From `from` (at 0) to `to` (at 1) along half a cosine: `to + (from − to)·(1 + cos(π·fraction))/2`. */
function halfCosine(from: number, to: number, fraction: number): number {
  return to + (from - to) * (0.5 * (1 + cos(Math.PI * fraction)));
}

/** Warm restarts: the rate returns to its start after each period. */
export interface Restarts {
  /** Steps of the first period. */
  readonly period: number;
  /** How much longer each period is than the one before, ≥ 1; 1 by default. */
  readonly factor?: number | undefined;
}

/** Options of {@link cosineDecay}: `steps` or `restarts`. */
export type CosineDecayOptions = {
  /** Rate of the first step, ≥ 0. */
  readonly lr: number;
  /** Rate in the end, ≥ 0; 0 by default. */
  readonly end?: number | undefined;
} & (
  | {
      /** Steps T until the end; those of the whole run by default. */
      readonly steps?: number | undefined;
      readonly restarts?: never;
    }
  | { readonly restarts: Restarts; readonly steps?: never }
);

/** Steps since the last restart, and the steps of the period under way. */
function within(done: number, first: number, factor: number): { readonly done: number; readonly period: number } {
  if (factor === 1) return { done: done % first, period: first };
  let rest = done;
  let period = first;
  while (rest >= period) {
    rest -= period;
    period *= factor;
  }
  return { done: rest, period };
}

/**
 * Cosine: `η = end + (lr − end)·(1 + cos(π·min(t − 1, T)/T))/2`, t the step from 1. The end itself is reached after T
 * steps, at step T + 1, and kept. With `restarts` t counts from the last restart and T is the period under way, which
 * grows by `factor`. Loshchilov, Hutter 2017 (SGDR); PyTorch's CosineAnnealingLR and CosineAnnealingWarmRestarts.
 */
export function cosineDecay(options: CosineDecayOptions): Schedule {
  checkKeys("cosineDecay", options, ["lr", "end", "steps", "restarts"]);
  const lr = checkNumber("cosineDecay.lr", options.lr, { min: 0 });
  const end = checkNumber("cosineDecay.end", options.end ?? 0, { min: 0 });
  const own = checkSteps("cosineDecay.steps", options.steps);
  if (options.restarts === undefined) {
    return madeBy("cosineDecay", { lr, end, steps: own }, (at) => {
      const total = own ?? at.steps;
      return halfCosine(lr, end, Math.min(at.step - 1, total) / total);
    });
  }
  if (own !== undefined) fail("ERR_OPTION", "cosineDecay.steps", "no steps, as restarts has a period,", own);
  checkKeys("cosineDecay.restarts", options.restarts, ["period", "factor"]);
  const first = checkNumber("cosineDecay.restarts.period", options.restarts.period, { min: 1, integer: true });
  const factor = checkNumber("cosineDecay.restarts.factor", options.restarts.factor ?? 1, { min: 1 });
  return madeBy("cosineDecay", { lr, end, restarts: { period: first, factor } }, ({ step }) => {
    const { done, period } = within(step - 1, first, factor);
    return halfCosine(lr, end, done / period);
  });
}

/** Options of {@link oneCycle}. */
export interface OneCycleOptions {
  /** Largest rate, ≥ 0. */
  readonly max: number;
  /** Steps T of the cycle; those of the whole run by default. */
  readonly steps?: number | undefined;
  /** Share of the steps in which the rate rises, [0, 1]; 0.3 by default. */
  readonly warmup?: number | undefined;
  /** The first rate is max divided by this, ≥ 1; 25 by default. */
  readonly startDivisor?: number | undefined;
  /** The last rate is the first one divided by this, ≥ 1; 10,000 by default. */
  readonly endDivisor?: number | undefined;
}

const DEFAULT_WARMUP = 0.3;
const DEFAULT_START_DIVISOR = 25;
const DEFAULT_END_DIVISOR = 10_000;

/**
 * One cycle: along half a cosine from `start = max/startDivisor` up to `max`, then along another down to
 * `start/endDivisor`. With t the step from 1, T steps and the peak after `p = warmup·T − 1` of them:
 * `(t − 1)/p` of the way up where t − 1 ≤ p, else `(t − 1 − p)/(T − 1 − p)` of the way down; the end is kept.
 * Where p < 0 the peak lies before the first step, which is on the way down already (a run of one step has the end's rate);
 * where p = 0 the first step is the peak.
 *
 * Smith 2018 (whose lines are straight); the arithmetic of PyTorch's OneCycleLR with cosines, `three_phase=False` and
 * `cycle_momentum=False` (where p = 0 that divides 0 by 0).
 */
export function oneCycle(options: OneCycleOptions): Schedule {
  checkKeys("oneCycle", options, ["max", "steps", "warmup", "startDivisor", "endDivisor"]);
  const max = checkNumber("oneCycle.max", options.max, { min: 0 });
  const own = checkSteps("oneCycle.steps", options.steps);
  const warmup = checkNumber("oneCycle.warmup", options.warmup ?? DEFAULT_WARMUP, { min: 0, max: 1 });
  const startDivisor = checkNumber("oneCycle.startDivisor", options.startDivisor ?? DEFAULT_START_DIVISOR, { min: 1 });
  const endDivisor = checkNumber("oneCycle.endDivisor", options.endDivisor ?? DEFAULT_END_DIVISOR, { min: 1 });
  const start = max / startDivisor;
  const end = start / endDivisor;
  return madeBy("oneCycle", { max, steps: own, warmup, startDivisor, endDivisor }, (at) => {
    const last = (own ?? at.steps) - 1;
    const peak = warmup * (last + 1) - 1;
    const done = Math.min(at.step - 1, last);
    if (done < peak) return halfCosine(start, max, done / peak);
    return done > peak ? halfCosine(max, end, (done - peak) / (last - peak)) : max;
  });
}

/** Options of {@link flatCosine}. */
export interface FlatCosineOptions {
  /** Value until the decay begins, ≥ 0: a rate, a share of units to drop, a factor of decay. */
  readonly value: number;
  /** Share of the steps before it begins, [0, 1); ½ by default. */
  readonly flat?: number | undefined;
  /** Value in the end, ≥ 0; 0 by default. */
  readonly end?: number | undefined;
  /** Steps T until the end; those of the whole run by default. */
  readonly steps?: number | undefined;
}

const DEFAULT_FLAT = 0.5;

/**
 * Flat, then half a cosine: with u = min(t − 1, T)/T, t the step from 1, `value` where u ≤ flat, else
 * `end + (value − end)·(1 + cos(π·(u − flat)/(1 − flat)))/2`. The end is reached after T steps and kept.
 *
 * For rates, and for what a schedule lets fade out: dropout and decay of RealMLP (Holzmüller, Grinsztajn, Steinwart 2024;
 * `flat_cos` of pytabkit).
 */
export function flatCosine(options: FlatCosineOptions): Schedule {
  checkKeys("flatCosine", options, ["value", "flat", "end", "steps"]);
  const value = checkNumber("flatCosine.value", options.value, { min: 0 });
  const flat = checkNumber("flatCosine.flat", options.flat ?? DEFAULT_FLAT, { min: 0, below: 1 });
  const end = checkNumber("flatCosine.end", options.end ?? 0, { min: 0 });
  const own = checkSteps("flatCosine.steps", options.steps);
  return madeBy("flatCosine", { value, flat, end, steps: own }, (at) => {
    const total = own ?? at.steps;
    const share = Math.min(at.step - 1, total) / total;
    return share <= flat ? value : halfCosine(value, end, (share - flat) / (1 - flat));
  });
}

/** Options of {@link logCosine}. */
export interface LogCosineOptions {
  /** Rate at the peaks, ≥ 0. */
  readonly lr: number;
  /** Cycles n, each twice as long as the one before; 4 by default. */
  readonly cycles?: number | undefined;
  /** Steps T of all cycles; those of the whole run by default. */
  readonly steps?: number | undefined;
}

const DEFAULT_CYCLES = 4;
const MOST_CYCLES = 30;

/**
 * Cosine cycles over the logarithm of time: `η = lr·(½ − ½·cos(2π·log₂(1 + (2ⁿ − 1)·u)))` with u = min(t − 1, T)/T, t the step
 * from 1. The rate is 0 at the first step and where each cycle ends, after T·(2ⁱ − 1)/(2ⁿ − 1) steps, and lr once in each: for n = 4 at u =
 * 1/15, 3/15 and 7/15 it is 0.
 *
 * Holzmüller, Grinsztajn, Steinwart 2024; `coslog4` of pytabkit.
 */
export function logCosine(options: LogCosineOptions): Schedule {
  checkKeys("logCosine", options, ["lr", "cycles", "steps"]);
  const lr = checkNumber("logCosine.lr", options.lr, { min: 0 });
  const cycles = checkNumber("logCosine.cycles", options.cycles ?? DEFAULT_CYCLES, {
    min: 1,
    max: MOST_CYCLES,
    integer: true,
  });
  const own = checkSteps("logCosine.steps", options.steps);
  const last = power(2, cycles) - 1;
  return madeBy("logCosine", { lr, cycles, steps: own }, (at) => {
    const total = own ?? at.steps;
    const place = log(1 + (last * Math.min(at.step - 1, total)) / total) / Math.LN2;
    return Math.max(0, lr * (0.5 - 0.5 * cos(2 * Math.PI * place)));
  });
}

noteMakers(cosineDecay, oneCycle, flatCosine, logCosine);
