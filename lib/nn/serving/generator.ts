import { THREADS, threadsFor } from "../../binding/threads.js";
import { commonTurns } from "../../data/turns.js";
import { CarillonError, fail, introduce } from "../../errors.js";
import { currentTrace, Trace, tracing } from "../../graph/trace.js";
import * as ops from "../../ops/index.js";
import { checkKeys, checkNumber } from "../../options.js";
import { INSPECT, type Inspect, type InspectOptions, inspectDescription } from "../../tensor/inspect.js";
import { inputOf, type RowSpec } from "../../tensor/row_spec.js";
import { extent, formatShape } from "../../tensor/shape.js";
import type { Value } from "../../tensor/value.js";
import { goesBothWays, isRecurrent, lanesOf } from "../memory/lanes.js";
import { recordSteps } from "../structure/generation.js";
import type { Layer } from "../structure/layer.js";
import { FrozenCopy, type Network } from "./frozen_copy.js";
import { checkSample, type SampleOptions, sampleToken } from "./sample.js";

/** Options of `Model.generator`. */
export interface GeneratorOptions {
  /** Sequences that are gone on with side by side, 1 by default. */
  readonly sequences?: number | undefined;
  /** Tokens of a sequence at most; the steps of the model's rows by default. Learned positions have no more than their table. */
  readonly length?: number | undefined;
  /** Native threads, at most; by default and in no case more than `runtime.threads`. The bits do not depend on it. */
  readonly threads?: number | undefined;
}

/** Options of {@link TokenGenerator.generate}. */
export interface GenerateOptions extends SampleOptions {
  /** Tokens to give at most; as many as there is room for by default. */
  readonly tokens?: number | undefined;
  /** A token that ends the text, and is not given. */
  readonly stop?: number | undefined;
  /** Which of the sequences goes on, 0 by default. */
  readonly sequence?: number | undefined;
}

/** Layers that compute each step from itself alone, or know what to do with single steps. */
const STEPWISE: ReadonlySet<string> = new Set([
  ...["embedding", "linear", "ntkLinear", "layerNorm", "rmsNorm", "batchNorm", "scale", "smoothClip", "clampOutput"],
  ...["relu", "relu6", "tanh", "sigmoid", "softplus", "silu", "mish", "selu", "hardTanh", "hardSigmoid", "hardSilu"],
  ...["softmax", "logSoftmax", "leakyRelu", "elu", "gelu", "parametricActivation"],
  ...["dropout", "spatialDropout", "alphaDropout", "gaussianDropout"],
  ...["residual", "sequential", "attention", "positions", "transformerBlock", "lstm", "gru", "rnn"],
]);

/** `ERR_OPTION` for a layer that may look at other steps than those before. */
function checkLayers(layers: readonly Layer[]): void {
  for (const layer of layers) {
    const { kind, config, layers: inside = {} } = layer;
    if (config === undefined || !STEPWISE.has(kind)) refuse(`'${kind}' may look at any step`);
    if (kind === "attention" && config.causal !== true)
      refuse("'attention' looks at the steps behind, as it is not causal");
    if (goesBothWays(layer)) refuse(`'${kind}' looks at the steps behind, as it goes through them in both directions`);
    checkLayers(Object.values(inside));
  }
}

function refuse(problem: string): never {
  const expected = "expected layers that look at the steps before at most for 'generator'";
  throw new CarillonError("ERR_OPTION", "generator", `${expected} but ${problem}`);
}

/** What a model takes and gives: tokens, and as many numbers for each; else `ERR_SHAPE`. */
function sizesOf({ rows }: Network): { readonly time: number; readonly vocabulary: number } {
  const [[x, ...inputs], [y, ...outputs]] = [rows.inputs, rows.outputs];
  const [time, ...others] = x?.shape ?? [];
  const vocabulary = y?.shape[1];
  const fits = inputs.length + outputs.length + others.length === 0 && x?.dtype === "i32" && y?.shape.length === 2;
  if (fits && time !== undefined && vocabulary !== undefined) return { time, vocabulary };
  const received = `${x?.dtype ?? "none"} ${formatShape(x?.shape ?? [])} to ${formatShape(y?.shape ?? [])}`;
  const expected = "expected a model of tokens, i32 [time] to [time, vocabulary], for 'generator'";
  throw new CarillonError("ERR_SHAPE", "generator", `${expected} but received ${received}`);
}

const number = (name: string): RowSpec => ({ name, shape: [], dtype: "i32" });

/** Of i32. */
const LARGEST = 2_147_483_647;

/** Tokens of a prompt that are computed at once, at most. */
const AT_ONCE = 64;

/** How many tokens a caller has given; 0 of what is no list. */
function countOf(tokens: unknown): number {
  if (typeof tokens !== "object" || tokens === null || !("length" in tokens)) return 0;
  const { length } = tokens;
  return typeof length === "number" && length > 0 ? length : 0;
}

/** The first `count` of a list, whatever else it says of itself. */
function firstOf(tokens: ArrayLike<number>, count: number): number[] {
  return Array.from({ length: count }, (_, at) => tokens[at] ?? Number.NaN);
}

/** A copy of a list; what is none, or is longer than `most`, as it is: to be refused by who takes it. */
function copyOf(tokens: ArrayLike<number>, most: number): ArrayLike<number> {
  const count = countOf(tokens);
  return count > 0 && count <= most ? firstOf(tokens, count) : tokens;
}

/** Rows of a call: the sequence and the place of each, and the states that they begin with. */
interface StepRows {
  readonly sequenceOf: (row: number) => number;
  readonly placeOf: (row: number) => number;
  readonly states: readonly Float32Array[];
}

/** Whether there is a layer that keeps a state, be it inside of others. */
const keepsStates = (layers: readonly Layer[]): boolean =>
  layers.some((layer) => isRecurrent(layer) || keepsStates(Object.values(layer.layers ?? {})));

/** A state of each sequence: its name and numbers. */
interface KeptState {
  readonly name: string;
  readonly width: number;
}

/** Records a step of the network, whose layers begin with such states; gives what it gives, and the states behind it. */
function recordStep(
  network: Network,
  [tokens, sequences, places]: readonly Value[],
  { count, time, vocabulary }: { readonly count: number; readonly time: number; readonly vocabulary: number },
  stateOf: (name: string, shape: readonly number[]) => Value,
): { readonly outputs: readonly Value[]; readonly states: readonly Value[] } {
  if (tokens === undefined || sequences === undefined || places === undefined)
    return fail("ERR_TRACE", "generator", "tokens and their places", undefined);
  recordSteps(currentTrace("generator"), { sequences, places, count, time });
  const states: Value[] = [];
  const anything = (): void => undefined; // all layers were looked at before
  const lanes = lanesOf(anything, (name, shape) => {
    const value = stateOf(name, shape);
    return { value, next: (after) => states.push(after) };
  });
  const given = network.record([ops.reshape(tokens, ["batch", 1])], lanes);
  return { outputs: given.map((output) => ops.reshape(output, ["batch", vocabulary])), states };
}

/** The network as single steps: a token, the sequence that it belongs to, its place there, and what layers have kept of the steps before. */
function stepsOf(
  network: Network,
  sizes: { readonly count: number; readonly time: number; readonly vocabulary: number },
  keeps: boolean,
): { readonly steps: Network; readonly kept: readonly KeptState[] } {
  const own = [number("token"), number("sequence"), number("place")];
  const found: (KeptState & { readonly spec: RowSpec })[] = [];
  if (keeps) {
    tracing(new Trace(0, false), () => {
      recordStep(network, own.map(inputOf), sizes, (name, shape) => {
        const spec: RowSpec = { name, shape, dtype: "f32" };
        found.push({ name, width: extent(shape), spec });
        return inputOf(spec);
      });
    });
  }
  const y = network.rows.outputs.map((output) => ({ ...output, shape: [sizes.vocabulary] }));
  const after = found.map(({ spec }) => ({ ...spec, name: `${spec.name} behind` }));
  const steps: Network = {
    ...network,
    rows: { inputs: [...own, ...found.map(({ spec }) => spec)], outputs: [...y, ...after] },
    record(inputs) {
      const before = inputs.slice(own.length);
      let asked = 0;
      const { outputs, states } = recordStep(network, inputs, sizes, (name) => {
        const value = before[asked++];
        return value ?? fail("ERR_TRACE", "generator", "a state for each layer that keeps one", name);
      });
      return [...outputs, ...states];
    },
  };
  return { steps, kept: found };
}

/**
 * A model that goes on with sequences token by token, and keeps the keys and values of what came before, and the states of recurrent layers: a token costs as much as one step of the network. Made by
 * `Model.generator`, of the weights that the model has then. What it gives has the bits of the whole sequence at once.
 */
export class TokenGenerator {
  readonly vocabulary: number;
  readonly sequences: number;
  /** Tokens of a sequence at most. */
  readonly length: number;
  readonly #copy: FrozenCopy;
  readonly #threads: number | undefined;
  readonly #rows: number;
  readonly #places: number[];
  /** How often each sequence has moved to another place. */
  readonly #moves: number[];
  /** Of a call: what the network gives for a row, and the states behind it. */
  readonly #outputs: Float32Array;
  /** Numbers of a row of them. */
  readonly #columns: number;
  readonly #kept: readonly KeptState[];
  /** The states of all sequences, one behind the other. */
  readonly #states: readonly Float32Array[];

  /** @internal */
  constructor(network: Network, layers: readonly Layer[], options: GeneratorOptions) {
    checkKeys("generator", options, ["sequences", "length", "threads"]);
    checkLayers(layers);
    const { time, vocabulary } = sizesOf(network);
    const count = { min: 1, integer: true };
    this.vocabulary = vocabulary;
    this.sequences = checkNumber("generator.sequences", options.sequences ?? 1, { ...count, max: 65_536 });
    this.length = checkNumber("generator.length", options.length ?? time, { ...count, max: 1_000_000 });
    this.#threads =
      options.threads === undefined ? undefined : checkNumber("generator.threads", options.threads, THREADS);
    const sizes = { count: this.sequences, time: this.length, vocabulary };
    const { steps, kept } = stepsOf(network, sizes, keepsStates(layers));
    this.#kept = kept;
    this.#states = kept.map(({ width }) => new Float32Array(this.sequences * width));
    this.#columns = kept.reduce((sum, { width }) => sum + width, vocabulary);
    // Of states each token needs the one behind the token before.
    this.#rows = kept.length > 0 ? this.sequences : Math.max(this.sequences, Math.min(AT_ONCE, this.length));
    this.#places = new Array<number>(this.sequences).fill(0);
    this.#moves = new Array<number>(this.sequences).fill(0);
    this.#outputs = new Float32Array(this.#rows * this.#columns);
    this.#copy = new FrozenCopy(steps, ["none"], this.#rows);
    this.#copy.takeNow();
  }

  /** How many tokens a sequence has. */
  lengthOf(sequence = 0): number {
    return this.#places[this.#checkSequence("lengthOf", sequence)] ?? 0;
  }

  /**
   * Goes on with a sequence by one token or several: what the network gives behind the last of them, `vocabulary` numbers.
   *
   * Errors: no token (`ERR_DATA`), more than there is room for (`ERR_STATE`), one that the model does not know (`ERR_DATA`).
   */
  feed(tokens: number | ArrayLike<number>, sequence = 0): Float32Array {
    const own = this.#checkSequence("feed", sequence);
    const given = this.#tokensOf(tokens, own);
    const from = this.#places[own] ?? 0;
    const together = this.#kept.length > 0 ? 1 : this.#rows;
    let states = this.#statesOf([own]);
    let last = 0;
    for (let begin = 0; begin < given.length; begin += together) {
      const part = given.slice(begin, begin + together);
      const [sequenceOf, placeOf] = [() => own, (row: number) => from + begin + row];
      states = this.#compute("feed.tokens", part, { sequenceOf, placeOf, states });
      last = part.length - 1;
    }
    this.#keep([own], states);
    this.#move(own, from + given.length); // behind the last part, as one that fails leaves the sequence where it was
    return this.#outputs.slice(last * this.#columns, last * this.#columns + this.vocabulary);
  }

  /** Goes on with all sequences by one token each: [sequences, vocabulary], one behind the other. Errors as {@link feed}. */
  feedAll(tokens: ArrayLike<number>): Float32Array {
    if (countOf(tokens) !== this.sequences) fail("ERR_SHAPE", "feedAll.tokens", `${this.sequences} tokens`, tokens);
    const given = firstOf(tokens, this.sequences);
    for (const sequence of this.#places.keys()) this.#expectRoom("feedAll", sequence, 1);
    const all = [...this.#places.keys()];
    const [sequenceOf, placeOf] = [(row: number) => row, (row: number) => this.#places[row] ?? 0];
    const states = this.#compute("feedAll.tokens", given, { sequenceOf, placeOf, states: this.#statesOf(all) });
    this.#keep(all, states);
    for (const [sequence, place] of this.#places.entries()) this.#move(sequence, place + 1);
    const { vocabulary } = this;
    const outputs = new Float32Array(this.sequences * vocabulary);
    for (const row of all)
      outputs.set(this.#outputs.subarray(row * this.#columns, row * this.#columns + vocabulary), row * vocabulary);
    return outputs;
  }

  /** Begins a sequence anew, or all. */
  reset(sequence?: number): void {
    const begun = sequence === undefined ? [...this.#places.keys()] : [this.#checkSequence("reset", sequence)];
    for (const each of begun) this.#move(each, 0);
    this.#keep(
      begun,
      this.#kept.map(({ width }) => new Float32Array(begun.length * width)),
    );
  }

  /**
   * Goes on behind a prompt with tokens that are drawn as {@link sampleToken} draws them, one at a time, until there is no more room, `tokens` were given or `stop` was drawn. Draw i of a
   * call belongs to the i-th token that it gives. The event loop has its turns in between.
   *
   * The prompt and the options are copied before this returns, and the prompt is fed when the first token is asked for. Errors, with that token: those of {@link feed}; and `ERR_STATE` where something else has gone on
   * with the sequence, or begun it anew, since the token before.
   */
  generate(prompt: number | ArrayLike<number>, options: GenerateOptions = {}): AsyncGenerator<number, void, undefined> {
    const given = typeof options === "object" && options !== null ? { ...options } : options; // others are refused with the first token
    return this.#generate(typeof prompt === "number" ? prompt : copyOf(prompt, this.length), given);
  }

  async *#generate(
    prompt: number | ArrayLike<number>,
    options: GenerateOptions,
  ): AsyncGenerator<number, void, undefined> {
    checkKeys("generate", options, ["temperature", "topK", "seed", "tokens", "stop", "sequence"]);
    const { stop, sequence = 0 } = options;
    const sampling = checkSample("generate", options);
    const own = this.#checkSequence("generate", sequence);
    if (stop !== undefined) checkNumber("generate.stop", stop, { min: 0, below: this.vocabulary, integer: true });
    const most =
      options.tokens === undefined
        ? this.length
        : checkNumber("generate.tokens", options.tokens, { min: 0, integer: true });
    let outputs = this.feed(prompt, own);
    for (let draw = 0; draw < most; draw++) {
      const token = sampleToken(outputs, draw, sampling);
      if (token === stop) return;
      const moves = this.#moves[own];
      yield token;
      if (commonTurns.over) await commonTurns.next();
      if (draw + 1 >= most) return;
      if (moves !== this.#moves[own]) this.#failMoved(own);
      if (this.lengthOf(own) >= this.length) return;
      outputs = this.feed(token, own);
    }
  }

  /** @internal */
  [INSPECT](depth: number | null, options: InspectOptions, inspect: Inspect): string {
    const { sequences, length, vocabulary } = this;
    return inspectDescription(
      { title: "TokenGenerator", fields: { sequences, length, vocabulary } },
      depth,
      options,
      inspect,
    );
  }

  /** Computes a row a token; gives the states behind each. */
  #compute(
    where: string,
    tokens: readonly number[],
    { sequenceOf, placeOf, states }: StepRows,
  ): readonly Float32Array[] {
    for (const token of tokens) {
      if (Number.isInteger(token) && Math.abs(token) <= LARGEST) continue;
      fail("ERR_DATA", where, "integers", token);
    }
    const rows = tokens.length;
    const column = (of: (row: number) => number): Int32Array => Int32Array.from({ length: rows }, (_, row) => of(row));
    const given = [Int32Array.from(tokens), column(sequenceOf), column(placeOf), ...states];
    this.#copy.program.runInto(given, rows, this.#outputs, threadsFor(this.#threads));
    let from = this.vocabulary;
    return this.#kept.map(({ width }) => {
      const behind = new Float32Array(rows * width);
      for (let row = 0; row < rows; row++) {
        const begin = row * this.#columns + from;
        behind.set(this.#outputs.subarray(begin, begin + width), row * width);
      }
      from += width;
      return behind;
    });
  }

  /** Copies of the states of some sequences. */
  #statesOf(sequences: readonly number[]): readonly Float32Array[] {
    return this.#kept.map(({ width }, at) => {
      const states = new Float32Array(sequences.length * width);
      for (const [row, sequence] of sequences.entries())
        states.set(this.#states[at]?.subarray(sequence * width, (sequence + 1) * width) ?? [], row * width);
      return states;
    });
  }

  /** The states that these sequences go on with. */
  #keep(sequences: readonly number[], states: readonly Float32Array[]): void {
    for (const [at, { width }] of this.#kept.entries()) {
      for (const [row, sequence] of sequences.entries())
        this.#states[at]?.set(states[at]?.subarray(row * width, (row + 1) * width) ?? [], sequence * width);
    }
  }

  #move(sequence: number, place: number): void {
    this.#places[sequence] = place;
    this.#moves[sequence] = (this.#moves[sequence] ?? 0) + 1;
  }

  #failMoved(sequence: number): never {
    const problem = `expected sequence ${sequence} to be left to 'generate' until it is over`;
    throw new CarillonError("ERR_STATE", "generate", `${problem} but it was gone on with, or begun anew, meanwhile`);
  }

  /** A copy of the tokens, counted before it is made. */
  #tokensOf(tokens: number | ArrayLike<number>, sequence: number): readonly number[] {
    const count = typeof tokens === "number" ? 1 : countOf(tokens);
    if (count === 0) fail("ERR_DATA", "feed.tokens", "a token or more", tokens);
    this.#expectRoom("feed", sequence, count);
    return typeof tokens === "number" ? [tokens] : firstOf(tokens, count);
  }

  #checkSequence(where: string, sequence: number): number {
    return checkNumber(`${where}.sequence`, sequence, { min: 0, below: this.sequences, integer: true });
  }

  #expectRoom(where: string, sequence: number, more: number): void {
    const place = this.#places[sequence] ?? 0;
    if (place + more <= this.length) return;
    const problem = `expected at most ${this.length - place} tokens more of sequence ${sequence} for '${where}' but received ${more}`;
    throw new CarillonError("ERR_STATE", where, `${problem}: reset() begins it anew`);
  }
}
introduce(TokenGenerator.prototype, "a generator");

/** {@link TokenGenerator} of a network. */
export function generatorOf(network: Network, layers: readonly Layer[], options: GeneratorOptions): TokenGenerator {
  return new TokenGenerator(network, layers, options);
}
