import type { NativeSlab } from "../binding/native.js";
import type { Features } from "../data/dataset.js";
import type { Transforms } from "../data/transform.js";
import { exp, sigmoid, softmax } from "../ops/index.js";
import { unlessAborted } from "../signals.js";
import { copyOf } from "../tensor/copied.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Value } from "../tensor/value.js";
import {
  type Described,
  labelsOfRows,
  type Normalization,
  normalizationOf,
  type PredictedLabels,
  type ProbabilitiesAs,
} from "./meaning.js";
import { ForwardProgram, type Work } from "./predictor.js";
import { ParameterSlab, type Segment } from "./slab.js";

/** Rows of a batch at inference. */
export const PREDICT_BATCH = 256;

/** What predictions read of a model, at the moment when they read it. */
export interface Network {
  readonly inputs: number;
  readonly segments: readonly Segment[];
  /** Floats of a slab of the parameters' layout. */
  readonly total: number;
  /** Changes of units between the data and the network. */
  units(): Transforms;
  /** What the outputs mean. */
  described(): Described;
  /** Records the network over these weights: y from x. */
  record(x: Value, weights: ReadonlyMap<string, Value>): Value;
  /** Copies the weights of the last finished step. */
  copyWeights(to: NativeSlab): void;
}

/** What makes outputs probabilities. */
const NORMALIZE: Readonly<Record<Normalization, (y: Value) => Value>> = { softmax, sigmoid, exp, none: (y) => y };

/** A copy of the weights and a program that reads it. */
interface SnapshotPredictor {
  readonly snapshot: ParameterSlab;
  readonly program: ForwardProgram;
}

/** Predictions of a model. They read a copy of its weights, so that they may run beside training, and work one after another. */
export class Inference {
  readonly #network: Network;
  readonly #predictors = new Map<Normalization, SnapshotPredictor>();
  /** `predictSync` may come while a call on native threads is under way. */
  #sync: SnapshotPredictor | undefined;
  /** The prediction under way, or the last one in the queue. */
  #predicting: Promise<unknown> | undefined;

  constructor(network: Network) {
    this.#network = network;
  }

  outputs(x: Features, work: Work): Promise<Tensor<"f32">> {
    return this.#enqueue(x, work, (rows, how) => this.#run("none", rows, how));
  }

  labels(where: string, x: Features, work: Work): Promise<PredictedLabels> {
    return this.#enqueue(x, work, async (rows, how) => {
      const described = this.#network.described(); // of the moment of the weights
      return labelsOfRows(where, described, (await this.#run("none", rows, how)).data);
    });
  }

  probabilities(
    where: string,
    x: Features,
    work: Work & { readonly as?: ProbabilitiesAs | undefined },
  ): Promise<Tensor<"f32">> {
    return this.#enqueue(x, work, (rows, how) => {
      return this.#run(normalizationOf(where, this.#network.described(), work.as), rows, how);
    });
  }

  outputsSync(x: Features): Tensor<"f32"> {
    this.#sync ??= this.#compile("none");
    return this.#fresh(this.#sync).runSync(x, this.#network.units());
  }

  labelsSync(where: string, x: Features): PredictedLabels {
    const { data } = this.outputsSync(x);
    return labelsOfRows(where, this.#network.described(), data);
  }

  async #run(normalization: Normalization, x: Features, work: Work): Promise<Tensor<"f32">> {
    let predictor = this.#predictors.get(normalization);
    if (predictor === undefined) {
      predictor = this.#compile(normalization);
      this.#predictors.set(normalization, predictor);
    }
    return await this.#fresh(predictor).run(x, this.#network.units(), work);
  }

  /** Begins when the call before it is over; its inputs are read, or copied, before this returns. */
  async #enqueue<T>(x: Features, { threads, signal }: Work, work: (x: Features, work: Work) => Promise<T>): Promise<T> {
    const before = this.#predicting;
    const owned = before !== undefined; // one that begins at once copies only what it does not read at once
    const given = owned ? copyOf(x) : x;
    const begin = async (): Promise<T> => {
      signal?.throwIfAborted();
      return await work(given, { threads, signal, owned });
    };
    const predicted = before === undefined ? begin() : before.then(begin);
    const over = predicted.then(
      () => undefined,
      () => undefined,
    );
    this.#predicting = over;
    over.then(() => {
      if (this.#predicting === over) this.#predicting = undefined;
    });
    return await unlessAborted(signal, predicted);
  }

  /** With the weights of the last finished step. */
  #fresh({ snapshot, program }: SnapshotPredictor): ForwardProgram {
    this.#network.copyWeights(snapshot.slab);
    return program;
  }

  #compile(normalization: Normalization): SnapshotPredictor {
    const { inputs, segments, total } = this.#network;
    const snapshot = new ParameterSlab(segments, total);
    const forward = (x: Value): Value => NORMALIZE[normalization](this.#network.record(x, snapshot.values()));
    return { snapshot, program: new ForwardProgram(forward, inputs, PREDICT_BATCH) };
  }
}
