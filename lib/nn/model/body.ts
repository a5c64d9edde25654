// What programs, runs, files and predictors ask of a model.
import type { NativeSlab } from "../../binding/native.js";
import type { Transforms } from "../../data/transform.js";
import { fail } from "../../errors.js";
import { Calls } from "../../graph/shared.js";
import { currentTrace, Trace, tracing } from "../../graph/trace.js";
import { lengthsOf } from "../../ops/sequence.js";
import { inputOf, listsOf, type RowSpecs } from "../../tensor/row_spec.js";
import { extent } from "../../tensor/shape.js";
import { Tensor } from "../../tensor/tensor.js";
import { lastValueId, type Value } from "../../tensor/value.js";
import { layOutModel } from "../files/saved.js";
import type { HeldModel } from "../files/written.js";
import { type Ending, endingOf } from "../losses/ending.js";
import {
  type Described,
  type Meaning,
  NO_MEANING,
  NO_OUTPUT_MEANING,
  type Normalization,
  normalizationIfAny,
} from "../meaning/meaning.js";
import { transformsOf } from "../meaning/meaning_words.js";
import { checkWeights, type GivenWeights } from "../memory/given_weights.js";
import { ModelMemory } from "../memory/memory.js";
import { infoOf, type ParameterInfo, type Segment, type Stretch } from "../memory/slab.js";
import { TracedStates } from "../memory/traced_states.js";
import type { Network } from "../serving/frozen_copy.js";
import { type Inference, inferenceOf } from "../serving/inference.js";
import type { Layer } from "../structure/layer.js";
import type { Definition } from "../structure/sequence.js";
import type { Recording } from "../structure/structure.js";

/** Memory and helpers of a model, apart from its definition. */
export interface Own {
  readonly memory: ModelMemory;
  readonly network: Network;
  readonly inference: Inference;
  readonly loads: Calls;
}

/** What a network makes an output of. */
interface GivenOutput {
  readonly ending: Ending | undefined;
  /** Whether it is steps of sequences that have lengths. */
  readonly isSequence: boolean;
}

/** A network at inference over copies of its weights: what depends on weights alone is computed already. */
export interface RecordedApart {
  /** In the order of the rows; of lists the value that bags take. */
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly described: Described;
  /** What makes probabilities of each output, if anything does. */
  readonly normalizations: readonly (Normalization | undefined)[];
  /** Weights and states by name, as the values that operations have for inputs. */
  readonly weights: ReadonlyMap<string, Tensor<"f32">>;
  /** What layers have recorded, innermost first: path, and the id of the last value that was there then. */
  readonly layers: readonly { readonly path: string; readonly last: number }[];
}

/** A model without what its users call: its memory, what is recorded of it, and what its training says of it. */
export class ModelBody {
  /** Names, shapes and elements of its inputs and outputs, for a row. */
  readonly rows: RowSpecs;
  /** Names are kind, ordinal and key (`linear1.weight`), or the layer's own name and the key; behind those of the blocks around it. */
  readonly parameters: readonly ParameterInfo[];
  /** States of its layers: running means and the like. */
  readonly state: readonly ParameterInfo[];

  readonly #definition: Definition;
  #own: Own | undefined;
  readonly #parametersIn = new WeakMap<Trace, ReadonlyMap<string, Value>>();
  readonly #statesIn = new WeakMap<Trace, TracedStates>();
  /** Another object after every change. */
  #meaning = NO_MEANING;
  #described: Described | undefined;
  #transforms: { readonly of: Meaning; readonly are: Transforms } | undefined;
  #given: readonly GivenOutput[] | undefined;

  /**
   * Whether this is a model and has its memory: a Proxy has the prototype alone, and every method would fail in the middle.
   * @internal
   */
  static [Symbol.hasInstance](given: unknown): boolean {
    return typeof given === "object" && given !== null && #own in given;
  }

  /** `ERR_OPTION` for a Proxy of a model that is called as one. */
  static #expect(body: ModelBody): void {
    if (!(#own in body)) fail("ERR_OPTION", "model", "a model", body);
  }

  /** @internal */
  constructor(definition: Definition) {
    const { rows, structure } = definition;
    this.#definition = definition;
    this.rows = rows;
    this.parameters = infoOf(structure.parameters);
    this.state = infoOf(structure.states);
  }

  /** Memory and helpers, made when somebody first needs them: a model that is a layer of another one has none. @internal */
  get own(): Own {
    ModelBody.#expect(this);
    if (this.#own !== undefined) return this.#own;
    const { structure } = this.#definition;
    const memory = new ModelMemory(structure.parameters, structure.states);
    const network: Network = {
      rows: this.rows,
      segments: memory.segments,
      slab: memory.slab,
      described: () => this.#describe(),
      record: (inputs, lanes) => this.recordRows(inputs, undefined, undefined, lanes),
      ensure: () => memory.ensure(),
      prepare: () => memory.prepare(),
      version: () => (memory.initialized ? memory.settled : undefined),
      clone: async () => (await this.cloneBeside()).own.network,
    };
    let inference: Inference | undefined;
    this.#own = {
      memory,
      network,
      get inference() {
        inference ??= inferenceOf(network);
        return inference;
      },
      loads: new Calls(memory.uses(true)),
    };
    return this.#own;
  }

  /** @internal */
  get definition(): Definition {
    ModelBody.#expect(this);
    return this.#definition;
  }

  /** All memory of its weights and states. @internal */
  get memory(): ModelMemory {
    return this.own.memory;
  }

  /** Whether a run has it. @internal */
  get taken(): boolean {
    ModelBody.#expect(this);
    return this.#own?.memory.taken === true;
  }

  /** Of the parameters. @internal */
  get segments(): readonly Segment[] {
    return this.memory.segments;
  }

  /** Floats of a slab of the parameters' layout. @internal */
  get total(): number {
    return this.memory.total;
  }

  /** Where parameters and states lie, by name. @internal */
  get stretches(): readonly Stretch[] {
    return this.memory.stretches;
  }

  /** Layers as files describe them. @internal */
  get described(): readonly Layer[] {
    ModelBody.#expect(this);
    return this.#definition.described;
  }

  /** The same layers without weights. @internal */
  bare(): ModelBody {
    return new ModelBody(this.#definition);
  }

  /**
   * A copy beside whatever else goes on, without holding the event loop up: weights, and what belongs to them, of one moment, although a run
   * changes units and meaning with its first step.
   * @internal
   */
  async cloneBeside(): Promise<ModelBody> {
    const copy = this.bare();
    do {
      copy.#meaning = this.#meaning;
      const copied = this.memory.copyBeside(copy.memory);
      if (copied !== undefined) await copied;
    } while (copy.#meaning !== this.#meaning);
    copy.noteWritten();
    return copy;
  }

  /**
   * False until something gives the weights their values: `initialize`, a run, a load, or the first look at them (seed 0; while
   * a run has the model, the seed of the run).
   */
  get initialized(): boolean {
    ModelBody.#expect(this);
    return this.#own?.memory.initialized === true;
  }

  /** Parameters and states: what files have. @internal */
  get stored(): readonly ParameterInfo[] {
    return this.state.length === 0 ? this.parameters : [...this.parameters, ...this.state];
  }

  /** The outputs of these inputs, in the order of {@link rows}, as a {@link Recording} has them. @internal */
  recordRows(
    inputs: readonly Value[],
    tell?: Recording["tell"],
    shares?: Recording["shares"],
    lanes?: Recording["lanes"],
  ): readonly Value[] {
    const trace = currentTrace("forward");
    const recording = { trace, parameters: this.values(trace), states: this.states(trace), tell, shares, lanes };
    const { structure, record } = this.#definition;
    return record(inputs, structure.functions(recording));
  }

  /** The network at inference, for whoever writes it down; during a run, with weights as they were after a finished step. @internal */
  recordedApart(): RecordedApart {
    this.memory.ensure();
    const weights = new Map<string, Tensor<"f32">>();
    this.memory.readInto(({ name, shape, count }) => {
      const data = new Float32Array(count);
      weights.set(name, new Tensor(data, shape, "f32"));
      return data;
    });
    const trace = new Trace(0, false);
    const layers: { readonly path: string; readonly last: number }[] = [];
    const tell = (path: string): void => {
      layers.push({ path, last: lastValueId() });
    };
    const inputs = this.rows.inputs.map((row) =>
      row.ragged === undefined ? inputOf(row) : listsOf(row, { room: 1, weights: "optional" }),
    );
    const { structure, record } = this.#definition;
    const states = new Map<string, Value>(weights);
    const recording = { trace, parameters: weights, states, tell };
    const outputs = tracing(trace, () => record(inputs, structure.functions(recording)));
    const described = this.#describe();
    const normalizations = described.outputs.map((output) => normalizationIfAny("outputs", output));
    return { inputs, outputs, described, normalizations, weights, layers };
  }

  /** Changes of units by the names of inputs and outputs. @internal */
  get unitsByName(): Transforms {
    ModelBody.#expect(this);
    if (this.#transforms?.of !== this.#meaning) {
      this.#transforms = { of: this.#meaning, are: transformsOf(this.rows, this.#meaning) };
    }
    return this.#transforms.are;
  }

  /** The file of the weights as they are now, or when the calls of programs and loads before this one are over. @internal */
  async held(): Promise<HeldModel> {
    const call = new Calls(this.memory.uses(false)).enter("save");
    try {
      if (call.ready !== undefined) await call.ready;
      const preparing = this.memory.prepare();
      if (preparing !== undefined) await preparing;
      const model = this.taken ? await this.cloneBeside() : this;
      const layout = layOutModel(model);
      const held = model.memory.hold();
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

  /** Its weights have their values, which somebody else has written. @internal */
  noteWritten(): void {
    this.memory.initialized = true;
  }

  /** Names of layers that keep states. @internal */
  get keepers(): readonly string[] {
    return [...new Set(this.state.map(({ name }) => name.slice(0, name.lastIndexOf("."))))];
  }

  /** @internal */
  readStates(): ReadonlyMap<string, Float32Array> {
    return this.memory.readStates();
  }

  /** Writes states although a run has the model: it is the run's own. @internal */
  restoreStates(values: ReadonlyMap<string, Float32Array>, where: string): void {
    this.memory.writeStates(values, where);
  }

  /** For each output the kind of probabilities that it is already, if it is some. @internal */
  get endings(): readonly (Ending | undefined)[] {
    return this.#outputsGiven.map(({ ending }) => ending);
  }

  /** Which outputs are steps of sequences with lengths. @internal */
  get sequences(): readonly boolean[] {
    return this.#outputsGiven.map(({ isSequence }) => isSequence);
  }

  get #outputsGiven(): readonly GivenOutput[] {
    this.#given ??= tracing(new Trace(0, false), () => {
      return this.recordRows(this.rows.inputs.map(inputOf)).map((output): GivenOutput => {
        return { ending: endingOf(output), isSequence: lengthsOf(output) !== undefined };
      });
    });
    return this.#given;
  }

  /** Units, kinds of losses and names of classes that the last training has left. @internal */
  get meaning(): Meaning {
    ModelBody.#expect(this);
    return this.#meaning;
  }

  /** The same object until units or meaning change. */
  #describe(): Described {
    const { inputs, outputs } = this.#meaning;
    this.#described ??= {
      inputs,
      outputs: this.rows.outputs.map(({ shape }, at) => {
        const sizes = { outputs: extent(shape), places: extent(shape.slice(0, -1)) };
        return { ...(outputs[at] ?? NO_OUTPUT_MEANING), ...sizes, ending: this.endings[at] };
      }),
    };
    return this.#described;
  }

  /** Parameters as values of `trace`, the same values at every call. @internal */
  values(trace: Trace): ReadonlyMap<string, Value> {
    const known = this.#parametersIn.get(trace);
    if (known !== undefined) return known;
    const values = this.memory.values();
    this.#parametersIn.set(trace, values);
    trace.first.add(() => this.memory.ensure());
    return values;
  }

  /** States in `trace`, the same at every call. @internal */
  states(trace: Trace): TracedStates {
    const states = this.#statesIn.get(trace) ?? new TracedStates(trace, this.memory.stateValues());
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
    return this.memory.slab;
  }

  /** Takes the model for a run; `ERR_BUSY` if one has it, or a program is changing it. @internal */
  acquire(where: string, seed: number): void {
    this.memory.take(where, seed);
  }

  /** When no program reads the weights themselves any more, for a run that has the model. @internal */
  get unread(): Promise<unknown> | undefined {
    return this.memory.unread;
  }

  /** @internal */
  release(): void {
    this.memory.leave();
  }

  /** How often the weights were written, by a run, a program or by hand. @internal */
  get version(): number {
    return this.memory.version;
  }

  /** Draws all weights as `initialize` does, although a run has the model: it is the run's own. @internal */
  restoreInitial(seed: number): void {
    this.memory.draw(seed);
  }

  /**
   * Does what {@link restoreInitial} does with turns of the event loop in between, but for the last word: the model has
   * its weights when the function that this gives is called. @internal
   */
  async prepareInitial(seed: number, signal?: AbortSignal | undefined): Promise<() => void> {
    return await this.memory.drawInTurns(seed, signal);
  }

  /** Writes weights although a run has the model: it is the run's own. @internal */
  restore(values: GivenWeights, where: string): void {
    this.memory.write(checkWeights(where, values, this.stored), where);
    this.noteWritten();
  }

  /** `ERR_BUSY` while a run has the model, or a program is at work on it. @internal */
  expectIdle(where: string): void {
    this.memory.expectIdle(where);
  }

  /** `ERR_BUSY` while a run or a program is changing the model. @internal */
  expectStill(where: string): void {
    this.memory.expectStill(where);
  }
}
