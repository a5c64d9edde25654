// What dropout refuses, as layers and as operations, and how it says so.
import { alphaDropout, dropout, type ErrorCode, gaussianDropout, linear, ops, spatialDropout, tensor } from "carillon";
import { describe, expect, test } from "vitest";

/** Calls as JavaScript may make them. */
type Anything = (...given: readonly unknown[]) => unknown;
const any = (call: unknown): Anything => call as Anything;

function expectError(call: () => unknown, code: ErrorCode, where: string, says: string): void {
  expect(call).toThrow(expect.objectContaining({ code, where, message: expect.stringContaining(says) }));
}

const PLACE = { seed: 1, step: 1, site: 0 };

const WAYS: readonly (readonly [name: string, call: (options: unknown) => unknown])[] = [
  ["dropout", any(dropout)],
  ["spatialDropout", any(spatialDropout)],
  ["alphaDropout", any(alphaDropout)],
  ["gaussianDropout", any(gaussianDropout)],
];

const RATES = [1, -0.1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "0.5", null];
const KEEPS = [0, -0.1, 1.5, Number.NaN, "0.5", null];

describe.each(WAYS)("%s, the layer", (name, make) => {
  test.each(RATES)("rate %o", (rate) => {
    expectError(() => make({ rate }), "ERR_OPTION", `${name}.rate`, `a number in [0, 1) for '${name}.rate'`);
    if (typeof rate === "number") expectError(() => make(rate), "ERR_OPTION", `${name}.rate`, "[0, 1)");
  });

  test.each(KEEPS)("keep %o", (keep) => {
    expectError(() => make({ keep }), "ERR_OPTION", `${name}.keep`, `a number in (0, 1] for '${name}.keep'`);
  });

  test("either rate or keep, and nothing unknown", () => {
    expectError(() => make({}), "ERR_OPTION", name, "either rate or keep");
    expectError(() => make({ rate: 0.5, keep: 0.5 }), "ERR_OPTION", name, "either rate or keep");
    expectError(() => make({ rate: 0.5, kep: 0.5 }), "ERR_UNKNOWN_OPTION", `${name}.kep`, "'keep'");
    expectError(() => make("0.5"), "ERR_OPTION", name, "an object of options");
    expectError(() => make(undefined), "ERR_OPTION", name, "an object of options");
    expect(() => make({ rate: 0.5, keep: undefined, name: undefined })).not.toThrow();
    expect(() => make({ keep: 1 })).not.toThrow();
  });

  test("scaling belongs to those that scale", () => {
    const scaled = ["dropout", "spatialDropout"].includes(name);
    const call = (): unknown => make({ rate: 0.5, scaling: "clasic" });
    if (scaled) expectError(call, "ERR_OPTION", `${name}.scaling`, "'inverted' or 'classic'");
    else expectError(call, "ERR_UNKNOWN_OPTION", `${name}.scaling`, "scaling");
  });

  test("its name is one that may stand in a parameter's name", () => {
    expect(() => make({ rate: 0.5, name: "1st" })).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
  });
});

describe.each([
  ["dropout", any(ops.dropout)],
  ["spatialDropout", any(ops.spatialDropout)],
  ["alphaDropout", any(ops.alphaDropout)],
  ["gaussianDropout", any(ops.gaussianDropout)],
])("%s, the operation", (name, call) => {
  const x = tensor([[1, 2]]);

  test.each(RATES)("rate %o", (rate) => {
    expectError(() => call(x, { rate, ...PLACE }), "ERR_OPTION", `${name}.rate`, "[0, 1)");
  });

  test.each(KEEPS)("keep %o", (keep) => {
    expectError(() => call(x, { keep, ...PLACE }), "ERR_OPTION", `${name}.keep`, "(0, 1]");
  });

  test.each<[string, object, ErrorCode, string, string]>([
    ["neither", PLACE, "ERR_OPTION", name, "either rate or keep"],
    ["both", { rate: 0.5, keep: 0.5, ...PLACE }, "ERR_OPTION", name, "either rate or keep"],
    ["unknown", { rate: 0.5, sites: 1, ...PLACE }, "ERR_UNKNOWN_OPTION", `${name}.sites`, "'site'"],
    ["no site", { rate: 0.5, seed: 1, step: 1 }, "ERR_OPTION", `${name}.site`, "an integer in [0, 2147483647]"],
    ["site < 0", { rate: 0.5, ...PLACE, site: -1 }, "ERR_OPTION", `${name}.site`, "an integer in [0, 2147483647]"],
    ["no seed", { rate: 0.5, site: 0, step: 1 }, "ERR_OPTION", `${name}.seed`, "an integer >= 0"],
    ["seed ½", { rate: 0.5, ...PLACE, seed: 0.5 }, "ERR_OPTION", `${name}.seed`, "an integer >= 0"],
    ["no step", { rate: 0.5, site: 0, seed: 1 }, "ERR_OPTION", `${name}.step`, "an integer >= 1"],
    ["step 0", { rate: 0.5, ...PLACE, step: 0 }, "ERR_OPTION", `${name}.step`, "an integer >= 1"],
  ])("%s", (_name, options, code, where, says) => {
    expectError(() => call(x, options), code, where, says);
  });

  test("integers have no mask", () => {
    const labels = tensor(new Int32Array(2));
    expectError(
      () => call(labels, { rate: 0.5, ...PLACE }),
      "ERR_DTYPE",
      name === "gaussianDropout" ? "noise" : "dropout",
      "f32",
    );
  });
});

test.each(RATES.filter((rate) => rate !== null))("linear's dropConnect %o", (dropConnect) => {
  expectError(() => any(linear)(2, 3, { dropConnect }), "ERR_OPTION", "linear.dropConnect", "a number in [0, 1)");
});
