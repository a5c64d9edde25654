// What a training says of a model as plain data: of one input or output without a name as it is, of several by name.
import { type Affine, affineOf, type Transforms, unitColumns } from "../../data/transform.js";
import type { Part } from "../../io/part.js";
import { areNamed, type RowSpec, type RowSpecs, type Whole } from "../../tensor/row_spec.js";
import { extent } from "../../tensor/shape.js";
import type { Meaning } from "./meaning.js";

/** A value of a single input or output without a name, or values by their names. */
export type InWords<T> = T | Readonly<Record<string, T>>;

/** A value an input or output, by name where these have names; `undefined` where there is none. */
export function inWords<T>(
  whole: Whole,
  specs: readonly RowSpec[],
  values: readonly (T | undefined)[],
): InWords<T> | undefined {
  if (!areNamed(whole, specs)) return values[0];
  const entries = specs.flatMap(({ name }, at) => {
    const value = values[at];
    return value === undefined ? [] : [[name, value] as const];
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** The parts of {@link inWords}, in the order of inputs or outputs; a name that there is not is `ERR_FILE`. */
export function partsOf(whole: Whole, specs: readonly RowSpec[], words: Part): readonly Part[] {
  if (!areNamed(whole, specs)) return [words];
  if (words.isNothing) return specs.map(() => words);
  const names = specs.map(({ name }) => name);
  for (const [name, part] of words.members()) part.expect(names.includes(name), `one of ${names.join(", ")}`);
  return names.map((name) => words.at(name));
}

/** Changes of units as a file has them; `ERR_FILE` unless they are for these rows. */
export function unitsIn(whole: Whole, specs: readonly RowSpec[], words: Part): readonly (Affine | undefined)[] {
  return partsOf(whole, specs, words).map((part, at) => {
    return part.isNothing ? undefined : affineOf(part, unitColumns(specs[at]?.shape ?? []));
  });
}

/** Names of the classes of each output, as a file has them. */
export function namesIn(outputs: readonly RowSpec[], words: Part): readonly (readonly string[] | undefined)[] {
  return partsOf("y", outputs, words).map((part, at) => {
    if (part.isNothing) return undefined;
    const columns = extent(outputs[at]?.shape ?? []);
    const names = part.names();
    const count = columns === 1 ? 2 : columns;
    part.expect(names.length === count, `the names of ${count} classes`);
    return names;
  });
}

/** Transforms by name, as `Model.transforms` shows them. */
export function transformsOf({ inputs, outputs }: RowSpecs, meaning: Meaning): Transforms {
  const targets = meaning.outputs.map(({ units }) => units);
  const isNamed = areNamed("x", inputs) || areNamed("y", outputs);
  if (!isNamed) return { inputs: meaning.inputs[0], targets: targets[0] };
  const named = (specs: readonly RowSpec[], units: readonly (Affine | undefined)[]): Readonly<Record<string, Affine>> =>
    Object.fromEntries(specs.flatMap(({ name }, at) => (units[at] === undefined ? [] : [[name, units[at]]])));
  return { named: { inputs: named(inputs, meaning.inputs), targets: named(outputs, targets) } };
}
