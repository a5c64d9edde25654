// The time of one whole training step of ours.
import { adam, crossEntropy, fit } from "../../lib/index.js";
import { median } from "../report.js";
import { Clock, stepsOfStretch } from "./clock.js";
import { EXAMPLES, examplesOf, modelOf, type Network, nameOf } from "./networks.js";

/** A state of training to go on from. */
export interface Checkpoint {
  /** Steps done. */
  readonly step: number;
  readonly bytes: Uint8Array;
}

type Examples = ReturnType<typeof examplesOf>;

interface Stretches {
  readonly network: Network;
  readonly examples: Examples;
  readonly threads: number;
  /** Steps between two looks at the clock. */
  readonly every: number;
  readonly count: number;
  readonly from: Checkpoint | undefined;
  /** Steps that come first and do not count, at least. */
  readonly settle: number;
}

/** µs a step, one figure a stretch; what comes before the first stretch warms up. */
async function stretches({ network, examples, threads, every, count, from, settle }: Stretches): Promise<number[]> {
  const classes = network.sizes.at(-1) ?? 0;
  const begin = Math.ceil(((from?.step ?? 0) + settle) / every) * every;
  const clock = new Clock(every, begin);
  await fit(modelOf(network), {
    data: examples,
    loss: crossEntropy(),
    optimizer: adam(),
    batchSize: network.batch,
    steps: begin + every * count,
    threads,
    ...(from === undefined ? {} : { resume: from.bytes }),
    callbacks: [clock],
  });
  // The mean of the epoch under way: the first one may still be worse than a guess.
  if ((begin + every * count) * network.batch > 2 * EXAMPLES && !(clock.loss < Math.log(classes))) {
    throw new Error(
      `${nameOf(network)} does not learn: the loss is ${clock.loss}, that of a guess ${Math.log(classes)}`,
    );
  }
  return clock.times;
}

/**
 * A step as `fit` does it, on `threads` threads: gather the batch, forward with dropout, loss, backward, Adam, and its share
 * of shuffling, logging and JavaScript.
 */
export class OurStep {
  readonly #network: Network;
  readonly #examples: Examples;
  readonly #threads: number;
  readonly #from: Checkpoint | undefined;
  readonly #settle: number;
  #guess = Number.NaN;

  constructor(network: Network, threads: number, from?: Checkpoint, settle = 1) {
    this.#network = network;
    this.#examples = examplesOf(network.sizes[0] ?? 0, network.sizes.at(-1) ?? 0);
    this.#threads = threads;
    this.#from = from;
    this.#settle = settle;
  }

  /** µs a step: the median over stretches of a new run that takes about `seconds`. */
  async measure(seconds: number): Promise<number> {
    const common = {
      network: this.#network,
      examples: this.#examples,
      threads: this.#threads,
      from: this.#from,
      settle: this.#settle,
    };
    if (Number.isNaN(this.#guess)) this.#guess = median(await stretches({ ...common, every: 4, count: 3 }));
    const every = stepsOfStretch(this.#guess);
    const count = Math.max(2, Math.round((seconds * 1e6) / (every * this.#guess)));
    this.#guess = median(await stretches({ ...common, every, count }));
    return this.#guess;
  }
}

/** The state after `steps` steps from the start. */
export async function checkpointAt(network: Network, steps: number): Promise<Checkpoint> {
  const { checkpoint } = await fit(modelOf(network), {
    data: examplesOf(network.sizes[0] ?? 0, network.sizes.at(-1) ?? 0),
    loss: crossEntropy(),
    optimizer: adam(),
    batchSize: network.batch,
    steps,
  });
  return { step: steps, bytes: checkpoint() };
}
