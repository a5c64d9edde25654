// Weights of Keras: names of groups and variables in its files, and what of ours they are.
import { CarillonError, shortened } from "../../errors.js";
import type { AnyModel } from "../../index.js";
import { broken } from "../../io/refusal.js";
import { formatShape } from "../../tensor/shape.js";
import type { Crossing } from "../crossing.js";
import { NameMap, pairOf } from "../name_map.js";
import { type Place, placesOf } from "../places.js";
import { floatsOf } from "../reading/elements.js";
import type { TensorFile } from "../reading/tensor_file.js";
import { Counted, KERAS_RULES, snakeCase, type Variable } from "../rules/keras.js";
import { ACTIVATIONS, DROPOUTS } from "../rules/options.js";
import type { Refusal } from "../rules/rule.js";
import { fits, StagedWeights } from "../staged_weights.js";
import type { KerasLayer } from "./builder.js";

/** A variable of a file, with the layer that it belongs to. */
export interface KerasEntry {
  readonly crossing: Crossing;
  readonly path: string;
  readonly module: string;
}

/** Kinds that Keras has and that have no variables. */
const BARE: ReadonlySet<string> = new Set([
  ...[...ACTIVATIONS, ...DROPOUTS, "flatten", "reshape", "images"],
  ...["maxPool1d", "maxPool2d", "averagePool1d", "averagePool2d", "globalAveragePool", "globalMaxPool"],
]);

function refuse(where: string, { path, kind, options }: Place, reason: string | undefined): never {
  const what = options === undefined ? "a layer of your own" : `a layer that is a ${kind}`;
  const why = reason === undefined ? "" : ` What would: ${reason}`;
  throw new CarillonError(
    "ERR_OPTION",
    path,
    `expected layers that Keras has for '${where}' but received '${path}', ${what}.${why}`,
  );
}

/** Variables under the names of a group: `layers/dense/vars/0`, `layers/lstm/cell/vars/0`. */
export function variablesIn(group: string, variables: readonly Variable[]): readonly Crossing[] {
  const counts = new Map<string, number>();
  return variables.map(({ part, as }) => {
    const at = counts.get(part) ?? 0;
    counts.set(part, at + 1);
    return as(`${group}${part === "" ? "" : `/${part}`}/vars/${at}`);
  });
}

const isRefusal = (found: readonly Variable[] | Refusal): found is Refusal => "refused" in found;

/** Every variable of the weights of a model that is built of the same layers in Keras, in its order. */
export function kerasEntries(where: string, model: AnyModel): readonly KerasEntry[] {
  const entries: KerasEntry[] = [];
  const visit = (places: readonly Place[], prefix: string): void => {
    const counted = new Counted();
    for (const place of places) {
      const { kind, path } = place;
      if (kind === "sequential") {
        visit(place.inside, `${prefix}/${counted.next("sequential")}/layers`);
        continue;
      }
      const rule = place.options !== undefined && Object.hasOwn(KERAS_RULES, kind) ? KERAS_RULES[kind] : undefined;
      const isBare = place.options !== undefined && BARE.has(kind);
      if (rule === undefined && !isBare) refuse(where, place, INSTEAD[kind]);
      const variables = rule?.variables(place) ?? [];
      if (isRefusal(variables)) refuse(where, place, variables.refused);
      const module = rule?.module(place) ?? "";
      const group = `${prefix}/${counted.next(snakeCase(module))}`;
      for (const crossing of variablesIn(group, variables)) entries.push({ crossing, path, module });
    }
  };
  visit(placesOf(model).places, "layers");
  return entries;
}

const INSTEAD: Readonly<Record<string, string>> = {
  residual: "the same layers in a network, which calls them one by one, as a functional model does",
  concat: "the same layers in a network, which calls them one by one, as a functional model does",
  transformerBlock: "attention, layerNorm and linear in a network of your own",
  positions: "embedding of the numbers of the steps",
};

/** Every variable of a model that was built of a configuration. */
export function importedEntries(where: string, model: AnyModel, layers: readonly KerasLayer[]): readonly KerasEntry[] {
  const places = new Map(placesOf(model).places.map((place) => [place.path, place]));
  return layers.flatMap(({ group, className, owners }) =>
    owners.flatMap(({ name, made }): readonly KerasEntry[] => {
      const place = places.get(name);
      if (place === undefined) throw new CarillonError("ERR_STATE", name, `expected the layer '${name}' in the model`);
      const variables = made.variables?.(place) ?? KERAS_RULES[place.kind]?.variables(place) ?? [];
      if (isRefusal(variables)) return refuse(where, place, variables.refused);
      return variablesIn(group, variables).map((crossing) => ({ crossing, path: name, module: className }));
    }),
  );
}

/** How a model's weights are called in a `.weights.h5` of Keras, with their shapes there and what changes on the way. */
export function kerasNameMap(model: AnyModel): NameMap {
  return new NameMap(kerasEntries("kerasNameMap", model).map(({ crossing, module }) => pairOf(crossing, module)));
}

/** The paths of groups that say nothing of the layers' weights: seeds, the optimizer, and what is counted. */
const OTHERS = /^(?:optimizer|vars)\/|\/seed_generator\/|^_?(?:loss|metrics|compile)/;

/** Takes over the variables of a file; `ERR_FILE` names what is missing, too many or of another shape. */
export async function takeVariables(
  model: AnyModel,
  file: TensorFile,
  entries: readonly KerasEntry[],
): Promise<StagedWeights> {
  const { where } = file;
  const staged = new StagedWeights(model);
  const left = new Set([...file.entries.keys()].filter((name) => !OTHERS.test(name)));
  for (const { crossing, path } of entries) {
    const name = [crossing.theirs, crossing.theirs.replace(/^layers\//, "_layer_checkpoint_dependencies/")].find(
      (one) => left.has(one),
    );
    const entry = name === undefined ? undefined : file.entries.get(name);
    if (name === undefined || entry === undefined)
      throw broken(
        where,
        `${crossing.theirs} ${formatShape(crossing.shape)} of '${path}'`,
        `none of that name: there are ${[...left].slice(0, 5).join(", ")}`,
      );
    if (!fits(crossing, entry))
      throw broken(`${where}: ${shortened(name, 100)}`, formatShape(crossing.shape), formatShape(entry.shape));
    const read = await file.read(name);
    if (read.dtype !== "f32")
      throw broken(
        `${where}: ${shortened(name, 100)}`,
        "floating-point numbers",
        `${read.stored}: a quantized model does not cross; save it before it is quantized`,
      );
    staged.take(crossing, floatsOf(read));
    left.delete(name);
  }
  const [strange] = left;
  if (strange !== undefined) throw broken(where, "the variables of the model alone", shortened(strange, 100));
  return staged;
}
