// npm run file-test -- [--gigabytes 2.2] [--milliseconds 5]: a model of that size is saved in one process and loaded in another, where it
// predicts, a checkpoint of that size is written in one and resumed in another, and bytes of that size are trained on, measured and
// predicted with. It fails where a file is not the same again, where saving or loading a model takes more than 1.25 times its size in memory
// beside what the process had before, or, with --milliseconds, where our thread computed longer in a turn of the event loop (where the
// system does not tell: where the loop was held longer). The program is its own child: `PART FOLDER SIZE`.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, mkdtempSync, openSync, readSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { crossEntropy, fit, linear, loadModel, type Model, mse, sequential, sgdMomentum } from "carillon";
import { type Held, heldBy } from "./held.js";

const GIGA = 1e9;
const MEGA = 1e6;
const KIBI = 1024;
const SHARE = 1.25;
const STEP_1 = "step-000000001.safetensors";
const STEP_2 = "step-000000002.safetensors";

/** What a part tells of itself, in bytes and milliseconds. */
interface Told {
  readonly before: number;
  readonly peak: number;
  /** How long the event loop was held at a time, by what was measured. */
  readonly held: Readonly<Record<string, Held>>;
  readonly same: boolean;
}

/** A square layer of so many bytes. */
function square(bytes: number): Model {
  const side = Math.floor(Math.sqrt(bytes / Float32Array.BYTES_PER_ELEMENT));
  return sequential(linear(side, side));
}

/** Two steps from the beginning, or the second of them from a checkpoint; each is written. */
async function train(dir: string, size: number, resume?: string): Promise<void> {
  const model = square(size / 2); // a velocity as large as the weights
  const x = Float32Array.from({ length: 2 * Number(model.inputs) }, (_, index) => ((index * 7) % 11) / 11 - 0.5);
  const y = new Float32Array(2 * Number(model.outputs)).fill(1);
  const optimizer = sgdMomentum({ lr: 0.1 });
  const checkpoint = { dir, every: { steps: 1 } };
  await fit(model, { data: { x, y }, loss: mse(), optimizer, batchSize: 1, steps: 2, seed: 1, checkpoint, resume });
}

/** Whether rows that lie behind all others are those that are trained on, measured and predicted with. */
async function largeData(size: number): Promise<boolean> {
  const columns = 1024;
  const rows = Math.ceil(size / columns);
  const x = new Uint8Array(rows * columns);
  const y = new Uint8Array(rows);
  const [few, begin] = [100, rows - 100];
  for (let row = begin; row < rows; row++) {
    y[row] = row % 2;
    x.fill(1 + (row % 2) * 200, row * columns, (row + 1) * columns);
  }
  const weight = new Uint8Array(rows).fill(1, begin); // the others count for nothing
  const make = (): Model => sequential(linear(columns, 2)).initialize(1);
  const optimizer = sgdMomentum({ lr: 1e-5 });
  const options = { loss: crossEntropy(), optimizer, shuffle: false, epochs: 1, seed: 1 } as const;
  const model = make();
  await fit(model, { ...options, batchSize: rows, accumulate: Math.ceil(rows / 4096), data: { x, y, weight } });
  const tail = { x: x.slice(begin * columns), y: y.slice(begin) };
  const other = make();
  await fit(other, { ...options, batchSize: few, data: tail });
  const measured = await model.evaluate({ x, y, weight }, { loss: crossEntropy(), metrics: ["accuracy"] });
  const expected = await model.evaluate(tail, { loss: crossEntropy(), metrics: ["accuracy"] });
  const close = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-4 * Math.abs(b);
  const predicted = (await model.predict(x)).data.subarray(2 * begin);
  const alone = (await model.predict(tail.x)).data;
  const [ours, theirs] = [model, other].map((each) => each.weights().get("linear1.weight")?.data ?? []);
  const learned = Array.from(ours ?? []).every((value, index) => Math.abs(value - (theirs?.[index] ?? 0)) < 1e-4);
  return learned && close(measured.loss, expected.loss) && Buffer.compare(bytesOf(predicted), bytesOf(alone)) === 0;
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** What each child does; gives whether what it found is right, or how long it held the event loop. */
const PARTS: Readonly<Record<string, (folder: string, size: number) => Promise<boolean | Told["held"]>>> = {
  async save(folder, size) {
    const model = square(size).initialize(1);
    return { save: await heldBy(() => model.save(join(folder, "model"))) };
  },
  async load(folder) {
    let model: Model | undefined;
    const load = await heldBy(async () => {
      model = await loadModel(join(folder, "model"));
    });
    await model?.save(join(folder, "again"));
    return { load };
  },
  async predict(folder) {
    const model = await loadModel(join(folder, "model"));
    const x = new Float32Array(Number(model.inputs)).fill(1);
    return { firstPredict: await heldBy(() => model.predict(x)), nextPredict: await heldBy(() => model.predict(x)) };
  },
  async write(folder, size) {
    await train(join(folder, "run"), size);
    return true;
  },
  async resume(folder, size) {
    await train(join(folder, "resumed"), size, join(folder, "run", STEP_1));
    return true;
  },
  data: (_, size) => largeData(size),
};

async function child(part: string, folder: string, size: number): Promise<Told> {
  const before = process.memoryUsage.rss();
  const found = (await PARTS[part]?.(folder, size)) ?? false;
  const peak = process.resourceUsage().maxRSS * KIBI;
  return { before, peak, held: typeof found === "boolean" ? {} : found, same: found !== false };
}

/** Runs a part in a process of its own. */
async function run(part: string, folder: string, size: number): Promise<Told> {
  const program = spawn(process.execPath, [fileURLToPath(import.meta.url), part, folder, String(size)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  for await (const piece of program.stdout.setEncoding("utf8")) out += piece;
  return JSON.parse(out) as Told;
}

/** What is wrong with turns in which our thread computed for longer. */
function longTurns(held: Told["held"], milliseconds: number): readonly string[] {
  return Object.entries(held).flatMap(([what, { wall, cpu }]) => {
    const own = Number.isFinite(cpu) ? cpu : wall;
    return own > milliseconds ? [`${what}: JavaScript computed ${own.toFixed(1)} ms in a turn`] : [];
  });
}

const TRIES = 3;

/** {@link run}, again where a turn was too long: what a host took that stood still is not taken twice, and what is ours is there again. */
async function runWithin(part: string, folder: string, size: number, milliseconds: number): Promise<Told> {
  let told = await run(part, folder, size);
  for (let tries = 1; tries < TRIES && longTurns(told.held, milliseconds).length > 0; tries++) {
    told = await run(part, folder, size);
  }
  return told;
}

/** The hash of a file without its header, and without the seal at its end. */
async function hashOf(path: string, seal: number): Promise<string> {
  const head = Buffer.alloc(8);
  const file = openSync(path, "r");
  readSync(file, head, 0, 8, 0);
  const begin = 8 + Number(head.readBigUInt64LE());
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path, { fd: file, start: begin, end: statSync(path).size - seal - 1 })) {
    hash.update(piece as Buffer);
  }
  return hash.digest("hex");
}

async function main(size: number, milliseconds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "carillon-files-"));
  const SEAL = 32;
  try {
    const failures: string[] = [];
    const expectSame = async (first: string, second: string, seal: number): Promise<void> => {
      const [a, b] = await Promise.all([first, second].map((name) => hashOf(join(folder, name), seal)));
      if (a !== b) failures.push(`${second} is not ${first}`);
    };
    const report: Record<string, unknown> = {};
    for (const part of ["save", "load", "predict", "write", "resume", "data"]) {
      const began = performance.now();
      const { before, peak, held, same } = await runWithin(part, folder, size, milliseconds);
      const isBounded = part === "save" || part === "load";
      const seconds = (performance.now() - began) / 1000;
      report[part] = { megabytesBefore: before / MEGA, megabytesPeak: peak / MEGA, seconds, timesItsSize: peak / size };
      if (Object.keys(held).length > 0) report[part] = { ...Object(report[part]), millisecondsHeld: held };
      if (!same) failures.push(`${part}: not what it should be`);
      if (isBounded && peak - before > SHARE * size)
        failures.push(`${part}: more memory than ${SHARE} times the model`);
      failures.push(...longTurns(held, milliseconds));
      if (part === "load") await expectSame("model", "again", 0);
      if (part === "predict") for (const name of ["model", "again"]) rmSync(join(folder, name));
      if (part === "resume") await expectSame(join("run", STEP_2), join("resumed", STEP_2), SEAL);
    }
    console.log(JSON.stringify({ gigabytes: size / GIGA, ...report, failures }, null, 2));
    process.exitCode = failures.length === 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const [first = "", second = "", third = ""] = process.argv.slice(2);
if (Object.hasOwn(PARTS, first)) {
  console.log(JSON.stringify(await child(first, second, Number(third))));
} else {
  const { values } = parseArgs({
    options: { gigabytes: { type: "string", default: "2.2" }, milliseconds: { type: "string", default: "Infinity" } },
  });
  await main(Number(values.gigabytes) * GIGA, Number(values.milliseconds));
}
