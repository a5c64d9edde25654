import { CarillonError, describe, fail } from "../../errors.js";
import type { Trace } from "../../graph/trace.js";
import { passLengths } from "../../ops/sequence.js";
import { formatShape, sameShape } from "../../tensor/shape.js";
import { Value, type ValueSpec } from "../../tensor/value.js";
import type { ParameterSpec } from "../parameters/parameter.js";
import { givenBy } from "./chain.js";
import type { Kept, Layer, LayerResult, StateSpec } from "./layer.js";
import type { NamedLayers } from "./naming.js";

/** Layers in one another, at most. */
export const DEEPEST = 32;

/** Layers by name, as functions that record what they compute. */
export type Functions = Readonly<Record<string, (x: Value) => Value>>;

/** Values that layers read while they are recorded, by name, and where new ones of states go. */
export interface Recording {
  readonly trace: Trace;
  readonly parameters: ReadonlyMap<string, Value>;
  readonly states: { get(name: string): Value | undefined; set(name: string, value: Value): void };
  /** Gives layers their shares where statistics are measured anew. */
  readonly shares?: Shares | undefined;
  /** Memory of the lanes of streams that are taken step by step. */
  readonly lanes?: Lanes | undefined;
  /** Told what every layer gives. */
  readonly tell?: ((name: string, output: Value) => void) | undefined;
}

/** Memory that layers keep of each lane of a stream. */
export interface Lanes {
  /** Refuses a layer that cannot take the steps of x one by one. */
  expect(path: string, layer: Layer, x: Value): void;
  keep(path: string, key: string, shape: readonly number[]): Kept;
}

/** The share of a batch in all rows that a layer has seen so far, by the layer's name. */
export interface Shares {
  of(layer: string): Value;
}

/** Layers with all that is inside of them: what they declare, by names that nest, and what they compute. */
export class Structure {
  readonly layers: NamedLayers;
  readonly parameters: ReadonlyMap<string, ParameterSpec>;
  readonly states: ReadonlyMap<string, StateSpec>;
  /** Where each layer that declares something stands first: there its parameters have their names. */
  readonly #paths = new Map<Layer, string>();

  constructor(layers: NamedLayers) {
    const parameters = new Map<string, ParameterSpec>();
    const states = new Map<string, StateSpec>();
    const visit = (prefix: string, inside: NamedLayers, depth: number): void => {
      if (depth > DEEPEST) refuseDepth();
      for (const [name, layer] of Object.entries(inside)) {
        const path = `${prefix}${name}`;
        if (this.#paths.has(layer)) continue;
        this.#paths.set(layer, path);
        for (const [key, spec] of Object.entries(layer.parameters)) parameters.set(`${path}.${key}`, spec);
        for (const [key, spec] of Object.entries(layer.state ?? {})) states.set(`${path}.${key}`, spec);
        if (layer.layers !== undefined) visit(`${path}.`, layer.layers, depth + 1);
      }
    };
    visit("", layers, 1);
    this.layers = layers;
    this.parameters = parameters;
    this.states = states;
  }

  functions(recording: Recording): Functions {
    return this.#functions("", this.layers, recording);
  }

  #functions(prefix: string, layers: NamedLayers, recording: Recording): Functions {
    return Object.fromEntries(
      Object.entries(layers).map(([name, layer]) => [
        name,
        (x: Value) => this.#record(`${prefix}${name}`, layer, x, recording),
      ]),
    );
  }

  #record(path: string, layer: Layer, x: Value, recording: Recording): Value {
    const { trace, parameters, states, tell, shares, lanes } = recording;
    lanes?.expect(path, layer, x);
    const own = this.#paths.get(layer) ?? path;
    const valuesOf = (
      declared: Readonly<Record<string, unknown>>,
      from: { get(name: string): Value | undefined },
    ): Record<string, Value> =>
      Object.fromEntries(
        Object.keys(declared).flatMap((key): [string, Value][] => {
          const value = from.get(`${own}.${key}`);
          return value === undefined ? [] : [[key, value]];
        }),
      );
    let changes = trace.training;
    const measure = (): Value => {
      changes = true;
      return shares?.of(own) ?? x;
    };
    const context = {
      training: trace.training,
      ...(shares === undefined ? {} : { measure }),
      ...(lanes === undefined ? {} : { keep: (key: string, shape: readonly number[]) => lanes.keep(path, key, shape) }),
      nextSite: () => trace.nextSite(),
      needRows: (rows: number) => trace.needRows(path, rows),
      state: valuesOf(layer.state ?? {}, states),
      layers: this.#functions(`${path}.`, layer.layers ?? {}, recording),
    };
    const { output, state } = resultOf(layer.forward(x, valuesOf(layer.parameters, parameters), context));
    const checked = checkOutput(path, output, givenBy(layer, x));
    passLengths(x, checked);
    for (const [key, value] of Object.entries(state)) {
      const checkedValue = checkState(`${path}.${key}`, value, layer.state?.[key]);
      if (changes) states.set(`${own}.${key}`, checkedValue);
    }
    tell?.(path, checked);
    return checked;
  }
}

function refuseDepth(): never {
  throw new CarillonError(
    "ERR_OPTION",
    "layers",
    `expected at most ${DEEPEST} layers in one another but received more`,
  );
}

/** Takes apart the result of a forward function: a value, or one with new values of states. */
function resultOf(returned: unknown): { readonly output: unknown; readonly state: NonNullable<LayerResult["state"]> } {
  if (returned instanceof Value || typeof returned !== "object" || returned === null || !("output" in returned)) {
    return { output: returned, state: {} };
  }
  const state: unknown = "state" in returned ? returned.state : undefined;
  return { output: returned.output, state: typeof state === "object" && state !== null ? { ...state } : {} };
}

/** The output of a layer, checked against what the layer declares: `ERR_SHAPE`, or `ERR_DTYPE`. */
function checkOutput(name: string, output: unknown, { shape, dtype }: ValueSpec): Value {
  const fits = output instanceof Value && sameShape(output.shape, shape);
  if (fits && output.dtype === dtype) return output;
  const kind = (type: string): string => (fits ? `${type} ` : "");
  const received = output instanceof Value ? `${kind(output.dtype)}${formatShape(output.shape)}` : describe(output);
  const expected = `expected ${kind(dtype)}${formatShape(shape)} from the layer '${name}'`;
  throw new CarillonError(fits ? "ERR_DTYPE" : "ERR_SHAPE", name, `${expected} but received ${received}`);
}

/** A new value of a state has the state's shape, f32; else `ERR_SHAPE`. */
function checkState(name: string, value: unknown, spec: StateSpec | undefined): Value {
  if (spec === undefined) return fail("ERR_OPTION", name, "a state that the layer declares", value);
  if (value instanceof Value && value.dtype === "f32" && sameShape(value.shape, spec.shape)) return value;
  const received = value instanceof Value ? `${value.dtype} ${formatShape(value.shape)}` : describe(value);
  const expected = `expected f32 ${formatShape(spec.shape)} as the state '${name}'`;
  throw new CarillonError("ERR_SHAPE", name, `${expected} but received ${received}`);
}
