import {
  adam,
  grad,
  leakyRelu,
  linear,
  type Model,
  minimizer,
  ops,
  program,
  relu,
  sequential,
  spec,
  type Value,
} from "carillon";
import { batchOf, energyDistance, type Points } from "../gan/ring.js";

const BATCH = 128;
const LATENT = 8;
const GENERATED = 1024;
/** Updates of the critic before one of the generator. */
const CRITIC_STEPS = 5;
/** Factor of the penalty. */
const LAMBDA = 1;

/**
 * λ·mean (‖∇critic(x)‖ − 1)² over the rows of x: [batch, n]. The gradient is one by x, made of ordinary operations, so that the
 * loss can be differentiated by the critic's parameters once more (Gulrajani et al. 2017).
 */
export function gradientPenalty(critic: Model, x: Value, lambda: number): Value {
  const [slope] = grad((at) => ops.sum(critic.forward(at)))(x); // a row's output depends on that row alone
  const norm = ops.sqrt(ops.add(ops.sum(ops.square(slope), { axis: "last" }), 1e-12));
  return ops.multiply(lambda, ops.mean(ops.square(ops.subtract(norm, 1))));
}

/**
 * A Wasserstein GAN: the critic scores data high and generated points low. How much higher is the distance between the two, as far
 * as its slope is 1, which the penalty sees to on the lines between data and generated points.
 */
export function makeWgan(seed: number, lambda = LAMBDA) {
  const generator = sequential(linear(LATENT, 64), relu(), linear(64, 64), relu(), linear(64, 2)).initialize(seed);
  const critic = sequential(linear(2, 64), leakyRelu(), linear(64, 64), leakyRelu(), linear(64, 1)).initialize(seed);
  const trainG = minimizer(generator, adam({ lr: 0.001, beta1: 0.5, beta2: 0.9 }));
  const trainC = minimizer(critic, adam({ lr: 0.001, beta1: 0.5, beta2: 0.9 }));

  const criticStep = program({
    seed,
    inputs: { real: spec([BATCH, 2]) },
    body({ real }, { normal, uniform }) {
      const fake = generator.forward(normal([BATCH, LATENT]));
      const share = uniform([BATCH, 1]);
      const between = ops.add(ops.multiply(share, real), ops.multiply(ops.subtract(1, share), fake));
      const penalty = gradientPenalty(critic, between, lambda);
      const distance = ops.subtract(ops.mean(critic.forward(real)), ops.mean(critic.forward(fake)));
      trainC.minimize(ops.subtract(penalty, distance));
      return { distance, penalty };
    },
  });
  const generatorStep = program({
    seed: seed + 1,
    inputs: {},
    body(_inputs, { normal }) {
      const points = generator.forward(normal([BATCH, LATENT]));
      const loss = ops.negate(ops.mean(critic.forward(points)));
      trainG.minimize(loss);
      return { loss };
    },
  });
  const generate = program({
    seed: seed + 2,
    inputs: {},
    body: (_inputs, { normal }) => ({ points: generator.forward(normal([GENERATED, LATENT])) }),
  });
  return { critic, criticStep, generatorStep, generate };
}

/** What training tells once in a while. */
export interface Progress {
  readonly step: number;
  /** As the critic sees it: the Wasserstein distance of data and generated points, about. */
  readonly wasserstein: number;
  readonly penalty: number;
  /** Energy distance of new points to the data, which the critic knows nothing of. */
  readonly distance: number;
}

/** Trains on points, telling of it every so many steps, and gives new points at the end. */
export async function trainWgan(
  data: Points,
  { steps, every, seed }: { readonly steps: number; readonly every: number; readonly seed: number },
  tell: (progress: Progress) => void = () => {},
): Promise<Points> {
  const { criticStep, generatorStep, generate } = makeWgan(seed);
  let points: Points = new Float32Array();
  for (let step = 1; step <= steps; step++) {
    let told = { wasserstein: Number.NaN, penalty: Number.NaN };
    for (let turn = 0; turn < CRITIC_STEPS; turn++) {
      const { distance, penalty } = await criticStep.run({ real: batchOf(data, criticStep.step + 1, BATCH) });
      told = { wasserstein: distance.item(), penalty: penalty.item() };
    }
    await generatorStep.run({});
    if (step % every !== 0 && step !== steps) continue;
    points = Float32Array.from((await generate.run({})).points.data);
    tell({ step, ...told, distance: energyDistance(points, data.subarray(0, 2 * GENERATED)) });
  }
  return points;
}
