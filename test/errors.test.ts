import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { CarillonError, fail, describe as render } from "../lib/errors.js";

class Custom {}
function named() {}

test.each([
  [undefined, "undefined"],
  [null, "null"],
  [Number.NaN, "NaN"],
  [-0, "-0"],
  [0.1, "0.1"],
  [Number.NEGATIVE_INFINITY, "-Infinity"],
  [12n, "12n"],
  [false, "false"],
  ["text", '"text"'],
  ["", '""'],
  ["x".repeat(50), `"${"x".repeat(40)}"… (50 characters)`],
  [Symbol("s"), "Symbol(s)"],
  [named, "function named, which was not called"],
  [
    (
      () => () =>
        1
    )(),
    "a function",
  ],
  [[], "an empty array"],
  [[1, 2, 3], "array of 3"],
  [new Float32Array(5), "Float32Array(5)"],
  [new DataView(new ArrayBuffer(7)), "DataView(7)"],
  [new Map([[1, 2]]), "a Map of 1"],
  [new Set(), "a Set of 0"],
  [new (class Own extends Map {})(), "an instance of Own"],
  [(function* () {})(), "a generator"],
  [(async function* () {})(), "an async generator"],
  [[1].values(), "an iterator"],
  [new Map().keys(), "an iterator"],
  [{ [Symbol.iterator]: () => [].values() }, "an iterable"],
  [{ [Symbol.asyncIterator]: () => undefined }, "an async iterable"],
  [Promise.resolve(1), "a Promise (await it)"],
  [Object(5), "a Number object (5)"],
  [Object("a"), 'a String object ("a")'],
  [Object(1n), "a BigInt object (1n)"],
  [new ArrayBuffer(3), "an ArrayBuffer of 3 bytes"],
  [new SharedArrayBuffer(3), "a SharedArrayBuffer of 3 bytes"],
  [Buffer.alloc(3), "Buffer(3)"],
  [new BigInt64Array(2), "BigInt64Array(2)"],
  [new (class {})(), "an instance of a class without a name"],
  [runInNewContext("new Float32Array(2)"), "Float32Array(2)"],
  [runInNewContext("({ a: 1 })"), "object with a"],
  [runInNewContext("Promise.resolve()"), "a Promise (await it)"],
  [runInNewContext("new RangeError('no')"), "RangeError: no"],
  [new Custom(), "an instance of Custom"],
  [new RangeError("no"), "RangeError: no"],
  [{}, "an empty object"],
  [{ kind: "l2", lambda: 1 }, "object with kind, lambda"],
  [{ a: 1, b: 1, c: 1, d: 1, e: 1 }, "object with a, b, c, d, …"],
  [Object.create(null), "an empty object"],
])("%# renders %o as %s", (value, text) => {
  expect(render(value)).toBe(text);
});

test("fail says what was expected, where, and what came", () => {
  const attempt = () => fail("ERR_OPTION", "dropout.rate", "a number in [0, 1)", Number.NaN);
  expect(attempt).toThrow(CarillonError);
  expect(attempt).toThrow(
    expect.objectContaining({
      name: "CarillonError",
      code: "ERR_OPTION",
      where: "dropout.rate",
      message: "expected a number in [0, 1) for 'dropout.rate' but received NaN",
    }),
  );
});

test("an error becomes plain JSON, with the message of its cause", () => {
  const plain = new CarillonError("ERR_FILE", "a.csv", "gone");
  expect(JSON.parse(JSON.stringify(plain))).toEqual({
    name: "CarillonError",
    code: "ERR_FILE",
    where: "a.csv",
    message: "gone",
  });
  const cause = new Error("ENOENT");
  const caused = new CarillonError("ERR_FILE", "a.csv", "gone", { cause });
  expect(caused.cause).toBe(cause);
  expect(JSON.parse(JSON.stringify(caused)).cause).toBe("ENOENT");
  expect(new CarillonError("ERR_FILE", "a", "b", { cause: 7 }).toJSON().cause).toBe("7");
});

test("an error is an Error with a stack that names it", () => {
  const error = new CarillonError("ERR_DATA", "x", "message");
  expect(error).toBeInstanceOf(Error);
  expect(String(error)).toBe("CarillonError: message");
  expect(error.stack).toContain("errors.test.ts");
});
