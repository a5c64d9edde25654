// LZ4 frames (lz4.org, Frame Format 1.6), which Feather's buffers are packed in.

const MAGIC = 0x184d2204;

/** Bit of a block's size that says that it is not packed. */
const PLAIN = 0x8000_0000;

const failPacked = (): never => {
  throw new Error("damaged bytes of LZ4");
};

/** Memory that grows. */
class Output {
  bytes: Uint8Array;
  length = 0;

  constructor(expected: number) {
    this.bytes = new Uint8Array(expected);
  }

  /** Room for so many more. */
  reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const wider = new Uint8Array(Math.max(this.length + more, 2 * this.bytes.length));
    wider.set(this.bytes.subarray(0, this.length));
    this.bytes = wider;
  }

  add(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** `count` bytes that stand `back` bytes before the end, which may be those that are being written. */
  repeat(back: number, count: number): void {
    if (back === 0 || back > this.length) failPacked();
    this.reserve(count);
    const from = this.length - back;
    if (back >= count) this.bytes.copyWithin(this.length, from, from + count);
    else for (let at = 0; at < count; at++) this.bytes[this.length + at] = this.bytes[from + at] ?? 0;
    this.length += count;
  }
}

/** One block: literals, then what stood before, again and again. */
function unpackBlock(block: Uint8Array, output: Output): void {
  let at = 0;
  const extended = (short: number): number => {
    let length = short;
    for (let byte = short === 15 ? 255 : 0; byte === 255; length += byte) {
      if (at >= block.length) failPacked();
      byte = block[at++] ?? 0;
    }
    return length;
  };
  while (at < block.length) {
    const token = block[at++] ?? 0;
    const literals = extended(token >> 4);
    if (at + literals > block.length) failPacked();
    output.add(block.subarray(at, at + literals));
    at += literals;
    if (at === block.length) return;
    if (at + 2 > block.length) failPacked();
    const back = (block[at] ?? 0) | ((block[at + 1] ?? 0) << 8);
    at += 2;
    output.repeat(back, extended(token & 15) + 4);
  }
}

/** The bytes of a frame; throws for damaged ones. */
export function unpackLz4(frame: Uint8Array): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (view.getUint32(0, true) !== MAGIC) failPacked();
  const flags = view.getUint8(4);
  const [hasChecksums, hasSize, hasDictionary] = [(flags & 16) !== 0, (flags & 8) !== 0, (flags & 1) !== 0];
  if (flags >> 6 !== 1 || hasDictionary) failPacked();
  let at = hasSize ? 15 : 7;
  const output = new Output(4 * frame.length);
  for (;;) {
    const size = view.getUint32(at, true);
    at += 4;
    if (size === 0) return output.bytes.subarray(0, output.length);
    const length = size & ~PLAIN;
    if (at + length > frame.length) failPacked();
    const block = frame.subarray(at, at + length);
    if (size >= PLAIN) output.add(block);
    else unpackBlock(block, output);
    at += length + (hasChecksums ? 4 : 0);
  }
}
