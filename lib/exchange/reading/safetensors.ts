// safetensors in every type, one file or many with an index.
import { isAbsolute } from "node:path";
import { describe, messageOf, shortened } from "../../errors.js";
import { isObject, type StoredEntry } from "../../io/header.js";
import { nestingOf, repeatedKey } from "../../io/json.js";
import { broken } from "../../io/refusal.js";
import { openHeader } from "../../io/safetensors_layout.js";
import { fileBeside } from "./beside.js";
import { FOREIGN_TYPES, type ForeignDtype, tensorOf } from "./elements.js";
import { type OpenFile, open } from "./file.js";
import { type CheckedExchangeLimits, checkSizes, entryOf, expectWithin, type TensorFile } from "./tensor_file.js";

/** A safetensors file. */
export async function openSafetensorsFile(file: OpenFile, limits: CheckedExchangeLimits): Promise<TensorFile> {
  const { where } = file;
  const { entries, metadata } = await openHeader(file, limits, FOREIGN_TYPES);
  for (const [name, { shape }] of entries) checkSizes(`${where}: ${shortened(name, SHOWN)}`, shape);
  expectWithin(where, entries.values(), limits);
  return {
    ...{ where, format: "safetensors", entries, facts: metadata },
    read: async (name) => await readEntry(file, name, entryOf(where, entries, name)),
    close: () => file.close(),
  };
}

const SHOWN = 100;

async function readEntry(file: OpenFile, name: string, { dtype, shape, begin, end }: StoredEntry<ForeignDtype>) {
  return tensorOf(`${file.where}: ${shortened(name, SHOWN)}`, dtype, shape, await file.bytes(begin, end - begin));
}

/** Characters of an index, and shards. */
const LONGEST_INDEX = 100_000_000;
const MOST_SHARDS = 10_000;

/** Where each tensor is, of the text of an index. */
function weightMapOf(where: string, text: string): ReadonlyMap<string, string> {
  if (nestingOf(text) > 16) throw broken(where, "an index of shards", "JSON that is more than 16 levels deep");
  let index: unknown;
  try {
    index = JSON.parse(text);
  } catch (cause) {
    throw broken(where, "an index of shards in JSON", messageOf(cause));
  }
  const repeated = repeatedKey(text);
  if (repeated !== undefined) throw broken(where, "every key once", `${describe(repeated)} twice`);
  const map = isObject(index) ? Object.entries(index).find(([key]) => key === "weight_map")?.[1] : undefined;
  if (!isObject(map))
    throw broken(where, "an index of shards with a weight_map", isObject(index) ? "one without" : describe(index));
  return new Map(
    Object.entries(map).map(([name, shard]: [string, unknown]) => {
      if (typeof shard === "string" && isInside(shard)) return [name, shard];
      throw broken(`${where}: ${shortened(name, SHOWN)}`, "the name of a file beside the index", describe(shard));
    }),
  );
}

/** Whether a name stays within its folder. */
export function isInside(name: string): boolean {
  const parts = name.split(/[/\\]/);
  return (
    name !== "" &&
    !isAbsolute(name) &&
    !/[\0:]/.test(name) &&
    !parts.some((part) => part === ".." || part === "." || part === "")
  );
}

/** Shards behind an index `*.safetensors.index.json`, by its path. */
export async function openShards(index: OpenFile, limits: CheckedExchangeLimits): Promise<TensorFile> {
  const { where, size } = index;
  if (size > LONGEST_INDEX) throw broken(where, `an index of at most ${LONGEST_INDEX} bytes`, `${size}`);
  const text = new TextDecoder().decode(await index.bytes(0, size));
  await index.close();
  const places = weightMapOf(where, text);
  const shards = [...new Set(places.values())];
  if (shards.length > MOST_SHARDS) throw broken(where, `at most ${MOST_SHARDS} files`, `${shards.length}`);
  const opened = new Map<string, TensorFile>();
  const close = async (): Promise<void> => {
    await Promise.all([...opened.values()].map((file) => file.close()));
  };
  try {
    for (const shard of shards) opened.set(shard, await openShard(where, shard, limits));
    const entries = new Map(
      [...places].map(([name, shard]) => {
        const found = opened.get(shard)?.entries.get(name);
        if (found !== undefined) return [name, found];
        throw broken(`${where}: ${shortened(name, SHOWN)}`, `a tensor of ${shard}`, "none of that name there");
      }),
    );
    expectWithin(where, entries.values(), limits);
    return {
      ...{ where, format: `safetensors, ${shards.length} shards`, entries, facts: {}, close },
      read: async (name) => await entryOf(where, opened, entryOf(where, places, name)).read(name),
    };
  } catch (cause) {
    await close();
    throw cause;
  }
}

async function openShard(where: string, shard: string, limits: CheckedExchangeLimits): Promise<TensorFile> {
  const file = await open(where, await fileBeside(where, shard, "a file beside its index"));
  try {
    return await openSafetensorsFile(file, limits);
  } catch (cause) {
    await file.close();
    throw cause;
  }
}
