// What holds for every kernel: the memory that it touches, threads, misalignment.

import { binary, unary } from "carillon/kernels";
import { describe, expect, test } from "vitest";
import { nativeInfo } from "../../lib/binding/native.js";
import { ACTIVATIONS } from "../../lib/kernels/gemm.js";
import { CASES, kernelNames, LARGE, nameOf, SMALL } from "./cases.js";
import { bits, Memory } from "./memory.js";

const named = CASES.map((one) => [nameOf(one), one] as const);

function camelCase(name: string): string {
  return name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}

test("the tables are the native lists", () => {
  expect(Object.keys(unary)).toEqual(nativeInfo.unary.map(camelCase));
  expect(Object.keys(binary)).toEqual(nativeInfo.binary.map(camelCase));
  expect(ACTIVATIONS).toEqual(nativeInfo.activations);
});

test("every kernel has a case", () => {
  const covered = new Set(CASES.map(({ kernel }) => kernel));
  expect([...covered].sort()).toEqual([...kernelNames()].sort());
});

describe.each(named)("%s", (_, { run }) => {
  test("writes its results and nothing else, wherever they lie", () => {
    for (const size of SMALL) {
      const aligned = new Memory(size + 1);
      const results = run(size, aligned, 1);
      expect(aligned.faults(results), `size ${size}`).toEqual([]);
      for (const shift of [1, 3]) {
        const shifted = new Memory(size + 1, shift);
        const others = run(size, shifted, 1);
        expect(shifted.faults(others), `size ${size}, ${shift} off`).toEqual([]);
        expect(bits(others), `size ${size}, ${shift} off`).toBe(bits(results));
      }
    }
  });

  test("gives the same bits on 1 to 4 threads", () => {
    const alone = bits(run(LARGE, new Memory(5), 1));
    for (const threads of [2, 3, 4]) {
      const memory = new Memory(5);
      const results = run(LARGE, memory, threads);
      expect(bits(results) === alone, `${threads} threads`).toBe(true);
      expect(memory.faults(results)).toEqual([]);
    }
  });
});
