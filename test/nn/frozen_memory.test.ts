import { expect, test } from "vitest";
import { native } from "../../lib/binding/native.js";
import { linear, relu, sequential } from "../../lib/index.js";
import { FrozenProgram } from "../../lib/nn/serving/frozen.js";

/** An object has 16 bytes at least: so many calls that made one each would take 320 KB. */
const CALLS = 20_000;
const LEAST = 16 * CALLS;

/** Rounds; CARILLON_TEST_FULL makes a million calls of it. */
const ROUNDS = process.env.CARILLON_TEST_FULL === undefined ? 10 : 50;

test.each([1, 2])(
  "calls allocate nothing, %d threads: no garbage, nothing outside of the heap, nothing native",
  (threads) => {
    const model = sequential(linear(32, 64), relu(), linear(64, 2)).initialize(1);
    const program = new FrozenProgram({ forward: (x) => model.forward(x), inputs: model.rows.inputs, maxBatch: 4 });
    program.packNow();
    const x = new Float32Array(4 * 32).fill(0.5);
    const y = new Float32Array(4 * 2);
    const calls = (): void => {
      for (let i = 0; i < CALLS; i++) program.runInto(x, 1 + (i % 4), y, threads);
    };
    calls(); // compiled, and y is moved out of the heap
    calls();
    const before = native.memory();
    const grown = Array.from({ length: ROUNDS }, () => {
      const { heapUsed, external, arrayBuffers } = process.memoryUsage();
      calls();
      const now = process.memoryUsage();
      return { heap: now.heapUsed - heapUsed, outside: now.external - external + now.arrayBuffers - arrayBuffers };
    });
    expect(native.memory()).toEqual(before);
    // A round in which the engine compiles anew, or collects, says nothing: most do neither.
    const typical = (grew: readonly number[]): number => [...grew].sort((a, b) => a - b)[ROUNDS / 2] ?? Number.NaN;
    expect(Math.abs(typical(grown.map(({ heap }) => heap)))).toBeLessThan(LEAST / 8);
    expect(Math.abs(typical(grown.map(({ outside }) => outside)))).toBeLessThan(CALLS / 8);
  },
);
