// How many steps of sequences a batch of short rows needs.
import type { ByLength } from "../data/by_length.js";
import { CarillonError, messageOf } from "../errors.js";
import { Trace, tracing } from "../graph/trace.js";
import type { TrimmedTime } from "../nn/evaluation/objective.js";
import type { AnyModel } from "../nn/model/model.js";
import { sequencesOf } from "../ops/sequence.js";
import { inputOf } from "../tensor/row_spec.js";
import type { Value } from "../tensor/value.js";

/** Programs of a step at most. */
const MOST = 6;

/** Values that something is made of which have so many steps, among inputs. */
function inputsOf(value: Value, inputs: readonly Value[], steps: number, found: Set<number>, seen: Set<Value>): void {
  if (seen.has(value)) return;
  seen.add(value);
  const at = inputs.indexOf(value);
  if (at >= 0 && value.shape[1] === steps) found.add(at);
  if (value.source.kind !== "operation") return;
  for (const input of value.source.applied.inputs) inputsOf(input, inputs, steps, found, seen);
}

/** The inputs that are steps of sequences with lengths of the input `at`, and how many steps they have; `undefined` where the network makes no sequence of it. */
function sequenceInputs(model: AnyModel, at: number): Omit<TrimmedTime, "steps"> | undefined {
  const inputs = model.rows.inputs.map(inputOf);
  const lengths = inputs[at];
  if (lengths === undefined) return undefined;
  tracing(new Trace(0, false), () => model.recordRows(inputs));
  const sequences = sequencesOf(lengths);
  const [of] = sequences.map(({ shape }) => shape[1]);
  if (typeof of !== "number" || sequences.some(({ shape }) => shape[1] !== of)) return undefined;
  const found = new Set<number>();
  for (const sequence of sequences) inputsOf(sequence, inputs, of, found, new Set());
  return { of, inputs: found };
}

/**
 * The numbers of steps that programs of a step have, rising, the last one as many as the longest row; `undefined`, as the only one, where all have those of the model. `ERR_OPTION` for a network that takes no fewer
 * steps than it says.
 */
export function trimmedTimes(model: AnyModel, byLength: ByLength | undefined): readonly (TrimmedTime | undefined)[] {
  const sequence = byLength && sequenceInputs(model, byLength.input);
  if (byLength === undefined || sequence === undefined) return [undefined];
  const longest = Math.min(Math.max(byLength.longest, 1), sequence.of);
  const sizes = new Set(Array.from({ length: MOST }, (_, place) => Math.ceil((longest * (place + 1)) / MOST)));
  return [...sizes].map((steps) => ({ ...sequence, steps }));
}

/** Runs `compile`, whose error for fewer steps than the model's is one of the option that asks for them. */
export async function withFewerSteps<T>(time: TrimmedTime | undefined, compile: () => Promise<T>): Promise<T> {
  try {
    return await compile();
  } catch (cause) {
    if (time === undefined || !(cause instanceof CarillonError)) throw cause;
    const problem = `expected a network that takes fewer than ${time.of} steps for 'fit.batchBy' but of ${time.steps} there is: ${messageOf(cause)}`;
    throw new CarillonError("ERR_OPTION", "fit.batchBy", problem, { cause });
  }
}
