// A model whose data gradient a test chooses: the loss is Σ weight ⊙ x + Σ bias ⊙ x, so that ∂ℓ/∂weight = ∂ℓ/∂bias = x,
// to the bit. The bias has the rank 1 and as many elements as the weight.
import {
  defineLayer,
  type Minimizer,
  type MinimizerOptions,
  type Model,
  minimizer,
  type Optimizer,
  ops,
  type Partition,
  parameter,
  program,
  type Regularizers,
  sequential,
  spec,
  tensor,
} from "carillon";
import { numbers } from "../train/synthetic.js";

export const elementsOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** Its parameters are `name.weight`, of `shape`, and `name.bias`. */
export function probe(shape: readonly number[], regularizer?: Regularizers, name = "probe"): Model {
  const inputs = elementsOf(shape);
  const layer = defineLayer({
    kind: "probe",
    name,
    inputs,
    outputs: 1,
    parameters: { weight: parameter(shape, { init: 0, regularizer }), bias: parameter([inputs], { init: 0 }) },
    forward(x, { weight, bias }) {
      const terms = ops.multiply(x, ops.add(ops.reshape(weight, [inputs]), bias));
      return ops.reshape(ops.sum(terms, { axis: "last" }), ["batch", 1]);
    },
  });
  return sequential(layer);
}

/** n numbers in [−scale, scale), the first of them 0, 0, −0 and the smallest ones of either sign. */
export function signed(count: number, seed: number, scale = 1): Float32Array {
  const next = numbers(seed);
  const drawn = Float32Array.from({ length: count }, () => scale * (2 * next() - 1));
  drawn.set([0, 0, -0, 1e-30, -1e-30, 1e-3 * scale].slice(0, count));
  return drawn;
}

/** What a step needs and leaves behind, by parameter. */
export interface Snapshot {
  readonly weights: ReadonlyMap<string, Float32Array>;
  /** By `state/parameter`. */
  readonly states: ReadonlyMap<string, Float32Array>;
}

/** One model, its minimizer, and the program of one step from a given gradient. */
export class Probe {
  readonly model: Model;
  readonly trainer: Minimizer;
  readonly #step: (gradient: Float32Array) => Promise<number>;

  constructor(
    model: Model,
    optimizer: Optimizer | Partition,
    options: MinimizerOptions & { readonly threads?: number } = {},
    start?: ReadonlyMap<string, Float32Array>,
  ) {
    const { threads, ...rest } = options;
    this.model = model.initialize(0);
    if (start !== undefined) model.setWeights(start);
    this.trainer = minimizer(model, optimizer, rest);
    const compiled = program({
      inputs: { x: spec(["batch", Number(model.inputs)]) },
      maxBatch: 1,
      threads,
      body: ({ x }) => ({ penalty: this.trainer.minimize(ops.sum(model.forward(x))).penalty }),
    });
    this.#step = async (gradient) => {
      const { penalty } = await compiled.run({ x: tensor(gradient, [1, gradient.length]) });
      return penalty.item();
    };
  }

  /** Takes a step; returns the penalty that it reports. */
  step(gradient: Float32Array): Promise<number> {
    return this.#step(gradient);
  }

  look(): Snapshot {
    const weights = new Map([...this.model.weights()].map(([name, { data }]) => [name, data] as const));
    return { weights, states: this.trainer.states(this.model) };
  }

  get weight(): Float32Array {
    return this.model.weights().get("probe.weight")?.data ?? new Float32Array();
  }
}

/** A probe that starts from `weight`, the bias the same elements. */
export function startAt(
  shape: readonly number[],
  weight: Float32Array,
  optimizer: Optimizer | Partition,
  options: MinimizerOptions & { readonly threads?: number } = {},
): Probe {
  const start = new Map([
    ["probe.weight", weight],
    ["probe.bias", weight.slice()],
  ]);
  return new Probe(probe(shape), optimizer, options, start);
}
