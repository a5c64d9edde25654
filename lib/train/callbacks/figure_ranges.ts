import type { Part } from "../../io/part.js";
import type { InWords } from "../../nn/meaning/meaning_words.js";
import type { Metric } from "../../nn/metrics/metric.js";
import type { NumberRange } from "../../options.js";

/** Losses that are at least this. Cross-entropies are sums of float32 that may come out below 0 by rounding. */
const LEAST: Readonly<Record<string, number>> = {
  mse: 0,
  mae: 0,
  huber: 0,
  hinge: 0,
  crossEntropy: -1e-5,
  binaryCrossEntropy: -1e-5,
  focal: -1e-5,
  binaryFocal: -1e-5,
  inBatchSoftmax: -1e-5,
  sampledSoftmax: -1e-5,
  pinball: 0,
  bpr: 0,
  triplet: 0,
  contrastive: 0,
};

/** Figures that are no metrics. */
const LOSSES: readonly string[] = ["loss", "dataLoss", "penalty"];

/** First part of the name of a figure of the validation set. */
export const VALIDATION = "validation.";
const AIM = /^(?:min|max) (?=.)/;

/** Whether a figure of that name is one of the validation set. */
export function isOfValidation(name: string): boolean {
  return name.startsWith(VALIDATION);
}

/** The figure and direction that are looked for, such as `min validation.loss`; else `ERR_FILE`. */
export function aimOf(aim: Part): string {
  const sought = aim.text();
  aim.expect(AIM.test(sought), "min or max and the name of a figure");
  return sought;
}

/** Ranges of the figures of a run, by the names under which they are watched, such as `validation.accuracy`. */
export class Figures {
  readonly #metrics: ReadonlyMap<string, Metric>;
  readonly #loss: NumberRange;

  /** @param loss The kind of the run's loss; of several there is no range. */
  constructor(metrics: readonly Metric[], loss: InWords<string>) {
    this.#metrics = new Map(metrics.map((metric) => [metric.name, metric]));
    this.#loss = typeof loss === "string" && Object.hasOwn(LEAST, loss) ? { min: LEAST[loss] } : {};
  }

  #rangeOf(figure: string): NumberRange {
    if (figure === "loss" || figure === "dataLoss") return this.#loss;
    return figure === "penalty" ? { min: 0 } : (this.#metrics.get(figure)?.range ?? {});
  }

  /** `ERR_FILE` unless a part may be the figure of this name; of a metric that the run does not have, whatever metrics give. */
  check(name: string, part: Part): void {
    const figure = isOfValidation(name) ? name.slice(VALIDATION.length) : name;
    const range = this.#rangeOf(figure);
    const metric = this.#metrics.get(figure);
    const isUnknown = metric === undefined && !LOSSES.includes(figure);
    if (metric?.isMatrix === true || (isUnknown && typeof part.value === "object")) checkMatrix(part);
    else part.figure(range);
  }

  /** The same of one of these figures, as a number: an element of a matrix. */
  checkElement(name: string, part: Part): void {
    part.figure(this.#rangeOf(isOfValidation(name) ? name.slice(VALIDATION.length) : name));
  }

  /** A best value, and what was looked for, such as `min validation.loss`. */
  checkBest(aim: Part, value: Part): void {
    const sought = aimOf(aim);
    value.expect(!Number.isNaN(value.value), "a number");
    this.checkElement(sought.replace(AIM, ""), value);
  }
}

/** Square, of weights of examples; or none of it is kept. */
function checkMatrix(matrix: Part): void {
  const rows = matrix.list();
  for (const row of rows) for (const element of row.list(rows.length)) element.number({ min: 0 });
}
