// The highest temperature of the next seven days in Seattle, with an interval for each: quantiles by a GRU, beside who says that it will be as a year ago.
import {
  adamw,
  cosineDecay,
  coverage,
  dropout,
  fit,
  gru,
  linear,
  monotoneQuantiles,
  network,
  ops,
  pinball,
  relu,
  spec,
  standardize,
} from "carillon";
import { FIRST, TEMPERATURES } from "./seattle.js";

/** A day of the series. */
export interface Day {
  readonly date: string;
  readonly high: number;
  readonly low: number;
}

const QUANTILES = [0.1, 0.5, 0.9];
const HORIZON = 7;
const PAST = 28;
const YEAR = 365;

/** What is looked at for one forecast, made at the end of a day. */
interface Window {
  /** Place of the first day that is told. */
  readonly first: number;
  /** Of each of the days before: highest and lowest temperature. */
  readonly past: readonly (readonly number[])[];
  /** Where in the year the first day stands, as a place on a circle. */
  readonly season: readonly number[];
  /** Highest temperatures of the days that are told. */
  readonly next: readonly number[];
}

/** What came of it. */
export interface Forecast {
  /** Mean error of a day in °C: of the middle quantile, of the same day a year before, and of the last day that is known. */
  readonly network: number;
  readonly lastYear: number;
  readonly lastDay: number;
  /** The share of the days that lie in their interval of 80%. */
  readonly covered: number;
  /** Mean width of that interval in °C, of the next day and of the last of the seven. */
  readonly widths: readonly [next: number, last: number];
  /** The days of the last year as they were, and what was told of them the day before. */
  readonly days: readonly (Day & { readonly quantiles: readonly number[]; readonly lastYear: number })[];
}

const MILLISECONDS = 86_400_000;

/** The days of the series. */
const DAYS: readonly Day[] = TEMPERATURES.trim()
  .split(/\s+/)
  .map((pair, place) => {
    const [high = Number.NaN, low = Number.NaN] = pair.split("/").map(Number);
    return { date: new Date(Date.parse(FIRST) + place * MILLISECONDS).toISOString().slice(0, 10), high, low };
  });

function windowsOf(days: readonly Day[], from: number, to: number): Window[] {
  return Array.from({ length: to - from }, (_, place) => {
    const first = from + place;
    const turn = (2 * Math.PI * first) / 365.25;
    return {
      first,
      past: days.slice(first - PAST, first).map(({ high, low }) => [high, low]),
      season: [Math.sin(turn), Math.cos(turn)],
      next: days.slice(first, first + HORIZON).map(({ high }) => high),
    };
  });
}

const dataOf = (windows: readonly Window[]) => ({
  x: { past: windows.map(({ past }) => past), season: windows.map(({ season }) => season) },
  y: windows.map(({ next }) => next),
});

/** Trains on three years and tells the fourth, window by window; none of training reaches into it. */
export async function forecast({
  epochs,
  seed,
}: {
  readonly epochs: number;
  readonly seed: number;
}): Promise<Forecast> {
  const days = DAYS;
  const begin = days.length - YEAR;
  const train = windowsOf(days, PAST, begin - HORIZON + 1);
  const last = windowsOf(days, begin, days.length - HORIZON + 1);

  const model = network({
    inputs: { past: spec(["batch", PAST, 2]), season: spec(["batch", 2]) },
    layers: {
      cell: gru(2, 24, { recurrentDropout: 0.2 }),
      hidden: linear(26, 32),
      active: relu(),
      drop: dropout(0.2),
      head: linear(32, HORIZON * QUANTILES.length),
      rising: monotoneQuantiles(QUANTILES.length),
    },
    forward: ({ past, season }, { cell, hidden, active, drop, head, rising }) =>
      rising(head(drop(active(hidden(ops.concat([cell(past), season])))))),
  });
  const { history } = await fit(model, {
    data: dataOf(train),
    validation: dataOf(last),
    inputs: { past: standardize() },
    targets: standardize(),
    loss: pinball({ quantiles: QUANTILES }),
    metrics: ["pinball", coverage(80)],
    optimizer: adamw({ lr: cosineDecay({ lr: 0.004 }), weightDecay: 0.01 }),
    ...{ epochs, batchSize: 32, seed, validate: { every: { epochs } } },
  });

  const told = await model.predict(dataOf(last).x);
  const columns = HORIZON * QUANTILES.length;
  const quantile = (window: number, day: number, which: number): number =>
    told.data[window * columns + day * QUANTILES.length + which] ?? Number.NaN;
  const meanOver = (of: (window: Window, at: number, day: number) => number): number => {
    let sum = 0;
    for (const [at, window] of last.entries()) for (let day = 0; day < HORIZON; day++) sum += of(window, at, day);
    return sum / (last.length * HORIZON);
  };
  const error = (guess: (window: Window, at: number, day: number) => number): number =>
    meanOver((window, at, day) => Math.abs(guess(window, at, day) - (window.next[day] ?? 0)));
  const high = (place: number): number => days[place]?.high ?? Number.NaN;
  const width = (day: number): number =>
    last.reduce((sum, _, at) => sum + quantile(at, day, 2) - quantile(at, day, 0), 0) / last.length;
  return {
    network: error((_, at, day) => quantile(at, day, 1)),
    lastYear: error(({ first }, _, day) => high(first + day - YEAR)),
    lastDay: error(({ first }) => high(first - 1)),
    covered: history.at(-1)?.validation?.metrics.coverage80 ?? Number.NaN,
    widths: [width(0), width(HORIZON - 1)],
    days: last.flatMap(({ first }, at) => {
      const day = days[first];
      const quantiles = QUANTILES.map((_, which) => quantile(at, 0, which));
      return day === undefined ? [] : [{ ...day, quantiles, lastYear: high(first - YEAR) }];
    }),
  };
}
