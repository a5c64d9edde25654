// Large files are read on a thread of their own, so that the event loop stays free.

import { CarillonError, COPY, type ErrorCode } from "../errors.js";
import { fileSystem } from "../io/file.js";
import { areTexts } from "../options.js";
import { onAbort } from "../signals.js";
import type { Column } from "./column.js";
import { filesOf } from "./glob.js";
import { Places, type Stretch } from "./places.js";
import type { ReadEvent } from "./progress.js";
import { isSql, type SqlSource } from "./sql/source.js";
import { Table } from "./table.js";

/** What a thread can read: files by their paths, or a query. */
export type Elsewhere = readonly string[] | SqlSource;

/** What a thread is asked to do. */
export interface Work {
  readonly task: "table" | "blocks" | "schema" | "prepare";
  readonly source: Elsewhere;
  /** Without a signal and a listener, which stay here. */
  readonly options: object;
  /** Whether somebody listens. */
  readonly isTold: boolean;
}

/** Work for a thread; signal and listener of the options stay here. */
export function workOf(
  task: Work["task"],
  source: Elsewhere,
  options: { readonly signal?: unknown; readonly onEvent?: unknown },
): Work {
  const { signal: _, onEvent, ...others } = options;
  return { task, source, options: others, isTold: onEvent !== undefined };
}

/** A table as another thread is handed it. */
export interface Handed {
  readonly columns: readonly (readonly [name: string, column: Column])[];
  readonly stretches: readonly Stretch[];
}

/** What a thread tells. */
export type Told =
  | { readonly kind: "table"; readonly table: Handed }
  | { readonly kind: "result"; readonly result: unknown }
  | { readonly kind: "event"; readonly event: ReadEvent }
  | { readonly kind: "end" }
  | { readonly kind: "error"; readonly code: ErrorCode | undefined; readonly where: string; readonly message: string };

/** Megabytes of short-lived objects of a thread: what it reads is gone with the next block. */
const YOUNG = 16;

/** Bytes of files that are worth a thread: it takes some 50 ms to begin. */
const WORTH = 4_194_304;

/**
 * The file that a thread begins with: it lies beside what carillon's entries share. In the bundle of somebody else there is none, and everything is
 * done here.
 */
async function entry(): Promise<string | undefined> {
  if (!/\/chunks\/[^/]+\.js$/.test(COPY)) return undefined;
  const { fileURLToPath } = process.getBuiltinModule("node:url");
  const path = fileURLToPath(COPY.replace(/chunks\/[^/]+$/, "cli/table_worker.js"));
  return await fileSystem()
    .access(path)
    .then(
      () => path,
      () => undefined,
    );
}

/** What of a source is read on another thread: files that are worth it, and queries. */
export async function elsewhere(source: unknown, thread: boolean | undefined): Promise<Elsewhere | undefined> {
  if (thread === false || (await entry()) === undefined) return undefined;
  if (isSql(source)) return source;
  const given = typeof source === "string" ? [source] : source;
  if (!areTexts(given) || given.length === 0) return undefined;
  if (given.includes("-") || given.includes("")) return undefined;
  const paths = (await Promise.all(given.map((one: string) => filesOf(one)))).flat();
  const sizes = await Promise.all(paths.map(sizeOf));
  return sizes.reduce((sum, size) => sum + size, 0) >= WORTH ? paths : undefined;
}

function sizeOf(path: string): Promise<number> {
  return fileSystem()
    .stat(path)
    .then(
      (found) => (found.isFile() ? found.size : 0),
      () => 0,
    );
}

function tableOf({ columns, stretches }: Handed): Table {
  return new Table(new Map(columns), new Places(stretches));
}

/** Who asked. */
interface Listening {
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: ReadEvent) => void) | undefined;
}

/** What a thread tells, in turn, from the beginning of its work to the end. Whoever stops reading ends the thread. */
async function* tellings(work: Work, { signal, onEvent }: Listening): AsyncGenerator<Told> {
  signal?.throwIfAborted();
  const path = await entry();
  if (path === undefined) return;
  const { Worker } = process.getBuiltinModule("node:worker_threads");
  const worker = new Worker(path, {
    workerData: work,
    execArgv: [],
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG },
  });
  const told: Told[] = [];
  let failure: { readonly error: unknown } | undefined;
  let wake = (): void => undefined;
  const failed = (error: unknown): void => {
    failure ??= { error };
    wake();
  };
  worker.on("message", (one: Told) => {
    told.push(one);
    wake();
  });
  worker.on("error", failed);
  worker.on("exit", () =>
    failed(
      new CarillonError(
        "ERR_STATE",
        "table",
        "expected the thread that reads a table to end its work, but it was ended",
      ),
    ),
  );
  const off = signal === undefined ? undefined : onAbort(signal, () => failed(signal.reason));
  try {
    for (;;) {
      const one = told.shift();
      if (one === undefined) {
        if (failure !== undefined) throw failure.error;
        // The process stays for whoever waits, and not for an iterator that was left where it stood.
        worker.ref();
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        worker.unref();
        continue;
      }
      if (one.kind === "end") return;
      if (one.kind === "error") throw errorOf(one);
      if (one.kind === "event") {
        onEvent?.(one.event);
        continue;
      }
      yield one;
      worker.postMessage("next");
    }
  } finally {
    off?.();
    await worker.terminate();
  }
}

function errorOf({ code, where, message }: Extract<Told, { kind: "error" }>): Error {
  return code === undefined ? new Error(message) : new CarillonError(code, where, message);
}

/** Tables that a thread makes of files. */
export async function* tablesElsewhere(work: Work, listening: Listening): AsyncGenerator<Table> {
  for await (const one of tellings(work, listening)) {
    listening.signal?.throwIfAborted();
    if (one.kind === "table") yield tableOf(one.table);
  }
}

/** What a thread makes of files, as plain data. */
export async function resultElsewhere(work: Work, listening: Listening): Promise<unknown> {
  for await (const one of tellings(work, listening)) if (one.kind === "result") return one.result;
  return undefined;
}
