import type { NativeLists } from "../binding/operations.js";
import { CarillonError } from "../errors.js";
import type { OperationAttributes, RecurrenceAttributes } from "../tensor/attributes.js";
import { type Dim, extent, formatShape, type Shape, sameShape } from "../tensor/shape.js";
import type { Rule, Value, ValueSpec } from "../tensor/value.js";
import { applyAll, at, expectDtype } from "./apply.js";
import { slice } from "./arrange.js";
import { instruction } from "./encode.js";
import { matmul } from "./products.js";

/** How a cell goes from one state to the next. */
export type Cell = NativeLists["cells"];

/** Rows of the weights of a cell, in units of its hidden size. */
export const stackedGates = (cell: Cell): number =>
  cell === "lstm" ? 4 : cell === "gru" || cell === "gru_before" ? 3 : 1;

/** What is kept of a step for the way back, in the same units. */
const keptGates = (cell: Cell): number => (stackedGates(cell) === 1 ? 1 : 4);

/** Operands of a recurrence. */
export interface RecurrenceOperands {
  /** [batch, time, inputs] */
  readonly x: Value;
  /** [gates·hidden, inputs] */
  readonly weight: Value;
  /** [gates·hidden, hidden] */
  readonly recurrent: Value;
  /** [gates·hidden] */
  readonly bias?: Value | undefined;
  /** Of `gru`: [hidden], inside of its reset gate. */
  readonly candidate?: Value | undefined;
  /** [batch] i32: steps of each example; all by default. */
  readonly lengths?: Value | undefined;
  /** [batch, hidden]: state before the first step, 0 by default. */
  readonly state?: Value | undefined;
  /** Of an LSTM likewise. */
  readonly cellState?: Value | undefined;
  /** [batch, hidden]: factors of the state in the products of all steps; or [batch, time, hidden], those of each. */
  readonly mask?: Value | undefined;
}

/** What a recurrence gives. */
export interface Recurred {
  /** [batch, time, hidden]: the states, 0 behind the end of an example. */
  readonly y: Value;
  /** [batch, hidden]: the state behind the last step of each example. */
  readonly last: Value;
  /** Of an LSTM likewise. */
  readonly lastCell: Value | undefined;
}

/** Optional operands of a recurrence in their order, each with the flag that tells whether it is there. */
function optional(inputs: readonly Value[], from: number, flags: readonly boolean[]): readonly (Value | undefined)[] {
  let place = from;
  return flags.map((given) => (given ? at(inputs, place++) : undefined));
}

/** The inputs of the rule by name. */
function operandsOf(inputs: readonly Value[], own: RecurrenceAttributes): RecurrenceOperands {
  const { biased, bent, measured, begun, masked, cell } = own;
  const flags = [biased, bent, measured, begun, begun && cell === "lstm", masked];
  const [bias, candidate, lengths, state, cellState, mask] = optional(inputs, 3, flags);
  const [x, weight, recurrent] = [at(inputs, 0), at(inputs, 1), at(inputs, 2)];
  return { x, weight, recurrent, bias, candidate, lengths, state, cellState, mask };
}

/** Sizes of an input [batch, time, inputs]; `ERR_SHAPE`. */
function sequenceOf(where: string, { shape }: Value): readonly [batch: Dim, steps: number, inputs: number] {
  const [batch, steps, inputs] = shape;
  if (shape.length === 3 && batch !== undefined && typeof steps === "number" && typeof inputs === "number")
    return [batch, steps, inputs];
  throw new CarillonError(
    "ERR_SHAPE",
    where,
    `expected [batch, time, features] for '${where}' but received ${formatShape(shape)}`,
  );
}

function expectShape(where: string, value: Value | undefined, wanted: Shape): void {
  if (value === undefined) return;
  expectDtype(where, value, "f32");
  if (sameShape(value.shape, wanted)) return;
  throw new CarillonError(
    "ERR_SHAPE",
    where,
    `expected ${formatShape(wanted)} for '${where}' but received ${formatShape(value.shape)}`,
  );
}

const f32 = (shape: Shape): ValueSpec => ({ shape, dtype: "f32" });

function numbersOf(x: Value, { where, hidden, cell, reverse, updateFirst, stepwise }: RecurrenceAttributes) {
  const [batch, steps, inputs] = sequenceOf(where, x);
  return { rows: extent([batch]), steps, inputs, hidden, cell, reverse, updateFirst, stepwise };
}

/** What flows back to a recurrence. */
interface Flows {
  readonly all?: Value | undefined;
  readonly last?: Value | undefined;
  readonly lastCell?: Value | undefined;
}

/** The outputs of the gradient of a recurrence from its outputs and what flows to them. */
function backwards(
  { x, recurrent, lengths, state, cellState, mask }: RecurrenceOperands,
  outputs: readonly Value[],
  { all, last, lastCell }: Flows,
  own: RecurrenceAttributes,
): readonly Value[] {
  const cells = own.cell === "lstm" ? at(outputs, 2) : undefined;
  const given = [cells, lengths, state, cellState, mask, all, last, lastCell].filter((value) => value !== undefined);
  const flowing = { all: all !== undefined, last: last !== undefined, lastCell: lastCell !== undefined };
  const inputs = [x, recurrent, at(outputs, 1), at(outputs, 0), ...given];
  return applyAll(recurrenceGradientRule, inputs, { ...own, flowing });
}

/** Outputs y, gates, the cells of an LSTM, the last state, the last cell of an LSTM. */
const recurrenceRule: Rule<"recurrence"> = {
  name: "recurrence",
  infer(inputs, own) {
    const { where, hidden, cell } = own;
    const { x, weight, recurrent, bias, candidate, lengths, state, cellState, mask } = operandsOf(inputs, own);
    const [batch, steps, features] = sequenceOf(where, x);
    expectDtype(where, x, "f32");
    const stacked = stackedGates(cell) * hidden;
    expectShape(`${where}.weight`, weight, [stacked, features]);
    expectShape(`${where}.recurrent`, recurrent, [stacked, hidden]);
    expectShape(`${where}.bias`, bias, [stacked]);
    expectShape(`${where}.candidate`, candidate, [hidden]);
    expectShape(`${where}.state`, state, [batch, hidden]);
    expectShape(`${where}.cellState`, cellState, [batch, hidden]);
    expectShape(`${where}.mask`, mask, own.stepwise ? [batch, steps, hidden] : [batch, hidden]);
    if (lengths !== undefined) {
      expectDtype(`${where}.lengths`, lengths, "i32");
      if (!sameShape(lengths.shape, [batch])) {
        const expected = `expected ${formatShape([batch])} for '${where}.lengths'`;
        throw new CarillonError(
          "ERR_SHAPE",
          `${where}.lengths`,
          `${expected} but received ${formatShape(lengths.shape)}`,
        );
      }
    }
    const all = f32([batch, steps, hidden]);
    const one = f32([batch, hidden]);
    const gates = f32([batch, steps, keptGates(cell) * hidden]);
    return cell === "lstm" ? [all, gates, all, one, one] : [all, gates, one];
  },
  lower(inputs, outputs, own) {
    const { cell } = own;
    const operands = operandsOf(inputs, own);
    const [y, gates] = [at(outputs, 0), at(outputs, 1)];
    const lstm = cell === "lstm";
    const last = at(outputs, lstm ? 3 : 2);
    const cells = lstm ? { cells: at(outputs, 2), lastCell: at(outputs, 4) } : {};
    return instruction("recurrence", { ...operands, y, gates, last, ...cells }, numbersOf(operands.x, own));
  },
  gradient(inputs, outputs, flows, own) {
    const operands = operandsOf(inputs, own);
    const { weight, bias, candidate, lengths, state, cellState, mask } = operands;
    const lstm = own.cell === "lstm";
    const [all, last, lastCell] = lstm ? [flows[0], flows[3], flows[4]] : [flows[0], flows[2]];
    const parts = backwards(operands, outputs, { all, last, lastCell }, own);
    const [flow, dweight, drecurrent, dbias] = parts;
    const [dcandidate, dstate, dcellState] = optional(parts, 4, [own.bent, own.begun, own.begun && lstm]);
    if (flow === undefined) return [];
    const stacked = stackedGates(own.cell);
    const toInput = keptGates(own.cell) === stacked ? flow : slice(flow, 0, stacked * own.hidden, { axis: 2 });
    const behind = [
      [bias, dbias],
      [candidate, dcandidate],
      [lengths, undefined],
      [state, dstate],
      [cellState, dcellState],
      [mask, undefined],
    ] as const;
    return [
      matmul(toInput, weight),
      dweight,
      drecurrent,
      ...behind.filter(([input]) => input !== undefined).map(([, part]) => part),
    ];
  },
};

/**
 * Inputs x, the weight of the state, gates and y of the recurrence, then what there is of cells, lengths, state, cell state, mask and the flows to y,
 * the last state and the last cell. Outputs: the flow to W·x of each step, the gradients of both weights and of the bias, then of what there is of
 * candidate, state and cell state. Sums over steps go example by example, none behind its end.
 */
const recurrenceGradientRule: Rule<"recurrenceGradient"> = {
  name: "recurrenceGradient",
  infer(inputs, { hidden, cell, bent, begun, where }) {
    const [batch, , features] = sequenceOf(where, at(inputs, 0));
    const stacked = stackedGates(cell) * hidden;
    const state = f32([batch, hidden]);
    return [
      { shape: at(inputs, 2).shape, dtype: "f32" },
      f32([stacked, features]),
      f32([stacked, hidden]),
      f32([stacked]),
      ...(bent ? [f32([hidden])] : []),
      ...(begun ? [state] : []),
      ...(begun && cell === "lstm" ? [state] : []),
    ];
  },
  lower(inputs, outputs, own) {
    const { cell, measured, begun, masked, bent, flowing } = own;
    const lstm = cell === "lstm";
    const flags = [lstm, measured, begun, begun && lstm, masked, flowing.all, flowing.last, flowing.lastCell];
    const [cells, lengths, state, cellState, mask, dy, dlast, dlastCell] = optional(inputs, 4, flags);
    const [dcandidate, dstate, dcellState] = optional(outputs, 4, [bent, begun, begun && lstm]);
    const [x, recurrent, gates, y] = [at(inputs, 0), at(inputs, 1), at(inputs, 2), at(inputs, 3)];
    const read = { x, recurrent, gates, y, cells, lengths, state, cellState, mask, dy, dlast, dlastCell };
    const [flow, dweight, drecurrent, dbias] = [at(outputs, 0), at(outputs, 1), at(outputs, 2), at(outputs, 3)];
    const written = { flow, dweight, drecurrent, dbias, dcandidate, dstate, dcellState };
    return instruction("recurrence_gradient", { ...read, ...written }, numbersOf(x, own));
  },
  gradient: null,
  refusesGradient: "the gradient of a recurrence has no gradient of its own",
  inPlace: 2,
};

/** Which operands there are, and the form of the cell. */
export interface RecurrenceForm {
  readonly cell: Cell;
  /** From the last step of each example to its first. */
  readonly reverse: boolean;
  /** Whether the update gate of a GRU stands before its reset gate. */
  readonly updateFirst: boolean;
  /** The function that a caller knows, for messages. */
  readonly where: string;
}

/** The inputs and attributes of the rule. */
function applied(operands: RecurrenceOperands, form: RecurrenceForm) {
  const { x, weight, recurrent, bias, candidate, lengths, state, cellState, mask } = operands;
  const [hidden] = recurrent.shape.slice(-1);
  if (typeof hidden !== "number" || recurrent.shape.length !== 2) {
    const expected = `expected [gates, hidden] for '${form.where}.recurrent'`;
    throw new CarillonError("ERR_SHAPE", form.where, `${expected} but received ${formatShape(recurrent.shape)}`);
  }
  const own: OperationAttributes["recurrence"] = {
    ...form,
    hidden,
    biased: bias !== undefined,
    bent: candidate !== undefined,
    measured: lengths !== undefined,
    begun: state !== undefined,
    masked: mask !== undefined,
    stepwise: mask?.shape.length === 3,
  };
  const given = [x, weight, recurrent, bias, candidate, lengths, state, cellState, mask];
  return { inputs: given.filter((input) => input !== undefined), own };
}

/**
 * A recurrence over all steps of a sequence, with t = R·(h·mask), the mask being that of the step, and gates stacked in the order that is named:
 *
 *     lstm i, f, g, o   i, f, o = σ(W·x + b + t), g = tanh(W·x + b + t), c ← f·c + i·g, h ← o·tanh(c)
 *     gru r, z, n       r, z = σ(W·x + b + t), n = tanh(W·x + b + r·(t + candidate)), h ← n + z·(h − n)
 *     gru_before        n = tanh(W·x + b + Rₙ·(r·(h·mask))), all else likewise
 *     rnn_tanh, rnn_relu  h ← f(W·x + b + t)
 *
 * Where a product is added to something the two are one rounding, as c = fma(f, c, i·g). States, cells and flows below 2⁻¹²⁶ are 0. An example ends with its length:
 * nothing of what lies behind is read.
 */
export function recurrence(operands: RecurrenceOperands, form: RecurrenceForm): Recurred {
  const { inputs, own } = applied(operands, form);
  const outputs = applyAll(recurrenceRule, inputs, own);
  const lstm = form.cell === "lstm";
  return { y: at(outputs, 0), last: at(outputs, lstm ? 3 : 2), lastCell: lstm ? at(outputs, 4) : undefined };
}

/** A recurrence and the outputs of its gradient: see its rule. */
export function recurrenceGradientOf(
  operands: RecurrenceOperands,
  form: RecurrenceForm,
  flows: Flows,
): readonly Value[] {
  const { inputs, own } = applied(operands, form);
  return backwards(operands, applyAll(recurrenceRule, inputs, own), flows, own);
}

/** Rules of this file, for the tests that walk all operations. */
export const recurrenceRules = { recurrence: recurrenceRule, recurrenceGradient: recurrenceGradientRule } as const;
