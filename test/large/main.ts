// npm run large-test [-- --rows 2000000] [--epochs 2] [--csv] [--quick]: a table that no memory should hold is trained on beside a live HTTP server.
// The rows come from PostgreSQL, or with --csv from a file. Told, and judged unless it is --quick: latency at p99 idle, while the source is read and while the network
// trains (at most 2·idle + 2 ms), the peak of the resident memory of the process (below 300 MB), how long an abort takes in every stage (below a second), and whether a
// process that is killed and goes on in another one comes to the same bits.
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { answerOf, Children, messageOf } from "../server/children.js";
import type { Latency } from "../server/messages.js";
import { request } from "../server/request.js";
import type { Done, Source, Stretch, Work } from "./messages.js";
import { writeRows } from "./rows.js";
import { serve } from "./serve.js";

/** Requests a second. */
const RATE = 200;

/** What may be seen: milliseconds, and megabytes. */
const LIMITS = { factor: 2, latency: 2, memory: 300, abort: 1000 } as const;

type Message = { readonly port: number } | { readonly step: number } | { readonly done: Done };

const self = fileURLToPath(import.meta.url);

const asked = (child: ChildProcess, work: Work): Promise<Done> =>
  answerOf(child, work, (message: Message) => ("done" in message ? message.done : undefined));

async function started(children: Children): Promise<{ readonly server: ChildProcess; readonly port: number }> {
  const server = children.start(self, ["serve"]);
  const port = await messageOf(server, (message: Message) => ("port" in message ? message.port : undefined));
  return { server, port };
}

/** p50, p99 and the longest of the requests of a stretch. */
function latencyOf(all: readonly Latency[], { begin, end }: Stretch): readonly [number, number, number, number] {
  const sorted = all
    .filter(({ intended }) => intended >= begin && intended < end)
    .map(({ milliseconds }) => milliseconds)
    .sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  return [at(0.5), at(0.99), sorted.at(-1) ?? Number.NaN, sorted.length];
}

async function main(rows: number, epochs: number, isFile: boolean, quick: boolean): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), "carillon-large-"));
  const problems: string[] = [];
  const children = new Children();
  const path = join(root, "rows.csv");
  const from = process.env.CARILLON_POSTGRES ?? "";
  try {
    if (isFile) await writeRows(path, rows);
    const source: Source = isFile ? path : { sql: "SELECT * FROM large ORDER BY id", from };
    const memory = quick ? 0 : undefined;
    const work = (more: Partial<Work & { kind: "train" }> = {}): Work => {
      return { kind: "train", source, epochs, memory, dir: undefined, resume: false, abort: undefined, ...more };
    };
    const { server, port } = await started(children);
    const client = children.start(self, ["request", `${port}`, `${RATE}`]);
    const idle: Work = { kind: "idle", seconds: quick ? 0.5 : 10 };
    await asked(server, { kind: "idle", seconds: quick ? 0.2 : 3 });
    const before = await asked(server, idle);
    const whole = await asked(server, work());
    const after = await asked(server, idle);
    const seen = await answerOf(client, "over", (told: readonly Latency[]) => told);
    const idles = [...before.stretches, ...after.stretches].map((stretch) => latencyOf(seen, stretch)[1]);
    const allowed = LIMITS.factor * Math.max(...idles) + LIMITS.latency;
    console.log(`${rows} rows of 20 columns from ${isFile ? "a CSV file" : "PostgreSQL"}, ${epochs} epochs`);
    for (const stretch of [...before.stretches, ...whole.stretches, ...after.stretches]) {
      const [p50, p99, max, count] = latencyOf(seen, stretch);
      const figures = [p50, p99, max].map((one) => one.toFixed(2).padStart(8)).join("");
      const seconds = ((stretch.end - stretch.begin) / 1000).toFixed(1).padStart(7);
      console.log(`${stretch.name.padEnd(10)} p50, p99, max${figures} ms   ${count} requests in ${seconds} s`);
      if (p99 > allowed) problems.push(`${stretch.name}: p99 ${p99.toFixed(2)} ms, allowed ${allowed.toFixed(2)}`);
    }
    console.log(`peak memory ${whole.peak.toFixed(0)} MB (${before.peak.toFixed(0)} MB before), ${whole.steps} steps`);
    console.log(`score ${JSON.stringify(whole.score)}`);
    if (whole.peak > LIMITS.memory) problems.push(`peak memory ${whole.peak.toFixed(0)} MB, allowed ${LIMITS.memory}`);
    for (const abort of ["schema", "preparing", Math.max(50, Math.floor(whole.steps / 4))]) {
      const { aborted = Number.NaN } = await asked(server, work({ abort }));
      console.log(`abort while ${typeof abort === "number" ? "training" : abort}: ${aborted.toFixed(0)} ms`);
      if (!(aborted <= LIMITS.abort)) problems.push(`an abort took ${aborted.toFixed(0)} ms`);
    }
    server.disconnect();
    const dir = join(root, "checkpoints");
    const { server: killed } = await started(children);
    const isFar = (message: Message): true | undefined =>
      "step" in message && message.step >= whole.steps * 0.6 ? true : undefined;
    await answerOf(killed, work({ dir }), isFar);
    killed.kill("SIGKILL");
    const { server: second } = await started(children);
    const resumed = await asked(second, work({ dir, resume: true }));
    second.disconnect();
    const same = resumed.hash === whole.hash;
    console.log(`killed and resumed: ${same ? "the same bits" : "OTHER BITS"}, peak ${resumed.peak.toFixed(0)} MB`);
    if (!same) problems.push("a run that was killed and went on came to other bits");
    for (const problem of problems) console.error(problem);
    console.log(problems.length === 0 ? "all as it should be" : `${problems.length} not as it should be`);
    process.exitCode = problems.length === 0 || (quick && same) ? 0 : 1;
  } finally {
    children.end();
    rmSync(root, { recursive: true, force: true });
  }
}

const [role, first, rate] = process.argv.slice(2);
if (role === "serve") {
  serve();
} else if (role === "request") {
  request(Number(first), Number(rate));
} else {
  const { values } = parseArgs({
    options: {
      rows: { type: "string" },
      epochs: { type: "string" },
      csv: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
    },
  });
  const { quick } = values;
  await main(
    Number(values.rows ?? (quick ? 4000 : 2_000_000)),
    Number(values.epochs ?? (quick ? 12 : 2)),
    values.csv || quick,
    quick,
  );
}
