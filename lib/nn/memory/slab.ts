import { type NativeSlab, native } from "../../binding/native.js";
import { CarillonError } from "../../errors.js";
import { SharedMemory } from "../../graph/shared.js";
import { extent } from "../../tensor/shape.js";
import { Value } from "../../tensor/value.js";
import type { ParameterRole, ParameterSpec } from "../parameters/parameter.js";

/** Segments of a slab start at multiples of this many floats, a cache line; the gaps are 0. */
const SEGMENT_ALIGNMENT = 16;

/** A parameter as users see it. */
export interface ParameterInfo {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Names and shapes of what layers declare. */
export function infoOf(specs: Iterable<readonly [string, Pick<ParameterInfo, "shape">]>): readonly ParameterInfo[] {
  return [...specs].map(([name, { shape }]) => ({ name, shape }));
}

/** A tensor by name and its stretch of a slab. */
export interface Placed extends ParameterInfo {
  /** First element in the slab. */
  readonly offset: number;
  readonly count: number;
}

/** A parameter and its stretch of the model's slab. */
export interface Segment extends Placed {
  readonly spec: ParameterSpec;
}

/** A tensor and where it lies in native memory. */
export interface Stretch {
  readonly key: string;
  readonly shape: readonly number[];
  readonly slab: NativeSlab;
  /** Of its first element. */
  readonly offset: number;
  /** Least value of its elements, which are all finite; absent where they may be any. */
  readonly least?: number | undefined;
}

/** Floats of a slab that a parameter of this shape takes. */
export function room(shape: readonly number[]): number {
  const count = extent(shape);
  return Math.ceil(count / SEGMENT_ALIGNMENT) * SEGMENT_ALIGNMENT;
}

/**
 * Lays parameters, or states, flat, one after another: tables behind all others, so that gradients in the layout of a slab need no
 * room for theirs, which are in rows.
 */
export function layOut<S extends { readonly shape: readonly number[]; readonly role?: ParameterRole }>(
  specs: ReadonlyMap<string, S>,
): { segments: readonly (Placed & { readonly spec: S })[]; total: number } {
  const isTable = ([, { role }]: readonly [string, S]): number => (role === "table" ? 1 : 0);
  const places = new Map<string, number>();
  let total = 0;
  for (const [name, { shape }] of [...specs].sort((a, b) => isTable(a) - isTable(b))) {
    places.set(name, total);
    total += room(shape);
  }
  const segments = [...specs].map(([name, spec]) => {
    const { shape } = spec;
    return { name, shape, offset: places.get(name) ?? 0, count: extent(shape), spec };
  });
  return { segments, total };
}

/** Float memory of tensors by name: the weights, states of layers, or a state of the optimizer in the weights' layout. */
export class SegmentSlab {
  readonly slab: NativeSlab;
  readonly shared: SharedMemory;
  readonly segments: readonly Placed[];

  constructor(segments: readonly Placed[], total: number) {
    this.segments = segments;
    this.slab = native.slabCreate(total, "f32");
    this.shared = new SharedMemory(this.slab, total);
  }

  /** Copies of all segments; during a run, as they were after a finished step. */
  read(): Map<string, Float32Array> {
    const all = new Float32Array(this.shared.count);
    native.slabRead(this.slab, 0, all);
    return new Map(this.segments.map(({ name, offset, count }) => [name, all.slice(offset, offset + count)]));
  }

  /** Overwrites all segments, or none: `ERR_STATE` where one is missing or of another length. */
  write(values: ReadonlyMap<string, Float32Array>, where: string): void {
    const checked = this.checked(values, where);
    this.rewrite((slab) => {
      for (const { offset, data } of checked) native.slabWrite(slab, offset, data);
    });
  }

  /** Has all of it written: to this slab, or to one that takes its place where somebody holds what is there. */
  rewrite(write: (slab: NativeSlab) => void): void {
    const { slab, shared } = this;
    if (!shared.held) {
      write(slab);
      shared.version += 1;
      return;
    }
    const fresh = native.slabCreate(shared.count, "f32");
    write(fresh);
    shared.replace(fresh);
  }

  /** The numbers of all segments and where they go; `ERR_STATE` where some are missing or too many. */
  checked(values: ReadonlyMap<string, Float32Array>, where: string): { offset: number; data: Float32Array }[] {
    return this.segments.map(({ name, offset, count }) => {
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
    const entry = ({ name, shape, offset }: Placed): [string, Value] => {
      return [name, new Value(shape, "f32", { kind: "slab", slab: this.slab, offset })];
    };
    return new Map(this.segments.map(entry));
  }
}
