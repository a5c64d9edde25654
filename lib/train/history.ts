// The epochs of a run as a checkpoint keeps them: a column of doubles for each figure.
import type { State } from "../io/state.js";
import type { MetricValue } from "../nn/metrics/metric.js";
import type { EpochEvent } from "./events.js";
import type { Thinned } from "./thinned.js";

/** Figures of an epoch that stand in columns of their own. */
const FIGURES = ["epoch", "step", "loss", "dataLoss", "penalty"] as const;

/** Columns of metrics begin with one of these and end with the metric's name. */
const METRIC = "metrics.";
const VALIDATION = "validation.";
const VALIDATION_METRIC = `${VALIDATION}${METRIC}`;

/** What stands in a row of a column; nothing is 0. */
const NUMBER = 1;
/** A confusion matrix of as many rows as the value says; 0 for one that is not kept. */
const MATRIX = 2;

/** Elements of confusion matrices that are kept, of the newest epochs: a megabyte. */
const MOST_ELEMENTS = 131_072;

interface Column {
  readonly values: Float64Array;
  readonly kinds: Uint8Array;
  /** Of the matrices, one after another. */
  readonly elements: number[];
}

/** Everything that an epoch has been measured by, with the name of its column. */
function figuresOf(event: EpochEvent): readonly (readonly [name: string, value: MetricValue])[] {
  const { metrics, validation } = event;
  const below = (prefix: string, of: EpochEvent["metrics"]): (readonly [string, MetricValue])[] =>
    Object.entries(of).map(([name, value]) => [prefix + name, value]);
  return [
    ...FIGURES.map((name): readonly [string, number] => [name, event[name]]),
    ...below(METRIC, metrics),
    ...(validation === undefined ? [] : [[`${VALIDATION}loss`, validation.loss] as const]),
    ...(validation === undefined ? [] : below(VALIDATION_METRIC, validation.metrics)),
  ];
}

function sizeOf(value: MetricValue): number {
  return typeof value === "number" ? 0 : value.length * value.length;
}

/** The first of the newest epochs whose matrices can be kept. */
function firstWhole(figures: readonly ReturnType<typeof figuresOf>[]): number {
  let left = MOST_ELEMENTS;
  let row = figures.length;
  for (; row > 0; row--) {
    left -= figures[row - 1]?.reduce((sum, [, value]) => sum + sizeOf(value), 0) ?? 0;
    if (left < 0) break;
  }
  return row;
}

/** The epochs without their clock, which no continuation shares. */
export function packHistory(history: Thinned<EpochEvent>): State {
  const { items, place } = history;
  const figures = items.map(figuresOf);
  const whole = firstWhole(figures);
  const columns = new Map<string, Column>();
  for (const [row, entries] of figures.entries()) {
    for (const [name, value] of entries) {
      const column = columns.get(name) ?? emptyColumn(items.length);
      columns.set(name, column);
      column.kinds[row] = typeof value === "number" ? NUMBER : MATRIX;
      column.values[row] = typeof value === "number" ? value : row < whole ? 0 : value.length;
      if (typeof value !== "number" && row >= whole) column.elements.push(...value.flat());
    }
  }
  const packed = [...columns].map(([name, { values, kinds, elements }]) => {
    if (kinds.every((kind) => kind === NUMBER)) return [name, { values }] as const;
    return [name, { values, kinds, elements: Float64Array.from(elements) }] as const;
  });
  return { ...place, indexes: Float64Array.from(place.indexes), columns: Object.fromEntries(packed) };
}

function emptyColumn(rows: number): Column {
  return { values: new Float64Array(rows), kinds: new Uint8Array(rows), elements: [] };
}

/** Gives a history what {@link packHistory} was given, of the clock NaN; nothing if that makes no sense. */
export function unpackHistory(state: unknown, history: Thinned<EpochEvent>): void {
  const { count, every, whole, indexes, columns }: Partial<Record<string, unknown>> = Object(state);
  const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
  if (!(isCount(count) && isCount(every) && isCount(whole) && indexes instanceof Float64Array)) return;
  const read = Object.entries(Object(columns)).map(([name, value]) => [name, cellsOf(value, indexes.length)] as const);
  const events = Array.from(indexes, (_, row) => eventOf(read.map(([name, cells]) => [name, cells[row]] as const)));
  history.restore(events, { count, every: Math.max(1, every), whole: Math.max(1, whole), indexes: [...indexes] });
}

/** The rows of a column; `undefined` where there is nothing. */
function cellsOf(value: unknown, rows: number): readonly (MetricValue | undefined)[] {
  const { values, kinds, elements }: Partial<Record<string, unknown>> = Object(value);
  if (!(values instanceof Float64Array)) return [];
  let read = 0;
  return Array.from({ length: rows }, (_, row) => {
    const [kind, size = Number.NaN] = [kinds instanceof Uint8Array ? kinds[row] : NUMBER, values[row]];
    if (kind !== MATRIX) return kind === NUMBER ? size : undefined;
    const from = read;
    read += size * size;
    if (!(elements instanceof Float64Array)) return [];
    return Array.from({ length: size }, (_line, line) => [
      ...elements.subarray(from + line * size, from + (line + 1) * size),
    ]);
  });
}

function eventOf(cells: readonly (readonly [name: string, value: MetricValue | undefined])[]): EpochEvent {
  const known = cells.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  const byName = new Map(known);
  const at = (name: string): number => Number(byName.get(name) ?? Number.NaN);
  const below = (prefix: string): Record<string, MetricValue> =>
    Object.fromEntries(
      known.flatMap(([name, value]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [])),
    );
  const validation = { loss: at(`${VALIDATION}loss`), metrics: below(VALIDATION_METRIC) };
  return {
    kind: "epoch",
    epoch: at("epoch"),
    step: at("step"),
    loss: at("loss"),
    dataLoss: at("dataLoss"),
    penalty: at("penalty"),
    metrics: below(METRIC),
    validation: byName.has(`${VALIDATION}loss`) ? validation : undefined,
    seconds: Number.NaN,
    examplesPerSecond: Number.NaN,
    secondsLeft: Number.NaN,
  };
}
