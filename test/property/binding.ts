// The raw binding under attack: every function with anything, and programs of training with words exchanged.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { type NativeProgram, type NativeProgramSpec, type NativeSlab, native } from "../../lib/binding/native.js";
import * as lib from "../../lib/index.js";
import { numbers } from "../train/synthetic.js";
import { HOSTILE_NAMES, hostile } from "./hostile.js";
import { ended, expectAnswer, type Property, property } from "./property.js";

/** A program as it was made, and the rows that its largest batch has. */
interface Captured {
  readonly name: string;
  readonly spec: NativeProgramSpec;
}

/** Errors of the engine itself: a getter's, or a revoked proxy's. */
const ofEngine = (error: unknown): boolean => error instanceof TypeError || error instanceof RangeError;

/** What valid calls have at a place. */
interface World {
  readonly f32: NativeSlab;
  readonly i32: NativeSlab;
  readonly program: NativeProgram;
  readonly captured: Captured;
  readonly folder: string;
}

const floats = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => ((i * 7) % 5) / 4 - 0.5);

const requestOf = (spec: NativeProgramSpec, rows: number) => ({
  firstStep: 1,
  steps: 1,
  rows,
  lanes: new Float64Array(spec.lanes).fill(0.01),
  threads: 2,
  waits: false,
  background: false,
});

/** Of every function a good call. What would keep the process or its files is called by itself. */
const CALLS: Readonly<Record<string, (world: World) => unknown[]>> = {
  info: () => [],
  memory: () => [],
  threadLimit: () => [2],
  threadDefault: () => [2],
  processors: () => [],
  execute: () => [
    Int32Array.of(-1, 2, 1, 0, 0, 1, 4),
    [floats(4), floats(4)],
    { seed: 0, step: 1, epoch: 0, rows: 1, batchOffset: 0, rate: 0.1 },
  ],
  kernel: () => [Int32Array.of(0, 2, 1, 0, 0, 1, 4), 0, 1, 0, 1, floats(4), floats(4)],
  slabCreate: () => [16, "f32"],
  slabClear: ({ f32 }) => [f32],
  slabRead: ({ f32 }) => [f32, 0, new Float32Array(8)],
  slabWrite: ({ f32 }) => [f32, 0, floats(8)],
  slabCopy: ({ f32 }) => [f32, native.slabCreate(16, "f32")],
  slabCopyLater: ({ f32 }) => [f32, native.slabCreate(16, "f32")],
  slabSwap: ({ f32 }) => [f32, native.slabCreate(16, "f32")],
  programCreate: ({ captured }) => [{ ...captured.spec }],
  programRun: ({ program, captured }) => [program, requestOf(captured.spec, 1)],
  programRunSync: ({ program, captured }) => [program, requestOf(captured.spec, 1)],
  programAnswer: ({ program }) => [program, floats(8), 1, new Float32Array(8), 1],
  programAnswerAsync: ({ program }) => [program, 1, 1],
  programStop: ({ program }) => [program],
  programFinished: ({ program }) => [program],
  programLog: ({ program }) => [program, 0, new Float32Array(4)],
  now: () => [],
  turn: () => [],
  timerStart: () => [0, () => undefined],
  timerStop: () => [12_345],
  lockTake: ({ folder }) => [join(folder, "none", "lock"), null],
  lockRelease: () => [12_345],
};

/** Programs as training, validation and predictors of networks of every kind make them. */
async function capture(): Promise<Captured[]> {
  const captured: Captured[] = [];
  const create = native.programCreate;
  let name = "";
  native.programCreate = (spec) => {
    const code = Int32Array.from(spec.code);
    captured.push({
      name: `${name} ${captured.length}`,
      spec: { ...spec, code, views: Float64Array.from(spec.views) },
    });
    return create(spec);
  };
  const rows = 8;
  const labels = Int32Array.from({ length: rows }, (_, i) => i % 3);
  const train = async (called: string, model: lib.AnyModel, x: unknown, more: object = {}): Promise<void> => {
    name = called;
    const options = {
      data: { x, y: labels },
      loss: lib.crossEntropy(),
      optimizer: lib.adam(),
      batchSize: 4,
      epochs: 1,
    };
    await Reflect.apply(lib.fit, undefined, [model, { ...options, seed: 1, threads: 1, ...more }]);
  };
  try {
    const data = { x: floats(rows * 4), y: labels };
    const dense = lib.sequential(lib.linear(4, 6), lib.batchNorm(6), lib.relu(), lib.dropout(0.3), lib.linear(6, 3));
    await train("dense", dense, data.x, { validation: data, metrics: ["accuracy"], clip: { norm: 1 } });
    name = "frozen";
    dense.predictor().close?.();
    dense.predictSync(floats(4));
    const l1 = { regularizer: [lib.l1(0.01), lib.maxNorm(2)], averageWeights: { decay: 0.9 }, accumulate: 2 };
    await train("tricks", lib.sequential(lib.linear(4, 6), lib.gelu(), lib.layerNorm(6), lib.linear(6, 3)), data.x, l1);
    const image = lib.sequential(
      { input: [2, 2, 1] },
      lib.conv2d(1, 2, { kernel: 2, padding: "same" }),
      lib.relu(),
      lib.maxPool2d(2),
      lib.flatten(),
      lib.linear(2, 3),
    );
    await train("image", image, data.x);
    const words = Int32Array.from({ length: rows * 4 }, (_, i) => i % 5);
    const recurrent = lib.sequential(
      { input: lib.spec(["batch", 4], "i32") },
      lib.embedding(5, 4),
      lib.lstm(4, 3),
      lib.linear(3, 3),
    );
    await train("recurrent", recurrent, { data: words, shape: [rows, 4] });
    const block = lib.sequential(
      { input: lib.spec(["batch", 4], "i32") },
      lib.embedding(5, 4),
      lib.transformerBlock(4, 2),
      lib.globalAveragePool(),
      lib.linear(4, 3),
    );
    await train("attention", block, { data: words, shape: [rows, 4] });
  } finally {
    native.programCreate = create;
  }
  return captured;
}

const INTERESTING = [
  -2_147_483_648, -65_537, -2, -1, 0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 64, 127, 128, 255, 1024, 65_536, 2_147_483_647,
];

/** Exchanged words of a program. */
interface Change {
  readonly part: "code" | "views" | "spec" | "slab";
  readonly at: number;
  readonly to: number;
  readonly how: "set" | "add" | "copy";
}

const SCALARS = [
  "arenaCount",
  "maxRows",
  "logColumns",
  "logRows",
  "lanes",
  "seed",
  "samples",
  "batch",
  "orderSlot",
  "rowsSlot",
] as const;
const MORE_SCALARS = ["originStep", "originEpoch", "microBegin", "microEnd", "inputSlot", "outputSlot"] as const;
const FIELDS: readonly string[] = [...SCALARS, ...MORE_SCALARS];

function word(old: number, from: number, { to, how }: Change): number {
  return how === "set" ? to : how === "add" ? old + to : from;
}

function changedSpec(spec: NativeProgramSpec, changes: readonly Change[]): NativeProgramSpec {
  const code = Int32Array.from(spec.code);
  const views = Float64Array.from(spec.views);
  const slabs = [...spec.slabs];
  const fields: Record<string, number> = {};
  for (const change of changes) {
    const { part, at, to } = change;
    if (part === "code" && code.length > 0) {
      const place = at % code.length;
      code[place] = word(code[place] ?? 0, code[Math.abs(to) % code.length] ?? 0, change);
    } else if (part === "views" && views.length > 0) {
      const place = at % views.length;
      views[place] = word(views[place] ?? 0, views[Math.abs(to) % views.length] ?? 0, change);
    } else if (part === "slab" && slabs.length > 0) {
      const other = slabs[Math.abs(to) % slabs.length];
      const one = slabs[at % slabs.length];
      if (one !== undefined && other !== undefined) {
        slabs[at % slabs.length] =
          change.how === "set" ? { ...one, gated: at % 2 === 0 } : { ...one, slab: other.slab };
      }
    } else {
      const field = FIELDS[at % FIELDS.length] ?? "maxRows";
      const old = Reflect.get(spec, field) ?? 0;
      fields[field] = word(typeof old === "number" ? old : 0, 1, change);
    }
  }
  return { ...spec, ...fields, code, views, slabs };
}

/** Programs that ask for more than this are not begun here: that they are too large for a small machine is no news. */
const MOST = 2 ** 24;

/** The properties of the binding. */
export async function bindingProperties(): Promise<readonly Property[]> {
  const folder = mkdtempSync(join(tmpdir(), "carillon-property-"));
  const captured = await capture();
  const first = captured[0];
  if (first === undefined) throw new Error("no program was made");
  const canary = (): string => {
    const program = native.programCreate(first.spec);
    const source = floats(64);
    const slab = native.slabCreate(64, "f32");
    const target = new Float32Array(64);
    native.slabWrite(slab, 0, source);
    native.slabRead(slab, 0, target);
    return `${target.join()} ${native.programFinished(program)}`;
  };
  const expected = canary();
  const call = fc.record({
    name: fc.constantFrom(...Object.keys(CALLS)),
    program: fc.nat(captured.length - 1),
    length: fc.option(fc.nat(6)),
    wrong: fc.array(
      fc.record({ at: fc.nat(5), inside: fc.option(fc.nat(24)), value: fc.constantFrom(...HOSTILE_NAMES) }),
      {
        minLength: 0,
        maxLength: 3,
      },
    ),
  });
  const threads = native.threadLimit();
  const wrongCalls = property("binding: calls", call, async (drawn) => {
    const chosen = captured[drawn.program] ?? first;
    const world: World = {
      f32: native.slabCreate(16, "f32"),
      i32: native.slabCreate(16, "i32"),
      program: native.programCreate(chosen.spec),
      captured: chosen,
      folder,
    };
    const good = CALLS[drawn.name]?.(world) ?? [];
    const args = [...good];
    if (drawn.name === "execute" && args[0] instanceof Int32Array) args[0][0] = drawn.program;
    for (const { at, inside, value } of drawn.wrong) {
      const held = good[at];
      const keys = typeof held === "object" && held !== null && !ArrayBuffer.isView(held) ? Object.keys(held) : [];
      const key = inside === null ? undefined : keys[inside % Math.max(1, keys.length)];
      if (key !== undefined && typeof held === "object" && held !== null) {
        Reflect.set(held, key, hostile(value));
      } else {
        const other = [world.f32, world.i32, world.program][inside ?? 3];
        args[at] = other ?? hostile(value);
      }
    }
    if (drawn.length !== null) args.length = drawn.length;
    try {
      const made = await ended(() => Reflect.apply(Reflect.get(native, drawn.name), native, args));
      if (drawn.name === "timerStart" && typeof made === "number") native.timerStop(made);
      if (drawn.name === "lockTake" && typeof made === "number") native.lockRelease(made);
    } catch (error) {
      expectAnswer(error, ofEngine);
    } finally {
      native.threadLimit(threads);
    }
    if (canary() !== expected) throw new Error("a program that was good is none any more");
  });
  const change = fc.record({
    part: fc.constantFrom<Change["part"]>("code", "code", "code", "views", "views", "spec", "slab"),
    at: fc.nat(1_000_000),
    to: fc.oneof(fc.constantFrom(...INTERESTING), fc.integer()),
    how: fc.constantFrom<Change["how"]>("set", "add", "copy"),
  });
  const programs = fc.record({
    program: fc.nat(captured.length - 1),
    changes: fc.array(change, { minLength: 1, maxLength: 4 }),
    rows: fc.constantFrom(0, 1, 2, 3, 4, 5, 2_147_483_647),
    threads: fc.constantFrom(1, 2, 3),
  });
  const mutated = property("binding: programs", programs, async (drawn) => {
    const spec = changedSpec((captured[drawn.program] ?? first).spec, drawn.changes);
    if (spec.arenaCount > MOST || spec.maxRows > MOST || spec.logColumns * spec.logRows > MOST) return;
    try {
      const program = native.programCreate(spec);
      const lanes = new Float64Array(Math.min(1024, Math.max(0, spec.lanes))).fill(0.01);
      const request = { ...requestOf(first.spec, drawn.rows), lanes, threads: drawn.threads };
      if (drawn.threads === 3) await ended(() => native.programRun(program, request));
      else await ended(() => native.programRunSync(program, request));
      native.programLog(program, 0, new Float32Array(Math.min(1024, Math.max(0, spec.logColumns))));
      if (spec.inputSlot !== undefined) {
        const random = numbers(1);
        const x = Float32Array.from({ length: 64 }, random);
        native.programAnswer(program, x, drawn.rows, new Float32Array(64), drawn.threads);
      }
    } catch (error) {
      expectAnswer(error);
    }
    if (canary() !== expected) throw new Error("a program that was good is none any more");
  });
  return [wrongCalls, mutated];
}
