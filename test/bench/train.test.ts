// The parts of the suites `train` and `scaling` that measure nothing.
import { execPath } from "node:process";
import { describe, expect, test } from "vitest";
import { stepFlops } from "../../bench/roofline.js";
import { deadUnits, isDead, withDeadUnits } from "../../bench/train/dead_units.js";
import { askedOf, EXAMPLES, examplesOf, modelOf, NETWORKS, type Network, titleOf } from "../../bench/train/networks.js";
import { checkpointAt } from "../../bench/train/ours.js";
import { Peer } from "../../bench/train/peers.js";
import { linesOf, scalingPicture } from "../../bench/train/picture.js";
import { points, type ScalingRow, SERIES } from "../../bench/train/points.js";
import { byPeer, fastest, rowOf, type Turn } from "../../bench/train/rows.js";
import { bestSetting, commandsOf, enter, PEERS, titleOfSetting } from "../../bench/train/settings.js";
import { decodeSafetensors } from "../io/whole_file.js";

describe("networks and examples", () => {
  test("the networks are those that are asked for", () => {
    expect(NETWORKS.map(titleOf)).toEqual([
      "32-64-64-2 at 32",
      "784-256-10 at 32",
      "784-256-10 at 128",
      "784-512-512-10 at 128",
      "784-1024-1024-10 at 512",
      "100-128-64-2 at 256",
      "128-512-512-10 batch norm at 128",
      "128-512-512-10 layer norm at 128",
    ]);
  });

  test("relu and dropout stand behind every hidden layer", () => {
    const kinds = modelOf({ sizes: [5, 4, 3, 2] }).layers.map(({ kind }) => kind);
    expect(kinds).toEqual(["linear", "relu", "dropout", "linear", "relu", "dropout", "linear"]);
    expect(modelOf({ sizes: [5, 4, 3, 2] })).toMatchObject({ inputs: 5, outputs: 2 });
    const normed = modelOf({ sizes: [5, 4, 2], norm: "batch" }).layers.map(({ kind }) => kind);
    expect(normed).toEqual(["linear", "batchNorm", "relu", "linear"]);
  });

  test("features tell the label of about three quarters and a share of the rest", () => {
    const classes = 10;
    const { x, y } = examplesOf(100, classes);
    expect([x.length, y.length]).toEqual([100 * EXAMPLES, EXAMPLES]);
    expect(new Set(y).size).toBe(classes);
    let told = 0;
    for (const [row, label] of y.entries()) {
      const sums = Array<number>(classes).fill(0);
      for (const [column, value] of x.subarray(100 * row, 100 * (row + 1)).entries()) {
        sums[column % classes] = (sums[column % classes] ?? 0) + value;
      }
      if (sums.indexOf(Math.max(...sums)) === label) told += 1;
    }
    // ¾ + ¼·1/10 = 0.775, deviation √(0.775·0.225/4096) = 0.0065; ten features of 0.5 each outdo the noise.
    expect(Math.abs(told / EXAMPLES - 0.775)).toBeLessThan(5 * 0.0065);
  });
});

/** A process that greets and answers a request with what `answer`, an expression of the request `r`, gives. */
function command(answer: string, greeting: object = { peer: "p", version: "1.2", ways: ["a", "b"] }, threads = 1) {
  const script = `
    console.log(${JSON.stringify(JSON.stringify(greeting))});
    require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
      const r = JSON.parse(line);
      console.log(JSON.stringify(${answer}));
    });`;
  return { file: execPath, args: ["--eval", script], threads };
}

const network: Network = { sizes: [784, 256, 10], batch: 32 };

async function started(answer: string): Promise<Peer> {
  const peer = await Peer.start(command(answer));
  if ("absent" in peer) throw new Error(peer.absent);
  return peer;
}

describe("peers", () => {
  test("a request is answered", async () => {
    const peer = await started(
      "{ microseconds: r.network[0] + r.batch + r.milliseconds, firstLoss: 2, loss: r.way === 'a' ? 1 : 3 }",
    );
    try {
      expect(peer.version).toBe("1.2");
      expect(peer.ways).toEqual(["a", "b"]);
      expect(await peer.ask(askedOf(network), "a", 100)).toEqual({ microseconds: 916, firstLoss: 2, loss: 1 });
      expect(await peer.ask(askedOf(network), "b", 100)).toEqual({
        absent: "does not learn: its loss went from 2 to 3",
      });
    } finally {
      peer.end();
    }
  });

  test.each([
    ["{ error: 'ValueError: no' }", "ValueError: no"],
    ["{ microseconds: 1, firstLoss: 2, loss: NaN }", '{"microseconds":1,"firstLoss":2,"loss":null}'],
    ["process.exit(3)", "its process ended"],
    ["1", "unreadable answer: 1"],
  ])("an answer %s is an absence", async (answer, absent) => {
    const peer = await started(answer);
    try {
      expect(await peer.ask(askedOf(network), "a", 100)).toEqual({ absent });
    } finally {
      peer.end();
    }
  });

  test.skipIf(process.platform === "win32")(
    "a process that ends is gone, whatever it leaves behind holds its output",
    async () => {
      // The child that it leaves has the other end of our pipes, and says who it is.
      const script = `
      const { spawn } = require("node:child_process");
      const left = spawn(process.execPath, ["--eval", "setTimeout(() => {}, 60_000)"], { stdio: "inherit" });
      console.log(JSON.stringify({ peer: "p", version: String(left.pid), ways: ["a"] }));
      process.stdin.once("data", () => process.exit(3));`;
      const peer = await Peer.start({ file: execPath, args: ["--eval", script], threads: 1 });
      if ("absent" in peer) throw new Error(peer.absent);
      const left = Number(peer.version);
      const began = performance.now();
      expect(await peer.ask(askedOf(network), "a", 100)).toEqual({ absent: "its process ended" });
      expect(await peer.ask(askedOf(network), "a", 100)).toEqual({ absent: "its process ended" });
      expect(performance.now() - began).toBeLessThan(20_000);
      expect(process.kill(left, 0)).toBe(true);
      peer.end();
      const isLeft = (): boolean => {
        try {
          return process.kill(left, 0);
        } catch {
          return false;
        }
      };
      await expect.poll(isLeft, { timeout: 10_000 }).toBe(false);
    },
  );

  test("a process that is absent, mute or not there", async () => {
    expect(await Peer.start(command("0", { absent: "torch 2.1.0 is older than 2.8" }))).toEqual({
      absent: "torch 2.1.0 is older than 2.8",
    });
    expect(await Peer.start({ file: execPath, args: ["--eval", "console.error('no module')"], threads: 1 })).toEqual({
      absent: "no module",
    });
    const missing = await Peer.start({ file: "no-such-program", args: [], threads: 1 });
    expect(missing).toEqual({ absent: expect.stringContaining("ENOENT") });
  });

  test("Python is taken from the environment, one process a number of threads", () => {
    const { pytorch, tfjsWasm } = commandsOf({ CARILLON_PYTHON: "some-python" }, [1, 2]);
    expect(pytorch.map(({ file, threads }) => [file, threads])).toEqual([
      ["some-python", 1],
      ["some-python", 2],
    ]);
    expect(pytorch[1]?.args).toEqual([expect.stringContaining("pytorch_step.py"), "2"]);
    expect(tfjsWasm).toHaveLength(1);
    expect(commandsOf({}, [1]).tensorflow[0]?.file).toBe("python3");
  });

  test("the best setting is the fastest that works", async () => {
    const answer = (a: number, b: number): string =>
      `{ microseconds: r.way === "a" ? ${a} : ${b}, firstLoss: 2, loss: 1 }`;
    const failing = "(r.way === 'a' ? { error: 'out of order' } : { microseconds: 15, firstLoss: 2, loss: 1 })";
    const contestant = await enter("pytorch", [
      { ...command(answer(30, 20)), threads: 1 },
      { ...command(failing), threads: 2 },
    ]);
    if ("absent" in contestant) throw new Error(contestant.absent);
    try {
      const setting = await bestSetting(contestant, askedOf(network), 10);
      if ("absent" in setting) throw new Error(setting.absent);
      expect(titleOfSetting(setting)).toBe("b, 2 threads");
      expect(setting.microseconds).toBe(15);
    } finally {
      for (const peer of contestant.processes) peer.end();
    }
  });

  test("what is slow is not tried again", async () => {
    const counting = "{ microseconds: 4e6 + (globalThis.asked = (globalThis.asked ?? 0) + 1), firstLoss: 2, loss: 1 }";
    const contestant = await enter("tfjsCpu", [command(counting)]);
    if ("absent" in contestant) throw new Error(contestant.absent);
    try {
      expect(await bestSetting(contestant, askedOf(network), 10)).toMatchObject({ way: "a", microseconds: 4e6 + 1 });
      const [peer] = contestant.processes;
      expect(await peer?.ask(askedOf(network), "a", 10)).toMatchObject({ microseconds: 4e6 + 2 });
    } finally {
      for (const peer of contestant.processes) peer.end();
    }
  });

  test("a peer without a process says why", async () => {
    expect(await enter("tensorflow", [command("0", { absent: "no tensorflow" })])).toEqual({ absent: "no tensorflow" });
  });
});

describe("rows", () => {
  // GFLOP/s and GB/s that make the operations take 100 µs and the bytes nothing.
  const limits = { fmaPeak: stepFlops(network.sizes, network.batch) / 1e5, bandwidth: Number.POSITIVE_INFINITY };
  const turn = (ours: number, pytorch: number, slower = 1): Turn => ({
    ours,
    limits: { ...limits, fmaPeak: limits.fmaPeak / slower },
    peers: { pytorch },
  });
  const settings = byPeer((name) => (name === "pytorch" ? "fused, 1 thread" : null));

  test("figures are medians, ratios medians of ratios within a turn", () => {
    // The second turn is a moment at which everything took four times as long.
    const turns = [turn(200, 900), turn(800, 3200, 4), turn(210, 840)];
    const row = rowOf(network, 2, turns, { tfjsCpu: 420_000 }, settings);
    expect(row).toEqual({
      network: "784-256-10",
      batch: 32,
      optimizer: "adam",
      threads: 2,
      microseconds: 210,
      rooflineMicroseconds: expect.closeTo(100),
      ratioToRoofline: expect.closeTo(2),
      peers: { pytorch: 900, tensorflow: null, tfjsWasm: null, tfjsCpu: 420_000 },
      timesFaster: { pytorch: 4, tensorflow: null, tfjsWasm: null, tfjsCpu: 2000 },
      settings: { pytorch: "fused, 1 thread", tensorflow: null, tfjsWasm: null, tfjsCpu: null },
    });
  });

  test("of the numbers of threads the faster counts", () => {
    const one = rowOf(network, 1, [turn(200, 900)], {}, settings);
    const two = rowOf(network, 2, [turn(150, 900)], {}, settings);
    const other = rowOf({ ...network, batch: 128 }, 1, [turn(500, 900)], {}, settings);
    expect(fastest([one, two, other])).toEqual([two, other]);
    expect(Object.keys(one.peers)).toEqual([...PEERS]);
  });
});

test("dead units stay dead, and their momenta are where they fall out of the normal range", async () => {
  const small: Network = { sizes: [6, 4, 4, 2], batch: 32 };
  const living = await checkpointAt(small, 5);
  const { tensors } = decodeSafetensors(withDeadUnits(living, 3).bytes);
  const before = decodeSafetensors(living.bytes).tensors;
  const biases = tensors.get("weights/linear2.bias")?.data ?? [];
  expect([...biases].map((bias) => bias === -1000)).toEqual([false, true, false, true]);
  expect(tensors.get("weights/linear3.bias")).toEqual(before.get("weights/linear3.bias"));
  const weight = tensors.get("weights/linear1.weight")?.data ?? new Float32Array();
  for (const [index, value] of weight.entries()) {
    const was = before.get("weights/linear1.weight")?.data[index];
    expect(value).toBe(isDead(Math.floor(index / 6)) ? 0 : was);
  }
  // In the second layer three quarters: the columns of dead inputs as well as the rows of dead outputs.
  const states = [...tensors].filter(([name]) => !name.startsWith("weights/") && name.endsWith("linear2.weight"));
  expect(states).toHaveLength(2);
  for (const [name, { data }] of states) {
    const aged = [...data].filter((value) => value === Math.fround(1.2e-38)).length;
    expect(aged, name).toBe(12);
  }
});

test("a run goes on from a checkpoint with dead units: its seal holds", async () => {
  const times = await deadUnits({ sizes: [6, 4, 4, 2], batch: 32 }, 1, 1, 0.001);
  for (const time of [times.normal, times.dead, times.ratio]) expect(time).toBeGreaterThan(0);
});

describe("scaling", () => {
  test("batch 1 to 1024, width 16 to 2048, depth 1 to 6", () => {
    const values = SERIES.map((series) => points().filter((point) => point.series === series));
    expect(values.map((of) => [of[0]?.value, of.at(-1)?.value])).toEqual([
      [1, 1024],
      [16, 2048],
      [1, 6],
    ]);
    for (const { series, value, network: at } of points()) {
      const { sizes, batch } = at;
      expect({ batch, width: sizes[1], depth: sizes.length - 2 }[series]).toBe(value);
    }
  });

  test("the picture has a panel for each, with the limit of one core", () => {
    const rows = points().flatMap(({ series, value, network: { batch } }) =>
      [1, 2].map((threads): ScalingRow => {
        return { series, value, network: "n", batch, threads, microseconds: 20, rooflineMicroseconds: 10 };
      }),
    );
    expect(new Set(linesOf(rows).map(({ line }) => line))).toEqual(
      new Set(["1 thread", "2 threads", "limit of one core"]),
    );
    expect(linesOf(rows)).toHaveLength(3 * points().length);
    expect(scalingPicture(rows, { cpu: "a processor", isa: "avx2" })).toMatchObject({
      title: { subtitle: expect.stringContaining("a processor, avx2") },
      hconcat: [{}, {}, {}],
    });
  });
});
