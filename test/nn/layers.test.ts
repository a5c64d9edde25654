// What is refused as a layer, and how it is told.
import { defineLayer, type Layer, l2, linear, ntkLinear, parameter, sequential } from "carillon";
import { describe, expect, test } from "vitest";

const forward: Layer["forward"] = (x) => x;
const handmade = { kind: "mine", inputs: 2, outputs: 2, parameters: {}, forward };

describe("a name", () => {
  test.each(["", " ", "a.b", "a b", "é", "__proto__", 5, null, {}])("%j", (name) => {
    const given =
      typeof name === "string" ? JSON.stringify(name) : name === 5 ? "5" : name === null ? "null" : "an empty object";
    expect(() => linear(2, 1, { name: name as string })).toThrow(
      `expected a name (a letter, then letters, digits, _ or -) for 'linear.name' but received ${given}`,
    );
  });

  test.each(["a", "A-1_b", "constructor"])("%j may be", (name) => {
    const [weight] = sequential(linear(2, 1, { name })).parameters;
    expect(weight?.name).toBe(`${name}.weight`);
  });
});

test.each([
  { made: linear, where: "linear" },
  { made: ntkLinear, where: "ntkLinear" },
])("$where: a weight alone, and what cannot be", ({ made, where }) => {
  const ones = { init: 1, regularizer: l2(0.5) };
  const [weight, ...others] = sequential(made(2, 3, { bias: false, biasRegularizer: null, ...ones })).parameters;
  expect(weight).toMatchObject({ name: `${where}1.weight`, shape: [3, 2] });
  expect(others).toEqual([]);
  const none = `none, as there is no bias, for '${where}`;
  expect(() => made(2, 3, { bias: false, biasInit: 0 })).toThrow(`${none}.biasInit' but received 0`);
  expect(() => made(2, 3, { bias: false, biasRegularizer: l2(1) })).toThrow(`${none}.biasRegularizer'`);
  expect(() => made(0, 3)).toThrow(`'${where}.inputs' but received 0`);
  expect(() => made(2, 1.5)).toThrow(`'${where}.outputs' but received 1.5`);
  expect(() => made(2, 3, { init: "zeros" as unknown as number })).toThrow(`'${where}.init' but received "zeros"`);
});

describe("what has the form of a layer is one", () => {
  test("made by hand", () => {
    expect(sequential(handmade).parameters).toEqual([]);
  });

  test.each<[string, unknown, string]>([
    [
      "a model with weights",
      sequential(linear(2, 2)).initialize(),
      "expected a model without weights as a layer but this one has some",
    ],
    ["a function", linear, "but received function linear, which was not called"],
    [
      "an object that computes alone",
      { forward },
      "expected a layer for 'sequential: layer 1' but received object with forward",
    ],
    ["a kind that is no name", { ...handmade, kind: 7 }, "for 'sequential: layer 1.kind' but received 7"],
    ["a name that is none", { ...handmade, name: 7 }, "for 'sequential: layer 1.name' but received 7"],
    ["sizes that are none", { ...handmade, inputs: "2" }, "for 'sequential: layer 1.inputs'"],
    [
      "no parameters",
      { ...handmade, parameters: undefined },
      "for 'sequential: layer 1.parameters' but received undefined",
    ],
    [
      "a parameter that is none",
      { ...handmade, parameters: { weight: 4 } },
      "expected a parameter() for 'sequential: layer 1.parameters.weight'",
    ],
  ])("%s", (_, layer, says) => {
    expect(() => sequential(layer as Layer)).toThrow(says);
  });

  test("keys stand in names of parameters", () => {
    const parameters = { "a.b": parameter([2]) };
    expect(() => defineLayer({ kind: "mine", inputs: 2, outputs: 2, parameters, forward })).toThrow(
      "mine.parameters: a key",
    );
  });
});
