import { CarillonError } from "../errors.js";
import * as ops from "../ops/index.js";
import { formatShape } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { flowsBack, type Value } from "../tensor/value.js";
import { applied, inputsOf } from "./passes/pass.js";

/** Every operation that `loss` needs, operands first. */
function ancestors(loss: Value): Value[] {
  const seen = new Set<Value>([loss]);
  const stack = [loss];
  for (let value = stack.pop(); value !== undefined; value = stack.pop()) {
    for (const input of inputsOf(value)) {
      if (seen.has(input)) continue;
      seen.add(input);
      stack.push(input);
    }
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

/** What a slice of a value sends back: zeros but for a stretch of an axis. */
interface Stretch {
  readonly whole: Value;
  readonly flow: Value;
  readonly axis: number;
  readonly begin: number;
  readonly end: number;
}

function stretchOf(part: Value): Stretch | undefined {
  const pad = applied(part, "pad");
  const [flow] = pad?.inputs ?? [];
  if (pad === undefined || flow === undefined) return undefined;
  const { axis, before, after } = pad.attributes;
  return { whole: part, flow, axis, begin: before, end: Number(part.shape[axis]) - after };
}

/** What flows to a value, sums in the order in which they are added. */
class Flow {
  #sum: Value | undefined;
  /** Of slices, not yet added. */
  #stretches: Stretch[] = [];

  add(part: Value): void {
    const stretch = this.#sum === undefined ? stretchOf(part) : undefined;
    if (stretch !== undefined && this.#stretches.every(({ axis }) => axis === stretch.axis)) {
      this.#stretches.push(stretch);
      return;
    }
    const before = this.total();
    this.#sum = before === undefined ? part : ops.add(before, part);
  }

  /** Stretches that together are the whole axis lie side by side, with 0 added, as the others add it; any more is added up. */
  total(): Value | undefined {
    const stretches = this.#stretches;
    const [first, ...rest] = stretches;
    if (first === undefined) return this.#sum;
    this.#stretches = [];
    const sorted = stretches.toSorted((a, b) => a.begin - b.begin);
    const size = first.whole.shape[first.axis];
    const tiled = sorted.every(({ begin }, index) => begin === (sorted[index - 1]?.end ?? 0));
    this.#sum =
      rest.length > 1 && tiled && sorted.at(-1)?.end === size
        ? ops.add(
            ops.concat(
              sorted.map(({ flow }) => flow),
              { axis: first.axis },
            ),
            0,
          )
        : rest.reduce((sum, { whole }) => ops.add(sum, whole), first.whole);
    return this.#sum;
  }
}

/**
 * ∂loss/∂x for every x of `wrt`, as values made of ordinary operations: they can be differentiated again.
 *
 * Reverse accumulation from a scalar `loss`; sums of several uses are added in the order in which the uses were created,
 * last first. Where nothing flows, the gradient is `undefined`. A loss that is no scalar is `ERR_SHAPE`.
 */
export function gradients(loss: Value, wrt: readonly Value[]): readonly (Value | undefined)[] {
  if (loss.shape.length !== 0) {
    throw new CarillonError(
      "ERR_SHAPE",
      "grad",
      `expected a scalar loss for 'grad' but received ${formatShape(loss.shape)}`,
    );
  }
  const order = ancestors(loss);
  const needed = new Set<Value>(wrt);
  for (const value of order) {
    if (inputsOf(value).some((input) => needed.has(input))) needed.add(value);
  }
  const flowing = new Map<Value, Flow>();
  const flowTo = (value: Value, part: Value): void => {
    const flow = flowing.get(value) ?? new Flow();
    flow.add(part);
    flowing.set(value, flow);
  };
  if (needed.has(loss)) flowTo(loss, new Tensor(Float32Array.of(1), [], "f32"));
  for (const value of order.toReversed()) {
    if (value.source.kind !== "operation" || !needed.has(value)) continue;
    const { applied } = value.source;
    // When the first output of an operation comes, everything has flowed to the others.
    if (applied.outputs[0] !== value) continue;
    const flows = applied.outputs.map((output) => flowing.get(output)?.total());
    if (flows.every((flow) => flow === undefined) || !applied.inputs.some((input) => needed.has(input))) continue;
    const parts = flowsBack(applied, flows);
    for (const [index, input] of applied.inputs.entries()) {
      const part = parts[index];
      if (part !== undefined && needed.has(input)) flowTo(input, part);
    }
  }
  return wrt.map((value) => flowing.get(value)?.total());
}
