// Optimizers through `program` and `minimizer`, with gradients that a test chooses: the loss is Σ θ·g, g an input.
import {
  defineLayer,
  type MinimizerOptions,
  type Model,
  minimizer,
  type Optimizer,
  ops,
  type Partition,
  parameter,
  program,
  type Spec,
  sequential,
  spec,
  tensor,
  type Value,
} from "carillon";

/** A parameter and its value before step 1. */
export interface Start {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

type Forward = (x: Value, parameters: Readonly<Record<string, Value>>) => Value;

/** A model of one layer `all`, which takes and gives so many features and has these parameters. */
export function modelOf(
  start: Readonly<Record<string, Start>>,
  [inputs, outputs]: readonly [number, number],
  forward: Forward,
): Model {
  const roles = Object.entries(start);
  const parameters = Object.fromEntries(roles.map(([role, { shape }]) => [role, parameter(shape)]));
  const model: Model = sequential(
    defineLayer({ kind: "all", name: "all", inputs, outputs, parameters, forward: (x, given) => forward(x, given) }),
  );
  return model.setWeights(new Map(roles.map(([role, { data }]) => [`all.${role}`, Float32Array.from(data)])));
}

/** All parameters of a model, one behind the other. */
export function flat(model: Model): Float32Array {
  return Float32Array.from([...model.weights().values()].flatMap(({ data }) => [...data]));
}

export interface Stepper {
  /** All parameters, flat. */
  readonly theta: Float32Array;
  /** Their averages, flat, with `averageWeights`. */
  readonly average: Float32Array;
  /** One step down these gradients, flat as the parameters are. */
  step(gradients: ArrayLike<number>): void;
}

/** An optimizer at work on parameters whose gradients are given. */
export function stepper(
  optimizer: Optimizer | Partition,
  start: Readonly<Record<string, Start>>,
  options: MinimizerOptions = {},
): Stepper {
  let parameters: Readonly<Record<string, Value>> = {};
  const model = modelOf(start, [1, 1], (x, given) => {
    parameters = given;
    return x;
  });
  const trainer = minimizer(model, optimizer, options);
  const gradientSpecs: Record<string, Spec> = Object.fromEntries(
    Object.entries(start).map(([role, { shape }]) => [role, spec(shape)]),
  );
  const compiled = program({
    training: true,
    maxBatch: 1,
    inputs: { ...gradientSpecs, x: spec(["batch", 1]) },
    body({ x, ...gradients }: Readonly<Record<string, Value>> & { readonly x: Value }) {
      model.forward(x); // for the parameters; what it gives is its input
      const terms = Object.entries(gradients).map(([role, g]) => ops.sum(ops.multiply(parameters[role] ?? g, g)));
      const loss = terms.reduce((total, term) => ops.add(total, term));
      trainer.minimize(loss);
      return { loss };
    },
  });
  return {
    get theta() {
      return flat(model);
    },
    get average() {
      return Float32Array.from([...(trainer.averages(model)?.values() ?? [])].flatMap((data) => [...data]));
    },
    step(gradients) {
      let offset = 0;
      const inputs = Object.entries(start).map(([role, { shape, data }]) => {
        const own = Float32Array.from(data, (_, index) => gradients[offset + index] ?? Number.NaN);
        offset += own.length;
        return [role, tensor(own, shape)] as const;
      });
      compiled.runSync({ ...Object.fromEntries(inputs), x: tensor([[0]]) });
    },
  };
}

/** θ after each step from `start` down `gradient(θ, t)`, t from 1. */
export function path(
  optimizer: Optimizer | Partition,
  start: readonly number[],
  steps: number,
  gradient: (theta: Float32Array, step: number) => ArrayLike<number>,
): readonly Float32Array[] {
  const one = stepper(optimizer, { theta: { shape: [1, start.length], data: start } });
  let theta = one.theta;
  return Array.from({ length: steps }, (_, index) => {
    one.step(gradient(theta, index + 1));
    theta = one.theta;
    return theta;
  });
}
