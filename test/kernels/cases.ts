// One call of every kernel, at any size: what the tests of bits, memory, threads and instruction sets walk.

import * as kernels from "carillon/kernels";
import { type BinaryName, binary, type UnaryName, unary } from "carillon/kernels";
import type { NativeArray } from "../../lib/binding/native.js";
import type { Memory } from "./memory.js";

/** The exports as an object, for access by name. */
const exported = { ...kernels };

/** One use of a kernel. */
export interface Case {
  /** Name of the export, with the function of a table behind a point. */
  readonly kernel: string;
  /** Distinguishes the uses of one kernel. */
  readonly label?: string;
  /** Calls it for a problem of about `size` elements; the arrays that it writes. */
  run(size: number, memory: Memory, threads: number): readonly NativeArray[];
}

/** Sizes that leave every tail behind: 0 … 3N + 1 for the 16 floats of the widest vector. */
export const SMALL = Array.from({ length: 50 }, (_, size) => size);

/** Several times what a thread takes at least (native/ops/operation.h), and no multiple of anything. */
export const LARGE = 70_001;

/** A matrix of about `size` elements. */
function matrix(size: number): { readonly rows: number; readonly columns: number } {
  const columns = size > 1000 ? 131 : 1 + (size % 37);
  return { rows: Math.ceil(size / columns), columns };
}

/** Where each function has values: square roots and logarithms want positive numbers. */
function domain(name: string): readonly [low: number, high: number] {
  return ["log", "sqrt"].includes(name) ? [0.1, 4] : name === "log1p" ? [-0.9, 4] : [-4, 4];
}

const unaryCases = Object.entries(unary).map(([name, kernel]): Case => {
  return {
    kernel: `unary.${name}`,
    run(size, memory, threads) {
      const x = memory.floats(size, ...domain(name));
      const y = memory.floats(size);
      kernel(x, y, { threads });
      return [y];
    },
  };
});

const binaryCases = Object.entries(binary).flatMap(([name, kernel]): Case[] => {
  const of = (label: string, a: "array" | "number", b: "array" | "number"): Case => ({
    kernel: `binary.${name}`,
    label,
    run(size, memory, threads) {
      const y = memory.floats(size);
      const [left, right] = [memory.floats(size), memory.floats(size)];
      kernel(a === "array" ? left : 0.75, b === "array" ? right : 0.75, y, { threads });
      return [y];
    },
  });
  return [
    of("arrays", "array", "array"),
    of("a number right", "array", "number"),
    of("a number left", "number", "array"),
  ];
});

/** m, n, k of a product of about `size` elements; large ones are worth several threads. */
export function extents(size: number): { readonly m: number; readonly n: number; readonly k: number } {
  if (size >= 1000) return { m: 97, n: 131, k: 1111 };
  return { m: 1 + (size % 13), n: 1 + size, k: 1 + ((size * 7) % 31) };
}

function gemmCase(label: string, options: Partial<kernels.GemmOptions>, withBias = false): Case {
  return {
    kernel: "gemm",
    label,
    run(size, memory, threads) {
      const { m, n, k } = extents(size);
      const [a, b, c] = [memory.floats(m * k), memory.floats(k * n), memory.floats(m * n)];
      const bias = withBias ? memory.floats(n) : undefined;
      kernels.gemm({ m, n, k, a, b, c, bias, threads, ...options });
      return [c];
    },
  };
}

const gemmCases: readonly Case[] = [
  gemmCase("plain", {}),
  gemmCase("aᵀ", { transposeA: true }),
  gemmCase("bᵀ", { transposeB: true }),
  gemmCase("aᵀ bᵀ", { transposeA: true, transposeB: true }),
  gemmCase("accumulate", { accumulate: true }),
  gemmCase("bias, relu", { activation: "relu" }, true),
  gemmCase("bᵀ, bias, tanh", { activation: "tanh", transposeB: true }, true),
];

/** What is packed has the order of an instruction set: the result is the product with it. */
function packedCase(transposed: boolean): Case {
  return {
    kernel: "packWeights",
    label: transposed ? "bᵀ" : "b",
    run(size, memory, threads) {
      const { m, n, k } = extents(size);
      const [a, b, c] = [memory.floats(m * k), memory.floats(k * n), memory.floats(m * n)];
      const packed = memory.floats(exported.packedLength(n, k));
      kernels.packWeights({ n, k, b, transposed, packed, threads });
      const before = packed.slice();
      kernels.gemm({ m, n, k, a, b: packed, packed: true, c, threads });
      if (!packed.every((value, index) => value === before[index])) throw new Error("a product wrote its operand");
      packed.fill(0);
      return [c, packed];
    },
  };
}

type Reduction = "sum" | "sumSquares";

function reduction(name: Reduction): Case {
  return {
    kernel: name,
    run: (size, memory, threads) => [Float32Array.of(exported[name](memory.floats(size), { threads }))],
  };
}

function byRows(kernel: "softmax" | "logSoftmax" | "rowSum" | "columnSum"): Case {
  return {
    kernel,
    run(size, memory, threads) {
      const { rows, columns } = matrix(size);
      const x = memory.floats(rows * columns);
      const y = memory.floats(kernel === "rowSum" ? rows : kernel === "columnSum" ? columns : rows * columns);
      exported[kernel]({ rows, columns, x, y, threads });
      return [y];
    },
  };
}

function crossEntropyGradient(label: string, one: boolean): Case {
  return {
    kernel: "softmaxCrossEntropyGradient",
    label,
    run(size, memory, threads) {
      const { rows, columns } = matrix(size);
      const logits = memory.floats(rows * columns);
      const labels = memory.integers(rows, columns);
      const lossGradient = one ? 1 / 3 : memory.floats(rows);
      const logitsGradient = memory.floats(rows * columns);
      kernels.softmaxCrossEntropyGradient({ rows, columns, logits, labels, lossGradient, logitsGradient, threads });
      return [logitsGradient];
    },
  };
}

const rowCases: readonly Case[] = [
  ...(["softmax", "logSoftmax", "rowSum", "columnSum"] as const).map(byRows),
  {
    kernel: "softmaxCrossEntropy",
    run(size, memory, threads) {
      const { rows, columns } = matrix(size);
      const logits = memory.floats(rows * columns);
      const labels = memory.integers(rows, columns);
      const losses = memory.floats(rows);
      kernels.softmaxCrossEntropy({ rows, columns, logits, labels, losses, threads });
      return [losses];
    },
  },
  crossEntropyGradient("a number", true),
  crossEntropyGradient("an array", false),
  {
    kernel: "argmax",
    run(size, memory, threads) {
      const { rows, columns } = matrix(size);
      const x = memory.floats(rows * columns);
      const y = memory.integers(rows, 9);
      kernels.argmax({ rows, columns, x, y, threads });
      return [y];
    },
  },
  {
    kernel: "oneHot",
    run(size, memory, threads) {
      const { rows, columns } = matrix(size);
      const labels = memory.integers(rows, columns);
      const y = memory.floats(rows * columns);
      kernels.oneHot({ labels, classes: columns, y, threads });
      return [y];
    },
  },
  {
    kernel: "countEqual",
    run(size, memory) {
      return [Float32Array.of(kernels.countEqual(memory.integers(size, 3), memory.integers(size, 3)))];
    },
  },
];

/** Rows of a source of 7, in any order. */
function gatherCase(label: "f32" | "i32" | "u8"): Case {
  return {
    kernel: "gather",
    label,
    run(size, memory, threads) {
      const { rows, columns } = matrix(size);
      const indices = memory.integers(rows, 7);
      const many = 7 * columns;
      const common = { columns, indices, threads };
      if (label === "i32") {
        const y = memory.integers(rows * columns, 9);
        kernels.gather({ ...common, source: memory.integers(many, 100), y });
        return [y];
      }
      const y = memory.floats(rows * columns);
      if (label === "u8") kernels.gather({ ...common, source: memory.bytes(many), y, scale: 1 / 255 });
      else kernels.gather({ ...common, source: memory.floats(many), y });
      return [y];
    },
  };
}

const memoryCases: readonly Case[] = [
  {
    kernel: "fill",
    run(size, memory, threads) {
      const y = memory.floats(size);
      kernels.fill(y, 0.1, { threads });
      return [y];
    },
  },
  {
    kernel: "copy",
    run(size, memory, threads) {
      const [x, y] = [memory.floats(size), memory.floats(size)];
      kernels.copy(x, y, { threads });
      return [y];
    },
  },
  {
    kernel: "convertU8",
    run(size, memory, threads) {
      const y = memory.floats(size);
      kernels.convertU8(memory.bytes(size), y, { scale: 1 / 255, threads });
      return [y];
    },
  },
  gatherCase("f32"),
  gatherCase("i32"),
  gatherCase("u8"),
];

/** Beyond 2³², in the middle of a block of the generator. */
const FAR = 3 * 2 ** 32 + 100;

const DRAW = { seed: 2 ** 40 + 7, step: 3, site: 2 } as const;

const drawCases: readonly Case[] = [
  ...[0, FAR].flatMap((offset): Case[] => [
    {
      kernel: "dropoutForward",
      label: `from ${offset}`,
      run(size, memory, threads) {
        const [x, y] = [memory.floats(size), memory.floats(size)];
        kernels.dropoutForward({ x, y, rate: 0.3, ...DRAW, offset, threads });
        return [y];
      },
    },
    {
      kernel: "gaussianNoise",
      label: `from ${offset}`,
      run(size, memory, threads) {
        const [x, y] = [memory.floats(size), memory.floats(size)];
        kernels.gaussianNoise({ x, y, deviation: 0.5, ...DRAW, offset, threads });
        return [y];
      },
    },
  ]),
  {
    kernel: "dropoutForward",
    label: "alpha",
    run(size, memory, threads) {
      const [x, y] = [memory.floats(size), memory.floats(size)];
      kernels.dropoutForward({ x, y, keep: 0.9, scale: 0.8, shift: 0.25, dropped: -1, ...DRAW, threads });
      return [y];
    },
  },
  {
    kernel: "dropoutBackward",
    run(size, memory, threads) {
      const [outputGradient, inputGradient] = [memory.floats(size), memory.floats(size)];
      kernels.dropoutBackward({ outputGradient, inputGradient, rate: 0.3, ...DRAW, threads });
      return [inputGradient];
    },
  },
];

/** Names of the states of each step, with the options that ask for them. */
export const STEPS = {
  sgdStep: [
    { states: [], options: {} },
    { states: ["velocity"], options: { momentum: 0.9, nesterov: true } },
  ],
  sgdMomentumStep: [{ states: ["velocity"], options: {} }],
  adagradStep: [{ states: ["sumOfSquares"], options: {} }],
  rmspropStep: [
    { states: ["secondMoment"], options: {} },
    { states: ["secondMoment", "velocity"], options: { momentum: 0.9 } },
    { states: ["secondMoment", "mean"], options: { centered: true } },
    { states: ["secondMoment", "mean", "velocity"], options: { centered: true, momentum: 0.9 } },
  ],
  adamStep: [
    { states: ["firstMoment", "secondMoment"], options: {} },
    { states: ["firstMoment", "secondMoment"], options: { compat: "keras" } },
  ],
  adamwStep: [{ states: ["firstMoment", "secondMoment"], options: {} }],
  amsgradStep: [{ states: ["firstMoment", "secondMoment", "maxSecondMoment"], options: {} }],
  nadamStep: [{ states: ["firstMoment", "secondMoment"], options: {} }],
  radamStep: [{ states: ["firstMoment", "secondMoment"], options: {} }],
  adamaxStep: [{ states: ["firstMoment", "infinityNorm"], options: {} }],
  adadeltaStep: [{ states: ["secondMoment", "deltaMoment"], options: {} }],
  lionStep: [{ states: ["momentum"], options: {} }],
} as const;

export type StepName = keyof typeof STEPS;

/** Any step, with options that a test chooses. */
export type AnyStep = (options: kernels.StepOptions & Readonly<Record<string, unknown>>) => void;

/** A step as a caller without types has it. */
export function anyStep(name: StepName): AnyStep {
  return exported[name] as unknown as AnyStep;
}

/** What stands around a rule, all of it. */
const AROUND = {
  gradientScale: 0.5,
  clipValue: 0.75,
  l2: 0.01,
  l1: 0.02,
  proximal: true,
  weightDecay: 0.1,
} as const;

const stepCases = (Object.keys(STEPS) as readonly StepName[]).flatMap((name) => {
  const step = anyStep(name);
  return STEPS[name].flatMap(({ states, options }, form): Case[] =>
    ["plain", "penalized"].map((label) => ({
      kernel: name,
      label: `form ${form}, ${label}`,
      run(size, memory, threads) {
        const parameters = memory.floats(size);
        const gradients = memory.floats(size);
        const held = states.map((state): [string, Float32Array] => [state, memory.floats(size, 0, 1)]);
        const values = memory.floats(size);
        const penalty = memory.floats(1);
        const own = { parameters, gradients, states: Object.fromEntries(held), step: 7, lr: 0.01, threads };
        const more = label === "plain" ? {} : { ...AROUND, average: { values, decay: 0.9 }, penalty };
        const around = "compat" in options && label !== "plain" ? { ...more, clipValue: undefined } : more;
        for (let repeat = 0; repeat < 2; repeat++) step({ ...own, ...options, ...around, step: 7 + repeat });
        const written = [parameters, ...held.map(([, state]) => state)];
        return label === "plain" ? written : [...written, values, penalty];
      },
    })),
  );
});

/** Every use of every kernel. */
export const CASES: readonly Case[] = [
  ...unaryCases,
  ...binaryCases,
  ...gemmCases,
  packedCase(false),
  packedCase(true),
  reduction("sum"),
  reduction("sumSquares"),
  ...rowCases,
  ...memoryCases,
  ...drawCases,
  ...stepCases,
];

/** `gemm bᵀ`, the name that a test bears. */
export function nameOf({ kernel, label }: Case): string {
  return label === undefined ? kernel : `${kernel} ${label}`;
}

/** Names of exports that are no kernels. */
export const NO_KERNELS = ["CarillonError", "packedLength", "philox", "runtime"] as const;

/** Every kernel by the name that its cases bear. */
export function kernelNames(): readonly string[] {
  const tables = { unary, binary };
  return Object.keys(exported)
    .filter((name) => !NO_KERNELS.some((other) => other === name))
    .flatMap((name) => {
      const table: Readonly<Partial<Record<UnaryName | BinaryName, unknown>>> | undefined =
        name === "unary" || name === "binary" ? tables[name] : undefined;
      return table === undefined ? [name] : Object.keys(table).map((one) => `${name}.${one}`);
    });
}
