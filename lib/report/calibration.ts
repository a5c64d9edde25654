import { turn } from "../binding/clock.js";
import { fail } from "../errors.js";
import { checkKeys, checkNumber, checkOneOf } from "../options.js";
import { largestAt, lossOfChance } from "../tabular/measures.js";
import { exp, log } from "../tensor/exact.js";
import { type Chances, type ClassProbabilities, chancesOf, classesOf } from "./chances.js";

/** Rows between two turns of the event loop. */
const SLICE = 8192;

/** The least probability that a logarithm is taken of: 0 in float32 would be −∞, whatever the temperature. */
const LEAST = 1e-38;

/** β = 1/T lies in [e⁻¹⁰, e¹⁰], as scikit-learn looks for it. */
const FARTHEST = 10;

/** Halvings of that interval: its length becomes 20·2⁻⁵⁰. */
const HALVINGS = 50;

function logsOf({ data }: Chances): Float64Array {
  return data.map((chance) => log(Math.max(chance, LEAST)));
}

/** Softmax of β·logits of a row into `into`. */
function softmaxOf(logits: Float64Array, offset: number, beta: number, into: Float64Array): void {
  let most = Number.NEGATIVE_INFINITY;
  for (let at = 0; at < into.length; at++) most = Math.max(most, beta * (logits[offset + at] ?? 0));
  let sum = 0;
  for (let at = 0; at < into.length; at++) {
    into[at] = exp(beta * (logits[offset + at] ?? 0) - most);
    sum += into[at] ?? 0;
  }
  for (let at = 0; at < into.length; at++) into[at] = (into[at] ?? 0) / sum;
}

/** d/dβ of the log loss of softmax(β·z): the mean of Σ pₖ·zₖ − z of the class. It rises with β. */
async function slopeAt(logits: Float64Array, actual: Int32Array, classes: number, beta: number): Promise<number> {
  const chances = new Float64Array(classes);
  let sum = 0;
  for (let row = 0; row < actual.length; row++) {
    softmaxOf(logits, row * classes, beta, chances);
    for (let at = 0; at < classes; at++) sum += (chances[at] ?? 0) * (logits[row * classes + at] ?? 0);
    sum -= logits[row * classes + (actual[row] ?? 0)] ?? 0;
    if (row % SLICE === SLICE - 1) await turn();
  }
  return sum / actual.length;
}

/**
 * The temperature T at which softmax(ln p/T) has the least log loss: above 1 where probabilities are too sure of themselves, below 1
 * where they are too timid (Guo et al. 2017). The loss is convex in 1/T, whose place its slope tells by halving. Find it on validation rows, or out-of-fold predictions:
 * those of training are surer than they may be. `actual` are the classes of the rows, as integers. `ERR_DATA` names the row of what is none.
 *
 * @example
 * const temperature = await temperatureOf(validation.probabilities, validation.classes);
 * const calibrated = atTemperature(probabilities, temperature);
 */
export async function temperatureOf(probabilities: ClassProbabilities, actual: ArrayLike<number>): Promise<number> {
  const chances = chancesOf("temperatureOf.probabilities", probabilities);
  const labels = classesOf("temperatureOf.actual", actual, chances.rows, chances.classes);
  const logits = logsOf(chances);
  let [low, high] = [-FARTHEST, FARTHEST];
  for (let halving = 0; halving < HALVINGS; halving++) {
    const middle = (low + high) / 2;
    if ((await slopeAt(logits, labels, chances.classes, exp(middle))) > 0) high = middle;
    else low = middle;
  }
  return exp(-(low + high) / 2);
}

/**
 * Probabilities at a temperature: softmax(ln p/T) of each row, in the order of the rows; of class 1 alone where they were given so, else of
 * [rows, classes], row by row.
 */
export function atTemperature(probabilities: ClassProbabilities, temperature: number): Float64Array {
  const chances = chancesOf("atTemperature.probabilities", probabilities);
  checkNumber("atTemperature.temperature", temperature, { above: 0 });
  const logits = logsOf(chances);
  const all = new Float64Array(chances.data.length);
  for (let row = 0; row < chances.rows; row++) {
    const into = all.subarray(row * chances.classes, (row + 1) * chances.classes);
    softmaxOf(logits, row * chances.classes, 1 / temperature, into);
  }
  return chances.ofOne ? Float64Array.from({ length: chances.rows }, (_, row) => all[2 * row + 1] ?? 0) : all;
}

/** Options of {@link reliability}. */
export interface ReliabilityOptions {
  /** How many bins, 10 by default. */
  readonly bins?: number | undefined;
  /** Bins of equal `'width'` in [0, 1] (the default), or of equally many `'rows'`. */
  readonly by?: "width" | "rows" | undefined;
}

/** Rows whose probabilities are alike. */
export interface ReliabilityBin {
  /** Its probabilities lie in (from, to]; 0 belongs to the first bin. */
  readonly from: number;
  readonly to: number;
  readonly rows: number;
  /** Mean probability. */
  readonly predicted: number;
  /** How often it came. */
  readonly observed: number;
}

/** How far probabilities can be taken at their word. */
export interface Reliability {
  /** Bins that have rows, by rising probability. */
  readonly bins: readonly ReliabilityBin[];
  /** Expected calibration error: Σ (share of the rows)·|observed − predicted|. */
  readonly error: number;
}

/** Probability that is looked at in each row, and whether it came: of class 1 of two, else of the class that is predicted. */
function looked({ rows, classes, data }: Chances, actual: Int32Array): readonly [Float64Array, Uint8Array] {
  const chance = new Float64Array(rows);
  const came = new Uint8Array(rows);
  for (let row = 0; row < rows; row++) {
    const top = classes === 2 ? 1 : largestAt(data, row * classes, classes);
    chance[row] = data[row * classes + top] ?? 0;
    came[row] = actual[row] === top ? 1 : 0;
  }
  return [chance, came];
}

/** Upper edges of the bins. */
function edgesOf(chance: Float64Array, bins: number, by: "width" | "rows"): Float64Array {
  if (by === "width") return Float64Array.from({ length: bins }, (_, bin) => (bin + 1) / bins);
  const sorted = chance.slice().sort();
  const edges = Array.from({ length: bins }, (_, bin) => {
    const place = ((bin + 1) / bins) * (sorted.length - 1);
    const [below, above] = [sorted[Math.floor(place)] ?? 0, sorted[Math.ceil(place)] ?? 0];
    return below + (above - below) * (place - Math.floor(place));
  });
  return Float64Array.from(new Set(edges));
}

/**
 * Compares probabilities with how often they came, in bins: of class 1 where there are two classes, of the class that is predicted where there are more
 * (Guo et al. 2017). The points of scikit-learn's `calibration_curve`, and the figure of the metric `calibrationError`.
 *
 * @example
 * const { bins, error } = await reliability(probabilities, classes, { by: "rows" });
 */
export async function reliability(
  probabilities: ClassProbabilities,
  actual: ArrayLike<number>,
  options: ReliabilityOptions = {},
): Promise<Reliability> {
  checkKeys("reliability", options, ["bins", "by"]);
  const count = checkNumber("reliability.bins", options.bins ?? 10, { min: 1, max: 100_000, integer: true });
  const by = checkOneOf("reliability.by", options.by ?? "width", ["width", "rows"]);
  const chances = chancesOf("reliability.probabilities", probabilities);
  const [chance, came] = looked(chances, classesOf("reliability.actual", actual, chances.rows, chances.classes));
  const edges = edgesOf(chance, count, by);
  const sums = { rows: new Float64Array(count), chance: new Float64Array(count), came: new Float64Array(count) };
  for (let row = 0; row < chance.length; row++) {
    const own = chance[row] ?? 0;
    let [low, high] = [0, edges.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (own <= (edges[middle] ?? 1)) high = middle;
      else low = middle + 1;
    }
    sums.rows[low] = (sums.rows[low] ?? 0) + 1;
    sums.chance[low] = (sums.chance[low] ?? 0) + own;
    sums.came[low] = (sums.came[low] ?? 0) + (came[row] ?? 0);
    if (row % SLICE === SLICE - 1) await turn();
  }
  const bins = Array.from(edges, (to, bin): ReliabilityBin => {
    const rows = sums.rows[bin] ?? 0;
    const [predicted, observed] = [(sums.chance[bin] ?? 0) / rows, (sums.came[bin] ?? 0) / rows];
    return { from: bin === 0 ? 0 : (edges[bin - 1] ?? 0), to, rows, predicted, observed };
  }).filter(({ rows }) => rows > 0);
  const apart = bins.reduce((sum, { rows, predicted, observed }) => sum + rows * Math.abs(observed - predicted), 0);
  return { bins, error: apart / chance.length };
}

/** Log loss −ln p of the class of each row, as `tabular` has it. */
export function logLosses(chances: Chances, actual: Int32Array): Float64Array {
  if (chances.rows !== actual.length) fail("ERR_DATA", "logLosses", `${chances.rows} classes`, actual.length);
  return Float64Array.from(actual, (label, row) => lossOfChance(chances.data[row * chances.classes + label] ?? 0));
}
