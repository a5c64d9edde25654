// The native boundary: whatever it is given, it answers with an error, and the process lives.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { type Native, type NativeProgramSpec, native } from "../../lib/binding/native.js";
import { CarillonError } from "../../lib/errors.js";
import { numbers } from "../train/synthetic.js";

const folder = mkdtempSync(join(tmpdir(), "carillon-binding-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const WRONG: readonly unknown[] = [
  undefined,
  null,
  -1,
  0.5,
  Number.NaN,
  2 ** 60,
  join(folder, "text"), // a function may make the file
  {},
  [],
  () => undefined,
  Symbol("s"),
  1n,
  new Float64Array(3),
  new Uint16Array(3),
  new DataView(new ArrayBuffer(8)),
  new Int32Array([1, 2, 3]),
  new Float32Array(3),
  native.slabCreate(4, "f32"),
  native.slabCreate(4, "i32"),
  Promise.resolve(),
];

const EMPTY: NativeProgramSpec = {
  code: new Int32Array(),
  views: new Float64Array(),
  slabs: [],
  arenaCount: 16,
  maxRows: 4,
  logColumns: 1,
  logRows: 4,
  lanes: 1,
  seed: 0,
  samples: 0,
  batch: 0,
  shuffle: false,
  orderSlot: 0,
  microBegin: 0,
  microEnd: 0,
};

/** Calls a native function with anything; what it throws must be an error of ours, or the engine's own. */
function attempt(call: () => unknown): void {
  try {
    const result = call();
    if (result instanceof Promise) result.catch(() => undefined);
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
    if (!(error instanceof TypeError)) expect(error).toBeInstanceOf(CarillonError);
  }
}

describe("wrong arguments", () => {
  const functions = Object.entries(native).filter(([name]) => name !== "info" && name !== "memory");

  test.each(functions)("%s", (_, call: (...args: never[]) => unknown) => {
    const anything = call as (...args: unknown[]) => unknown;
    attempt(() => anything());
    for (const first of WRONG) {
      attempt(() => anything(first));
      for (const second of WRONG) {
        attempt(() => anything(first, second));
        for (const third of WRONG) attempt(() => anything(first, second, third));
      }
    }
  });

  test("a program with one field that is wrong", () => {
    for (const key of Object.keys(EMPTY)) {
      for (const value of WRONG) attempt(() => native.programCreate({ ...EMPTY, [key]: value } as NativeProgramSpec));
    }
  });

  test("a request with one field that is wrong", () => {
    const program = native.programCreate(EMPTY);
    const good = {
      firstStep: 1,
      steps: 2,
      rows: 1,
      lanes: new Float64Array(2),
      threads: 1,
      waits: false,
      background: false,
    };
    expect(native.programRunSync(program, good)).toEqual({ steps: 2, stopped: false, fault: null });
    for (const key of Object.keys(good)) {
      for (const value of WRONG) {
        attempt(() => native.programRunSync(program, { ...good, [key]: value } as typeof good));
      }
    }
    for (const wrong of [
      { firstStep: 0 },
      { firstStep: 2 ** 32 },
      { steps: 3 },
      { rows: 0 },
      { rows: 5 },
      { threads: 0 },
    ]) {
      expect(() => native.programRunSync(program, { ...good, ...wrong })).toThrow(CarillonError);
    }
  });
});

test("code that is noise is refused before it runs", () => {
  const next = numbers(3);
  const word = (): number => {
    const kind = next();
    if (kind < 0.6) return Math.floor(next() * 8);
    if (kind < 0.8) return Math.floor(next() * 64) - 16;
    return Math.floor((next() - 0.5) * 2 ** 32);
  };
  const slab = native.slabCreate(64, "f32");
  const order = native.slabCreate(16, "i32");
  let created = 0;
  for (let round = 0; round < 20_000; round++) {
    const code = Int32Array.from({ length: 4 + Math.floor(next() * 20) }, word);
    const views = Float64Array.from({ length: 5 * (1 + Math.floor(next() * 4)) }, (_, index) =>
      index % 5 === 0 ? Math.floor(next() * 3) : index % 5 === 1 ? Math.floor(next() * 2) : word(),
    );
    const fed = next() < 0.3;
    const spec = {
      ...EMPTY,
      code,
      views,
      slabs: [
        { slab, writable: next() < 0.5 },
        { slab: order, writable: true },
      ],
      ...(fed
        ? { samples: Math.floor(next() * 20), batch: Math.floor(next() * 6), orderSlot: Math.floor(next() * 4) }
        : {}),
    };
    attempt(() => {
      const program = native.programCreate(spec);
      created += 1;
      return native.programRunSync(program, {
        firstStep: 1,
        steps: 3,
        rows: 2,
        lanes: new Float64Array(3),
        threads: 2,
        waits: false,
        background: false,
      });
    });
  }
  // Noise that happens to be a program runs; most is none.
  expect(created).toBeLessThan(10_000);
});

describe("memory that a run has", () => {
  /** A program that copies for as long as it is told. */
  function copying(slab: ReturnType<Native["slabCreate"]>) {
    const copy = native.info().operations.indexOf("copy");
    return native.programCreate({
      ...EMPTY,
      code: Int32Array.of(copy, 2, 1, 0, 0, 1, 4096),
      views: Float64Array.of(0, 0, 0, 4096, 0, 1, 0, 0, 4096, 0),
      slabs: [{ slab, writable: true }],
      arenaCount: 4096,
      lanes: 0,
    });
  }
  const request = {
    firstStep: 1,
    steps: 4_000_000,
    rows: 1,
    lanes: new Float64Array(),
    threads: 1,
    waits: false,
    background: false,
  };

  test("is not written or run by another, is read between two steps, and is free afterwards", async () => {
    const slab = native.slabCreate(4096, "f32");
    const other = native.slabCreate(4096, "f32");
    const busy = expect.objectContaining({ name: "CarillonError", code: "ERR_BUSY" });
    const program = copying(slab);
    const run = native.programRun(program, request);
    expect(() => native.slabWrite(slab, 0, new Float32Array(4096))).toThrow(busy);
    expect(() => native.slabCopy(other, slab)).toThrow(busy);
    expect(() => native.programRunSync(copying(slab), { ...request, steps: 1 })).toThrow(busy);
    expect(() => native.programRun(program, { ...request, steps: 1 })).toThrow(busy);
    native.slabRead(slab, 0, new Float32Array(4096));
    native.slabCopy(slab, other);
    native.programStop(program);
    const { steps, stopped } = await run;
    expect(stopped).toBe(true);
    expect(steps).toBe(native.programFinished(program));
    native.slabWrite(slab, 0, new Float32Array(4096));
    expect(native.programRunSync(program, { ...request, steps: 1 }).steps).toBe(1);
  });

  test("ranges outside of it are refused", () => {
    const slab = native.slabCreate(8, "f32");
    for (const [offset, length] of [
      [0, 9],
      [8, 1],
      [9, 0],
      [2 ** 52, 1],
    ] as const) {
      expect(() => native.slabRead(slab, offset, new Float32Array(length))).toThrow(CarillonError);
      expect(() => native.slabWrite(slab, offset, new Float32Array(length))).toThrow(CarillonError);
    }
    native.slabRead(slab, 8, new Float32Array(0));
    expect(() => native.slabRead(slab, 0, new Int32Array(1))).toThrow(CarillonError);
    expect(() => native.slabCreate(2 ** 50, "f32")).toThrow(CarillonError);
    expect(() => native.slabCopy(slab, native.slabCreate(9, "f32"))).toThrow(CarillonError);
  });
});
