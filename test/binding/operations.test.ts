// The table of operands that TypeScript has is the one that native code states; what is missing or misspelt does not compile.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type NativeInfo, nativeInfo } from "../../lib/binding/native.js";
import { encode } from "../../lib/ops/encode.js";
import { numberOf } from "../../lib/ops/native_table.js";
import { Template } from "../../lib/ops/template.js";
import { FILE, written } from "../../scripts/operations.mjs";
import { root } from "../../scripts/tools.mjs";

const lists = (info: NativeInfo): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries(Object.entries(info).filter(([, value]) => Array.isArray(value)));

test("lib/binding/operations.ts is what the addon states", () => {
  const text = readFileSync(join(root, FILE), "utf8").replaceAll("\r\n", "\n");
  expect(text).toBe(written(lists(nativeInfo)));
  // The comparison can fail: an operand of another name is another text.
  const renamed = nativeInfo.operands.map((words) => words.replace("transpose_a", "turn_a"));
  expect(written({ ...lists(nativeInfo), operands: renamed })).not.toBe(text);
});

/** Words of an instruction over views that are their own indices. */
function words(instruction: Parameters<typeof encode<number>>[0]): number[] {
  const list: number[] = [];
  encode(instruction, (view: number) => view, list);
  return list;
}

/** The two words of a double. */
const halves = (...values: readonly number[]): number[] => [...new Int32Array(Float64Array.from(values).buffer)];
const operation = (name: string): number => nativeInfo.operations.indexOf(name);

test("operands stand in the order of native code, whatever order they are given in", () => {
  const gemm = words({
    operation: "gemm",
    views: { c: 7, b: 5, a: 3 },
    numbers: { k: 30, layoutB: "transposed", n: 20, m: -1, activation: "relu" },
  });
  expect(gemm).toEqual([operation("gemm"), 4, 7, 0, 3, 5, -1, 7, -1, 20, 30, 0, 1, 1, 0]);
});

test("what is left out is what the table says: no site is −1, the scales are 1", () => {
  const fused = words({ operation: "gemm_fused", views: { a: 0, b: 1, c: 2 }, numbers: { m: 1, n: 2, k: 3 } });
  const head = [operation("gemm_fused"), 5, 10, 3, 0, 1, -1, 2, -1];
  expect(fused).toEqual([...head, 1, 2, 3, 0, 0, 0, 0, -1, 0, 0, ...halves(1, 1, 1)]);
});

test("views of one name, room for constants, and the items of a list", () => {
  const update = words({
    operation: "update",
    views: { parameters: 0, gradients: 1, states: [2, 3], penalty: 4 },
    numbers: {
      rule: "adam",
      lane: 5,
      scalars: 2,
      constants: [0.9, 0.1],
      clipValue: 9,
      segments: [
        {
          ...{ offset: 16, rows: 2, columns: 3, metric: true, l2: 1, l1: 2, decay: 3, scheduledDecay: 4 },
          ...{ shrink: 5, maxNorm: 6, penaltySquares: 7, penaltyAbsolutes: 8 },
        },
      ],
    },
  });
  const rule = nativeInfo.optimizers.indexOf("adam");
  expect(update).toEqual([
    ...[operation("update"), 14, 18, 18, 0, 1, 2, 3, -1, -1, -1, 4, -1, -1, -1, -1, -1, -1],
    ...[0, 0, rule, 5, 2, 2, 0, 0, 0, 0, 0, -1, 0, 0, 16, 2, 3, 1],
    ...halves(0.9, 0.1, 0, 0, 0, 0, 0, 0, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8),
  ]);
});

test("a template has its fields where an instruction has its words", () => {
  const template = new Template("update", 1);
  const { at } = template;
  template.set(at.rule, numberOf("optimizers", "lion"));
  template.setAll(at.constants, [0.5, 0.25]);
  template.set(at.segments.columns, 12);
  template.set(at.segments.penaltyAbsolutes, 0.75);
  template.lane(0, 0.125);
  const item = { offset: 0, rows: 0, columns: 12, metric: false, l2: 0, l1: 0, decay: 0, scheduledDecay: 0, shrink: 0 };
  const whole = words({
    operation: "update",
    views: {
      parameters: 0,
      gradients: 1,
      states: [2, 3, 4],
      average: 5,
      gradientScale: 6,
      penalty: 7,
      count: 8,
      rows: 9,
      indices: 10,
      weights: 11,
      ends: 12,
      squares: 13,
    },
    numbers: {
      ...{ rule: "lion", lane: 0, scalars: 0, constants: [0.5, 0.25], clipValue: 0 },
      segments: [{ ...item, maxNorm: 0, penaltySquares: 0, penaltyAbsolutes: 0.75 }],
    },
  });
  expect([...template.words]).toEqual([...whole, ...halves(0.125)]);
  expect([...new Template("gemm_fused").words.slice(-6)]).toEqual(halves(1, 1, 1));
});
