// A model as the bytes of a file, at once or piece by piece.
import { writeFileAtomic } from "../../io/file.js";
import type { SafetensorsLayout } from "../../io/safetensors.js";
import { makeBytes, PIECE_BYTES } from "../../io/source.js";
import type { HeldMemory, ModelMemory } from "../memory/memory.js";

const PIECE = PIECE_BYTES / Float32Array.BYTES_PER_ELEMENT;

/** All of it, in memory of its own; of a model that is trained meanwhile, after a finished step. */
export function modelBytes({ head, begins, bytes: size }: SafetensorsLayout, memory: ModelMemory): Uint8Array {
  const bytes = makeBytes("bytes", head.length + size);
  bytes.set(head);
  memory.readInto(({ name, count }) => {
    return new Float32Array(bytes.buffer, head.length + (begins.get(name) ?? 0), count);
  });
  return bytes;
}

/** A model whose weights stay as they are until the release. */
export interface HeldModel {
  readonly layout: SafetensorsLayout;
  readonly held: HeldMemory;
  release(): void;
}

/** Writes a held model to a path, or tells why it could not be held, and releases it. */
export async function writeModel(path: string, held: Promise<HeldModel>): Promise<void> {
  const pieces = held.then(modelPieces);
  pieces.catch(() => undefined); // told by who writes, when its turn has come
  try {
    await writeFileAtomic(path, pieces);
  } finally {
    await held.then(
      ({ release }) => release(),
      () => undefined,
    ); // told before, or the writing's own error is
  }
}

/** The file piece by piece, each in memory that the next one overwrites. */
function* modelPieces({ layout, held }: HeldModel): Generator<Uint8Array> {
  const { head, begins } = layout;
  yield head;
  const room = new Float32Array(PIECE);
  const inOrder = [...held.segments].sort((a, b) => (begins.get(a.name) ?? 0) - (begins.get(b.name) ?? 0));
  for (const { name, count } of inOrder) {
    for (let done = 0; done < count; done += PIECE) {
      const piece = room.subarray(0, Math.min(PIECE, count - done));
      held.read(name, done, piece);
      yield new Uint8Array(room.buffer, 0, piece.byteLength);
    }
  }
}
