import { countOf } from "../../counts.js";
import { onlyOf } from "../../data/block.js";
import { areLists } from "../../data/lists.js";
import { failElement, type Member, memberOf, rowForm, rowOf } from "../../data/member.js";
import {
  ColumnStatistics,
  checkTransform,
  isTransform,
  type Transform,
  transformed,
  unitColumns,
} from "../../data/transform.js";
import { fail } from "../../errors.js";
import { type Program, program, type Spec, spec } from "../../graph/program.js";
import { checkKeys, checkNumber, checkString } from "../../options.js";
import { isFloats } from "../../tensor/arrays.js";
import { areMembers } from "../../tensor/copied.js";
import { log } from "../../tensor/exact.js";
import { FNV_BASIS, fnv1a } from "../../tensor/fnv1a.js";
import { type Counter, type Key, philox, seedKey } from "../../tensor/philox.js";
import { areNamed, type RowSpec } from "../../tensor/row_spec.js";
import { extent } from "../../tensor/shape.js";
import { type Tensor, tensor } from "../../tensor/tensor.js";
import type { Value } from "../../tensor/value.js";
import { matchesPattern } from "../../words.js";
import type { RowsOf, Some, TargetsOf } from "../meaning/row_types.js";
import type { ParameterInfo } from "../memory/slab.js";
import { callInputs, membersOfCall } from "../serving/rows.js";
import { byName } from "../structure/by_name.js";
import type { InputSize, Sizes } from "../structure/sequence.js";
import { type AnyModel, Model } from "./model.js";

/** Options of {@link drawFromData}. */
export interface DrawFromDataOptions<In extends Sizes = InputSize, Out extends Sizes = InputSize> {
  /** Of all draws; 0 by default. */
  readonly seed?: number | undefined;
  /** What `fit` is going to be given as `inputs`, by name where inputs have names: fitted on these rows here too. */
  readonly inputs?: Some<In, Transform | null> | null | undefined;
  /** Targets of these rows, for a model with bounds that they say: `clampOutput(n)`. */
  readonly y?: TargetsOf<Out> | undefined;
  /** What `fit` is going to be given as `targets`: fitted on these rows here too. */
  readonly targets?: Some<Out, Transform | null> | null | undefined;
  /** Pattern of the layers whose weights are meant, in which `*` stands for any characters; all by default. */
  readonly layers?: string | undefined;
}

/** Rows that run through the network at once. */
const CHUNK = 1024;

/** Rows whose mixture a unit is 0 at. */
const MIXED = 5;

/** Purpose of the draws of these rows and of their shares, as ARCHITECTURE.md numbers them. */
const PURPOSE = 11;
const TWO_53 = 9007199254740992;

/** A linear layer: where it is told, its weight [out, in], and its bias [out] if it has one. */
interface Drawn {
  readonly path: string;
  readonly weight: ParameterInfo;
  readonly bias: ParameterInfo | undefined;
}

/** Layers with a matrix of weights, in the order of the model. */
function drawnLayers({ parameters }: AnyModel, pattern: string): readonly Drawn[] {
  const drawn = parameters.flatMap((weight): Drawn[] => {
    const path = weight.name.endsWith(".weight") ? weight.name.slice(0, -".weight".length) : undefined;
    if (path === undefined || weight.shape.length !== 2 || !matchesPattern(pattern, path)) return [];
    const bias = parameters.find(({ name, shape }) => {
      return name === `${path}.bias` && shape.length === 1 && shape[0] === weight.shape[0];
    });
    return [{ path, weight, bias }];
  });
  if (drawn.length === 0)
    fail("ERR_OPTION", "drawFromData.layers", "a pattern of a layer with a weight matrix", pattern);
  return drawn;
}

/** Finite numbers of a row; `ERR_DATA` names the place of another. */
function numbersOf(member: Member, row: number): { readonly values: ArrayLike<number>; readonly from: number } {
  const values = rowOf(member, row) as ArrayLike<number>;
  const from = member.nested ? 0 : row * member.columns;
  for (let column = 0; column < member.columns; column++) {
    if (!Number.isFinite(values[from + column])) failElement(member, row, column, values[from + column]);
  }
  return { values, from };
}

/** Figures of the columns, which units are fitted on. */
function statisticsOf(member: Member, transform: Transform | undefined): ColumnStatistics {
  const statistics = new ColumnStatistics(unitColumns(member.shape), transform);
  for (let row = 0; row < member.rows; row++) {
    const { values, from } = numbersOf(member, row);
    for (let at = 0; at < member.columns; at += statistics.columns) statistics.add(values, from + at);
  }
  return statistics;
}

/** Rows of an input as its program takes them. */
interface ProbeInput {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: "f32" | "i32";
  readonly data: Float32Array | Int32Array;
}

/** All rows of an input: floats in the units of the network, integers as they are. */
function probeInput(
  member: Member,
  { name, shape, dtype }: RowSpec,
  transform: Transform | null | undefined,
): ProbeInput {
  const count = member.rows * member.columns;
  const affine = transform == null ? undefined : statisticsOf(member, transform).fit("drawFromData.x", transform);
  const columns = affine?.shift.length ?? 1;
  const data = dtype === "i32" ? new Int32Array(count) : new Float32Array(count);
  for (let row = 0; row < member.rows; row++) {
    const { values, from } = numbersOf(member, row);
    for (let at = 0; at < member.columns; at++) {
      data[row * member.columns + at] = transformed(affine, at % columns, values[from + at] ?? 0);
    }
  }
  return { name, shape, dtype, data };
}

/** The least and the greatest target of each column, in the units of the network, by the names of the states that are to be these; `undefined` for a model without. */
function boundsOf(
  model: AnyModel,
  rows: number,
  { y, targets }: Pick<DrawFromDataOptions<Sizes, Sizes>, "y" | "targets">,
): Readonly<Record<string, Float32Array>> {
  const where = "drawFromData.y";
  const states = model.memory.states.filter(({ spec }) => spec.targets !== undefined);
  if (states.length === 0) {
    if (y !== undefined) fail("ERR_OPTION", where, "none, as no layer has bounds of targets,", y);
    return {};
  }
  const { outputs } = model.rows;
  const [output, another] = outputs;
  if (output === undefined || another !== undefined)
    return fail("ERR_OPTION", where, "a model with one output, as a layer has bounds of targets,", model);
  if (y === undefined) return fail("ERR_OPTION", where, `targets, as '${states[0]?.name}' is one of them,`, y);
  const rowsOfOutput = areNamed("y", outputs) && areMembers(y) ? y[output.name] : onlyOf("y", y);
  const member = memberOf(where, rowsOfOutput, rowForm(output.shape));
  if (member.rows !== rows) fail("ERR_DATA", where, `${countOf(rows, "row")}, as x has,`, member.rows);
  const [given] = byName("drawFromData.targets", targets ?? undefined, "y", outputs, "a transform", isTransform);
  const transform = (given && checkTransform(given.where, given.value)) ?? undefined;
  const statistics = statisticsOf(member, transform);
  const affine = transform && statistics.fit(where, transform, true);
  const ends = statistics.summary().map(({ min, max }, column) => {
    const [first, last] = [transformed(affine, column, min), transformed(affine, column, max)];
    return { least: Math.min(first, last), greatest: Math.max(first, last) };
  });
  return Object.fromEntries(
    states.map(({ name, shape, spec }) => {
      if (extent(shape) !== ends.length) fail("ERR_SHAPE", name, `bounds of ${ends.length} columns of targets`, shape);
      return [name, Float32Array.from(ends, (end) => end[spec.targets ?? "least"])];
    }),
  );
}

type Probe = Program<Readonly<Record<string, Spec>>, { readonly z: Value }>;

/** What one layer gives. */
function probeOf(model: AnyModel, path: string, inputs: readonly ProbeInput[]): Probe {
  return program<Readonly<Record<string, Spec>>, { readonly z: Value }>({
    inputs: Object.fromEntries(inputs.map(({ name, shape, dtype }) => [name, spec(["batch", ...shape], dtype)])),
    maxBatch: CHUNK,
    body: (values) => {
      let z: Value | undefined;
      const rows = inputs.flatMap(({ name }) => values[name] ?? []);
      model.recordRows(rows, (name, output) => {
        if (name === path) z ??= output;
      });
      return { z: z ?? fail("ERR_STATE", "drawFromData", `a layer '${path}' that the network uses`, z) };
    },
  });
}

/** Some rows of all inputs. */
function rowsOf(inputs: readonly ProbeInput[], begin: number, count: number): Readonly<Record<string, Tensor>> {
  return Object.fromEntries(
    inputs.map(({ name, shape, data }) => {
      const columns = extent(shape);
      const [from, to, rows] = [begin * columns, (begin + count) * columns, [count, ...shape]];
      return [name, isFloats(data) ? tensor(data.slice(from, to), rows) : tensor(data.slice(from, to), rows)];
    }),
  );
}

/** Rows and shares of a unit: five rows, u uniform on the simplex of five, from exponential draws (−ln of uniform ones). */
function mixtureOf(
  path: string,
  unit: number,
  rows: number,
  key: Key,
): { readonly rows: number[]; readonly shares: number[] } {
  const drawn = Array.from({ length: MIXED }, (_, k) => {
    const counter: Counter = [unit, fnv1a(path, FNV_BASIS), k, PURPOSE];
    const [a = 0, b = 0, c = 0, d = 0] = philox(counter, key);
    const row = Math.floor(((a * 2097152 + (b >>> 11)) / TWO_53) * rows);
    return { row, share: -log((c * 2097152 + (d >>> 11) + 0.5) / TWO_53) };
  });
  const sum = drawn.reduce((total, { share }) => total + share, 0);
  return { rows: drawn.map(({ row }) => row), shares: drawn.map(({ share }) => share / sum) };
}

/** What a layer gives over all rows: deviations of its units, and the mixtures of their values. */
async function lookAt(
  probe: Probe,
  inputs: readonly ProbeInput[],
  examples: number,
  { units, path, key }: { readonly units: number; readonly path: string; readonly key: Key },
): Promise<{ readonly deviations: Float64Array; readonly mixtures: Float64Array }> {
  const [first, sums, squares, mixtures] = Array.from({ length: 4 }, () => new Float64Array(units)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  let picks: ReturnType<typeof mixtureOf>[] | undefined;
  let rows = 0;
  for (let begin = 0; begin < examples; begin += CHUNK) {
    const count = Math.min(CHUNK, examples - begin);
    const { z } = await probe.run(rowsOf(inputs, begin, count));
    const values = z.data;
    const told = values.length / units;
    const total = (told / count) * examples;
    picks ??= Array.from({ length: units }, (_, unit) => mixtureOf(path, unit, total, key));
    if (rows === 0) first.set(values.subarray(0, units));
    for (let row = 0; row < told; row++) {
      for (let unit = 0; unit < units; unit++) {
        const apart = (values[row * units + unit] ?? 0) - (first[unit] ?? 0);
        sums[unit] = (sums[unit] ?? 0) + apart;
        squares[unit] = (squares[unit] ?? 0) + apart * apart;
      }
    }
    for (const [unit, { rows: chosen, shares }] of picks.entries()) {
      for (const [k, row] of chosen.entries()) {
        if (row < rows || row >= rows + told) continue;
        mixtures[unit] = (mixtures[unit] ?? 0) + (shares[k] ?? 0) * (values[(row - rows) * units + unit] ?? 0);
      }
    }
    rows += told;
  }
  const deviations = squares.map((square, unit) => {
    const mean = (sums[unit] ?? 0) / rows;
    return Math.sqrt(Math.max(0, square / rows - mean * mean));
  });
  return { deviations, mixtures };
}

/**
 * First weights by the data: `initialize(seed)`, then layer by layer, in the order of the model, with the rows of `x` run through what
 * stands before it, at inference: each row of a weight matrix [out, in] is divided by the standard deviation of what its unit gives, bias left
 * out, so that this becomes 1; a bias becomes −Σₖ uₖ·z(rₖ), z what the unit gives then, r five rows drawn for it and u uniform on the simplex: units are
 * 0 somewhere among the data. A unit that gives one value keeps its weights.
 *
 * For layers that are linear in a matrix `weight` with a `bias` [out], such as {@link ntkLinear} and {@link linear}, of a model of any inputs but
 * lists. The bits depend on seed, names and rows. Holzmüller, Grinsztajn, Steinwart 2024 (pytabkit: `std` and `he+5`; there the five
 * rows are those of its own generator). A later `fit` goes on from these weights.
 *
 * With `y`, the targets of the rows, `clampOutput(n)` gets its bounds: the least and the greatest of each column, in the units of `targets`.
 */
export function drawFromData<In extends Sizes, Out extends Sizes>(
  model: Model<In, Out>,
  x: RowsOf<In>,
  options?: DrawFromDataOptions<In, Out>,
): Promise<void>;
export async function drawFromData(
  model: AnyModel,
  x: unknown,
  options: DrawFromDataOptions<Sizes, Sizes> = {},
): Promise<void> {
  const where = "drawFromData";
  checkKeys(where, options, ["seed", "inputs", "y", "targets", "layers"]);
  if (!(model instanceof Model)) fail("ERR_OPTION", `${where}.model`, "a model", model);
  const seed = checkNumber(`${where}.seed`, options.seed ?? 0, { min: 0, integer: true });
  const key = seedKey(`${where}.seed`, seed);
  const layers = drawnLayers(model, checkString(`${where}.layers`, options.layers ?? "*"));
  const rows = model.rows.inputs;
  const transforms = byName(`${where}.inputs`, options.inputs ?? undefined, "x", rows, "a transform", isTransform);
  const members = membersOfCall(`${where}.x`, x, callInputs(rows));
  const inputs = rows.map((row, at): ProbeInput => {
    const [member, given] = [members[at], transforms[at]];
    if (member === undefined || areLists(member))
      return fail("ERR_OPTION", `${where}.model`, "a model without lists", model);
    const transform = given && checkTransform(given.where, given.value);
    if (transform && row.dtype === "i32") fail("ERR_OPTION", given.where, "none, as the input is integers,", transform);
    return probeInput(member, row, transform);
  });
  const examples = members[0]?.rows ?? 0;
  if (examples === 0) return fail("ERR_DATA", `${where}.x`, "a row or more", x);
  const bounds = boundsOf(model, examples, options);
  model.initialize(seed);
  const write = (values: Readonly<Record<string, Float32Array>>): void => {
    const all = [...model.weights()].map(([name, { data: kept }]): [string, Float32Array] => [
      name,
      values[name] ?? kept,
    ]);
    model.setWeights(new Map(all));
  };
  write(bounds);
  for (const { bias } of layers) if (bias !== undefined) write({ [bias.name]: new Float32Array(extent(bias.shape)) });
  for (const { path, weight, bias } of layers) {
    const [units = 1, width = 1] = weight.shape;
    const probe = probeOf(model, path, inputs);
    const { deviations, mixtures } = await lookAt(probe, inputs, examples, { units, path, key });
    const factors = deviations.map((deviation) => (deviation > 0 ? 1 / deviation : 1));
    const known = model.weights().get(weight.name)?.data ?? new Float32Array();
    const scaled = known.map((value, at) => value * (factors[Math.floor(at / width)] ?? 1));
    const shifted = bias && {
      [bias.name]: Float32Array.from(mixtures, (value, unit) => -value * (factors[unit] ?? 1)),
    };
    write({ [weight.name]: scaled, ...shifted });
  }
}
