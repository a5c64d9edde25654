// npm run server-test [-- --epochs 6] [--quick]: an HTTP server answers 300 requests a second while a network trains in its process,
// on one thread. Latencies count from the time at which a request should have been sent. Fails where training is felt:
// p99 > 2·idle + 2 ms, delays of the event loop over idle > 3 ms at p99 or > 20 ms at most. The training window holds everything:
// the start, binding 200 MB of data, validation and checkpoints. With CARILLON_PEERS_NODE (see bench/README.md) the `fit`
// of TensorFlow.js is measured beside it. With --quick everything is short, and what was felt is told but judged by nobody.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { answerOf, Children, messageOf } from "./children.js";
import { DATA_BYTES, type Latency, type Phase, type Work } from "./messages.js";
import { request } from "./request.js";
import { serve } from "./serve.js";

const RATE = 300;
/** Seconds of idling and of warming up, and bytes of the examples. */
const SIZES = { idle: 10, warmUp: 6, bytes: DATA_BYTES } as const;
const QUICK_SIZES = { idle: 0.5, warmUp: 0.5, bytes: 4e6 } as const;
const TFJS_STEPS = 4;

/** What may be felt, in milliseconds. */
const LIMITS = { latencyFactor: 2, latency: 2, delay: 3, longestDelay: 20 } as const;

interface Figures extends Phase {
  readonly requests: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

const self = fileURLToPath(import.meta.url);

/** What requests saw while a server did each piece of work. */
async function measure(pieces: readonly Work[], quick: boolean, children: Children): Promise<Figures[]> {
  const { bytes, warmUp: seconds } = quick ? QUICK_SIZES : SIZES;
  const server = children.start(self, ["serve", `${bytes}`]);
  const port = await messageOf(server, (told: number) => told);
  const client = children.start(self, ["request", `${port}`, `${RATE}`]);
  const phases: Phase[] = [];
  const warmUp: Work = { kind: "idle", seconds };
  for (const work of [warmUp, ...pieces]) {
    phases.push(await answerOf(server, work, (phase: Phase) => phase));
  }
  const latencies = await answerOf(client, "over", (told: readonly Latency[]) => told);
  server.disconnect();
  return phases.slice(1).map((phase) => {
    const within = latencies.filter(({ intended }) => intended >= phase.begin && intended < phase.end);
    const sorted = within.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b);
    const [p50, p99, max] = [quantile(sorted, 0.5), quantile(sorted, 0.99), sorted.at(-1) ?? Number.NaN];
    return { ...phase, requests: sorted.length, p50, p99, max };
  });
}

const ms = (value: number): string => value.toFixed(value < 100 ? 2 : 0).padStart(8);

function print(name: string, { requests, p50, p99, max, delay, begin, end, ...done }: Figures): void {
  const { steps, validations, checkpoints } = done;
  const did = steps > 0 ? `; ${steps} steps, ${validations} validations, ${checkpoints} checkpoints` : "";
  console.log(
    `${name.padEnd(22)}${ms(p50)}${ms(p99)}${ms(max)} |${ms(delay.p50)}${ms(delay.p99)}${ms(delay.max)}` +
      `   ${requests} requests in ${((end - begin) / 1000).toFixed(1)} s${did}`,
  );
}

/** What is felt too much. */
function felt(name: string, idle: Figures, training: Figures): string[] {
  const allowed = LIMITS.latencyFactor * idle.p99 + LIMITS.latency;
  const [delay, longest] = [training.delay.p99 - idle.delay.p99, training.delay.max - idle.delay.max];
  return [
    ...(training.p99 > allowed ? [`${name}: p99 ${ms(training.p99)} ms, allowed ${ms(allowed)}`] : []),
    ...(delay > LIMITS.delay ? [`${name}: event loop p99 ${ms(delay)} ms over idle, allowed ${LIMITS.delay}`] : []),
    ...(longest > LIMITS.longestDelay
      ? [`${name}: event loop held ${ms(longest)} ms over idle, allowed ${LIMITS.longestDelay}`]
      : []),
  ];
}

async function main(epochs: number, quick: boolean): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), "carillon-server-"));
  const training = (priority: "normal" | "background"): Work => {
    return { kind: "carillon", priority, epochs, dir: join(root, priority) };
  };
  const children = new Children();
  const idle: Work = { kind: "idle", seconds: (quick ? QUICK_SIZES : SIZES).idle };
  console.log(`${" ".repeat(22)}    latency, ms           |    event loop, ms`);
  console.log(`${" ".repeat(22)}     p50     p99     max |     p50     p99     max`);
  try {
    const works = [idle, training("normal"), idle, training("background")];
    const [before, normal, between, background] = await measure(works, quick, children);
    if (!(before && normal && between && background)) throw new Error("a phase is missing");
    print("idle", before);
    print("training", normal);
    print("idle", between);
    print("training, background", background);
    const problems = [...felt("training", before, normal), ...felt("training, background", between, background)];
    if (!quick) await measurePeer(idle, children);
    for (const problem of problems) console.error(problem);
    console.log(problems.length === 0 ? "training is not felt" : "training is felt");
    process.exitCode = problems.length === 0 || quick ? 0 : 1;
  } finally {
    children.end();
    rmSync(root, { recursive: true, force: true });
  }
}

/** TensorFlow.js, in a server of its own. */
async function measurePeer(idle: Work, children: Children): Promise<void> {
  const module = fileURLToPath(new URL("../../bench/peers/tfjs_fit.mjs", import.meta.url));
  const folder = process.env.CARILLON_PEERS_NODE;
  if (folder === undefined || !existsSync(folder)) {
    console.log("TensorFlow.js: missing (CARILLON_PEERS_NODE names no folder)");
    return;
  }
  const [before, training] = await measure([idle, { kind: "tfjs", steps: TFJS_STEPS, module }], false, children);
  if (before && training) {
    print("idle", before);
    print("TensorFlow.js fit", training);
  }
}

const [role, first, rate] = process.argv.slice(2);
if (role === "serve") {
  serve(Number(first));
} else if (role === "request") {
  request(Number(first), Number(rate));
} else {
  const { values } = parseArgs({ options: { epochs: { type: "string" }, quick: { type: "boolean", default: false } } });
  await main(Number(values.epochs ?? (values.quick ? 1 : 6)), values.quick);
}
