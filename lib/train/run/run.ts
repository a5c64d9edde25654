import { holdProcess } from "../../binding/clock.js";
import { RunControl } from "../../nn/evaluation/run_control.js";
import { describedBy, type Shown } from "../../tensor/inspect.js";
import { type FitEvent, figureBytes, type RunEvent } from "./events.js";
import { KEPT, Thinned, withoutArrays } from "./thinned.js";

/** How a run can be told to rest and to end. */
export interface RunMethods {
  /**
   * Ends the run after the step in hand; it resolves with the reason `'stopped'`. A validation in hand is dropped. Before the first
   * step it ends at once: data that is still read or copied, for units too, is let go, and neither model nor folder is changed.
   */
  stop(): void;
  /** Rests after the step in hand, of training or of validation, until {@link resume}; `stop` and abort still work. */
  pause(): void;
  /** Goes on where {@link pause} has left off. */
  resume(): void;
}

/**
 * A run under way: await it for the result, iterate it for the events. Leaving `for await` early, or `await using`, stops
 * the run and waits for it. A failure reaches whoever awaits or iterates.
 */
export type Run<R, E extends RunEvent = FitEvent> = Promise<R> & AsyncIterable<E> & AsyncDisposable & RunMethods;

/** Events of a run so far, for readers that begin late: of each kind of event as many as `history` has, but no steps. */
class Past<E extends RunEvent> {
  readonly #kinds = new Map<E["kind"], Thinned<{ readonly order: number; readonly event: E }>>();
  #told = 0;

  add(event: E): void {
    if (event.kind === "step") return;
    const kind = this.#kinds.get(event.kind) ?? new Thinned(({ event: told }) => figureBytes(told));
    this.#kinds.set(event.kind, kind);
    kind.add({ order: this.#told, event });
    this.#told += 1;
  }

  get events(): E[] {
    const kept = [...this.#kinds.values()].flatMap(({ items }) => items);
    return kept.sort((a, b) => a.order - b.order).map(({ event }) => event);
  }
}

/** Events that wait for a reader at most: then those of steps go, and every other one of the rest if that is not enough. */
const MOST_WAITING = 2 * KEPT.items;

/** Without those of steps; if less than half were such, also without every other one of each kind, which keeps its last. */
function fewer<E extends RunEvent>(events: readonly E[]): E[] {
  const rest = events.filter(({ kind }) => kind !== "step");
  if (2 * rest.length <= events.length) return rest;
  const seen = new Map<string, number>();
  const halved = rest.toReversed().filter(({ kind }) => {
    const behind = seen.get(kind) ?? 0;
    seen.set(kind, behind + 1);
    return behind % 2 === 0;
  });
  return halved.reverse();
}

function hasFigures(event: RunEvent): boolean {
  return event.kind === "epoch" || event.kind === "validation";
}

function lightened<E extends RunEvent>(event: E): E {
  return hasFigures(event) ? withoutArrays(event) : event;
}

/** Events on their way to one reader. */
class Mailbox<E extends RunEvent> implements AsyncIterator<E, undefined> {
  #queue: E[] = [];
  /** Of the arrays in the queue. */
  #bytes = 0;
  readonly #leave: () => Promise<void>;
  #waiting: (() => void)[] = [];
  #ended = false;
  #left = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(past: E[], leave: () => Promise<void>) {
    this.#leave = leave;
    this.#keep(past);
  }

  /** A slow reader loses step events, and, where too many others or too large matrices wait for it, some of those. */
  put(event: E): void {
    if (this.#left) return;
    if (event.kind === "step" && this.#queue.at(-1)?.kind === "step") this.#queue.pop();
    this.#queue.push(event);
    this.#bytes += figureBytes(event);
    if (this.#queue.length > MOST_WAITING) this.#keep(fewer(this.#queue));
    if (this.#bytes > KEPT.bytes) this.#keep(this.#queue.map((one) => (one === event ? one : lightened(one))));
    this.#wake();
  }

  end(failure?: { readonly error: unknown }): void {
    this.#ended = true;
    this.#failure = this.#left ? undefined : failure;
    this.#wake();
  }

  #keep(events: E[]): void {
    this.#queue = events;
    this.#bytes = events.reduce((sum, event) => sum + figureBytes(event), 0);
  }

  #wake(): void {
    for (const resume of this.#waiting.splice(0)) resume();
  }

  async next(): Promise<IteratorResult<E, undefined>> {
    while (this.#queue.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
    const value = this.#queue.shift();
    if (value !== undefined) {
      this.#bytes -= figureBytes(value);
      return { value, done: false };
    }
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure.error;
    return { value: undefined, done: true };
  }

  async return(): Promise<IteratorResult<E, undefined>> {
    this.#left = true;
    this.#queue.length = 0;
    await this.#leave();
    return { value: undefined, done: true };
  }
}

/** Arguments of a body that trains. */
export interface RunContext<E extends RunEvent> {
  emit(event: E): void;
  /** True while somebody reads events. */
  hasReaders(): boolean;
  /** The control that `pause`, `stop` and leaving use. */
  readonly control: RunControl;
}

/** Starts `body` at once and makes a {@link Run} of it. */
export function startRun<R, E extends RunEvent>(body: (context: RunContext<E>) => Promise<R>): Run<R, E> {
  const readers = new Set<Mailbox<E>>();
  const past = new Past<E>();
  const control = new RunControl();
  let outcome: { readonly failure: { readonly error: unknown } | undefined } | undefined;
  let last: E | undefined;

  const letGo = holdProcess(); // also while it is paused, and waits for nothing that the event loop knows of
  const settle = (failure: { readonly error: unknown } | undefined): void => {
    letGo();
    outcome = { failure };
    for (const reader of readers) reader.end(failure);
  };
  const promise = body({
    emit(event) {
      if (event.kind !== "end") last = event;
      past.add(event);
      for (const reader of readers) reader.put(event);
    },
    hasReaders: () => readers.size > 0,
    control,
  }).then(
    (result) => {
      settle(undefined);
      return result;
    },
    (error: unknown) => {
      settle({ error });
      throw error; // to who awaits, or to the process where nobody listens
    },
  );

  /** Stops and waits; how the run ended is told to whoever awaits it. */
  const leave = async (): Promise<void> => {
    control.stop();
    await promise.then(
      () => undefined,
      () => undefined,
    );
  };
  const describe = (): Shown => {
    const state = outcome === undefined ? (control.free ? "under way" : "held") : outcome.failure ? "failed" : "over";
    return { title: `Run ${state}`, fields: { ...(last && figuresOf(last)), error: outcome?.failure?.error } };
  };
  const run = Object.assign(promise, {
    stop: () => control.stop(),
    pause: () => control.pause(),
    resume: () => control.resume(),
    [Symbol.asyncIterator](): AsyncIterator<E, undefined> {
      promise.catch(() => undefined); // the reader is told
      const reader = new Mailbox<E>(past.events, leave);
      readers.add(reader);
      if (outcome !== undefined) reader.end(outcome.failure);
      return reader;
    },
    [Symbol.asyncDispose]: leave,
  });
  return describedBy(run, describe);
}

/** The event heard of last: its kind, where it stood, and the loss if it has one. */
function figuresOf(event: RunEvent): object {
  const epoch = "epoch" in event ? event.epoch : undefined;
  return { event: event.kind, step: event.step, epoch, loss: "loss" in event ? event.loss : undefined };
}
