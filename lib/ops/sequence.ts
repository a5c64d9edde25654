// Lengths of sequences that are padded to one number of steps: they go along with values, and layers that keep the steps pass them on.
import { CarillonError } from "../errors.js";
import { formatShape, sameShape } from "../tensor/shape.js";
import type { Value } from "../tensor/value.js";
import { checkValue, expectDtype } from "./apply.js";
import { renamed } from "./broadcast.js";

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
  return y;
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

/** Gives what a layer has made of `x` the lengths of `x`, where it has its steps. */
export function passLengths(x: Value, y: Value): void {
  const lengths = LENGTHS.get(x);
  if (lengths === undefined || LENGTHS.has(y) || y.shape.length < 3) return;
  if (sameShape(x.shape.slice(0, 2), y.shape.slice(0, 2))) LENGTHS.set(y, lengths);
}
