// Frames of zstd (RFC 8878) in JavaScript, where Node.js has no decoder, or none for a piece of a file.

const MAGIC = 0xfd2fb528;

/** Bytes that a frame may look back at: what zstd's own decoder takes. Memory for them is there before the first block. */
const WIDEST = 134_217_728;

/** Bytes that a frame may say to hold. */
const LONGEST = 2_147_483_647;

/** Throws for a frame that wants more memory than any that is in use. */
export function checkZstd(frame: Uint8Array): void {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (view.byteLength < 6 || view.getUint32(0, true) !== MAGIC) return; // what is none is told by who decodes it
  const flags = view.getUint8(4);
  const isWhole = (flags & 32) !== 0;
  const sized = flags >> 6;
  const at = 5 + (isWhole ? 0 : 1) + ([0, 1, 2, 4][flags & 3] ?? 0);
  if (!isWhole) {
    const exponent = view.getUint8(5) >> 3;
    if (exponent > 17) throw new Error("a window of more than 128 MB"); // 2^(10 + exponent) bytes at least
  }
  if (sized < 2 || at + (sized === 2 ? 4 : 8) > view.byteLength) return;
  const size = sized === 2 ? view.getUint32(at, true) : Number(view.getBigUint64(at, true));
  if (size > (isWhole ? WIDEST : LONGEST)) throw new Error(`a frame of ${size} bytes`);
}

/** What gives the bytes of a frame, in memory of their own, and throws for a damaged one. */
export async function zstdDecoder(): Promise<(frame: Uint8Array) => Uint8Array> {
  const { decompress } = await import("fzstd");
  return (frame) => {
    checkZstd(frame);
    return new Uint8Array(decompress(frame));
  };
}
