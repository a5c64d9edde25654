import { candidates, inBatch, inBatchGradientOf } from "../../lib/ops/candidates.js";
import * as ops from "../../lib/ops/index.js";
import { philox } from "../../lib/tensor/philox.js";
import type { Value } from "../../lib/tensor/value.js";
import { type Bound, U } from "./bounds.js";
import { floats, labels, type Numbers, type OperationSamples, sample, type Usage, within } from "./sample.js";

const SCALE = 0.5;

/** Which operands stand behind both vectors, in this order. */
type Given = readonly ("taken" | "ids" | "weights" | "flow")[];

const operandsOf = (inputs: readonly Value[], given: Given) => {
  const found: Partial<Record<Given[number], Value>> = Object.fromEntries(
    given.map((name, at) => [name, inputs[at + 2]]),
  );
  const [left, right] = inputs;
  if (left === undefined || right === undefined) throw new Error("two vectors");
  return { left, right, ...found };
};

/** Scores, their softmax and the losses in float64, and how far scores may be off: a chain of d terms, a factor and a difference. */
function computed(inputs: readonly Numbers[], given: Given) {
  const [left, right, ...rest] = inputs;
  const found: Partial<Record<string, readonly number[]>> = Object.fromEntries(
    given.map((name, at) => [name, rest[at]?.data ?? []]),
  );
  const [rows = 0, columns = 0] = left?.shape ?? [];
  const at = (matrix: Numbers | undefined, row: number, column: number): number =>
    matrix?.data[row * columns + column] ?? 0;
  let off = 0;
  const scores = Array.from({ length: rows }, (_, i) =>
    Array.from({ length: rows }, (_own, j) => {
      let [sum, size] = [0, 0];
      for (let k = 0; k < columns; k++) {
        sum += at(left, i, k) * at(right, j, k);
        size += Math.abs(at(left, i, k) * at(right, j, k));
      }
      off = Math.max(off, (columns + 1) * U * size * SCALE + U * Math.abs(found.taken?.[j] ?? 0));
      const counts =
        i === j || ((found.ids?.[i] !== found.ids?.[j] || found.ids === undefined) && (found.weights?.[j] ?? 1) > 0);
      return counts ? sum * SCALE - (found.taken?.[j] ?? 0) : Number.NEGATIVE_INFINITY;
    }),
  );
  const shares = scores.map((row) => {
    const most = Math.max(...row);
    const e = row.map((score) => Math.exp(score - most));
    const sum = e.reduce((total, one) => total + one, 0);
    return e.map((one) => one / sum);
  });
  return { rows, columns, scores, shares, off, flow: found.flow ?? [], at };
}

/** Off by the scores of a row, and by a sum of as many terms as there are rows. */
const lossError =
  (given: Given): Bound =>
  (y, ...inputs) => {
    const { rows, off } = computed(inputs, given);
    return y.map((value) => 2 * off + (rows + 12) * U * (1 + Math.abs(value)));
  };

/** Both gradients in float64, with the sums of the sizes of their terms. */
function gradients(inputs: readonly Numbers[], given: Given, side: 0 | 1) {
  const { rows, columns, shares, off, flow, at } = computed(inputs, given);
  const [left, right] = inputs;
  const values: number[] = [];
  const errors: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let [sum, error] = [0, 0];
      for (let other = 0; other < rows; other++) {
        const [i, j] = side === 0 ? [row, other] : [other, row];
        const factor = (flow[i] ?? 0) * SCALE;
        const share = shares[i]?.[j] ?? 0;
        const term = at(side === 0 ? right : left, other, column);
        sum += (share - (i === j ? 1 : 0)) * factor * term;
        error += Math.abs(factor * term) * (share * 2 * off + (2 * rows + 14) * U * Math.max(share, i === j ? 1 : 0));
      }
      values.push(sum);
      errors.push(error);
    }
  }
  return { values, errors };
}

const vectors = (rows: number, columns: number) => [
  floats([rows, columns], within(-1, 1)),
  floats([rows, columns], within(-1, 1)),
];

/** Operands behind the vectors for so many rows. */
const behind = (rows: number, given: Given) =>
  given.map((name) =>
    name === "ids"
      ? labels([rows], 3)
      : name === "weights"
        ? floats([rows], (u) => (u < 0.3 ? 0 : 1))
        : floats([rows], within(-2, 2)),
  );

const SIZES = [
  [1, 1],
  [3, 5],
  [19, 4],
] as const;

function usage(given: Given): Usage {
  return {
    label: given.join(", "),
    apply: (...inputs) => inBatch(operandsOf(inputs, given), SCALE),
    reference: (...inputs) => {
      const { scores, shares } = computed(inputs, given);
      return scores.map((_, row) => -Math.log(shares[row]?.[row] ?? 0));
    },
    error: lossError(given),
    samples: SIZES.map(([rows, columns]) =>
      sample([...vectors(rows, columns), ...behind(rows, given)], [0, 1, 2, 3, 4].slice(0, 2 + given.length)),
    ),
    refusals:
      given.length > 0
        ? []
        : [
            { inputs: [[[3, 4]], [[3, 5]]], code: "ERR_SHAPE", where: "inBatchSoftmax" },
            { inputs: [[[3]], [[3]]], code: "ERR_SHAPE", where: "inBatchSoftmax" },
          ],
  };
}

/** The usage, and its largest sample derived: of the others differences would be taken twice, and the gradient has none of its own. */
function derived(plain: Usage): readonly Usage[] {
  // Shares of vectors within 1, and the own one, are taken from each other.
  const slopes = { differentiable: [0, 1], cancellation: 2 * SCALE };
  return [
    plain,
    { ...plain, ...slopes, label: `${plain.label} derived`, samples: plain.samples.slice(-1), refusals: [] },
  ];
}

function gradientUsage(given: Given, side: 0 | 1): Usage {
  const all: Given = [...given, "flow"];
  return {
    label: `${side === 0 ? "left" : "right"} ${given.join(", ")}`,
    apply: (...inputs) => {
      const flow = inputs.at(-1);
      const found = inBatchGradientOf(operandsOf(inputs.slice(0, -1), given), SCALE, flow as Value)[side];
      if (found === undefined) throw new Error("a gradient");
      return found;
    },
    reference: (...inputs) => gradients(inputs, all, side).values,
    error: (_y, ...inputs) => gradients(inputs, all, side).errors,
    samples: SIZES.map(([rows, columns]) =>
      sample([...vectors(rows, columns), ...behind(rows, all)], [0, 1, 2, 3, 4, 5].slice(0, 2 + all.length)),
    ),
  };
}

const DRAW = { seed: 77, step: 1 } as const; // of ways.ts
const DRAWN = { samples: 33, classes: 50, site: 5 } as const;
const PURPOSE = 30;

/** Classes that are drawn, from the definition. */
function drawn(logUniform: boolean): readonly number[] {
  return Array.from({ length: DRAWN.samples }, (_, place) => {
    const [high = 0, low = 0] = philox([place, DRAW.step, DRAWN.site, PURPOSE], [DRAW.seed, 0]);
    const u = (high * 2 ** 20 + Math.floor(low / 2 ** 12) + 0.5) / 2 ** 52;
    if (!logUniform) return Math.floor(u * DRAWN.classes);
    return Math.floor((DRAWN.classes + 1) ** u) - 1;
  });
}

const expected = (label: number, logUniform: boolean): number =>
  Math.log(
    (DRAWN.samples * (logUniform ? Math.log((label + 2) / (label + 1)) : 1)) /
      (logUniform ? Math.log(DRAWN.classes + 1) : DRAWN.classes),
  );

const rounded: Bound = (y) => y.map((value) => 2 * U * Math.abs(value) + 2 ** -40);
const same: Bound = (y) => y.map(() => 0);

function drawing(logUniform: boolean): readonly Usage[] {
  const label = logUniform ? "log-uniform" : "uniform";
  const own = { ...DRAWN, logUniform };
  const samples = [1, 19].map((rows) => sample([labels([rows], DRAWN.classes)], [0]));
  return [
    {
      label: `${label}: of labels`,
      apply: (given) => candidates(given, own, DRAW).labelExpected,
      reference: (given) => given.data.map((one) => expected(one, logUniform)),
      error: rounded,
      samples,
      rowwise: true,
      refusals: [{ inputs: [[[3]]], code: "ERR_DTYPE", where: "sampledSoftmax.labels" }],
    },
    {
      label: `${label}: which are labels`,
      apply: (given) => ops.sum(candidates(given, own, DRAW).keep, { axis: "last" }),
      reference: (given) => given.data.map((one) => drawn(logUniform).filter((id) => id !== one).length),
      error: same,
      samples,
      rowwise: true,
    },
  ];
}

/** Samples of softmax over candidates. */
export const candidateSamples: {
  readonly inBatch: OperationSamples;
  readonly inBatchGradient: OperationSamples;
  readonly candidates: OperationSamples;
} = {
  inBatch: [...derived(usage([])), ...derived(usage(["taken", "ids", "weights"])), ...derived(usage(["ids"]))],
  inBatchGradient: [
    gradientUsage([], 0),
    gradientUsage([], 1),
    gradientUsage(["taken", "ids", "weights"], 0),
    gradientUsage(["taken", "ids", "weights"], 1),
  ],
  candidates: [...drawing(false), ...drawing(true)],
};
