// Recurrent operators as layers, and norms of the last axis.
import { gru, type Layer, layerNorm, lstm, ops, rmsNorm, rnn } from "../../../index.js";
import type { OnnxNode } from "../format.js";
import type { Importing, Operator } from "../importing.js";
import { reordered } from "../moves.js";
import { type Computed, type Dims, layerStep, operationStep, reshapedStep, type Step, unary } from "../steps.js";
import { lastAlone } from "./shapes.js";

type Cell = "LSTM" | "GRU" | "RNN";

/** Places of our gates among ONNX's: i, f, g, o of i, o, f, c; r, z, n of z, r, h. */
const GATES: Readonly<Record<Cell, readonly number[]>> = { LSTM: [0, 2, 3, 1], GRU: [1, 0, 2], RNN: [0] };

/** Functions of each cell where a file names none. */
const FUNCTIONS: Readonly<Record<Cell, readonly string[]>> = {
  LSTM: ["sigmoid", "tanh", "tanh"],
  GRU: ["sigmoid", "tanh"],
  RNN: ["tanh"],
};

/** Whether all cells have the functions that layers have; of a plain one whether they are relu. */
function functionsOf(of: Importing, node: OnnxNode, cell: Cell, directions: number): "tanh" | "relu" {
  const given = (node.attributes.get("activations")?.texts ?? []).map((name) => name.toLowerCase());
  const own = FUNCTIONS[cell];
  if (given.length === 0) return "tanh";
  const wanted = Array.from({ length: directions }, () => own).flat();
  if (given.join() === wanted.join()) return "tanh";
  if (cell === "RNN" && given.length === directions && given.every((name) => name === "relu")) return "relu";
  return of.refuse(node, `the functions ${given.join(", ")}`);
}

/** Weights of one direction, as layers have them. */
interface Direction {
  readonly weight: Float32Array;
  readonly recurrent: Float32Array;
  readonly bias: Float32Array | undefined;
  readonly recurrentBias: Float32Array | undefined;
}

function directionOf(of: Importing, node: OnnxNode, cell: Cell, which: number, directions: number): Direction {
  const [w, r, b] = [of.weights(node, 1), of.weights(node, 2), of.weights(node, 3)];
  if (w === undefined || r === undefined) return of.refuse(node, "no weights");
  const part = ({ length }: Float32Array): readonly [number, number] => [
    (which * length) / directions,
    ((which + 1) * length) / directions,
  ];
  const order = GATES[cell];
  const own = (data: Float32Array): Float32Array => reordered(data.subarray(...part(data)), order);
  const biases = b?.data.subarray(...part(b.data));
  const half = (biases?.length ?? 0) / 2;
  return {
    weight: own(w.data),
    recurrent: own(r.data),
    bias: biases && reordered(biases.subarray(0, half), order),
    recurrentBias: biases && reordered(biases.subarray(half), order),
  };
}

/** Parameters of a layer by their keys; of a second direction with `reverse` in front. */
function parametersOf(cell: Cell, isAfter: boolean, all: readonly Direction[]): Readonly<Record<string, Float32Array>> {
  const found: Record<string, Float32Array> = {};
  for (const [at, { weight, recurrent, bias, recurrentBias }] of all.entries()) {
    const key = (name: string): string =>
      at === 0 ? name : `reverse${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;
    found[key("weight")] = weight;
    found[key("recurrent")] = recurrent;
    if (bias === undefined || recurrentBias === undefined) continue;
    const isOne = cell === "GRU" && !isAfter;
    // In front of the product of the state both biases are added to the same sum.
    found[key("bias")] = isOne ? bias.map((value, place) => value + (recurrentBias[place] ?? 0)) : bias;
    if (!isOne) found[key("recurrentBias")] = recurrentBias;
  }
  return found;
}

/** `ERR_FILE` for a first state that is not 0, and for lengths. */
function expectPlain(of: Importing, node: OnnxNode): void {
  const isZero = (at: number): boolean => {
    if (!of.has(node, at)) return true;
    const constant = of.constant(node, at);
    if (constant === undefined) return true;
    return constant.fill === undefined
      ? of.floatsOf(node, constant).every((value) => value === 0)
      : constant.fill === 0;
  };
  if (of.has(node, 4)) of.refuse(node, "lengths of examples");
  if (!isZero(5) || !isZero(6)) of.refuse(node, "a first state that is not 0");
  if (of.has(node, 7)) of.refuse(node, "peepholes");
  if (node.attributes.has("clip")) of.refuse(node, "a clip of the cell");
  of.expect(node, "input_forget", of.integer(node, "input_forget", 0), [0]);
}

/** The last state of a direction, [batch, hidden], of the states of all steps. */
function lastOf(step: Step, hidden: number, at: number, time: number): Step {
  const place = at === 0 ? time - 1 : 0;
  const dims: Dims = ["batch", 1, hidden];
  const cut = operationStep(
    [step],
    dims,
    unary((x) => ops.slice(x, [place, at * hidden], [place + 1, (at + 1) * hidden], { axis: [1, 2] })),
  );
  return reshapedStep(cut, ["batch", hidden]);
}

function recurrent(of: Importing, node: OnnxNode, cell: Cell): void {
  expectPlain(of, node);
  const value = of.floating(node);
  const isBatchFirst = of.integer(node, "layout", 0) === 1;
  if (value.groups.length !== 3) of.refuse(node, `${value.groups.length} axes`);
  const given = of.arranged(node, value, isBatchFirst ? [0, 1, 2] : [1, 0, 2]);
  const [, time = 1, inputs = 1] = given.dims.map(Number);
  const direction = of.text(node, "direction", "forward");
  of.expect(node, "direction", direction, ["forward", "reverse", "bidirectional"]);
  const directions = direction === "bidirectional" ? 2 : 1;
  const w = of.weights(node, 1)?.dims ?? [];
  const r = of.weights(node, 2)?.dims ?? [];
  const hidden = Number(r[2]);
  const stacked = GATES[cell].length * hidden;
  const isFit =
    [w, r].every((dims) => dims.length === 3 && dims[0] === directions && dims[1] === stacked) && w[2] === inputs;
  const b = of.weights(node, 3)?.dims;
  if (!isFit || (b !== undefined && (b.length !== 2 || b[0] !== directions || b[1] !== 2 * stacked)))
    of.refuse(node, `weights of [${w.join(", ")}] and [${r.join(", ")}] for ${inputs} features`);
  const activation = functionsOf(of, node, cell, directions);
  const isAfter = cell === "GRU" && of.integer(node, "linear_before_reset", 0) !== 0;
  const all = Array.from({ length: directions }, (_, at) => directionOf(of, node, cell, at, directions));
  const isSequence = of.uses(node.outputs[0] ?? "") > 0;
  const isLast = of.uses(node.outputs[1] ?? "") > 0;
  if (of.uses(node.outputs[2] ?? "") > 0) of.refuse(node, "the last cell as a result");
  const bias = b !== undefined;
  // Two biases, as PyTorch has them, which a file of ONNX keeps apart.
  const preset = bias && !(cell === "GRU" && !isAfter) ? ("pytorch" as const) : undefined;
  const options = { sequences: isSequence || direction === "reverse", bidirectional: directions === 2, bias, preset };
  const make = (): Layer =>
    cell === "LSTM"
      ? lstm(inputs, hidden, options)
      : cell === "GRU"
        ? gru(inputs, hidden, { ...options, resetAfter: isAfter })
        : rnn(inputs, hidden, { ...options, activation });
  const width = hidden * directions;
  const dims: Dims = options.sequences ? ["batch", time, width] : ["batch", width];
  const turnedOver = direction === "reverse";
  if (turnedOver && time > STEPS) of.refuse(node, `${time} steps from the last to the first`);
  // A layer of one direction goes forward: its input and its outputs are turned over in time.
  const from = turnedOver ? reversedStep(given, time) : given;
  const made = layerStep(from, make(), dims, parametersOf(cell, isAfter, all));
  const step = turnedOver ? reversedStep(made, time) : made;
  if (isSequence) of.set(node.outputs[0], sequenceOf(step, directions, hidden, isBatchFirst));
  if (isLast)
    of.set(
      node.outputs[1],
      lastStates(step, options.sequences, { directions, hidden, time, isBatchFirst, turnedOver }),
    );
}

/** Steps that are turned over one by one. */
const STEPS = 4096;

/** The steps of a sequence in the other order. */
function reversedStep(step: Step, time: number): Step {
  return operationStep(
    [step],
    step.dims,
    unary((x) =>
      ops.concat(
        Array.from({ length: time }, (_, at) => ops.slice(x, time - 1 - at, time - at, { axis: 1 })),
        { axis: 1 },
      ),
    ),
  );
}

/** [time, directions, batch, hidden] of [batch, time, directions·hidden]. */
function sequenceOf(step: Step, directions: number, hidden: number, isBatchFirst: boolean): Computed {
  const [, time = 1] = step.dims;
  const own = directions === 1 ? step : reshapedStep(step, ["batch", time, directions, hidden]);
  const groups = directions === 1 ? [[1], [], [0], [2]] : [[1], [2], [0], [3]];
  const [first = [], second = [], third = [], last = []] = groups;
  return { kind: "computed", step: own, groups: isBatchFirst ? [third, first, second, last] : groups };
}

/** [directions, batch, hidden]. */
function lastStates(
  step: Step,
  isSequence: boolean,
  of: {
    readonly directions: number;
    readonly hidden: number;
    readonly time: number;
    readonly isBatchFirst: boolean;
    readonly turnedOver: boolean;
  },
): Computed {
  const { directions, hidden, time, isBatchFirst, turnedOver } = of;
  const order = (groups: readonly (readonly number[])[]): readonly (readonly number[])[] => {
    const [first = [], second = [], third = []] = groups;
    return isBatchFirst ? [second, first, third] : groups;
  };
  if (directions === 1) {
    const last = isSequence ? lastOf(step, hidden, 0, turnedOver ? 1 : time) : step;
    return { kind: "computed", step: last, groups: order([[], [0], [1]]) };
  }
  const all = isSequence
    ? operationStep(
        [lastOf(step, hidden, 0, time), lastOf(step, hidden, 1, time)],
        ["batch", directions * hidden],
        (parts) => ops.concat(parts),
      )
    : step;
  return { kind: "computed", step: reshapedStep(all, ["batch", directions, hidden]), groups: order([[1], [0], [2]]) };
}

/** Norms of the last axis. */
function rowNorm(of: Importing, node: OnnxNode, isCentered: boolean): void {
  const value = of.floating(node);
  const rank = value.groups.length;
  if (of.axis(node, of.integer(node, "axis", -1), rank) !== rank - 1)
    of.refuse(node, "a norm of several axes together");
  if (node.outputs.slice(1).some((name) => of.uses(name) > 0)) of.refuse(node, "figures of a norm as results");
  const { step, groups } = lastAlone(of, node, value);
  const size = Number(step.dims.at(-1));
  const [scale, shift] = [1, 2].map((at) => of.weights(node, at)?.data);
  if (scale?.length !== size || (shift !== undefined && shift.length !== size)) {
    throw of.refusal(node, `factors of other sizes than ${size} features`);
  }
  const epsilon = of.float(node, "epsilon", 1e-5);
  const made = isCentered
    ? layerStep(step, layerNorm(size, { epsilon }), step.dims, { scale, shift: shift ?? new Float32Array(size) })
    : layerStep(step, rmsNorm(size, { epsilon }), step.dims, { scale });
  of.set(node.outputs[0], { kind: "computed", step: made, groups });
}

export const recurrentOperators: Readonly<Record<string, Operator>> = {
  LSTM: (of, node) => recurrent(of, node, "LSTM"),
  GRU: (of, node) => recurrent(of, node, "GRU"),
  RNN: (of, node) => recurrent(of, node, "RNN"),
  LayerNormalization: (of, node) => rowNorm(of, node, true),
  RMSNormalization: (of, node) => rowNorm(of, node, false),
  SimplifiedLayerNormalization: (of, node) => rowNorm(of, node, false),
};
