// State dicts of PyTorch, both ways.
import { countOf } from "../counts.js";
import { CarillonError, describe, shortened } from "../errors.js";
import { type AnyModel, type Tensor, tensor } from "../index.js";
import { broken } from "../io/refusal.js";
import { checkBoolean, checkKeys } from "../options.js";
import { formatShape } from "../tensor/shape.js";
import { nearest } from "../words.js";
import type { Crossing } from "./crossing.js";
import { type Entry, type LayerNames, pytorchEntries, type StateDictOptions } from "./pytorch_walk.js";
import { openTensors } from "./reading/any.js";
import { floatsOf } from "./reading/elements.js";
import type { FileSource } from "./reading/file.js";
import { heldTensors } from "./reading/held.js";
import { checkExchangeLimits, type ExchangeLimits, type TensorEntry, type TensorFile } from "./reading/tensor_file.js";
import { fits, StagedWeights, weightsOf } from "./staged_weights.js";
import { checkVerification, type Verification, verifyModel } from "./verify.js";
import { safetensorsPieces, type WrittenTensor, writePieces } from "./writing.js";

const OPTIONS = ["map", "images"];

/**
 * A model's weights as PyTorch's `state_dict()` has them: its names, shapes and order of gates, in its order. `num_batches_tracked` is 0, as i32. {@link nameMap} shows what is
 * what; `ERR_OPTION` names a layer that PyTorch has no module for.
 */
export function stateDict(model: AnyModel, options: StateDictOptions = {}): ReadonlyMap<string, Tensor> {
  checkKeys("stateDict", options, OPTIONS);
  const weights = weightsOf(model);
  return new Map(
    pytorchEntries("stateDict", model, options).map(({ crossing }) => {
      const { theirs, shape, dtype } = crossing;
      const data = crossing.read(weights);
      return [theirs, dtype === "i64" ? tensor(Int32Array.from(data), shape) : tensor(data, shape)];
    }),
  );
}

/**
 * Writes {@link stateDict} as a safetensors file, which `module.load_state_dict(safetensors.torch.load_file(path))` takes. The file has its name when all of it is on the disk.
 */
export async function saveStateDict(model: AnyModel, path: string, options: StateDictOptions = {}): Promise<void> {
  checkKeys("saveStateDict", options, OPTIONS);
  const weights = weightsOf(model);
  const tensors = new Map(
    pytorchEntries("saveStateDict", model, options).map(({ crossing }): [string, WrittenTensor] => {
      const { theirs, shape, dtype } = crossing;
      // Made when it is written, so that no more than one is there at a time.
      const written = {
        ...{ dtype, shape },
        get data() {
          const data = crossing.read(weights);
          return dtype === "i64" ? BigInt64Array.from(data, BigInt) : data;
        },
      };
      return [theirs, written];
    }),
  );
  await writePieces("saveStateDict.path", path, safetensorsPieces(tensors, { format: "pt" }));
}

/** Tensors by name, as a file has them. */
export type GivenTensors =
  | ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: ArrayLike<number> }>
  | Readonly<Record<string, { readonly shape: readonly number[]; readonly data: ArrayLike<number> }>>;

/** Options of {@link loadStateDict}. */
export interface LoadStateDictOptions extends Omit<StateDictOptions, "map"> {
  /** As of {@link stateDict}; `'order'` goes by the order of the file, whatever its names: that of `.pt`, as safetensors keeps none. */
  readonly map?: LayerNames | "order" | undefined;
  /** Refuses tensors that are missing, too many, or of another shape; true by default. Otherwise those that fit are loaded, and the report tells the others. */
  readonly strict?: boolean | undefined;
  /** Where the state dict stands in a `.pt` that has more: `'model_state_dict'`. By default the file itself, or the one dictionary of tensors in it. */
  readonly key?: string | undefined;
  /** Inputs, and what the other side gave for them: where the model gives something else it is `ERR_STATE`, and the weights are as before. */
  readonly verify?: Verification | undefined;
  readonly limits?: ExchangeLimits | undefined;
}

/** What {@link loadStateDict} has done. */
export interface LoadReport {
  /** Names of tensors of the file that were loaded. */
  readonly loaded: readonly string[];
  /** Names there of what the file lacks, or has in another shape: their weights are as before. */
  readonly missing: readonly string[];
  /** Names of the file that are nothing of the model. */
  readonly unexpected: readonly string[];
}

/**
 * Takes over the weights of a PyTorch module: of a `.pt` of `torch.save(module.state_dict(), path)`, which is read as data and never executed, of safetensors (with its index, too), of
 * `.npz`, or of tensors in memory. Names are those that {@link nameMap} shows. f64 is rounded to the nearest, f16, bf16 and the kinds of eight bits are exact. A number of `module.` or
 * `_orig_mod.` that begins every name, as wrappers write it, is left out.
 *
 * Nothing is written unless all of it fits: `ERR_FILE` names what is missing, too many or of another shape, `ERR_OPTION` a layer that PyTorch has no module for, `ERR_BUSY` a model
 * that a run has.
 *
 * @example
 * await loadStateDict(model, "model.pt", { map: { linear1: "fc1", linear2: "fc2" } });
 */
export async function loadStateDict(
  model: AnyModel,
  source: FileSource | GivenTensors,
  options: LoadStateDictOptions = {},
): Promise<LoadReport> {
  const where = "loadStateDict";
  checkKeys(where, options, [...OPTIONS, "strict", "key", "verify", "limits"]);
  const { map, images, strict, key, verify, limits } = options;
  const isStrict = checkBoolean(`${where}.strict`, strict ?? true);
  if (key !== undefined && typeof key !== "string")
    throw new CarillonError(
      "ERR_OPTION",
      `${where}.key`,
      `expected a key for '${where}.key' but received ${describe(key)}`,
    );
  checkVerification(`${where}.verify`, verify);
  checkExchangeLimits(`${where}.limits`, limits);
  const byOrder = map === "order";
  const entries = pytorchEntries(where, model, { images, map: byOrder ? undefined : map });
  const isFile = typeof source === "string" || ArrayBuffer.isView(source);
  const file = isFile ? await openTensors(where, source, limits) : heldTensors(where, source);
  try {
    const found = tensorsAt(file, key);
    const { pairs, ...report } = matched(file.where, entries, found, { isStrict, byOrder });
    const staged = new StagedWeights(model);
    for (const { crossing, name } of pairs) {
      const read = await file.read(name);
      if (read.dtype !== "f32" && crossing.ours.length > 0) refuseElements(file.where, name, read.stored);
      staged.take(crossing, floatsOf(read));
    }
    await commit(model, staged, verify);
    return report;
  } finally {
    await file.close();
  }
}

async function commit(model: AnyModel, staged: StagedWeights, verify: Verification | undefined): Promise<void> {
  if (verify === undefined) return staged.commit();
  const before = model.weights();
  staged.commit();
  try {
    await verifyModel("loadStateDict.verify", model, verify);
  } catch (cause) {
    model.setWeights(before);
    throw cause;
  }
}

function refuseElements(where: string, name: string, stored: string): never {
  throw broken(`${where}: ${shortened(name, SHOWN)}`, "floating-point numbers", stored);
}

const SHOWN = 100;

/** Tensors of a state dict by their names in it, with their names in the file. */
type Found = ReadonlyMap<string, { readonly name: string; readonly entry: TensorEntry }>;

/** What wrappers begin every name with. */
const WRAPPERS = ["module.", "_orig_mod."];

function tensorsAt(file: TensorFile, key: string | undefined): Found {
  const names = [...file.entries.keys()];
  const prefix = key === undefined ? prefixOf(file, names) : key === "" ? "" : `${key}.`;
  const inside = names.filter((name) => name.startsWith(prefix));
  if (inside.length === 0)
    throw broken(
      file.where,
      prefix === "" ? "tensors" : `tensors at '${prefix.slice(0, -1)}'`,
      names.length === 0 ? "none" : listed(names),
    );
  let begin = prefix.length;
  for (let wrapped = true; wrapped; ) {
    wrapped = false;
    for (const wrapper of WRAPPERS) {
      if (!inside.every((name) => name.startsWith(wrapper, begin))) continue;
      begin += wrapper.length;
      wrapped = true;
    }
  }
  return new Map(
    inside.flatMap((name) => {
      const entry = file.entries.get(name);
      return entry === undefined ? [] : [[name.slice(begin), { name, entry }] as const];
    }),
  );
}

/** Keys that checkpoints have for what is no state dict of a model. */
const OTHERS = /^(?:optimizer|optim|scheduler|lr_scheduler|scaler|ema|rng)/i;

/** Where the state dict stands, of a `.pt`: at its top, or under the one key of it that has tensors and is no optimizer. */
function prefixOf(file: TensorFile, names: readonly string[]): string {
  if (file.format !== "PyTorch") return "";
  const tops = file.topKeys ?? [];
  const dictionaries = tops.filter(
    ({ isDictionary, key }) => isDictionary && !OTHERS.test(key) && names.some((name) => name.startsWith(`${key}.`)),
  );
  const hasOwn = tops.some(({ isTensor }) => isTensor);
  const [only, ...more] = dictionaries;
  if (hasOwn || only === undefined) return "";
  if (more.length === 0) return `${only.key}.`;
  throw broken(file.where, "one state dict, or { key } that says which", dictionaries.map(({ key }) => key).join(", "));
}

interface Matched extends LoadReport {
  readonly pairs: readonly { readonly crossing: Crossing; readonly name: string }[];
}

function matched(
  where: string,
  entries: readonly Entry[],
  found: Found,
  { isStrict, byOrder }: { readonly isStrict: boolean; readonly byOrder: boolean },
): Matched {
  if (byOrder) return inOrder(where, entries, found);
  const pairs: { crossing: Crossing; name: string }[] = [];
  const missing: Crossing[] = [];
  const problems: string[] = [];
  for (const { crossing } of entries) {
    const one = found.get(crossing.theirs);
    if (one === undefined) {
      if (!crossing.optional) missing.push(crossing);
    } else if (fits(crossing, one.entry)) pairs.push({ crossing, name: one.name });
    else {
      missing.push(crossing);
      problems.push(
        `${crossing.theirs} ${formatShape(one.entry.shape)} in the place of ${formatShape(crossing.shape)}`,
      );
    }
  }
  const known = new Set(entries.map(({ crossing }) => crossing.theirs));
  const unexpected = [...found.keys()].filter((name) => !known.has(name));
  const report = {
    pairs,
    loaded: pairs.map(({ name }) => name),
    missing: missing.map(({ theirs }) => theirs),
    unexpected,
  };
  if (!isStrict || (missing.length === 0 && unexpected.length === 0)) return report;
  const absent = missing.filter(({ theirs }) => !found.has(theirs));
  const expected =
    absent.length === 0
      ? "the tensors of the model alone"
      : listed(absent.map(({ theirs, shape }) => `${theirs} ${formatShape(shape)}`));
  const strange = unexpected.map((name) => {
    const near = nearest(
      name,
      absent.slice(0, 1000).map(({ theirs }) => theirs),
    );
    return `${shortened(name, SHOWN)} ${formatShape(found.get(name)?.entry.shape ?? [])}${near === undefined ? "" : ` (${near}?)`}`;
  });
  const received = listed([...problems, ...strange]);
  throw broken(
    where,
    expected,
    received === ""
      ? "nothing of that name"
      : `${received}. nameMap(model) shows what is expected, { map } names layers otherwise, { strict: false } loads what fits`,
  );
}

/** The tensors of a file one behind the other, those of the model likewise: kinds and shapes have to be the same. */
function inOrder(where: string, entries: readonly Entry[], found: Found): Matched {
  const left = [...found];
  const pairs: { crossing: Crossing; name: string }[] = [];
  const last = (name: string): string => name.split(".").at(-1) ?? name;
  let at = 0;
  for (const { crossing } of entries) {
    const [name = "", one] = left[at] ?? [];
    const isIt = one !== undefined && fits(crossing, one.entry) && last(name) === last(crossing.theirs);
    if (isIt) pairs.push({ crossing, name: one.name });
    if (isIt) at += 1;
    else if (!crossing.optional) {
      const expected = `${crossing.theirs} ${formatShape(crossing.shape)} as tensor ${at + 1}`;
      throw broken(
        where,
        expected,
        one === undefined
          ? `${countOf(left.length, "tensor")}`
          : `${shortened(name, SHOWN)} ${formatShape(one.entry.shape)}`,
      );
    }
  }
  const unexpected = left.slice(at).map(([name]) => name);
  if (unexpected.length > 0) throw broken(where, countOf(at, "tensor"), `more: ${listed(unexpected)}`);
  return { pairs, loaded: pairs.map(({ name }) => name), missing: [], unexpected: [] };
}

/** Names that a message lists. */
const LISTED = 5;

function listed(names: readonly string[]): string {
  const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : "";
  return (
    names
      .slice(0, LISTED)
      .map((name) => shortened(name, SHOWN))
      .join(", ") + more
  );
}
