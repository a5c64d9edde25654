import { transforms } from "./data/kinds.js";
import type { Transform } from "./data/transform.js";
import { type Description, type Family, refuseOwn } from "./described.js";
import { initializers } from "./nn/kinds/initializers.js";
import { layers } from "./nn/kinds/layers.js";
import { losses } from "./nn/kinds/losses.js";
import { metrics } from "./nn/kinds/metrics.js";
import type { Loss } from "./nn/losses/loss.js";
import type { Metric } from "./nn/metrics/metric.js";
import { models } from "./nn/model/kinds.js";
import type { AnyModel, Model } from "./nn/model/model.js";
import type { Initializer } from "./nn/parameters/initializers.js";
import type { Layer } from "./nn/structure/layer.js";
import { optimizers, schedules } from "./optim/kinds.js";
import type { Optimizer } from "./optim/optimizer.js";
import type { Partition } from "./optim/partition.js";
import type { Schedule } from "./optim/schedule.js";
import { checkOneOf } from "./options.js";
import type { Regularizer } from "./regularizers/index.js";
import { regularizers } from "./regularizers/kinds.js";
import type { Callback } from "./train/callbacks/callback.js";
import { callbacks } from "./train/callbacks/kinds.js";

/** Things that have descriptions, by the name of their family. */
export interface Described {
  readonly model: Model;
  readonly layer: Layer;
  readonly loss: Loss;
  readonly optimizer: Optimizer | Partition;
  readonly schedule: Schedule;
  readonly initializer: Initializer;
  readonly regularizer: Regularizer;
  readonly transform: Transform;
  readonly metric: Metric;
  readonly callback: Callback;
}

const FAMILIES: { readonly [F in keyof Described]: Family<Described[F]> } = {
  model: models,
  layer: layers,
  loss: losses,
  optimizer: optimizers,
  schedule: schedules,
  initializer: initializers,
  regularizer: regularizers,
  transform: transforms,
  metric: metrics,
  callback: callbacks,
};

/** Names of the families. */
const NAMES = Object.keys(FAMILIES) as (keyof Described)[];

/**
 * A built-in thing of one of the families, or a model of built-in layers, as plain data that JSON keeps: its kind, which is the name of the
 * function that makes it, and its options, defaults too. {@link fromDescription} makes the same again. `ERR_OPTION` names what is your own, such as a schedule in `adam.lr`; a copy (`{ ...adam() }`) is too.
 *
 * @example
 * descriptionOf(adam({ lr: 0.01 })); // { kind: 'adam', options: { lr: 0.01, beta1: 0.9, … } }
 */
export function descriptionOf(thing: Described[keyof Described] | AnyModel): Description {
  for (const name of NAMES) {
    const kind = FAMILIES[name].kindOf(thing);
    if (kind !== undefined) return FAMILIES[name].describe(kind, thing);
  }
  return refuseOwn(`a built-in ${NAMES.join(", ")}`, "descriptionOf", thing);
}

/**
 * Makes the thing of a description, such as one that `JSON.parse` has given: the same as {@link descriptionOf} was asked about, bit for
 * bit. An option that is absent is the default. `ERR_OPTION` and `ERR_UNKNOWN_OPTION` name the place in the description that is not what the
 * family has, such as `optimizer.options.beta1`.
 *
 * @example
 * fromDescription('optimizer', { kind: 'adam', options: { lr: { kind: 'cosineDecay', options: { lr: 0.01 } } } });
 */
export function fromDescription<F extends keyof Described>(family: F, description: unknown): Described[F] {
  checkOneOf("fromDescription.family", family, NAMES);
  return FAMILIES[family].make(family, description);
}
