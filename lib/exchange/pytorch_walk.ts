// A model as PyTorch's state dict has it: every tensor under its name there, with what of ours it is.
import { describe } from "../errors.js";
import { type AnyModel, CarillonError } from "../index.js";
import { givenBy } from "../nn/structure/chain.js";
import { isPlainObject } from "../options.js";
import { meantBy } from "../words.js";
import type { Crossing } from "./crossing.js";
import { type Place, placesOf } from "./places.js";
import { upTo } from "./rules/options.js";
import { INSTEAD, orderOfImage, RULES } from "./rules/pytorch.js";
import { type Flow, PLAIN, type Refusal, type Rule } from "./rules/rule.js";

/**
 * What layers are called on the other side: by the paths that they have here (`linear1`, `residual1.conv2d2`), or told by a function of the path and
 * of the name that it has without one.
 */
export type LayerNames = Readonly<Record<string, string>> | ((layer: string, standard: string) => string);

/** Options of {@link stateDict}, and of what else goes by PyTorch's names. */
export interface StateDictOptions {
  /** Names of layers on the other side; by default those that `nn.Sequential` gives: the layer's own name, or its place from 0. */
  readonly map?: LayerNames | undefined;
  /**
   * Layers of a `network` whose inputs are flattened images, by their paths: [height, width, channels] before it was flattened. A `sequential` model tells that
   * by itself.
   */
  readonly images?: Readonly<Record<string, readonly number[]>> | undefined;
}

/** A tensor of the other side with the layer that it belongs to. */
export interface Entry {
  readonly crossing: Crossing;
  readonly path: string;
  readonly kind: string;
  readonly module: string;
}

/** What the name of a layer begins with: without names that somebody gave, and with them. */
interface Prefix {
  readonly standard: string;
  readonly theirs: string;
}

const ROOT: Prefix = { standard: "", theirs: "" };

/** A name that is empty is that of the module itself. */
const withPoint = (name: string): string => (name === "" ? "" : `${name}.`);

class Walk {
  readonly entries: Entry[] = [];
  readonly #where: string;
  readonly #map: LayerNames;
  readonly #images: Readonly<Record<string, readonly number[]>>;
  /** Paths that were met, so that names of none are told. */
  readonly paths = new Set<string>();

  constructor(where: string, { map = {}, images = {} }: StateDictOptions) {
    this.#where = where;
    this.#map = checkNames(`${where}.map`, map);
    this.#images = checkImages(`${where}.images`, images);
  }

  chain(places: readonly Place[], prefix: Prefix, from: Flow): Flow {
    return places.reduce((flow, place) => this.#one(place, prefix, flow), from);
  }

  /** Layers that a function of somebody's calls, in an order that it knows alone. */
  apart(places: readonly Place[], prefix: Prefix): Flow {
    for (const place of places) this.#one(place, prefix, PLAIN);
    return PLAIN;
  }

  #one(place: Place, prefix: Prefix, given: Flow): Flow {
    const { kind, path } = place;
    this.paths.add(path);
    const image = Object.hasOwn(this.#images, path) ? this.#images[path] : undefined;
    const flow = image === undefined ? given : { channelsFirst: false, order: orderOfImage(image) };
    const own = this.#nameOf(place, prefix);
    if (kind === "residual") return this.#residual(place, own, flow);
    if (kind === "concat") return this.#branches(place, own, flow);
    if (kind === "sequential") return this.chain(place.inside, own, flow);
    const rule: Rule | undefined = Object.hasOwn(RULES, kind) ? RULES[kind] : undefined;
    const isBuiltIn = place.options !== undefined;
    if (rule === undefined || !isBuiltIn) {
      const parameters = Object.keys(place.layer.parameters).length + Object.keys(place.layer.state ?? {}).length;
      if (isBuiltIn || parameters > 0) this.#refuse(place, INSTEAD[kind]);
      return place.inside.length > 0 ? this.apart(place.inside, own) : flow;
    }
    const crossed = { place, prefix: own.theirs, flow };
    const tensors = rule.tensors?.(crossed) ?? [];
    if (isRefusal(tensors)) return this.#refuse(place, tensors.refused);
    for (const crossing of tensors) this.entries.push({ crossing, path, kind, module: rule.module });
    const next = rule.flow?.(crossed) ?? flow;
    return "refused" in next ? this.#refuse(place, next.refused) : next;
  }

  #residual(place: Place, own: Prefix, flow: Flow): Flow {
    const { inside, layer } = place;
    const count = layer.order?.length ?? inside.length;
    this.apart(inside.slice(count), own); // the projection of what is added
    const next = this.chain(inside.slice(0, count), own, flow);
    if (flow.order === undefined || next.order !== undefined) return next;
    return this.#refuse(
      place,
      "a layer such as linear between the flattened image and the sum, whose features stand in PyTorch's order",
    );
  }

  /** Features of all branches, one behind the other. */
  #branches(place: Place, own: Prefix, flow: Flow): Flow {
    const flows = place.inside.map((branch) => this.#one(branch, own, flow));
    const [first = flow] = flows;
    if (flows.every(({ order }) => order === undefined)) return first;
    const order: number[] = [];
    for (const [at, { layer, given }] of place.inside.entries()) {
      const size = given === undefined ? undefined : givenBy(layer, given).shape.at(-1);
      if (typeof size !== "number") return this.#refuse(place, "a linear behind the flattened image of each branch");
      const before = order.length;
      for (const feature of flows[at]?.order ?? upTo(size)) order.push(before + feature);
    }
    return { channelsFirst: false, order };
  }

  #nameOf(place: Place, prefix: Prefix): Prefix {
    const own = place.name ?? place.at;
    const standard = `${prefix.standard}${own}`;
    const map = this.#map;
    if (typeof map !== "function") {
      const given = Object.hasOwn(map, place.path) ? map[place.path] : undefined;
      return { standard: `${standard}.`, theirs: withPoint(given ?? `${prefix.theirs}${own}`) };
    }
    const name: unknown = map(place.path, standard);
    if (typeof name === "string") return { standard: `${standard}.`, theirs: withPoint(name) };
    throw new CarillonError(
      "ERR_OPTION",
      `${this.#where}.map`,
      `expected a name for '${place.path}' from '${this.#where}.map' but received ${describe(name)}`,
    );
  }

  #refuse({ kind, path, options }: Place, reason: string | undefined): never {
    const what = options === undefined ? "a layer of your own" : `a layer that is a ${kind}`;
    const why = reason === undefined ? "" : ` What would: ${reason}`;
    const problem = `expected layers that PyTorch has for '${this.#where}' but received '${path}', ${what}.${why}`;
    throw new CarillonError("ERR_OPTION", path, problem);
  }
}

const isRefusal = (found: readonly Crossing[] | Refusal): found is Refusal => "refused" in found;

function checkNames(where: string, map: unknown): LayerNames {
  if (typeof map === "function") return map as LayerNames; // what it gives is checked
  const isRecord = isPlainObject(map) && Object.values(map).every((name) => typeof name === "string");
  if (isRecord) return { ...map } as Readonly<Record<string, string>>;
  const expected = "names by the paths of layers, such as { linear1: 'fc1' }, or a function";
  throw new CarillonError("ERR_OPTION", where, `expected ${expected} for '${where}' but received ${describe(map)}`);
}

function checkImages(where: string, images: unknown): Readonly<Record<string, readonly number[]>> {
  const entries: [string, unknown][] = isPlainObject(images) ? Object.entries(images) : [["", images]];
  return Object.fromEntries(
    entries.map(([path, shape]) => {
      const isShape =
        Array.isArray(shape) && shape.length >= 2 && shape.every((size) => Number.isSafeInteger(size) && size > 0);
      if (isShape) return [path, shape.map(Number)];
      const expected = "shapes [height, width, channels] by the paths of layers";
      throw new CarillonError(
        "ERR_OPTION",
        where,
        `expected ${expected} for '${where}' but received ${describe(shape)}`,
      );
    }),
  );
}

/** Every tensor of a model's state dict in PyTorch's order; `ERR_OPTION` names a layer that has no counterpart. */
export function pytorchEntries(where: string, model: AnyModel, options: StateDictOptions = {}): readonly Entry[] {
  const walk = new Walk(where, options);
  const { places, flow } = placesOf(model);
  if (flow === "chain") walk.chain(places, ROOT, PLAIN);
  else walk.apart(places, ROOT);
  const named = typeof options.map === "function" ? [] : Object.keys(options.map ?? {});
  for (const [option, paths] of [
    ["map", named],
    ["images", Object.keys(options.images ?? {})],
  ] as const)
    for (const path of paths) if (!walk.paths.has(path)) refusePath(`${where}.${option}`, path, [...walk.paths]);
  return once(`${where}.map`, walk.entries);
}

/** Each tensor once: the same layer twice has one where it has one name. */
function once(where: string, entries: readonly Entry[]): readonly Entry[] {
  const found = new Map<string, Entry>();
  for (const entry of entries) {
    const { theirs, ours } = entry.crossing;
    const before = found.get(theirs);
    if (before !== undefined && before.crossing.ours.join() !== ours.join()) {
      const problem = `expected a name of its own for each tensor for '${where}' but '${theirs}' stands twice`;
      throw new CarillonError("ERR_OPTION", where, problem);
    }
    found.set(theirs, entry);
  }
  return [...found.values()];
}

function refusePath(where: string, path: string, known: readonly string[]): never {
  const near = meantBy(path, known);
  const hint = near === undefined ? `Known: ${known.slice(0, 20).join(", ")}` : `Did you mean '${near}'?`;
  throw new CarillonError(
    "ERR_OPTION",
    where,
    `expected paths of layers for '${where}' but received '${path}'. ${hint}`,
  );
}
