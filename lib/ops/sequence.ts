// Lengths of sequences that are padded to one number of steps: they go along with values, and layers that keep the steps pass them on.
import { CarillonError } from "../errors.js";
import { elements, extent, formatShape, type Shape, sameShape } from "../tensor/shape.js";
import type { Rule, Value } from "../tensor/value.js";
import { apply, at, checkValue, expectDtype, f32 } from "./apply.js";
import { renamed, reshape } from "./broadcast.js";
import { multiply, reluGradient } from "./elementwise.js";
import { instruction } from "./encode.js";
import { sum } from "./sums.js";

const LENGTHS = new WeakMap<Value, Value>();

/**
 * `x`, [batch, time, …], as sequences that end with their lengths, [batch] i32 from 0 to time: recurrent layers go so many steps of each example, and nothing of
 * what lies behind changes a bit of their results. Layers of a model that keep batch and time pass the lengths on. A length outside is `ERR_DATA`, with
 * input and row, before a step changes anything.
 */
export function sequence(x: Value, lengths: Value): Value {
  checkValue("sequence", x);
  checkValue("sequence.lengths", lengths);
  expectDtype("sequence.lengths", lengths, "i32");
  const batch = x.shape.slice(0, 1);
  if (x.shape.length < 2 || !sameShape(lengths.shape, batch)) {
    const expected = "expected [batch, time, …] and lengths of [batch] for 'sequence'";
    const received = `${formatShape(x.shape)} and ${formatShape(lengths.shape)}`;
    throw new CarillonError("ERR_SHAPE", "sequence", `${expected} but received ${received}`);
  }
  const y = renamed(x);
  LENGTHS.set(y, lengths);
  SEQUENCES.set(lengths, [...sequencesOf(lengths), x]);
  return y;
}

const SEQUENCES = new WeakMap<Value, readonly Value[]>();

/** What was said to end with these lengths. */
export function sequencesOf(lengths: Value): readonly Value[] {
  return SEQUENCES.get(lengths) ?? [];
}

const MEMORIES = new WeakMap<Value, Value>();

/**
 * `x`, [batch, time, size], as queries to a memory, [batch, keys, size]: a layer of {@link attention} looks at that instead of `x` itself, up to
 * the lengths that the memory has of {@link sequence}.
 */
export function attendTo(x: Value, memory: Value): Value {
  checkValue("attendTo", x);
  checkValue("attendTo.memory", memory);
  const [batch, , size] = memory.shape;
  const fits = x.shape.length === 3 && memory.shape.length === 3 && x.shape[0] === batch && x.shape[2] === size;
  if (!fits) {
    const expected = "expected [batch, time, size] and a memory of [batch, keys, size] for 'attendTo'";
    const received = `${formatShape(x.shape)} and ${formatShape(memory.shape)}`;
    throw new CarillonError("ERR_SHAPE", "attendTo", `${expected} but received ${received}`);
  }
  const y = renamed(x);
  passLengths(x, y);
  MEMORIES.set(y, memory);
  return y;
}

/** The memory that queries look at, if any. */
export function memoryOf(x: Value): Value | undefined {
  return MEMORIES.get(x);
}

/** The lengths that a value has, if any. */
export function lengthsOf(x: Value): Value | undefined {
  return LENGTHS.get(x);
}

const stepMaskRule: Rule<"stepMask"> = {
  name: "stepMask",
  infer(inputs, { steps }) {
    expectDtype("sequence.lengths", at(inputs, 0), "i32");
    return f32([...at(inputs, 0).shape, steps]);
  },
  lower(inputs, outputs, { steps }) {
    const lengths = at(inputs, 0);
    return instruction("step_mask", { lengths, y: at(outputs, 0) }, { rows: extent(lengths.shape), steps });
  },
  gradient: null,
};

/** [batch, steps] from lengths [batch]: 1 for the steps of an example, 0 behind its end. A length outside is `ERR_DATA`. */
export const stepMask = (lengths: Value, steps: number): Value => apply(stepMaskRule, [lengths], { steps });

/** The steps of a value that has lengths, or whose steps weigh something of their own. */
export interface Steps {
  /** Of the padded sequence. */
  readonly count: number;
  /** [batch, count]: 1 for the steps of an example, or what each weighs; 0 behind its end. */
  readonly mask: Value;
  /** [batch]: the length of each, as a number, or what its steps weigh together. */
  readonly lengths: Value;
  /** Whether steps weigh anything else than 1. */
  readonly weighed?: true | undefined;
}

const STEPS = new WeakMap<Value, Steps>();

/** The steps of `x`, the same at every call; `undefined` where it has no lengths. */
export function stepsOf(x: Value): Steps | undefined {
  const known = STEPS.get(x);
  const lengths = LENGTHS.get(x);
  const count = x.shape[1];
  if (known !== undefined || lengths === undefined || typeof count !== "number") return known;
  const mask = stepMask(lengths, count);
  const steps = { count, mask, lengths: sum(mask, { axis: "last" }) };
  STEPS.set(x, steps);
  return steps;
}

/** Steps of `x`, [batch, …] of so many places, whose weights, [batch, …] ≥ 0, count beside the lengths of `x`. */
export function weighedSteps(x: Value, weights: Value): Steps {
  const count = elements(weights.shape.slice(1));
  const own = reshape(weights, [...weights.shape.slice(0, 1), count]);
  const known = stepsOf(x);
  const mask = known === undefined || known.count !== count ? own : multiply(known.mask, own);
  return { count, mask, lengths: sum(mask, { axis: "last" }), weighed: true };
}

/** Says which steps `x` has. */
export function setSteps(x: Value, steps: Steps): void {
  STEPS.set(x, steps);
}

/** `x`, [batch, count, …], with 0 behind the end of each example, whatever stands there: a select, no product. */
export function chooseSteps(x: Value, { count, mask }: Steps): Value {
  const [batch = 1] = x.shape;
  const width = elements(x.shape.slice(1)) / count;
  const rows: Shape = [batch, count, width];
  return reshape(reluGradient(reshape(x, rows), reshape(mask, [batch, count, 1])), x.shape);
}

/** Gives what a layer has made of `x` the lengths of `x`, where it has its steps. */
export function passLengths(x: Value, y: Value): void {
  const lengths = LENGTHS.get(x);
  if (lengths === undefined || LENGTHS.has(y) || y.shape.length < 3) return;
  if (sameShape(x.shape.slice(0, 2), y.shape.slice(0, 2))) LENGTHS.set(y, lengths);
}

/** Rules of this file, for the tests that walk all operations. */
export const sequenceRules = { stepMask: stepMaskRule } as const;
