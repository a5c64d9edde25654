// The thread that reads large files: it is handed work, and hands back tables or plain data.
import { parentPort, workerData } from "node:worker_threads";
import { isError, tagOf } from "../errors.js";
import {
  CarillonError,
  type PrepareOptions,
  prepare,
  type ReadEvent,
  schemaOf,
  type Table,
  table,
  tableBlocks,
} from "../index.js";
import type { Handed, Told, Work } from "../table/thread.js";

/** Tables that are on their way, so that neither side waits for the other. */
const ON_THE_WAY = 4;

/** Tables that whoever asked has not taken yet. */
let waiting = 0;
let go = (): void => undefined;

/** Tells of something; memory in `handed` is the other side's then. */
function tell(told: Told, handed: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(told, [...handed]);
}

/** Whether memory can be handed over. */
function isOwn(buffer: ArrayBufferLike): buffer is ArrayBuffer {
  return tagOf(buffer) === "ArrayBuffer";
}

/** A table of which nothing stays here. */
async function handOver(made: Table): Promise<void> {
  const columns = made.names.map((name) => [name, made.column(name)] as const);
  const memory = columns.flatMap(([, column]) => {
    const { buffer } = column.kind === "text" ? column.codes : column.values;
    return isOwn(buffer) ? [buffer] : [];
  });
  const handed: Handed = { columns, stretches: made.places.stretches };
  tell({ kind: "table", table: handed }, [...new Set(memory)]);
  waiting += 1;
  if (waiting < ON_THE_WAY) return;
  await new Promise<void>((resolve) => {
    go = resolve;
  });
}

async function work({ task, source, options, isTold }: Work): Promise<void> {
  const listener = isTold ? { onEvent: (event: ReadEvent): void => tell({ kind: "event", event }) } : {};
  const own = { ...options, ...listener, thread: false }; // who takes them checks each
  switch (task) {
    case "table":
      await handOver(await table(source, own));
      break;
    case "blocks":
      for await (const block of tableBlocks(source, own)) await handOver(block);
      break;
    case "schema":
      tell({ kind: "result", result: await schemaOf(source, own) });
      break;
    case "prepare":
      tell({ kind: "result", result: (await prepare(source, own as PrepareOptions)).toJSON() });
      break;
  }
  tell({ kind: "end" });
}

parentPort?.on("message", () => {
  waiting -= 1;
  go();
});
work(workerData).catch((error: unknown) => tell(toldError(error)));

/** A failure as the other side is told it. */
function toldError(error: unknown): Told {
  if (error instanceof CarillonError) {
    const { code, where, message } = error;
    return { kind: "error", code, where, message };
  }
  const message = isError(error) ? (error.stack ?? error.message) : String(error);
  return { kind: "error", code: undefined, where: "table", message };
}
