// Safetensors files as a whole, for tests that change one: read by a reader of their own, written in the layout of the library.
import { dtypeOf, type StoredTensor, storedTensor } from "../../lib/io/element_types.js";
import { layOutSafetensors } from "../../lib/io/safetensors.js";

/** The contents of a file; tensors in the order of its header. */
export interface WholeFile {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** The tensors and the metadata of a file that is sound; copies. */
export function decodeSafetensors(bytes: Uint8Array): WholeFile {
  const start = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
  const header: Record<string, Entry> = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
  const { __metadata__: metadata = {}, ...entries } = header;
  const tensors = Object.entries(entries).map(([name, entry]): [string, StoredTensor] => {
    const [begin, end] = entry.data_offsets;
    const dtype = dtypeOf(entry.dtype);
    if (dtype === undefined) throw new Error(`${name}: ${entry.dtype}`);
    const data = new Uint8Array(end - begin);
    data.set(bytes.subarray(start + begin, start + end));
    return [name, storedTensor(dtype, entry.shape, data.buffer)];
  });
  return { tensors: new Map(tensors), metadata: metadata as Readonly<Record<string, string>> };
}

/** A file of these tensors. */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const { head, begins, bytes: size } = layOutSafetensors(tensors, metadata);
  const bytes = new Uint8Array(head.length + size);
  bytes.set(head);
  for (const [name, { data }] of tensors) {
    const begin = head.length + (begins.get(name) ?? 0);
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), begin);
  }
  return bytes;
}
