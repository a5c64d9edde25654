import { crossEntropy, fit, heNormal, linear, type Model, relu, sequential, split } from "carillon";
import { type Digits, scaled } from "../digits/digits.js";
import { type Contestant, RATES, rateFrom } from "./contestants.js";

const MATRICES = ["linear1.weight", "linear2.weight"];

function network(): Model<64, 10> {
  const init = heNormal();
  return sequential(linear(64, 128, { init }), relu(), linear(128, 64, { init }), relu(), linear(64, 10));
}

/** One training. */
interface Curve {
  /** Mean loss of each epoch. */
  readonly losses: readonly number[];
  readonly model: Model<64, 10>;
}

type Examples = ReturnType<typeof scaled>;

async function train(contestant: Contestant, lr: number, data: Examples, epochs: number, seed: number): Promise<Curve> {
  const model = network();
  const optimizer = contestant.make(rateFrom(lr), MATRICES);
  const { history } = await fit(model, { data, loss: crossEntropy(), optimizer, epochs, seed, threads: 1 });
  return { model, losses: history.map(({ dataLoss }) => dataLoss) };
}

/** How a contestant did with its best rate. */
export interface Trained {
  readonly name: string;
  readonly lr: number;
  /** Mean training loss of each epoch, a mean of the seeds. */
  readonly losses: readonly number[];
  /** Share of test images read as what they are, a mean of the seeds. */
  readonly accuracy: number;
}

/** What all contestants are given. */
export interface Race {
  readonly train: Digits;
  readonly test: Digits;
  readonly epochs: number;
  readonly seeds: readonly number[];
  /** Rates to try; {@link RATES} by default. */
  readonly rates?: readonly number[] | undefined;
}

/** Images of the training set that judge the rates. */
const JUDGING = 0.2;

/** The rate of the least loss on images that were not trained on; the test images have no say in it. */
async function bestRate(contestant: Contestant, { train: digits, epochs, rates = RATES }: Race): Promise<number> {
  const parts = split(scaled(digits), { validation: JUDGING, stratify: true, seed: 0 });
  let best = { lr: Number.NaN, loss: Number.POSITIVE_INFINITY };
  for (const lr of rates) {
    const { model } = await train(contestant, lr, parts.train, epochs, 0);
    const { loss } = await model.evaluate(parts.validation, { loss: crossEntropy() });
    if (loss < best.loss) best = { lr, loss };
  }
  return best.lr;
}

/** Finds a contestant's rate, then trains with it on all training images, once a seed. */
export async function trainContestant(contestant: Contestant, race: Race): Promise<Trained> {
  const lr = await bestRate(contestant, race);
  const losses = new Array<number>(race.epochs).fill(0);
  let accuracy = 0;
  for (const seed of race.seeds) {
    const curve = await train(contestant, lr, scaled(race.train), race.epochs, seed);
    for (const [epoch, loss] of curve.losses.entries()) losses[epoch] = (losses[epoch] ?? 0) + loss / race.seeds.length;
    const { metrics } = await curve.model.evaluate(scaled(race.test), { loss: crossEntropy(), metrics: ["accuracy"] });
    accuracy += metrics.accuracy / race.seeds.length;
  }
  return { name: contestant.name, lr, losses, accuracy };
}
