import type { BoundExamples } from "../../data/bind.js";
import type { Affine } from "../../data/transform.js";
import { CarillonError, describe } from "../../errors.js";
import { chooseRows } from "../../ops/elementwise.js";
import * as ops from "../../ops/index.js";
import { passLengths, setSteps, stepsOf, weighedSteps } from "../../ops/sequence.js";
import { areNamed, inputOf, listsOf, pathsOf, type RowSpecs } from "../../tensor/row_spec.js";
import { extent, formatShape } from "../../tensor/shape.js";
import { type Tensor, tensor } from "../../tensor/tensor.js";
import { Value } from "../../tensor/value.js";
import { type Loss, lossOfMembers, targetShape } from "../losses/loss.js";
import type { OutputLoss } from "../losses/outputs.js";
import type { Measured } from "../metrics/meter.js";
import type { Lanes } from "../structure/structure.js";
import type { CarriedLanes } from "./carried.js";

/** The sums over a batch that the figures of an output are made of, both scalars, and what metrics look at. */
export interface OutputObjective extends Measured {
  /** Σ wℓ */
  readonly total: Value;
  /** Σ w */
  readonly weight: Value;
  /** Whether examples weigh anything else than 1, so that Σ w may be 0. */
  readonly weighs: boolean;
}

/** An objective of all outputs, in their order. */
export interface Objective {
  readonly outputs: readonly OutputObjective[];
  /** Σ over outputs of the loss's weight times Σ wℓ/Σ w, which is 0 for a batch that weighs nothing. */
  readonly mean: Value;
}

/** Who looks at what is computed on the way. */
export interface Watcher {
  layer(name: string, output: Value): void;
  /** [batch], of the loss of an output. */
  losses(losses: Value, output: string | undefined): void;
}

/** A model that can be recorded. */
export interface Recordable {
  readonly rows: RowSpecs;
  /** The outputs of these inputs, in the order of `rows`; `tell` is told what every layer gives. */
  recordRows(
    inputs: readonly Value[],
    tell?: Watcher["layer"],
    shares?: undefined,
    lanes?: Lanes | undefined,
  ): readonly Value[];
}

/** The part of bound examples that an objective goes by. */
export type Recorded = Pick<BoundExamples, "inputs" | "lists" | "outputs">;

/**
 * The inputs of a batch of `examples`, in the units of the network.
 *
 * @param batch Rows of the batch, or of a part of it, at most.
 */
export function recordInputs(
  { inputs }: RowSpecs,
  examples: Pick<Recorded, "inputs" | "lists">,
  batch: number,
): readonly Value[] {
  return pathsOf("x", inputs).map((name, at) => {
    const spec = { ...(inputs[at] ?? missing("an input")), name };
    const lists = examples.lists[at];
    if (lists !== undefined) {
      return listsOf(spec, { room: lists.room(batch), weights: lists.weighted ? "given" : "none" });
    }
    const x = inputOf(spec);
    const left = examples.inputs[at];
    return left === undefined ? x : toUnits(x, left);
  });
}

/** Sequences of which a batch needs the first steps alone, as its rows are short. */
export interface TrimmedTime {
  readonly steps: number;
  /** Steps that the model says. */
  readonly of: number;
  /** Places of the inputs that are steps. */
  readonly inputs: ReadonlySet<number>;
}

/** Options of {@link recordObjective}. */
export interface ObjectiveOptions extends Partial<Watcher> {
  readonly carried?: CarriedLanes | undefined;
  readonly time?: TrimmedTime | undefined;
}

/** The first steps of a value. */
const trimmed = (value: Value, { steps, of }: TrimmedTime): Value =>
  steps === of ? value : ops.slice(value, 0, steps, { axis: 1 });

/** What metrics look at, with as many steps as ever, those behind the first ones 0. */
function untrimmed(objective: OutputObjective, target: Value, { steps: count, of }: TrimmedTime): OutputObjective {
  const whole = (value: Value): Value => ops.pad(value, 0, of - count, { axis: 1 });
  const { output, steps } = objective;
  return {
    ...objective,
    output: whole(output),
    target,
    steps: steps && { ...steps, count: of, mask: whole(steps.mask) },
  };
}

/** Records forward and losses of a batch of `examples`, whose rows are those of {@link recordInputs}; `carried` is where these go on from one another. */
export function recordObjective(
  model: Recordable,
  losses: readonly OutputLoss[],
  examples: Recorded,
  batch: number,
  { carried, time, ...watcher }: ObjectiveOptions = {},
): Objective {
  const { rows } = model;
  const given = recordInputs(rows, examples, batch).map((input, at) =>
    time?.inputs.has(at) ? trimmed(input, time) : input,
  );
  const predicted = model.recordRows(given, watcher.layer, undefined, carried?.record());
  carried?.expectKeepers();
  const paths = pathsOf("y", rows.outputs);
  const weights = new Map<string, Value>(); // outputs may share theirs
  const outputs = predicted.map((output, at) => {
    const { loss } = losses[at] ?? missing("a loss");
    const { weight, zeros, factors } = examples.outputs[at] ?? missing("targets");
    const target = targetOf(paths[at] ?? "y", loss, rows.outputs[at]?.shape ?? []);
    const own = weight === undefined ? undefined : (weights.get(weight) ?? numbersOf(weight));
    if (weight !== undefined && own !== undefined) weights.set(weight, own);
    const named = areNamed("y", rows.outputs) ? rows.outputs[at]?.name : undefined;
    const weighing = { weights: own, zeros, factors };
    const isTrimmed = time !== undefined && time.steps < time.of && output.shape[1] === time.steps;
    if (!(isTrimmed && rows.outputs[at]?.shape[0] === time.of))
      return recordOutput(output, target, weighing, loss, named, watcher);
    return untrimmed(recordOutput(output, trimmed(target, time), weighing, loss, named, watcher), target, time);
  });
  return { outputs, mean: meanOf(outputs, losses) };
}

function missing(what: string): never {
  throw new CarillonError("ERR_STATE", "loss", `expected ${what} for every output`);
}

/** A number a row. */
function numbersOf(name: string): Value {
  return inputOf({ name, shape: [], dtype: "f32" });
}

function targetOf(name: string, loss: Loss, shape: readonly number[]): Value {
  return inputOf({ name, shape: targetShape(loss, shape), dtype: loss.target === "classes" ? "i32" : "f32" });
}

/** What the rows of an output weigh. */
interface Weighing {
  readonly weights: Value | undefined;
  /** Whether a weight may be 0. */
  readonly zeros: boolean;
  /** Of the classes, where a row has several. */
  readonly factors: readonly number[] | undefined;
}

/** @param named Name of the output, where it has one. */
function recordOutput(
  output: Value,
  target: Value,
  { weights, zeros, factors }: Weighing,
  loss: Loss,
  named: string | undefined,
  watcher: Partial<Watcher>,
): OutputObjective {
  // What weighs nothing is left out by a select, not by 0·ℓ: its loss may be infinite, and so may a slope on the way back.
  const chosen = zeros ? weights : undefined;
  const steps = factors === undefined ? stepsOf(output) : weighedSteps(output, ops.take(row(factors), target));
  const choose = (member: Value): Value => {
    const rows = chooseRows(member, chosen);
    if (rows !== member) passLengths(member, rows);
    if (steps?.weighed) setSteps(rows, steps);
    return rows;
  };
  const losses = lossOfMembers(output, (member) => loss(choose(member), target, chosen));
  if (!(losses instanceof Value) || losses.dtype !== "f32" || extent(losses.shape) !== -1) {
    const received = losses instanceof Value ? formatShape(losses.shape) : describe(losses);
    const where = named === undefined ? "loss" : `loss.${named}`;
    throw new CarillonError(
      "ERR_SHAPE",
      where,
      `expected one number an example, [batch], for '${where}' but received ${received}`,
    );
  }
  const flat = chooseRows(ops.reshape(losses, ["batch"]), chosen);
  watcher.losses?.(flat, named);
  // Of sequences with lengths each step counts the same: the mean over its own steps has the weight of all of them.
  const own = steps === undefined ? weights : weighted(steps.lengths, weights);
  const total = ops.sum(own === undefined ? flat : ops.multiply(flat, own));
  const weight = own === undefined ? ops.rowCount() : ops.sum(own);
  return { total, weight, output, target, weights, steps, weighs: own !== undefined };
}

/** What the steps of each example weigh together, [batch]. */
function weighted(lengths: Value, weights: Value | undefined): Value {
  const own = ops.reshape(lengths, ["batch"]);
  return weights === undefined ? own : ops.multiply(own, ops.reshape(weights, ["batch"]));
}

/** The scalar that is minimized: Σ over outputs of the loss's weight times its mean. One output that counts once is its mean. */
function meanOf(outputs: readonly OutputObjective[], losses: readonly OutputLoss[]): Value {
  const terms = outputs.map(({ total, weight, weighs }, at) => {
    const mean = ops.divide(total, divisorOf(weight, weighs));
    const factor = losses[at]?.weight ?? 1;
    return factor === 1 ? mean : ops.multiply(mean, factor);
  });
  const [first, ...others] = terms;
  return others.reduce((sum, term) => ops.add(sum, term), first ?? missing("an output"));
}

function row(values: readonly number[]): Tensor {
  return tensor(Float32Array.from(values), [values.length]);
}

/** (value − shift)/scale, column by column. */
function toUnits(value: Value, { shift, scale }: Affine): Value {
  return ops.divide(ops.subtract(value, row(shift)), row(scale));
}

/** 2⁻¹²⁶, the smallest normal number. */
const SMALLEST = 1.1754943508222875e-38;

/** Σ w to divide by. A batch may weigh nothing; then Σ wℓ is 0 as well, and so are its mean and its gradients. */
export function divisorOf(weight: Value, weighted: boolean): Value {
  return weighted ? ops.maximum(weight, SMALLEST) : weight;
}
