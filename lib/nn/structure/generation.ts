// A network recorded for single steps of sequences, which go on with what was kept of the steps before.
import { type NativeSlab, native } from "../../binding/native.js";
import type { Effect } from "../../graph/effect.js";
import { type Trace, tracingNow } from "../../graph/trace.js";
import { rotationOf } from "../../ops/turn.js";
import { extent } from "../../tensor/shape.js";
import { Value } from "../../tensor/value.js";

/** Sequences that are gone on with, and the step that a row of the trace is. */
export interface Steps {
  /** [batch] i32: which sequence a row belongs to, in [0, count). */
  readonly sequences: Value;
  /** [batch] i32: its place there, in [0, time). */
  readonly places: Value;
  readonly count: number;
  readonly time: number;
}

const STEPS = new WeakMap<Trace, Steps>();

/** Says of the trace that records now that its rows are single steps. */
export function recordSteps(trace: Trace, steps: Steps): void {
  STEPS.set(trace, steps);
}

/** The steps that the rows of the trace that records now are; `undefined` where they are whole sequences. */
export function stepsOfTrace(): Steps | undefined {
  const trace = tracingNow();
  return trace && STEPS.get(trace);
}

/** Heads of an attention that goes on. */
export interface CachedForm {
  readonly heads: number;
  readonly keyHeads: number;
  /** Base of the wavelengths of rotary positions. */
  readonly base: number | undefined;
}

/** Keys lie in whole panels of so many at most. */
const PANEL = 32;

/**
 * Attention of each row, [batch, 1, (heads + 2·keyHeads)·size] of queries, keys and values, to its sequence up to its place: the bits of a causal one over the whole
 * sequence. Its keys and values stay in memory of their own.
 */
export function attendOn(packed: Value, { heads, keyHeads, base }: CachedForm, steps: Steps): Value {
  const trace = tracingNow();
  const size = Number(packed.shape.at(-1)) / (heads + 2 * keyHeads);
  const { sequences, places, count, time } = steps;
  const y = new Value(["batch", 1, heads * size], "f32", { kind: "input", name: "attention" });
  const sizes = {
    keys: count * keyHeads * Math.ceil(time / PANEL) * PANEL * size,
    values: count * keyHeads * time * size,
  };
  const memory = { keys: native.slabCreate(sizes.keys, "f32"), values: native.slabCreate(sizes.values, "f32") };
  const rotation = base === undefined ? undefined : rotationOf(time, size, base);
  trace?.add(cached({ packed, sequences, places, rotation, y }, memory, sizes, { heads, keyHeads, size, count, time }));
  return y;
}

interface Operands {
  readonly packed: Value;
  readonly sequences: Value;
  readonly places: Value;
  readonly rotation: Value | undefined;
  readonly y: Value;
}

interface CachedSizes {
  readonly heads: number;
  readonly keyHeads: number;
  readonly size: number;
  readonly count: number;
  readonly time: number;
}

function cached(
  { packed, sequences, places, rotation, y }: Operands,
  memory: Readonly<Record<"keys" | "values", NativeSlab>>,
  counts: Readonly<Record<"keys" | "values", number>>,
  { heads, keyHeads, size, count, time }: CachedSizes,
): Effect {
  return {
    reads: [packed, sequences, places, ...(rotation === undefined ? [] : [rotation])],
    writes: [y],
    barrier: false,
    emit(emitter) {
      const kept = (name: "keys" | "values") =>
        emitter.memory(memory[name], "write", { count: counts[name], dtype: "f32" });
      const views = {
        packed: emitter.placeOf(packed),
        slots: emitter.placeOf(sequences),
        places: emitter.placeOf(places),
        rotation: rotation && emitter.placeOf(rotation),
        ...{ keys: kept("keys"), values: kept("values"), y: emitter.placeOf(y) },
      };
      const numbers = { rows: extent(["batch"]), heads, keyHeads, size, slotCount: count, room: time };
      emitter.emit("attention_cached", views, { ...numbers, scale: 1 / Math.sqrt(size) });
    },
  };
}
