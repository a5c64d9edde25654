import { countOf } from "../counts.js";
import { CarillonError } from "../errors.js";
import { checkKeys } from "../options.js";
import { areMembers } from "../tensor/copied.js";
import type { Ragged } from "../tensor/ragged.js";
import { areNamed, pathsOf, type RowSpec, type Whole } from "../tensor/row_spec.js";
import { extent } from "../tensor/shape.js";
import { areLabels, type ClassNames, classAt, classOf, labelMember, placesOf } from "./labels.js";
import { type ListMember, listMember } from "./lists.js";
import {
  at,
  failItem,
  failRow,
  IN_MEMORY,
  type Member,
  memberOf,
  NUMBER,
  onlyValue,
  type Place,
  placeIn,
  type RowForm,
  rowForm,
  writeFloats,
  writeIntegers,
} from "./member.js";
import type { Affine } from "./transform.js";

/** Shape and kind of the targets of an output. */
export interface TargetShape extends RowSpec {
  readonly target: "classes" | "probabilities" | "signs" | "values";
  /** Labels may be these. */
  readonly names?: ClassNames | undefined;
}

/** Shape of a set of examples; without targets its `y` and `weight` are passed over. */
export interface ExampleShape {
  readonly inputs: readonly RowSpec[];
  readonly targets: readonly TargetShape[];
}

/** Shape of a row of targets: of classes one integer for each place of the axes before that of the classes. */
function rowShape({ target, shape }: TargetShape): readonly number[] {
  return target === "classes" ? shape.slice(0, -1) : shape;
}

/** Numbers that a row of targets has: 1 for the class of an example. */
export function targetColumns(target: TargetShape): number {
  return extent(rowShape(target));
}

/** Classes that weights can tell apart: those of labels, or 0 and 1 of a single column. */
export function classesOf({ target, shape }: TargetShape): number {
  return target === "classes" ? (shape.at(-1) ?? 1) : 2;
}

/** Whether each example has several classes, one a place: integers like those of an input. */
export function areSteps({ target, shape }: TargetShape): boolean {
  return target === "classes" && shape.length > 1;
}

/** A {@link TargetShape} to read rows by. */
interface TargetForm extends Named {
  readonly where: string;
  /** Of the weights, where the output has its own. */
  readonly weight: string;
  readonly target: TargetShape["target"];
  readonly classes: number;
  /** Whether a row has a class for each of several places. */
  readonly steps: boolean;
  /** Of numbers, or of the classes of several places. */
  readonly form: RowForm;
  readonly names: ClassNames | undefined;
  /** Place of each name of a class. */
  readonly places: ReadonlyMap<string, number>;
}

/** An input to read rows by. */
interface InputForm extends Named {
  readonly where: string;
  readonly form: RowForm;
  /** Of lists. */
  readonly ragged: Ragged | undefined;
}

/** Rows of an input. */
export type InputMember = Member | ListMember;

/** An {@link ExampleShape} to read blocks by, and what errors call its members. */
export interface BlockForm {
  readonly where: string;
  readonly shape: ExampleShape;
  readonly inputs: readonly InputForm[];
  readonly targets: readonly TargetForm[];
  /** Names of all inputs, and of all outputs, in errors. */
  readonly called: Readonly<Record<Whole, string>>;
}

/** The form by which blocks of `shape` are read. */
export function blockForm(where: string, shape: ExampleShape): BlockForm {
  const { inputs, targets } = shape;
  const called = (whole: Whole, specs: readonly RowSpec[], by: string): readonly string[] =>
    pathsOf(whole, specs, `${where}.${by}`);
  const nameOf = (whole: Whole, specs: readonly RowSpec[], name: string): string | undefined =>
    areNamed(whole, specs) ? name : undefined;
  const [ofInputs, ofTargets, ofWeights] = [
    called("x", inputs, "x"),
    called("y", targets, "y"),
    called("y", targets, "weight"),
  ];
  return {
    where,
    shape,
    inputs: inputs.map(({ name, shape: axes, dtype, ragged, bytes }, at) => ({
      name: nameOf("x", inputs, name),
      where: ofInputs[at] ?? where,
      form: rowForm(axes, dtype, bytes),
      ragged,
    })),
    targets: targets.map((one, at) => ({
      name: nameOf("y", targets, one.name),
      where: ofTargets[at] ?? where,
      weight: ofWeights[at] ?? where,
      target: one.target,
      classes: classesOf(one),
      form: areSteps(one) ? rowForm(rowShape(one), "i32") : rowForm(one.shape),
      steps: areSteps(one),
      names: one.names,
      places: placesOf(one.names),
    })),
    called: { x: `${where}.x`, y: `${where}.y` },
  };
}

/** Members of a set. */
export const EXAMPLE_KEYS = ["x", "y", "weight", "carry"] as const;

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

/** `{ x, y, weight?, carry? }`, `y` only where there are targets, and nothing else: `ERR_DATA`, and `ERR_UNKNOWN_OPTION` with the name that was meant. */
function checkExamples(
  { where, targets }: BlockForm,
  value: unknown,
  place: Place,
): Readonly<Record<(typeof EXAMPLE_KEYS)[number], unknown>> {
  const whole = place.noun === "row";
  const members = targets.length === 0 ? "{ x }" : "{ x, y }";
  const isSet = typeof value === "object" && value !== null;
  const isStream = !isSet || Symbol.iterator in value || Symbol.asyncIterator in value;
  const expected = whole && isStream ? `${members} or a dataset()` : members;
  if (!isSet) return failItem(whole ? "ERR_OPTION" : "ERR_DATA", where, expected, place, value);
  if (Array.isArray(value)) failItem("ERR_DATA", where, expected, place, value);
  for (const key in value) {
    if (key !== "x" && key !== "y" && key !== "weight") checkKeys(where, { [key]: 0 }, EXAMPLE_KEYS, MEANT);
  }
  const { x, y, weight, carry } = value as Readonly<Record<(typeof EXAMPLE_KEYS)[number], unknown>>;
  if (carry !== undefined && !whole)
    failItem("ERR_OPTION", `${where}.carry`, "none, as it is rows in memory that are put into lanes,", place, carry);
  if (x === undefined || (y === undefined && targets.length > 0)) failItem("ERR_DATA", where, expected, place, value);
  return { x, y, weight, carry };
}

/** The rows of a record that has those of `x` or `y` alone, as a network may name its one input so; anything else as it is. */
export function onlyOf(whole: Whole, value: unknown): unknown {
  if (Array.isArray(value) || ArrayBuffer.isView(value) || !areMembers(value) || !Object.hasOwn(value, whole))
    return value;
  return Object.keys(value).length === 1 ? value[whole] : value;
}

/** A member of a record; without a name if it is a single one, whose rows are given as they are. */
interface Named {
  readonly name: string | undefined;
}

/**
 * The results of `make` for the values of a record in the order of `members`, or for `value` itself where the one member has no name. A value that is no record of
 * them is `ERR_DATA`, and so is a name that is missing; another one is `ERR_UNKNOWN_OPTION`, which tells the one that was meant.
 */
export function fromRecord<N extends Named, P extends Place, T>(
  where: string,
  value: unknown,
  members: readonly N[],
  make: (value: unknown, member: N, place: P, at: number) => T,
  place: P,
): readonly T[] {
  const first = members[0];
  if (first === undefined) return []; // nothing is asked of it
  if (first.name === undefined) return [make(value, first, place, 0)];
  const names = namesOf(members);
  const expected = `{ ${names.join(", ")} }`;
  if (!areMembers(value)) return failItem("ERR_DATA", where, expected, place, value);
  checkNames(where, value, names);
  const values = names.map(
    (name) => value[name] ?? failItem("ERR_DATA", `${where}.${name}`, `rows, one of ${expected},`, place, value[name]),
  );
  return members.map((member, at) => make(values[at], member, place, at));
}

function namesOf(members: readonly Named[]): readonly string[] {
  return members.map(({ name = "" }) => name);
}

function checkNames(where: string, value: Readonly<Record<string, unknown>>, names: readonly string[]): void {
  for (const key in value) if (!names.includes(key)) checkKeys(where, { [key]: 0 }, names);
}

/** A text in the place of the number of a stream's only example: it is refused as one in a list is. */
function listed(value: unknown, rows: number, place: Place): unknown {
  return rows === 1 && place.noun === "example" && typeof value === "string" ? [value] : value;
}

/** Given weights of an output. */
interface GivenWeight {
  readonly where: string;
  readonly value: unknown;
}

/** Targets of an output, and what its rows weigh. */
export class TargetRows {
  readonly y: Member;
  readonly weight: Member | undefined;
  readonly #form: TargetForm;
  /** Whether the targets of a single output are names or bigints, which stand for 0 and 1. */
  readonly #named: boolean;

  /** @param rows Of the inputs; it is left to the caller to refuse members of another number. */
  constructor(form: TargetForm, y: unknown, weight: GivenWeight | undefined, rows: number, place: Place) {
    const { where, target, classes } = form;
    this.#form = form;
    this.#named = target === "probabilities" && form.form.columns === 1 && areLabels(y);
    if (target === "classes" && !form.steps) this.y = labelMember(where, y, classes, rows, place);
    else
      this.y = this.#named
        ? labelMember(where, y, 2, undefined, place)
        : memberOf(where, listed(y, rows, place), form.form, place);
    this.weight = weight && memberOf(weight.where, listed(weight.value, rows, place), NUMBER, place);
  }

  /** Writes the classes of a row from element `to` on: one, or one a place; what is none is `ERR_LABEL`. */
  writeLabels(row: number, target: Int32Array, to: number, leftOut = false): void {
    const { steps, classes } = this.#form;
    if (!steps) {
      target[to] = this.label(row);
      return;
    }
    writeIntegers(this.y, row, target, to, leftOut);
    for (let column = 0; column < this.y.columns; column++) {
      const value = target[to + column] ?? 0;
      if (value >= 0 && value < classes) continue;
      const { where, place, shape } = this.y;
      const name = `${place.noun} ${place.first + row}, ${placeIn(shape, column)}`;
      failItem("ERR_LABEL", where, `a class in [0, ${classes}) in ${name}`, IN_MEMORY, value);
    }
  }

  /** Counts the class of a row, or those of its places. */
  countLabels(row: number, counts: number[]): void {
    const labels = new Int32Array(this.#form.steps ? this.y.columns : 1);
    if (this.#form.steps) this.writeLabels(row, labels, 0);
    else labels[0] = this.label(row);
    for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  }

  /** The class of a row, 0 or 1 of a single column (−1 or 1 where these are signs); what is none is `ERR_LABEL`. */
  label(row: number): number {
    const { target, places } = this.#form;
    if (target === "classes") return classAt(this.y, row, this.#form, places);
    const value = onlyValue(this.y, row);
    if (target === "signs") {
      if (value === -1 || value === 1) return value === 1 ? 1 : 0;
      return failRow(this.y, "ERR_LABEL", row, "-1 or 1, as there are class weights,", value);
    }
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
  write(row: number, affine: Affine | undefined, target: Float32Array, to: number, leftOut = false): void {
    const { places, target: kind } = this.#form;
    if (this.#named) target[to] = classAt(this.y, row, this.#form, places);
    else writeFloats(this.y, row, affine, target, to, leftOut);
    if (kind !== "probabilities" && kind !== "signs") return;
    for (let column = 0; column < this.y.columns; column++) {
      const value = target[to + column] ?? 0;
      if (kind === "signs" ? value === 1 || value === -1 : value >= 0 && value <= 1) continue;
      const { where, place, shape } = this.y;
      const name = `${place.noun} ${place.first + row}, ${placeIn(shape, column)}`;
      const expected = kind === "signs" ? "-1 or 1" : "a number in [0, 1]";
      failItem("ERR_LABEL", where, `${expected} in ${name}`, IN_MEMORY, value);
    }
  }
}

// Functions that hold nothing of a block: a stream has one an example.

function inputRows(value: unknown, { where, form, ragged }: InputForm, place: Place): InputMember {
  if (ragged === undefined) return memberOf(where, value, form, place);
  const longest = ragged.longest ?? Number.POSITIVE_INFINITY;
  return listMember(where, value, { longest, alone: place.noun === "example" }, place);
}

/** Place of targets, and the rows and weights beside them. */
interface TargetPlace extends Place {
  readonly rows: number;
  readonly weights: readonly (GivenWeight | undefined)[];
}

function targetRows(value: unknown, target: TargetForm, place: TargetPlace, at: number): TargetRows {
  return new TargetRows(target, value, place.weights[at], place.rows, place);
}

/**
 * Some examples { x, y, weight? }: all of a set in memory, or an item of a stream. What a set must be as a whole is checked when
 * it is made; its values, as they are read.
 */
export class Block {
  readonly rows: number;
  /** In the order of the shape. */
  readonly inputs: readonly InputMember[];
  readonly targets: readonly TargetRows[];
  /** Which rows go on from the one before, where something says so. */
  readonly carry: Member | undefined;

  /**
   * Errors: what is no { x, y }, other keys, and for each member those of `memberOf`; members of another number of rows than the first
   * (`ERR_DATA`).
   */
  constructor(form: BlockForm, data: unknown, place: Place = IN_MEMORY) {
    const { where, called } = form;
    const { x, y, weight, carry } = checkExamples(form, data, place);
    this.inputs = fromRecord(called.x, onlyOf("x", x), form.inputs, inputRows, place);
    const first = this.inputs[0];
    this.rows = first?.rows ?? 0;
    for (const member of this.inputs) checkRows(member, first, where);
    const about = { noun: place.noun, first: place.first, rows: this.rows, weights: weightsOf(form, weight) };
    this.targets = fromRecord(called.y, onlyOf("y", y), form.targets, targetRows, about);
    for (const target of this.targets) {
      checkRows(target.y, first, where);
      if (target.weight !== undefined) checkRows(target.weight, first, where);
    }
    this.carry = carry === undefined ? undefined : memberOf(`${where}.carry`, carry, NUMBER, place);
    if (this.carry !== undefined) checkRows(this.carry, first, where);
  }

  /** Which outputs have weights. */
  get weighted(): readonly boolean[] {
    return this.targets.map(({ weight }) => weight !== undefined);
  }
}

const NO_WEIGHTS: readonly undefined[] = [];

/** The weights of each output: those of all, or its own of a record; an output that this does not name weighs 1. */
function weightsOf({ where, targets }: BlockForm, given: unknown): readonly (GivenWeight | undefined)[] {
  if (given === undefined) return NO_WEIGHTS;
  const all = `${where}.weight`;
  if (targets[0]?.name === undefined || !areMembers(given)) return targets.map(() => ({ where: all, value: given }));
  checkNames(all, given, namesOf(targets));
  return targets.map(({ name = "", weight }) => {
    const value = given[name];
    return value === undefined ? undefined : { where: weight, value };
  });
}

/** Names of the weights of each output that has some, by which programs know them: one for all where all weigh the same. */
export function weightNames(
  { targets: [first, ...others], weighted }: Pick<Block, "targets" | "weighted">,
  { targets }: ExampleShape,
  factors: readonly unknown[],
): readonly (string | undefined)[] {
  const given = first?.weight?.where;
  const isCommon = given !== undefined && others.every(({ weight }) => weight?.where === given);
  if (isCommon && factors.every((each) => each === undefined)) return targets.map(() => "weight");
  return pathsOf("y", targets, "weight").map((path, at) =>
    weighted[at] === true || factors[at] !== undefined ? path : undefined,
  );
}

/** `ERR_DATA` for a member of another number of rows than the first input. */
function checkRows({ where, place, rows }: InputMember, first: InputMember | undefined, set: string): void {
  if (first === undefined || rows === first.rows) return;
  const [expected, as] = [first.rows, first.where.slice(set.length + 1)];
  throw new CarillonError(
    "ERR_DATA",
    where,
    `expected ${countOf(expected, "row")}, as ${as} has,${at(place)} for '${where}' but received ${rows}`,
  );
}
