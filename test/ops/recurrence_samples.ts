import { type Recurred, type RecurrenceForm, recurrence, recurrenceGradientOf } from "../../lib/ops/recurrence.js";
import type { OperationName } from "../../lib/ops/rules.js";
import type { Value } from "../../lib/tensor/value.js";
import { type Bound, U } from "./bounds.js";
import {
  type Drawn,
  floats,
  labels,
  type Numbers,
  type OperationSamples,
  type Sample,
  sample,
  type Usage,
  within,
} from "./sample.js";

/** Which operands stand behind x and both weights, in this order. */
const NAMES = ["bias", "candidate", "lengths", "state", "cellState", "mask"] as const;

interface Setting {
  readonly form: RecurrenceForm;
  readonly given: readonly (typeof NAMES)[number][];
  /** Whether the mask is one of each step. */
  readonly stepwise?: boolean;
}

const gatesOf = ({ cell }: RecurrenceForm): number =>
  ({ lstm: 4, gru: 3, gru_before: 3, rnn_tanh: 1, rnn_relu: 1 })[cell];

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** States of all steps, the last states and cells, in float64. */
function computed(inputs: readonly Numbers[], { form, given, stepwise = false }: Setting) {
  const [x, weight, recurrent, ...rest] = inputs;
  const found: Partial<Record<string, readonly number[]>> = Object.fromEntries(
    given.map((name, at) => [name, rest[at]?.data ?? []]),
  );
  const [rows = 0, steps = 0, features = 0] = x?.shape ?? [];
  const hidden = recurrent?.shape[1] ?? 0;
  const gates = gatesOf(form);
  const dot = (matrix: Numbers | undefined, row: number, vector: readonly number[]): number =>
    vector.reduce((sum, value, i) => sum + value * (matrix?.data[row * vector.length + i] ?? 0), 0);
  const [r, z] = form.updateFirst ? [1, 0] : [0, 1];
  const y = new Array<number>(rows * steps * hidden).fill(0);
  const [last, lastCell]: [number[], number[]] = [[], []];
  for (let row = 0; row < rows; row++) {
    const part = (name: string, fallback: number): readonly number[] =>
      Array.from({ length: hidden }, (_, j) => found[name]?.[row * hidden + j] ?? fallback);
    const maskOf = (time: number): readonly number[] => {
      const begin = (stepwise ? row * steps + time : row) * hidden;
      return Array.from({ length: hidden }, (_, j) => found.mask?.[begin + j] ?? 1);
    };
    let h = part("state", 0);
    let c = part("cellState", 0);
    const length = found.lengths?.[row] ?? steps;
    for (let step = 0; step < length; step++) {
      const time = form.reverse ? length - 1 - step : step;
      const now = Array.from({ length: features }, (_, i) => x?.data[(row * steps + time) * features + i] ?? 0);
      const mask = maskOf(time);
      const fed = h.map((value, j) => value * (mask[j] ?? 1));
      const given = (gate: number, j: number): number =>
        dot(weight, gate * hidden + j, now) + (found.bias?.[gate * hidden + j] ?? 0);
      const told = (gate: number, j: number): number => dot(recurrent, gate * hidden + j, fed);
      const gate = (at: number, j: number): number => sigmoid(given(at, j) + told(at, j));
      const before = h;
      if (form.cell === "lstm") {
        c = c.map((value, j) => gate(1, j) * value + gate(0, j) * Math.tanh(given(2, j) + told(2, j)));
        h = c.map((value, j) => gate(3, j) * Math.tanh(value));
      } else if (gates === 1) {
        const f = form.cell === "rnn_tanh" ? Math.tanh : (value: number): number => Math.max(value, 0);
        h = h.map((_, j) => f(given(0, j) + told(0, j)));
      } else {
        const reset = fed.map((value, j) => gate(r, j) * value);
        h = before.map((value, j) => {
          const product =
            form.cell === "gru"
              ? gate(r, j) * (told(2, j) + (found.candidate?.[j] ?? 0))
              : dot(recurrent, 2 * hidden + j, reset);
          const n = Math.tanh(given(2, j) + product);
          return n + gate(z, j) * (value - n);
        });
      }
      for (const [j, value] of h.entries()) y[(row * steps + time) * hidden + j] = value;
    }
    last.push(...h);
    lastCell.push(...c);
  }
  return { y, last, lastCell };
}

function operands(inputs: readonly Value[], given: Setting["given"]) {
  const [x, weight, recurrent, ...rest] = inputs;
  if (x === undefined || weight === undefined || recurrent === undefined) throw new Error("a sample lacks its inputs");
  return { x, weight, recurrent, ...Object.fromEntries(given.map((name, at) => [name, rest[at]])) };
}

/** [rows, steps, features] and `hidden` of a cell. */
function drawn(
  { form, given }: Setting,
  [rows = 1, steps = 1, features = 1]: readonly number[],
  hidden: number,
): Sample {
  const stacked = gatesOf(form) * hidden;
  const near = within(-0.8, 0.8);
  const all: Record<(typeof NAMES)[number], () => Drawn> = {
    bias: () => floats([stacked], near),
    candidate: () => floats([hidden], near),
    lengths: () => labels([rows], steps + 1),
    state: () => floats([rows, hidden], near),
    cellState: () => floats([rows, hidden], near),
    mask: () => floats([rows, hidden], (u) => (u < 0.3 ? 0 : 1.5)),
  };
  const inputs = [floats([rows, steps, features]), floats([stacked, features], near), floats([stacked, hidden], near)];
  const behind = given.map((name) => all[name]());
  const batched = given.flatMap((name, at) => (name === "bias" || name === "candidate" ? [] : [at + 3]));
  return sample([...inputs, ...behind], [0, ...batched]);
}

/**
 * A state is off by what its products of at most 40 terms below 2 in all, functions of 2 ulp and the state before it are: 2⁻²⁴·64 a step, which the next one
 * may double.
 */
const error: Bound = (y, x) => {
  const steps = x?.shape[1] ?? 1;
  return y.map(() => U * 64 * 2 ** Math.min(steps, 6));
};

const where = "recurrence";
const plain: RecurrenceForm = { cell: "lstm", reverse: false, updateFirst: false, where };

function usage(
  label: string,
  setting: Setting,
  output: keyof Recurred,
  sizes: readonly number[],
  hidden: number,
): Usage {
  const { given } = setting;
  const reached = given.flatMap((name, at) => (name === "lengths" || name === "mask" ? [] : [at + 3]));
  return {
    label,
    apply: (...inputs) => {
      const value = recurrence(operands(inputs, given), setting.form)[output];
      if (value === undefined) throw new Error("no such output");
      return value;
    },
    reference: (...inputs) => computed(inputs, setting)[output],
    error,
    samples: [drawn(setting, sizes, hidden)],
    differentiable: [0, 1, 2, ...reached],
    cancellation: 32,
    rowwise: true,
  };
}

const lstm: Setting = { form: plain, given: ["bias"] };
const all: Setting = { form: { ...plain, reverse: true }, given: ["bias", "lengths", "state", "cellState", "mask"] };
const gru: Setting = { form: { ...plain, cell: "gru" }, given: ["bias", "candidate"] };
const keras: Setting = {
  form: { ...plain, cell: "gru", updateFirst: true, reverse: true },
  given: ["bias", "candidate", "lengths", "state", "mask"],
};
const before: Setting = { form: { ...plain, cell: "gru_before" }, given: ["bias"] };
const masked: Setting = {
  form: { ...plain, cell: "gru_before", updateFirst: true },
  given: ["bias", "lengths", "state", "mask"],
};
const elman: Setting = { form: { ...plain, cell: "rnn_tanh" }, given: ["lengths", "mask"] };

const recurrences: OperationSamples = [
  { ...usage("lstm", lstm, "y", [2, 3, 2], 3), large: drawn(lstm, [66, 9, 20], 24) },
  {
    ...usage("lstm, last", lstm, "last", [2, 2, 3], 5),
    samples: [drawn(lstm, [2, 2, 3], 5), drawn(lstm, [1, 1, 2], 17)],
  },
  { ...usage("lstm with all there is", all, "last", [4, 3, 2], 3), large: drawn(all, [37, 8, 6], 18) },
  { ...usage("lstm with all there is, y", all, "y", [4, 3, 2], 3) },
  { ...usage("lstm with all there is, cell", all, "lastCell", [3, 3, 2], 3) },
  { ...usage("gru", gru, "y", [2, 3, 2], 3), large: drawn(gru, [66, 9, 20], 24) },
  { ...usage("gru with all there is", keras, "y", [4, 3, 2], 3), large: drawn(keras, [37, 8, 6], 18) },
  { ...usage("gru with all there is, last", keras, "last", [4, 3, 2], 17) },
  { ...usage("gru_before", before, "y", [2, 3, 2], 3), large: drawn(before, [66, 9, 20], 24) },
  { ...usage("gru_before with all there is", masked, "y", [4, 3, 2], 3), large: drawn(masked, [37, 8, 6], 18) },
  { ...usage("rnn", elman, "y", [4, 3, 2], 7), large: drawn(elman, [66, 9, 20], 24) },
  {
    ...usage("rnn of relu", { form: { ...plain, cell: "rnn_relu" }, given: ["bias"] }, "last", [3, 3, 2], 6),
    refusals: [
      { inputs: [[[2, 3]], [[4, 3]], [[4, 4]], [[4]]], code: "ERR_SHAPE", where },
      { inputs: [[[2, 5, 3], "i32"], [[4, 3]], [[4, 4]], [[4]]], code: "ERR_DTYPE", where },
      { inputs: [[[2, 5, 3]], [[4, 2]], [[4, 4]], [[4]]], code: "ERR_SHAPE", where: `${where}.weight` },
      { inputs: [[[2, 5, 3]], [[4, 3]], [[3, 4]], [[4]]], code: "ERR_SHAPE", where: `${where}.recurrent` },
      { inputs: [[[2, 5, 3]], [[4, 3]], [[4, 4]], [[5]]], code: "ERR_SHAPE", where: `${where}.bias` },
    ],
  },
];

/** The same operands with a mask of each step, so that nothing is drawn for it. */
function stepped(own: Sample | undefined): Sample {
  if (own === undefined) throw new Error("no sample to derive one of");
  const [rows = 1, steps = 1] = own.inputs[0]?.shape ?? [];
  const hidden = own.inputs[2]?.shape[1] ?? 1;
  const data = Array.from({ length: rows * steps * hidden }, (_, i) => ((i * 37) % 11 < 4 ? 0 : 1.5));
  const mask: Drawn = { shape: [rows, steps, hidden], dtype: "f32", data };
  return sample([...own.inputs.slice(0, -1), mask], own.batched);
}

/** A usage whose operands end with a mask, with one of each step. */
function stepwise(of: Usage | undefined, label: string, setting: Setting, output: keyof Recurred): Usage {
  if (of === undefined) throw new Error("no usage to derive one of");
  const large = of.large === undefined ? {} : { large: stepped(of.large) };
  const own: Setting = { ...setting, stepwise: true };
  const reference = (...inputs: readonly Numbers[]): readonly number[] => computed(inputs, own)[output];
  return { ...of, label, reference, samples: [stepped(of.samples[0])], ...large };
}

const stepwiseRecurrences: OperationSamples = [
  stepwise(recurrences[2], "lstm with masks of steps", all, "last"),
  stepwise(recurrences[6], "gru with masks of steps", keras, "y"),
  stepwise(recurrences[9], "gru_before with masks of steps", masked, "y"),
  stepwise(recurrences[10], "rnn with masks of steps", elman, "y"),
];

/** Step of central differences with one extrapolation, of the float64 reference; what they leave is below 10⁻⁹. */
const H = 2 ** -8;

/** ∂Σ(y·flow)/∂(input `reached`) by differences of the reference. */
function slopes(inputs: readonly Numbers[], setting: Setting, reached: number): readonly number[] {
  const flow = inputs.at(-1)?.data ?? [];
  const loss = (by: number, element: number): number => {
    const moved = inputs.map(({ shape, data }, index) =>
      index === reached ? { shape, data: data.with(element, (data[element] ?? 0) + by) } : { shape, data },
    );
    return computed(moved, setting).y.reduce((sum, value, i) => sum + value * (flow[i] ?? 0), 0);
  };
  return (inputs[reached]?.data ?? []).map((_, element) => {
    const slope = (h: number): number => (loss(h, element) - loss(-h, element)) / (2 * h);
    return (4 * slope(H / 2) - slope(H)) / 3;
  });
}

function gradientUsage(
  label: string,
  setting: Setting,
  output: 1 | 2 | 3,
  sizes: readonly number[],
  hidden: number,
): Usage {
  const { given, form } = setting;
  const flowing = (own: Sample): Sample => {
    const [rows = 1, steps = 1] = own.inputs[0]?.shape ?? [];
    return sample([...own.inputs, floats([rows, steps, hidden], within(-1, 1))], [...own.batched, own.inputs.length]);
  };
  return {
    label,
    apply: (...inputs) => {
      const flow = inputs.at(-1);
      const value = recurrenceGradientOf(operands(inputs, given), form, { all: flow })[output];
      if (value === undefined) throw new Error("no such output");
      return value;
    },
    reference: (...inputs) => slopes(inputs, setting, output),
    // Sums over at most 30 steps of terms below 4 that are off as states are.
    error: (y) => y.map(() => U * 64 * 2 ** 4 * 30),
    samples: [flowing(drawn(setting, sizes, hidden))],
  };
}

const gradients: OperationSamples = [
  gradientUsage("lstm, weight of the input", lstm, 1, [2, 3, 2], 3),
  gradientUsage("lstm with all there is, weight of the state", all, 2, [4, 3, 2], 3),
  gradientUsage("gru, weight of the state", keras, 2, [4, 3, 2], 3),
  gradientUsage("gru_before, weight of the state", masked, 2, [4, 3, 2], 3),
  gradientUsage("rnn, weight of the input", elman, 1, [4, 3, 2], 3),
  gradientUsage("gru, bias", gru, 3, [4, 3, 2], 3),
];

/** The same, with a mask of each step in front of the flow. */
function stepwiseGradient(of: Usage | undefined, label: string, setting: Setting, output: 1 | 2): Usage {
  const [own] = of?.samples ?? [];
  if (of === undefined || own === undefined) throw new Error("no usage to derive one of");
  const { inputs, batched } = stepped({ ...own, inputs: own.inputs.slice(0, -1), batched: own.batched.slice(0, -1) });
  const flow = own.inputs.at(-1);
  const reference = (...given: readonly Numbers[]): readonly number[] =>
    slopes(given, { ...setting, stepwise: true }, output);
  const samples = [sample([...inputs, ...(flow === undefined ? [] : [flow])], [...batched, inputs.length])];
  return { ...of, label, reference, samples };
}

const stepwiseGradients: OperationSamples = [
  stepwiseGradient(gradients[1], "lstm with masks of steps, weight of the state", all, 2),
  stepwiseGradient(gradients[2], "gru with masks of steps, weight of the state", keras, 2),
  stepwiseGradient(gradients[3], "gru_before with masks of steps, weight of the state", masked, 2),
];

/** Samples of recurrences and their gradients. */
export const recurrenceSamples = {
  recurrence: [...recurrences, ...stepwiseRecurrences],
  recurrenceGradient: [...gradients, ...stepwiseGradients],
} as const satisfies Partial<Record<OperationName, OperationSamples>>;
