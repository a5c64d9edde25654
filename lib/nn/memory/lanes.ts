// What layers keep of each lane from one step, or batch, to the next.
import { type NativeSlab, native } from "../../binding/native.js";
import type { Kept, Layer } from "../structure/layer.js";
import type { Lanes } from "../structure/structure.js";

/** Layers that keep a state. */
const RECURRENT: readonly string[] = ["lstm", "gru", "rnn"];

/** Whether a layer keeps a state from step to step. */
export const isRecurrent = ({ kind, config }: Layer): boolean => RECURRENT.includes(kind) && config !== undefined;

/** Whether a layer goes through steps in both directions, so that nothing before them tells where it begins. */
export const goesBothWays = (layer: Layer): boolean => isRecurrent(layer) && layer.config?.bidirectional === true;

/** Lanes of one trace: a layer that stands in several places keeps as many states, each under a name of its own. */
export function lanesOf(expect: Lanes["expect"], keep: (name: string, shape: readonly number[]) => Kept): Lanes {
  const uses = new Map<string, number>();
  return {
    expect,
    keep(path, key, shape) {
      const own = `${path}.${key}`;
      const use = (uses.get(own) ?? 0) + 1;
      uses.set(own, use);
      return keep(`kept ${own} ${use}`, shape);
    },
  };
}

/** Memory of so many lanes by name, 0 at first. */
export class LaneMemory {
  readonly lanes: number;
  readonly slabs = new Map<string, NativeSlab>();
  readonly #widths = new Map<string, number>();

  constructor(lanes: number) {
    this.lanes = lanes;
  }

  /** The memory of a name, of so many numbers a lane. */
  of(name: string, width: number): NativeSlab {
    const slab = this.slabs.get(name) ?? native.slabCreate(this.lanes * width, "f32");
    this.slabs.set(name, slab);
    this.#widths.set(name, width);
    return slab;
  }

  /** Makes `count` lanes 0, from `first` on. */
  begin(first: number, count: number): void {
    for (const [name, slab] of this.slabs) {
      const width = this.#widths.get(name) ?? 0;
      native.slabWrite(slab, first * width, new Float32Array(count * width));
    }
  }

  /** Numbers of a lane, by name. */
  get widths(): ReadonlyMap<string, number> {
    return this.#widths;
  }
}
