// Tables that a test looks up by ids of its own, down gradients of its own: the loss is Σ table[ids] ⊙ g. `dense` adds 0·Σ table to it,
// which changes no gradient, but gives every element one.
import {
  defineLayer,
  type MinimizerOptions,
  type Model,
  minimizer,
  type Optimizer,
  ops,
  parameter,
  program,
  type Regularizers,
  type RowUpdates,
  sequential,
  spec,
  tensor,
} from "carillon";
import { takePadded } from "../../lib/ops/take.js";
import { numbers } from "../train/synthetic.js";

/** A table and how it is looked up. */
export interface Table {
  readonly rows: number;
  readonly columns: number;
  /** Ids an example. */
  readonly width: number;
  readonly padding?: number;
  readonly updates?: RowUpdates;
  readonly regularizer?: Regularizers | undefined;
  readonly dense?: boolean;
  /** Looked up so many times: the ids of each are a turn of those before. */
  readonly uses?: number;
}

export function tableModel({ rows, columns, width, padding = -1, ...rest }: Table): Model {
  const { updates, regularizer, dense = false, uses = 1 } = rest;
  return sequential(
    defineLayer({
      kind: "own",
      name: "own",
      inputs: width,
      outputs: width * columns,
      parameters: { table: parameter([rows, columns], { role: "table", rows: updates, regularizer, init: 0 }) },
      forward(ids, { table }) {
        const looked = Array.from({ length: uses }, (_, use) => {
          const turned =
            use === 0
              ? ids
              : ops.concat([ops.slice(ids, 1, width, { axis: 1 }), ops.slice(ids, 0, 1, { axis: 1 })], { axis: 1 });
          return ops.multiply(1 / (use + 1), takePadded(table, turned, padding));
        });
        const sum = looked.reduce((total, each) => ops.add(total, each));
        const flat = ops.reshape(sum, ["batch", width * columns]);
        return dense ? ops.add(flat, ops.multiply(0, ops.sum(table))) : flat;
      },
    }),
  );
}

/** `count` floats in [−1, 1), of which the first are 0, −0 and the smallest ones. */
export function floats(count: number, seed: number): Float32Array {
  const next = numbers(seed);
  const drawn = Float32Array.from({ length: count }, () => 2 * next() - 1);
  drawn.set([0, -0, 1e-30, -1e-38].slice(0, count));
  return drawn;
}

/** Ids of rows, half of them of the first few. */
export function idsOf({ rows, width }: Table, batch: number, seed: number): Int32Array {
  const next = numbers(seed);
  return Int32Array.from({ length: batch * width }, () => {
    return Math.floor(next() * (next() < 0.5 ? Math.min(rows, 4) : rows));
  });
}

export interface Trained {
  readonly model: Model;
  /** Takes a step; returns the penalty that it reports. */
  step(ids: Int32Array, gradient: Float32Array): number;
  look(): Readonly<Record<string, Float32Array>>;
  /** Overwrites what {@link look} gives. */
  put(look: Readonly<Record<string, Float32Array>>): void;
}

export function train(
  table: Table,
  optimizer: Optimizer,
  {
    threads = 1,
    maxBatch = 64,
    ...options
  }: MinimizerOptions & { readonly threads?: number; readonly maxBatch?: number } = {},
): Trained {
  const { rows, columns, width } = table;
  const model = tableModel(table);
  model.setWeights({ "own.table": floats(rows * columns, 5) });
  const trainer = minimizer(model, optimizer, options);
  const compiled = program({
    inputs: { ids: spec(["batch", width], "i32"), g: spec(["batch", width * columns]) },
    maxBatch,
    threads,
    body: ({ ids, g }) => ({
      penalty: trainer.minimize(ops.sum(ops.multiply(model.forward(ids), g))).penalty,
    }),
  });
  return {
    model,
    step(ids, gradient) {
      const batch = ids.length / width;
      return compiled
        .runSync({ ids: tensor(ids, [batch, width]), g: tensor(gradient, [batch, width * columns]) })
        .penalty.item();
    },
    look() {
      const weights = [...model.weights()].map(([name, { data }]) => [name, data] as const);
      return Object.fromEntries([...weights, ...trainer.states(model)]);
    },
    put({ "own.table": weights = new Float32Array(), ...states }) {
      model.setWeights({ "own.table": weights });
      trainer.restore(model, new Map(Object.entries(states)), trainer.counts);
    },
  };
}
