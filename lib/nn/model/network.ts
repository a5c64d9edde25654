import { CarillonError, describe, fail } from "../../errors.js";
import type { Spec } from "../../graph/program.js";
import { Trace, tracing } from "../../graph/trace.js";
import { checkFunction, checkKeys, checkObject } from "../../options.js";
import type { Bytes } from "../../tensor/bytes.js";
import type { Ragged } from "../../tensor/ragged.js";
import { RaggedValue } from "../../tensor/ragged_value.js";
import { areNamed, inputOf, type RowSpec } from "../../tensor/row_spec.js";
import { type Dim, formatShape, sameShape } from "../../tensor/shape.js";
import { Value } from "../../tensor/value.js";
import { ANY_SIZE, type Element, type Taken } from "../structure/chain.js";
import { checkInside, checkName, type Layer, type LayerPart, sealed } from "../structure/layer.js";
import { type Definition, rowOf, type Sizes, sizeOf, takenBy, type Values } from "../structure/sequence.js";
import { checkInput } from "../structure/sequential_options.js";
import { type Functions, Structure } from "../structure/structure.js";
import { Model } from "./model.js";

/** Argument of {@link network}. */
export interface NetworkDefinition<
  I extends Readonly<Record<string, Spec | Bytes | Ragged>>,
  L extends Readonly<Record<string, LayerPart>>,
  O extends Value | Values,
> {
  /** By name: `spec(['batch'], 'i32')` for a number a row, `spec(['batch', 3])` for three, `ragged('i32')` for lists, `bytes([28, 28, 1])` for images. */
  readonly inputs: I;
  /** Names of parameters begin with theirs. One that `forward` calls twice has the same parameters both times. */
  readonly layers: L;
  /** Records the network: a value of [batch, …], or several by name, from the inputs, by the layers as functions. */
  forward(inputs: { readonly [K in keyof I]: Value }, layers: { readonly [K in keyof L]: (x: Value) => Value }): O;
}

type RowOf<S> = S extends Ragged
  ? Ragged
  : S extends { readonly shape: readonly ["batch"] }
    ? readonly []
    : S extends { readonly shape: readonly ["batch", infer N extends number] }
      ? N
      : S extends { readonly shape: readonly ["batch", ...infer Row extends readonly number[]] }
        ? readonly [...Row]
        : Taken;

/** Rows of the inputs, by name. */
export type NetworkInputs<I> = { readonly [K in keyof I]: RowOf<I[K]> };

/** Elements of its inputs, by name. */
export type NetworkElements<I> = {
  readonly [K in keyof I]: I[K] extends Ragged
    ? "ragged"
    : I[K] extends { readonly dtype: infer D extends Element }
      ? D
      : Element;
};

/** Rows of the output, or of several by name. */
export type NetworkOutputs<O> = O extends Value ? number : { readonly [K in keyof O]: Taken };

/**
 * A model of any form: several inputs by name, one output or several by name, layers in any order.
 *
 * `forward` is called whenever the network is recorded, and computes with operations and layers alone.
 *
 * @example
 * const towers = network({
 *   inputs: { left: spec(['batch', 8]), right: spec(['batch', 8]) },
 *   layers: { tower: sequential(linear(8, 16), relu()), head: linear(32, 1) },
 *   forward: ({ left, right }, { tower, head }) => head(ops.concat([tower(left), tower(right)])),
 * });
 */
export function network<
  const I extends Readonly<Record<string, Spec | Bytes | Ragged>>,
  const L extends Readonly<Record<string, LayerPart>>,
  const O extends Value | Values,
>(definition: NetworkDefinition<I, L, O>): Model<NetworkInputs<I>, NetworkOutputs<O>, NetworkElements<I>>;
export function network(
  given: NetworkDefinition<
    Readonly<Record<string, Spec | Bytes | Ragged>>,
    Readonly<Record<string, LayerPart>>,
    Value | Values
  >,
): Model<Sizes, Sizes, Readonly<Record<string, Element>>> {
  checkKeys("network", given, ["inputs", "layers", "forward"]);
  checkFunction("network.forward", given.forward);
  checkObject("network.inputs", given.inputs);
  return new Model<Sizes, Sizes, Readonly<Record<string, Element>>>(
    definitionOf(rowsOf(given.inputs), checkInside("network.layers", given.layers), given.forward),
  );
}

/** The inputs by name; `ERR_OPTION` for what is none. */
function rowsOf(inputs: Readonly<Record<string, unknown>>): readonly RowSpec[] {
  const rows = Object.entries(inputs).map(([name, input]): RowSpec => {
    checkName("network.inputs: a name", name);
    return rowOf(name, checkInput(`network.inputs.${name}`, input));
  });
  return rows.length > 0 ? rows : fail("ERR_OPTION", "network.inputs", "an input or more by name", inputs);
}

type Forward = (inputs: Values, layers: Functions) => unknown;

function definitionOf(
  inputs: readonly RowSpec[],
  layers: Readonly<Record<string, Layer>>,
  forward: Forward,
): Definition {
  const structure = new Structure(layers);
  const run = (values: readonly Value[], functions: Functions): Values =>
    outputsOf(
      forward(Object.fromEntries(inputs.map(({ name }, at) => [name, values[at]])) as Values, functions),
      values[0]?.shape[0],
    );
  const outputs = Object.entries(inferred(structure, inputs, run)).map(([name, value]) => rowOf(name, value));
  const record: Definition["record"] = (values, functions) => {
    const given = run(values, functions);
    const hasOtherSteps = inputs.some(
      ({ shape, ragged }, at) => ragged === undefined && values[at] !== undefined && !isRow(values[at], shape),
    );
    return outputs.map((row) => outputAt(given, row, hasOtherSteps));
  };
  const sizesOf = (rows: readonly RowSpec[]): Sizes => Object.fromEntries(rows.map((row) => [row.name, sizeOf(row)]));
  const [[x], [y]] = [inputs, outputs];
  const names = Object.keys(layers);
  const block = sealed<Layer>({
    kind: "network",
    inputs: x?.ragged === undefined ? (x?.shape ?? []) : ANY_SIZE,
    outputs: y?.shape ?? [],
    takes: x && takenBy(x),
    parameters: {},
    layers,
    order: names,
    forward: (value, _parameters, context) => record([value], context.layers)[0] ?? value,
  });
  return {
    layers: Object.values(layers),
    names,
    given: [],
    structure,
    rows: { inputs, outputs },
    sizes: {
      inputs: sizesOf(inputs),
      outputs: areNamed("y", outputs) || y === undefined ? sizesOf(outputs) : sizeOf(y),
    },
    described: [block],
    record,
    block,
  };
}

const isRow = ({ shape }: Value, row: readonly number[]): boolean => sameShape(shape.slice(1), row);

/**
 * An output that was there when the network was made; `ERR_STATE` where it is another one now.
 *
 * @param hasOtherSteps Whether inputs have another number of steps than was said, as in a stream: then so may outputs.
 */
function outputAt(outputs: Values, { name, shape }: RowSpec, hasOtherSteps: boolean): Value {
  const output = outputs[name];
  if (output !== undefined && isRow(output, shape)) return output;
  const [, , ...rest] = output?.shape ?? [];
  const hasRest = output?.shape.length === shape.length + 1 && sameShape(rest, shape.slice(1));
  if (output !== undefined && hasOtherSteps && hasRest && shape.length > 1) return output;
  const received = output === undefined ? "none" : formatShape(output.shape);
  const expected = `expected ${formatShape(["batch", ...shape])} as '${name}' of 'network.forward', as before,`;
  throw new CarillonError("ERR_STATE", "network.forward", `${expected} but received ${received}`);
}

/** Records the network once, for what it gives. */
function inferred(
  structure: Structure,
  inputs: readonly RowSpec[],
  run: (values: readonly Value[], functions: Functions) => Values,
): Values {
  const unknown = (specs: ReadonlyMap<string, { readonly shape: readonly number[] }>): Map<string, Value> =>
    new Map([...specs].map(([name, { shape }]) => [name, new Value(shape, "f32", { kind: "input", name })]));
  const trace = new Trace(0, false);
  return tracing(trace, () => {
    const recording = { trace, parameters: unknown(structure.parameters), states: unknown(structure.states) };
    return run(inputs.map(inputOf), structure.functions(recording));
  });
}

/** The outputs by name, `y` where there is one without, each of as many `rows` as the inputs; `ERR_OPTION` and `ERR_SHAPE` for what is none. */
function outputsOf(given: unknown, rows: Dim | undefined): Values {
  const where = "network.forward";
  const named: Readonly<Record<string, unknown>> =
    given instanceof Value ? { y: given } : typeof given === "object" && given !== null ? { ...given } : {};
  const outputs = Object.entries(named).map(([name, output]): [string, Value] => {
    checkName(`${where}: a name`, name);
    if (!(output instanceof Value) || output instanceof RaggedValue)
      return fail("ERR_OPTION", `${where}.${name}`, "a value, no lists,", output);
    if (rows !== undefined && output.shape[0] === rows && output.dtype !== "u8") return [name, output];
    const received = `${output.dtype} ${formatShape(output.shape)}`;
    throw new CarillonError(
      "ERR_SHAPE",
      where,
      `expected [${rows}, …] as '${name}' of '${where}' but received ${received}`,
    );
  });
  if (outputs.length > 0) return Object.fromEntries(outputs);
  throw new CarillonError(
    "ERR_OPTION",
    where,
    `expected a value, or several by name, of '${where}' but received ${describe(given)}`,
  );
}
