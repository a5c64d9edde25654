// Several runs in one process: bits, the limit of its threads, and priorities of the operating system.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import {
  adam,
  dropout,
  type FitResult,
  fit,
  linear,
  type Model,
  mse,
  ops,
  program,
  relu,
  runtime,
  sequential,
  spec,
  tensor,
} from "carillon";
import { afterEach, describe, expect, test } from "vitest";
import { native } from "../../lib/binding/native.js";
import { bundle, runChild } from "./child.js";
import { bitsOf } from "./synthetic.js";
import { expectRefusal } from "./wrong.js";

const ROWS = 512;
const INPUTS = 48;
const x = Float32Array.from({ length: ROWS * INPUTS }, (_, index) => ((index * 37) % 101) / 50 - 1);
const y = Float32Array.from({ length: ROWS }, (_, index) => ((index * 13) % 17) / 8 - 1);
const data = { x: { data: x, shape: [ROWS, INPUTS] }, y };
const whole = { data, loss: mse(), optimizer: adam(), batchSize: 64, seed: 3, shuffle: true } as const;

const make = (): Model =>
  sequential(linear(INPUTS, 256), relu(), dropout(0.2), linear(256, 256), relu(), linear(256, 1));

async function trained(extra: object): Promise<string> {
  const model = make();
  await fit(model, { ...whole, epochs: 3, ...extra });
  return bitsOf(model);
}

const limit = runtime.threads;
afterEach(() => runtime.limitThreads(limit));

describe("runs side by side", () => {
  test.each([1, 2, 3, 7])("have the bits of one alone, within %i threads", async (threads) => {
    const alone = await trained({});
    runtime.limitThreads(threads);
    const runs = await Promise.all([
      trained({}),
      trained({ threads: 1 }),
      trained({ threads: 5 }),
      trained({ priority: "background" }),
      trained({ priority: "background", threads: 1 }),
    ]);
    expect(runs).toEqual(runs.map(() => alone));
  });

  test("take turns where there is one thread for all; one that waits for its turn stops at once", async () => {
    runtime.limitThreads(1);
    const busy = [1, 2, 3].map((seed) => fit(make(), { ...whole, seed, steps: 1_000_000 }));
    const started = await Promise.all(
      busy.map(async (run) => {
        for await (const event of run) if (event.kind === "epoch") return event.step; // leaves, which stops the run
        return 0;
      }),
    );
    expect(started.every((step) => step > 0)).toBe(true);
    const results: FitResult[] = await Promise.all(busy);
    expect(results.map(({ reason }) => reason)).toEqual(["stopped", "stopped", "stopped"]);
  });

  test("a prediction does not wait for its turn behind them", async () => {
    const ready = make().initialize(1);
    const alone = await ready.predict(data.x);
    runtime.limitThreads(1);
    const busy = [1, 2, 3].map((seed) => fit(make(), { ...whole, seed, steps: 1_000_000 }));
    const beside = await ready.predict(data.x);
    for (const run of busy) run.stop();
    await Promise.all(busy);
    expect(beside.data).toEqual(alone.data);
  });
});

describe("the limit of the process", () => {
  test("is what a run has at most", async () => {
    const threadsOf = async (threads?: number): Promise<number | undefined> => {
      for await (const event of fit(make(), { ...whole, steps: 1, threads })) {
        if (event.kind === "start") return event.threads;
      }
      return undefined;
    };
    runtime.limitThreads(3);
    expect(runtime.threads).toBe(3);
    expect(await Promise.all([threadsOf(), threadsOf(2), threadsOf(8)])).toEqual([3, 2, 3]);
  });

  test.each([0, 1.5, 1025, Number.NaN])("is refused as %d", (threads) => {
    expect(() => runtime.limitThreads(threads)).toThrow("runtime.limitThreads");
    expect(runtime.threads).toBe(limit);
  });

  test("comes from CARILLON_THREADS", async () => {
    const module = await bundle("print-threads");
    const told = async (text: string): Promise<string> =>
      (await runChild(module, { env: { CARILLON_THREADS: text } })).stdout.trim();
    expect(await Promise.all(["3", "1024", ""].map(told))).toEqual(["3", "1024", String(limit)]);
  });

  test.each(["0", "1025", "abc", "1.5", "2x", " 2", "-1"])("is refused as CARILLON_THREADS=%s", async (text) => {
    const { code, stderr } = await runChild(await bundle("print-threads"), { env: { CARILLON_THREADS: text } });
    expect(code).toBe(1);
    expect(stderr).toContain(`expected an integer from 1 to 1024 for 'CARILLON_THREADS' but received "${text}"`);
  });

  test("is that of the processors that the process may use", async (context) => {
    const module = await bundle("print-threads");
    const [first = 0] = native.processors();
    const args = ["-c", String(first), process.execPath, module];
    const { stdout, error } = spawnSync("taskset", args, { encoding: "utf8" });
    if (error !== undefined) context.skip("no taskset here");
    expect(stdout.trim()).toBe("1");
  });
});

describe.runIf(process.platform === "linux")("priority: 'background'", () => {
  function nicenessOf(stat: string): number {
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16]);
  }

  /** Of the main thread first, then of the others. */
  function niceness(): number[] {
    const others = readdirSync("/proc/self/task").filter((thread) => thread !== String(process.pid));
    return [String(process.pid), ...others].flatMap((thread) => {
      try {
        return [nicenessOf(readFileSync(`/proc/self/task/${thread}/stat`, "utf8"))];
      } catch {
        return []; // it has ended meanwhile
      }
    });
  }

  async function whileTraining(priority: "normal" | "background" | undefined, threads = 2): Promise<number[]> {
    const run = fit(make(), { ...whole, steps: 1_000_000, threads, priority });
    let seen: number[] = [];
    for await (const event of run) {
      if (event.kind !== "epoch") continue;
      seen = niceness();
      break;
    }
    return seen;
  }

  test("lowers the priority of the training threads, and of no other", async () => {
    const own = niceness()[0] ?? 0;
    const low = Math.min(own + 10, 19);
    const count = (list: readonly number[], value: number): number => list.filter((each) => each === value).length;
    const before = count(await whileTraining("normal"), low);
    const during = await whileTraining("background");
    expect(count(during, low)).toBeGreaterThan(before);
    expect(during[0]).toBe(own);
    // Of other runs nothing is lowered: the driver of a background run ends with it, its helpers serve no other.
    const after = await whileTraining(undefined);
    expect(count(after, low)).toBeLessThan(count(during, low));
  });

  test("is not that of the thread whose end JavaScript waits for", async () => {
    const count = (list: readonly number[], value: number): number => list.filter((each) => each === value).length;
    await whileTraining("normal", 1); // threads that stay have begun
    const normal = await whileTraining("normal", 1);
    const background = await whileTraining("background", 1);
    const own = normal[0] ?? 0;
    expect(count(background, own)).toBe(count(normal, own));
    expect(background.length).toBeGreaterThan(normal.length);
  });

  test("of a program, and of nothing else than these two", async () => {
    const double = program({
      inputs: { a: spec([2]) },
      priority: "background",
      body: ({ a }) => ({ sum: ops.add(a, a) }),
    });
    expect((await double.run({ a: tensor([1, 2]) })).sum.data).toEqual(Float32Array.of(2, 4));
    await expectRefusal(make(), { ...whole, steps: 1, priority: "high" }, "ERR_OPTION", "fit.priority");
  });
});
