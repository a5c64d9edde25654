// State that goes on from window to window of series, in the lanes of a batch: truncated back-propagation.
import { type NativeSlab, native } from "../../binding/native.js";
import { CARRY, type CarriedRows } from "../../data/carry.js";
import { CarillonError } from "../../errors.js";
import type { Effect } from "../../graph/effect.js";
import { currentTrace } from "../../graph/trace.js";
import { takePadded } from "../../ops/take.js";
import { inputOf } from "../../tensor/row_spec.js";
import { elements, extent } from "../../tensor/shape.js";
import { Value } from "../../tensor/value.js";
import { goesBothWays, LaneMemory, lanesOf } from "../memory/lanes.js";
import type { Layer } from "../structure/layer.js";
import type { Lanes } from "../structure/structure.js";

/** What layers have kept of all lanes behind a step, by name: [lanes·width], as files have it. */
export type KeptLanes = Readonly<Record<string, Float64Array>>;

/** Keeps the rows of a value, those of each part of a batch in their place. */
function collect(value: Value, slab: NativeSlab, lanes: number): Effect {
  return {
    reads: [value],
    barrier: false,
    emit(emitter) {
      const columns = elements(value.shape);
      const kept = emitter.memory(slab, "write", { count: lanes * columns, dtype: "f32" });
      emitter.emit("collect", { x: emitter.placeOf(value), kept }, { rows: -1, columns, batch: lanes, steps: 1 });
    },
  };
}

/** What was collected is what the next step begins with. */
function take(from: NativeSlab, to: NativeSlab, count: number): Effect {
  return {
    reads: [],
    barrier: true,
    emit(emitter) {
      const [x, y] = [
        emitter.memory(from, "read", { count, dtype: "f32" }),
        emitter.memory(to, "write", { count, dtype: "f32" }),
      ];
      emitter.emit("copy", { x, y }, { count });
    },
  };
}

/**
 * The lanes of a run through windows that go on from one another. Example b of a batch is lane b: a layer that keeps a state finds what it has left of that lane in the step before, or zeros where the
 * window begins anew. No gradient goes through it. What a step leaves counts behind its checks, so that one that they end has changed nothing.
 */
export class CarriedLanes {
  readonly #where: string;
  /** A lane more than there are, which is read as 0: where windows begin anew. */
  readonly #memory: LaneMemory;
  readonly #next: LaneMemory;

  constructor({ where, lanes }: CarriedRows) {
    this.#where = where;
    this.#memory = new LaneMemory(lanes + 1);
    this.#next = new LaneMemory(lanes);
  }

  /** Lanes for the trace that records now, at whose end the states are taken over. */
  record(): Lanes {
    const trace = currentTrace("carry");
    const { lanes } = this.#next;
    const place = inputOf({ name: CARRY, shape: [], dtype: "i32" });
    return lanesOf(
      (path, layer) => this.#expect(path, layer),
      (name, shape) => {
        const width = extent(shape);
        const [memory, next] = [this.#memory.of(name, width), this.#next.of(name, width)];
        const known = new Value([lanes + 1, ...shape], "f32", { kind: "slab", slab: memory, offset: 0 });
        return {
          value: takePadded(known, place, lanes),
          next(value) {
            trace.add(collect(value, next, lanes));
            trace.last.add(() => trace.add(take(next, memory, lanes * width)));
          },
        };
      },
    );
  }

  /** `ERR_OPTION` where no layer has asked for memory. */
  expectKeepers(): void {
    if (this.#memory.slabs.size > 0) return;
    const problem = `expected a network with a layer that keeps a state, such as gru(), for '${this.#where}'`;
    throw new CarillonError("ERR_OPTION", this.#where, `${problem} but received one without`);
  }

  /** What was kept behind the last step. */
  read(): KeptLanes {
    return Object.fromEntries(
      [...this.#next.widths].map(([name, width]) => {
        const data = new Float32Array(this.#next.lanes * width);
        native.slabRead(this.#memory.of(name, width), 0, data);
        return [name, Float64Array.from(data)];
      }),
    );
  }

  /** Goes on from what was read; `ERR_FILE` where that is of other layers or lanes. */
  restore(kept: KeptLanes, file: string): void {
    const refuse = (what: string, received: string): never => {
      throw new CarillonError("ERR_FILE", file, `expected ${what} in '${file}' but received ${received}`);
    };
    const { lanes, widths } = this.#next;
    const stray = Object.keys(kept).find((name) => !widths.has(name));
    if (stray !== undefined) refuse("states of the lanes of its layers alone", `'${stray}'`);
    for (const [name, width] of widths) {
      const data = kept[name];
      if (data?.length !== lanes * width)
        refuse(`${lanes * width} numbers as '${name}'`, data === undefined ? "nothing" : `${data.length}`);
      for (const memory of [this.#memory, this.#next])
        native.slabWrite(memory.of(name, width), 0, Float32Array.from(data ?? []));
    }
  }

  #expect(path: string, layer: Layer): void {
    if (!goesBothWays(layer)) return;
    const problem = `expected layers that go through steps in one direction for '${this.#where}'`;
    throw new CarillonError("ERR_OPTION", this.#where, `${problem} but '${path}' goes through them in both`);
  }
}
