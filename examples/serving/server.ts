// The server: POST /predict with rows as JSON, GET /health, GET /metrics. A model's file that changes is loaded while requests go on;
// when it is closed, whoever has asked is answered.
import { watch } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, dirname } from "node:path";
import { CarillonError } from "carillon";
import type { Engine, Load } from "./engines.js";

export interface ServerOptions {
  readonly port: number;
  readonly file: string;
  readonly load: Load;
  readonly say: (text: string) => void;
}

export interface Serving {
  readonly port: number;
  /** Takes the model's file anew. */
  reload(): Promise<void>;
  /** Takes no more requests, and ends when those under way are answered. */
  close(): Promise<void>;
}

/** Characters of a request. */
const MOST_LETTERS = 1_048_576;

/** Milliseconds in which several changes of a file are one: writers write in pieces. */
const SETTLED = 100;

/** Milliseconds for which connections stay when it ends: one that looks idle may have a request on its way, which a client would lose. */
const ON_THE_WAY = 100;

class RequestError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The text of a request. By events: an async iterator takes as long as all the rest of a request. */
function bodyOf(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    request.setEncoding("utf8");
    request.on("data", (part: string) => {
      if (text.length > MOST_LETTERS) return; // refused already: nothing more is kept
      text += part;
      if (text.length > MOST_LETTERS) reject(new RequestError(413, `expected at most ${MOST_LETTERS} characters`));
    });
    request.on("end", () => resolve(text));
    request.on("error", reject);
  });
}

/** One row `[…]`, or rows `[[…], …]`; what is in them the predictor looks at. */
function rowsOf(text: string): readonly (readonly number[])[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new RequestError(400, "expected JSON");
  }
  if (!Array.isArray(value) || value.length === 0)
    throw new RequestError(400, "expected an array of numbers, or of rows");
  return Array.isArray(value[0]) ? value : [value];
}

/** What went wrong, for the one who asked: their rows, too many callers, or us. */
function statusOf(error: unknown): number {
  if (error instanceof RequestError) return error.status;
  if (!(error instanceof CarillonError)) return 500;
  if (error.code === "ERR_QUEUE_FULL") return 503;
  return error.where.startsWith("submit") ? 400 : 500;
}

function send(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}

export async function serve({ port, file, load, say }: ServerOptions): Promise<Serving> {
  let engine: Engine = await load(file);
  let [requests, failures, reloads, closing] = [0, 0, 0, false];

  async function predict(request: IncomingMessage, response: ServerResponse): Promise<void> {
    requests += 1;
    try {
      const rows = rowsOf(await bodyOf(request));
      send(response, 200, { probabilities: await engine.answer(rows) });
    } catch (error) {
      failures += 1;
      if (statusOf(error) === 503) response.setHeader("retry-after", "1");
      send(response, statusOf(error), { error: error instanceof Error ? error.message : String(error) });
    }
  }

  function metrics(response: ServerResponse): void {
    const { user, system } = process.cpuUsage();
    const { queued = 0, batches = 0, rows = 0, microseconds = 0 } = engine.statistics ?? {};
    const figures = {
      http_requests_total: requests,
      http_failures_total: failures,
      model_reloads_total: reloads,
      predictor_rows_queued: queued,
      predictor_batches_total: batches,
      predictor_rows_total: rows,
      predictor_seconds_total: microseconds / 1e6,
      process_cpu_seconds_total: (user + system) / 1e6,
    };
    const lines = Object.entries(figures).map(([name, value]) => `${name} ${value}\n`);
    response.writeHead(200, { "content-type": "text/plain; version=0.0.4" }).end(lines.join(""));
  }

  const server = createServer((request, response) => {
    if (closing) response.setHeader("connection", "close");
    if (request.url === "/predict" && request.method === "POST") predict(request, response);
    else if (request.url === "/health") send(response, closing ? 503 : 200, { ok: !closing, inputs: engine.inputs });
    else if (request.url === "/metrics") metrics(response);
    else send(response, 404, { error: "POST /predict, GET /health, GET /metrics" });
  });

  /** The new engine stands in the place of the old one at once; who has asked that one is answered by it. */
  async function reload(): Promise<void> {
    try {
      const loaded = await load(file);
      const old = engine; // another reload may have ended meanwhile
      engine = loaded;
      reloads += 1;
      say(`loaded ${file}`);
      await old.close();
    } catch (error) {
      say(`kept the model that there is: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject); // the port is taken, or not for us
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      resolve();
    });
  });

  // The folder, as files are replaced by renaming.
  let pending: NodeJS.Timeout | undefined;
  const watcher = watch(dirname(file), (_, name) => {
    if (name !== basename(file)) return;
    clearTimeout(pending);
    pending = setTimeout(reload, SETTLED);
  });
  return {
    port: (server.address() as AddressInfo).port,
    reload,
    async close() {
      closing = true;
      clearTimeout(pending);
      watcher.close();
      await new Promise((resolve) => setTimeout(resolve, ON_THE_WAY));
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      await closed;
      await engine.close();
    },
  };
}
