// What resume: 'auto' finds in a folder beside its checkpoints: whatever cannot be one is passed over, with a reason, and the
// next older one is taken.
import { mkdir, mkdtemp, readFile, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adam, crossEntropy, earlyStopping, type FitEvent, fit, linear, type Model, sequential } from "carillon";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SEAL, sealedBytes, sealedParts } from "../../lib/io/seal.js";
import { decodeSafetensors, encodeSafetensors } from "../io/whole_file.js";
import { clusters } from "./synthetic.js";

const network = (): Model => sequential(linear(4, 3));

const OPTIONS = {
  data: clusters(20, 4, 3),
  loss: crossEntropy(),
  optimizer: adam(),
  batchSize: 8,
  callbacks: [earlyStopping({ monitor: "loss", patience: 5 })],
  seed: 2,
} as const;

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "carillon-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** A folder with checkpoints of the steps 1 to 4. */
async function folder(name: string): Promise<{ dir: string; newest: string; before: string }> {
  const dir = join(root, name);
  await fit(network(), { ...OPTIONS, steps: 4, checkpoint: { dir, every: { steps: 1 }, keep: 9 } });
  return { dir, newest: join(dir, "step-000000004.safetensors"), before: join(dir, "step-000000003.safetensors") };
}

/** A file with other metadata, and a seal that fits them. */
async function resealed(
  path: string,
  change: (metadata: Record<string, string>) => Record<string, string>,
): Promise<void> {
  const { tensors, metadata } = decodeSafetensors(await readFile(path));
  const rest = new Map([...tensors].filter(([name]) => name !== SEAL));
  await writeFile(path, sealedBytes(sealedParts(rest, change({ ...metadata }))));
}

/** A change of one member of the progress. */
const progress = (key: string, value: unknown) => (path: string) =>
  resealed(path, (metadata) => {
    const given = JSON.parse(metadata.progress ?? "") as Record<string, unknown>;
    return { ...metadata, progress: JSON.stringify({ ...given, [key]: value }) };
  });

/** Written by hand: JSON.stringify would go as deep. */
const deepBest = (path: string): Promise<void> =>
  resealed(path, (metadata) => {
    const { progress: text = "" } = metadata;
    return { ...metadata, progress: text.replace('"best":null', `"best":${deep(20_000)}`) };
  });

const deep = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);

/** A file whose header is this text. */
function withHeader(text: string): Uint8Array {
  const header = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header]);
}

async function started(dir: string): Promise<Extract<FitEvent, { kind: "start" }>> {
  const run = fit(network(), { ...OPTIONS, steps: 5, checkpoint: { dir, keep: 9 }, resume: "auto" });
  for await (const event of run) if (event.kind === "start") return event;
  throw new Error("no start");
}

test.each<[string, (path: string) => Promise<unknown>, RegExp]>([
  ["a sparse file of 1 TiB", (path) => truncate(path, 2 ** 40), /./],
  ["a sparse file of 1 TiB of zeros", (path) => writeFile(path, "").then(() => truncate(path, 2 ** 40)), /./],
  ["a header nested 20,000 deep", (path) => writeFile(path, withHeader(`{"a":${deep(20_000)}}`)), /./],
  [
    "settings nested 20,000 deep",
    (path) => resealed(path, (all) => ({ ...all, settings: `{"lr":${deep(20_000)}}` })),
    /at most 500 objects in one another for 'settings'/,
  ],
  ["progress nested 20,000 deep", deepBest, /at most 500 objects in one another for 'progress\.best/],
  [
    "null for progress",
    (path) => resealed(path, (all) => ({ ...all, progress: "null" })),
    /an object for 'progress' in .* but received null/,
  ],
  [
    "null for settings",
    (path) => resealed(path, (all) => ({ ...all, settings: "null" })),
    /an object for 'settings' in .* but received null/,
  ],
  ["null for layers", (path) => resealed(path, (all) => ({ ...all, layers: "null" })), /layers/],
  ["null for callbacks", progress("callbacks", null), /an object for 'progress\.callbacks' in .* but received null/],
  [
    "null for a callback's state",
    progress("callbacks", { earlyStopping: null }),
    /an object for 'progress\.callbacks\.earlyStopping'/,
  ],
  ["null for history", progress("history", null), /an object for 'progress\.history'/],
  ["a step of 10⁹", progress("step", 1e9), /expected .* for 'progress\./],
  [
    "a best figure that none is",
    progress("best", { aim: "min loss", step: 1, value: -5 }),
    /a number >= -0\.00001.*'progress\.best\.value'/,
  ],
  ["another version", (path) => resealed(path, (all) => ({ ...all, version: "2" })), /version 1 of the format/],
  ["a folder", (path) => rm(path).then(() => mkdir(path)), /./],
  ["a link to itself", (path) => rm(path).then(() => symlink(path, path)), /./],
  [
    "an older one under its name",
    async (path) => await rename(path.replace("4.safe", "2.safe"), path),
    /expected 4 for 'progress\.step' in .* but received 2/,
  ],
  [
    "a loop's checkpoint",
    (path) => resealed(path, (all) => ({ ...all, format: "carillon.loop" })),
    /the format carillon\.checkpoint/,
  ],
])("%s is passed over", async (name, spoil, reason) => {
  const { dir, newest, before } = await folder(name.replaceAll(/\W/g, "-"));
  await spoil(newest);
  const { step, resumedFrom, passedOver } = await started(dir);
  expect({ step, resumedFrom }).toEqual({ step: 3, resumedFrom: before });
  expect(passedOver).toEqual([{ path: newest, reason: expect.stringMatching(reason) }]);
  expect(passedOver[0]?.reason.length).toBeLessThan(500);
});

test("where no checkpoint can be taken, each reason is told, and nothing is begun", async () => {
  const { dir, newest } = await folder("all");
  const path = (step: number): string => newest.replace("4.safe", `${step}.safe`);
  await resealed(path(4), (all) => ({ ...all, progress: "null" }));
  await progress("rateScale", -1)(path(3));
  await progress("seed", 0.5)(path(2));
  await writeFile(path(1), "half of it");
  const run = fit(network(), { ...OPTIONS, steps: 5, checkpoint: { dir }, resume: "auto" });
  const error = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ code: "ERR_STATE", where: "fit.resume" });
  const { message } = error as Error;
  expect(message).toContain("an object for 'progress'");
  expect(message).toMatch(/4 files.*step-000000003.*rateScale.*step-000000002.*seed.*step-000000001/);
  expect(message.length).toBeLessThan(1500);
});

test("a file of weights in the folder is no checkpoint of another run", async () => {
  const dir = join(root, "weights");
  await mkdir(dir);
  const path = join(dir, "step-000000004.safetensors");
  await writeFile(path, encodeSafetensors(new Map([["a", { dtype: "f32", shape: [1], data: Float32Array.of(1) }]])));
  const { step, passedOver } = await started(dir);
  expect([step, passedOver.length]).toEqual([0, 1]);
});
