import type { Features } from "../data/dataset.js";
import type { Tensor } from "../tensor/tensor.js";
import type { FrozenProgram } from "./frozen.js";
import {
  type Described,
  labelsOfRows,
  type Normalization,
  normalizationOf,
  type PredictedLabels,
  type ProbabilitiesAs,
} from "./meaning.js";
import { labelTaker, runRows, tensorTaker } from "./serving/answers.js";
import type { Take } from "./serving/batch.js";
import { FrozenCopy, type Network, workOf } from "./serving/frozen_copy.js";
import { type CallOptions, type Computer, Gathering } from "./serving/gathering.js";
import { failParts, memberOfCall } from "./serving/rows.js";

/** Rows of a batch at inference. */
export const PREDICT_BATCH = 256;

/** What the outputs are wanted as: as they are, or what {@link normalizationOf} says. */
type Kind = ProbabilitiesAs | "probabilities";

/** A gathering of calls of a kind, and what computes them. */
interface Queue {
  readonly computer: ModelComputer;
  readonly gathering: Gathering;
}

/**
 * Predictions of a model, from frozen copies of its weights: such a copy serves until the weights change. So predictions may run
 * beside training.
 */
export class Inference {
  readonly #network: Network;
  readonly #queues = new Map<Kind, Queue>();
  readonly #tensor: Take<Tensor<"f32">>;
  readonly #labels: Take<PredictedLabels>;
  /** Of `predictSync` that finds other weights in the model while calls are being computed with those before. */
  #spare: FrozenCopy | undefined;

  constructor(network: Network) {
    this.#network = network;
    this.#tensor = tensorTaker(network.outputs);
    this.#labels = labelTaker("predict", network.outputs);
  }

  outputs(x: Features, work: CallOptions): Promise<Tensor<"f32">> {
    return this.#queue("outputs").gathering.submit("predict.x", x, this.#tensor, work);
  }

  labels(x: Features, work: CallOptions): Promise<PredictedLabels> {
    return this.#queue("outputs").gathering.submit("predict.x", x, this.#labels, work);
  }

  probabilities(
    x: Features,
    work: CallOptions & { readonly as?: ProbabilitiesAs | undefined },
  ): Promise<Tensor<"f32">> {
    const queue = this.#queue(work.as ?? "probabilities");
    return queue.gathering.submit("predict.x", x, this.#tensor, work);
  }

  outputsSync(x: Features): Tensor<"f32"> {
    return this.#runSync(x).outputs;
  }

  labelsSync(x: Features): PredictedLabels {
    const { outputs, described } = this.#runSync(x);
    return labelsOfRows("predictSync", described, outputs.data);
  }

  /** A copy of the weights that the model has now. */
  #copyNow(): FrozenCopy {
    const { computer, gathering } = this.#queue("outputs");
    let { copy } = computer;
    if (!copy.current && gathering.working) {
      this.#spare ??= new FrozenCopy(this.#network, "none", PREDICT_BATCH);
      copy = this.#spare;
    }
    if (!copy.current) copy.takeNow();
    return copy;
  }

  #runSync(x: Features): { readonly outputs: Tensor<"f32">; readonly described: Described } {
    const { inputs } = this.#network;
    const member = memberOfCall("predictSync.x", x, inputs);
    const { program, described } = this.#copyNow();
    const { alongBatch, maxBatch } = program;
    if (alongBatch !== undefined && member.rows > maxBatch)
      failParts("predictSync.x", member.rows, maxBatch, alongBatch);
    return { outputs: runRows(program, member, described), described };
  }

  #queue(kind: Kind): Queue {
    const known = this.#queues.get(kind);
    if (known !== undefined) return known;
    const computer = new ModelComputer(this.#network, kind);
    const queue = { computer, gathering: new Gathering(computer, Number.POSITIVE_INFINITY) };
    this.#queues.set(kind, queue);
    return queue;
  }
}

/** Computes with the weights that the model has when a batch begins. */
class ModelComputer implements Computer {
  readonly inputs: number;
  readonly maxBatch = PREDICT_BATCH;
  readonly work: number;
  readonly #network: Network;
  readonly #kind: Kind;
  readonly #copies = new Map<Normalization, FrozenCopy>();
  #copy: FrozenCopy | undefined;

  constructor(network: Network, kind: Kind) {
    this.inputs = network.inputs;
    this.work = workOf(network);
    this.#network = network;
    this.#kind = kind;
  }

  /** Of the batch that {@link prepare} was called for last. */
  get program(): FrozenProgram {
    return this.copy.program;
  }

  get described(): Described {
    return this.copy.described;
  }

  get copy(): FrozenCopy {
    this.#copy ??= this.#find();
    return this.#copy;
  }

  prepare(): Promise<void> | undefined {
    const copy = this.#find();
    this.#copy = copy;
    return copy.current ? undefined : copy.take();
  }

  /** The copy for what the outputs are wanted as, as far as the model says that now. */
  #find(): FrozenCopy {
    const normalization = this.#kind === "outputs" ? "none" : this.#normalization(this.#kind);
    const known = this.#copies.get(normalization);
    if (known !== undefined) return known;
    const copy = new FrozenCopy(this.#network, normalization, PREDICT_BATCH);
    this.#copies.set(normalization, copy);
    return copy;
  }

  #normalization(kind: Exclude<Kind, "outputs">): Normalization {
    const as = kind === "probabilities" ? undefined : kind;
    return normalizationOf("predictProbabilities", this.#network.described(), as);
  }
}
