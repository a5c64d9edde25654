// Where a batch is computed: here, if that is soon over.
import { describe, expect, test } from "vitest";
import { type ServingRow, summaryOf } from "../../bench/serving/suite.js";
import { Expectation } from "../../lib/nn/serving/expectation.js";

/** Of 220-128-64-1 and of 1024-1024-1024. */
const [SMALL, LARGE] = [72_832, 4_198_400];

describe("without a measurement", () => {
  test.each([
    [SMALL, 1, true],
    [SMALL, 32, true],
    [SMALL, 256, false],
    [LARGE, 1, false],
    [0, 1, true],
  ])("%i operations a row, %i rows: %s", (work, rows, isShort) => {
    expect(new Expectation(work).isShort(rows)).toBe(isShort);
  });

  test("a row of a large network is borne, a batch of it is long beside what its calls cost", () => {
    const expectation = new Expectation(LARGE);
    expect([expectation.isBearable(1), expectation.isBearable(64)]).toEqual([true, false]);
    expect([expectation.isLong(1), expectation.isLong(256)]).toEqual([false, true]);
  });
});

describe("by what batches have taken, milliseconds", () => {
  test("one of another size says nothing", () => {
    const expectation = new Expectation(SMALL);
    for (let batch = 0; batch < 20; batch++) expectation.tookHere(64, 5);
    expect([expectation.isShort(64), expectation.isShort(1)]).toEqual([false, true]);
  });

  test("a few that somebody held up are forgotten", () => {
    const expectation = new Expectation(SMALL);
    for (let batch = 0; batch < 100; batch++) expectation.tookHere(1, batch % 4 === 0 ? 0.005 : 30);
    expect(expectation.isShort(1)).toBe(true);
  });

  test("what is long goes to another thread soon", () => {
    const expectation = new Expectation(0); // an own layer, whose work nobody knows
    let batches = 0;
    for (; expectation.isShort(1); batches++) expectation.tookHere(1, 50);
    expect(batches).toBeLessThanOrEqual(8);
  });

  test("what comes back from there soon is tried here", () => {
    const expectation = new Expectation(LARGE);
    expectation.tookThere(1, 0.6);
    expect(expectation.isShort(1)).toBe(false);
    expectation.tookThere(1, 0.15);
    expect(expectation.isShort(1)).toBe(true);
    expectation.tookThere(64, 0.6);
    expect(expectation.isBearable(64)).toBe(false);
    expectation.tookThere(64, 0.45);
    expect([expectation.isBearable(64), expectation.isShort(64)]).toEqual([true, false]);
  });

  test("what takes 0.1 to 0.4 ms is borne where nobody else waits, and longer ones are soon not", () => {
    const expectation = new Expectation(LARGE);
    for (let batch = 0; batch < 20; batch++) expectation.tookHelped(1, 0.3);
    expect([expectation.isShort(1), expectation.isBearable(1)]).toEqual([false, true]);
    expectation.tookHelped(1, 4); // lost its processor
    expect(expectation.isBearable(1)).toBe(true);
    for (let batch = 0; batch < 8; batch++) expectation.tookHelped(1, 2);
    expect(expectation.isBearable(1)).toBe(false);
  });

  test("with helpers a batch has to be much shorter before it is tried without", () => {
    const expectation = new Expectation(LARGE);
    for (let batch = 0; batch < 20; batch++) expectation.tookHelped(1, 0.08);
    expect([expectation.isShort(1), expectation.isBearable(1)]).toEqual([false, true]);
    expectation.tookHelped(1, 0.04);
    expect(expectation.isShort(1)).toBe(true);
  });
});

test("the summary of the suite: of each network the better number of threads, then the least", () => {
  const row = (network: string, batch: number, threads: number, ratioToBest: number | null): ServingRow => ({
    network,
    batch,
    threads,
    weights: "f32",
    microseconds: 1,
    bytesAllocated: 0,
    peers: { onnxruntime1: 1, onnxruntime2: 1, tfjsWasm: null },
    ratioToBest,
    ratioToF32: 1,
  });
  const rows = [row("a", 1, 1, 1.5), row("a", 1, 2, 2), row("a", 64, 1, 1.2), row("a", 64, 2, 0.9)];
  const int8: ServingRow = { ...row("1024-1024-1024", 1, 1, 9), weights: "int8", ratioToF32: 3 };
  expect(summaryOf([...rows, int8])).toEqual({ minimum: 1.2, minimumOfOneRow: 2, bf16: null, int8: 3 });
  expect(summaryOf([row("a", 1, 1, null)])).toEqual({ minimum: null, minimumOfOneRow: null, bf16: null, int8: null });
});
