// `--watch`: a page on this machine alone that follows a run, and may pause and stop it.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TabularEvent, TabularRun } from "../../index.js";
import { fileError } from "../../io/file_system.js";
import { PAGE, SCRIPT, STYLE } from "./page.js";

/** What the page takes: no more than this, and nothing from elsewhere. */
const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

const FILES: Readonly<Record<string, readonly [type: string, text: string]>> = {
  "/": ["text/html; charset=utf-8", PAGE],
  "/style.css": ["text/css; charset=utf-8", STYLE],
  "/page.js": ["text/javascript; charset=utf-8", SCRIPT],
};

/** Events of epochs that are kept for a page that is opened late; of more every other one goes. */
const MOST_KEPT = 4000;

/** Milliseconds that pages have for what is told last. */
const LAST_WORDS = 1000;

/** What is told besides the events of the run. */
type Paused = { readonly kind: "paused"; readonly paused: boolean };

/** An event on its way to a page. */
const lineOf = (event: TabularEvent | Paused): string => `data: ${JSON.stringify(event)}\n\n`;

/** Serves the page of a run on the loopback interface. */
export class Watcher {
  readonly #server: Server;
  /** Open pages, with the number of the last event that each was told of those that are kept. */
  readonly #pages = new Map<ServerResponse, number>();
  #past: { readonly number: number; readonly event: TabularEvent | Paused }[] = [];
  #number = 0;
  #run: TabularRun | undefined;
  #port = 0;

  constructor() {
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  /** Begins to listen; gives the address of the page. `ERR_FILE` for a port that cannot be had. */
  async listen(port: number): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (cause) => reject(fileError(`127.0.0.1:${port}`, "a port that is free", cause)));
      this.#server.listen(port, "127.0.0.1", resolve);
    });
    this.#port = (this.#server.address() as AddressInfo).port;
    return `http://127.0.0.1:${this.#port}/`;
  }

  /** From now on the page pauses and stops this run. */
  follow(run: TabularRun): void {
    this.#run = run;
  }

  take(event: TabularEvent | Paused): void {
    if (event.kind !== "step") this.#keep(event);
    for (const page of this.#pages.keys()) {
      if (page.writableNeedDrain) continue; // of a page that does not read, as of a sleeping tab, nothing piles up here
      if (event.kind === "step") page.write(lineOf(event));
      else this.#catchUp(page);
    }
  }

  /** Ends what is told to pages, and the server; a page that does not read holds it up for no more than a second. */
  async close(): Promise<void> {
    for (const page of this.#pages.keys()) {
      this.#catchUp(page);
      page.end();
    }
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeIdleConnections();
    const late = setTimeout(() => this.#server.closeAllConnections(), LAST_WORDS);
    await closed.finally(() => clearTimeout(late));
  }

  #keep(event: TabularEvent | Paused): void {
    this.#number += 1;
    this.#past.push({ number: this.#number, event });
    if (this.#past.length > MOST_KEPT)
      this.#past = this.#past.filter(({ event: { kind } }, at) => kind !== "epoch" || at % 2 === 0);
  }

  /** Tells a page what is kept and new to it. */
  #catchUp(page: ServerResponse): void {
    const last = this.#pages.get(page) ?? 0;
    const from = this.#past.findLastIndex(({ number }) => number <= last) + 1;
    const missed = this.#past.slice(from).map(({ event }) => lineOf(event));
    this.#pages.set(page, this.#number);
    if (missed.length > 0) page.write(missed.join(""));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? "/").replace(/\?.*/s, "");
    const status = this.#statusOf(request, path);
    const file = Object.hasOwn(FILES, path) ? FILES[path] : undefined;
    if (status !== 200) response.writeHead(status, HEADERS).end();
    else if (file === undefined) this.#open(request, response);
    else response.writeHead(200, { ...HEADERS, "content-type": file[0] }).end(file[1]);
  }

  /** Of a page of elsewhere, whose name may lead here, host or origin are others. */
  #statusOf({ method, headers }: IncomingMessage, path: string): number {
    const { host, origin } = headers;
    const own = [`127.0.0.1:${this.#port}`, `localhost:${this.#port}`];
    if (host === undefined || !own.includes(host)) return 403;
    if (method === "POST") return origin !== `http://${host}` ? 403 : this.#told(path) ? 204 : 404;
    if (method !== "GET") return 405;
    return path === "/events" || Object.hasOwn(FILES, path) ? 200 : 404;
  }

  /** What a button asks for; false for none of them. */
  #told(path: string): boolean {
    const run = this.#run;
    switch (path) {
      case "/pause":
        run?.pause();
        this.take({ kind: "paused", paused: true });
        return true;
      case "/resume":
        run?.resume();
        this.take({ kind: "paused", paused: false });
        return true;
      case "/stop":
        run?.stop();
        return true;
      default:
        return false;
    }
  }

  #open(request: IncomingMessage, response: ServerResponse): void {
    response.writeHead(200, { ...HEADERS, "content-type": "text/event-stream", connection: "close" });
    this.#pages.set(response, 0);
    this.#catchUp(response);
    response.on("drain", () => this.#catchUp(response));
    request.on("close", () => this.#pages.delete(response));
  }
}
