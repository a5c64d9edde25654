// What checkpoints keep besides weights: given back to the bit, whatever it is.
import { isDeepStrictEqual } from "node:util";
import { runInNewContext } from "node:vm";
import { Tensor, tensor } from "carillon";
import { describe, expect, test } from "vitest";
import type { StoredTensor } from "../../lib/io/element_types.js";
import { encodeState, type State } from "../../lib/io/state.js";
import { decodeState } from "../../lib/io/state_reader.js";
import { numbers } from "../train/synthetic.js";

function encoded(state: State): { readonly text: string; readonly tensors: Map<string, StoredTensor> } {
  const tensors = new Map<string, StoredTensor>();
  return { text: encodeState(state, tensors), tensors };
}

function through(state: State): unknown {
  const { text, tensors } = encoded(state);
  return decodeState(text, "file", "state", tensors);
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

const f64 = Float64Array.of(0.1, -0, Number.NaN, 5e-324);

test.each<[string, () => State]>([
  ["undefined", () => undefined],
  ["undefined in an object and a list", () => ({ a: undefined, b: [undefined, null, 1] })],
  ["BigInt", () => [0n, -(2n ** 80n), 12345678901234567890n]],
  ["Date", () => [new Date(0), new Date(1.7e12 + 1), new Date(Number.NaN)]],
  ["Float64Array", () => f64],
  ["Float32Array, Int8Array, Int16Array", () => [Float32Array.of(0.1), Int8Array.of(-128), Int16Array.of(-32768)]],
  [
    "Uint16Array, Uint32Array, Int32Array",
    () => [Uint16Array.of(65535), Uint32Array.of(2 ** 32 - 1), Int32Array.of(-1)],
  ],
  ["BigInt64Array, BigUint64Array", () => [BigInt64Array.of(-(2n ** 63n)), BigUint64Array.of(2n ** 64n - 1n)]],
  ["Uint8Array, Uint8ClampedArray", () => [Uint8Array.of(255), Uint8ClampedArray.of(255)]],
  ["Buffer", () => Buffer.from("a state")],
  ["ArrayBuffer, DataView", () => [Uint8Array.of(1, 2).buffer, new DataView(Uint8Array.of(3, 4, 5).buffer, 1)]],
  ["arrays of no elements", () => [new Float64Array(0), new Uint16Array(0), new ArrayBuffer(0)]],
  ["views of parts of one buffer", () => [f64.subarray(0, 2), f64.subarray(2)]],
  [
    "Map",
    () =>
      new Map<State, State>([
        ["a", 1],
        [2, new Map([[null, Number.NaN]])],
        [new Date(5), undefined],
      ]),
  ],
  ["Set", () => new Set<State>([3, 1, "2", new Set([-1.5])])],
  ["nothing in a Map and a Set", () => [new Map(), new Set()]],
  ["a list with holes", () => JSON.parse("[0,0,7,0]", (key, value) => (key === "2" || key === "" ? value : undefined))],
  ["a list of holes", () => new Array<State>(5)],
  [
    "Tensor",
    () => ({
      a: tensor([
        [1, -0],
        [Number.NaN, 3],
      ]),
      b: tensor(Int32Array.of(4, 5), [2, 1]),
      c: tensor(Uint8Array.of(6)),
    }),
  ],
  ["numbers in whatever they stand", () => ({ a: [Number.NaN, -0], b: new Map([["c", Number.NEGATIVE_INFINITY]]) })],
  [
    "keys that we use ourselves, deeper",
    () => ({ $map: [], $same: 0, $undefined: true, $: new Map([["$array", { $set: 1 }]]) }),
  ],
])("%s", (_, make) => {
  const state = make();
  const back = through(state);
  expect(same(back, state)).toBe(true);
  if (typeof state === "object") expect(back).not.toBe(state);
});

/** As `util.isDeepStrictEqual` has it: kinds, classes, holes, NaN and −0 count. Tensors by their numbers. */
function same(a: unknown, b: unknown): boolean {
  if (a instanceof Tensor && b instanceof Tensor) {
    return isDeepStrictEqual([a.dtype, a.shape, a.data], [b.dtype, b.shape, b.data]);
  }
  if (isDeepStrictEqual(a, b)) return true;
  if (a instanceof Date && b instanceof Date) return Object.is(a.getTime(), b.getTime()); // NaN too
  const [first, second] = [a, b].map((one) => Object.entries(Object(one)));
  if (first === undefined || second === undefined || first.length === 0 || first.length !== second.length) return false;
  return first.every(([key, value], index) => key === second[index]?.[0] && same(value, second[index]?.[1]));
}

test("one object in several places stays one, and a circle stays a circle", () => {
  const shared = { seen: Float32Array.of(1) };
  const circle: Record<string, State> = {
    shared,
    again: [shared, shared.seen],
    map: new Map<State, State>([[shared, 1]]),
  };
  const state = { ...circle };
  state.self = state;
  const back = through(state) as typeof state & { readonly again: readonly [typeof shared, Float32Array] };
  expect(back.self).toBe(back);
  expect(back.again[0]).toBe(back.shared);
  expect(back.again[1]).toBe(back.again[0].seen);
  expect([...(back.map as ReadonlyMap<State, State>).keys()][0]).toBe(back.shared);
});

test("an object without a prototype comes back without one", () => {
  const bare: object = Object.assign(Object.create(null), { a: 1, $b: [2] });
  const back = through({ bare } as State) as { readonly bare: object };
  expect(Object.getPrototypeOf(back.bare)).toBeNull();
  expect(Object.entries(back.bare)).toEqual(Object.entries(bare));
});

test("what it was made of may change afterwards", () => {
  const state = { list: [1], array: Float64Array.of(1), view: new DataView(new ArrayBuffer(1)) };
  const { text, tensors } = encoded(state);
  state.list.push(2);
  state.array[0] = 2;
  state.view.setUint8(0, 3);
  expect(decodeState(text, "file", "state", tensors)).toEqual({
    list: [1],
    array: Float64Array.of(1),
    view: new DataView(new ArrayBuffer(1)),
  });
});

test("values of another realm are those of this one", () => {
  const state: State = runInNewContext(`({
    floats: Float64Array.of(0.1, NaN), bytes: Uint8ClampedArray.of(300), buffer: Uint8Array.of(1).buffer,
    map: new Map([["a", [undefined, 1n]]]), set: new Set([-0]), date: new Date(7), list: [, 1], plain: { x: { y: [] } },
  })`);
  const back = through(state);
  expect(
    isDeepStrictEqual(back, {
      floats: Float64Array.of(0.1, Number.NaN),
      bytes: Uint8ClampedArray.of(255),
      buffer: Uint8Array.of(1).buffer,
      map: new Map([["a", [undefined, 1n]]]),
      set: new Set([-0]),
      date: new Date(7),
      list: Object.assign(new Array<unknown>(2), { 1: 1 }),
      plain: { x: { y: [] } },
    }),
  ).toBe(true);
});

describe("refused when it is made, by its path", () => {
  class Running {
    readonly sum = 0;
  }
  const deep = (): State => Array.from({ length: 600 }).reduce<State>((inner) => [inner], 1);
  const gone = (): Float32Array => {
    const array = Float32Array.of(1, 2);
    structuredClone(array.buffer, { transfer: [array.buffer] });
    return array;
  };
  const memory = new Float32Array(4);
  test.each<[string, () => unknown, string]>([
    ["a function", () => ({ a: { next: () => 1 } }), "state.a.next"],
    ["a symbol", () => [1, Symbol("x")], "state[1]"],
    ["an instance of a class", () => ({ "my mean": [new Running()] }), 'state["my mean"][0]'],
    ["a class of arrays", () => new (class List extends Array<number> {})(), "state"],
    ["a class of typed arrays", () => ({ a: new (class Floats extends Float32Array {})(1) }), "state.a"],
    ["a class of maps", () => new Map([["m", new (class Counts extends Map {})()]]), 'state.get("m")'],
    ["a regular expression", () => ({ a: /x/ }), "state.a"],
    ["an error", () => ({ a: new Error("x") }), "state.a"],
    ["a promise", () => [Promise.resolve(1)], "state[0]"],
    ["a weak map", () => new WeakMap(), "state"],
    ["a boxed number", () => Object(1), "state"],
    ["a symbol as key", () => ({ [Symbol("k")]: 1 }), "state[Symbol(k)]"],
    [
      "a getter",
      () => ({
        get now() {
          return 1;
        },
      }),
      "state.now",
    ],
    ["a hidden property", () => Object.defineProperty({}, "hidden", { value: 1 }), "state.hidden"],
    ["a list with a name of its own", () => Object.assign([1], { index: 3 }), "state"],
    ["a Map with a property", () => Object.assign(new Map(), { index: 3 }), "state"],
    ["memory that threads share", () => ({ a: new Int32Array(new SharedArrayBuffer(4)) }), "state.a"],
    ["two views of one place in memory", () => [memory, memory.subarray(2)], "state[1]"],
    ["objects in one another without end", deep, `state${"[0]".repeat(500)}`],
    ["an object of another realm's class", () => runInNewContext("new (class A {})()"), "state"],
  ])("%s", (_, make, where) => {
    expect(() => encodeState(make(), new Map())).toThrow(expect.objectContaining({ code: "ERR_STATE", where }));
  });

  test("memory that was transferred away", () => {
    const detached = expect.objectContaining({ code: "ERR_DETACHED", where: "state.a" });
    expect(() => encodeState({ a: gone() }, new Map())).toThrow(detached);
    expect(() => encodeState({ a: new Set([gone().buffer]) }, new Map())).toThrow("transferred away");
  });
});

describe("text that it did not write is refused by its place", () => {
  test.each<[string, string, string]>([
    ["", "JSON", "state"],
    ["{", "JSON", "state"],
    ['{"a":1,"a":2}', "every key once", "state"],
    ['{"$array":"arrays/0"}', "arrays/0, a tensor of the file", "state.$array"],
    ['{"$array":"weights/a"}', "arrays/0", "state.$array"],
    ['{"$tensor":null}', "arrays/0", "state.$tensor"],
    ["undefined", "JSON", "state"],
    ['{"$same":"0"}', "an integer >= 0", "state.$same"],
    ['{"$same":0}', "the number of an object before it", "state.$same"],
    ['{"a":[{"$same":2}]}', "the number of an object before it", "state.a[0].$same"],
    ['{"$unknown":1}', "a kind of value that states have", "state"],
    ['{"$map":[1]}', "a list of 2", "state.$map[0]"],
    ['{"$map":[[1,2],[1,3]]}', "a key that stands once", "state.$map[1]"],
    ['{"$map":3}', "a list", "state.$map"],
    ['{"$set":[1,1]}', "a value that stands once", "state.$set[1]"],
    ['{"$bigint":"1.5"}', "an integer as text", "state.$bigint"],
    ['{"$bigint":5}', "a string", "state.$bigint"],
    ['{"$number":"12"}', "one of NaN, Infinity, -Infinity, -0", "state.$number"],
    ['{"$number":"NaN","x":1}', "nothing beside $number", "state"],
    ['{"$undefined":false}', "true", "state.$undefined"],
    ['{"$date":"5"}', "the time of a date", "state"],
    ['{"$date":9e15}', "the time of a date", "state"],
    ['{"$bare":null}', "an object", "state.$bare"],
    ['{"x":1,"$y":2}', "a key of a state", "state.$y"],
    ['{"$sparse":[-1]}', "an integer in [0, 4294967295]", "state.$sparse[0]"],
    ['{"$sparse":[3,1]}', "an index and a value", "state.$sparse"],
    ['{"$sparse":[3,1,"a",0,"b"]}', "an integer in [2, 2]", "state.$sparse[3]"],
    ["[1e999]", "a finite number", "state[0]"],
    [`${"[".repeat(100_000)}${"]".repeat(100_000)}`, "at most 500 objects in one another", "state[0][0][0]"],
  ])("%.40s", (text, expected, where) => {
    const error = thrownBy(() => decodeState(text, "file", "state"));
    expect(error).toMatchObject({ name: "CarillonError", code: "ERR_FILE", where: "file" });
    expect(error.message).toContain(`expected ${expected}`);
    expect(error.message).toContain(`for '${where}`);
    expect(error.message.length).toBeLessThan(500);
  });

  function thrownBy(read: () => unknown): Error {
    try {
      read();
    } catch (error) {
      if (error instanceof Error) return error;
    }
    throw new Error("nothing was thrown");
  }

  test("an array that nobody names is nothing", () => {
    const { tensors } = encoded(Float32Array.of(1));
    expect(() => decodeState("3", "file", "state", tensors)).toThrow(
      "expected 1 arrays for 'state' in 'file' but received 0",
    );
  });
});
