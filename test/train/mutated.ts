// Files in which one value at a time is another: of their JSON, or of a tensor. Their seals fit them.

import { SEAL, sealedBytes, sealedParts } from "../../lib/io/seal.js";
import { sameShape } from "../../lib/tensor/shape.js";
import { decodeSafetensors, encodeSafetensors, type WholeFile } from "../io/whole_file.js";

/** A file in which one value is another. */
export interface Mutation {
  /** Such as `progress.step`, `progress.sums[2]`, `arrays/0[1]`. */
  readonly place: string;
  /** What was put there, in words. */
  readonly change: string;
  bytes(): Uint8Array;
}

type Stored = WholeFile["tensors"] extends ReadonlyMap<string, infer T> ? T : never;

/** What is put in the place of a value, by its name. */
const VALUES: Readonly<Record<string, unknown>> = {
  null: null,
  true: true,
  false: false,
  zero: 0,
  one: 1,
  "minus one": -1,
  half: 0.5,
  huge: 1e15,
  "minus huge": -2_499_999,
  "a billion": 1e9,
  text: "x",
  "a number as text": "5",
  "NaN as text": "NaN",
  "no text": "",
  "a list": [],
  "an object": {},
};

/** What only a state can have. */
const OF_STATES: Readonly<Record<string, unknown>> = {
  NaN: { $number: "NaN" },
  infinity: { $number: "Infinity" },
  undefined: { $undefined: true },
  "a bigint": { $bigint: "7" },
  "the first object": { $same: 0 },
};

const JSON_KEYS = [
  "layers",
  "inputs",
  "targets",
  "classes",
  "averages",
  "settings",
  "progress",
  "steps",
  "counts",
  "state",
];

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Every mutation of a file. */
export function* mutationsOf(file: Uint8Array): Generator<Mutation> {
  const { tensors, metadata } = decodeSafetensors(file);
  const isSealed = tensors.has(SEAL);
  const rest = new Map([...tensors].filter(([name]) => name !== SEAL));
  const made = (change: Partial<WholeFile>) => (): Uint8Array => {
    const all = { tensors: rest, metadata, ...change };
    return isSealed
      ? sealedBytes(sealedParts(all.tensors, all.metadata))
      : encodeSafetensors(all.tensors, all.metadata);
  };
  for (const [key, text] of Object.entries(metadata)) {
    const put = (other: string) => made({ metadata: { ...metadata, [key]: other } });
    for (const other of ["", "null", "{", "-1", "0.5", "1000000000", '"x"', "[]", "{}", `[${text}]`]) {
      if (other !== text) yield { place: key, change: `the text ${other.slice(0, 20)}`, bytes: put(other) };
    }
    const { [key]: _gone, ...others } = metadata;
    yield { place: key, change: "deleted", bytes: made({ metadata: others }) };
    if (!JSON_KEYS.includes(key)) continue;
    for (const [place, change, value] of jsonMutations(JSON.parse(text) as Json, key)) {
      yield { place, change, bytes: put(JSON.stringify(value)) };
    }
  }
  yield* tensorMutations(rest, made);
}

/** One change at a time, deep in a value. */
function* jsonMutations(value: Json, place: string): Generator<readonly [place: string, change: string, value: Json]> {
  const values = { ...VALUES, ...(/^(?:progress|state)/.test(place) ? OF_STATES : {}) };
  for (const [change, other] of Object.entries(values)) {
    if (JSON.stringify(other) !== JSON.stringify(value)) yield [place, change, other as Json];
  }
  if (Array.isArray(value)) {
    yield [place, "an element more", [...value, value.at(-1) ?? 0]];
    if (value.length > 0) yield [place, "an element less", value.slice(0, -1)];
    if (JSON.stringify(value.toReversed()) !== JSON.stringify(value)) yield [place, "in reverse", value.toReversed()];
    // The ends of long lists stand for what is between them.
    for (const index of new Set([0, 1, value.length - 1])) {
      const element = value[index];
      if (element === undefined) continue;
      for (const [inner, change, other] of jsonMutations(element, `${place}[${index}]`)) {
        yield [inner, change, value.with(index, other)];
      }
    }
    return;
  }
  if (typeof value !== "object" || value === null) return;
  yield [place, "a key more", { ...value, strange: 1 }];
  const entries = Object.entries(value);
  for (const [index, [key, member]] of entries.entries()) {
    const others = Object.fromEntries(entries.toSpliced(index, 1));
    yield [`${place}.${key}`, "deleted", others];
    const [next] = entries[index + 1] ?? [];
    if (next !== undefined && JSON.stringify(value[next]) !== JSON.stringify(member)) {
      yield [`${place}.${key}`, `in the place of ${next}`, { ...value, [key]: value[next] ?? null, [next]: member }];
    }
    for (const [inner, change, other] of jsonMutations(member, `${place}.${key}`)) {
      yield [inner, change, { ...value, [key]: other }];
    }
  }
}

function* tensorMutations(
  tensors: ReadonlyMap<string, Stored>,
  made: (change: Partial<WholeFile>) => () => Uint8Array,
): Generator<Mutation> {
  for (const [name, stored] of tensors) {
    const put = (other: Stored) =>
      made({ tensors: new Map([...tensors].map((one) => (one[0] === name ? [name, other] : one))) });
    yield {
      place: name,
      change: "deleted",
      bytes: made({ tensors: new Map([...tensors].filter(([one]) => one !== name)) }),
    };
    yield { place: name, change: "twice", bytes: made({ tensors: new Map([...tensors, [`${name}x`, stored]]) }) };
    const flat = [1, stored.data.length];
    if (!sameShape(flat, stored.shape)) yield { place: name, change: "flat", bytes: put({ ...stored, shape: flat }) };
    if (stored.dtype === "i64" || stored.dtype === "u64") continue;
    for (const index of new Set([0, stored.data.length - 1])) {
      if (index < 0) continue;
      for (const value of [Number.NaN, Number.POSITIVE_INFINITY, -1, 0, 0.5, 3e38]) {
        const data = stored.data.slice();
        data[index] = value;
        if (Object.is(data[index], stored.data[index])) continue;
        yield { place: `${name}[${index}]`, change: String(value), bytes: put({ ...stored, data } as Stored) };
      }
    }
    if (stored.dtype === "f32") {
      yield {
        place: name,
        change: "as i32",
        bytes: put({ dtype: "i32", shape: stored.shape, data: new Int32Array(stored.data) }),
      };
    }
  }
}
