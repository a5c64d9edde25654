// The steps of the suite `embeddings`: tables, optimizers, and what each is asked to reach.
import {
  adagrad,
  adam,
  defineLayer,
  embedding,
  embeddingBag,
  flatten,
  type Optimizer,
  ops,
  parameter,
  sequential,
  sgd,
  spec,
  tensor,
} from "../../lib/index.js";
import type { Asked } from "../train/peers.js";

/** A table whose rows are the logits of as many classes as it has columns: by number, or sums of `words` of them. */
export interface TableSize {
  readonly name: string;
  readonly count: number;
  readonly size: number;
  /** Numbers an example; of several the rows are summed. */
  readonly words: number;
  readonly batch: number;
  readonly examples: number;
}

const EMBEDDING: TableSize = {
  name: "1,000,000 × 64",
  ...{ count: 1_000_000, size: 64, words: 1, batch: 1024, examples: 128 * 1024 },
};
const BAG: TableSize = {
  name: "bag of 50 in 2¹⁸ × 64",
  ...{ count: 2 ** 18, size: 64, words: 50, batch: 256, examples: 64 * 256 },
};

export type OptimizerKind = "adam" | "sgd" | "adagrad";

/** `dense`: the table has a gradient of every element. */
export type Way = "touched" | "exact" | "dense";

/** What a row is to reach: least times that PyTorch takes, most of another row of ours, most of the stream of rows. */
export interface Bounds {
  readonly pytorchDense?: number;
  readonly pytorchSparse?: number;
  readonly pytorchBest?: number;
  readonly toDense?: number;
  readonly toTouched?: number;
  readonly toStream?: number;
}

export interface Case {
  readonly table: TableSize;
  readonly optimizer: OptimizerKind;
  readonly lr: number;
  readonly ways: readonly { readonly way: Way; readonly bounds: Bounds }[];
}

const rows: Case["ways"] = [
  { way: "touched", bounds: {} },
  { way: "exact", bounds: { toTouched: 1.2 } },
];
const bag: Bounds = { pytorchBest: 3, toStream: 2 };

/** Rates at which the loss falls and stays away from 0. */
export const CASES: readonly Case[] = [
  {
    ...{ table: EMBEDDING, optimizer: "adam", lr: 0.01 },
    ways: [
      { way: "touched", bounds: { pytorchDense: 300, pytorchSparse: 5 } },
      { way: "exact", bounds: { toDense: 0.9 } },
      { way: "dense", bounds: {} },
    ],
  },
  { table: EMBEDDING, optimizer: "sgd", lr: 0.1 * EMBEDDING.batch, ways: rows },
  { table: EMBEDDING, optimizer: "adagrad", lr: 0.05, ways: rows },
  { table: BAG, optimizer: "sgd", lr: 0.01 * BAG.batch, ways: [{ way: "exact", bounds: bag }] },
  { table: BAG, optimizer: "adam", lr: 0.01, ways: [{ way: "touched", bounds: bag }] },
];

/** What `--only` looks at: `bag of 50 in 2¹⁸ × 64, sgd`. */
export const titleOf = ({ table, optimizer }: Case): string => `${table.name}, ${optimizer}`;

/** A case as peers are told of it. */
export function askedOf({ table, optimizer, lr }: Case): Asked {
  const { count, size, words, batch, examples } = table;
  return { count, size, words, batch, examples, optimizer, lr };
}

/** Of its elements, with which a classifier guesses. */
const INIT = 0.01;

export function optimizerOf({ optimizer, lr }: Case): Optimizer {
  return { adam, sgd, adagrad }[optimizer]({ lr });
}

/** Arrays of the table's length that an optimizer has. */
export const statesOf = ({ optimizer }: Case): number => ({ adam: 2, sgd: 0, adagrad: 1 })[optimizer];

/** Rows of a table of which every element has a gradient: what is looked up is no parameter itself. */
const denseTable = (count: number, size: number) =>
  defineLayer({
    kind: "dense-table",
    outputs: size,
    takes: "i32",
    parameters: { table: parameter([count, size], { role: "table", init: INIT }) },
    forward: (ids, { table }) => ops.reshape(ops.take(ops.reshape(table, [count, 1, size]), ids), ["batch", size]),
  });

/** The table as a model. */
export function modelOf({ table: { count, size, words } }: Case, way: Way) {
  const input = { input: spec(["batch", words], "i32") } as const;
  const rows = way === "touched" ? way : "exact";
  if (words > 1) return sequential(input, embeddingBag(count, size, { init: INIT, rows }));
  if (way === "dense") return sequential(input, denseTable(count, size));
  return sequential(input, embedding(count, size, { init: INIT, rows }), flatten());
}

/** Numbers in [0, 1) that need no quality: a multiplicative generator modulo 2³¹ − 1. */
function generator(): () => number {
  let state = 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** Every example is there twice, with labels of its own, so that the loss stays away from 0. */
export function examplesOf({ count, size, words, examples }: TableSize) {
  const draw = generator();
  const half = (examples / 2) * words;
  const ids = new Int32Array(2 * half);
  for (let index = 0; index < half; index++) ids[index] = ids[half + index] = Math.floor(draw() * count);
  const y = Int32Array.from({ length: examples }, () => Math.floor(draw() * size));
  return { x: tensor(ids, [examples, words]), y };
}
