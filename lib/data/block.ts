import { CarillonError } from "../errors.js";
import { checkKeys } from "../options.js";
import { areLabels, type ClassNames, classAt, classOf, labelMember, placesOf } from "./labels.js";
import {
  at,
  failItem,
  failRow,
  IN_MEMORY,
  type Member,
  memberOf,
  onlyValue,
  type Place,
  writeFloats,
} from "./member.js";

import type { Affine } from "./transform.js";

/** What a set of examples must fit. */
export interface ExampleShape {
  readonly inputs: number;
  readonly outputs: number;
  readonly target: "classes" | "probabilities" | "signs" | "values";
  /** Labels may be these. */
  readonly names?: ClassNames | undefined;
}

/** A shape to read rows by. */
export interface RowShape extends ExampleShape {
  /** Place of each name. */
  readonly places: ReadonlyMap<string, number>;
}

/** What rows of `shape` are read by. */
export function rowShape(shape: ExampleShape): RowShape {
  return { ...shape, places: placesOf(shape.names) };
}

/** Classes that weights can tell apart: those of labels, or 0 and 1 of a single column. */
export function classesOf({ target, outputs }: ExampleShape): number {
  return target === "classes" ? outputs : 2;
}

/** Members of a set. */
export const EXAMPLE_KEYS = ["x", "y", "weight"] as const;

/** Other names of the members, for suggestions. */
export const MEANT: Readonly<Record<string, string>> = {
  features: "x",
  input: "x",
  inputs: "x",
  label: "y",
  labels: "y",
  output: "y",
  outputs: "y",
  target: "y",
  targets: "y",
};

/** `{ x, y, weight? }` and nothing else: `ERR_DATA`, and `ERR_UNKNOWN_OPTION` with the name that was meant. */
function checkExamples(where: string, value: unknown, place: Place): Readonly<Record<"x" | "y" | "weight", unknown>> {
  const whole = place.noun === "row";
  const isSet = typeof value === "object" && value !== null;
  const isStream = !isSet || Symbol.iterator in value || Symbol.asyncIterator in value;
  const expected = whole && isStream ? "{ x, y } or a dataset()" : "{ x, y }";
  if (!isSet) return failItem(whole ? "ERR_OPTION" : "ERR_DATA", where, expected, place, value);
  if (Array.isArray(value)) failItem("ERR_DATA", where, expected, place, value);
  for (const key in value) {
    if (key !== "x" && key !== "y" && key !== "weight") checkKeys(where, { [key]: 0 }, EXAMPLE_KEYS, MEANT);
  }
  const { x, y, weight } = value as Readonly<Record<"x" | "y" | "weight", unknown>>;
  if (x === undefined || y === undefined) failItem("ERR_DATA", where, expected, place, value);
  return { x, y, weight };
}

/**
 * Some examples { x, y, weight? }: all of a set in memory, or an item of a stream. What a set must be as a whole is checked when
 * it is made; its values, as they are read.
 */
export class Block {
  readonly rows: number;
  readonly x: Member;
  readonly y: Member;
  readonly weight: Member | undefined;
  readonly #shape: RowShape;
  /** Whether the targets of a single output are names or bigints, which stand for 0 and 1. */
  readonly #named: boolean;

  /**
   * Errors: what is no { x, y }, other keys, and for each member those of `memberOf`; y or weight of another number of rows than
   * x (`ERR_DATA`).
   */
  constructor(where: string, data: unknown, shape: RowShape, place: Place = IN_MEMORY) {
    const { x, y, weight } = checkExamples(where, data, place);
    this.#shape = shape;
    this.x = memberOf(`${where}.x`, x, shape.inputs, place);
    this.rows = this.x.rows;
    this.#named = shape.target === "probabilities" && shape.outputs === 1 && areLabels(y);
    this.y = this.#fitting(this.#targets(`${where}.y`, y, place));
    this.weight = weight === undefined ? undefined : this.#fitting(memberOf(`${where}.weight`, weight, 1, place));
  }

  #targets(where: string, y: unknown, place: Place): Member {
    const { target, outputs } = this.#shape;
    if (target === "classes") return labelMember(where, y, outputs, this.rows, place);
    if (this.#named) return labelMember(where, y, 2, undefined, place);
    return memberOf(where, y, outputs, place);
  }

  #fitting(member: Member): Member {
    if (member.rows === this.rows) return member;
    const { where, place, rows } = member;
    throw new CarillonError(
      "ERR_DATA",
      where,
      `expected ${this.rows} rows, as x has,${at(place)} for '${where}' but received ${rows}`,
    );
  }

  /** The class of a row, 0 or 1 of a single column; what is none is `ERR_LABEL`. */
  label(row: number): number {
    const { target, outputs, places } = this.#shape;
    if (target === "classes") return classAt(this.y, row, { ...this.#shape, classes: outputs }, places);
    const value = onlyValue(this.y, row);
    const found = classOf(value, 2, places);
    if (found >= 0) return found;
    return failRow(this.y, "ERR_LABEL", row, "0 or 1, as there are class weights,", value);
  }

  /** The weight of a row, 1 where there are none, times the factor of its class, as f32; `ERR_DATA` unless finite and ≥ 0. */
  weigh(row: number, factors: readonly number[] | undefined): number {
    const factor = factors === undefined ? 1 : (factors[this.label(row)] ?? 0);
    if (this.weight === undefined) return Math.fround(factor);
    const value = onlyValue(this.weight, row);
    const weight = typeof value === "number" && value >= 0 ? Math.fround(factor * value) : Number.NaN;
    if (weight < Number.POSITIVE_INFINITY) return weight;
    return failRow(this.weight, "ERR_DATA", row, "a weight >= 0", value);
  }

  /**
   * Writes the targets of a row as f32, as `writeFloats` does; probabilities outside of [0, 1] and signs but −1 and 1 are `ERR_LABEL`.
   */
  writeTargets(row: number, affine: Affine | undefined, target: Float32Array, to: number, leftOut = false): void {
    const { names, places, target: kind } = this.#shape;
    if (this.#named) target[to] = classAt(this.y, row, { classes: 2, names }, places);
    else writeFloats(this.y, row, affine, target, to, leftOut);
    if (kind !== "probabilities" && kind !== "signs") return;
    for (let column = 0; column < this.y.columns; column++) {
      const value = target[to + column] ?? 0;
      if (kind === "signs" ? value === 1 || value === -1 : value >= 0 && value <= 1) continue;
      const { where, place } = this.y;
      const name = `${place.noun} ${place.first + row}, column ${column}`;
      const expected = kind === "signs" ? "-1 or 1" : "a number in [0, 1]";
      failItem("ERR_LABEL", where, `${expected} in ${name}`, IN_MEMORY, value);
    }
  }
}
