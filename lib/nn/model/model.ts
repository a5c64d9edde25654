import type { NativeSlab } from "../../binding/native.js";
import type { AnyExamples, AnyInputs } from "../../data/dataset.js";
import type { Dataset } from "../../data/stream.js";
import type { Transforms } from "../../data/transform.js";
import { type Json, madeBy, makingOf } from "../../described.js";
import { CarillonError, fail, introduce } from "../../errors.js";
import { Calls } from "../../graph/shared.js";
import { currentTrace, Trace, tracing } from "../../graph/trace.js";
import { checkFunction, checkKeys, checkNumber, checkString } from "../../options.js";
import { INSPECT, type InspectOptions, style } from "../../tensor/inspect.js";
import { areNamed, inputOf, type RowSpecs } from "../../tensor/row_spec.js";
import { extent } from "../../tensor/shape.js";
import { Tensor } from "../../tensor/tensor.js";
import { Value } from "../../tensor/value.js";
import { evaluateModel } from "../evaluation/evaluate.js";
import type { Evaluation } from "../evaluation/evaluator.js";
import { type RefreshOptions, refreshModel } from "../evaluation/statistics.js";
import { type LoadOptions, layOutModel, takeSaved, withModel } from "../files/saved.js";
import { type HeldModel, modelBytes, writeModel } from "../files/written.js";
import { type Ending, endingOf } from "../losses/ending.js";
import { type Described, type Meaning, NO_MEANING, NO_OUTPUT_MEANING } from "../meaning/meaning.js";
import { transformsOf } from "../meaning/meaning_words.js";
import type {
  DataOf,
  InputsOf,
  LabelsOf,
  MetricsFor,
  OutputsOf,
  ProbabilitiesOf,
  RowsOf,
} from "../meaning/row_types.js";
import { checkWeights, type GivenWeights } from "../memory/given_weights.js";
import { ModelMemory } from "../memory/memory.js";
import { infoOf, type ParameterInfo, type Segment, type Stretch } from "../memory/slab.js";
import { TracedStates } from "../memory/traced_states.js";
import type { MetricKey } from "../metrics/metrics.js";
import type { Network } from "../serving/frozen_copy.js";
import { Inference } from "../serving/inference.js";
import {
  checkPredict,
  type EvaluateOptions,
  type LabelOptions,
  type PredictOptions,
  type ProbabilityOptions,
} from "../serving/predict_options.js";
import { Predictor } from "../serving/predictor.js";
import { checkPredictor, type PredictedAs, type PredictorOptions } from "../serving/predictor_options.js";
import type { Element, Taken } from "../structure/chain.js";
import { BLOCK, type Layer, type Nestable } from "../structure/layer.js";
import type { Definition, Elements, InputSize, Sizes, Values } from "../structure/sequence.js";
import type { Recording } from "../structure/structure.js";
import { formatSizes, summarize } from "./summary.js";

/** What is recorded of rows: a value, or several by name. */
type ValuesOf<S extends Sizes> = S extends InputSize ? Value : { readonly [K in keyof S]: Value };

/** What a model has besides its definition. */
interface Own {
  readonly memory: ModelMemory;
  readonly network: Network;
  readonly inference: Inference;
  readonly loads: Calls;
}

/** Layers, and the weights that they have in it. Made by {@link sequential} and {@link network}. */
export class Model<In extends Sizes = InputSize, Out extends Sizes = Taken, E extends Elements = Elements>
  implements Nestable<In, Out>
{
  /** What it is as a layer of another model. */
  readonly kind: string;
  /** Elements of a row, or its shape where it has not just one axis; of several inputs by name. */
  readonly inputs: In;
  readonly outputs: Out;
  readonly takes?: (E extends Element ? E : Element) | undefined;
  /** What its inputs and outputs hold for every row. */
  readonly rows: RowSpecs;
  readonly layers: readonly Layer[];
  /** Names are kind, ordinal and key (`linear1.weight`), or the layer's own name and the key; behind those of the blocks around it. */
  readonly parameters: readonly ParameterInfo[];
  /** What its layers keep besides parameters: running means and the like. */
  readonly state: readonly ParameterInfo[];

  readonly #definition: Definition;
  #own: Own | undefined;
  readonly #parametersIn = new WeakMap<Trace, ReadonlyMap<string, Value>>();
  readonly #statesIn = new WeakMap<Trace, TracedStates>();
  /** Another object after every change. */
  #meaning = NO_MEANING;
  #described: Described | undefined;
  #transforms: { readonly of: Meaning; readonly are: Transforms } | undefined;
  #endings: readonly (Ending | undefined)[] | undefined;

  /** @internal */
  constructor(definition: Definition) {
    const { layers, rows, structure, sizes, block } = definition;
    this.kind = block.kind;
    this.inputs = sizes.inputs as In;
    this.outputs = sizes.outputs as Out;
    this.takes = (rows.inputs[0]?.ragged === undefined ? rows.inputs[0]?.dtype : "ragged") as typeof this.takes;
    this.rows = rows;
    this.layers = layers;
    this.#definition = definition;
    this.parameters = infoOf(structure.parameters);
    this.state = infoOf(structure.states);
    const making = makingOf(block);
    if (making !== undefined) madeBy(making.kind, making.options, this);
  }

  /** Made when somebody first needs it: a model that is a layer of another one has none. */
  #mine(): Own {
    if (this.#own !== undefined) return this.#own;
    const { structure } = this.#definition;
    const memory = new ModelMemory(structure.parameters, structure.states);
    const network: Network = {
      rows: this.rows,
      segments: memory.segments,
      slab: memory.slab,
      described: () => this.#describe(),
      record: (inputs) => this.recordRows(inputs),
      ensure: () => memory.ensure(),
      prepare: () => memory.prepare(),
      version: () => (memory.initialized ? memory.settled : undefined),
      clone: async () => (await this.cloneBeside()).#mine().network,
    };
    this.#own = { memory, network, inference: new Inference(network), loads: new Calls(memory.uses(true)) };
    return this.#own;
  }

  get #memory(): ModelMemory {
    return this.#mine().memory;
  }

  /** Of the parameters. @internal */
  get segments(): readonly Segment[] {
    return this.#memory.segments;
  }

  /** Floats of a slab of the parameters' layout. @internal */
  get total(): number {
    return this.#memory.total;
  }

  /** Where parameters and states lie, by name. @internal */
  get stretches(): readonly Stretch[] {
    return this.#memory.stretches;
  }

  /** Layers as files describe them. @internal */
  get described(): readonly Layer[] {
    return this.#definition.described;
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
    if (!this.initialized) return this.#definition.block;
    const instead = "build its layers anew, and give the new model their weights by setWeights()";
    const expected = `expected a model without weights as a layer but this one has some: ${instead}`;
    throw new CarillonError("ERR_STATE", "sequential", expected);
  }

  /**
   * False until something gives the weights their values: `initialize`, a run, a load, or the first look at them (seed 0; while
   * a run has the model, the seed of the run).
   */
  get initialized(): boolean {
    return this.#own?.memory.initialized === true;
  }

  /**
   * Changes of units that a run has fitted on its data, `(value − shift)/scale` by columns: `predict` and `evaluate` take and
   * give the units of the data; `forward`, inside of a program, does not.
   */
  get transforms(): Transforms {
    if (this.#transforms?.of !== this.#meaning) {
      this.#transforms = { of: this.#meaning, are: transformsOf(this.rows, this.#meaning) };
    }
    return this.#transforms.are;
  }

  /** Kind of the loss of the last training, `'crossEntropy'` for one, if it was a built-in one: it says what probabilities are. */
  get lossKind(): string | undefined {
    return this.#meaning.outputs[0]?.lossKind;
  }

  /** Names of the classes, that of class k at place k, where the labels of the training were names. */
  get classNames(): readonly string[] | undefined {
    return this.#meaning.outputs[0]?.classNames;
  }

  /**
   * What raw rows go through before they are inputs of this model, as `keepPreparation` was given it, be it in the process that has written the
   * file: `preparationOf(model.preparation)`. `undefined` if nobody has said.
   */
  get preparation(): Json | undefined {
    return this.#meaning.preparation;
  }

  /** Keeps a preparation with the model, its copies and its files; `undefined` keeps none. `ERR_OPTION` for what has no JSON. */
  keepPreparation(preparation: { toJSON(): Json } | undefined): this {
    if (preparation !== undefined) checkFunction("keepPreparation.toJSON", preparation.toJSON);
    this.changeMeaning({ ...this.#meaning, preparation: preparation?.toJSON() });
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
    this.#memory.ensure();
    const values = this.#memory.read();
    return new Map(
      this.stored.map(({ name, shape }) => [name, new Tensor(values.get(name) ?? new Float32Array(), shape, "f32")]),
    );
  }

  /** Parameters and states: what files have. @internal */
  get stored(): readonly ParameterInfo[] {
    return this.state.length === 0 ? this.parameters : [...this.parameters, ...this.state];
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
    const copy = new Model<In, Out, E>(this.#definition);
    if (this.#own?.memory.taken) this.#memory.ensure(); // as every other look beside a run
    if (this.initialized) {
      this.#memory.copyTo(copy.#memory);
      copy.noteWritten();
    }
    copy.#meaning = this.#meaning;
    return copy;
  }

  /**
   * The same beside whatever else goes on, without holding the event loop up: weights, and what belongs to them, of one moment, as a run
   * changes units and meaning with its first step. @internal
   */
  async cloneBeside(): Promise<Model<In, Out, E>> {
    const copy = new Model<In, Out, E>(this.#definition);
    do {
      copy.#meaning = this.#meaning;
      const copied = this.#memory.copyBeside(copy.#memory);
      if (copied !== undefined) await copied;
    } while (copy.#meaning !== this.#meaning);
    copy.noteWritten();
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

  /** The outputs of these inputs, in the order of {@link rows}, as a {@link Recording} has them. @internal */
  recordRows(inputs: readonly Value[], tell?: Recording["tell"], shares?: Recording["shares"]): readonly Value[] {
    const trace = currentTrace("forward");
    const recording = { trace, parameters: this.values(trace), states: this.states(trace), tell, shares };
    const { structure, record } = this.#definition;
    return record(inputs, structure.functions(recording));
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
    return options === undefined ? this.#mine().inference.outputs(x, {}) : this.#predict(x, options);
  }

  async #predict(x: unknown, options: PredictOptions & { readonly as?: string | undefined }): Promise<unknown> {
    const { as, ...work } = checkPredict("predict", options, ["outputs", "labels"]);
    return await (as === "labels" ? this.#mine().inference.labels(x, work) : this.#mine().inference.outputs(x, work));
  }

  /** `predict` on the calling thread, for one row or a few. */
  predictSync(x: RowsOf<In, E>, options?: { readonly as?: "outputs" | undefined }): OutputsOf<Out>;
  predictSync(x: RowsOf<In, E>, options: { readonly as: "labels" }): LabelsOf<Out>;
  predictSync(x: unknown, options?: { readonly as?: string | undefined }): unknown {
    if (options !== undefined) checkKeys("predictSync", options, ["as"]);
    const { as } = checkPredict("predictSync", options, ["outputs", "labels"]);
    return as === "labels" ? this.#mine().inference.labelsSync(x) : this.#mine().inference.outputsSync(x);
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
    return await this.#mine().inference.probabilities(x, work);
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
    return new Predictor(this.#mine().network, settings, settings.as);
  }

  /** A table for people: layers, what they give, numbers and shapes of parameters. `console.log` of a model shows it too. */
  summary(): string {
    return summarize({ ...this.#definition, parameters: this.parameters });
  }

  /** @internal */
  [INSPECT](depth: number | null, options: InspectOptions): string {
    if (depth === null || depth >= 0) return this.summary();
    return style(options, `[Model ${formatSizes(this)}]`, "special");
  }

  /** The model as the bytes of a safetensors file: weights by name, the layers as metadata. */
  bytes(): Uint8Array {
    this.#memory.ensure();
    return modelBytes(layOutModel(this), this.#memory);
  }

  /**
   * Writes {@link bytes} to `path`, piece by piece: after a crash at any moment, the old file or the new one in full. It has the weights
   * of the call, or of the last calls of programs and loads before it; during a run, of a finished step, copied first. Runs and programs
   * that begin to write an idle model wait until they are read.
   */
  async save(path: string): Promise<void> {
    checkString("save.path", path);
    await writeModel(path, this.#held());
  }

  /** The file of the weights as they are now, or when the calls of programs and loads before this one are over. */
  async #held(): Promise<HeldModel> {
    const call = new Calls(this.#memory.uses(false)).enter("save");
    try {
      if (call.ready !== undefined) await call.ready;
      const preparing = this.#memory.prepare();
      if (preparing !== undefined) await preparing;
      const model = this.#memory.taken ? await this.cloneBeside() : this;
      const layout = layOutModel(model);
      const held = model.#memory.hold();
      const release = (): void => {
        held.release();
        call.end();
      };
      return { layout, held, release };
    } catch (error) {
      call.end();
      throw error;
    }
  }

  /**
   * Takes over the weights of a file, by its path or its bytes: of a saved model or a checkpoint with the same parameters, with its
   * units; or of any safetensors file that has them under the same names and shapes, as f32, f64 (rounded to the nearest), f16 or bf16.
   * Otherwise `ERR_FILE`, and nothing is written. From the call on nothing else changes the model; `ERR_BUSY` while a run has it.
   */
  async load(source: string | Uint8Array, options: LoadOptions = {}): Promise<this> {
    const call = this.#mine().loads.enter("load");
    try {
      await withModel("load", source, options, (saved) => takeSaved(this, saved, call.ready));
      return this;
    } finally {
      await call.ready; // where there was nothing to load, too
      call.end();
    }
  }

  /** Its weights have their values, which somebody else has written. @internal */
  noteWritten(): void {
    this.#memory.initialized = true;
  }

  /**
   * Loss and metrics over a set, in its order, at inference, on native threads: of the weights and units that the model has at the
   * call; during a run, of a finished step. Data in memory is copied as for `fit`.
   */
  evaluate<const M extends MetricsFor<Out> = never>(
    data: DataOf<In, Out>,
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
  refreshStatistics(
    data: { readonly x: InputsOf<In>; readonly y?: unknown; readonly weight?: unknown } | Dataset,
    options?: RefreshOptions,
  ): Promise<this>;
  async refreshStatistics(data: AnyInputs | Dataset, options: RefreshOptions = {}): Promise<this> {
    await refreshModel(this, data, options);
    return this;
  }

  /** Names of layers that keep states. @internal */
  get keepers(): readonly string[] {
    return [...new Set(this.state.map(({ name }) => name.slice(0, name.lastIndexOf("."))))];
  }

  /** @internal */
  readStates(): ReadonlyMap<string, Float32Array> {
    return this.#memory.readStates();
  }

  /** Writes states although a run has the model: it is the run's own. @internal */
  restoreStates(values: ReadonlyMap<string, Float32Array>, where: string): void {
    this.#memory.writeStates(values, where);
  }

  /** What each of its outputs is already, if these are probabilities. @internal */
  get endings(): readonly (Ending | undefined)[] {
    this.#endings ??= tracing(new Trace(0, false), () => {
      return this.recordRows(this.rows.inputs.map(inputOf)).map(endingOf);
    });
    return this.#endings;
  }

  /** What a training says of inputs and outputs. @internal */
  get meaning(): Meaning {
    return this.#meaning;
  }

  /** The same object until units or meaning change. */
  #describe(): Described {
    const { inputs, outputs } = this.#meaning;
    this.#described ??= {
      inputs,
      outputs: this.rows.outputs.map(({ shape }, at) => {
        return { ...(outputs[at] ?? NO_OUTPUT_MEANING), outputs: extent(shape), ending: this.endings[at] };
      }),
    };
    return this.#described;
  }

  /** Parameters as values of `trace`, the same values at every call. @internal */
  values(trace: Trace): ReadonlyMap<string, Value> {
    const known = this.#parametersIn.get(trace);
    if (known !== undefined) return known;
    const values = this.#memory.values();
    this.#parametersIn.set(trace, values);
    trace.first.add(() => this.#memory.ensure());
    return values;
  }

  /** States in `trace`, the same at every call. @internal */
  states(trace: Trace): TracedStates {
    const states = this.#statesIn.get(trace) ?? new TracedStates(trace, this.#memory.stateValues());
    this.#statesIn.set(trace, states);
    return states;
  }

  /** @internal */
  changeMeaning(meaning: Meaning): void {
    const { preparation } = this.#meaning;
    this.#meaning = "preparation" in meaning || preparation === undefined ? meaning : { ...meaning, preparation };
    this.#described = undefined;
  }

  /** Memory of the weights. @internal */
  get slab(): NativeSlab {
    return this.#memory.slab;
  }

  /** Takes the model for a run; `ERR_BUSY` if one has it, or a program is changing it. @internal */
  acquire(where: string, seed: number): void {
    this.#memory.take(where, seed);
  }

  /** When no program reads the weights themselves any more, for a run that has the model. @internal */
  get unread(): Promise<unknown> | undefined {
    return this.#memory.unread;
  }

  /** @internal */
  release(): void {
    this.#memory.leave();
  }

  /** How often the weights were written, by a run, a program or by hand. @internal */
  get version(): number {
    return this.#memory.version;
  }

  /** What `initialize` draws, although a run has the model: it is the run's own. @internal */
  restoreInitial(seed: number): void {
    this.#memory.draw(seed);
  }

  /**
   * Does what {@link restoreInitial} does with turns of the event loop in between, but for the last word: the model has
   * its weights when the function that this gives is called. @internal
   */
  async prepareInitial(seed: number, signal?: AbortSignal | undefined): Promise<() => void> {
    return await this.#memory.drawInTurns(seed, signal);
  }

  /** Writes weights although a run has the model: it is the run's own. @internal */
  restore(values: GivenWeights, where: string): void {
    this.#memory.write(checkWeights(where, values, this.stored), where);
    this.noteWritten();
  }

  /** `ERR_BUSY` while a run has the model, or a program is at work on it. @internal */
  expectIdle(where: string): void {
    this.#memory.expectIdle(where);
  }

  /** `ERR_BUSY` while a run or a program is changing the model. @internal */
  expectStill(where: string): void {
    this.#memory.expectStill(where);
  }
}
introduce(Model.prototype, "a model");

/** Any {@link Model}: with one input and output, or with several by name. */
export type AnyModel = Model<Sizes, Sizes>;
