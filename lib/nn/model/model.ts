import type { AnyExamples, AnyInputs } from "../../data/dataset.js";
import type { Dataset } from "../../data/stream.js";
import type { Transforms } from "../../data/transform.js";
import { type Json, madeBy, makingOf } from "../../described.js";
import { CarillonError, fail, introduce } from "../../errors.js";
import { checkFunction, checkKeys, checkNumber, checkString } from "../../options.js";
import { INSPECT, type InspectOptions, style } from "../../tensor/inspect.js";
import { areNamed } from "../../tensor/row_spec.js";
import { Tensor } from "../../tensor/tensor.js";
import { Value } from "../../tensor/value.js";
import { evaluateModel } from "../evaluation/evaluate.js";
import type { Evaluation } from "../evaluation/evaluator.js";
import { type RefreshOptions, refreshModel } from "../evaluation/statistics.js";
import { type LoadOptions, layOutModel, takeSaved, withModel } from "../files/saved.js";
import { modelBytes, writeModel } from "../files/written.js";
import type {
  DataOf,
  InputsOf,
  LabelsOf,
  MetricsFor,
  OutputsOf,
  ProbabilitiesOf,
  RowsOf,
} from "../meaning/row_types.js";
import type { KnownElements, SuitedData, SuitedInputs } from "../meaning/suited.js";
import type { GivenWeights } from "../memory/given_weights.js";
import type { MetricKey } from "../metrics/metrics.js";
import { type GeneratorOptions, generatorOf, type TokenGenerator } from "../serving/generator.js";
import {
  checkPredict,
  type EvaluateOptions,
  type LabelOptions,
  type PredictOptions,
  type ProbabilityOptions,
} from "../serving/predict_options.js";
import { type Predictor, predictorOf } from "../serving/predictor.js";
import { checkPredictor, type PredictedAs, type PredictorOptions } from "../serving/predictor_options.js";
import type { Element, Taken } from "../structure/chain.js";
import { BLOCK, type Layer, type Nestable } from "../structure/layer.js";
import type { Definition, Elements, InputSize, Sizes, Values } from "../structure/sequence.js";
import { ModelBody } from "./body.js";
import { formatSizes, summarize } from "./summary.js";

/** Values of rows in a trace: one, or several by name. */
type ValuesOf<S extends Sizes> = S extends InputSize ? Value : { readonly [K in keyof S]: Value };

/** Layers, and the weights that they have in it. Made by {@link sequential} and {@link network}. */
export class Model<In extends Sizes = InputSize, Out extends Sizes = Taken, E extends Elements = Elements>
  extends ModelBody
  implements Nestable<In, Out>
{
  /** Kind of the layer that it is in another model. */
  readonly kind: string;
  /** Elements of a row, or its shape where it has not just one axis; of several inputs by name. */
  readonly inputs: In;
  readonly outputs: Out;
  readonly takes?: (E extends Element ? E : Element) | undefined;
  readonly layers: readonly Layer[];

  /** @internal */
  constructor(definition: Definition) {
    super(definition);
    const { layers, rows, sizes, block } = definition;
    this.kind = block.kind;
    this.inputs = sizes.inputs as In;
    this.outputs = sizes.outputs as Out;
    this.takes = rows.inputs[0]?.dtype as typeof this.takes;
    this.layers = layers;
    const making = makingOf(block);
    if (making !== undefined) madeBy(making.kind, making.options, this);
  }

  /**
   * A layer of these layers. `ERR_STATE` where it has weights: another model has its own, and would leave these behind unnoticed.
   * @internal
   */
  [BLOCK](): Layer {
    const { inputs, outputs } = this.rows;
    if (inputs.length !== 1 || outputs.length !== 1) {
      const expected = "expected a model with one input and one output as a layer";
      const [given, gives] = [inputs, outputs].map((rows) => rows.map(({ name }) => name).join(", "));
      throw new CarillonError("ERR_OPTION", "layer", `${expected} but received one of ${given} that gives ${gives}`);
    }
    if (!this.initialized) return this.definition.block;
    const instead = "build its layers anew, and give the new model their weights by setWeights()";
    const expected = `expected a model without weights as a layer but this one has some: ${instead}`;
    throw new CarillonError("ERR_STATE", "sequential", expected);
  }

  /**
   * Changes of units that a run has fitted on its data, `(value − shift)/scale` by columns: `predict` and `evaluate` take and
   * give the units of the data; `forward`, inside of a program, does not.
   */
  get transforms(): Transforms {
    return this.unitsByName;
  }

  /** Kind of the loss of the last training, `'crossEntropy'` for one, if it was a built-in one: it says what probabilities are. */
  get lossKind(): string | undefined {
    return this.meaning.outputs[0]?.lossKind;
  }

  /** Names of the classes, that of class k at place k, where the labels of the training were names. */
  get classNames(): readonly string[] | undefined {
    return this.meaning.outputs[0]?.classNames;
  }

  /**
   * What raw rows go through before they are inputs of this model, as `keepPreparation` was given it, be it in the process that has written the
   * file: `preparationOf(model.preparation)`. `undefined` if nobody has said.
   */
  get preparation(): Json | undefined {
    return this.meaning.preparation;
  }

  /** Keeps a preparation with the model, its copies and its files; `undefined` keeps none. `ERR_OPTION` for what has no JSON. */
  keepPreparation(preparation: { toJSON(): Json } | undefined): this {
    if (preparation !== undefined) checkFunction("keepPreparation.toJSON", preparation.toJSON);
    this.changeMeaning({ ...this.meaning, preparation: preparation?.toJSON() });
    return this;
  }

  /** Draws all weights anew from (seed, parameter name). `ERR_BUSY` while a run has the model, or a program is at work on it. */
  initialize(seed = 0): this {
    checkNumber("initialize.seed", seed, { min: 0, integer: true });
    this.expectIdle("initialize");
    this.restoreInitial(seed);
    return this;
  }

  /** Copies of all parameters and states by name; during a run, as they were after a finished step. */
  weights(): ReadonlyMap<string, Tensor<"f32">> {
    this.memory.ensure();
    const values = this.memory.read();
    return new Map(
      this.stored.map(({ name, shape }) => [name, new Tensor(values.get(name) ?? new Float32Array(), shape, "f32")]),
    );
  }

  /**
   * Overwrites all parameters and states, given by name in a Map or an object; nothing is written unless every one is there with its shape
   * and no other (`ERR_STATE`), as floats (`ERR_DTYPE`). `ERR_BUSY` as for {@link initialize}.
   */
  setWeights(weights: GivenWeights): this {
    this.expectIdle("setWeights");
    this.restore(weights, "setWeights");
    return this;
  }

  /** A model of the same layers with a copy of the weights; during a run, as they were after a finished step. */
  clone(): Model<In, Out, E> {
    if (this.taken) this.memory.ensure(); // as every other look beside a run
    const copy = new Model<In, Out, E>(this.definition);
    if (this.initialized) {
      this.memory.copyTo(copy.memory);
      copy.noteWritten();
    }
    copy.changeMeaning(this.meaning);
    return copy;
  }

  /**
   * Records the network inside the body of a program: y: [batch, outputs] from x: [batch, inputs], or records of them by name. A
   * second call uses the same weights, and draws its dropout masks for itself.
   */
  forward(x: Value): Value;
  forward(x: ValuesOf<In>): ValuesOf<Out>;
  forward(x: Value | Values): unknown {
    const { inputs, outputs } = this.rows;
    const given = inputs.map(({ name }) => {
      const value = x instanceof Value ? x : x[name];
      return value ?? fail("ERR_OPTION", `forward.${name}`, "a value", value);
    });
    const values = this.recordRows(given);
    const [first] = values;
    return !areNamed("y", outputs) && first !== undefined
      ? first
      : Object.fromEntries(outputs.map(({ name }, at) => [name, values[at]]));
  }

  /**
   * [rows, outputs] of x: [rows, inputs], at inference, on native threads. Raw outputs: no softmax is added. Calls that wait are
   * gathered into batches; a call has the weights and units that the model has when its turn comes. `x` is copied before this returns.
   */
  predict(
    x: RowsOf<In, E>,
    options?: PredictOptions & { readonly as?: "outputs" | undefined },
  ): Promise<OutputsOf<Out>>;
  /**
   * The class of each row: its name, if the labels of the training were names, else its integer. Of a single output 1 where the
   * probability is above ½, else 0 (after hinge 1 and −1). `ERR_STATE` for a model that was trained on values, or whose outputs are
   * labels by themselves; `ERR_NON_FINITE` for an output that is NaN.
   */
  predict(x: RowsOf<In, E>, options: LabelOptions): Promise<LabelsOf<Out>>;
  predict(x: unknown, options?: PredictOptions & { readonly as?: string | undefined }): Promise<unknown> {
    return options === undefined ? this.own.inference.outputs(x, {}) : this.#predict(x, options);
  }

  async #predict(x: unknown, options: PredictOptions & { readonly as?: string | undefined }): Promise<unknown> {
    const { as, ...work } = checkPredict("predict", options, ["outputs", "labels"]);
    return await (as === "labels" ? this.own.inference.labels(x, work) : this.own.inference.outputs(x, work));
  }

  /** `predict` on the calling thread, for one row or a few. */
  predictSync(x: RowsOf<In, E>, options?: { readonly as?: "outputs" | undefined }): OutputsOf<Out>;
  predictSync(x: RowsOf<In, E>, options: { readonly as: "labels" }): LabelsOf<Out>;
  predictSync(x: unknown, options?: { readonly as?: string | undefined }): unknown {
    if (options !== undefined) checkKeys("predictSync", options, ["as"]);
    const { as } = checkPredict("predictSync", options, ["outputs", "labels"]);
    return as === "labels" ? this.own.inference.labelsSync(x) : this.own.inference.outputsSync(x);
  }

  /**
   * Probabilities, [rows, outputs], on native threads, as the loss of the training has them: softmax of the outputs after
   * `crossEntropy` and `klDivergence`, a sigmoid of each after `binaryCrossEntropy`. What ends in a softmax or sigmoids is taken as it
   * is, and a logSoftmax by its exponential. A model that remembers no loss (older files, programs, losses of one's own) gives softmax,
   * of a single output the sigmoid. `ERR_STATE` after losses of values and hinge, and for targets with units; `as` says otherwise.
   */
  predictProbabilities(x: RowsOf<In, E>, options?: ProbabilityOptions): Promise<ProbabilitiesOf<Out>>;
  async predictProbabilities(x: unknown, options?: ProbabilityOptions): Promise<unknown> {
    const where = "predictProbabilities";
    const work = checkPredict(where, options, ["softmax", "sigmoid", "outputs"]);
    return await this.own.inference.probabilities(x, work);
  }

  /**
   * A frozen copy for serving, with the weights, units and class names of now: packed for one row and for batches, in a smaller form
   * if that is wanted. What changes in the model later it takes by `refresh`.
   *
   * `ERR_STATE` for a model whose weights have no values yet, and for answers that it does not have, as `predictProbabilities` tells.
   *
   * @example
   * const predictor = model.predictor({ as: "probabilities" });
   * const { data } = await predictor.submit([5.1, 3.5, 1.4, 0.2]);
   */
  predictor<const A extends PredictedAs = "outputs">(options?: PredictorOptions<A>): Predictor<A, In, Out, E>;
  predictor(options: PredictorOptions = {}): Predictor<PredictedAs, In, Out, E> {
    const settings = checkPredictor(options, this.segments);
    if (!this.initialized && this.segments.length > 0) {
      const expected = "expected a model with weights for 'predictor' but it has none yet";
      throw new CarillonError("ERR_STATE", "predictor", `${expected}: train it, load them, or call initialize()`);
    }
    return predictorOf(this.own.network, settings, settings.as);
  }

  /**
   * A copy of the model that goes on with sequences token by token, and keeps what came before: for texts. The model takes tokens, i32 [time], and gives
   * numbers for each, [time, vocabulary]; its layers look at the steps before at most (`attention` is causal).
   *
   * Errors: a model without weights (`ERR_STATE`), other rows (`ERR_SHAPE`), other layers (`ERR_OPTION`).
   *
   * @example
   * const generator = model.generator({ length: 256 });
   * for await (const token of generator.generate(prompt, { temperature: 0.8, topK: 10, seed: 1 })) …
   */
  generator(options: GeneratorOptions = {}): TokenGenerator {
    if (this.initialized) return generatorOf(this.own.network, this.definition.described, options);
    const expected = "expected a model with weights for 'generator' but it has none yet";
    throw new CarillonError("ERR_STATE", "generator", `${expected}: train it, load them, or call initialize()`);
  }

  /** A table for people: layers, what they give, numbers and shapes of parameters. `console.log` of a model shows it too. */
  summary(): string {
    return summarize({ ...this.definition, parameters: this.parameters });
  }

  /** @internal */
  [INSPECT](depth: number | null, options: InspectOptions): string {
    if (depth === null || depth >= 0) return this.summary();
    return style(options, `[Model ${formatSizes(this)}]`, "special");
  }

  /** The model as the bytes of a safetensors file: weights by name, the layers as metadata. */
  bytes(): Uint8Array {
    this.memory.ensure();
    return modelBytes(layOutModel(this), this.memory);
  }

  /**
   * Writes {@link bytes} to `path`, piece by piece: after a crash at any moment, the old file or the new one in full. It has the weights
   * of the call, or of the last calls of programs and loads before it; during a run, of a finished step, copied first. Runs and programs
   * that begin to write an idle model wait until they are read.
   */
  async save(path: string): Promise<void> {
    checkString("save.path", path);
    await writeModel(path, this.held());
  }

  /**
   * Takes over the weights of a file, by its path or its bytes: of a saved model or a checkpoint with the same parameters, with its
   * units; or of any safetensors file that has them under the same names and shapes, as f32, f64 (rounded to the nearest), f16 or bf16.
   * Otherwise `ERR_FILE`, and nothing is written. From the call on nothing else changes the model; `ERR_BUSY` while a run has it.
   */
  async load(source: string | Uint8Array, options: LoadOptions = {}): Promise<this> {
    const call = this.own.loads.enter("load");
    try {
      await withModel("load", source, options, (saved) => takeSaved(this, saved, call.ready));
      return this;
    } finally {
      await call.ready; // where there was nothing to load, too
      call.end();
    }
  }

  /**
   * Loss and metrics over a set, in its order, at inference, on native threads: of the weights and units that the model has at the
   * call; during a run, of a finished step. Data in memory is copied as for `fit`.
   */
  evaluate<const M extends MetricsFor<Out> = never, D = unknown>(
    data: DataOf<In, Out> & D & NoInfer<SuitedData<D, In, KnownElements<E>, Out>>,
    options: EvaluateOptions<M, Out>,
  ): Promise<Evaluation<MetricKey<M>>>;
  async evaluate(data: AnyExamples | Dataset, options: EvaluateOptions<MetricsFor<Sizes>, Sizes>): Promise<Evaluation> {
    return await evaluateModel(this, data, options);
  }

  /**
   * Measures the running means and variances of all batch norms anew, in a pass over data in its order: that of the model's weights as they
   * are, such as averaged ones. Each batch is normalized by its own figures; running ones become their means, each batch counting by its
   * rows. Nothing is drawn or dropped, and nothing else changes. `data` needs no targets; its weights are passed over. `ERR_BUSY` beside a run,
   * `ERR_NON_FINITE` for figures that are none; a call that fails or is aborted has changed nothing.
   *
   * @example
   * const averaged = model.clone().setWeights(result.averaged());
   * await averaged.refreshStatistics({ x });
   */
  refreshStatistics<D = unknown>(
    data: ({ readonly x: InputsOf<In>; readonly y?: unknown; readonly weight?: unknown } | Dataset) &
      D &
      NoInfer<SuitedInputs<D, In, KnownElements<E>>>,
    options?: RefreshOptions,
  ): Promise<this>;
  async refreshStatistics(data: AnyInputs | Dataset, options: RefreshOptions = {}): Promise<this> {
    await refreshModel(this, data, options);
    return this;
  }
}
introduce(Model.prototype, "a model");

/**
 * Any {@link Model}: with one input and output, or with several by name. Of a file whose model has several: `const model: AnyModel = await loadModel(path)`.
 */
export type AnyModel = Model<Sizes, Sizes>;
