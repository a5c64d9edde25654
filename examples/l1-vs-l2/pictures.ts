import type { TopLevelSpec } from "vega-lite";
import { SIDE } from "../digits/digits.js";
import { BLUE, GREEN, GREY, ORANGE } from "../plot.js";
import { lambdaText } from "./report.js";
import { ALLOWED_LOSS, METHODS, type Method, pixelNorms, type Setting, SMALL } from "./sweep.js";

/** One training as a row of a picture. */
interface Mark {
  readonly label: string;
  readonly weights: Float32Array;
}

/** Settings of every method, for pictures over λ. */
export type Sweeps = Readonly<Record<Method, readonly Setting[]>>;

const NO_PENALTY = "no penalty";
const COLORS = { domain: [...METHODS], range: [BLUE, ORANGE, GREEN] };
const SHAPES = { domain: [...METHODS], range: ["circle", "square", "triangle-up"] };

const lambdaAxis = {
  field: "lambda",
  type: "quantitative" as const,
  scale: { type: "log" as const, nice: false },
  axis: { title: "λ (log scale)", format: "~g", values: [1e-5, 1e-4, 1e-3, 1e-2], labelOverlap: false, grid: false },
};

const methodColor = { field: "method", type: "nominal", scale: COLORS, title: null } as const;
const methodShape = { field: "method", type: "nominal", scale: SHAPES, title: null } as const;

/** Accuracies (%) below this would leave no room to see the others. */
const WORST_DRAWN = 84;

/** Test accuracy over λ: the mean of the seeds, and the band from the worst to the best. */
export function accuracyPicture(sweeps: Sweeps, plain: Setting): TopLevelSpec {
  const rows = METHODS.flatMap((method) =>
    sweeps[method].map(({ lambda, runs, mean }) => {
      const accuracies = runs.map(({ outcome }) => 100 * outcome.accuracy);
      const [low, high] = [Math.min(...accuracies), Math.max(...accuracies)];
      return { method, lambda, accuracy: 100 * mean.accuracy, low, high };
    }),
  );
  const without = 100 * plain.mean.accuracy;
  const rules = [
    { accuracy: without, text: "no penalty" },
    { accuracy: without - 100 * ALLOWED_LOSS, text: "1 point less" },
  ];
  const scale = { domain: [WORST_DRAWN, 100], clamp: true };
  const axis = { title: "test accuracy (%)" };
  const accuracyOf = (field: string) => ({ field, type: "quantitative" as const, scale, axis });
  const legend = { orient: "bottom-left", symbolOpacity: 1 } as const;
  return {
    title: {
      text: "Test accuracy against the strength of the penalty",
      subtitle: `Digits, mean of ${plain.runs.length} seeds; bands: worst to best seed; below ${WORST_DRAWN}% drawn at ${WORST_DRAWN}%`,
    },
    width: 560,
    height: 340,
    layer: [
      {
        data: { values: rules },
        mark: { type: "rule", strokeDash: [5, 4], color: GREY },
        encoding: { y: accuracyOf("accuracy") },
      },
      {
        data: { values: rules },
        mark: { type: "text", align: "left", dx: 6, fontSize: 11, color: GREY },
        encoding: { x: { value: "width" }, y: accuracyOf("accuracy"), text: { field: "text" } },
      },
      {
        data: { values: rows },
        mark: { type: "area", opacity: 0.15 },
        encoding: { x: lambdaAxis, y: accuracyOf("low"), y2: { field: "high" }, color: { ...methodColor, legend } },
      },
      {
        data: { values: rows },
        mark: { type: "line", strokeWidth: 2, point: { filled: true, size: 50, opacity: 1 } },
        encoding: {
          x: lambdaAxis,
          y: accuracyOf("accuracy"),
          color: { ...methodColor, legend },
          shape: { ...methodShape, legend },
        },
      },
    ],
  };
}

/** Shares of zeros and of small weights over λ, side by side. */
export function zerosPicture(sweeps: Sweeps): TopLevelSpec {
  const panels = [
    ["zeros", "weights that are exactly 0 (%)"],
    ["small", `weights with |θ| < ${SMALL} (%)`],
  ] as const;
  const rows = METHODS.flatMap((method) =>
    sweeps[method].map(({ lambda, mean }) => ({
      method,
      lambda,
      zeros: 100 * mean.zeros,
      small: 100 * mean.small,
    })),
  );
  return {
    title: {
      text: "Weights of the first layer that are zero, or as good as zero",
      subtitle: "Digits, mean of the seeds; only the proximal step makes zeros that are exact",
    },
    data: { values: rows },
    hconcat: panels.map(([field, title]) => ({
      width: 330,
      height: 280,
      mark: { type: "line", strokeWidth: 2, point: { filled: true, size: 50 } },
      encoding: {
        x: lambdaAxis,
        y: {
          field,
          type: "quantitative",
          scale: { domain: [0, 100] },
          axis: { title },
        },
        color: methodColor,
        shape: methodShape,
      },
    })),
  };
}

const BIN = 0.03;
const EDGE = 1.2;

/** Counts of weights in bins, the exact zeros apart; beyond the edges they count in the last bin. */
function histogram({ label, weights }: Mark): readonly object[] {
  const counts = new Map<number, number>();
  let zeros = 0;
  for (const weight of weights) {
    const bin = Math.floor(Math.max(-EDGE, Math.min(EDGE - BIN / 2, weight)) / BIN);
    if (weight === 0) zeros += 1;
    else counts.set(bin, (counts.get(bin) ?? 0) + 1);
  }
  const bins = [...counts].map(([bin, count]) => {
    return { label, begin: bin * BIN, end: (bin + 1) * BIN, count, what: "not 0" };
  });
  return zeros === 0 ? bins : [...bins, { label, begin: -BIN / 4, end: BIN / 4, count: zeros, what: "exactly 0" }];
}

/** Weights of the first layer by method, counts on a log scale. */
export function histogramPicture(marks: readonly Mark[]): TopLevelSpec {
  return {
    title: {
      text: "Weights of the first layer",
      subtitle: `Digits, seed 0, the largest λ within one point of accuracy; bins of ${BIN}, the last ones hold all beyond`,
    },
    data: { values: marks.flatMap(histogram) },
    facet: { field: "label", type: "nominal", title: null, sort: marks.map(({ label }) => label) },
    columns: 2,
    spec: {
      width: 340,
      height: 170,
      mark: { type: "bar", binSpacing: 0 },
      encoding: {
        x: {
          field: "begin",
          type: "quantitative",
          scale: { domain: [-EDGE, EDGE], nice: false },
          axis: { title: "weight θ" },
        },
        x2: { field: "end" },
        y: {
          field: "count",
          type: "quantitative",
          scale: { type: "log", domain: [0.5, 10_000], nice: false },
          axis: { title: "weights (log scale)", values: [1, 10, 100, 1000, 10_000] },
        },
        y2: { datum: 0.5 },
        color: {
          field: "what",
          type: "nominal",
          title: null,
          scale: { domain: ["not 0", "exactly 0"], range: [BLUE, "#d55e00"] },
        },
      },
    },
  };
}

/** Which pixels the network looks at: ‖·‖₂ of the weights that leave each, beside the ink of the images. */
export function pixelPicture(marks: readonly Mark[], ink: readonly number[]): TopLevelSpec {
  const maps: readonly (readonly [string, readonly number[]])[] = [
    ["mean ink of the images", ink],
    ...marks.map(({ label, weights }) => [label, pixelNorms(weights)] as const),
  ];
  const rows = maps.flatMap(([label, values]) => {
    const largest = Math.max(...values);
    return values.map((value, pixel) => ({
      label,
      row: Math.floor(pixel / SIDE) + 1,
      column: (pixel % SIDE) + 1,
      share: value / largest,
      dead: value === 0,
    }));
  });
  const place = {
    x: { field: "column", type: "ordinal", axis: { title: "column of pixels", labelAngle: 0 } },
    y: { field: "row", type: "ordinal", axis: { title: "row of pixels" } },
  } as const;
  return {
    title: {
      text: "Pixels that stay alive",
      subtitle: "Norm of the weights that leave each pixel, as a share of the map's largest; × is exactly 0",
    },
    data: { values: rows },
    facet: { field: "label", type: "nominal", title: null, sort: maps.map(([label]) => label) },
    columns: 5,
    spec: {
      width: 168,
      height: 168,
      layer: [
        {
          mark: { type: "rect", stroke: "#dddddd", strokeWidth: 0.5 },
          encoding: {
            ...place,
            color: {
              field: "share",
              type: "quantitative",
              scale: { scheme: "viridis", domain: [0, 1] },
              legend: { title: "share", format: "~g" },
            },
          },
        },
        {
          transform: [{ filter: "datum.dead" }],
          mark: { type: "text", text: "×", fontSize: 14, color: "white" },
          encoding: place,
        },
      ],
    },
  };
}

/** What one step took from one weight. */
export interface Shrunk {
  readonly method: Method;
  readonly lambda: number;
  /** |θ| before the step. */
  readonly size: number;
  /** |θ| before less |θ| after. */
  readonly taken: number;
}

/** What one step without data takes from weights of each size: amounts, and shares of the weight. */
export function shrinkagePicture(shrunk: readonly Shrunk[], rate: number): TopLevelSpec {
  const labels = METHODS.map((method) => {
    return `${method}, λ = ${lambdaText(shrunk.find((one) => one.method === method)?.lambda ?? 0)}`;
  });
  const rows = shrunk.map(({ method, lambda, size, taken }) => ({
    method: `${method}, λ = ${lambdaText(lambda)}`,
    size,
    thousandths: 1000 * taken,
    percent: (100 * taken) / size,
  }));
  const panels = [
    ["thousandths", "taken from |θ| (thousandths)", "linear"],
    ["percent", "taken from |θ| (% of it, log scale)", "log"],
  ] as const;
  return {
    title: {
      text: "L1 takes the same from every weight, L2 the same share",
      subtitle: `One step of η = ${rate} with a data gradient of 0, from the weights trained without a penalty`,
    },
    data: { values: rows },
    hconcat: panels.map(([field, title, scale]) => ({
      width: 330,
      height: 260,
      transform: [{ filter: `datum.${field} > 0` }],
      mark: { type: "point", size: 26, opacity: 0.9 },
      encoding: {
        x: { field: "size", type: "quantitative", axis: { title: "|θ| before the step" } },
        y: { field, type: "quantitative", scale: { type: scale }, axis: { title, format: "~g" } },
        color: { field: "method", type: "nominal", title: null, scale: { domain: labels, range: COLORS.range } },
        shape: { field: "method", type: "nominal", title: null, scale: { domain: labels, range: SHAPES.range } },
      },
    })),
  };
}

/** A training with its name below or above its picture. */
export function markOf(method: Method | null, { lambda, runs }: Setting): Mark {
  const label = method === null ? NO_PENALTY : `${method}, λ = ${lambdaText(lambda)}`;
  return { label, weights: runs[0]?.weights ?? new Float32Array() };
}
