import { type NativeProgram, type NativeSlab, native } from "../binding/native.js";
import { threadLimit } from "../binding/threads.js";
import { Instructions } from "./instructions.js";
import { Views } from "./views.js";

/** A slab of floats, and what all of it is copied to. */
export interface SlabCopy {
  readonly from: NativeSlab;
  readonly to: NativeSlab;
  readonly count: number;
}

/** Copies of several slabs of one moment: between two steps of whoever writes them. */
export class CopyTogether {
  readonly #program: NativeProgram;

  constructor(copies: readonly SlabCopy[]) {
    const views = new Views();
    const instructions = new Instructions(views);
    for (const { from, to, count } of copies) {
      if (count === 0) continue;
      const place = (slab: NativeSlab, writable: boolean) => {
        return { slot: views.slot(slab, writable), offset: 0, count, batched: false, dtype: "f32" } as const;
      };
      instructions.emitPlaced("copy", { x: place(from, false), y: place(to, true) }, { count });
    }
    const slabs = views.slabs.map((each) => ({ ...each, gated: !each.writable }));
    const none = { arenaCount: 0, logColumns: 0, logRows: 0, lanes: 0, seed: 0, samples: 0, batch: 0, shuffle: false };
    const whole = { maxRows: 1, orderSlot: 0, microBegin: 0, microEnd: 0 };
    this.#program = native.programCreate({ code: instructions.words, views: views.numbers, slabs, ...none, ...whole });
  }

  /** On the calling thread. */
  now(): void {
    native.programRunSync(this.#program, request());
  }

  /** On a native thread. */
  async later(): Promise<void> {
    await native.programRun(this.#program, request());
  }
}

/** {@link CopyTogether}. */
export function copyTogether(copies: readonly SlabCopy[]): CopyTogether {
  return new CopyTogether(copies);
}

const NO_LANES = new Float64Array(0);

function request(): Parameters<typeof native.programRun>[1] {
  const threads = threadLimit();
  return { firstStep: 1, steps: 1, rows: 1, lanes: NO_LANES, threads, waits: false, background: false };
}
