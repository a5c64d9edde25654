import { type NativeSlab, native } from "../binding/native.js";
import type { Turns } from "../data/turns.js";
import { CarillonError } from "../errors.js";
import { SharedMemory } from "../graph/shared.js";
import { Value } from "../tensor/value.js";
import type { ParameterSpec } from "./parameter.js";

/** Segments of a slab start at multiples of this many floats, a cache line; the gaps are 0. */
const SEGMENT_ALIGNMENT = 16;

/** Elements written between two looks at the clock, at first and at most. */
const PIECES = { least: 4096, most: 65_536 } as const;

/** A parameter as users see it. */
export interface ParameterInfo {
  readonly name: string;
  readonly shape: readonly number[];
}

/** A parameter and its stretch of the model's slab. */
export interface Segment extends ParameterInfo {
  /** First element in the slab. */
  readonly offset: number;
  readonly count: number;
  readonly spec: ParameterSpec;
}

/** A tensor and where it lies in native memory. */
export interface Stretch {
  readonly key: string;
  readonly shape: readonly number[];
  readonly slab: NativeSlab;
  /** Of its first element. */
  readonly offset: number;
}

/** Lays parameters flat, one after another. */
export function layOut(parameters: ReadonlyMap<string, ParameterSpec>): {
  segments: readonly Segment[];
  total: number;
} {
  const segments: Segment[] = [];
  let offset = 0;
  for (const [name, spec] of parameters) {
    const count = spec.shape.reduce((product, size) => product * size, 1);
    segments.push({ name, shape: spec.shape, offset, count, spec });
    offset += Math.ceil(count / SEGMENT_ALIGNMENT) * SEGMENT_ALIGNMENT;
  }
  return { segments, total: offset };
}

/** Float memory laid out as a model's parameters: the weights, or a state of the optimizer. */
export class ParameterSlab {
  readonly slab: NativeSlab;
  readonly shared: SharedMemory;
  readonly #segments: readonly Segment[];

  constructor(segments: readonly Segment[], total: number) {
    this.#segments = segments;
    this.slab = native.slabCreate(total, "f32");
    this.shared = new SharedMemory(this.slab, total);
  }

  /** Copies of all segments; during a run, as they were after a finished step. */
  read(): Map<string, Float32Array> {
    const end = this.#segments.at(-1);
    const all = new Float32Array(end === undefined ? 0 : end.offset + end.count);
    native.slabRead(this.slab, 0, all);
    return new Map(this.#segments.map(({ name, offset, count }) => [name, all.slice(offset, offset + count)]));
  }

  /** Overwrites all segments, or none: `ERR_STATE` where one is missing or of another length. */
  write(values: ReadonlyMap<string, Float32Array>, where: string): void {
    for (const { offset, data } of this.#checked(values, where)) native.slabWrite(this.slab, offset, data);
  }

  /** As {@link write}, with turns of the event loop in between. */
  async writeInTurns(values: ReadonlyMap<string, Float32Array>, where: string, turns: Turns): Promise<void> {
    for (const { offset, data } of this.#checked(values, where)) {
      await turns.inPieces(data.length, PIECES, (begin, end) => {
        native.slabWrite(this.slab, offset + begin, data.subarray(begin, end));
      });
    }
  }

  #checked(values: ReadonlyMap<string, Float32Array>, where: string): { offset: number; data: Float32Array }[] {
    return this.#segments.map(({ name, offset, count }) => {
      const data = values.get(name);
      if (data?.length === count) return { offset, data };
      const received = data === undefined ? "nothing" : `${data.length}`;
      throw new CarillonError(
        "ERR_STATE",
        `${where}.${name}`,
        `expected ${count} elements for '${where}.${name}' but received ${received}`,
      );
    });
  }

  /** The parameters as values of a program that uses this memory. */
  values(): ReadonlyMap<string, Value> {
    const entry = ({ name, shape, offset }: Segment): [string, Value] => {
      return [name, new Value(shape, "f32", { kind: "slab", slab: this.slab, offset })];
    };
    return new Map(this.#segments.map(entry));
  }
}
