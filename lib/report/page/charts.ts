// Charts as SVG, drawn here: they need no script, take the colours of the page, and are read out by what stands beside them.
import type { Histogram, Points } from "../facts.js";
import { shortNumber } from "../slices.js";

/** Size of a chart, in units of its own: about pixels where it stands in a column of the page. */
const WIDTH = 360;
const HEIGHT = 230;
const LEFT = 48;
const RIGHT = 20;
const TOP = 12;
const BOTTOM = 40;

/** Text within HTML and attributes. */
export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** What an axis spans. */
interface Axis {
  readonly label: string;
  readonly low: number;
  readonly high: number;
  /** In the place of numbers: names at 0, 1, …. */
  readonly names?: readonly string[] | undefined;
  readonly shown?: ((value: number) => string) | undefined;
}

/** Something that is drawn into the frame of a chart, with functions that place x and y. */
type Mark = (x: (value: number) => number, y: (value: number) => number) => string;

const px = (value: number): string => String(Math.round(value * 10) / 10);

/** Round numbers within a span, about `count`. */
export function ticksOf(low: number, high: number, count: number): readonly number[] {
  const [digits = "1", exponent = "0"] = ((high - low) / count).toExponential().split("e");
  const base = Number(`1e${exponent}`);
  const lead = Number(digits);
  const step = base * (lead > 7.5 ? 10 : lead > 3.5 ? 5 : lead > 1.5 ? 2 : 1);
  if (!(step > 0)) return [low];
  const ticks: number[] = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at++)
    ticks.push(Number((at * step).toPrecision(12)));
  return ticks;
}

/** Names of the axis, as many as fit. */
function shownNames(names: readonly string[], width: number): readonly number[] {
  const every = Math.ceil((names.length * 42) / width);
  return names.flatMap((_, at) => (at % every === 0 ? [at] : []));
}

function cut(text: string, characters: number): string {
  return text.length > characters ? `${text.slice(0, characters - 1)}…` : text;
}

/** A chart: axes, a grid, and marks. `about` is what it shows, in a sentence. */
function chart(about: string, x: Axis, y: Axis, marks: readonly Mark[]): string {
  const [inner, depth] = [WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM];
  const toX = (value: number): number => LEFT + ((value - x.low) / (x.high - x.low || 1)) * inner;
  const toY = (value: number): number => TOP + depth - ((value - y.low) / (y.high - y.low || 1)) * depth;
  const lines: string[] = [];
  for (const tick of ticksOf(y.low, y.high, 4)) {
    const at = px(toY(tick));
    lines.push(`<path class="grid" d="M${LEFT} ${at}H${WIDTH - RIGHT}"/>`);
    lines.push(
      `<text x="${LEFT - 6}" y="${at}" dy=".32em" text-anchor="end">${escaped((y.shown ?? shortNumber)(tick))}</text>`,
    );
  }
  const places = x.names === undefined ? ticksOf(x.low, x.high, 5) : shownNames(x.names, inner);
  for (const tick of places) {
    const label = x.names === undefined ? (x.shown ?? shortNumber)(tick) : cut(x.names[tick] ?? "", 9);
    lines.push(`<text x="${px(toX(tick))}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">${escaped(label)}</text>`);
  }
  lines.push(`<path class="axis" d="M${LEFT} ${HEIGHT - BOTTOM}H${WIDTH - RIGHT}"/>`);
  lines.push(
    `<text class="label" x="${LEFT + inner / 2}" y="${HEIGHT - 6}" text-anchor="middle">${escaped(x.label)}</text>`,
  );
  const drawn = marks.map((mark) => mark(toX, toY)).join("");
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(about)}">${lines.join("")}${drawn}</svg>`;
}

const line =
  (points: Points, kind: string): Mark =>
  (x, y) =>
    points.length === 0
      ? ""
      : `<path class="mark line ${kind}" d="M${points.map(([a, b]) => `${px(x(a))} ${px(y(b))}`).join("L")}"/>`;

const dots =
  (points: Points, kind: string, radius: number): Mark =>
  (x, y) =>
    points.map(([a, b]) => `<circle class="mark ${kind}" cx="${px(x(a))}" cy="${px(y(b))}" r="${radius}"/>`).join("");

/** Bars from one x to the next, over the base. */
const bars =
  (from: readonly number[], to: readonly number[], heights: readonly number[], kind: string, base = 0): Mark =>
  (x, y) =>
    heights
      .map((height, at) => {
        const [left, right] = [x(from[at] ?? 0), x(to[at] ?? 0)];
        const [top, bottom] = [y(Math.max(height, base)), y(Math.min(height, base))];
        const width = Math.max(1, right - left - 1);
        return `<rect class="mark ${kind}" x="${px(left + 0.5)}" y="${px(top)}" width="${px(width)}" height="${px(Math.max(bottom - top, 0.5))}"/>`;
      })
      .join("");

/** Least and largest of numbers, a little apart. */
function spanOf(values: readonly number[], room = 0.05): readonly [number, number] {
  const known = values.filter(Number.isFinite);
  let [low, high] = [Math.min(...known), Math.max(...known)];
  if (known.length === 0) [low, high] = [0, 1];
  const apart = high - low || Math.abs(low) || 1;
  return [low - room * apart, high + room * apart];
}

const share = (value: number): string => `${Math.round(value * 100)}%`;
const SHARES = { low: 0, high: 1, shown: share } as const;
const DIAGONAL: Points = [
  [0, 0],
  [1, 1],
];

export function rocChart(about: string, points: Points): string {
  const [x, y] = [
    { ...SHARES, label: "share of the others that are taken for it" },
    { ...SHARES, label: "" },
  ];
  return chart(about, x, y, [line(DIAGONAL, "faint"), line(points, "first")]);
}

export function precisionRecallChart(about: string, points: Points, chosen: readonly [number, number]): string {
  const [x, y] = [
    { ...SHARES, label: "recall: share of it that is found" },
    { ...SHARES, label: "" },
  ];
  return chart(about, x, y, [line(points, "first"), dots([chosen], "second", 4.5)]);
}

export function reliabilityChart(about: string, before: Points, after: Points): string {
  const [x, y] = [
    { ...SHARES, label: "probability that was said" },
    { ...SHARES, label: "" },
  ];
  return chart(about, x, y, [
    line(DIAGONAL, "faint"),
    line(after, "second"),
    dots(after, "second", 3),
    line(before, "first"),
    dots(before, "first", 3),
  ]);
}

export function scatterChart(about: string, points: Points): string {
  const [low, high] = spanOf(points.flat());
  const ends: Points = [
    [low, low],
    [high, high],
  ];
  return chart(about, { label: "what the model says", low, high }, { label: "", low, high }, [
    line(ends, "faint"),
    dots(points, "first soft", 2.2),
  ]);
}

export function histogramChart(about: string, label: string, { edges, counts }: Histogram): string {
  const [low, high] = [edges[0] ?? 0, edges.at(-1) ?? 1];
  const y = { label: "", low: 0, high: Math.max(1, ...counts) };
  return chart(about, { label, low, high }, y, [bars(edges.slice(0, -1), edges.slice(1), counts, "first")]);
}

export function linesChart(
  about: string,
  label: string,
  lines: readonly { readonly points: Points; readonly kind: string }[],
): string {
  const [low, high] = spanOf(
    lines.flatMap(({ points }) => points.map(([, y]) => y)),
    0.04,
  );
  const [first, last] = spanOf(
    lines.flatMap(({ points }) => points.map(([x]) => x)),
    0,
  );
  return chart(
    about,
    { label, low: first, high: last },
    { label: "", low, high },
    lines.map(({ points, kind }) => line(points, kind)),
  );
}

/** What the model says by the values of a column: a line over numbers, bars over names. `span` is common to all of its kind. */
export function dependenceChart(
  about: string,
  column: string,
  points: readonly { readonly value: string; readonly number: number | undefined; readonly mean: number }[],
  span: readonly [number, number],
): string {
  const [low, high] = spanOf(span, 0.06);
  const y = { label: "", low, high };
  const numbers = points.flatMap(({ number, mean }): Points => (number === undefined ? [] : [[number, mean]]));
  if (numbers.length === points.length && points.length > 0) {
    const [first, last] = spanOf(
      numbers.map(([x]) => x),
      0.02,
    );
    const isDate = points.every(({ value }) => /^\d{4}-\d\d-\d\d$/.test(value));
    const shown = isDate ? (value: number): string => new Date(value).toISOString().slice(0, 7) : undefined;
    return chart(about, { label: column, low: first, high: last, shown }, y, [
      line(numbers, "first"),
      dots(numbers, "first", 3),
    ]);
  }
  const places = points.map((_, at) => at);
  const x = {
    label: column,
    low: -0.6,
    high: Math.max(0.6, points.length - 0.4),
    names: points.map(({ value }) => value),
  };
  const base = low > 0 ? low : high < 0 ? high : 0;
  const heights = points.map(({ mean }) => mean);
  return chart(about, x, y, [
    bars(
      places.map((at) => at - 0.36),
      places.map((at) => at + 0.36),
      heights,
      "first",
      base,
    ),
  ]);
}

/** Height of a line of {@link importanceChart}. */
const LINE = 26;

/** Horizontal bars with what chance makes of them. */
export function importanceChart(
  about: string,
  columns: readonly { readonly column: string; readonly mean: number; readonly deviation: number }[],
): string {
  const height = columns.length * LINE + 30;
  const names = 118;
  const low = Math.min(0, ...columns.map(({ mean, deviation }) => mean - deviation));
  const high = Math.max(1e-12, ...columns.map(({ mean, deviation }) => mean + deviation));
  const x = (value: number): number => names + ((value - low) / (high - low)) * (WIDTH - names - RIGHT);
  const drawn = columns.map(({ column, mean, deviation }, at) => {
    const middle = at * LINE + LINE / 2 + 4;
    const [from, to] = [x(Math.min(0, mean)), x(Math.max(0, mean))];
    return [
      `<text x="${names - 8}" y="${middle}" dy=".32em" text-anchor="end">${escaped(cut(column, 17))}</text>`,
      `<rect class="mark first" x="${px(from)}" y="${middle - 7}" width="${px(Math.max(to - from, 0.5))}" height="14"/>`,
      `<path class="mark whisker" d="M${px(x(mean - deviation))} ${middle}H${px(x(mean + deviation))}M${px(x(mean - deviation))} ${middle - 4}v8M${px(x(mean + deviation))} ${middle - 4}v8"/>`,
    ].join("");
  });
  const ticks = ticksOf(low, high, 4).map(
    (tick) =>
      `<path class="grid" d="M${px(x(tick))} 4V${height - 26}"/><text x="${px(x(tick))}" y="${height - 10}" text-anchor="middle">${escaped(shortNumber(tick))}</text>`,
  );
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(about)}">${ticks.join("")}${drawn.join("")}</svg>`;
}
