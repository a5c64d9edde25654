// The check at the end of an import: what the model answers, beside what it answered where it comes from.
import { CarillonError, describe } from "../errors.js";
import type { AnyModel, Tensor } from "../index.js";
import { checkKeys, checkNumber } from "../options.js";
import { isFloats } from "../tensor/arrays.js";

/** Numbers of an output. */
type Answers = ArrayLike<number> | Pick<Tensor, "data">;

/** Inputs, and the outputs that the other side gave for them. */
export interface Verification {
  /** Rows as `predict` takes them. */
  readonly inputs: unknown;
  /** All outputs, row by row, as a list or a tensor: of several outputs by name. */
  readonly outputs: Answers | Readonly<Record<string, Answers>>;
  /** |difference| / max(1, |theirs|), at most; 1e-4 by default. */
  readonly tolerance?: number | undefined;
}

/** Checks the options before anything is read. */
export function checkVerification(where: string, verify: Verification | undefined): void {
  if (verify === undefined) return;
  checkKeys(where, verify, ["inputs", "outputs", "tolerance"]);
  if (verify.tolerance !== undefined) checkNumber(`${where}.tolerance`, verify.tolerance, { min: 0 });
}

/** `ERR_STATE` with the first output that is another than that of the other side, and the greatest difference. */
export async function verifyModel(
  where: string,
  model: AnyModel,
  { inputs, outputs, tolerance = 1e-4 }: Verification,
): Promise<void> {
  const answer: unknown = await Reflect.apply(model.predict, model, [inputs]);
  const alone = listOf(outputs);
  const named = alone === undefined ? Object.entries(outputs) : [["", alone] as const];
  for (const [name, theirs] of named) {
    const list = listOf(theirs) ?? refuse(where, `numbers of the output ${describe(name)}`, describe(theirs));
    compare(where, name, dataOf(where, name, answer), list, tolerance);
  }
}

const isList = (value: object): value is ArrayLike<number> => "length" in value && typeof value.length === "number";

/** The numbers of a list or a tensor; `undefined` of what is none of them. */
function listOf(value: unknown): ArrayLike<number> | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (isList(value)) return value;
  return "data" in value && isFloats(value.data) ? value.data : undefined;
}

function refuse(where: string, expected: string, received: string): never {
  const place = `${where}.outputs`;
  throw new CarillonError("ERR_OPTION", place, `expected ${expected} for '${place}' but received ${received}`);
}

/** Of a model with a single output, whatever its name is. */
function dataOf(where: string, name: string, answer: unknown): Float32Array {
  const data: unknown = Reflect.get(Object(answer), "data");
  if (isFloats(data)) return data;
  const one: unknown = Reflect.get(Object(Reflect.get(Object(answer), name)), "data");
  return isFloats(one) ? one : refuse(where, "outputs of the model, by name where there are several,", describe(name));
}

function compare(where: string, name: string, ours: Float32Array, theirs: ArrayLike<number>, tolerance: number): void {
  const called = name === "" ? "outputs" : name;
  if (ours.length !== theirs.length)
    throw new CarillonError(
      "ERR_STATE",
      where,
      `expected ${theirs.length} ${called} for '${where}' but the model gives ${ours.length}`,
    );
  let [greatest, first] = [0, -1];
  for (let at = 0; at < ours.length; at++) {
    const [own = 0, other = 0] = [ours[at], theirs[at]];
    const difference = Math.abs(own - other) / Math.max(1, Math.abs(other));
    if (difference <= tolerance || (Number.isNaN(own) && Number.isNaN(other))) continue;
    if (first < 0) first = at;
    greatest = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(greatest, difference);
  }
  if (first < 0) return;
  const problem = `expected ${called} within ${tolerance} for '${where}' but element ${first} is ${ours[first]}, there ${theirs[first]}; the greatest difference is ${greatest}`;
  throw new CarillonError("ERR_STATE", where, problem);
}
