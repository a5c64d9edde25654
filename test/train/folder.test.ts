// A folder of checkpoints belongs to one run, whoever asks and by whatever path; a refused start touches nothing.
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { dataset, type FitOptions, fit, linear, type Model, mse, sequential, sgd } from "carillon";
import { build } from "esbuild";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { findBinary } from "../../lib/binding/load.js";
import { FolderLock } from "../../lib/io/folder_lock.js";
import { root } from "../../scripts/tools.mjs";
import { bundle } from "./child.js";
import { listing } from "./listing.js";

const DATA = { x: [[1], [2], [3]], y: [[1], [2], [3]] };

let folder = "";
let holding = "";
let starting = "";
const children: ChildProcess[] = [];
beforeAll(async () => {
  [holding, starting] = await Promise.all([bundle("hold-folder"), bundle("start-in-folder")]);
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "carillon-folder-"));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

const model = (): Model<1, 1> => sequential(linear(1, 1));

function optionsFor(dir: string): FitOptions<readonly []> & { readonly data: typeof DATA } {
  const checkpoint = { dir, every: { steps: 1 } };
  return { data: DATA, loss: mse(), optimizer: sgd({ lr: 0.1 }), steps: 4, batchSize: 3, checkpoint };
}

/** What is in a folder, to the bit. */
function state(dir: string): string {
  const hash = createHash("sha256");
  for (const name of readdirSync(dir).sort()) {
    const { mtimeMs, mode, ino } = statSync(join(dir, name));
    hash.update(`${name} ${mtimeMs} ${mode} ${ino} `);
    if (statSync(join(dir, name)).isFile()) hash.update(readFileSync(join(dir, name)));
  }
  return hash.digest("hex");
}

/** A process that has the folder, once it says so. */
async function holder(
  dir: string,
  ...how: readonly string[]
): Promise<{ readonly child: ChildProcess; readonly said: string }> {
  const child = spawn(process.execPath, [holding, dir, ...how], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  let said = "";
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on("data", (text: Buffer) => {
      said += text.toString();
      if (said.includes("has it")) resolve();
    });
    child.on("close", () => reject(new Error(`it ended: ${said}`)));
  });
  return { child, said };
}

async function killed(child: ChildProcess): Promise<void> {
  const over = new Promise((resolve) => child.on("close", resolve));
  child.kill("SIGKILL");
  await over;
}

/** How a run in another process ended. */
async function startElsewhere(
  dir: string,
  { cwd, node = [], uid }: { readonly cwd?: string; readonly node?: readonly string[]; readonly uid?: number } = {},
): Promise<{ readonly ended: Readonly<Record<string, unknown>>; readonly asked: boolean }> {
  const args = [...node, starting, dir, ...(cwd === undefined ? [] : [cwd])];
  const owner = uid === undefined ? {} : { uid, gid: uid };
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], ...owner });
  children.push(child);
  let [out, error] = ["", ""];
  child.stdout.on("data", (text: Buffer) => {
    out += text.toString();
  });
  child.stderr.on("data", (text: Buffer) => {
    error += text.toString();
  });
  await new Promise((resolve) => child.on("close", resolve));
  expect(out, error).not.toBe("");
  return JSON.parse(out) as Awaited<ReturnType<typeof startElsewhere>>;
}

const busy = (dir: string, who: string): object =>
  expect.objectContaining({
    code: "ERR_BUSY",
    where: "fit.checkpoint.dir",
    message: `expected a folder of its own but another run has '${dir}': ${who}`,
  });

describe("a folder that another process has", () => {
  test.skipIf(process.platform === "win32")(
    "is refused with who has it, under every path, and is left as it is; with its owner's end it is free",
    async () => {
      const dir = join(folder, "a");
      const { child, said } = await holder(dir, "child");
      const outlives = Number(/child (\d+)/.exec(said)?.[1]);
      const who = expect.stringContaining(`process ${child.pid} of `);
      const link = join(folder, "link");
      symlinkSync(dir, link);
      const before = state(dir);
      for (const path of [dir, link, `${folder}/b/../a`, relative(process.cwd(), dir), `${dir}/`, join(link, ".")]) {
        for (const resume of [undefined, "auto"] as const) {
          await expect(fit(model(), { ...optionsFor(path), resume })).rejects.toMatchObject({
            code: "ERR_BUSY",
            where: "fit.checkpoint.dir",
            message: who,
          });
        }
      }
      expect((await startElsewhere("a", { cwd: folder })).ended).toMatchObject({ code: "ERR_BUSY", message: who });
      expect(state(dir)).toBe(before);
      await killed(child);
      process.kill(outlives, 0); // who was started meanwhile has inherited nothing
      const { step } = await fit(model(), { ...optionsFor(dir), resume: "auto" });
      expect(step).toBe(4);
      process.kill(outlives, "SIGKILL");
    },
  );

  test("is refused to a start that has seen it before anybody had it", async () => {
    const dir = join(folder, "a");
    const data = dataset(async function* () {
      await holder(dir); // while the data is prepared
      yield DATA;
    });
    const run = fit(model(), { ...optionsFor(dir), data, resume: "auto" });
    await expect(run).rejects.toMatchObject({
      code: expect.stringMatching("ERR_BUSY|ERR_STATE"),
      where: "fit.checkpoint.dir",
    });
    expect(listing(dir).filter((name) => name !== "step-000000002.safetensors")).toEqual([
      "step-000000001.safetensors",
    ]);
  });
});

describe("a folder that this process has elsewhere", () => {
  const said = (worker: Worker): Promise<unknown> =>
    new Promise((resolve, reject) => {
      worker.on("message", resolve);
      worker.on("error", reject);
    });

  test("in a worker: refused, until it is terminated", async () => {
    const dir = join(folder, "a");
    const worker = new Worker(pathToFileURL(holding), { workerData: dir });
    expect(await said(worker)).toBe("has it");
    const other = new Worker(pathToFileURL(holding), { workerData: dir });
    await expect(said(other)).rejects.toMatchObject({ code: "ERR_BUSY" });
    await expect(fit(model(), optionsFor(dir))).rejects.toEqual(busy(dir, `this process (${process.pid})`));
    await worker.terminate();
    expect((await fit(model(), { ...optionsFor(dir), resume: "auto" })).step).toBe(4);
  });

  test.each(["the same binary", "a binary of its own"])("in another copy of the package, with %s", async (which) => {
    const outfile = join(root, "build/test", `copy-${which.length}.mjs`);
    const alias = { carillon: join(root, "lib/index.ts") };
    await build({
      entryPoints: [alias.carillon],
      outfile,
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node20",
      alias,
    });
    const binary = join(folder, "carillon.node");
    copyFileSync(findBinary().path, binary);
    const before = process.env.CARILLON_BINARY;
    if (which !== "the same binary") process.env.CARILLON_BINARY = binary;
    const copy = (await import(pathToFileURL(outfile).href)) as typeof import("carillon");
    if (before === undefined) delete process.env.CARILLON_BINARY;
    else process.env.CARILLON_BINARY = before;
    const dir = join(folder, "a");
    const options = { ...optionsFor(dir), loss: copy.mse(), optimizer: copy.sgd({ lr: 0.1 }), steps: 1e6 };
    const run = copy.fit(copy.sequential(copy.linear(1, 1)), options);
    for await (const { kind } of run) {
      if (kind !== "checkpoint") continue;
      await expect(fit(model(), optionsFor(dir))).rejects.toEqual(busy(dir, `this process (${process.pid})`));
      break;
    }
    expect((await run).reason).toBe("stopped");
    await expect(fit(model(), optionsFor(dir))).rejects.toMatchObject({ code: "ERR_STATE" }); // it is free, but not empty
  });
});

describe("a run lets its folder go", () => {
  const free = async (dir: string): Promise<void> => {
    const lock = new FolderLock(dir, { where: "here", called: dir, takeOver: false });
    await lock.take();
    lock.release();
  };

  test("with its end: finished, stopped, aborted, failed, refused", async () => {
    const dir = join(folder, "a");
    const options = { ...optionsFor(dir), steps: 1e6, resume: "auto" } as const;
    await fit(model(), { ...options, steps: 2 });
    await free(dir);
    const stopped = fit(model(), options);
    for await (const { kind } of stopped) if (kind === "checkpoint") stopped.stop();
    await stopped;
    await free(dir);
    const aborting = new AbortController();
    const aborted = fit(model(), { ...options, signal: aborting.signal });
    setTimeout(() => aborting.abort(new Error("enough")), 20);
    await expect(aborted).rejects.toThrow("enough");
    await free(dir);
    const failing = { name: "failing", every: { steps: 3 }, decide: () => Promise.reject(new Error("mine")) };
    await expect(fit(model(), { ...options, callbacks: [failing] })).rejects.toThrow("mine");
    await free(dir);
    const wild = { ...options, optimizer: sgd({ lr: 1e38 }), checkpoint: { dir: join(folder, "b") } };
    await expect(fit(model(), wild)).rejects.toMatchObject({ code: "ERR_NON_FINITE" });
    await free(join(folder, "b"));
    await expect(fit(model(), { ...options, seed: 5 })).rejects.toMatchObject({ code: "ERR_STATE" });
    await free(dir);
  });
});

describe("a refused start", () => {
  test("touches nothing in a folder that has checkpoints", async () => {
    const dir = join(folder, "a");
    await fit(model(), { ...optionsFor(dir), steps: 2 });
    writeFileSync(join(dir, ".step-000000003.safetensors-a1B2c3"), "another's");
    const before = state(dir);
    await expect(fit(model(), optionsFor(dir))).rejects.toMatchObject({ code: "ERR_STATE" });
    await expect(fit(model(), { ...optionsFor(dir), resume: "auto", seed: 7 })).rejects.toMatchObject({
      code: "ERR_STATE",
    });
    const wrong = { x: [[1], [2], [Number.NaN]], y: [[1], [2], [3]] };
    await expect(fit(model(), { ...optionsFor(dir), resume: "auto", data: wrong })).rejects.toMatchObject({
      code: "ERR_DATA",
    });
    expect(state(dir)).toBe(before);
  });

  test("makes no folder", async () => {
    const wrong = { x: [[1], [2], [Number.NaN]], y: [[1], [2], [3]] };
    const run = fit(model(), { ...optionsFor(join(folder, "a/b")), data: wrong });
    await expect(run).rejects.toMatchObject({ code: "ERR_DATA" });
    expect(readdirSync(folder)).toEqual([]);
  });
});

test("a relative folder is that of the call, whatever becomes of the working directory", async () => {
  mkdirSync(join(folder, "here"));
  const child = spawn(process.execPath, [holding, "runs/a", "chdir"], { cwd: join(folder, "here"), stdio: "inherit" });
  expect(await new Promise((resolve) => child.on("close", resolve))).toBe(0);
  expect(listing(join(folder, "here/runs/a"))).toEqual([7, 8, 9].map((step) => `step-00000000${step}.safetensors`));
});

describe("what cannot be written into is noticed before the data is asked for", () => {
  /** The data, and whether somebody has looked at it. */
  function watched(): { readonly data: ReturnType<typeof dataset>; readonly asked: () => boolean } {
    let asked = false;
    const data = dataset(function* () {
      asked = true;
      yield DATA;
    });
    return { data, asked: () => asked };
  }

  test.each<[string, () => string, string]>([
    ["a file", () => join(folder, "file"), "which is no folder"],
    ["a folder in a file", () => join(folder, "file/runs"), "ENOTDIR"],
    ["a folder deep in a file", () => join(folder, "file/runs/deep/er"), "ENOTDIR"],
  ])("%s", async (_, path, says) => {
    writeFileSync(join(folder, "file"), "mine");
    const { data, asked } = watched();
    const run = fit(model(), { ...optionsFor(path()), data });
    await expect(run).rejects.toMatchObject({
      code: "ERR_FILE",
      where: path(),
      message: expect.stringContaining(says),
    });
    expect(asked()).toBe(false);
    expect(readFileSync(join(folder, "file"), "utf8")).toBe("mine");
  });

  describe.skipIf(process.platform === "win32")("by its mode", () => {
    // Modes do not bind the superuser.
    const uid = process.getuid?.() === 0 ? 65_534 : undefined;
    test.each<[string, number, string, string]>([
      ["a folder that one may only read", 0o555, "", "EACCES"],
      ["one that one may only write into", 0o333, "", "EACCES"],
      ["one to be made in such a one", 0o555, "runs/a", "EACCES"],
    ])("%s", async (_, mode, below, says) => {
      chmodSync(folder, 0o755);
      const dir = join(folder, "closed");
      mkdirSync(dir);
      if (uid !== undefined) chownSync(dir, uid, uid);
      chmodSync(dir, mode);
      const { ended, asked } = await startElsewhere(join(dir, below), uid === undefined ? {} : { uid });
      expect(ended).toMatchObject({ code: "ERR_FILE", message: expect.stringContaining(says) });
      expect(asked).toBe(false);
      chmodSync(dir, 0o755);
      expect(readdirSync(dir)).toEqual([]);
    });
  });

  test("by Node.js's permission model", async () => {
    const stable = process.allowedNodeEnvironmentFlags.has("--permission");
    const node = [
      stable ? "--permission" : "--experimental-permission",
      "--allow-addons",
      "--allow-fs-read=*",
      "--no-warnings",
    ];
    const dir = join(folder, "a");
    const denied = await startElsewhere(dir, { node });
    expect(denied).toMatchObject({ asked: false, ended: { code: "ERR_FILE", where: dir } });
    const granted = await startElsewhere(dir, { node: [...node, `--allow-fs-write=${folder}/*`] });
    expect(granted.ended).toEqual({ step: 2 });
    const other = join(folder, "b");
    const held = fit(model(), { ...optionsFor(other), steps: 1e6 });
    for await (const { kind } of held) {
      if (kind !== "checkpoint") continue;
      const refused = await startElsewhere(other, { node: [...node, `--allow-fs-write=${folder}/*`] });
      expect(refused).toMatchObject({ asked: false, ended: { code: "ERR_BUSY" } });
      break;
    }
  });
});
