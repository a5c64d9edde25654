// What data, losses and answers of a model are, by the type of its rows.
import type { Examples, Features, Labels, Targets } from "../data/dataset.js";
import type { Dataset } from "../data/stream.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Taken } from "./chain.js";
import type { Loss } from "./losses/loss.js";
import type { PredictedLabels } from "./meaning.js";
import type { Metrics } from "./metrics.js";
import type { Sizes } from "./sequence.js";

/** One for a single input or output, or one for each by its name. */
export type Each<S extends Sizes, T> = S extends Taken ? T : { readonly [K in keyof S]: T };

/** The same, where some may be left out. */
export type Some<S extends Sizes, T> = S extends Taken ? T : { readonly [K in keyof S]?: T | undefined };

/** The inputs of a data set. */
export type InputsOf<In extends Sizes> = Each<In, Features>;

/** The rows of a call: those of a data set; of an input of a number a row, that number too. */
export type RowsOf<In extends Sizes> = In extends Taken
  ? Features | (In extends readonly [] ? number : never)
  : { readonly [K in keyof In]: Features | (In[K] extends readonly [] ? number : never) };

/** The targets of a data set. */
export type TargetsOf<Out extends Sizes> = Each<Out, Labels | Targets>;

/** A data set in memory, or a stream. */
export type DataOf<In extends Sizes, Out extends Sizes> = Examples<InputsOf<In>, TargetsOf<Out>> | Dataset;

/** A loss an output. */
export type LossesOf<Out extends Sizes> = Each<Out, Loss>;

/** What the losses of named outputs count. */
export type LossWeightsOf<Out extends Sizes> = Out extends Taken
  ? undefined
  : { readonly [K in keyof Out]?: number | undefined };

/** Metrics of each output. */
export type MetricsFor<Out extends Sizes> = Some<Out, Metrics>;

/** The outputs of a model. */
export type OutputsOf<Out extends Sizes> = Each<Out, Tensor<"f32">>;

/** Probabilities of those outputs that have some. */
export type ProbabilitiesOf<Out extends Sizes> = Some<Out, Tensor<"f32">>;

/** Labels of those outputs that have some. */
export type LabelsOf<Out extends Sizes> = Some<Out, PredictedLabels>;
