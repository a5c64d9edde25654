// Models of several inputs by name, and of several members, that a file describes in full: every input through layers of its own, side by side, and through a
// head; the answers of the members mixed.
import { CarillonError, fail } from "../../errors.js";
import * as ops from "../../ops/index.js";
import { checkKeys, checkNumber, checkObject, checkOneOf } from "../../options.js";
import { elementsOf, type RowSpec, specOf } from "../../tensor/row_spec.js";
import { sameShape } from "../../tensor/shape.js";
import type { Value, ValueSpec } from "../../tensor/value.js";
import { ANY_SIZE, checkChain } from "../structure/chain.js";
import { checkLayer, checkName, type Layer, type LayerPart, sealed } from "../structure/layer.js";
import { namedLayers } from "../structure/naming.js";
import { type Definition, rowOf, type Sizes, sequence, sizeOf, takenBy } from "../structure/sequence.js";
import { checkInput } from "../structure/sequential_options.js";
import { type Functions, Structure } from "../structure/structure.js";
import { type AnyModel, Model } from "./model.js";

/** How answers of members become one: probabilities of classes, or of several yes and no, or values. */
export type Mixing = "classes" | "labels" | "values";

export const MIXINGS = ["classes", "labels", "values"] as const satisfies readonly Mixing[];

/** Kind of these models in files. */
export const JOINT = "joint";

/** Name of what a member ends in, beside those of its inputs. */
const HEAD = "head";

/** Members of an ensemble at most. */
export const MOST_MEMBERS = 1000;

/** A probability that is 0 counts as this, so that it has a logarithm. */
const LEAST = 1e-37;

/** What a file says of a joint model, besides its layers. */
export interface JointForm {
  readonly inputs: readonly RowSpec[];
  readonly mixing: Mixing;
  /** Of the members, ≥ 0 and 1 in all. */
  readonly weights: readonly number[];
  /** Names of the inputs of each member, in the order that its head takes them in; `undefined`: all of them. */
  readonly takes?: readonly (readonly string[])[] | undefined;
}

/** The inputs of a member. */
function inputsOf({ inputs, takes }: JointForm, member: number): readonly RowSpec[] {
  const names = takes?.[member];
  return names === undefined ? inputs : names.flatMap((name) => inputs.filter((one) => one.name === name));
}

/** Name of a layer of a member: that of the input, or `head`; of several members with their number in front. */
export function partName(member: number, members: number, part: string): string {
  return members === 1 ? part : `member${member + 1}-${part}`;
}

/** Σ wₖ·softmax(zₖ) as logits, its logarithm; of yes and no the logit of Σ wₖ·σ(zₖ); Σ wₖ·zₖ of values. */
function mixed(answers: readonly Value[], { mixing, weights }: JointForm): Value {
  const [first] = answers;
  if (first === undefined) return fail("ERR_OPTION", "ensemble", "a member or more", answers);
  if (answers.length === 1) return first;
  const sum = (of: (answer: Value) => Value): Value => {
    const parts = answers.map((answer, at) => ops.multiply(of(answer), weights[at] ?? 0));
    return parts.reduce((total, part) => ops.add(total, part));
  };
  switch (mixing) {
    case "values":
      return sum((answer) => answer);
    case "classes":
      return ops.log(ops.maximum(sum(ops.softmax), LEAST));
    case "labels": {
      const [yes, no] = [sum(ops.sigmoid), sum((answer) => ops.sigmoid(ops.negate(answer)))];
      return ops.subtract(ops.log(ops.maximum(yes, LEAST)), ops.log(ops.maximum(no, LEAST)));
    }
  }
}

function configOf({ inputs, mixing, weights, takes }: JointForm): Record<string, string | readonly number[]> {
  const rows = inputs.map((row) => ({ name: row.name, shape: row.shape, dtype: elementsOf(row) }));
  const own = takes === undefined ? {} : { takes: JSON.stringify(takes) };
  return { inputs: JSON.stringify(rows), mixing, weights, ...own };
}

/** A joint model of layers by {@link partName}. An input without layers of its own goes to the head as it is. `ERR_OPTION`, `ERR_SHAPE`. */
export function jointDefinition(form: JointForm, given: Readonly<Record<string, Layer>>): Definition {
  const { inputs, weights } = form;
  const members = weights.length;
  const names = Object.keys(given);
  const structure = new Structure(given);
  const answers = (values: readonly Value[], through: (name: string, x: Value) => Value | undefined): Value[] =>
    weights.map((_, member) => {
      const sides = inputsOf(form, member).flatMap((row) => {
        const { name } = row;
        const value = values[inputs.indexOf(row)];
        return value === undefined ? [] : [through(partName(member, members, name), value) ?? value];
      });
      const [only] = sides;
      const all = sides.length === 1 && only !== undefined ? only : ops.concat(sides);
      const head = partName(member, members, HEAD);
      return through(head, all) ?? fail("ERR_OPTION", "joint", `a layer '${head}'`, names.join(", "));
    });
  const output = rowOf("y", outputOf(form, given));
  const record: Definition["record"] = (values, functions: Functions) => [
    mixed(
      answers(values, (name, x) => functions[name]?.(x)),
      form,
    ),
  ];
  const [x] = inputs;
  const block = sealed<Layer>({
    kind: JOINT,
    inputs: x?.shape ?? ANY_SIZE,
    outputs: output.shape,
    takes: x && takenBy(x),
    parameters: {},
    layers: given,
    order: names,
    config: configOf(form),
    forward: (value, _parameters, context) => record([value], context.layers)[0] ?? value,
  });
  const sizes: Sizes = Object.fromEntries(inputs.map((row) => [row.name, sizeOf(row)]));
  return {
    layers: Object.values(given),
    names,
    given: [],
    structure,
    rows: { inputs, outputs: [output] },
    sizes: { inputs: sizes, outputs: sizeOf(output) },
    described: [block],
    record,
    block,
  };
}

/** What the head of every member gives, which is the same; `ERR_SHAPE`. */
function outputOf(form: JointForm, given: Readonly<Record<string, Layer>>): ValueSpec {
  const members = form.weights.length;
  const outputs = form.weights.map((_, member) => {
    const sides = inputsOf(form, member).map((row) => {
      const own = given[partName(member, members, row.name)];
      const spec = specOf(row);
      return own === undefined ? spec : (checkChain([own], spec).outputs.at(-1) ?? spec);
    });
    const [first] = sides;
    const head = given[partName(member, members, HEAD)];
    if (first === undefined || head === undefined)
      return fail("ERR_OPTION", "joint", "inputs, and a head of every member", Object.keys(given).join(", "));
    const other = sides.find(({ shape, dtype }) => dtype !== "f32" || shape.length !== 2);
    if (other !== undefined && sides.length > 1)
      return fail(
        "ERR_SHAPE",
        "joint",
        "[batch, n] of floats of every input",
        `${other.dtype} of ${other.shape.length} axes`,
      );
    const features = sides.reduce((sum, { shape }) => sum + Number(shape[1] ?? 0), 0);
    const all = sides.length === 1 ? first : { shape: ["batch" as const, features], dtype: "f32" as const };
    return checkChain([head], all).outputs.at(-1) ?? all;
  });
  const [first, ...others] = outputs;
  if (first === undefined) return fail("ERR_OPTION", "joint", "a member or more", outputs);
  const odd = others.find(({ shape }) => !sameShape(shape, first.shape));
  return odd === undefined
    ? first
    : fail("ERR_SHAPE", "joint", "members that give the same", odd.shape.slice(1).join(", "));
}

/** Argument of {@link towers}. */
export interface TowersDefinition {
  /** Rows of the inputs by name: `spec(['batch', 3])`, `spec(['batch', 2], 'i32')`. */
  readonly inputs: Readonly<Record<string, unknown>>;
  /** Layers of inputs, by their names; an input without some goes to the head as it is. Each gives [batch, n]. */
  readonly layers?: Readonly<Record<string, LayerPart>> | undefined;
  /** Takes what the inputs have become, side by side in their order. */
  readonly head: LayerPart;
}

/**
 * A model of several inputs by name: each through layers of its own, then side by side through `head`. It is a {@link network} that files
 * describe in full, so that `loadModel` reads it.
 *
 * @example
 * towers({
 *   inputs: { numbers: spec(['batch', 3]), city: spec(['batch'], 'i32') },
 *   layers: { numbers: smoothClip(), city: embedding(20, 4) },
 *   head: sequential(linear(7, 16), relu(), linear(16, 2)),
 * });
 */
export function towers(definition: TowersDefinition): AnyModel {
  checkKeys("towers", definition, ["inputs", "layers", "head"]);
  const { layers = {}, head } = definition;
  checkObject("towers.inputs", definition.inputs);
  checkObject("towers.layers", layers);
  const inputs = Object.entries(definition.inputs).map(([name, given]): RowSpec => {
    checkName("towers.inputs: a name", name);
    if (name === HEAD) fail("ERR_OPTION", "towers.inputs", "names but 'head'", name);
    return rowOf(name, checkInput(`towers.inputs.${name}`, given));
  });
  if (inputs.length === 0) fail("ERR_OPTION", "towers.inputs", "an input or more by name", definition.inputs);
  const unknown = Object.keys(layers).find((name) => !inputs.some((input) => input.name === name));
  if (unknown !== undefined) fail("ERR_OPTION", "towers.layers", "names of inputs", unknown);
  const form: JointForm = { inputs, mixing: "values", weights: [1] };
  const parts = inputs.flatMap((row) => {
    const own = layers[row.name];
    return own === undefined ? [] : [part(row.name, own, specOf(row))];
  });
  const features = inputs.reduce((sum, row) => {
    const one = parts.find(({ name }) => name === row.name);
    const spec = specOf(row);
    return sum + Number((one === undefined ? spec : checkChain([one], spec).outputs.at(-1))?.shape.at(-1) ?? 0);
  }, 0);
  parts.push(part(HEAD, head, { shape: ["batch", features], dtype: "f32" }));
  return new Model<Sizes, Sizes>(jointDefinition(form, namedLayers(parts, nameOf(parts))));
}

/** A layer by a name: a sequential one by itself, any other as the only one of such. */
function part(name: string, given: LayerPart, input: ValueSpec): Layer {
  const layer = checkLayer(`towers.${name}`, given);
  return layer.kind === "sequential" ? named(layer, name) : sequence([layer], { input, name }).block;
}

const nameOf = (parts: readonly Layer[]): readonly string[] => parts.map(({ name, kind }) => name ?? kind);

/** A layer by another name: the same layers inside, which share what they shared. */
function named(layer: Layer, name: string): Layer {
  return sealed<Layer>({ ...layer, name });
}

/** Layers of its own, all the way down: two members may be copies of one model, whose layers would be one otherwise. */
function copied(layer: Layer, known: Map<Layer, Layer>): Layer {
  const done = known.get(layer);
  if (done !== undefined) return done;
  const inside = layer.layers;
  const layers = inside && Object.fromEntries(Object.entries(inside).map(([name, one]) => [name, copied(one, known)]));
  const copy = sealed<Layer>({ ...layer, ...(layers === undefined ? {} : { layers }) });
  known.set(layer, copy);
  return copy;
}

/** Options of {@link ensemble}. */
export interface EnsembleOptions {
  /** What the members answer: logits of classes (the mean of their softmax is answered, as logits), logits of several yes and no, or values. */
  readonly mixing: Mixing;
  /** Weights of the members, ≥ 0; they are divided by their sum. All alike by default. */
  readonly weights?: readonly number[] | undefined;
}

/**
 * One model of several: the weighted mean of what they answer, of classes that of their probabilities. It has copies of the members' weights, in layers
 * named `member1-…`, and is an ordinary model: files, predictors and training take it. Members are made by {@link towers}; it has the inputs of all of them, of which those of one name
 * are alike.
 */
export function ensemble(members: readonly AnyModel[], options: EnsembleOptions): AnyModel {
  checkKeys("ensemble", options, ["mixing", "weights"]);
  const mixing = checkOneOf("ensemble.mixing", options.mixing, MIXINGS);
  const isList: boolean = Array.isArray(members);
  const [first] = isList ? members : [];
  if (first === undefined || members.length > MOST_MEMBERS)
    return fail("ERR_OPTION", "ensemble", `1 to ${MOST_MEMBERS} models`, members);
  const given = options.weights ?? members.map(() => 1);
  if (given.length !== members.length) fail("ERR_OPTION", "ensemble.weights", `${members.length} numbers`, given);
  const sum = given.reduce(
    (total, weight, at) => total + checkNumber(`ensemble.weights[${at}]`, weight, { min: 0 }),
    0,
  );
  checkNumber("ensemble.weights: their sum", sum, { above: 0 });
  const inputs = [...first.rows.inputs];
  const parts: Layer[] = [];
  const weights = new Map<string, Float32Array>();
  for (const [at, member] of members.entries()) {
    const { definition, rows } = member;
    const [block] = definition.described;
    for (const row of rows.inputs) if (!inputs.some(({ name }) => name === row.name)) inputs.push(row);
    const fits = rows.inputs.every((row) => inputs.some((known) => isSame(row, known)));
    if (block?.kind !== JOINT || !fits || definition.names.some((name) => name.startsWith("member")))
      throw new CarillonError(
        "ERR_OPTION",
        "ensemble",
        `expected models of 'towers', whose inputs of one name are alike, for 'ensemble' but member ${at + 1} is none`,
      );
    const known = new Map<Layer, Layer>();
    for (const [name, layer] of Object.entries(block.layers ?? {}))
      parts.push(named(copied(layer, known), partName(at, members.length, name)));
    for (const [name, { data }] of member.weights()) weights.set(partName(at, members.length, name), data);
  }
  const own = members.map(({ rows }) => rows.inputs.map(({ name }) => name));
  const areAll = own.every(
    (names) => names.length === inputs.length && names.every((name, at) => name === inputs[at]?.name),
  );
  const form: JointForm = {
    inputs,
    mixing,
    weights: given.map((weight) => weight / sum),
    ...(areAll ? {} : { takes: own }),
  };
  const joint = new Model<Sizes, Sizes>(jointDefinition(form, namedLayers(parts, nameOf(parts))));
  joint.setWeights(weights);
  joint.changeMeaning({ ...first.meaning, preparation: undefined });
  return joint;
}

function isSame(a: RowSpec, b: RowSpec | undefined): boolean {
  return a.name === b?.name && elementsOf(a) === elementsOf(b) && sameShape(a.shape, b.shape);
}
