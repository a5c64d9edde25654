// Descriptions of models as JSON, both ways.
import { CarillonError, dropout, gru, l2, linear, network, relu, residual, sequential, spec } from "carillon";
import { modelFromJson, modelToJson } from "carillon/exchange";
import { expect, test } from "vitest";

const made = () =>
  sequential(
    { input: [5, 3] },
    gru(3, 4, { preset: "keras", regularizer: l2(0.1) }),
    residual(linear(4, 4), relu()),
    dropout({ rate: 0.2 }),
    linear(4, 2, { name: "out" }),
  );

test("a model comes back with the same layers and the bits of its initial weights", () => {
  const model = made();
  const text = JSON.stringify(modelToJson(model));
  for (const given of [text, JSON.parse(text), JSON.stringify(JSON.parse(text).model)]) {
    const back = modelFromJson(given);
    expect(modelToJson(back)).toEqual(modelToJson(model));
    expect(back.initialize(3).bytes()).toEqual(made().initialize(3).bytes());
  }
  expect(modelToJson(model).weights["out.weight"]).toEqual([2, 4]);
});

test("one layer twice is one", () => {
  const shared = linear(2, 2);
  const back = modelFromJson(modelToJson(sequential(shared, relu(), shared)));
  expect(back.parameters.map(({ name }) => name)).toEqual(["linear1.weight", "linear1.bias"]);
});

test("a model that is a function says how it is kept", () => {
  const model = network({
    inputs: { x: spec(["batch", 2]) },
    layers: { a: linear(2, 1) },

    forward: ({ x }, { a }) => ({ y: a(x) }),
  });
  expect(() => modelToJson(model)).toThrow("'modelToJson'");
  expect(() => modelToJson(model)).toThrow(CarillonError);
});

test.each([
  ["", "no JSON"],
  ["[1]", "[1]"],
  ["{}", "expected the description of a model"],
  ['{"format":"carillon.description","version":2,"model":{}}', "version 2"],
  ['{"format":"other","version":1,"model":{}}', "format, version, model"],
  ["[".repeat(100_000), "levels deep"],
  ["null", "null"],
])("%s is refused", (text, told) => {
  expect(() => modelFromJson(text.length > 50 ? text : text)).toThrow(told);
});

test("a description that names no layer is refused by its place", () => {
  const json = { kind: "sequential", options: { layers: [{ kind: "linaer", options: {} }] } };
  expect(() => modelFromJson(json)).toThrow("Did you mean 'linear'");
});
