// What the bytes of a file are.
import { bareName } from "./source.js";

export const FORMATS = ["csv", "tsv", "jsonl", "parquet", "arrow", "npy", "npz"] as const;

/** A format that tables are read from; compression by gzip or zstd is found by itself. */
export type TableFormat = (typeof FORMATS)[number];

/** Formats by the endings of names. */
const ENDINGS: Readonly<Record<string, TableFormat>> = {
  csv: "csv",
  tsv: "tsv",
  tab: "tsv",
  jsonl: "jsonl",
  ndjson: "jsonl",
  json: "jsonl",
  parquet: "parquet",
  pq: "parquet",
  arrow: "arrow",
  feather: "arrow",
  ipc: "arrow",
  npy: "npy",
  npz: "npz",
};

const startsWith = (bytes: Uint8Array, text: string): boolean =>
  [...text].every((character, at) => bytes[at] === character.charCodeAt(0));

/** The format that a name tells. */
export function formatOfName(name: string): TableFormat | undefined {
  const [, ending = ""] = /\.(\w+)$/.exec(bareName(name)) ?? [];
  return Object.hasOwn(ENDINGS, ending) ? ENDINGS[ending] : undefined;
}

/** The format that the first bytes tell; separated text where they tell nothing. */
export function formatOfBytes(bytes: Uint8Array): TableFormat {
  if (startsWith(bytes, "PAR1")) return "parquet";
  if (startsWith(bytes, "ARROW1") || startsWith(bytes, "\xff\xff\xff\xff") || startsWith(bytes, "FEA1")) return "arrow";
  if (startsWith(bytes, "\x93NUMPY")) return "npy";
  if (startsWith(bytes, "PK\x03\x04")) return "npz";
  const first = bytes.find((byte) => byte > 32 && byte < 128) ?? 0;
  return first === 0x7b || first === 0x5b ? "jsonl" : "csv";
}
