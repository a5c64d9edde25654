// The epochs of a run as a checkpoint keeps them: a column of doubles for each figure.
import { Part } from "../../io/part.js";
import type { State } from "../../io/state.js";
import type { MetricValue } from "../../nn/metrics/metric.js";
import { isDoubles, isUint8Array } from "../../tensor/arrays.js";
import type { Figures } from "../callbacks/figure_ranges.js";
import { MOST_STEPS } from "./epochs.js";
import type { EpochEvent } from "./events.js";
import { KEPT, type Thinned } from "./thinned.js";

/** Figures of an epoch that stand in columns of their own. */
const FIGURES = ["epoch", "step", "loss", "dataLoss", "penalty"] as const;

/** Columns of metrics begin with one of these and end with the metric's name. */
const METRIC = "metrics.";
const VALIDATION = "validation.";
const VALIDATION_METRIC = `${VALIDATION}${METRIC}`;

/** The number in a row of a column; nothing is 0. */
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

/** `ERR_FILE` names what of a history up to `step` {@link packHistory} does not write. */
export function checkHistory(history: Part, step: number, figures: Figures): void {
  const count = history.at("count").count(0, MOST_STEPS);
  const every = powerOfTwo(history.at("every"));
  powerOfTwo(history.at("whole"));
  const indexes = history.at("indexes");
  const kept = indexes.doubles();
  indexes.expect(
    kept.length <= KEPT.items + 1 && (kept.length === 0) === (count === 0),
    "the places of the epochs that are kept",
  );
  for (const [row, index] of kept.entries()) {
    const isPlace = Number.isInteger(index) && index < count && (index % every === 0 || row === kept.length - 1);
    indexes.expect(isPlace && index > (kept[row - 1] ?? -1), `places that rise to ${count - 1}, multiples of ${every}`);
  }
  const columns = history.at("columns");
  if (kept.length > 0) checkFigures(columns, kept.length, step);
  const last = kept.length > 0 ? columns.at("epoch").at("values").doubles()[kept.length - 1] : 0;
  history.at("count").expect(count <= (last ?? 0), `at most ${last}, the last epoch`);
  for (const [name, column] of columns.members()) checkColumn(column, name.replace(METRIC, ""), kept.length, figures);
}

function powerOfTwo(part: Part): number {
  const value = part.count(1, MOST_STEPS);
  let power = 1;
  while (power < value) power *= 2;
  part.expect(power === value, "a power of two");
  return value;
}

/** Epochs and steps rise, and losses are the sums of their parts. */
function checkFigures(columns: Part, rows: number, step: number): void {
  const [epochs, steps, loss, dataLoss, penalty] = FIGURES.map((name) => columns.at(name).at("values").doubles(rows));
  const expectRising = (name: string, values: Float64Array | undefined, most: number): void => {
    for (const [row, value] of (values ?? []).entries()) {
      const isNext = Number.isInteger(value) && value > (values?.[row - 1] ?? 0) && value <= most;
      columns.at(name).expect(isNext, `integers that rise from 1 to at most ${most}`);
    }
  };
  expectRising("epoch", epochs, step);
  expectRising("step", steps, step);
  for (let row = 0; row < rows; row++) {
    const sum = (dataLoss?.[row] ?? 0) + (penalty?.[row] ?? 0);
    columns.at("loss").expect(Object.is(loss?.[row], sum), `dataLoss + penalty, ${sum} in row ${row}`);
  }
}

function checkColumn(column: Part, name: string, rows: number, figures: Figures): void {
  const values = column.at("values");
  const kinds = column.at("kinds");
  const cells = values.doubles(rows);
  const kindOf = (row: number): unknown => (kinds.value === undefined ? NUMBER : Reflect.get(Object(kinds.value), row));
  if (kinds.value !== undefined)
    kinds.expect(isUint8Array(kinds.value) && kinds.value.length === rows, `a Uint8Array of ${rows}`);
  let elements = 0;
  for (const [row, value] of cells.entries()) {
    const cell = new Part(values.file, `${values.path}[${row}]`, value);
    const kind = kindOf(row);
    kinds.expect(kind === NUMBER || kind === MATRIX || kind === 0, "0, 1 or 2 a row");
    if (kind === MATRIX) elements += cell.count() * cell.count();
    else if (kind === NUMBER) figures.checkElement(name, cell);
    else cell.equal(0);
  }
  if (kinds.value === undefined) return;
  const matrices = column.at("elements");
  for (const [at, value] of matrices.doubles(elements).entries()) {
    new Part(matrices.file, `${matrices.path}[${at}]`, value).number({ min: 0 });
  }
}

/** Gives a history what {@link packHistory} was given, of the clock NaN; nothing if that makes no sense. */
export function unpackHistory(state: unknown, history: Thinned<EpochEvent>): void {
  const { count, every, whole, indexes, columns }: Partial<Record<string, unknown>> = Object(state);
  const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
  if (!(isCount(count) && isCount(every) && isCount(whole) && isDoubles(indexes))) return;
  const read = Object.entries(Object(columns)).map(([name, value]) => [name, cellsOf(value, indexes.length)] as const);
  const events = Array.from(indexes, (_, row) => eventOf(read.map(([name, cells]) => [name, cells[row]] as const)));
  history.restore(events, { count, every: Math.max(1, every), whole: Math.max(1, whole), indexes: [...indexes] });
}

/** The rows of a column; `undefined` where there is nothing. */
function cellsOf(value: unknown, rows: number): readonly (MetricValue | undefined)[] {
  const { values, kinds, elements }: Partial<Record<string, unknown>> = Object(value);
  if (!isDoubles(values)) return [];
  let read = 0;
  return Array.from({ length: rows }, (_, row) => {
    const [kind, size = Number.NaN] = [isUint8Array(kinds) ? kinds[row] : NUMBER, values[row]];
    if (kind !== MATRIX) return kind === NUMBER ? size : undefined;
    const from = read;
    read += size * size;
    if (!isDoubles(elements)) return [];
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
