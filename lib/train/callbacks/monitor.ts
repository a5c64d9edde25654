import { CarillonError, describe } from "../../errors.js";
import { isLowerBetter, metricNames } from "../../nn/metrics/metrics.js";
import { alternatives, checkNumber, checkOneOf, checkString } from "../../options.js";
import { meantBy } from "../../words.js";
import type { Decision, Every } from "./callback.js";
import { isOfValidation, VALIDATION } from "./figure_ranges.js";

/** Which way a figure is better. */
export type MonitorMode = "min" | "max";

/** Options of callbacks that watch a figure. */
export interface MonitorOptions {
  /**
   * The figure: `loss`, `dataLoss`, `penalty` or a metric's name, of the training examples; `validation.loss` or
   * `validation.` and a metric's name, of the validation set.
   */
  readonly monitor: string;
  /** How much better a value must be than the best one, to count; ≥ 0, 0 by default. */
  readonly minDelta?: number | undefined;
  /** Where the figure is better: `'min'` by default for losses, `mae` and `rmse`, `'max'` for everything else. */
  readonly mode?: MonitorMode | undefined;
  /**
   * When to look: at every validation, by default, for one of its figures, otherwise at the end of every epoch. With `every`, a
   * figure of validation is looked at in the first validation at or behind each of these steps.
   */
  readonly every?: Every | undefined;
  /** Tells it from another of its kind in the same run. */
  readonly name?: string | undefined;
}

/** Keys of {@link MonitorOptions}. */
export const MONITOR_KEYS = ["monitor", "minDelta", "mode", "every", "name"] as const;

/** How Keras, Lightning and others call a figure: of which set, and the rest. */
const PREFIXED = /^(validation|valid|val|eval|test|training|train)[_./ ]?(.+)$/i;

/** `figure` under the name that it has here, if it is one of another library. */
function ownName(figure: string, figures: readonly string[]): string | undefined {
  if (figures.includes(figure)) return figure;
  const [, set = "", rest = ""] = PREFIXED.exec(figure) ?? [];
  const training = figures.filter((name) => !isOfValidation(name));
  const ofOutput = (name: string): string | undefined =>
    training.find((one) => name !== "" && one.endsWith(`.${name}`));
  const plain = meantBy(rest, training) ?? ofOutput(rest);
  if (plain === undefined) return meantBy(figure, figures) ?? ofOutput(figure);
  return /^train/i.test(set) ? plain : `${VALIDATION}${plain}`;
}

/**
 * Checks the name of a figure of a run with these metrics and, maybe, a validation set. `ERR_OPTION` tells which one was probably
 * meant, and what it needs.
 */
export function checkMonitor(where: string, figure: unknown, metrics: readonly string[], validation: boolean): void {
  const figures = monitored(metrics, validation);
  if (figures.some((one) => one === figure)) return;
  const areNamed = metrics.some((name) => name.includes(".")); // by outputs
  const all = monitored(areNamed ? metrics : [...metrics, ...metricNames], true);
  const meant = typeof figure === "string" ? ownName(figure, all) : undefined;
  const parts = [`expected ${alternatives(figures)} for '${where}' but received ${describe(figure)}`];
  if (meant !== undefined && meant !== figure) parts.push(`Did you mean '${meant}'?`);
  if (meant !== undefined && !figures.includes(meant)) {
    const isWithout = isOfValidation(meant) && !validation;
    const missing = isWithout ? "a set as 'fit.validation', which it is measured on" : "its metric in 'fit.metrics'";
    parts.push(`'${meant}' needs ${missing}`);
  }
  throw new CarillonError("ERR_OPTION", where, parts.join(". ").replace("?. ", "? "));
}

/** A figure and when it is better than another. */
export class Monitor {
  readonly name: string;
  readonly minDelta: number;
  readonly mode: MonitorMode;
  readonly #sign: number;

  constructor(where: string, { monitor, minDelta, mode }: MonitorOptions) {
    this.name = checkString(`${where}.monitor`, monitor);
    this.minDelta = checkNumber(`${where}.minDelta`, minDelta ?? 0, { min: 0 });
    const plain = isOfValidation(monitor) ? monitor.slice(VALIDATION.length) : monitor;
    const usual = isLowerBetter(plain) ? "min" : "max";
    this.mode = checkOneOf(`${where}.mode`, mode ?? usual, ["min", "max"]);
    this.#sign = this.mode === "min" ? -1 : 1;
  }

  /** Figure and direction that it looks for, such as `min validation.loss`: a best value means nothing to a monitor of something else. */
  get aim(): string {
    return `${this.mode} ${this.name}`;
  }

  /** Whether `value` is better than `best` by more than `minDelta`, or as much where `ties` are better too. NaN never is. */
  isBetter(value: number, best: number | undefined, ties = false): boolean {
    if (best === undefined) return !Number.isNaN(value);
    const [one, other] = [this.#sign * value, this.#sign * best + this.minDelta];
    return one > other || (ties && one === other);
  }

  /** Whether the figure is new at this step: one of validation is only where the set was measured. */
  isFresh({ step, validationStep }: Decision): boolean {
    return !isOfValidation(this.name) || step === validationStep;
  }

  valueOf(at: Decision): number {
    const value = figureOf(this.name, at);
    if (value !== undefined) return value;
    throw new CarillonError("ERR_OPTION", this.name, `expected a number as '${this.name}'`);
  }
}

/** Loss and metrics that figures are taken from. */
export type Watched = Pick<Decision, "loss" | "dataLoss" | "penalty" | "metrics" | "validation">;

/** The figure of that name; `undefined` as long as there is none. */
export function figureOf(name: string, at: Watched): number | undefined {
  if (name === "loss" || name === "dataLoss" || name === "penalty") return at[name];
  if (!isOfValidation(name)) return at.metrics[name];
  const key = name.slice(VALIDATION.length);
  return key === "loss" ? at.validation?.loss : at.validation?.metrics[key];
}

/** Names that can be monitored, with these metrics and, maybe, a validation set. */
function monitored(metrics: readonly string[], validation: boolean): readonly string[] {
  const numbers = metrics.filter((name) => !/(^|\.)confusionMatrix$/.test(name));
  const training = ["loss", "dataLoss", "penalty", ...numbers];
  return validation ? [...training, ...["loss", ...numbers].map((name) => `${VALIDATION}${name}`)] : training;
}
