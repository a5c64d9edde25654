import { madeBy } from "../../described.js";
import { checkBoolean, checkKeys, checkNumber, noteMakers } from "../../options.js";
import { power } from "../../tensor/exact.js";
import type { Schedule } from "../schedule.js";
import { checkPeriod, checkSteps, type Period, periodsDone } from "./period.js";

/** Options of {@link stepDecay}. */
export interface StepDecayOptions {
  /** Rate of the first period, ≥ 0. */
  readonly lr: number;
  /** Steps of a period, or `{ epochs }`. */
  readonly every: Period;
  /** Factor of the rate after each period, > 0; 0.1 by default. */
  readonly factor?: number | undefined;
}

const DEFAULT_FACTOR = 0.1;

/**
 * Steps down: `η = lr·factor^⌊(t − 1)/every⌋`, t the step (or the epoch) from 1. PyTorch's StepLR.
 */
export function stepDecay(options: StepDecayOptions): Schedule {
  checkKeys("stepDecay", options, ["lr", "every", "factor"]);
  const lr = checkNumber("stepDecay.lr", options.lr, { min: 0 });
  const every = checkPeriod("stepDecay.every", options.every);
  const factor = checkNumber("stepDecay.factor", options.factor ?? DEFAULT_FACTOR, { above: 0 });
  return madeBy("stepDecay", { lr, every, factor }, (at) => lr * power(factor, Math.floor(periodsDone(every, at))));
}

/** Options of {@link exponentialDecay}. */
export interface ExponentialDecayOptions {
  /** Rate of the first step, ≥ 0. */
  readonly lr: number;
  /** Factor of the rate over a period, > 0. */
  readonly rate: number;
  /** Steps of a period, or `{ epochs }`; 1 step by default. */
  readonly every?: Period | undefined;
  /** Only at the end of each period, as {@link stepDecay}; false by default. */
  readonly staircase?: boolean | undefined;
}

/**
 * Exponential: `η = lr·rate^((t − 1)/every)`, t the step (or the epoch) from 1; with `staircase` the exponent is rounded
 * down. PyTorch's ExponentialLR is `every: 1` or `{ epochs: 1 }`; Keras' ExponentialDecay counts steps from 0 as here.
 */
export function exponentialDecay(options: ExponentialDecayOptions): Schedule {
  checkKeys("exponentialDecay", options, ["lr", "rate", "every", "staircase"]);
  const lr = checkNumber("exponentialDecay.lr", options.lr, { min: 0 });
  const rate = checkNumber("exponentialDecay.rate", options.rate, { above: 0 });
  const every = checkPeriod("exponentialDecay.every", options.every ?? 1);
  const staircase = checkBoolean("exponentialDecay.staircase", options.staircase ?? false);
  return madeBy("exponentialDecay", { lr, rate, every, staircase }, (at) => {
    const periods = periodsDone(every, at);
    return lr * power(rate, staircase ? Math.floor(periods) : periods);
  });
}

/** Options of {@link polynomialDecay}. */
export interface PolynomialDecayOptions {
  /** Rate of the first step, ≥ 0. */
  readonly lr: number;
  /** Rate in the end, ≥ 0; 0 by default. */
  readonly end?: number | undefined;
  /** Steps T until the end; those of the whole run by default. */
  readonly steps?: number | undefined;
  /** Exponent p > 0; 1, a straight line, by default. */
  readonly power?: number | undefined;
}

/**
 * Polynomial: `η = end + (lr − end)·(1 − min(t − 1, T)/T)^power`, t the step from 1. The end itself is reached after T
 * steps, at step T + 1. PyTorch's PolynomialLR (whose end is 0), Keras' PolynomialDecay.
 */
export function polynomialDecay(options: PolynomialDecayOptions): Schedule {
  checkKeys("polynomialDecay", options, ["lr", "end", "steps", "power"]);
  const lr = checkNumber("polynomialDecay.lr", options.lr, { min: 0 });
  const end = checkNumber("polynomialDecay.end", options.end ?? 0, { min: 0 });
  const own = checkSteps("polynomialDecay.steps", options.steps);
  const exponent = checkNumber("polynomialDecay.power", options.power ?? 1, { above: 0 });
  return madeBy("polynomialDecay", { lr, end, steps: own, power: exponent }, (at) => {
    const total = own ?? at.steps;
    return end + (lr - end) * power(1 - Math.min(at.step - 1, total) / total, exponent);
  });
}

noteMakers(stepDecay, exponentialDecay, polynomialDecay);
