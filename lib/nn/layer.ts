import { fail } from "../errors.js";
import { checkFunction, checkKeys, checkNumber, checkObject, checkString } from "../options.js";
import { describedBy, type Shown } from "../tensor/inspect.js";
import { formatShape } from "../tensor/shape.js";
import type { Value } from "../tensor/value.js";
import { ANY_SIZE, type Sized } from "./chain.js";
import { PARAMETER_ROLES, type ParameterSpec } from "./parameter.js";

/** What a layer may ask while it is traced. */
export interface LayerContext {
  /** False at inference: nothing is drawn. */
  readonly training: boolean;
  /** A number for the next place of the network that draws random numbers. */
  nextSite(): number;
}

/** Plain data that describe a built-in layer in a saved model. */
export type LayerConfig = Readonly<Record<string, string | number | boolean | null>>;

/** One layer: sizes of its last axis, parameters, and how it computes. Made by {@link defineLayer}. */
export interface Layer<In extends number = number, Out extends number | "same" = number | "same">
  extends Sized<In, Out> {
  readonly name?: string | undefined;
  readonly parameters: Readonly<Record<string, ParameterSpec>>;
  /** For {@link loadModel}; `undefined` for a layer that a user defined. */
  readonly config?: LayerConfig | undefined;
  forward(x: Value, parameters: Readonly<Record<string, Value>>, context: LayerContext): Value;
}

/** What {@link defineLayer} takes. */
export interface LayerDefinition<
  In extends number,
  Out extends number | "same",
  P extends Readonly<Record<string, ParameterSpec>>,
> {
  /** First part of the names of its parameters: `linear` gives `linear1.weight`. */
  readonly kind: string;
  /** Features taken; any number when absent. */
  readonly inputs?: In | undefined;
  /** Features given; `'same'` passes the number through. */
  readonly outputs: Out;
  /** Used in the place of kind and ordinal. */
  readonly name?: string | undefined;
  readonly parameters?: P | undefined;
  readonly config?: LayerConfig | undefined;
  /** y: [batch, outputs] from x: [batch, inputs], recorded once. */
  forward(x: Value, parameters: { readonly [K in keyof P]: Value }, context: LayerContext): Value;
}

const NAME = /^[A-Za-z][A-Za-z0-9_-]*$/;

/** A name that may stand in a parameter's name: a letter, then letters, digits, `_` and `-`; else `ERR_OPTION`. */
export function checkName(where: string, name: string | undefined): string | undefined {
  if (name === undefined || (typeof name === "string" && NAME.test(name))) return name;
  return fail("ERR_OPTION", where, "a name (a letter, then letters, digits, _ or -)", name);
}

/** What {@link defineLayer} has made, or anything of that form; else `ERR_OPTION`. */
export function checkLayer(where: string, value: unknown): Layer {
  if (!isLayer(value)) return fail("ERR_OPTION", where, "a layer", value);
  const { kind, name, inputs, outputs, parameters } = value;
  checkName(`${where}.kind`, kind);
  checkName(`${where}.name`, name);
  if (inputs !== ANY_SIZE) checkNumber(`${where}.inputs`, inputs, { min: 1, integer: true });
  if (outputs !== "same") checkNumber(`${where}.outputs`, outputs, { min: 1, integer: true });
  checkParameters(`${where}.parameters`, parameters);
  return value;
}

function isLayer(value: unknown): value is Layer {
  if (typeof value !== "object" || value === null || !("forward" in value && "kind" in value)) return false;
  return typeof value.forward === "function";
}

/** Parameters by roles that may stand in their names. */
function checkParameters(where: string, parameters: unknown): void {
  checkObject(where, parameters);
  for (const [role, spec] of Object.entries(Object(parameters))) {
    checkName(`${where}: a role`, role);
    if (!isParameter(spec)) fail("ERR_OPTION", `${where}.${role}`, "a parameter()", spec);
  }
}

function isParameter(spec: unknown): spec is ParameterSpec {
  if (typeof spec !== "object" || spec === null || !("shape" in spec && "init" in spec && "role" in spec)) return false;
  if (!PARAMETER_ROLES.some((role) => role === spec.role)) return false;
  return Array.isArray(spec.shape) && typeof spec.init === "object" && spec.init !== null && "resolve" in spec.init;
}

/**
 * A layer from operations. The built-in layers are made by it too.
 *
 * @example
 * const scale = (size: number) => defineLayer({
 *   kind: 'scale', inputs: size, outputs: 'same', parameters: { factor: parameter([size], { init: 1 }) },
 *   forward: (x, { factor }) => ops.multiply(x, factor),
 * });
 */
export function defineLayer<
  const In extends number = number,
  const Out extends number | "same" = "same",
  P extends Readonly<Record<string, ParameterSpec>> = Readonly<Record<never, never>>,
>(definition: LayerDefinition<In, Out, P>): Layer<In, Out> {
  checkKeys("defineLayer", definition, ["kind", "inputs", "outputs", "name", "parameters", "config", "forward"]);
  const { kind, inputs, outputs, name, parameters, config, forward } = definition;
  checkString("defineLayer.kind", kind);
  checkName("defineLayer.kind", kind);
  if (parameters !== undefined) checkParameters(`${kind}.parameters`, parameters);
  checkName(`${kind}.name`, name);
  checkFunction("defineLayer.forward", forward);
  if (inputs !== undefined) checkNumber(`${kind}.inputs`, inputs, { min: 1, integer: true });
  if (outputs !== "same") checkNumber(`${kind}.outputs`, outputs, { min: 1, integer: true });
  const layer: Layer<In, Out> = {
    kind,
    inputs: inputs ?? (ANY_SIZE as In),
    outputs,
    name,
    parameters: parameters ?? {},
    config,
    forward: forward as Layer["forward"],
  };
  return Object.freeze(describedBy(layer, () => describeLayer(layer)));
}

/** For people: sizes if it has any, settings, and the shapes of its parameters. */
function describeLayer({ kind, inputs, outputs, name, parameters, config }: Layer): Shown {
  const sizes = inputs === ANY_SIZE ? "" : ` ${inputs} → ${outputs === "same" ? inputs : outputs}`;
  const { inputs: _in, outputs: _out, ...settings } = config ?? {};
  const shapes = Object.fromEntries(Object.entries(parameters).map(([role, { shape }]) => [role, formatShape(shape)]));
  return { title: `Layer ${kind}${sizes}`, fields: { name, ...shapes, ...settings, ...shapes } };
}
