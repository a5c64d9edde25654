import { at } from "../../ops/apply.js";
import { instruction } from "../../ops/encode.js";
import type { OperationName } from "../../tensor/attributes.js";
import { extent, isBatched, sameShape } from "../../tensor/shape.js";
import { Tensor } from "../../tensor/tensor.js";
import type { NumbersOf, Value } from "../../tensor/value.js";
import { applied, type Draft, type Pass } from "./pass.js";

/** Frequencies, and sums of a column, that one kernel takes. */
const MOST_FREQUENCIES = 256;
const MOST_MIXES = 128;

/** The value before all reshapes, whose memory it shares. */
function unshaped(value: Value): Value {
  const [before] = applied(value, "reshape")?.inputs ?? [];
  return before === undefined ? value : unshaped(before);
}

/** The inputs of the operation `name` behind `value`, past reshapes in front of it. */
function inputsOf(value: Value | undefined, name: OperationName): readonly Value[] {
  return value === undefined ? [] : (applied(unshaped(value), name)?.inputs ?? []);
}

/** Users of a value and of its other shapes. */
function usersOf(value: Value, draft: Draft): readonly Value[] {
  return draft.users(value).flatMap((user) => (applied(user, "reshape") === undefined ? [user] : usersOf(user, draft)));
}

/** The user `name` of a value. */
function userOf(value: Value | undefined, name: OperationName, draft: Draft): Value | undefined {
  return value === undefined ? undefined : usersOf(value, draft).find((user) => applied(user, name) !== undefined);
}

/** y = Σ over frequencies of cos(x·factor·frequency + phase)·weight, + bias, and what its gradients use of it. */
interface Periodic {
  readonly x: Value;
  readonly frequency: Value;
  readonly phase: Value;
  readonly weight: Value;
  readonly bias: Value;
  /** x·factor, [batch, n, 1]. */
  readonly scaled: Value;
  /** What cosines are taken of, and they, [batch, n, k]. */
  readonly turns: Value;
  readonly waves: Value;
  readonly numbers: NumbersOf<"periodic">;
}

/** The embedding whose end is `value`, [batch, n, m]. */
function periodicOf(value: Value): Periodic | undefined {
  const [sums, bias] = applied(value, "add")?.inputs ?? [];
  const summed = sums === undefined ? undefined : applied(sums, "sum");
  if (summed?.attributes.axis !== "last") return undefined;
  const [each, weight] = inputsOf(summed.inputs[0], "multiply");
  const [turns] = inputsOf(each, "cos");
  const [turned, phase] = inputsOf(turns, "add");
  const [scaled, frequency] = inputsOf(turned, "multiply");
  const [x, factor] = inputsOf(scaled, "multiply");
  if (x === undefined || scaled === undefined || turns === undefined || each === undefined) return undefined;
  if (frequency === undefined || phase === undefined || weight === undefined || bias === undefined) return undefined;
  if (!(factor instanceof Tensor) || factor.shape.length > 0) return undefined;
  const [, n = 1, k = 1] = turns.shape;
  const [, mixes = 1] = weight.shape;
  if (n === "batch" || k === "batch" || mixes === "batch") return undefined;
  const shapes: readonly (readonly [Value, readonly (number | "batch")[]])[] = [
    [turns, ["batch", n, k]],
    [scaled, ["batch", n, 1]],
    [each, ["batch", n, 1, k]],
    [value, ["batch", n, mixes]],
    [frequency, [n, k]],
    [phase, [n, k]],
    [weight, [n, mixes, k]],
    [bias, [n, mixes]],
  ];
  if (!shapes.every(([one, shape]) => sameShape(one.shape, shape))) return undefined;
  if (k > MOST_FREQUENCIES || mixes < 2 || mixes > MOST_MIXES) return undefined;
  const numbers = { rows: extent(["batch"]), columns: n, frequencies: k, mixes, factor: Number(factor.data[0]) };
  return { x, frequency, phase, weight, bias, scaled, turns, waves: unshaped(each), numbers };
}

/** Where the gradients of weights, phases and frequencies are summed over the batch, and what flows back to the embedding. */
interface PeriodicGradient {
  readonly weight: Value;
  readonly phase: Value;
  readonly frequency: Value;
  readonly flow: Value;
}

/** The sum over the batch of a value that nothing else uses. */
function sumOfRows(value: Value | undefined, draft: Draft): Value | undefined {
  const sum = userOf(value, "sum", draft);
  if (value === undefined || sum === undefined || usersOf(value, draft).length > 1) return undefined;
  return applied(sum, "sum")?.attributes.axis === "first" ? sum : undefined;
}

/** The gradients of an embedding, if they are all there and its input has none. */
function gradientOf({ turns, waves, scaled, weight }: Periodic, draft: Draft): PeriodicGradient | undefined {
  const slope = userOf(userOf(userOf(turns, "sin", draft), "negate", draft), "multiply", draft);
  if (slope === undefined) return undefined;
  const [flows] = applied(slope, "multiply")?.inputs ?? [];
  const [mixed] = inputsOf(flows, "axisSum");
  const [spread, by] = inputsOf(mixed, "multiply");
  const [narrow] = inputsOf(spread, "broadcast");
  if (spread === undefined || by !== weight || narrow === undefined) return undefined;
  const toWeight = usersOf(spread, draft).find((user) => {
    const [left, right] = applied(user, "multiply")?.inputs ?? [];
    return left === spread && right !== undefined && unshaped(right) === waves;
  });
  const toFrequency = usersOf(slope, draft).find((user) => {
    const [left, right] = applied(user, "multiply")?.inputs ?? [];
    return left === slope && right === scaled;
  });
  const toPhase = usersOf(slope, draft).find((user) => applied(user, "sum")?.attributes.axis === "first");
  // A gradient of x itself would be one user more.
  if (usersOf(slope, draft).length !== 2 || toPhase === undefined) return undefined;
  const [ofWeight, ofFrequency] = [sumOfRows(toWeight, draft), sumOfRows(toFrequency, draft)];
  if (ofWeight === undefined || ofFrequency === undefined) return undefined;
  return { weight: ofWeight, phase: toPhase, frequency: ofFrequency, flow: unshaped(narrow) };
}

function fuseGradient(embedding: Periodic, draft: Draft): void {
  const found = gradientOf(embedding, draft);
  if (found === undefined || !isBatched(found.flow.shape)) return;
  const { x, frequency, phase, weight, numbers } = embedding;
  const outputs = [found.weight, found.phase, found.frequency];
  const [first = found.weight, ...rest] = outputs.toSorted((a, b) => a.id - b.id);
  if (found.flow.id > first.id || !rest.every((each) => draft.together(first, each))) return;
  for (const each of rest) draft.remove(each);
  draft.replace(first, {
    inputs: [x, frequency, phase, weight, found.flow],
    outputs: [first, ...rest],
    lower(inputs, to) {
      const written = (value: Value): Value => at(to, value === first ? 0 : 1 + rest.indexOf(value));
      const read = { x: at(inputs, 0), frequency: at(inputs, 1), phase: at(inputs, 2), weight: at(inputs, 3) };
      const [dweight, dphase, dfrequency] = [written(found.weight), written(found.phase), written(found.frequency)];
      return instruction("periodic_gradient", { ...read, g: at(inputs, 4), dweight, dphase, dfrequency }, numbers);
    },
    inPlace: null,
    applied: null,
  });
}

/**
 * Fuses the periodic embeddings of numbers, and the gradients of their parameters, whose intermediate values would be read and written
 * in rows of a few elements, by the very roundings of the operations alone.
 */
export const fusePeriodic: Pass = (draft) => {
  for (const value of [...draft.steps.keys()]) {
    const embedding = periodicOf(value);
    if (embedding === undefined) continue;
    const { x, frequency, phase, weight, bias, numbers } = embedding;
    draft.replace(value, {
      inputs: [x, frequency, phase, weight, bias],
      outputs: [value],
      lower(inputs, outputs) {
        const read = { x: at(inputs, 0), frequency: at(inputs, 1), phase: at(inputs, 2), weight: at(inputs, 3) };
        return instruction("periodic", { ...read, bias: at(inputs, 4), y: at(outputs, 0) }, numbers);
      },
      inPlace: null,
      applied: null,
    });
    fuseGradient(embedding, draft);
  }
};
