// What data, losses and answers of a model are, by the type of its rows.
import type { Examples, Features, Labels, Lists, OneList, Targets, TensorLike } from "../../data/dataset.js";
import type { Dataset } from "../../data/stream.js";
import type { NumberArray } from "../../tensor/arrays.js";
import type { Ragged } from "../../tensor/ragged.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { Loss } from "../losses/loss.js";
import type { Metrics } from "../metrics/metrics.js";
import type { Element, Taken } from "../structure/chain.js";
import type { Elements, InputSize, Sizes } from "../structure/sequence.js";
import type { PredictedLabels } from "./meaning.js";

/** One for a single input or output, or one for each by its name. */
export type Each<S extends Sizes, T> = S extends InputSize ? T : { readonly [K in keyof S]: T };

/** The same, where some may be left out. */
export type Some<S extends Sizes, T> = S extends InputSize ? T : { readonly [K in keyof S]?: T | undefined };

/** What data have for an input. */
type InputOf<S> = S extends Ragged ? Lists : Features;

/** The inputs of a data set. */
export type InputsOf<In extends Sizes> = In extends InputSize
  ? InputOf<In>
  : { readonly [K in keyof In]: InputOf<In[K]> };

/** Numbers in typed arrays of these classes, or in any others of no class; a tensor's type may leave open what it holds. */
type Written<A extends NumberArray> = A | readonly number[] | NestedRows<A> | TensorLike;

type NestedRows<A extends NumberArray> = readonly (readonly number[])[] | readonly A[] | readonly NestedRows<A>[];

/** Rows of an input of floats: all but integers of 32 bits, which floats do not hold. */
export type FloatFeatures = Written<Exclude<NumberArray, Int32Array>>;

/** Rows of an input of integers: all but floats. */
export type IntegerFeatures = Written<Exclude<NumberArray, Float32Array | Float64Array>>;

/** Rows of an input of bytes. */
export type ByteFeatures = Written<Uint8Array | Uint8ClampedArray>;

type RowsWith<E> = [E] extends ["f32"]
  ? FloatFeatures
  : [E] extends ["i32"]
    ? IntegerFeatures
    : [E] extends ["u8"]
      ? ByteFeatures
      : Features;

/** The rows of a call for an input with elements of E: those of a data set; of one of a number a row that number too, of lists one by itself. */
type CallOf<S, E> = S extends Ragged ? Lists | OneList : RowsWith<E> | (readonly [] extends S ? number : never);

/** The rows of a call, of inputs with elements of E. */
export type RowsOf<In extends Sizes, E extends Elements = Elements> = In extends Ragged
  ? Lists | OneList
  : In extends Taken
    ? RowsWith<E> | (In extends readonly [] ? number : never)
    : { readonly [K in keyof In]: CallOf<In[K], K extends keyof E ? E[K] : Element> };

/** The targets of a data set. */
export type TargetsOf<Out extends Sizes> = Each<Out, Labels | Targets>;

/** A data set in memory, or a stream. */
export type DataOf<In extends Sizes, Out extends Sizes> = Examples<InputsOf<In>, TargetsOf<Out>> | Dataset;

/** A loss an output. */
export type LossesOf<Out extends Sizes> = Each<Out, Loss>;

/** Weights of the losses of named outputs. */
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
