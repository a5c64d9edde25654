// What the compiler says about data whose types alone tell that a model does not take them. A type that is inferred from data refuses
// nothing by itself: sentences stand in the place of what is wrong.
import type { Features, Labels, Lists, OneList, Targets, Weights } from "../../data/dataset.js";
import type { Dataset, StreamExample } from "../../data/stream.js";
import type { NumberArray } from "../../tensor/arrays.js";
import type { Ragged } from "../../tensor/ragged.js";
import type { Element } from "../structure/chain.js";
import type { Elements, InputSize, Sizes } from "../structure/sequence.js";

/** Rows whose type alone says that they are i32. */
type Integers = Int32Array | { readonly shape: readonly number[]; readonly data: Int32Array } | readonly Int32Array[];

/** Rows whose type alone says that they are floats. */
type Floats =
  | Float32Array
  | Float64Array
  | { readonly shape: readonly number[]; readonly data: Float32Array | Float64Array }
  | readonly (Float32Array | Float64Array)[];

/** Whether a type is `any` or `never`, of which nothing is known. */
type IsOpen<T> = 0 extends 1 & T ? true : [T] extends [never] ? true : false;

/** A sentence about what T has besides `Known`. */
type UnknownOf<T, Known, What extends string> = `there is no ${What} '${Exclude<keyof T, Known> & string}'`;

/** The same in the place of each. */
type Unknown<T, Known, What extends string> = {
  readonly [K in Exclude<keyof T, Known> & string]: `there is no ${What} '${K}'`;
};

type OfLists = "offsets" | "ids" | "weights";

/** Whether X is a list by itself, of numbers. */
type IsArray<X> = [X] extends [readonly unknown[] | NumberArray] ? true : false;

/** Rows of type X for an input with elements of E, or a sentence where their type alone says that they are others. */
type SuitedRows<X, S, E, Where extends string> =
  IsOpen<X> extends true
    ? X
    : S extends Ragged
      ? IsArray<X> extends true
        ? X
        : Exclude<keyof X, OfLists> extends never
          ? X
          : UnknownOf<X, OfLists, "member of lists,">
      : [E] extends ["f32"]
        ? [X] extends [Integers]
          ? `${Where} takes f32, but these are i32: Float32Array.from() makes floats of them`
          : X
        : [E] extends ["i32"]
          ? [X] extends [Floats]
            ? `${Where} takes i32, but these are floats: Int32Array.from() makes integers of them`
            : X
          : [E] extends ["u8"]
            ? [X] extends [Integers | Floats]
              ? `${Where} takes u8, but these are no bytes: images are a Uint8Array`
              : X
            : X;

/** Elements of inputs as far as a model's type tells them: any, where it tells nothing. */
export type KnownElements<E extends Elements> = Elements extends E ? Element : E;

type ElementOf<E, K> = K extends keyof E ? E[K] : Element;

/** Rows of type X, with a sentence in the place of those that a model with inputs In with elements of E does not take. */
type Suited<X, In extends Sizes, E extends Elements> = E extends Element
  ? SuitedRows<X, In, E, "the input">
  : {
      readonly [K in keyof X & keyof E & string]: SuitedRows<
        X[K],
        K extends keyof In ? In[K] : unknown,
        E[K],
        `the input '${K}'`
      >;
    } & Unknown<X, keyof E, "input">;

/** What a data set of type D has to be besides, or a sentence that it is not, for a model from In with elements of E to Out. */
export type SuitedData<D, In extends Sizes, E extends Elements, Out extends Sizes> = D extends undefined
  ? unknown
  : D extends Dataset<infer I>
    ? Told<ItemProblem<I, In, E, Out>>
    : D extends { readonly x: infer X; readonly y: infer Y }
      ? {
          readonly x: Suited<X, In, E>;
          readonly y: Out extends InputSize ? unknown : Unknown<Y, keyof Out, "output">;
        } & Unknown<D, "x" | "y" | "weight" | "carry", "member of a data set,">
      : unknown;

/** The same of data whose targets nobody asks for. */
export type SuitedInputs<D, In extends Sizes, E extends Elements> =
  D extends Dataset<infer I>
    ? Told<I extends { readonly x: infer X } ? InputProblem<X, In, E> : never>
    : D extends { readonly x: infer X }
      ? { readonly x: Suited<X, In, E> }
      : unknown;

/** Sentences, if there are some. */
type Told<Problem> = [Problem] extends [never] ? unknown : Problem;

/** A sentence for each form of the items of a stream that a model does not take; none where nothing is known of them. */
type ItemProblem<I, In extends Sizes, E extends Elements, Out extends Sizes> =
  IsOpen<I> extends true
    ? never
    : StreamExample extends I
      ? never
      : I extends { readonly x: infer X; readonly y: infer Y }
        ? Exclude<keyof I, "x" | "y" | "weight"> extends never
          ?
              | InputProblem<X, In, E>
              | TargetProblem<Y, Out, number | bigint | string | Labels | Targets, "y">
              | (I extends { readonly weight?: infer W } ? WeightProblem<Exclude<W, undefined>, Out> : never)
          : UnknownOf<I, "x" | "y" | "weight", "member of an item,">
        : never;

/** The x of an item. */
type InputProblem<X, In extends Sizes, E extends Elements> =
  IsOpen<X> extends true
    ? never
    : InputSize extends In
      ? never
      : [In] extends [InputSize]
        ? RowsProblem<X, In, E, "the input">
        : NamesProblem<X, In, "x", "input"> extends infer P
          ? [P] extends [never]
            ? {
                [K in keyof In & keyof X & string]: RowsProblem<X[K], In[K], ElementOf<E, K>, `the input '${K}'`>;
              }[keyof In & keyof X & string]
            : P
          : never;

type RowsProblem<X, S, E, Where extends string> =
  IsOpen<X> extends true
    ? never
    : S extends Ragged
      ? [X] extends [Lists | OneList]
        ? IsArray<X> extends true
          ? never
          : Extract<SuitedRows<X, S, E, Where>, string>
        : `${Where} takes lists of integers: one by itself, or { offsets, ids }`
      : [X] extends [number | Features]
        ? Extract<SuitedRows<X, S, E, Where>, string>
        : `${Where} takes numbers: one row, or several`;

/** Names that are missing in `X`, or too many, where it is known which there are. */
type NamesProblem<X, Known, Whole extends string, What extends string> = [X] extends [
  number | bigint | string | readonly unknown[] | NumberArray,
]
  ? `${Whole} names every ${What}: '${keyof Known & string}'`
  : string extends keyof Known
    ? never
    : Exclude<keyof X, keyof Known> extends never
      ? Exclude<keyof Known, keyof X> extends never
        ? never
        : `the ${What} '${Exclude<keyof Known, keyof X> & string}' is missing`
      : UnknownOf<X, keyof Known, What>;

/** The y of an item, of values of type V. */
type TargetProblem<Y, Out extends Sizes, V, Whole extends string> =
  IsOpen<Y> extends true
    ? never
    : InputSize extends Out
      ? never
      : [Out] extends [InputSize]
        ? [Y] extends [V]
          ? never
          : `${Whole} is that of one output, which has no name`
        : NamesProblem<Y, Out, Whole, "output">;

/** The weight of an item: one for all outputs, or for some by name. */
type WeightProblem<W, Out extends Sizes> =
  IsOpen<W> extends true
    ? never
    : [W] extends [number | Weights]
      ? never
      : [Out] extends [InputSize]
        ? InputSize extends Out
          ? never
          : "weight is that of one output, which has no name"
        : Exclude<keyof W, keyof Out> extends never
          ? never
          : UnknownOf<W, keyof Out, "output">;
