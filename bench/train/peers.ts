// Other libraries that train the same networks, each in a process of its own that answers lines of JSON (bench/peers/).
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** Why a peer is not there. */
export interface Absence {
  readonly absent: string;
}

/** What a peer says of one setting. */
export interface Answer {
  /** Of one step. */
  readonly microseconds: number;
  /** Of the untrained network. */
  readonly firstLoss: number;
  /** Mean over some steps behind the measuring. */
  readonly loss: number;
}

/** What a peer is to train, as it is told: see bench/peers. */
export type Asked = Readonly<Record<string, unknown>>;

interface Greeting {
  readonly peer: string;
  readonly version: string;
  readonly ways: readonly string[];
}

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly threads: number;
}

/** Milliseconds behind the end of a process for what it has written to arrive. */
const LAST_WORDS = 500;

const hasGroups = process.platform !== "win32";

/** Milliseconds that an answer may take: compiling a step takes a minute on a slow machine, a step of tfjs 10 s. */
const PATIENCE = 300_000;

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function isGreeting(value: Readonly<Record<string, unknown>>): value is Readonly<Record<string, unknown>> & Greeting {
  const { peer, version, ways } = value;
  return typeof peer === "string" && typeof version === "string" && Array.isArray(ways);
}

function isAnswer(value: Readonly<Record<string, unknown>>): value is Readonly<Record<string, unknown>> & Answer {
  return ["microseconds", "firstLoss", "loss"].every((key) => Number.isFinite(value[key]));
}

/** A process that trains on request. */
export class Peer {
  readonly threads: number;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  /** When it has ended; its output may stay open behind it, in the hands of processes that it has started. */
  readonly #exit: Promise<undefined>;
  #greeting: Greeting = { peer: "", version: "", ways: [] };
  /** The last that it wrote to its standard error. */
  #complaint = "";

  private constructor({ file, args, threads }: Command) {
    this.threads = threads;
    // With a group of its own, so that what it starts (compilers, say) ends with it.
    this.#child = spawn(file, args, { stdio: ["pipe", "pipe", "pipe"], detached: hasGroups });
    this.#exit = new Promise((done) => {
      this.#child.on("exit", () => setTimeout(done, LAST_WORDS, undefined));
    });
    // A process that cannot be started, or that is gone, shows in its output: it ends.
    this.#child.on("error", ({ message }) => {
      this.#complaint = message;
    });
    this.#child.stdin?.on("error", () => {});
    this.#child.stderr?.on("data", (text: Buffer) => {
      this.#complaint = String(text).trim().split("\n").at(-1) ?? "";
    });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error("expected a pipe as the standard output of a peer");
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  }

  /** Starts a process and hears who it is. */
  static async start(command: Command): Promise<Peer | Absence> {
    const peer = new Peer(command);
    const said = await peer.#next();
    if (isGreeting(said)) {
      peer.#greeting = said;
      return peer;
    }
    peer.end();
    return { absent: typeof said.absent === "string" ? said.absent : `no greeting: ${JSON.stringify(said)}` };
  }

  get version(): string {
    return this.#greeting.version;
  }

  /** Ways that it can do a step in. */
  get ways(): readonly string[] {
    return this.#greeting.ways;
  }

  /** Measures for `milliseconds`; a peer that fails or does not learn is absent. */
  async ask(what: Asked, way: string, milliseconds: number): Promise<Answer | Absence> {
    this.#child.stdin?.write(`${JSON.stringify({ ...what, way, milliseconds })}\n`);
    const said = await this.#next();
    if (!isAnswer(said)) return { absent: String(said.absent ?? said.error ?? JSON.stringify(said)) };
    const { microseconds, firstLoss, loss } = said;
    if (!(loss < firstLoss)) return { absent: `does not learn: its loss went from ${firstLoss} to ${loss}` };
    return { microseconds, firstLoss, loss };
  }

  /** The next line, or why there is none. */
  async #next(): Promise<Readonly<Record<string, unknown>>> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((done) => {
      timer = setTimeout(() => {
        this.#complaint = `no answer in ${PATIENCE / 1000} s`;
        this.end();
        done(undefined);
      }, PATIENCE);
    });
    const line = await Promise.race([this.#lines.next(), this.#exit, late]);
    clearTimeout(timer);
    if (line === undefined || line.done === true) return { absent: this.#complaint || "its process ended" };
    try {
      const said: unknown = JSON.parse(line.value);
      if (isRecord(said)) return said;
    } catch {
      // Told below.
    }
    return { absent: `unreadable answer: ${line.value.slice(0, 100)}` };
  }

  /** Ends it and whatever it has started. */
  end(): void {
    const { pid, stdin, stdout, stderr } = this.#child;
    if (pid !== undefined) endGroup(pid);
    for (const stream of [stdin, stdout, stderr]) stream?.destroy(); // else the caller waits for who holds the other end
  }
}

function endGroup(pid: number): void {
  try {
    process.kill(hasGroups ? -pid : pid, "SIGKILL");
  } catch {
    // Nobody is left.
  }
}
