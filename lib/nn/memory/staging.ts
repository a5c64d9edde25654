import { type NativeSlab, native } from "../../binding/native.js";
import { makeRoom } from "../../data/room.js";
import { Turns } from "../../data/turns.js";
import { CarillonError, describe } from "../../errors.js";
import { SharedMemory } from "../../graph/shared.js";
import { asFloat32, ELEMENT_BYTES, type StoredTensor, storedTensor } from "../../io/element_types.js";
import { refusePart } from "../../io/part.js";
import { refuseFile } from "../../io/refusal.js";
import type { StoredEntry, StoredFile } from "../../io/safetensors.js";
import { room, type Stretch } from "./slab.js";

/** Bytes of a file that become floats at once: below a millisecond, also where they are halves. */
const PIECE = 131_072;

/** Where numbers of a file belong. */
export interface Filling {
  readonly stretch: Pick<Stretch, "key" | "slab" | "offset" | "least">;
  /** Of floating-point numbers, as many as the stretch has. */
  readonly entry: StoredEntry;
  /** Factor of the numbers. */
  readonly scale?: number | undefined;
  /** Least value, where the stretch has none. */
  readonly least?: number | undefined;
}

/** Memory to take the place of that of slabs: filled beside whoever uses them, and theirs at once, or never. */
export class Staging {
  readonly #fresh = new Map<SharedMemory, NativeSlab>();

  /**
   * Fills new memory from a file, as f32, in the order of the file and with turns of the event loop in between. `ERR_FILE` where a
   * number is too large for f32, or one that a stretch cannot have. A parameter of a slab that is given nothing stays as it is.
   */
  static async fill(file: StoredFile, fillings: readonly Filling[], where: string): Promise<Staging> {
    const staging = new Staging();
    const filled = new Map<SharedMemory, number>();
    for (const { stretch, entry } of fillings) {
      const memory = memoryOf(stretch.slab);
      filled.set(memory, (filled.get(memory) ?? 0) + room(entry.shape));
    }
    for (const [memory, count] of filled) {
      const fresh = await makeRoom(memory.count, "f32");
      if (count < memory.count) await native.slabCopyLater(memory.slab, fresh);
      staging.#fresh.set(memory, fresh);
    }
    const turns = new Turns();
    const scratch = new ArrayBuffer(PIECE);
    for (const filling of [...fillings].sort((a, b) => a.entry.begin - b.entry.begin)) {
      const { stretch, entry, scale = 1 } = filling;
      const least = stretch.least ?? filling.least;
      const slab = staging.#fresh.get(memoryOf(stretch.slab)) ?? stretch.slab;
      let { offset } = stretch;
      for (let at = entry.begin; at < entry.end; at += PIECE) {
        const bytes = Math.min(PIECE, entry.end - at);
        await file.source.read(new Uint8Array(scratch, 0, bytes), at);
        const piece = storedTensor(entry.dtype, [bytes / ELEMENT_BYTES[entry.dtype]], scratch);
        const floats = floatsOf(piece, where, stretch.key);
        if (least !== undefined) expectNumbers(floats, least, where, { key: stretch.key, at: offset - stretch.offset });
        native.slabWrite(slab, offset, scale === 1 ? floats : floats.map((value) => value * scale));
        offset += floats.length;
        if (turns.over) await turns.next();
      }
    }
    return staging;
  }

  /** Puts it into its place. */
  commit(): void {
    for (const [memory, fresh] of this.#fresh) memory.replace(fresh);
    this.#fresh.clear();
  }
}

/** `ERR_FILE` names an element that is not finite, or below `least`. */
function expectNumbers(
  floats: Float32Array,
  least: number,
  where: string,
  { key, at }: { readonly key: string; readonly at: number },
): void {
  const wrong = floats.findIndex((value) => !(value - value === 0 && value >= least));
  if (wrong < 0) return;
  const expected = Number.isFinite(least) ? `a number >= ${least}` : "a finite number";
  refusePart(where, `${key}[${at + wrong}]`, expected, describe(floats[wrong]));
}

function memoryOf(slab: NativeSlab): SharedMemory {
  const memory = SharedMemory.find(slab);
  if (memory === undefined) throw new CarillonError("ERR_STATE", "load", "expected memory of a model or a minimizer");
  return memory;
}

function floatsOf(piece: StoredTensor, where: string, name: string): Float32Array {
  const floats = asFloat32(piece) ?? new Float32Array();
  if (piece.dtype !== "f64") return floats;
  const { data } = piece;
  const at = floats.findIndex((value, index) => !Number.isFinite(value) && Number.isFinite(data[index]));
  if (at < 0) return floats;
  return refuseFile(where, `${name} in the range of f32`, describe(data[at]));
}
