import { type NativeSlab, native } from "../binding/native.js";
import { CarillonError } from "../errors.js";

/** Memory that somebody reads in many turns, for whom programs and runs that write it wait. */
export interface Held {
  /** Where it is; another slab once the memory was replaced. */
  readonly slab: NativeSlab;
  release(): void;
}

/**
 * Who uses memory that outlives a call: the weights of a model, a state of its optimizer. A run has it alone, from its first step
 * to its last. Calls of programs work on it one after another, in the order in which they were made; those that only read
 * it work beside each other, and beside a run on a copy of what its last finished step has left.
 */
export class SharedMemory {
  static readonly #known = new WeakMap<NativeSlab, SharedMemory>();

  /** Of a slab, if it is shared. */
  static find(slab: NativeSlab): SharedMemory | undefined {
    return SharedMemory.#known.get(slab);
  }

  readonly slab: NativeSlab;
  readonly count: number;
  /** How often somebody has begun to write. */
  version = 0;
  /** The call that has it: `fit`, or another that is as good as a run. */
  #taker: string | undefined;
  /** The last call that writes; `undefined` when no such call is under way. */
  #writer: Promise<void> | undefined;
  /** Calls that read, since that one. */
  readonly #readers = new Set<Promise<void>>();
  /** Those of them that are at work on this memory itself. */
  readonly #reading = new Set<Promise<void>>();
  /** Calls that read and were made before the run that has it. */
  #earlier = new Set<Promise<void>>();
  /** Who reads it in turns. */
  readonly #holders = new Map<{ slab: NativeSlab }, Promise<void>>();

  /** @param count Floats of the slab. */
  constructor(slab: NativeSlab, count: number) {
    this.slab = slab;
    this.count = count;
    SharedMemory.#known.set(slab, this);
  }

  /** Whether a run has it. */
  get taken(): boolean {
    return this.#taker !== undefined;
  }

  /** The version while nobody writes; `undefined` while a run has it, or a call writes. */
  get settled(): number | undefined {
    return this.taken || this.#writer !== undefined ? undefined : this.version;
  }

  /** For a run. `ERR_BUSY` if there is one, or a call of a program that writes. */
  take(where: string): void {
    this.expectStill(where);
    this.#taker = where;
    this.version += 1;
    this.#earlier = new Set(this.#readers);
  }

  leave(): void {
    this.#taker = undefined;
  }

  /** When the calls are over that still read what a run has taken, and those that were made before it; `undefined` if there are none. */
  get unread(): Promise<unknown> | undefined {
    const reading = [...this.#earlier, ...this.#reading, ...this.#holders.values()];
    return reading.length === 0 ? undefined : Promise.all(reading);
  }

  /** Whether somebody reads it in turns: who overwrites all of it takes other memory, and {@link replace}s it. */
  get held(): boolean {
    return this.#holders.size > 0;
  }

  /** For who reads it in turns, until the release. */
  hold(): Held {
    let over = (): void => undefined;
    const released = new Promise<void>((resolve) => {
      over = resolve;
    });
    const holder = {
      slab: this.slab,
      release: (): void => {
        this.#holders.delete(holder);
        over();
      },
    };
    this.#holders.set(holder, released);
    return holder;
  }

  /** Takes the memory of another slab of the same size for its own, at once. Who holds what was there keeps that, in the other slab. */
  replace(other: NativeSlab): void {
    native.slabSwap(this.slab, other);
    this.version += 1;
    for (const holder of this.#holders.keys()) holder.slab = other;
    this.#holders.clear();
  }

  /** `ERR_BUSY` while somebody writes it. */
  expectStill(where: string): void {
    if (this.#taker !== undefined)
      failBusy(where, this.#taker === "fit" ? "a run is training it" : `a call of ${this.#taker} has it`);
    if (this.#writer !== undefined) failBusy(where, "a program or a load is changing it");
  }

  /** `ERR_BUSY` while somebody writes or reads it. */
  expectIdle(where: string): void {
    this.expectStill(where);
    if (this.#reading.size > 0) failBusy(where, "a program is reading it");
  }

  /** Adds the calls to `before` that one which reads, or writes, has to wait for. @internal */
  tellBefore(before: Promise<void>[], writes: boolean): void {
    if (this.#writer !== undefined) before.push(this.#writer);
    if (writes) for (const reader of this.#readers) before.push(reader);
  }

  /** A call was made. @internal */
  enter(call: Promise<void>, writes: boolean): void {
    if (!writes) this.#readers.add(call);
    else {
      this.#writer = call;
      this.#readers.clear(); // who comes next waits for the writer, who waits for them
      this.version += 1;
    }
  }

  /** A call begins to read this memory itself. @internal */
  read(call: Promise<void>): void {
    this.#reading.add(call);
  }

  /** A call is over. @internal */
  exit(call: Promise<void>): void {
    this.#readers.delete(call);
    this.#reading.delete(call);
    this.#earlier.delete(call);
    if (this.#writer === call) this.#writer = undefined;
  }
}

function failBusy(where: string, who: string): never {
  throw new CarillonError("ERR_BUSY", where, `expected an idle model for '${where}' but ${who}`);
}

/** A call of a program or a load, from the moment when it was made. */
export interface Call {
  /** When those are over that it waits for; `undefined`: it may begin now. */
  readonly ready: Promise<unknown> | undefined;
  /** Its turn has come. True: it has to work on a copy of what it reads, as a run has that. */
  begin(): boolean;
  /** It is over; not before {@link ready}, as those who come next rely on being behind those before. */
  end(): void;
}

/** Calls that use the same shared memory: those of a program, or loads. */
export class Calls {
  readonly #reads: readonly SharedMemory[];
  readonly #writes: readonly SharedMemory[];
  #last: Promise<void> | undefined;

  constructor(slabs: readonly { readonly slab: NativeSlab; readonly writable: boolean }[]) {
    const shared = (writable: boolean): readonly SharedMemory[] =>
      slabs.flatMap((each) => (each.writable === writable ? (SharedMemory.find(each.slab) ?? []) : []));
    this.#reads = shared(false);
    this.#writes = shared(true);
  }

  /** Whether no call is under way. */
  get idle(): boolean {
    return this.#last === undefined;
  }

  /** A call that waits for its turn. `ERR_BUSY` if a run has what it writes. */
  enter(where: string): Call {
    for (const memory of this.#writes) if (memory.taken) memory.expectStill(where);
    const before = this.#last === undefined ? [] : [this.#last];
    for (const memory of this.#reads) memory.tellBefore(before, false);
    for (const memory of this.#writes) memory.tellBefore(before, true);
    return this.#made(before.length === 0 ? undefined : Promise.all(before));
  }

  /** A call that begins now, or `ERR_BUSY`. */
  enterNow(where: string): Call {
    if (!this.idle) {
      throw new CarillonError("ERR_BUSY", where, `expected an idle program for '${where}' but a call is under way`);
    }
    for (const memory of this.#reads) if (!memory.taken) memory.expectStill(where);
    for (const memory of this.#writes) memory.expectIdle(where);
    return this.#made(undefined);
  }

  #made(ready: Promise<unknown> | undefined): Call {
    let resolve = (): void => undefined;
    const call = new Promise<void>((done) => {
      resolve = done;
    });
    this.#last = call;
    for (const memory of this.#reads) memory.enter(call, false);
    for (const memory of this.#writes) memory.enter(call, true);
    return {
      ready,
      begin: () => {
        if (this.#reads.some(({ taken }) => taken)) return true;
        for (const memory of this.#reads) memory.read(call);
        return false;
      },
      end: () => {
        for (const memory of this.#reads) memory.exit(call);
        for (const memory of this.#writes) memory.exit(call);
        if (this.#last === call) this.#last = undefined;
        resolve();
      },
    };
  }
}
