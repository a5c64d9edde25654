import type { RowSpecs } from "../../tensor/row_spec.js";
import type { Tensor } from "../../tensor/tensor.js";
import {
  type Described,
  decidedOnce,
  type Normalization,
  normalizationsOf,
  type PredictedLabels,
  type ProbabilitiesAs,
} from "../meaning/meaning.js";
import { type ByOutput, labelTaker, RowOutputs, runRows, tensorTaker } from "./answers.js";
import type { Take } from "./call.js";
import type { FrozenProgram } from "./frozen.js";
import { FrozenCopy, type Network, workOf } from "./frozen_copy.js";
import { type CallOptions, type Computer, Gathering } from "./gathering.js";
import { PREDICT_BATCH } from "./predict_options.js";
import { type CallInput, callInputs, failParts, membersOfCall } from "./rows.js";

/** Form of the answers: outputs as they are, or as {@link normalizationsOf} says. */
type Kind = ProbabilitiesAs | "probabilities";

/** A gathering of calls of a kind, and what computes them. */
interface Queue {
  readonly computer: ModelComputer;
  readonly gathering: Gathering;
  /** Takes its outputs. */
  readonly take: Take<ByOutput<Tensor<"f32">>>;
}

/**
 * Predictions of a model, from frozen copies of its weights: such a copy serves until the weights change. So predictions may run
 * beside training.
 */
export class Inference {
  readonly #network: Network;
  readonly #queues = new Map<Kind, Queue>();
  readonly #inputs: readonly CallInput[];
  readonly #outputs: RowOutputs;
  readonly #labels: Take<ByOutput<PredictedLabels>>;
  readonly #labelsSync: Take<ByOutput<PredictedLabels>>;
  /** Of `predictSync` that finds other weights in the model while calls are being computed with those before. */
  #spare: FrozenCopy | undefined;

  constructor(network: Network) {
    this.#network = network;
    this.#inputs = callInputs(network.rows.inputs);
    this.#outputs = new RowOutputs(network.rows);
    this.#labels = labelTaker("predict", this.#outputs);
    this.#labelsSync = labelTaker("predictSync", this.#outputs);
  }

  outputs(x: unknown, work: CallOptions): Promise<ByOutput<Tensor<"f32">>> {
    const { gathering, take } = this.#queue("outputs");
    return gathering.submit("predict.x", x, take, work);
  }

  labels(x: unknown, work: CallOptions): Promise<ByOutput<PredictedLabels>> {
    return this.#queue("outputs").gathering.submit("predict.x", x, this.#labels, work);
  }

  probabilities(
    x: unknown,
    work: CallOptions & { readonly as?: ProbabilitiesAs | undefined },
  ): Promise<ByOutput<Tensor<"f32">>> {
    const { gathering, take } = this.#queue(work.as ?? "probabilities");
    return gathering.submit("predict.x", x, take, work);
  }

  outputsSync(x: unknown): ByOutput<Tensor<"f32">> {
    return this.#runSync(x, this.#queue("outputs").take);
  }

  labelsSync(x: unknown): ByOutput<PredictedLabels> {
    return this.#runSync(x, this.#labelsSync);
  }

  /** A copy of the weights that the model has now. */
  #copyNow(): FrozenCopy {
    const { computer, gathering } = this.#queue("outputs");
    let { copy } = computer;
    if (!copy.current && gathering.working) {
      this.#spare ??= new FrozenCopy(this.#network, [], PREDICT_BATCH);
      copy = this.#spare;
    }
    if (!copy.current) copy.takeNow();
    return copy;
  }

  #runSync<T>(x: unknown, take: Take<T>): T {
    const members = membersOfCall("predictSync.x", x, this.#inputs);
    const rows = members[0]?.rows ?? 0;
    const { program, described } = this.#copyNow();
    const { alongBatch, maxBatch } = program;
    if (alongBatch !== undefined && rows > maxBatch) failParts("predictSync.x", rows, maxBatch, alongBatch);
    return take(runRows(program, members, described), 0, rows, described, true);
  }

  #queue(kind: Kind): Queue {
    const known = this.#queues.get(kind);
    if (known !== undefined) return known;
    const computer = new ModelComputer(this.#network, kind);
    const take = tensorTaker(this.#outputs, (outputs) => normalizationsOf("predictProbabilities", outputs, kind));
    const queue = { computer, gathering: new Gathering(computer, Number.POSITIVE_INFINITY), take };
    this.#queues.set(kind, queue);
    return queue;
  }
}

/** {@link Inference} of a network. */
export function inferenceOf(network: Network): Inference {
  return new Inference(network);
}

/** Computes with the weights that the model has when a batch begins. */
class ModelComputer implements Computer {
  readonly rows: RowSpecs;
  readonly maxBatch = PREDICT_BATCH;
  readonly work: number;
  readonly #network: Network;
  readonly #normalizations: (described: Described) => readonly Normalization[];
  /** By the normalizations of the outputs. */
  readonly #copies = new Map<string, FrozenCopy>();
  #copy: FrozenCopy | undefined;

  constructor(network: Network, kind: Kind) {
    this.rows = network.rows;
    this.work = workOf(network);
    this.#network = network;
    this.#normalizations = decidedOnce((outputs) =>
      normalizationsOf("predictProbabilities", outputs, kind).map((normalization = "none") => normalization),
    );
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
    const normalizations = this.#normalizations(this.#network.described());
    const key = normalizations.join(" ");
    const known = this.#copies.get(key);
    if (known !== undefined) return known;
    const copy = new FrozenCopy(this.#network, normalizations, PREDICT_BATCH);
    this.#copies.set(key, copy);
    return copy;
  }
}
