import { extent } from "../tensor/shape.js";
import type { Layer } from "./layer.js";
import type { ParameterInfo } from "./slab.js";

/** A layer as a table of a model shows it. */
interface Row {
  readonly name: string;
  readonly output: string;
  readonly parameters: string;
  readonly details: string;
}

/** What a table of a model is made of. */
export interface Summarized {
  readonly inputs: number;
  readonly outputs: number;
  readonly layers: readonly Layer[];
  /** Of the layers, in their order; a layer that stands twice has one name. */
  readonly names: readonly string[];
  readonly parameters: readonly ParameterInfo[];
}

const HEADER: Row = { name: "layer", output: "output", parameters: "parameters", details: "" };

/** Digits in groups of three: `203,530`. */
function grouped(count: number): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ",");
}

/** `784 → 10` */
export function formatSizes({ inputs, outputs }: Pick<Summarized, "inputs" | "outputs">): string {
  return `${inputs} → ${outputs}`;
}

/** A table: a layer a row, with its name, what it gives, how many parameters it has and their shapes; the sum on top. */
export function summarize({ layers, names, inputs, outputs, parameters }: Summarized): string {
  let features = inputs;
  const rows = layers.map((layer, index): Row => {
    if (layer.outputs !== "same") features = layer.outputs;
    const name = names[index] ?? layer.kind;
    const specs = Object.entries(layer.parameters);
    const shared = names.indexOf(name) < index && specs.length > 0;
    const count = shared ? 0 : specs.reduce((sum, [, { shape }]) => sum + extent(shape), 0);
    return {
      name,
      output: `[batch, ${features}]`,
      parameters: grouped(count),
      details: shared ? `those of ${name} above` : detailsOf(layer),
    };
  });
  const total = parameters.reduce((sum, { shape }) => sum + extent(shape), 0);
  return [`Model ${formatSizes({ inputs, outputs })}, ${grouped(total)} parameters`, ...formatRows(rows)].join("\n");
}

/** Names and shapes of the parameters; of a layer without any, how it is set. */
function detailsOf({ parameters, config = {} }: Layer): string {
  const shapes = Object.entries(parameters).map(([role, { shape }]) => `${role} [${shape.join(", ")}]`);
  const settings = Object.entries(config).map(([key, value]) => `${key} ${value}`);
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
