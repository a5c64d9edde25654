import { parse, View } from "vega";
import type { TopLevelSpec } from "vega-lite";
import { BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY } from "../plot.js";
import { CONTESTANTS, FAMILIES, type Family } from "./contestants.js";
import type { Path, Point, Surface } from "./paths.js";
import type { Trained } from "./train.js";

const COLORS = [BLUE, ORANGE, GREEN, RED, PURPLE, SKY];
/** Gaps in the lines, so that one is seen through another where they lie together. */
const DASHES = [
  [1, 0],
  [9, 3],
  [2, 4],
  [3, 6],
  [1, 0],
  [5, 3],
];

function namesOf(family: Family): string[] {
  return CONTESTANTS.filter((contestant) => contestant.family === family).map(({ name }) => name);
}

/** Colours and dashes of a family's panel. */
function styleOf(family: Family, labels: readonly string[]) {
  const style = (range: readonly (string | number[])[]) => ({
    field: "label",
    type: "nominal" as const,
    scale: { domain: [...labels], range: range.slice(0, labels.length) as string[] },
    legend: { title: family },
  });
  return { color: style(COLORS), strokeDash: style(DASHES) };
}

function labelOf({ name, lr }: { readonly name: string; readonly lr: number }): string {
  return `${name}, η = ${lr}`;
}

/** Training loss over epochs, a panel for each family; the others in grey behind. */
export function lossPicture(trained: readonly Trained[]): TopLevelSpec {
  const rows = trained.flatMap((one) =>
    one.losses.map((loss, index) => ({ name: one.name, label: labelOf(one), epoch: index + 1, loss })),
  );
  const epochs = Math.max(...rows.map(({ epoch }) => epoch));
  const x = {
    field: "epoch",
    type: "quantitative" as const,
    axis: { title: "epoch", tickCount: epochs / 2, format: "d" },
    scale: { domain: [1, epochs], nice: false },
  };
  const y = {
    field: "loss",
    type: "quantitative" as const,
    axis: { title: "training loss (log scale)", format: "~g", tickCount: 5 },
    scale: { type: "log" as const },
  };
  return {
    title: {
      text: "Training loss of every optimizer",
      subtitle: [
        "Digits, 64 → 128 → 64 → 10; means over the epoch and the seeds.",
        "The best of the same rates for each, falling to 0 in a straight line.",
      ],
    },
    data: { values: rows },
    concat: FAMILIES.map((family) => {
      const names = namesOf(family);
      const labels = trained.filter(({ name }) => names.includes(name)).map(labelOf);
      return {
        width: 340,
        height: 260,
        layer: [
          {
            mark: { type: "line" as const, strokeWidth: 0.8, color: "#cccccc" },
            encoding: { x, y, detail: { field: "name" } },
          },
          {
            transform: [{ filter: { field: "name", oneOf: names } }],
            mark: { type: "line" as const, strokeWidth: 2 },
            encoding: { x, y, ...styleOf(family, labels) },
          },
        ],
      };
    }),
    columns: 2,
    resolve: { scale: { color: "independent", strokeDash: "independent" } },
  };
}

/** What a picture of a surface shows. */
interface Window {
  readonly x: readonly [number, number];
  readonly y: readonly [number, number];
  readonly levels: readonly number[];
}

const WINDOWS: Readonly<Record<string, Window>> = {
  Rosenbrock: { x: [-2, 2], y: [-1, 3], levels: [0.03, 0.1, 0.3, 1, 3, 10, 30, 100] },
  ravine: { x: [-2.5, 1.5], y: [-1.5, 1.5], levels: [0.003, 0.01, 0.03, 0.1, 0.3, 1, 2] },
};

/** Points along each side of the grid that contours are found on. */
const GRID = 100;

/** One corner of a contour line; corners of one line have the same `line`. */
interface Corner {
  readonly line: string;
  readonly order: number;
  readonly x: number;
  readonly y: number;
}

interface Contour {
  readonly value: number;
  readonly coordinates: readonly (readonly (readonly (readonly [number, number])[])[])[];
}

/** Lines of equal height, found by Vega on a grid. */
async function contours({ height }: Surface, { x, y, levels }: Window): Promise<Corner[]> {
  const along = ([low, high]: readonly [number, number], at: number): number => low + ((high - low) * at) / GRID;
  const values = Array.from({ length: GRID * GRID }, (_, index) => {
    return height(along(x, (index % GRID) + 0.5), along(y, Math.floor(index / GRID) + 0.5));
  });
  const grid = { width: GRID, height: GRID, values };
  const transform = { type: "isocontour" as const, thresholds: [...levels], as: "contour" };
  const view = new View(parse({ data: [{ name: "contours", values: [grid], transform: [transform] }] }), {
    renderer: "none",
  });
  await view.runAsync();
  const found: readonly { readonly contour: Contour }[] = view.data("contours");
  view.finalize();
  return found.flatMap(({ contour: { value, coordinates } }) =>
    coordinates.flat().flatMap((ring, index) =>
      ring.map(([column, row], order) => ({
        line: `${value}/${index}`,
        order,
        x: along(x, column),
        y: along(y, row),
      })),
    ),
  );
}

/** A step that is drawn is at least this long: shorter ones add to the file and not to the picture. */
const SHORTEST = 0.005;

/** The path without its shortest steps, but with its end. */
function drawn(points: readonly Point[]): Point[] {
  const kept: Point[] = [];
  let last: Point | undefined;
  for (const [index, point] of points.entries()) {
    const far = last === undefined || Math.hypot(point[0] - last[0], point[1] - last[1]) >= SHORTEST;
    if (!far && index < points.length - 1) continue;
    kept.push(point);
    last = point;
  }
  return kept;
}

/** Paths over a surface, a panel for each family; every path begins at the ring and seeks the cross. */
export async function pathPicture(surface: Surface, paths: readonly Path[]): Promise<TopLevelSpec> {
  const window = WINDOWS[surface.name];
  if (window === undefined) throw new Error(`no window for ${surface.name}`);
  const lines = await contours(surface, window);
  const x = {
    field: "x",
    type: "quantitative" as const,
    scale: { domain: [...window.x], nice: false, zero: false },
    axis: { title: "x", grid: false },
  };
  const y = {
    field: "y",
    type: "quantitative" as const,
    scale: { domain: [...window.y], nice: false, zero: false },
    axis: { title: "y", grid: false },
  };
  const order = { field: "order", type: "quantitative" as const };
  const at = ([px, py]: Point) => ({ values: [{ x: px, y: py }] });
  return {
    title: {
      text: `${surface.steps} steps over ${surface.formula}`,
      subtitle: [
        `From the ring; the cross is the minimum; lines at heights ${window.levels.join(", ")}.`,
        "The rate whose path is nearest to the minimum on average, falling to 0 in a straight line.",
      ],
    },
    concat: FAMILIES.map((family) => {
      const names = namesOf(family);
      const own = paths.filter(({ name }) => names.includes(name));
      const rows = own.flatMap((path) =>
        drawn(path.points).map(([px, py], index) => ({ label: labelOf(path), order: index, x: px, y: py })),
      );
      return {
        width: 340,
        height: 280,
        layer: [
          {
            data: { values: lines },
            mark: { type: "line" as const, clip: true, strokeWidth: 0.7, color: "#bbbbbb" },
            encoding: { x, y, order, detail: { field: "line" } },
          },
          {
            data: { values: rows },
            mark: { type: "line" as const, clip: true, strokeWidth: 1.6, opacity: 0.9 },
            encoding: { x, y, order, ...styleOf(family, own.map(labelOf)) },
          },
          {
            data: at(surface.start),
            mark: { type: "point" as const, size: 90, strokeWidth: 2, color: GREY },
            encoding: { x, y },
          },
          {
            data: at(surface.minimum),
            mark: { type: "point" as const, shape: "cross", filled: true, size: 110, color: "black", opacity: 1 },
            encoding: { x, y },
          },
        ],
      };
    }),
    columns: 2,
    resolve: { scale: { color: "independent", strokeDash: "independent" } },
  };
}
