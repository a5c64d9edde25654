// What checkpoints keep besides weights: given back to the bit, whatever it is.
import { describe, expect, test } from "vitest";
import type { StoredTensor } from "../../lib/io/safetensors.js";
import { decodeState, encodeState, type State } from "../../lib/io/state.js";
import { numbers } from "../train/synthetic.js";

function encoded(state: State): { readonly text: string; readonly tensors: Map<string, StoredTensor> } {
  const tensors = new Map<string, StoredTensor>();
  return { text: encodeState(state, tensors), tensors };
}

function through(state: State): unknown {
  const { text, tensors } = encoded(state);
  return decodeState(text, tensors);
}

const bits = (value: unknown): bigint | undefined => new BigUint64Array(Float64Array.of(Number(value)).buffer)[0];

test.each([
  0,
  -0,
  1 / 3,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  5e-324,
  -1.7976931348623157e308,
  2 ** 53 + 2,
  0.1 + 0.2,
])("the number %d", (value) => {
  expect(bits(through(value))).toBe(bits(value));
  expect(through({ a: [value] })).toEqual({ a: [value] }); // toEqual tells −0 from 0
});

test("any double", () => {
  const next = numbers(3);
  for (let i = 0; i < 5000; i++) {
    const words = Uint32Array.of(next() * 2 ** 32, next() * 2 ** 32);
    const value = new Float64Array(words.buffer)[0] ?? 0;
    if (Number.isNaN(value)) expect(through(value)).toBeNaN();
    else expect(bits(through(value))).toBe(bits(value));
  }
});

test.each<[string, State]>([
  ["nothing", null],
  ["truth", [true, false]],
  ["text", 'a "quoted" line\n\u2028 \ud800'],
  ["lists and objects in one another", { a: [], b: {}, c: [[1, { d: [null] }]], "": 2 }],
  ["keys that we use ourselves", { $number: "NaN", $array: "arrays/0", $: 1, $$number: [2], $$: { $number: 3 } }],
  ["a key that JavaScript uses", JSON.parse('{ "__proto__": { "a": 1 }, "constructor": 2, "toJSON": 3 }')],
])("%s", (_, state) => {
  expect(through(state)).toEqual(state);
  expect(JSON.stringify(through(state))).toBe(JSON.stringify(state));
});

test("typed arrays with every bit of theirs", () => {
  const floats = new Float32Array(Uint32Array.of(0x7fc00001, 0xffc12345, 0x80000000, 1, 0x7f800000).buffer);
  const state = { floats, more: [Int32Array.of(-(2 ** 31), 7), new Uint8Array([0, 255])], none: new Float32Array(0) };
  const back = through(state);
  expect(back).toEqual(state);
  const { floats: same } = back as { readonly floats: Float32Array };
  expect(new Uint32Array(same.buffer, same.byteOffset, same.length)).toEqual(new Uint32Array(floats.buffer));
});

describe("text that it did not write", () => {
  test.each(["", "{", '{"$array":"arrays/0"}', '{"$array":"weights/a"}', "undefined"])("%j is nothing", (text) => {
    expect(decodeState(text, new Map())).toBeUndefined();
  });

  test("an array that nobody names is nothing", () => {
    const { tensors } = encoded(Float32Array.of(1));
    expect(decodeState("3", tensors)).toBeUndefined();
  });
});
