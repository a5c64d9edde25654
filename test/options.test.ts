import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import {
  checkBoolean,
  checkFunction,
  checkKeys,
  checkNumber,
  checkObject,
  checkOneOf,
  checkString,
} from "../lib/options.js";

/** The code and message of what `attempt` throws. */
function failure(attempt: () => unknown): { code: unknown; message: unknown } {
  try {
    attempt();
  } catch (error) {
    if (error instanceof Error) return { code: "code" in error && error.code, message: error.message };
  }
  throw new Error("nothing was thrown");
}

const FIT = ["data", "epochs", "steps", "batchSize", "regularizer"];

describe("keys", () => {
  test("known ones pass, also with the value undefined, also of another realm", () => {
    checkKeys("fit", { epochs: 1, steps: undefined }, FIT);
    checkKeys("fit", {}, FIT);
    checkKeys("fit", Object.create(null), FIT);
    checkKeys("fit", runInNewContext("({ epochs: 1 })"), FIT);
  });

  test.each([
    ["epoch", "epochs"],
    ["Epochs", "epochs"],
    ["eopchs", "epochs"],
    ["batchsize", "batchSize"],
    ["batch_size", "batchSize"],
    ["step", "steps"],
    ["setps", "steps"],
    ["regularisers", "regularizer"],
  ])("%s suggests %s", (typed, meant) => {
    expect(failure(() => checkKeys("fit", { [typed]: 1 }, FIT))).toEqual({
      code: "ERR_UNKNOWN_OPTION",
      message: `expected a known option for 'fit' but received '${typed}'. Did you mean '${meant}'?`,
    });
  });

  test("a far one lists what is known, even if its value is undefined", () => {
    expect(failure(() => checkKeys("sgd", { verbose: undefined }, ["lr", "momentum"]))).toEqual({
      code: "ERR_UNKNOWN_OPTION",
      message: "expected a known option for 'sgd' but received 'verbose'. Known: 'lr', 'momentum'",
    });
  });

  test("names of Object.prototype are not known", () => {
    expect(failure(() => checkKeys("sgd", { toString: 1 }, ["lr"])).code).toBe("ERR_UNKNOWN_OPTION");
  });

  test.each([[0.01], [null], [undefined], ["lr"], [[]], [() => 1], [new Map()], [new Float32Array(2)]])(
    "%o is not an object of options",
    (value) => {
      expect(failure(() => checkKeys("sgd", value, ["lr"])).code).toBe("ERR_OPTION");
      expect(failure(() => checkObject("sgd", value)).message).toContain("expected an object of options for 'sgd'");
    },
  );
});

describe("numbers", () => {
  test.each([
    [{ min: 0, below: 1 }, [0, 0.5, -0], [-1e-300, 1, 2], "a number in [0, 1)"],
    [{ above: 0, max: 1 }, [1e-300, 1], [0, -0, 1.5], "a number in (0, 1]"],
    [{ min: 1, integer: true }, [1, 2 ** 53 - 1], [0, 1.5, 2 ** 53], "an integer >= 1"],
    [{ above: 0 }, [1e-9], [0], "a number > 0"],
    [{ max: 3 }, [3], [3.1], "a number <= 3"],
    [{ below: 3 }, [2.9], [3], "a number < 3"],
    [{}, [-1e308], [], "a finite number"],
    [{ integer: true }, [-4], [0.5], "an integer"],
  ])("%o", (range, good, bad, text) => {
    for (const value of good) expect(checkNumber("x", value, range)).toBe(value);
    for (const value of [
      ...bad,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      "1",
      1n,
      null,
      undefined,
      [0.5],
      new Number(0.5),
    ]) {
      const { code, message } = failure(() => checkNumber("x", value, range));
      expect(code).toBe("ERR_OPTION");
      expect(message).toContain(`expected ${text} for 'x' but received `);
    }
  });

  test("the message", () => {
    expect(failure(() => checkNumber("dropout.rate", Number.NaN, { min: 0, below: 1 })).message).toBe(
      "expected a number in [0, 1) for 'dropout.rate' but received NaN",
    );
  });
});

test("booleans, strings and functions are not coerced", () => {
  expect(checkBoolean("b", false)).toBe(false);
  expect(checkString("s", "a")).toBe("a");
  const call = () => 1;
  expect(checkFunction("f", call)).toBe(call);
  for (const value of [0, 1, "true", null, undefined]) {
    expect(failure(() => checkBoolean("b", value)).message).toContain("expected true or false for 'b'");
  }
  for (const value of ["", 1, null, new String("a")]) {
    expect(failure(() => checkString("s", value)).code).toBe("ERR_OPTION");
  }
  for (const value of [{}, "f", undefined]) {
    expect(failure(() => checkFunction("f", value)).message).toContain("expected a function for 'f'");
  }
});

test("one of a list", () => {
  expect(checkOneOf("mode", "a", ["a", "b"])).toBe("a");
  expect(failure(() => checkOneOf("mode", "A", ["a", "b", "c"]))).toEqual({
    code: "ERR_OPTION",
    message: "expected 'a', 'b' or 'c' for 'mode' but received \"A\"",
  });
  expect(failure(() => checkOneOf("mode", 1, ["a"])).message).toBe("expected 'a' for 'mode' but received 1");
});
