// The wire format of protobuf, by the package @bufbuild/protobuf, of which the parts that are used are described here.
import { fail } from "../../errors.js";
import { peer } from "../../table/peer.js";

/** Writes values in the order of its calls. */
export interface WireWriter {
  tag(field: number, type: number): WireWriter;
  uint32(value: number): WireWriter;
  int64(value: number | bigint): WireWriter;
  float(value: number): WireWriter;
  string(value: string): WireWriter;
  bytes(value: Uint8Array): WireWriter;
  finish(): Uint8Array;
}

/** Reads values one behind the other; throws where the bytes end within one. */
export interface WireReader {
  pos: number;
  readonly len: number;
  tag(): readonly [field: number, type: number];
  int64(): bigint | string;
  float(): number;
  double(): number;
  bytes(): Uint8Array;
  skip(type: number): unknown;
}

/** What is used of the package. */
export interface Wire {
  readonly writer: () => WireWriter;
  readonly reader: (bytes: Uint8Array) => WireReader;
}

/** How a value is written. */
export const WIRE = { varint: 0, bit64: 1, delimited: 2, bit32: 5 } as const;

let loaded: Promise<Wire> | undefined;

/** The package, which the first who asks loads; `ERR_STATE` says how it is installed. */
export function loadWire(): Promise<Wire> {
  const loading = loaded ?? load();
  loaded = loading;
  loading.catch(() => {
    loaded = undefined; // it may be installed meanwhile
  });
  return loading;
}

const NAME = "@bufbuild/protobuf";

interface Constructors {
  readonly BinaryWriter: new () => WireWriter;
  readonly BinaryReader: new (bytes: Uint8Array) => WireReader;
}

async function load(): Promise<Wire> {
  const found = await peer(NAME, "a file of ONNX", `${NAME}/wire`);
  if (!hasBoth(found)) return fail("ERR_STATE", NAME, "version 2 of the package, with a BinaryReader,", found);
  const { BinaryWriter, BinaryReader } = found;
  return { writer: () => new BinaryWriter(), reader: (bytes) => new BinaryReader(bytes) };
}

function hasBoth(found: unknown): found is Constructors {
  if (typeof found !== "object" || found === null || !("BinaryWriter" in found && "BinaryReader" in found))
    return false;
  return typeof found.BinaryWriter === "function" && typeof found.BinaryReader === "function";
}
