import { existsSync } from "node:fs";
import {
  adam,
  leakyRelu,
  linear,
  loadCheckpoint,
  minimizer,
  ops,
  program,
  relu,
  saveCheckpoint,
  sequential,
  spec,
} from "carillon";
import { batchOf, energyDistance, type Points } from "./ring.js";

/** Rows of a batch, and numbers that the generator makes a point of. */
const BATCH = 128;
const LATENT = 8;
/** Points that are generated at once. */
const GENERATED = 1024;

/**
 * A generative adversarial network (Goodfellow et al. 2014): the discriminator learns to tell points of the data from
 * generated ones, the generator to be taken for the data. Two models and two optimizers in one program.
 */
export function makeGan(seed: number) {
  const generator = sequential(linear(LATENT, 64), relu(), linear(64, 64), relu(), linear(64, 2)).initialize(seed);
  const discriminator = sequential(linear(2, 64), leakyRelu(), linear(64, 64), leakyRelu(), linear(64, 1)).initialize(
    seed,
  );
  const trainG = minimizer(generator, adam({ lr: 0.001, beta1: 0.5 }));
  const trainD = minimizer(discriminator, adam({ lr: 0.001, beta1: 0.5 }));

  const step = program({
    seed,
    inputs: { real: spec([BATCH, 2]) },
    body({ real }, { normal }) {
      const fake = generator.forward(normal([BATCH, LATENT]));
      // Cross-entropy of logits: softplus(−x) = −log σ(x) where the answer is yes, softplus(x) where it is no.
      const yes = ops.mean(ops.softplus(ops.negate(discriminator.forward(real))));
      const no = ops.mean(ops.softplus(discriminator.forward(fake)));
      const lossD = ops.add(yes, no);
      trainD.minimize(lossD);
      // The body runs in the order of the source: the generator meets the discriminator that has just learned.
      const lossG = ops.mean(ops.softplus(ops.negate(discriminator.forward(fake))));
      trainG.minimize(lossG);
      return { lossD, lossG };
    },
  });

  // A program of its own with steps of its own: what it draws does not depend on how often the other has run.
  const generate = program({
    seed: seed + 1,
    inputs: {},
    body: (_inputs, { normal }) => ({ points: generator.forward(normal([GENERATED, LATENT])) }),
  });
  return { models: { generator, discriminator }, minimizers: { trainG, trainD }, programs: { step, generate } };
}

/** What training tells once in a while. */
export interface Progress {
  readonly step: number;
  /** Of the discriminator; 2·log 2 = 1.386 where it cannot tell the two apart. */
  readonly lossD: number;
  readonly lossG: number;
  /** Energy distance of new points to the data. */
  readonly distance: number;
}

/** How a GAN is trained. */
export interface Training {
  readonly steps: number;
  readonly every: number;
  readonly seed: number;
  /** A file: written every so many steps, and gone on from if it is there. */
  readonly checkpoint?: string;
}

/** Trains a GAN on points, telling of it every so many steps, and gives new points at the end. */
export async function trainGan(
  data: Points,
  { steps, every, seed, checkpoint }: Training,
  tell: (progress: Progress) => void = () => {},
): Promise<Points> {
  const gan = makeGan(seed);
  const { step, generate } = gan.programs;
  if (checkpoint !== undefined && existsSync(checkpoint)) await loadCheckpoint(checkpoint, gan);
  let points: Points = new Float32Array();
  while (step.step < steps) {
    const { lossD, lossG } = await step.run({ real: batchOf(data, step.step + 1, BATCH) });
    if (step.step % every !== 0 && step.step !== steps) continue;
    points = Float32Array.from((await generate.run({})).points.data);
    const distance = energyDistance(points, data.subarray(0, 2 * GENERATED));
    tell({ step: step.step, lossD: lossD.item(), lossG: lossG.item(), distance });
    if (checkpoint !== undefined) await saveCheckpoint(checkpoint, gan);
  }
  return points;
}
