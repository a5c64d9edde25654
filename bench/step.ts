// Time of one whole training step, in µs:  npm run bench:step -- [--seconds S] [--threads 1,2] [NAME…]
//
// A step is what fit() does for it: gather the batch, forward with dropout, loss, backward, Adam, and its share of
// shuffling, logging and JavaScript. Time is taken between two decisions of a callback, over as many steps as fill a few
// milliseconds; thread counts take turns; the figure is the median.
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { adam, crossEntropy, dropout, fit, linear, type Model, relu, runtime, sequential } from "../lib/index.js";

interface Network {
  readonly name: string;
  readonly batch: number;
  readonly make: () => Model;
  /** What issue 2 asks for at most, in µs. */
  readonly limit?: number;
}

const NETWORKS: readonly Network[] = [
  {
    name: "32-64-64-2",
    batch: 32,
    limit: 50,
    make: () => sequential(linear(32, 64), relu(), dropout(0.5), linear(64, 64), relu(), dropout(0.5), linear(64, 2)),
  },
  {
    name: "784-256-10",
    batch: 32,
    limit: 1000,
    make: () => sequential(linear(784, 256), relu(), dropout(0.5), linear(256, 10)),
  },
  {
    name: "784-256-10",
    batch: 128,
    make: () => sequential(linear(784, 256), relu(), dropout(0.5), linear(256, 10)),
  },
  {
    name: "784-512-512-10",
    batch: 128,
    make: () =>
      sequential(linear(784, 512), relu(), dropout(0.5), linear(512, 512), relu(), dropout(0.5), linear(512, 10)),
  },
  {
    name: "784-1024-1024-10",
    batch: 512,
    make: () =>
      sequential(linear(784, 1024), relu(), dropout(0.5), linear(1024, 1024), relu(), dropout(0.5), linear(1024, 10)),
  },
];

const EXAMPLES = 4096;

/** Time between two decisions: far above the resolution of the clock and the cost of a decision. */
const LEAST_MILLISECONDS = 20;

/** Numbers in [0, 1) that need no quality: a multiplicative generator modulo 2³¹ − 1. */
function noise(count: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length: count }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  });
}

/** Medians and the like; `values` is sorted. */
function quantile(values: readonly number[], share: number): number {
  return values[Math.min(values.length - 1, Math.floor(share * values.length))] ?? Number.NaN;
}

/** µs a step, one figure for each of `rounds` stretches of `every` steps; the first stretch warms up. */
async function measure({ make, batch }: Network, threads: number, every: number, rounds: number): Promise<number[]> {
  const model = make();
  const times: number[] = [];
  let last = Number.NaN;
  await fit(model, {
    data: {
      x: noise(EXAMPLES * model.inputs),
      y: Int32Array.from({ length: EXAMPLES }, (_, row) => row % model.outputs),
    },
    loss: crossEntropy(),
    optimizer: adam(),
    batchSize: batch,
    steps: every * (rounds + 1),
    threads,
    callbacks: [
      {
        name: "clock",
        every: { steps: every },
        decide() {
          const now = performance.now();
          times.push(((now - last) * 1000) / every);
          last = now;
        },
      },
    ],
  });
  return times.slice(1);
}

const { values, positionals } = parseArgs({
  options: { seconds: { type: "string", default: "1" }, threads: { type: "string", default: "1,2" } },
  allowPositionals: true,
});
const seconds = Number(values.seconds);
const threadCounts = values.threads.split(",").map(Number);
const TURNS = 5;

const [cpu] = cpus();
console.log(
  `${cpu?.model.trim() ?? "unknown processor"}, ${cpus().length} processors, ${process.platform}-${process.arch}`,
);
console.log(`Node.js ${process.version}, kernels ${runtime.isa}, default threads ${runtime.threads}`);
console.log(`µs a step, dropout 0.5 and Adam: median [10%, 90%] over ${TURNS} turns of ${seconds / TURNS} s\n`);
console.log(`${"network".padEnd(20)}${"batch".padStart(6)}${"threads".padStart(9)}${"µs".padStart(10)}   10% … 90%`);

for (const network of NETWORKS) {
  if (positionals.length > 0 && !positionals.includes(network.name)) continue;
  const [guess = 1] = await measure(network, 1, 8, 1);
  const every = Math.max(1, Math.ceil((LEAST_MILLISECONDS * 1000) / guess));
  const rounds = Math.max(2, Math.round((seconds * 1e6) / TURNS / (every * guess)));
  const times = new Map(threadCounts.map((threads) => [threads, [] as number[]]));
  for (let turn = 0; turn < TURNS; turn++) {
    for (const [threads, list] of times) list.push(...(await measure(network, threads, every, rounds)));
  }
  for (const [threads, list] of times) {
    const sorted = list.toSorted((a, b) => a - b);
    const median = quantile(sorted, 0.5);
    const { limit } = network;
    const verdict = limit === undefined ? "" : `   limit ${limit}: ${median <= limit ? "kept" : "BROKEN"}`;
    const spread = `${quantile(sorted, 0.1).toFixed(1)} … ${quantile(sorted, 0.9).toFixed(1)}`;
    console.log(
      `${network.name.padEnd(20)}${String(network.batch).padStart(6)}${String(threads).padStart(9)}` +
        `${median.toFixed(1).padStart(10)}   ${spread}${verdict}`,
    );
  }
}
