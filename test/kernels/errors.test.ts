// What is refused, with which code, at which place, and that nothing was written then.
import * as kernels from "carillon/kernels";
import { afterEach, describe, expect, test } from "vitest";
import type { ErrorCode } from "../../lib/errors.js";

type Options = Readonly<Record<string, unknown>>;

/** A call as somebody without types would write it. */
function untyped(kernel: unknown): (...args: readonly unknown[]) => unknown {
  return kernel as (...args: readonly unknown[]) => unknown;
}

const floats = (count: number): Float32Array => new Float32Array(count).fill(0.5);

/** Gives the memory of an array away. */
function detach({ buffer }: Float32Array | Int32Array): void {
  if (buffer instanceof ArrayBuffer) structuredClone(buffer, { transfer: [buffer] });
}

/** Written by no call that is refused. */
const outputs: (Float32Array | Int32Array)[] = [];

function output(count: number): Float32Array {
  const y = new Float32Array(count).fill(7);
  outputs.push(y);
  return y;
}

afterEach(() => {
  for (const y of outputs.splice(0)) expect([...new Set(y)].filter((value) => value !== 7)).toEqual([]);
});

/** Good options of every kernel that takes some. */
const GOOD: Readonly<Record<string, () => Options>> = {
  gemm: () => ({ m: 2, n: 3, k: 4, a: floats(8), b: floats(12), c: output(6), bias: floats(3) }),
  packWeights: () => ({ n: 3, k: 4, b: floats(12), packed: output(kernels.packedLength(3, 4)) }),
  rowSum: () => ({ rows: 2, columns: 3, x: floats(6), y: output(2) }),
  columnSum: () => ({ rows: 2, columns: 3, x: floats(6), y: output(3) }),
  softmax: () => ({ rows: 2, columns: 3, x: floats(6), y: output(6) }),
  logSoftmax: () => ({ rows: 2, columns: 3, x: floats(6), y: output(6) }),
  softmaxCrossEntropy: () => ({
    rows: 2,
    columns: 3,
    logits: floats(6),
    labels: Int32Array.of(0, 2),
    losses: output(2),
  }),
  softmaxCrossEntropyGradient: () => ({
    rows: 2,
    columns: 3,
    logits: floats(6),
    labels: Int32Array.of(0, 2),
    lossGradient: floats(2),
    logitsGradient: output(6),
  }),
  argmax: () => {
    const y = new Int32Array(2).fill(7);
    outputs.push(y);
    return { rows: 2, columns: 3, x: floats(6), y };
  },
  oneHot: () => ({ labels: Int32Array.of(0, 2), classes: 3, y: output(6) }),
  gather: () => ({ columns: 3, indices: Int32Array.of(1, 0), source: floats(6), y: output(6) }),
  dropoutForward: () => ({ x: floats(5), y: output(5), rate: 0.5, seed: 1, step: 1, site: 0 }),
  dropoutBackward: () => ({
    outputGradient: floats(5),
    inputGradient: output(5),
    rate: 0.5,
    seed: 1,
    step: 1,
    site: 0,
  }),
  gaussianNoise: () => ({ x: floats(5), y: output(5), deviation: 1, seed: 1, step: 1, site: 0 }),
  sgdStep: () => ({ parameters: output(5), gradients: floats(5), step: 1, lr: 0.1 }),
  sgdMomentumStep: () => step("velocity"),
  adagradStep: () => step("sumOfSquares"),
  rmspropStep: () => step("secondMoment"),
  adamStep: () => step("firstMoment", "secondMoment"),
  adamwStep: () => step("firstMoment", "secondMoment"),
  amsgradStep: () => step("firstMoment", "secondMoment", "maxSecondMoment"),
  nadamStep: () => step("firstMoment", "secondMoment"),
  radamStep: () => step("firstMoment", "secondMoment"),
  adamaxStep: () => step("firstMoment", "infinityNorm"),
  adadeltaStep: () => step("secondMoment", "deltaMoment"),
  lionStep: () => step("momentum"),
};

function step(...states: readonly string[]): Options {
  const held = Object.fromEntries(states.map((name) => [name, output(5)]));
  return { parameters: output(5), gradients: floats(5), states: held, step: 1, lr: 0.1 };
}

const exported: Readonly<Record<string, unknown>> = { ...kernels };

function refusal(call: () => unknown): { readonly code: ErrorCode; readonly where: string; readonly message: string } {
  try {
    call();
  } catch (error) {
    if (error instanceof kernels.CarillonError) return { code: error.code, where: error.where, message: error.message };
    throw error;
  }
  throw new Error("nothing was refused");
}

/** The array options of a call, those in `states` by their path. */
function arraysOf(options: Options): readonly (readonly [path: string, array: Float32Array | Int32Array])[] {
  return Object.entries(options).flatMap(([key, value]) => {
    if (value instanceof Float32Array || value instanceof Int32Array) return [[key, value] as const];
    if (key !== "states") return [];
    return Object.entries(value as Options).map(([name, state]) => [`states.${name}`, state as Float32Array] as const);
  });
}

/** `options` with another array at `path`. */
function replaced(options: Options, path: string, array: unknown): Options {
  const [key = "", name] = path.split(".");
  return name === undefined
    ? { ...options, [key]: array }
    : { ...options, [key]: { ...(options[key] as Options), [name]: array } };
}

test("every kernel that takes options is here", () => {
  const positional = ["sum", "sumSquares", "countEqual", "fill", "copy", "convertU8", "packedLength", "philox"];
  const functions = Object.entries(exported).filter(([name, value]) => {
    return typeof value === "function" && name !== "CarillonError" && !positional.includes(name);
  });
  expect(functions.map(([name]) => name).sort()).toEqual(Object.keys(GOOD).sort());
});

describe.each(Object.entries(GOOD))("%s", (name, good) => {
  const kernel = untyped(exported[name]);

  test("good options are good", () => {
    kernel(good());
    outputs.splice(0);
  });

  test("arrays of another length, type, or detached", () => {
    const paths = arraysOf(good()).map(([path]) => path);
    expect(paths.length).toBeGreaterThan(0);
    for (const path of paths) {
      const options = good();
      const array = arraysOf(options).find(([other]) => other === path)?.[1] ?? floats(0);
      const type = array instanceof Int32Array ? Int32Array : Float32Array;
      const where = `${name}.${path}`;
      const longer = refusal(() => kernel(replaced(options, path, new type(array.length + 1))));
      // The array that gives the length is right by definition; then another one is wrong.
      expect(longer.code, path).toBe("ERR_SHAPE");
      if (!["x", "outputGradient", "parameters", "labels", "indices", "source"].includes(path)) {
        expect(longer.where).toBe(where);
        expect(longer.message).toBe(
          `expected ${array.length} elements for '${where}' but received ${array.length + 1}`,
        );
      }
      for (const wrong of [new Float64Array(array.length), [...array], null, "text", {}]) {
        expect(
          refusal(() => kernel(replaced(options, path, wrong))),
          path,
        ).toMatchObject({ code: "ERR_DTYPE", where });
      }
      const detached = array.slice();
      detach(detached);
      expect(refusal(() => kernel(replaced(options, path, detached)))).toMatchObject({ code: "ERR_DETACHED", where });
    }
  });

  test("memory that is shared with other threads", () => {
    for (const [path, array] of arraysOf(good())) {
      const type = array instanceof Int32Array ? Int32Array : Float32Array;
      const memory = new SharedArrayBuffer(array.byteLength);
      const shared = type === Int32Array ? new Int32Array(memory) : new Float32Array(memory);
      shared.set(array);
      const found = refusal(() => kernel(replaced(good(), path, shared)));
      expect(found).toMatchObject({ code: "ERR_DATA", where: `${name}.${path}` });
      expect([...shared]).toEqual([...array]);
    }
  });

  test("an option that there is not", () => {
    const options = good();
    const [known = ""] = Object.keys(options);
    expect(refusal(() => kernel({ ...options, nothing: 1 }))).toMatchObject({
      code: "ERR_UNKNOWN_OPTION",
      where: `${name}.nothing`,
    });
    const { message } = refusal(() => kernel({ ...options, treads: 1 }));
    expect(message).toBe(`expected a known option for '${name}' but received 'treads'. Did you mean 'threads'?`);
    for (const wrong of [undefined, null, 3, [], options[known]]) {
      expect(refusal(() => kernel(wrong))).toMatchObject({ code: "ERR_OPTION", where: name });
    }
  });

  test("threads out of range", () => {
    for (const threads of [0, -1, 1.5, 1025, Number.NaN, "2", null]) {
      expect(refusal(() => kernel({ ...good(), threads }))).toMatchObject({
        code: "ERR_OPTION",
        where: `${name}.threads`,
      });
    }
  });

  test("written arrays that overlap others", () => {
    const options = good();
    const arrays = arraysOf(options);
    const written = arrays.filter(([, array]) => outputs.includes(array));
    expect(written.length).toBeGreaterThan(0);
    for (const [path, array] of written) {
      for (const [other, partner] of arrays) {
        if (other === path) continue;
        // One element in common.
        const buffer = new ArrayBuffer((array.length + partner.length - 1) * 4);
        const type = partner instanceof Int32Array ? Int32Array : Float32Array;
        const behind = array instanceof Int32Array ? Int32Array : Float32Array;
        const first = new type(buffer, 0, partner.length);
        first.set(partner);
        const second = new behind(buffer, (partner.length - 1) * 4, array.length);
        const before = new Uint8Array(buffer).slice();
        const both = replaced(replaced(options, other, first), path, second);
        const { code, where } = refusal(() => kernel(both));
        expect(code, `${path} over ${other}`).toBe("ERR_DATA");
        expect([path, other].map((one) => `${name}.${one}`)).toContain(where);
        expect(new Uint8Array(buffer)).toEqual(before);
      }
    }
  });
});

describe("elementwise functions", () => {
  const { exp } = kernels.unary;
  const { add } = kernels.binary;

  test("of one argument", () => {
    const y = output(4);
    expect(refusal(() => exp(floats(5), y))).toMatchObject({ code: "ERR_SHAPE", where: "exp.y" });
    expect(refusal(() => untyped(exp)([1], y))).toMatchObject({ code: "ERR_DTYPE", where: "exp.x" });
    expect(refusal(() => untyped(exp)(floats(4)))).toMatchObject({ code: "ERR_DTYPE", where: "exp.y" });
    expect(refusal(() => untyped(exp)(floats(4), y, { thread: 2 }))).toMatchObject({
      code: "ERR_UNKNOWN_OPTION",
      where: "exp.thread",
    });
    expect(refusal(() => exp(floats(4), y, { threads: 0 }))).toMatchObject({
      code: "ERR_OPTION",
      where: "exp.threads",
    });
    const memory = floats(6);
    const overlapping = refusal(() => exp(memory.subarray(0, 5), memory.subarray(1)));
    expect(overlapping).toEqual({
      code: "ERR_DATA",
      where: "exp.y",
      message: "expected memory of its own for 'exp.y', which is written, but it overlaps 'exp.x'",
    });
    expect([...memory]).toEqual([...floats(6)]);
    const gone = floats(0);
    detach(gone);
    expect(refusal(() => exp(gone, floats(0)))).toMatchObject({ code: "ERR_DETACHED", where: "exp.x" });
    expect(refusal(() => exp(floats(0), gone))).toMatchObject({ code: "ERR_DETACHED", where: "exp.y" });
  });

  test("of two arguments", () => {
    const y = output(4);
    expect(refusal(() => add(floats(5), floats(4), y))).toMatchObject({ code: "ERR_SHAPE", where: "add.a" });
    expect(refusal(() => add(1, floats(5), y))).toMatchObject({ code: "ERR_SHAPE", where: "add.b" });
    expect(refusal(() => add(1, 2, y))).toMatchObject({ code: "ERR_DTYPE", where: "add.b" });
    expect(refusal(() => untyped(add)("1", floats(4), y))).toMatchObject({ code: "ERR_DTYPE", where: "add.a" });
    const memory = floats(6);
    const overlapping = refusal(() => add(memory.subarray(0, 5), floats(5), memory.subarray(1)));
    expect(overlapping).toMatchObject({ code: "ERR_DATA", where: "add.y" });
  });

  test("sums, fills, copies, conversions", () => {
    expect(refusal(() => untyped(kernels.sum)([1]))).toMatchObject({ code: "ERR_DTYPE", where: "sum.x" });
    expect(refusal(() => kernels.sumSquares(floats(1), { threads: 0 }))).toMatchObject({
      code: "ERR_OPTION",
      where: "sumSquares.threads",
    });
    expect(refusal(() => untyped(kernels.fill)(output(3), "1"))).toMatchObject({
      code: "ERR_OPTION",
      where: "fill.value",
    });
    const memory = floats(5);
    expect(refusal(() => kernels.copy(memory, memory))).toMatchObject({ code: "ERR_DATA", where: "copy.y" });
    expect(refusal(() => kernels.copy(floats(4), output(5)))).toMatchObject({ code: "ERR_SHAPE", where: "copy.y" });
    const bytes = new Uint8Array(memory.buffer, 0, 5);
    expect(refusal(() => kernels.convertU8(bytes, memory))).toMatchObject({ code: "ERR_DATA", where: "convertU8.y" });
    const unsigned = untyped(kernels.convertU8);
    expect(refusal(() => unsigned(floats(3), output(3)))).toMatchObject({ code: "ERR_DTYPE", where: "convertU8.x" });
    expect(refusal(() => unsigned(bytes, output(5), { scale: Number.NaN }))).toMatchObject({
      code: "ERR_OPTION",
      where: "convertU8.scale",
    });
    expect(refusal(() => kernels.countEqual(Int32Array.of(1), Int32Array.of(1, 2)))).toMatchObject({
      code: "ERR_SHAPE",
      where: "countEqual.b",
    });
  });
});

describe("numbers and combinations", () => {
  const cases: readonly (readonly [name: string, options: Options, code: ErrorCode, where: string])[] = [
    ["gemm", { m: 0 }, "ERR_OPTION", "gemm.m"],
    ["gemm", { n: 1.5 }, "ERR_OPTION", "gemm.n"],
    ["gemm", { k: 2 ** 31 }, "ERR_OPTION", "gemm.k"],
    ["gemm", { m: 3 }, "ERR_SHAPE", "gemm.a"],
    ["gemm", { transposeA: 1 }, "ERR_OPTION", "gemm.transposeA"],
    ["gemm", { transposeB: "yes" }, "ERR_OPTION", "gemm.transposeB"],
    ["gemm", { activation: "relu6" }, "ERR_OPTION", "gemm.activation"],
    ["gemm", { accumulate: true }, "ERR_OPTION", "gemm.bias"],
    ["gemm", { accumulate: true, bias: undefined, activation: "relu" }, "ERR_OPTION", "gemm.activation"],
    ["gemm", { packed: 1 }, "ERR_OPTION", "gemm.packed"],
    ["gemm", { packed: true }, "ERR_SHAPE", "gemm.b"],
    ["gemm", { packed: true, b: floats(128), transposeB: true }, "ERR_OPTION", "gemm.transposeB"],
    ["packWeights", { n: 0 }, "ERR_OPTION", "packWeights.n"],
    ["packWeights", { transposed: 1 }, "ERR_OPTION", "packWeights.transposed"],
    ["rowSum", { rows: -1 }, "ERR_OPTION", "rowSum.rows"],
    ["softmax", { columns: 0 }, "ERR_OPTION", "softmax.columns"],
    ["softmaxCrossEntropy", { labels: Int32Array.of(0, 3) }, "ERR_LABEL", "softmaxCrossEntropy.labels[1]"],
    ["softmaxCrossEntropy", { labels: Int32Array.of(-1, 0) }, "ERR_LABEL", "softmaxCrossEntropy.labels[0]"],
    [
      "softmaxCrossEntropyGradient",
      { labels: Int32Array.of(0, 3) },
      "ERR_LABEL",
      "softmaxCrossEntropyGradient.labels[1]",
    ],
    ["oneHot", { labels: Int32Array.of(0, 3) }, "ERR_LABEL", "oneHot.labels[1]"],
    ["oneHot", { classes: 0 }, "ERR_OPTION", "oneHot.classes"],
    ["gather", { indices: Int32Array.of(0, 2) }, "ERR_DATA", "gather.indices[1]"],
    ["gather", { source: floats(7) }, "ERR_SHAPE", "gather.source"],
    ["gather", { scale: 2 }, "ERR_OPTION", "gather.scale"],
    ["gather", { source: new Int32Array(6) }, "ERR_DTYPE", "gather.y"],
    ["dropoutForward", { rate: 1 }, "ERR_OPTION", "dropoutForward.rate"],
    ["dropoutForward", { rate: undefined }, "ERR_OPTION", "dropoutForward"],
    ["dropoutForward", { keep: 0.5 }, "ERR_OPTION", "dropoutForward"],
    ["dropoutForward", { rate: undefined, keep: 0 }, "ERR_OPTION", "dropoutForward.keep"],
    ["dropoutForward", { seed: -1 }, "ERR_OPTION", "dropoutForward.seed"],
    ["dropoutForward", { step: 0 }, "ERR_OPTION", "dropoutForward.step"],
    ["dropoutForward", { step: 2 ** 32 }, "ERR_OPTION", "dropoutForward.step"],
    ["dropoutForward", { site: 2 ** 31 }, "ERR_OPTION", "dropoutForward.site"],
    ["dropoutForward", { offset: 0.5 }, "ERR_OPTION", "dropoutForward.offset"],
    ["dropoutForward", { scale: Number.POSITIVE_INFINITY }, "ERR_OPTION", "dropoutForward.scale"],
    ["gaussianNoise", { deviation: -1 }, "ERR_OPTION", "gaussianNoise.deviation"],
    ["adamStep", { step: 0 }, "ERR_OPTION", "adamStep.step"],
    ["adamStep", { lr: -1 }, "ERR_OPTION", "adamStep.lr"],
    ["adamStep", { lr: () => 1 }, "ERR_OPTION", "adamStep.lr"],
    ["sgdStep", { lr: undefined }, "ERR_OPTION", "sgd.lr"],
    ["sgdStep", { step: undefined }, "ERR_OPTION", "sgdStep.step"],
    ["adamStep", { beta1: 1 }, "ERR_OPTION", "adam.beta1"],
    ["adamStep", { epsilon: 0 }, "ERR_OPTION", "adam.epsilon"],
    ["adamStep", { compat: "tensorflow" }, "ERR_OPTION", "adam.compat"],
    ["adamStep", { clipValue: 0 }, "ERR_OPTION", "adamStep.clipValue"],
    ["adamStep", { clipValue: 1, l2: 0.1, compat: "keras" }, "ERR_OPTION", "adamStep.clipValue"],
    ["adamStep", { gradientScale: -1 }, "ERR_OPTION", "adamStep.gradientScale"],
    ["adamStep", { l1: -1 }, "ERR_OPTION", "adamStep.l1"],
    ["adamStep", { l2: Number.NaN }, "ERR_OPTION", "adamStep.l2"],
    ["adamStep", { metric: "adaptive" }, "ERR_OPTION", "adamStep.metric"],
    ["adamStep", { proximal: 1 }, "ERR_OPTION", "adamStep.proximal"],
    ["adamStep", { weightDecay: -1 }, "ERR_OPTION", "adamStep.weightDecay"],
    ["adamwStep", { weightDecay: -1 }, "ERR_OPTION", "adamw.weightDecay"],
    ["adamStep", { maxNorm: { bound: 0, columns: 5 } }, "ERR_OPTION", "adamStep.maxNorm.bound"],
    ["adamStep", { maxNorm: { bound: 1, columns: 2 } }, "ERR_SHAPE", "adamStep.maxNorm.columns"],
    ["adamStep", { maxNorm: { bound: 1, column: 5 } }, "ERR_UNKNOWN_OPTION", "adamStep.maxNorm.column"],
    ["adamStep", { average: { values: floats(5), decay: 1 } }, "ERR_OPTION", "adamStep.average.decay"],
    ["adamStep", { average: { values: floats(4), decay: 0.5 } }, "ERR_SHAPE", "adamStep.average.values"],
    ["adamStep", { penalty: floats(2) }, "ERR_SHAPE", "adamStep.penalty"],
    ["adamStep", { states: {} }, "ERR_DTYPE", "adamStep.states.firstMoment"],
    ["adamStep", { states: { firstMoment: floats(5) } }, "ERR_DTYPE", "adamStep.states.secondMoment"],
    ["adamStep", { states: { firstMomentum: floats(5) } }, "ERR_UNKNOWN_OPTION", "adamStep.states.firstMomentum"],
    ["sgdStep", { states: { velocity: floats(5) } }, "ERR_UNKNOWN_OPTION", "sgdStep.states.velocity"],
    ["sgdStep", { momentum: 0.9 }, "ERR_DTYPE", "sgdStep.states.velocity"],
    ["adagradStep", { initialAccumulator: 0.1 }, "ERR_UNKNOWN_OPTION", "adagradStep.initialAccumulator"],
  ];

  test.each(cases)("%s with %o", (name, options, code, where) => {
    const good = GOOD[name]?.() ?? {};
    expect(refusal(() => untyped(exported[name])({ ...good, ...options }))).toMatchObject({ code, where });
  });

  test("an average or a penalty over another array", () => {
    const good = GOOD.adamStep?.() ?? {};
    const parameters = good.parameters;
    const average = { values: parameters, decay: 0.5 };
    expect(refusal(() => untyped(kernels.adamStep)({ ...good, average }))).toMatchObject({ code: "ERR_DATA" });
    const penalty = (parameters as Float32Array).subarray(1, 2);
    expect(refusal(() => untyped(kernels.adamStep)({ ...good, penalty }))).toMatchObject({ code: "ERR_DATA" });
  });

  test("a refused step of a rule leaves no trace in the next", () => {
    const parameters = Float32Array.of(1);
    const gradients = Float32Array.of(1);
    const states = { firstMoment: new Float32Array(1), secondMoment: new Float32Array(1) };
    expect(refusal(() => kernels.adamStep({ parameters, gradients, states, step: 1, beta1: 2 })).code).toBe(
      "ERR_OPTION",
    );
    expect(refusal(() => kernels.adamStep({ parameters, gradients, states, step: 1, l2: 9, clipValue: 0 })).code).toBe(
      "ERR_OPTION",
    );
    kernels.adamStep({ parameters, gradients, states, step: 1, lr: 0.5 });
    expect(parameters[0]).toBeCloseTo(0.5, 6);
  });
});
