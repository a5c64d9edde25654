import { after } from "../binding/clock.js";
import { CarillonError, describe, fail, introduce } from "../errors.js";
import { checkKeys, checkNumber } from "../options.js";
import { unlessAborted } from "../signals.js";
import { INSPECT, type Inspect, type InspectOptions, inspectDescription } from "../tensor/inspect.js";
import type { Features, Labels, Lists, Named, OneList, Targets, Weights } from "./dataset.js";

/**
 * An item of a stream: a block of examples, as a set in memory would be written, or a single one, whose members may be plain
 * numbers or arrays of them. Bytes stay bytes if those of the first example are; all examples have a weight, or none has.
 */
export interface StreamExample {
  readonly x: Named<number | Features | Lists | OneList>;
  readonly y: Named<number | bigint | string | Labels | Targets>;
  readonly weight?: number | Weights | Readonly<Record<string, number | Weights | undefined>> | undefined;
}

type Given<I> = Iterable<I> | AsyncIterable<I>;

/**
 * Where the examples of a {@link dataset} come from: a factory that opens them anew (a generator function, a function that
 * returns a Node stream, …), or something iterable. What can be iterated only once serves one epoch.
 */
export type StreamSource<I extends StreamExample = StreamExample> = (() => Given<I> | Promise<Given<I>>) | Given<I>;

/** The items that a source gives. */
type ItemsOf<S> = S extends () => infer G
  ? ItemsOf<Awaited<G>>
  : S extends Given<infer I extends StreamExample>
    ? I
    : StreamExample;

/** Options of {@link dataset}. */
export interface DatasetOptions {
  /**
   * Examples among which the next one is drawn, an integer ≥ 1; 1 by default, which keeps the order of the source. All of
   * them are in memory. At least as many as there are examples shuffle fully.
   */
  readonly shuffleBuffer?: number | undefined;
}

/** Examples that are read while a run trains, in items of type I. Made by {@link dataset}. */
export class Dataset<I extends StreamExample = StreamExample> {
  readonly shuffleBuffer: number;
  readonly source: StreamSource<I>;
  /** Iterators that were opened before: each has one pass. */
  readonly #opened = new WeakSet<object>();

  /** @internal */
  constructor(source: StreamSource<I>, shuffleBuffer: number) {
    this.source = source;
    this.shuffleBuffer = shuffleBuffer;
  }

  /** @internal */
  [INSPECT](depth: number | null, options: InspectOptions, inspect: Inspect): string {
    const source = typeof this.source === "function" ? this.source : describe(this.source);
    const fields = { shuffleBuffer: this.shuffleBuffer, source };
    return inspectDescription({ title: "Dataset", fields }, depth, options, inspect);
  }

  /** `ERR_STATE` where `purpose` would be one pass too many, as far as can be told without opening. @internal */
  expectPasses(where: string, purpose: string): void {
    if (typeof this.source !== "function" && isOneShot(this.source)) failOneShot(where, purpose, this.source);
  }

  /**
   * Opens the source for `purpose`; `ERR_STATE` for the second pass of what has one. Rejects with the reason of an abort, after
   * which what is opened late is closed. @internal
   */
  async open(where: string, purpose: string, signal?: AbortSignal | undefined): Promise<Pass> {
    if (!(#opened in this)) fail("ERR_OPTION", where, "a dataset", this);
    signal?.throwIfAborted();
    const opening = this.#open(where, purpose);
    try {
      return await unlessAborted(signal, opening);
    } catch (error) {
      opening.then(
        (pass) => pass.close(),
        () => undefined,
      );
      throw error;
    }
  }

  async #open(where: string, purpose: string): Promise<Pass> {
    const source = this.source;
    const given: unknown = typeof source === "function" ? await source() : source;
    if (!isIterable(given)) return fail("ERR_DATA", where, "an iterable or an async iterable from the factory", given);
    if (isOneShot(given)) {
      if (beingRead.has(given)) failBusy(where, given);
      if (this.#opened.has(given)) failOneShot(where, purpose, given);
      this.#opened.add(given);
      beingRead.add(given);
    }
    return new Pass(given);
  }
}
introduce(Dataset.prototype, "a dataset");

/** `ERR_STATE`: this needs a second pass. */
function failOneShot(where: string, purpose: string, given: unknown): never {
  throw new CarillonError(
    "ERR_STATE",
    where,
    `expected a factory for '${where}', as ${purpose} reads the stream once more, but received ` +
      `${describe(given)}, which can be read only once: pass a function that opens it anew`,
  );
}

/** `ERR_BUSY`: two runs would each get a part of the examples. */
function failBusy(where: string, given: unknown): never {
  throw new CarillonError(
    "ERR_BUSY",
    where,
    `expected a source of its own for '${where}' but this ${describe(given)} is being read already: pass a function that opens it anew`,
  );
}

function isIterable(value: unknown): value is Given<StreamExample> {
  return typeof value === "object" && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value);
}

/** Iterators, generators, Node streams and web streams have one pass; arrays and the like have many. */
function isOneShot(value: object): boolean {
  return ["next", "read", "getReader"].some((method) => typeof Reflect.get(value, method) === "function");
}

/** Mark of the end of a pass. */
export const END: unique symbol = Symbol("end of the stream");

/** Milliseconds in which a source may close; one that takes longer is not waited for. */
export const CLOSING = 1000;

/** Waits for work, so many milliseconds at most. */
export async function atMost(milliseconds: number, work: Promise<void>): Promise<void> {
  let unset = (): void => undefined;
  const late = new Promise<void>((resolve) => {
    unset = after(milliseconds, resolve);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    unset();
  }
}

/** Sources with a single pass that are being read, by whatever dataset. */
const beingRead = new WeakSet<object>();

/** The result of an iterator's `next()`, if it is an object. */
function checkAnswer<T extends object>(answer: T): T {
  if (typeof answer === "object" && answer !== null) return answer;
  return fail("ERR_DATA", "dataset", "an iterator whose next() gives { value, done }", answer);
}

/** One pass over a source, pulled example by example: a source is never asked ahead of the need. */
export class Pass {
  readonly #given: Given<StreamExample>;
  readonly #iterator: Iterator<StreamExample> | AsyncIterator<StreamExample>;
  #waiting = false;
  #over = false;

  constructor(given: Given<StreamExample>) {
    this.#given = given;
    this.#iterator = Symbol.asyncIterator in given ? given[Symbol.asyncIterator]() : given[Symbol.iterator]();
  }

  /** The next item; {@link END} behind the last. At once where the source gives it at once. */
  next(): unknown {
    if (this.#over) return END;
    const result = checkAnswer(this.#iterator.next());
    return "then" in result ? this.#wait(result) : this.#take(result);
  }

  async #wait(pending: PromiseLike<IteratorResult<StreamExample>>): Promise<unknown> {
    this.#waiting = true;
    try {
      return this.#take(checkAnswer(await pending));
    } finally {
      this.#waiting = false;
    }
  }

  #take(result: IteratorResult<StreamExample>): unknown {
    if (!result.done) return result.value; // any true value ends it, as in for await
    this.#over = true;
    beingRead.delete(this.#given);
    return END;
  }

  /** Tells the source that nobody reads any more: files are closed, cursors let go. */
  async close(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    beingRead.delete(this.#given);
    const closing = (async () => this.#iterator.return?.())().then(
      () => undefined,
      () => undefined,
    );
    // Behind an answer that is still to come it closes by itself.
    if (!this.#waiting) await atMost(CLOSING, closing);
  }
}

/**
 * Examples from a stream, for sets that are larger than memory: `fit` reads them while native threads train on what was
 * read before. Give a factory: it is called once an epoch, and must give the same examples each time if a resumed run is
 * to have the same bits. With `shuffleBuffer` of N the first N examples are read, then each next one is drawn from them
 * uniformly and replaced by one from the source; the draw is a function of seed, epoch and place.
 *
 * Errors: `ERR_OPTION`, `ERR_UNKNOWN_OPTION`. A source with a single pass is `ERR_STATE` where a second one is needed: a
 * second epoch, a resume, transforms.
 *
 * @example
 * const data = dataset(
 *   async function* () {
 *     for await (const rows of database.cursor(sql, { page: 1000 })) {
 *       yield { x: rows.map((row) => row.features), y: rows.map((row) => row.label) };
 *     }
 *   },
 *   { shuffleBuffer: 10_000 },
 * );
 * await fit(model, { data, loss: crossEntropy(), optimizer: adam(), epochs: 3 });
 */
export function dataset<S extends StreamSource>(source: S, options?: DatasetOptions): Dataset<ItemsOf<S>>;
export function dataset(source: StreamSource, options: DatasetOptions = {}): Dataset {
  checkKeys("dataset", options, ["shuffleBuffer"]);
  const size = checkNumber("dataset.shuffleBuffer", options.shuffleBuffer ?? 1, {
    min: 1,
    max: 0x7fffffff,
    integer: true,
  });
  if (typeof source !== "function" && !isIterable(source)) {
    fail("ERR_OPTION", "dataset.source", "a function that opens a stream, or an iterable,", source);
  }
  return new Dataset(source, size);
}
