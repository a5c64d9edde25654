// Checkpoints in a folder: when they are written, which are kept, and that a run continued from one, whatever happened to
// the files meanwhile, is the run that was not interrupted.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import {
  adam,
  type Callback,
  type CheckpointEvent,
  crossEntropy,
  defineLayer,
  dropout,
  type FitEvent,
  fit,
  type Loss,
  linear,
  type Model,
  parameter,
  relu,
  sequential,
  sgdMomentum,
  type Value,
} from "carillon";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listing } from "./listing.js";
import { bitsOf, clusters } from "./synthetic.js";
import { expectRefusal } from "./wrong.js";

const DATA = clusters(50, 6, 3);
/** Four steps an epoch. */
const OPTIONS = {
  data: DATA,
  validation: clusters(20, 6, 3, 2),
  metrics: ["accuracy"],
  loss: crossEntropy(),
  optimizer: adam({ lr: 0.01 }),
  batchSize: 16,
  epochs: 5,
  seed: 3,
} as const;
const EVERY = { every: { steps: 3 }, keep: 2 } as const;

/** Gives [batch, 3] where a loss gives [batch]. */
const wholeRows: Loss = Object.assign((output: Value) => output, { target: "classes" as const });

function network(): Model<6, 3> {
  return sequential(linear(6, 12), relu(), dropout(0.4), linear(12, 3));
}

let root = "";
let whole = "";
let folders = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "carillon-checkpoint-"));
  const model = network();
  await fit(model, OPTIONS);
  whole = bitsOf(model);
});

afterAll(() => rm(root, { recursive: true, force: true }));

function folder(): string {
  folders += 1;
  return join(root, `run-${folders}`);
}

async function eventsOf(run: AsyncIterable<FitEvent>): Promise<FitEvent[]> {
  const events: FitEvent[] = [];
  for await (const event of run) events.push(event);
  return events;
}

function stepsOf(names: readonly string[]): number[] {
  return names.map((name) => Number(/^step-(\d{9})\.safetensors$/.exec(name)?.[1])).sort((a, b) => a - b);
}

function stepsIn(dir: string): number[] {
  return stepsOf(listing(dir));
}

function stopAt(step: number): Callback {
  return { name: "stop", every: { steps: 1 }, decide: (at) => (at.step === step ? at.stop() : undefined) };
}

/** A run in `dir` that was stopped after `step` steps. */
async function stopped(dir: string, step: number): Promise<void> {
  const { reason } = await fit(network(), { ...OPTIONS, checkpoint: { dir, ...EVERY }, callbacks: [stopAt(step)] });
  expect(reason).toBe("stopped");
}

/** The run in `dir`, continued to its end: its events and the bits of the weights. */
async function continued(dir: string): Promise<{ readonly events: FitEvent[]; readonly bits: string }> {
  const model = network();
  const events = await eventsOf(fit(model, { ...OPTIONS, checkpoint: { dir, ...EVERY }, resume: "auto" }));
  return { events, bits: bitsOf(model) };
}

function startOf(events: readonly FitEvent[]): Extract<FitEvent, { kind: "start" }> {
  const [start] = events;
  if (start?.kind !== "start") throw new Error("no start");
  return start;
}

describe("writing", () => {
  test("every so many steps and at the end, the newest are kept, and each is told of", async () => {
    const dir = folder();
    const model = network();
    const events = await eventsOf(fit(model, { ...OPTIONS, checkpoint: { dir, ...EVERY } }));
    const told = events.filter((event): event is CheckpointEvent => event.kind === "checkpoint");
    expect(told.map(({ step }) => step)).toEqual([3, 6, 9, 12, 15, 18, 20]);
    expect(told.map(({ path }) => stepsOf([basename(path)])[0])).toEqual([3, 6, 9, 12, 15, 18, 20]);
    expect(events.at(-1)?.kind).toBe("end");
    expect(stepsIn(dir)).toEqual([18, 20]);
    expect(bitsOf(model)).toBe(whole); // they change nothing
  });

  test("once an epoch, three kept, where nobody says", async () => {
    const dir = folder();
    await fit(network(), { ...OPTIONS, checkpoint: { dir } });
    expect(stepsIn(dir)).toEqual([12, 16, 20]);
  });

  test("the last 32 bytes are the SHA-256 of all others", async () => {
    const dir = folder();
    await fit(network(), { ...OPTIONS, checkpoint: { dir } });
    for (const name of listing(dir)) {
      const bytes = await readFile(join(dir, name));
      const digest = createHash("sha256").update(bytes.subarray(0, -32)).digest();
      expect(digest.equals(bytes.subarray(-32))).toBe(true);
    }
  });

  test.each(["max", "min"] as const)("the best is kept besides, by a figure of which %s is best", async (mode) => {
    const dir = folder();
    const best = { monitor: "validation.accuracy", mode };
    const checkpoint = { dir, keep: 1, best };
    const events = await eventsOf(fit(network(), { ...OPTIONS, epochs: 9, checkpoint }));
    const figures = events.flatMap((event) =>
      event.kind === "epoch" ? [{ step: event.step, value: Number(event.validation?.metrics.accuracy) }] : [],
    );
    const record = Math[mode](...figures.map(({ value }) => value));
    const first = figures.find(({ value }) => value === record)?.step ?? 0;
    expect(stepsIn(dir)).toEqual([...new Set([first, 36])]);
    const told = events.filter((event): event is CheckpointEvent => event.kind === "checkpoint" && event.best);
    expect(told.at(-1)?.step).toBe(first);
    // The record outlives the process.
    await fit(network(), { ...OPTIONS, epochs: 10, checkpoint, resume: "auto" });
    expect(stepsIn(dir)).toContain(first);
  });

  const unused = () =>
    defineLayer({
      kind: "unused",
      outputs: "same",
      parameters: { weight: parameter([2, 2]) },
      forward: (x) => x,
    });
  test.each<[string, () => Model, object, string]>([
    ["a loss that leaves a parameter out", () => sequential(linear(6, 3), unused()), {}, "ERR_TRACE"],
    ["a loss of another shape", network, { loss: wholeRows }, "ERR_SHAPE"],
    ["a label out of range", network, { data: { x: [[1, 2, 3, 4, 5, 6]], y: [3] } }, "ERR_LABEL"],
  ])("%s leaves no folder behind", async (_, model, wrong, code) => {
    const dir = folder();
    const options = { ...OPTIONS, checkpoint: { dir }, resume: "auto", ...wrong } as const;
    await expect(fit(model(), options)).rejects.toMatchObject({ name: "CarillonError", code });
    expect(existsSync(dir)).toBe(false);
  });

  test("a folder that cannot be written rejects the run", async () => {
    const file = join(root, "file");
    await writeFile(file, "x");
    const options = { ...OPTIONS, checkpoint: { dir: join(file, "below") } };
    await expectRefusal(network(), options, "ERR_FILE", join(file, "below"));
  });

  test("a file that cannot be written rejects the run, at the latest at its end", async () => {
    const dir = folder();
    await mkdir(join(dir, "step-000000004.safetensors", "inside"), { recursive: true });
    const run = fit(network(), { ...OPTIONS, checkpoint: { dir }, resume: "auto" });
    await expect(run).rejects.toMatchObject({ code: "ERR_FILE" });
  });

  test("a folder has one run at a time", async () => {
    const dir = folder();
    const first = fit(network(), { ...OPTIONS, checkpoint: { dir } });
    await expect(fit(network(), { ...OPTIONS, checkpoint: { dir } })).rejects.toMatchObject({ code: "ERR_BUSY" });
    await first;
    await fit(network(), { ...OPTIONS, checkpoint: { dir }, resume: "auto" });
  });

  test.skipIf(process.platform === "win32")("nor does it have two by way of symbolic links, made or not", async () => {
    const dir = folder();
    const link = folder();
    await mkdir(dir);
    await symlink(dir, link);
    for (const [one, other] of [
      [dir, link],
      [join(link, "deep/er"), join(dir, "deep/er")],
    ] as const) {
      const first = fit(network(), { ...OPTIONS, checkpoint: { dir: one } });
      await expect(fit(network(), { ...OPTIONS, checkpoint: { dir: other } })).rejects.toMatchObject({
        code: "ERR_BUSY",
        message: expect.stringContaining(other),
      });
      await first;
      await expectRefusal(
        network(),
        { ...OPTIONS, checkpoint: { dir: other } },
        "ERR_STATE",
        "fit.checkpoint.dir",
        other,
      );
    }
  });
});

describe("resume: 'auto'", () => {
  test("begins at the beginning where there is nothing", async () => {
    const { events, bits } = await continued(folder());
    expect(startOf(events)).toMatchObject({ step: 0, resumedFrom: null, passedOver: [] });
    expect(bits).toBe(whole);
  });

  test("continues a stopped run, wherever it was stopped, and a finished one at its end", async () => {
    for (let cut = 1; cut < 20; cut += 3) {
      const dir = folder();
      await stopped(dir, cut);
      const { events, bits } = await continued(dir);
      const name = `step-${String(cut).padStart(9, "0")}.safetensors`;
      expect(startOf(events)).toMatchObject({ step: cut, resumedFrom: join(dir, name), passedOver: [] });
      expect(bits).toBe(whole);
      const again = await continued(dir);
      expect([startOf(again.events).step, again.bits]).toEqual([20, whole]);
    }
  });

  test("continues what an abort left", async () => {
    const dir = folder();
    const aborting = new AbortController();
    const late: Callback = {
      name: "late",
      every: { steps: 1 },
      decide: (at) => (at.step === 11 ? aborting.abort(new Error("enough")) : undefined),
    };
    const options = { ...OPTIONS, checkpoint: { dir, ...EVERY }, callbacks: [late], signal: aborting.signal };
    await expect(fit(network(), options)).rejects.toThrow("enough");
    const { events, bits } = await continued(dir);
    expect([startOf(events).step, bits]).toEqual([9, whole]);
  });

  test("needs a folder", async () => {
    await expectRefusal(network(), { ...OPTIONS, resume: "auto" }, "ERR_OPTION", "fit.resume", "fit.checkpoint");
  });

  test("removes what a killed process had not finished, and nothing else", async () => {
    const dir = folder();
    await stopped(dir, 7);
    await mkdir(join(dir, ".step-000000009.safetensors-a1B2c3"));
    await writeFile(join(dir, ".step-000000009.safetensors-a1B2c3", "step-000000009.safetensors"), "half");
    await mkdir(join(dir, ".other-a1B2c3"));
    await writeFile(join(dir, "notes.txt"), "mine");
    expect((await continued(dir)).bits).toBe(whole);
    const rest = listing(dir).filter((name) => !name.startsWith("step-"));
    expect(rest.sort()).toEqual([".other-a1B2c3", "notes.txt"]);
  });

  test("does not mix two runs", async () => {
    const dir = folder();
    await stopped(dir, 7);
    const checkpoint = { dir, ...EVERY };
    await expectRefusal(network(), { ...OPTIONS, checkpoint }, "ERR_STATE", "fit.checkpoint.dir", "step-000000007");
    const other = { ...OPTIONS, checkpoint, resume: "auto" } as const;
    const wider = sequential(linear(6, 13), relu(), dropout(0.4), linear(13, 3));
    await expectRefusal(wider, other, "ERR_STATE", "fit.resume.layers", "layers[0].config.outputs 12");
    const optimizer = sgdMomentum({ lr: 0.1 });
    await expectRefusal(network(), { ...other, optimizer }, "ERR_STATE", "fit.resume.optimizer", "optimizer adam");
    await expectRefusal(network(), { ...other, seed: 4 }, "ERR_STATE", "fit.resume.seed", "seed");
    expect(stepsIn(dir)).toEqual([6, 7]);
  });
});

describe("a damaged checkpoint", () => {
  /** The bytes of a checkpoint and where its sections end. */
  async function sections(dir: string): Promise<{ readonly bytes: Buffer; readonly ends: readonly number[] }> {
    const bytes = await readFile(join(dir, "step-000000007.safetensors"));
    const start = 8 + Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.toString("utf8", 8, start)) as Record<string, { data_offsets?: number[] }>;
    const ends = Object.values(header).flatMap(({ data_offsets: offsets }) => (offsets ?? []).map((at) => start + at));
    return { bytes, ends: [...new Set([0, 1, 8, start, ...ends])] };
  }

  test("is passed over, with the reason, for the newest sound one", async () => {
    const dir = folder();
    await stopped(dir, 7);
    const path = join(dir, "step-000000007.safetensors");
    const { bytes } = await sections(dir);
    for (const [damaged, reason] of [
      [bytes.subarray(0, -100), "bytes of data"],
      [bytes.subarray(0, 20), "header"],
      [bytes.map((byte, at) => (at === bytes.length - 50 ? byte ^ 4 : byte)), "damaged"],
      [Buffer.alloc(0), "an empty file"],
      [Buffer.alloc(bytes.length), "a safetensors file"],
    ] as const) {
      await writeFile(path, damaged);
      const model = network();
      const checkpoint = { dir, every: { steps: 100 }, keep: 9 };
      const events = await eventsOf(fit(model, { ...OPTIONS, steps: 8, checkpoint, resume: "auto" }));
      const { step, resumedFrom, passedOver } = startOf(events);
      expect([step, resumedFrom]).toEqual([6, join(dir, "step-000000006.safetensors")]);
      expect(passedOver).toEqual([{ path, reason: expect.stringContaining(reason) }]);
      expect(passedOver[0]?.reason).toContain(path);
      await rm(join(dir, "step-000000008.safetensors"));
    }
    expect((await continued(dir)).bits).toBe(whole);
  });

  test("is no reason not to begin anew where there is nothing else", async () => {
    const dir = folder();
    await stopped(dir, 2);
    await writeFile(join(dir, "step-000000002.safetensors"), "half of it");
    const { events, bits } = await continued(dir);
    expect(startOf(events)).toMatchObject({ step: 0, resumedFrom: null });
    expect(startOf(events).passedOver).toHaveLength(1);
    expect(bits).toBe(whole);
  });

  test("cut at any section, or with any byte of its header changed, is never taken for sound", async () => {
    const dir = folder();
    await stopped(dir, 7);
    const { bytes, ends } = await sections(dir);
    const start = 8 + Number(bytes.readBigUInt64LE(0));
    const wrong = [
      ...ends.filter((end) => end < bytes.length).map((end) => bytes.subarray(0, end)),
      ...Array.from({ length: start }, (_, index) => {
        const changed = Buffer.from(bytes);
        changed[index] = (changed[index] ?? 0) ^ (1 << (index % 8));
        return changed;
      }),
      ...Array.from({ length: 40 }, (_, index) => {
        const changed = Buffer.from(bytes);
        const at = bytes.length - 1 - index * 7;
        changed[at] = (changed[at] ?? 0) ^ 0x80;
        return changed;
      }),
    ];
    expect(wrong.length).toBeGreaterThan(ends.length + 1000);
    const model = network().initialize(9);
    const before = bitsOf(model);
    for (const resume of wrong) {
      const refused = await fit(model, { ...OPTIONS, callbacks: [stopAt(1)], resume }).catch((error: unknown) => error);
      expect(refused).toMatchObject({ name: "CarillonError", code: "ERR_FILE", where: expect.stringMatching(/^fit/) });
    }
    expect(bitsOf(model)).toBe(before);
    // The bytes as they were are sound.
    await fit(model, { ...OPTIONS, callbacks: [stopAt(8)], resume: bytes });
  });
});
