// Where the bytes of a file come from. They are read piece by piece, so that JavaScript does other things in between.
import { now, turn } from "../binding/clock.js";
import { CarillonError } from "../errors.js";
import { isDetached } from "../tensor/detached.js";
import type { ByteSource } from "./open_file.js";

export { type ByteSource, bytesFor, makeBytes, openFile, PIECE_BYTES } from "./open_file.js";

/** Bytes in memory; they must not change before the source is closed. `ERR_DETACHED` where they are transferred away. */
export function bytesSource(bytes: Uint8Array, where: string): ByteSource {
  const { length } = bytes;
  let since = now();
  return {
    where,
    size: length,
    async read(target, at) {
      if (now() - since > 1) {
        await turn();
        since = now();
      }
      if (bytes.length !== length || isDetached(bytes)) {
        throw new CarillonError("ERR_DETACHED", where, `expected the bytes for '${where}' to stay until they are read`);
      }
      target.set(bytes.subarray(at, at + target.length));
    },
    close: async () => undefined,
  };
}
