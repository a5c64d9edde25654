import { extent, formatShape, type Shape } from "./shape.js";

/** The method that `console.log` and `util.inspect` call: by its registered name, so that `node:util` is not loaded for it. */
export const INSPECT: unique symbol = Symbol.for("nodejs.util.inspect.custom");

/** Options that Node.js gives an inspection. */
export interface InspectOptions {
  /** Most elements of an array that are shown; `null` for all. */
  readonly maxArrayLength?: number | null | undefined;
  /** Characters of a line. */
  readonly breakLength?: number | undefined;
  /** Colours a text where there are colours. */
  readonly stylize?: ((text: string, style: string) => string) | undefined;
}

/** `util.inspect`, which an inspection is given. */
export type Inspect = (value: unknown, options: object) => string;

/** A text for an object, and what is shown in braces behind it. */
export interface Shown {
  readonly title: string;
  readonly fields?: Readonly<Record<string, unknown>> | undefined;
}

/** `title { fields }`, or `[title]` below the depth that is shown. */
export function inspectDescription(
  { title, fields = {} }: Shown,
  depth: number | null,
  options: InspectOptions,
  inspect: Inspect,
): string {
  if (depth !== null && depth < 0) return style(options, `[${title}]`, "special");
  const known = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  if (Object.keys(known).length === 0) return title;
  return `${title} ${inspect(known, { ...options, depth: depth === null ? null : depth - 1 })}`;
}

/** `object` with a text of its own for `console.log`; what it is equal to and copies to stays the same. */
export function describedBy<T extends object>(object: T, describe: () => Shown): T {
  return Object.defineProperty(object, INSPECT, {
    value: (depth: number | null, options: InspectOptions, inspect: Inspect) =>
      inspectDescription(describe(), depth, options, inspect),
  });
}

export function style({ stylize }: InspectOptions, text: string, kind: string): string {
  return stylize === undefined ? text : stylize(text, kind);
}

/** Where nobody says: Node.js' own. */
const MOST_ELEMENTS = 100;
const LINE = 80;

/** Numbers of either end of an axis that is too long to be shown, at most. */
const EDGES = [3, 2, 1];

/** Significant digits of a number that is no integer. */
const DIGITS = 6;

function formatNumber(value: number): string {
  if (Object.is(value, -0)) return "-0";
  return String(Number.isInteger(value) ? value : Number(value.toPrecision(DIGITS)));
}

/** Indices of an axis that are shown; −1 stands for those left out. */
function shownOf(size: number, edge: number): readonly number[] {
  if (size <= 2 * edge + 1) return Array.from({ length: size }, (_, index) => index);
  const first = Array.from({ length: edge }, (_, index) => index);
  return [...first, -1, ...first.map((index) => size - edge + index)];
}

/** `parts` in lines of at most `width` characters. */
function wrap(parts: readonly string[], width: number, indent: string): string {
  const lines: string[] = [];
  let line = "";
  for (const part of parts) {
    if (line !== "" && line.length + part.length + 2 > width) {
      lines.push(`${line},`);
      line = part;
    } else line = line === "" ? part : `${line}, ${part}`;
  }
  return [...lines, line].join(`\n${indent}`);
}

/**
 * `[[1, 2], [3, 4]]`, a row a line, in columns; of more elements than are to be shown the first and last of each axis.
 * `data`: row-major, as many as `shape` says.
 */
export function formatElements(data: ArrayLike<number>, shape: readonly number[], options: InspectOptions): string {
  const most = options.maxArrayLength === null ? Number.POSITIVE_INFINITY : (options.maxArrayLength ?? MOST_ELEMENTS);
  const shownAt = (edge: number): number => shape.reduce((all, size) => all * Math.min(size, 2 * edge), 1);
  const edge = data.length <= most ? data.length : (EDGES.find((each) => shownAt(each) <= most) ?? 1);
  const axes = shape.map((size) => shownOf(size, edge));
  const strides = shape.map((_, axis) => extent(shape.slice(axis + 1)));
  const numbers = new Map<number, string>();
  const collect = (axis: number, offset: number): void => {
    if (axis === shape.length) numbers.set(offset, formatNumber(data[offset] ?? Number.NaN));
    else for (const index of axes[axis] ?? []) if (index >= 0) collect(axis + 1, offset + index * (strides[axis] ?? 1));
  };
  collect(0, 0);
  const width = shape.length < 2 ? 0 : Math.max(...[...numbers.values()].map(({ length }) => length));
  const render = (axis: number, offset: number): string => {
    if (axis === shape.length) return (numbers.get(offset) ?? "").padStart(width);
    const parts = (axes[axis] ?? []).map((index) =>
      index < 0 ? "…" : render(axis + 1, offset + index * (strides[axis] ?? 1)),
    );
    const indent = " ".repeat(axis + 1);
    const deeper = shape.length - axis - 1;
    if (deeper > 0) return `[${parts.join(`,${deeper > 1 ? "\n\n" : "\n"}${indent}`)}]`;
    return `[${wrap(parts, (options.breakLength ?? LINE) - 2 * shape.length - 2, indent)}]`;
  };
  return render(0, 0);
}

/** `Tensor f32 [2, 3]: …`, behind which text of several lines stands under it. */
export function formatTitled(title: string, shape: Shape, text: string): string {
  const head = `${title} ${formatShape(shape)}:`;
  return text.includes("\n") ? `${head}\n  ${text.replaceAll("\n", "\n  ")}` : `${head} ${text}`;
}
