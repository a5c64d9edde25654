// States of layers in a trace: layers read and change them as values; what is left at the end of a step is assigned.
import type { NativeSlab } from "../../binding/native.js";
import type { Effect } from "../../graph/effect.js";
import type { Trace } from "../../graph/trace.js";
import { elements } from "../../tensor/shape.js";
import { Value } from "../../tensor/value.js";
import { assign } from "./assign.js";

/** Brings what a slab holds into memory that the parts of a batch share. */
function bring(carried: Value, slab: NativeSlab, offset: number): Effect {
  const count = elements(carried.shape);
  return {
    reads: [],
    barrier: true,
    claim: (memory) => memory.keep(carried),
    emit(emitter) {
      const from = emitter.memory(slab, "read", { count, dtype: "f32", offset });
      emitter.emit("copy", { x: from, y: emitter.placeOf(carried) }, { count });
    },
  };
}

/** Overwrites it, for the next part. */
function carry(value: Value, carried: Value): Effect {
  return {
    reads: [value],
    barrier: true,
    emit: (emitter) => emitter.copy(value, emitter.placeOf(carried), "state"),
  };
}

/** The states of a model in one trace: a layer that is used again finds what it has left. */
export class TracedStates {
  readonly #trace: Trace;
  /** In the model's memory. */
  readonly #kept: ReadonlyMap<string, Value>;
  readonly #now: Map<string, Value>;
  readonly #changed = new Set<string>();
  /** States that go from part to part of a batch. */
  readonly #carried = new Map<string, Value>();

  constructor(trace: Trace, kept: ReadonlyMap<string, Value>) {
    this.#trace = trace;
    this.#kept = kept;
    this.#now = new Map(kept);
  }

  get(name: string): Value | undefined {
    return this.#now.get(name);
  }

  set(name: string, value: Value): void {
    if (this.#changed.size === 0) this.#trace.last.add(() => this.#assign());
    this.#changed.add(name);
    this.#now.set(name, value);
  }

  /** New values of the states that change, by name. */
  get changes(): readonly { readonly name: string; readonly value: Value }[] {
    return [...this.#changed].flatMap((name) => {
      const value = this.#now.get(name);
      return value === undefined ? [] : [{ name, value }];
    });
  }

  /** Begins the part of the trace that runs once for every part of a batch, each of which finds the states that the one before has left. */
  beginParts(): void {
    for (const [name, { shape, source }] of this.#kept) {
      if (source.kind !== "slab") continue;
      const carried = new Value(shape, "f32", { kind: "input", name: `state ${name}` });
      this.#trace.add(bring(carried, source.slab, source.offset));
      this.#carried.set(name, carried);
      this.#now.set(name, carried);
    }
  }

  /** The end of a part. */
  endPart(): void {
    for (const [name, carried] of this.#carried) {
      const value = this.#now.get(name);
      if (value === undefined || value === carried) continue;
      this.#trace.add(carry(value, carried));
      this.#now.set(name, carried);
    }
  }

  #assign(): void {
    for (const { name, value } of this.changes) {
      const source = this.#kept.get(name)?.source;
      if (source?.kind === "slab") this.#trace.add(assign(value, source.slab, source.offset));
    }
  }
}
