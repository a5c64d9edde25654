// The picture of the suite `scaling`.
import type { TopLevelSpec } from "vega-lite";
import { BLUE, GREY, ORANGE, writePicture } from "../../examples/plot.js";
import type { Machine } from "../report.js";
import type { ScalingRow, Series } from "./points.js";

const PANELS: readonly { readonly series: Series; readonly title: string; readonly axis: string }[] = [
  { series: "batch", title: "784-256-10", axis: "examples a batch" },
  { series: "width", title: "784-width-10, batch 128", axis: "width of the hidden layer" },
  { series: "depth", title: "784-256-…-256-10, batch 128", axis: "hidden layers" },
];

const MEASURED = ["1 thread", "2 threads"] as const;
const LIMIT = "limit of one core";

const DASHES: readonly (string | number[])[] = [
  [1, 0],
  [1, 0],
  [4, 3],
];

const LEGEND = { title: null, orient: "bottom", symbolType: "stroke" } as const;

/** Lines of the picture: the step by threads, and the limit of one. */
export function linesOf(rows: readonly ScalingRow[]) {
  const line = ({ series, value }: ScalingRow, name: string, microseconds: number) => ({
    series,
    value,
    line: name,
    microseconds,
  });
  return rows.flatMap((row) => {
    const name = `${row.threads} ${row.threads === 1 ? "thread" : "threads"}`;
    const measured = line(row, name, row.microseconds);
    return row.threads === 1 ? [measured, line(row, LIMIT, row.rooflineMicroseconds)] : [measured];
  });
}

/** Cost of a step, a panel for what is varied, on logarithmic scales but for the depth. */
export function scalingPicture(rows: readonly ScalingRow[], machine: Pick<Machine, "cpu" | "isa">): TopLevelSpec {
  const lines = linesOf(rows);
  const most = Math.max(...lines.map(({ microseconds }) => microseconds));
  const least = Math.min(...lines.map(({ microseconds }) => microseconds));
  return {
    title: {
      text: "What a training step costs",
      subtitle: `With dropout 0.5 and Adam, on ${machine.cpu}, ${machine.isa}. Limit: operations / FMA peak + bytes of Adam / bandwidth.`,
    },
    data: { values: lines },
    hconcat: PANELS.map(({ series, title, axis }) => ({
      title: { text: title, fontSize: 12, anchor: "middle" as const, offset: 6 },
      width: 280,
      height: 280,
      transform: [{ filter: { field: "series", equal: series } }],
      mark: { type: "line" as const, point: { size: 22 }, strokeWidth: 2 },
      encoding: {
        x: {
          field: "value",
          type: "quantitative" as const,
          scale: series === "depth" ? { type: "linear" as const } : { type: "log" as const, base: 2 },
          axis: {
            title: axis,
            format: "d",
            values: [...new Set(lines.filter((each) => each.series === series).map(({ value }) => value))],
            labelOverlap: true,
          },
        },
        y: {
          field: "microseconds",
          type: "quantitative" as const,
          scale: { type: "log" as const, domain: [least / 1.2, most * 1.2], nice: false },
          axis: { title: series === "batch" ? "µs a step" : null, format: "~s", tickCount: 6 },
        },
        color: {
          field: "line",
          type: "nominal" as const,
          scale: { domain: [...MEASURED, LIMIT], range: [BLUE, ORANGE, GREY] },
          legend: LEGEND,
        },
        strokeDash: {
          field: "line",
          type: "nominal" as const,
          scale: { domain: [...MEASURED, LIMIT], range: DASHES as string[] },
          legend: LEGEND,
        },
      },
    })),
  };
}

/** Writes the picture to `path`. */
export async function drawScaling(
  path: string,
  rows: readonly ScalingRow[],
  machine: Pick<Machine, "cpu" | "isa">,
): Promise<void> {
  await writePicture(path, scalingPicture(rows, machine));
}
