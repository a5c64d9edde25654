// No number stands for an operand, a dtype, an activation, a spread or any other name of native code in lib/.
import { readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { expect, test } from "vitest";
import { nativeInfo } from "../../lib/binding/native.js";
import { camelCase } from "../../lib/ops/native_table.js";
import { root } from "../../scripts/tools.mjs";

const library = readdirSync(join(root, "lib"), { recursive: true, encoding: "utf8" })
  .map((name) => `lib/${name.split(sep).join("/")}`)
  .filter((name) => name.endsWith(".ts"));

const { unary, binary, activations, optimizers, spreads, dtypes, layouts, gates, forms } = nativeInfo;
const lists = [unary, binary, activations, optimizers, spreads, dtypes, layouts, gates, forms];

/** Places in lists of native code that a name stands at, in whatever spelling. */
function placesOf(name: string): readonly number[] {
  const same = (each: string): boolean => [each, camelCase(each), each.toUpperCase()].includes(name);
  return lists.map((list) => list.findIndex(same)).filter((place) => place >= 0);
}

/** `name: 3` beside `other: 4` and a third: something is numbered. */
const NUMBERED = /(\w+): (\d+),\s*(\w+): (\d+),\s*(\w+): (\d+)\b/g;

/** What in a source looks as if a number stood for a name. */
function objections(source: string): string[] {
  const constants = [...source.matchAll(/\bconst (\w+) = (\d+);/g)].filter(([, name = "", number]) =>
    placesOf(name).includes(Number(number)),
  );
  const pairs = [...source.matchAll(/(\w+): (\d+),\s*(?=(\w+): (\d+)\b)/g)].filter(
    ([, one = "", first, other = "", second]) =>
      placesOf(one).includes(Number(first)) && placesOf(other).includes(Number(second)),
  );
  const places = [...source.matchAll(NUMBERED)].filter(([, , first, , second, , third]) => {
    return Number(second) === Number(first) + 1 && Number(third) === Number(first) + 2;
  });
  // Positions within an instruction, whatever they are called by.
  const positions = [
    ...source.matchAll(/\b(?:ints|doubles)\??\.?\[|\b(?:ints|doubles): \[|\.(?:set|int|double)\(\d+,.*/g),
  ];
  return [...constants, ...pairs, ...places, ...positions].map(([text]) => text.trim());
}

/** What is numbered in lib/ and is nothing of native code's. */
const OTHERS: Readonly<Record<string, string>> = {
  "lib/exchange/onnx/format.ts": "types of elements, as ONNX numbers them",
  "lib/exchange/onnx/wire.ts": "fields of messages, as ONNX numbers them",
  "lib/nn/evaluation/log.ts": "columns of a program's log, which nobody else numbers",
  "lib/table/arrow/header.ts": "fields of Arrow's messages, as its format numbers them",
  "lib/table/parquet/header.ts": "encodings and Thrift's types, as Parquet's format numbers them",
  "lib/train/log/tensor_board_file.ts": "fields and wire types of TensorBoard's events, as their format numbers them",
};

test("of the source", () => {
  const found = library.map((file): [string, readonly string[]] => [
    file,
    objections(readFileSync(join(root, file), "utf8")),
  ]);
  const named = found.filter(([, list]) => list.length > 0).map(([file]) => file);
  expect(named.sort()).toEqual(Object.keys(OTHERS).sort());
});

test.each([
  "export const SPREAD = { full: 0, scalar: 1, row: 2, column: 3 } as const;",
  "const DTYPES = { f32: 0, i32: 1, u8: 2 } as const;",
  "const BACKWARD = { none: 0, positive: 1, tanh: 2 } as const;",
  "const FULL = 0;",
  "const SCALAR = 1;",
  "const RELU = 1;",
  "const PACKED = 2;",
  "const INT = { m: 0, n: 1, k: 2, transposeA: 3 } as const;",
  "  l2: 10,\n  l1: 11,\n  decay: 12,",
  "if (ints[GEMM.transposeA] !== 0) return;",
  "const { keep } = { keep: doubles[0] };",
  'emit({ operation: "copy", views, ints: [4], doubles: [] });',
  "call.int(2, binaryId(native));",
  "call.set(0, rows);",
])("what stood there before is an objection: %s", (line) => {
  expect(objections(line)).not.toEqual([]);
});

test.each(["const words = { relu6: 6, gelu: 2 };", "const BYTES = { f32: 4, i32: 4, bf16: 2 };", "set(at.rows, 1);"])(
  "and this is none: %s",
  (line) => {
    expect(objections(line)).toEqual([]);
  },
);
