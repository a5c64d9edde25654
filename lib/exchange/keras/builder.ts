// Layers of Keras' configurations as layers of ours.
import { CarillonError, describe, shortened } from "../../errors.js";
import { type AnyModel, type Description, fromDescription } from "../../index.js";
import { isObject } from "../../io/header.js";
import { broken } from "../../io/refusal.js";
import { givenBy } from "../../nn/structure/chain.js";
import type { ValueSpec } from "../../tensor/value.js";
import { Counted, snakeCase } from "../rules/keras.js";
import { ACTIVATIONS } from "../rules/options.js";
import { Config } from "./config.js";
import { CLASSES, type Made } from "./layers.js";

/** A layer there, and those that it has become here. */
export interface KerasLayer {
  readonly name: string;
  readonly className: string;
  /** The group of its variables in a file of weights, such as `layers/dense_1`. */
  readonly group: string;
  /** Ours that has its variables, by its name, and how. */
  readonly owners: readonly { readonly name: string; readonly made: Made }[];
}

/** A model that was built of a configuration, without its weights. */
export interface BuiltModel {
  readonly model: AnyModel;
  readonly layers: readonly KerasLayer[];
  /** What the configuration says and the model does not have: options by `layer.option`, which change no answer. */
  readonly notes: readonly string[];
}

/** A layer of a configuration. */
export interface Serialized {
  readonly where: string;
  readonly className: string;
  readonly name: string;
  readonly config: object;
  readonly inbound: unknown;
}

/** Layers of a model. */
const MOST_LAYERS = 10_000;

/** Layers in one another. */
const DEEPEST = 8;

/** A layer of a configuration: its class, its name and its options; `ERR_FILE` for what is none. */
export function serializedOf(where: string, given: unknown): Serialized {
  if (!isObject(given)) throw broken(where, "a layer", describe(given));
  const { class_name: className, config, name, inbound_nodes: inbound }: Record<string, unknown> = { ...given };
  if (typeof className !== "string" || !isObject(config))
    throw broken(where, "a layer with class_name and config", shortened(JSON.stringify(given), 100));
  const own: unknown = Reflect.get(config, "name");
  const called = typeof own === "string" ? own : typeof name === "string" ? name : className.toLowerCase();
  return { where: `${where}: ${shortened(called, 100)}`, className, name: called, config, inbound };
}

/** The list of layers of a model's configuration. */
export function layersIn(where: string, config: object): readonly Serialized[] {
  const list: unknown = Reflect.get(config, "layers");
  if (!Array.isArray(list)) throw broken(where, "a list of layers", describe(list));
  if (list.length > MOST_LAYERS) throw broken(where, `at most ${MOST_LAYERS} layers`, `${list.length}`);
  return list.map((layer: unknown) => serializedOf(where, layer));
}

/** A name that layers may have here. */
export const nameHere = (name: string): string => name.replaceAll(/[^\w-]/g, "_");

/** Layers of ours as plain data, and what comes out of them. */
export interface Built {
  readonly layers: readonly Description[];
  readonly spec: ValueSpec;
}

/** Layers of ours of a layer there, for rows of a shape. */
export class Builder {
  readonly layers: KerasLayer[] = [];
  readonly notes: string[] = [];
  readonly #counted: Counted;
  readonly #prefix: string;
  readonly #depth: number;

  constructor(prefix = "layers", depth = 0) {
    this.#prefix = prefix;
    this.#counted = new Counted();
    this.#depth = depth;
  }

  /** Made of a layer, with what comes out of it. */
  build(layer: Serialized, given: ValueSpec): Built {
    const { className, name, where } = layer;
    const group = `${this.#prefix}/${this.#counted.next(snakeCase(className))}`;
    if (className === "Sequential") return this.#nested(layer, group, given);
    const made = madeOf(layer, given.shape.slice(1).map(Number), this.notes);
    const owners: { name: string; made: Made }[] = [];
    const built: Description[] = [];
    let spec = given;
    for (const [at, one] of made.entries()) {
      const isNamed = !KINDS_WITHOUT.includes(one.kind);
      const called = nameHere(at === 0 || owners.length === 0 ? name : `${name}_${at}`);
      const options = isNamed ? { ...one.options, name: called } : one.options;
      const part = placed(where, () => fromDescription("layer", { kind: one.kind, options }));
      const isOwner = Object.keys(part.parameters).length > 0 || part.state !== undefined;
      if (isOwner) owners.push({ name: called, made: one });
      spec = placed(where, () => givenBy(part, spec));
      built.push({ kind: one.kind, options });
    }
    const inner = className === "TimeDistributed" ? "/layer" : "";
    this.layers.push({ name, className, group: `${group}${inner}`, owners });
    return { layers: built, spec };
  }

  /** A chain within a chain has its layers in this one: their names stay, their groups are within its own. */
  #nested({ config, where }: Serialized, group: string, given: ValueSpec): Built {
    if (this.#depth >= DEEPEST) throw broken(where, `models at most ${DEEPEST} in one another`, "more");
    const inner = new Builder(`${group}/layers`, this.#depth + 1);
    const built: Description[] = [];
    let spec = given;
    for (const one of layersIn(where, config)) {
      if (one.className === "InputLayer") continue;
      const next = inner.build(one, spec);
      built.push(...next.layers);
      spec = next.spec;
    }
    this.layers.push(...inner.layers);
    this.notes.push(...inner.notes);
    return { layers: built, spec };
  }
}

/** Layers without an option of their name. */
const KINDS_WITHOUT: readonly string[] = [...ACTIVATIONS, "flatten", "reshape"];

/** Errors of the layers say where in the file it was. */
export function placed<T>(where: string, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    if (!(cause instanceof CarillonError)) throw cause;
    const message = `expected a layer that can be here for '${where}' but received one of which was said: ${cause.message}`;
    throw new CarillonError("ERR_FILE", where, message, { cause });
  }
}

/** Options that training adds to the loss, or does to weights after a step. */
const PENALTIES = /_(?:regularizer|constraint)$/;

/** Layers here of a layer there; `ERR_FILE` names one that there is none for. */
function madeOf(
  { className, config, where, name }: Serialized,
  row: readonly number[],
  notes: string[],
): readonly Made[] {
  const options = new Config(where, config);
  const made = wrapped(className, options, row, notes) ?? own(className)?.(options, row);
  if (made === undefined)
    throw broken(
      where,
      `a layer that Carillon has (${Object.keys(CLASSES).join(", ")}, Bidirectional, TimeDistributed)`,
      className,
    );
  if (/int4|int8|float8/.test(JSON.stringify(options.raw("dtype") ?? "")))
    options.refuse("dtype", "a model that is not quantized: save it before,");
  for (const { note } of made) if (note !== undefined) notes.push(`${name}.${note}`);
  for (const option of options.unheeded) {
    if (!PENALTIES.test(option)) options.refuse(option, "no option that Carillon does not know");
    notes.push(`${name}.${option}`);
  }
  return made;
}

const own = (className: string): ((config: Config, row: readonly number[]) => readonly Made[]) | undefined =>
  Object.hasOwn(CLASSES, className) ? CLASSES[className] : undefined;

/** Layers around another one. */
function wrapped(
  className: string,
  config: Config,
  row: readonly number[],
  notes: string[],
): readonly Made[] | undefined {
  if (className !== "Bidirectional" && className !== "TimeDistributed") return undefined;
  const inner = serializedOf(config.where, config.raw("layer"));
  if (className === "TimeDistributed") {
    if (inner.className !== "Dense" && inner.className !== "Activation")
      config.refuse("layer", "Dense or Activation for each step");
    return madeOf(inner, row, notes);
  }
  config.only("merge_mode", "concat");
  config.raw("backward_layer");
  const [first, ...more] = madeOf(inner, row, notes);
  const isRecurrent = first !== undefined && more.length === 0 && ["lstm", "gru", "rnn"].includes(first.kind);
  return isRecurrent
    ? [{ ...first, options: { ...first.options, bidirectional: true } }]
    : config.refuse("layer", "LSTM, GRU or SimpleRNN");
}

/** Rows that an input layer takes, or what the first layer says of itself. */
export function rowsOf(where: string, given: unknown, dtype: unknown, input: readonly number[] | undefined): ValueSpec {
  const sizes = input ?? (Array.isArray(given) ? given.slice(1) : undefined);
  const shape = sizes?.map(Number).filter((size) => Number.isSafeInteger(size) && size > 0);
  if (sizes === undefined || shape?.length !== sizes.length)
    throw broken(
      where,
      "sizes of its input (or { input } that says them)",
      Array.isArray(given) ? `[${given.map(String).join(", ")}]` : "none",
    );
  return { shape: ["batch", ...shape], dtype: typeof dtype === "string" && /int/.test(dtype) ? "i32" : "f32" };
}

/** Options of an import of a configuration. */
export interface BuildOptions {
  /** Sizes of a row where the file leaves some open, such as the steps of sequences. */
  readonly input?: readonly number[] | undefined;
}
