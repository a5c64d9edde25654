import type { RowSpec, RowSpecs } from "../../tensor/row_spec.js";
import { extent, formatShape } from "../../tensor/shape.js";
import type { ValueSpec } from "../../tensor/value.js";
import type { ParameterInfo } from "../memory/slab.js";
import { givenBy } from "../structure/chain.js";
import type { Layer } from "../structure/layer.js";

/** A layer as a table of a model shows it. */
interface Row {
  readonly name: string;
  readonly output: string;
  readonly parameters: string;
  readonly details: string;
}

/** A model as its table needs it. */
export interface Summarized {
  readonly rows: RowSpecs;
  readonly layers: readonly Layer[];
  /** Of the layers, in their order; a layer that stands twice has one name. */
  readonly names: readonly string[];
  /** The input of each layer, where that is known. */
  readonly given: readonly ValueSpec[];
  readonly parameters: readonly ParameterInfo[];
}

const HEADER: Row = { name: "layer", output: "output", parameters: "parameters", details: "" };

/** Digits in groups of three: `203,530`. */
function grouped(count: number): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ",");
}

/** `784 → 10`, `[28, 28, 1] → 10` */
export function formatSizes({ rows: { inputs, outputs } }: Pick<Summarized, "rows">): string {
  return `${inputs.map(formatRow).join(", ")} → ${outputs.map(formatRow).join(", ")}`;
}

function formatRow({ shape, dtype, ragged, bytes }: RowSpec): string {
  if (ragged !== undefined) return ragged.longest === undefined ? "lists" : `lists of ${ragged.longest}`;
  const size = shape.length === 1 ? `${shape[0]}` : formatShape(shape);
  return dtype === "f32" && !bytes ? size : `${bytes ? "u8" : dtype} ${size}`;
}

/** A table: a layer a row, with its name, what it gives, how many parameters it has and their shapes; the sum on top. */
export function summarize({ rows: sizes, layers, names, given, parameters }: Summarized): string {
  const seen = new Map<Layer, string>();
  const rows = layers.flatMap((layer, index) => rowsOf(names[index] ?? layer.kind, layer, given[index], seen));
  const total = parameters.reduce((sum, { shape }) => sum + extent(shape), 0);
  return [`Model ${formatSizes({ rows: sizes })}, ${grouped(total)} parameters`, ...formatRows(rows)].join("\n");
}

/** The row of a layer, and behind it those of the layers inside. */
function rowsOf(name: string, layer: Layer, given: ValueSpec | undefined, seen: Map<Layer, string>): readonly Row[] {
  const before = seen.get(layer);
  const gives = given === undefined ? undefined : givenBy(layer, given);
  const output = gives === undefined ? "" : formatShape(gives.shape);
  const inside = Object.entries(layer.layers ?? {});
  const shapes = Object.values({ ...layer.parameters, ...layer.state });
  if (before !== undefined && (shapes.length > 0 || inside.length > 0)) {
    return [{ name, output, parameters: "0", details: `those of ${before} above` }];
  }
  seen.set(layer, name);
  const count = Object.values(layer.parameters).reduce((sum, { shape }) => sum + extent(shape), 0);
  const own = {
    name,
    output,
    parameters: inside.length > 0 && count === 0 ? "" : grouped(count),
    details: detailsOf(layer),
  };
  const inputs = given === undefined ? undefined : inputsOf(layer, given);
  return [own, ...inside.flatMap(([key, each]) => rowsOf(`${name}.${key}`, each, inputs?.get(key), seen))];
}

/** Inputs of the layers of a block, by name, where they are known. */
function inputsOf({ layers = {}, order = [], flow }: Layer, given: ValueSpec): ReadonlyMap<string, ValueSpec> {
  if (flow === undefined) return new Map();
  const inputs = new Map(Object.keys(layers).map((name) => [name, given]));
  if (flow === "branches") return inputs;
  let value = given;
  for (const name of order) {
    inputs.set(name, value);
    const layer = layers[name];
    if (layer !== undefined) value = givenBy(layer, value);
  }
  return inputs;
}

/** Keys and shapes of parameters and states; of a layer without any, and without layers inside, how it is set. */
function detailsOf({ parameters, state = {}, layers, config = {} }: Layer): string {
  const shapes = [...Object.entries(parameters), ...Object.entries(state)].map(
    ([key, { shape }]) => `${key} [${shape.join(", ")}]`,
  );
  if (layers !== undefined) return shapes.join(", ");
  const settings = Object.entries(config).map(
    ([key, value]) => `${key} ${Array.isArray(value) ? formatShape(value) : value}`,
  );
  return (shapes.length > 0 ? shapes : settings).join(", ");
}

function formatRows(rows: readonly Row[]): readonly string[] {
  const all = [HEADER, ...rows];
  const widest = (key: keyof Row): number => Math.max(...all.map((row) => row[key].length));
  const [names, outputs, counts] = [widest("name"), widest("output"), widest("parameters")];
  return all.map(({ name, output, parameters, details }) => {
    const columns = [name.padEnd(names), output.padEnd(outputs), parameters.padStart(counts), details];
    return `  ${columns.join("  ").trimEnd()}`;
  });
}
