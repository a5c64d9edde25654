// What every optimizer has in common: strict options, presets, immutable descriptions, scalars that depend on the step
// alone.
import type { Optimizer } from "carillon";
import { describe, expect, test } from "vitest";
import { nativeInfo } from "../../lib/binding/native.js";
import { NATIVE, type Options } from "./every.js";

type Kind = keyof typeof NATIVE;

/** What each needs to be made at all. */
const REQUIRED: Partial<Record<Kind, Options>> = { sgd: { lr: 0.1 }, sgdMomentum: { lr: 0.1 } };

const KINDS = Object.keys(NATIVE) as Kind[];

function make(kind: Kind, options: Options = {}): Optimizer {
  return NATIVE[kind]({ ...REQUIRED[kind], ...options });
}

/** `[min, max)` or, without a maximum, `[min, ∞)`. */
type Range = readonly [min: number, below?: number];

const ETA: Range = [0];
const BETA: Range = [0, 1];

const NUMBERS: Record<Kind, Readonly<Record<string, Range>>> = {
  sgd: { lr: ETA, momentum: BETA },
  sgdMomentum: { lr: ETA, beta: BETA },
  adagrad: { lr: ETA, initialAccumulator: [0] },
  rmsprop: { lr: ETA, rho: BETA, momentum: BETA },
  adam: { lr: ETA, beta1: BETA, beta2: BETA },
  adamw: { lr: ETA, beta1: BETA, beta2: BETA, weightDecay: [0] },
  amsgrad: { lr: ETA, beta1: BETA, beta2: BETA },
  nadam: { lr: ETA, beta1: BETA, beta2: BETA, momentumDecay: [0] },
  radam: { lr: ETA, beta1: BETA, beta2: BETA },
  adamax: { lr: ETA, beta1: BETA, beta2: BETA },
  adadelta: { lr: ETA, rho: BETA },
  lion: { lr: ETA, beta1: BETA, beta2: BETA, weightDecay: [0] },
};

/** Those of them that are 0 unless said otherwise. */
const DEFAULT_0 = ["sgd.momentum", "adagrad.initialAccumulator", "rmsprop.momentum", "lion.weightDecay"];

const ADAPTIVE = ["adagrad", "rmsprop", "adam", "adamw", "amsgrad", "nadam", "radam", "adamax", "adadelta"] as const;

/** The frameworks that have it. */
const FRAMEWORKS: Record<Kind, readonly string[]> = {
  sgd: ["pytorch", "keras"],
  sgdMomentum: [],
  adagrad: ["pytorch", "keras"],
  rmsprop: ["pytorch", "keras"],
  adam: ["pytorch", "keras"],
  adamw: ["pytorch", "keras"],
  amsgrad: ["pytorch", "keras"],
  nadam: ["pytorch", "keras"],
  radam: ["pytorch"],
  adamax: ["pytorch", "keras"],
  adadelta: ["pytorch", "keras"],
  lion: ["keras"],
};

function refusal(run: () => unknown): {
  readonly code?: unknown;
  readonly where?: unknown;
  readonly message?: unknown;
} {
  try {
    run();
  } catch (error) {
    return error as object;
  }
  return {};
}

describe.each(KINDS)("%s", (kind) => {
  test("its description is immutable, and names a native rule", () => {
    const one = make(kind);
    expect(one.kind).toBe(kind);
    expect(nativeInfo.optimizers).toContain(one.rule);
    expect([one, one.states, one.constants, ...one.states, one.decay].every(Object.isFrozen)).toBe(true);
  });

  test("an unknown option is refused, not ignored", () => {
    expect(refusal(() => make(kind, { learningRate: 1 }))).toMatchObject({
      code: "ERR_UNKNOWN_OPTION",
      where: `${kind}.learningRate`,
    });
    for (const value of [0.1, null, [0.1], "adam"]) {
      expect(refusal(() => NATIVE[kind](value as unknown as Options)).code).toBe("ERR_OPTION");
    }
  });

  test.each(Object.entries(NUMBERS[kind]))(
    "%s has a range, and 0 is in it and not taken for absent",
    (option, range) => {
      const [min, below] = range;
      for (const value of [min - 0.001, below ?? Number.POSITIVE_INFINITY, Number.NaN, "0.1", [0.1]]) {
        expect(refusal(() => make(kind, { [option]: value }))).toMatchObject({
          code: "ERR_OPTION",
          where: `${kind}.${option}`,
        });
      }
      const form = (options: Options): string => {
        const one = make(kind, options);
        return JSON.stringify({ ...one, scalars: one.scalars?.(7) });
      };
      expect(form({ ...REQUIRED[kind], [option]: REQUIRED[kind]?.[option] })).toBe(form({}));
      expect(form({ [option]: 0 }) === form({})).toBe(DEFAULT_0.includes(`${kind}.${option}`));
    },
  );

  test("scalars of a step do not depend on what was asked before", () => {
    const forms: Options[] = [{}, ...FRAMEWORKS[kind].map((compat) => ({ compat }))];
    for (const options of forms) {
      const { scalars } = make(kind, options);
      if (scalars === null) continue;
      const steps = Array.from({ length: 3000 }, (_, index) => index + 1);
      const inOrder = steps.map((step) => scalars(step));
      const again = make(kind, options).scalars;
      const backwards = steps.toReversed().map((step) => again?.(step));
      expect(backwards.toReversed()).toEqual(inOrder);
      for (const step of [1, 2999, 17, 1024, 1023, 1025, 2048, 1]) {
        expect(make(kind, options).scalars?.(step)).toEqual(inOrder[step - 1]);
        expect(scalars(step)).toEqual(inOrder[step - 1]);
      }
      expect(inOrder.flat().every(Number.isFinite)).toBe(true);
      expect(scalars(10_000_000).every(Number.isFinite)).toBe(true);
    }
  });

  test("compat is one of the frameworks that have it", () => {
    for (const compat of FRAMEWORKS[kind]) expect(make(kind, { compat }).clipsSum).toBe(compat === "keras");
    expect(make(kind).clipsSum).toBe(false);
    for (const compat of ["pytorch", "keras", "tensorflow", 1].filter((one) => !FRAMEWORKS[kind].includes(`${one}`))) {
      expect(["ERR_OPTION", "ERR_UNKNOWN_OPTION"]).toContain(refusal(() => make(kind, { compat })).code);
    }
  });

  test("decay that is decoupled reaches biases in a framework's form only", () => {
    const own = kind === "adamw" || kind === "lion";
    for (const compat of [undefined, ...FRAMEWORKS[kind]]) {
      if (kind === "sgdMomentum") continue;
      const run = () => make(kind, { compat, weightDecay: 0.02 });
      if (kind === "radam") {
        expect(refusal(run).code).toBe("ERR_UNKNOWN_OPTION");
      } else if (own || compat === "keras") {
        expect(run().decay).toEqual({ lambda: 0.02, everywhere: compat !== undefined });
        expect(make(kind, { compat, weightDecay: 0 }).decay).toBeNull();
      } else {
        expect(refusal(run)).toMatchObject({ code: "ERR_OPTION", where: `${kind}.weightDecay` });
        expect(make(kind, { compat, weightDecay: 0 }).decay).toBeNull();
      }
    }
    if (!own) expect(make(kind).decay).toBeNull();
  });
});

describe.each(ADAPTIVE)("epsilon of %s", (kind) => {
  test("is a number, or a value with its place", () => {
    const other = kind === "adadelta" ? "inside" : make(kind).constants.at(-1) === 1 ? "outside" : "inside";
    expect(make(kind, { epsilon: 0.25 })).toEqual(
      expect.objectContaining({ constants: expect.arrayContaining([0.25]) }),
    );
    expect(make(kind, { epsilon: { value: 0.25 } }).constants).toEqual(make(kind, { epsilon: 0.25 }).constants);
    const moved = make(kind, { epsilon: { value: 0.25, placement: other } }).constants;
    if (kind !== "adadelta") expect(moved).not.toEqual(make(kind, { epsilon: 0.25 }).constants);
  });

  test.each<[unknown, string]>([
    [0, ""],
    [1e-40, ""],
    [-1, ""],
    [Number.NaN, ""],
    ["1e-8", ""],
    [{ value: 0 }, ".value"],
    [{ placement: "inside" }, ".value"],
    [{ value: 1e-8, placement: "Inside" }, ".placement"],
  ])("refuses %o", (epsilon, where) => {
    expect(refusal(() => make(kind, { epsilon }))).toMatchObject({
      code: "ERR_OPTION",
      where: `${kind}.epsilon${where}`,
    });
  });

  test("refuses an unknown key", () => {
    expect(refusal(() => make(kind, { epsilon: { value: 1, place: "inside" } }))).toMatchObject({
      code: "ERR_UNKNOWN_OPTION",
      where: `${kind}.epsilon.place`,
    });
  });

  test.each(FRAMEWORKS[kind])("may not stand where %s does not have it, and the message names both", (compat) => {
    const inside = kind === "adadelta" || make(kind, { compat }).constants.at(placeOf(kind)) === 1;
    const [same, other] = inside ? ["inside", "outside"] : ["outside", "inside"];
    expect(make(kind, { compat, epsilon: { value: 0.5, placement: same } }).constants).toContain(0.5);
    const error = refusal(() => make(kind, { compat, epsilon: { value: 0.5, placement: other } }));
    expect(error).toMatchObject({ code: "ERR_OPTION", where: `${kind}.epsilon.placement` });
    if (kind !== "adadelta") expect(error.message).toContain(`${kind}.compat '${compat}'`);
  });
});

/** Where the constants say whether ε stands inside. */
function placeOf(kind: Kind): number {
  return { adagrad: 1, rmsprop: 3, adamax: 4 }[kind as string] ?? 5;
}

test.each<[Kind, Options, string]>([
  ["sgd", { compat: "keras", momentum: 0.9, dampening: 0.5 }, "sgd.dampening"],
  ["sgd", { compat: "keras", momentum: 0.9, rateInside: false }, "sgd.rateInside"],
  ["sgd", { compat: "pytorch", momentum: 0.9, rateInside: true }, "sgd.rateInside"],
  ["sgd", { compat: "pytorch", weightDecay: 0.1 }, "sgd.weightDecay"],
  ["rmsprop", { compat: "keras", momentum: 0.9, rateInside: false }, "rmsprop.rateInside"],
  ["rmsprop", { compat: "pytorch", momentum: 0.9, rateInside: true }, "rmsprop.rateInside"],
  ["nadam", { compat: "keras", momentumDecay: 0.004 }, "nadam.momentumDecay"],
  ["adam", { compat: "pytorch", weightDecay: 0.1 }, "adam.weightDecay"],
])("%s with %o contradicts itself", (kind, options, where) => {
  const compat = `${kind}.compat '${String(options.compat)}'`;
  expect(refusal(() => make(kind, options))).toMatchObject({
    code: "ERR_OPTION",
    where,
    message: expect.stringContaining(compat),
  });
});

test.each<[Kind, Options]>([
  ["sgd", { compat: "keras", lr: () => 0.1 }],
  ["sgd", { compat: "keras", lr: () => 0.1, momentum: 0.9 }],
  ["sgd", { compat: "keras", rateInside: true, momentum: 0.5 }],
  ["sgd", { compat: "pytorch", momentum: 0.9, dampening: 0.5, lr: () => 0.1 }],
  ["rmsprop", { compat: "keras", rateInside: true, momentum: 0.5 }],
  ["rmsprop", { compat: "pytorch", rateInside: false }],
  ["nadam", { compat: "keras", momentumDecay: 1 }],
  ["adagrad", { compat: "pytorch", initialAccumulator: 0.5 }],
])("%s with %o does not", (kind, options) => {
  expect(() => make(kind, options)).not.toThrow();
});

test("a velocity that takes in the rate needs a momentum", () => {
  expect(refusal(() => make("rmsprop", { rateInside: true }))).toMatchObject({
    code: "ERR_OPTION",
    where: "rmsprop.momentum",
  });
});

test("sgd needs a rate, unless a framework has one", () => {
  expect(refusal(() => NATIVE.sgd({}))).toMatchObject({ code: "ERR_OPTION", where: "sgd.lr" });
  expect(NATIVE.sgd({ compat: "pytorch" }).lr).toBe(0.001);
  expect(NATIVE.sgd({ compat: "keras" }).lr).toBe(0.01);
});

test("the states have names, and AdaGrad's starts where it is told", () => {
  const states = Object.fromEntries(KINDS.map((kind) => [kind, make(kind).states.map(({ name }) => name)]));
  expect(states).toEqual({
    sgd: [],
    sgdMomentum: ["velocity"],
    adagrad: ["sumOfSquares"],
    rmsprop: ["secondMoment"],
    adam: ["firstMoment", "secondMoment"],
    adamw: ["firstMoment", "secondMoment"],
    amsgrad: ["firstMoment", "secondMoment", "maxSecondMoment"],
    nadam: ["firstMoment", "secondMoment"],
    radam: ["firstMoment", "secondMoment"],
    adamax: ["firstMoment", "infinityNorm"],
    adadelta: ["secondMoment", "deltaMoment"],
    lion: ["momentum"],
  });
  const forms = [{ centered: true }, { momentum: 0.5 }, { centered: true, momentum: 0.5 }];
  expect(forms.map((options) => make("rmsprop", options).states.map(({ name }) => name))).toEqual([
    ["secondMoment", "mean"],
    ["secondMoment", "velocity"],
    ["secondMoment", "mean", "velocity"],
  ]);
  const initial = (options: Options): number | undefined => make("adagrad", options).states[0]?.initial;
  expect([initial({}), initial({ compat: "keras" }), initial({ compat: "keras", initialAccumulator: 0 })]).toEqual([
    0, 0.1, 0,
  ]);
});
