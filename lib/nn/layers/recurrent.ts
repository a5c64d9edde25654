import { madeBy } from "../../described.js";
import { CarillonError, fail } from "../../errors.js";
import * as ops from "../../ops/index.js";
import { type Cell, recurrence, stackedGates } from "../../ops/recurrence.js";
import { lengthsOf } from "../../ops/sequence.js";
import { checkBoolean, checkKeys, checkNumber, checkOneOf } from "../../options.js";
import { checkBiasRegularizers, checked, type Regularizers } from "../../regularizers/index.js";
import { formatShape } from "../../tensor/shape.js";
import type { Value, ValueSpec } from "../../tensor/value.js";
import {
  type Initializer,
  orthogonal,
  toInitializer,
  uniform,
  xavierUniform,
  zeros,
} from "../parameters/initializers.js";
import { type ParameterSpec, parameter } from "../parameters/parameter.js";
import { drawnMask } from "../structure/drawn_mask.js";
import { defineLayer, type Layer, type LayerContext } from "../structure/layer.js";
import type { Product } from "../structure/size_product.js";

const PRESETS = ["pytorch", "keras"] as const;
const MASKS = ["sequence", "step"] as const;

/** Options of {@link lstm}, {@link gru} and {@link rnn}. */
export interface RecurrentOptions<S extends boolean = boolean, B extends boolean = boolean> {
  /** Layers, each over the outputs of the one before; 1 by default. */
  readonly layers?: number | undefined;
  /** A second direction, from the last step to the first, whose outputs stand behind those of the first one; false by default. */
  readonly bidirectional?: B | undefined;
  /** Gives the states of all steps, [batch, time, hidden], instead of the last one, [batch, hidden]; false by default. */
  readonly sequences?: S | undefined;
  /** Probability of dropping an output of a layer that another one takes, [0, 1), 0 by default: one mask a sequence (Gal, Ghahramani 2016). */
  readonly dropout?: number | undefined;
  /** Probability of dropping an element of the state in its products, [0, 1), 0 by default. */
  readonly recurrentDropout?: number | undefined;
  /** Masks of `recurrentDropout`: one a `'sequence'` (Gal, Ghahramani 2016), the default, or one a `'step'`. */
  readonly recurrentMask?: (typeof MASKS)[number] | undefined;
  /** Probability of dropping a weight of the state, [0, 1), 0 by default: one mask a step of training (Merity, Keskar, Socher 2018). */
  readonly dropConnect?: number | undefined;
  /** Adds biases, true by default. */
  readonly bias?: boolean | undefined;
  /** Of the weights of the input; Xavier uniform by default. A number is a constant. */
  readonly init?: Initializer | number | undefined;
  /** Of the weights of the state; orthogonal by default. A number is a constant. */
  readonly recurrentInit?: Initializer | number | undefined;
  /** Of the weights of the input; `null`: none, `undefined`: the model-wide one. */
  readonly regularizer?: Regularizers | undefined;
  /** Of the weights of the state likewise. */
  readonly recurrentRegularizer?: Regularizers | undefined;
  /** Penalties on the biases; `null`: none, `undefined`: the model-wide ones of biases. */
  readonly biasRegularizer?: Regularizers | undefined;
  /**
   * Parameters of a framework. `'pytorch'`: a second bias as long as the first, all of U(±1/√hidden) at first. `'keras'`: of a GRU
   * the gates in the order z, r, n and, with `resetAfter`, a second bias as long as the first.
   */
  readonly preset?: (typeof PRESETS)[number] | undefined;
  readonly name?: string | undefined;
}

/** Options of {@link lstm}. */
export interface LstmOptions<S extends boolean = boolean, B extends boolean = boolean> extends RecurrentOptions<S, B> {
  /** First value of the bias of the forget gate, 1 by default as in Keras (`unit_forget_bias`); the preset `'pytorch'` has none. */
  readonly forgetBias?: number | undefined;
}

/** Options of {@link gru}. */
export interface GruOptions<S extends boolean = boolean, B extends boolean = boolean> extends RecurrentOptions<S, B> {
  /** Whether the reset gate acts behind the product of the state, as in PyTorch and Keras, or in front of it, as in Cho et al. 2014; true by default. */
  readonly resetAfter?: boolean | undefined;
}

/** Options of {@link rnn}. */
export interface RnnOptions<S extends boolean = boolean, B extends boolean = boolean> extends RecurrentOptions<S, B> {
  /** `'tanh'` by default. */
  readonly activation?: "tanh" | "relu" | undefined;
}

/** Features of an output. */
type Width<H extends number, B extends boolean> = [B] extends [true]
  ? Product<readonly [2, H]>
  : [B] extends [false]
    ? H
    : number;

/** What a recurrent layer gives: features on the last axis of a sequence, or a row of one axis. */
type Given<H extends number, S extends boolean, B extends boolean> = [S] extends [true]
  ? Width<H, B>
  : [S] extends [false]
    ? readonly [Width<H, B>]
    : { readonly last: number };

const OPTIONS = [
  ...["layers", "bidirectional", "sequences", "dropout", "recurrentDropout", "recurrentMask"],
  ...["dropConnect", "bias", "init"],
  ...["recurrentInit", "regularizer", "recurrentRegularizer", "biasRegularizer", "preset", "name"],
];

/** What distinguishes the three layers. */
interface Variant {
  readonly kind: "lstm" | "gru" | "rnn";
  readonly cell: Cell;
  /** Of the forget gate's bias. */
  readonly forgetBias: number;
  /** Options of its own, as files have them. */
  readonly config: Readonly<Record<string, string | number | boolean>>;
}

interface Checked {
  readonly inputs: number;
  readonly hidden: number;
  readonly layers: number;
  readonly bidirectional: boolean;
  readonly sequences: boolean;
  readonly dropout: number;
  readonly recurrentDropout: number;
  readonly recurrentMask: (typeof MASKS)[number];
  readonly dropConnect: number;
  readonly bias: boolean;
  readonly preset: (typeof PRESETS)[number] | undefined;
}

const SHARE = { min: 0, below: 1 } as const;
const COUNT = { min: 1, integer: true } as const;

function checkOptions(kind: string, inputs: number, hidden: number, options: RecurrentOptions): Checked {
  const share = (name: "dropout" | "recurrentDropout" | "dropConnect"): number =>
    checkNumber(`${kind}.${name}`, options[name] ?? 0, SHARE);
  const flag = (name: "bidirectional" | "sequences" | "bias", standard: boolean): boolean =>
    checkBoolean(`${kind}.${name}`, options[name] ?? standard);
  const { preset } = options;
  return {
    inputs: checkNumber(`${kind}.inputs`, inputs, COUNT),
    hidden: checkNumber(`${kind}.hidden`, hidden, COUNT),
    layers: checkNumber(`${kind}.layers`, options.layers ?? 1, COUNT),
    bidirectional: flag("bidirectional", false),
    sequences: flag("sequences", false),
    dropout: share("dropout"),
    recurrentDropout: share("recurrentDropout"),
    recurrentMask: checkOneOf(`${kind}.recurrentMask`, options.recurrentMask ?? "sequence", MASKS),
    dropConnect: share("dropConnect"),
    bias: flag("bias", true),
    preset: preset === undefined ? undefined : checkOneOf(`${kind}.preset`, preset, PRESETS),
  };
}

/** One direction of one layer. */
interface Pass {
  /** Key of a parameter by its name in a layer of one direction. */
  readonly key: (name: string) => string;
  readonly inputs: number;
  readonly reverse: boolean;
}

/** The passes of each layer. */
function passesOf({ inputs, hidden, layers, bidirectional }: Checked): readonly (readonly Pass[])[] {
  return Array.from({ length: layers }, (_, layer) => {
    const ordinal = layer === 0 ? "" : String(layer + 1);
    const given = layer === 0 ? inputs : hidden * (bidirectional ? 2 : 1);
    const forward = { key: (name: string) => `${name}${ordinal}`, inputs: given, reverse: false };
    const capital = (name: string): string => `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;
    const back = { key: (name: string) => `reverse${capital(name)}${ordinal}`, inputs: given, reverse: true };
    return bidirectional ? [forward, back] : [forward];
  });
}

/** A bias whose stretches of `hidden` elements begin with a value each. */
function byGate(values: readonly number[]): Initializer {
  return { kind: "byGate", resolve: () => ({ kind: "stretches", values }) };
}

/** Initial values and penalties of the parameters, checked. */
function fillings(kind: string, { hidden, preset }: Checked, options: RecurrentOptions, { cell, forgetBias }: Variant) {
  const near = uniform({ high: 1 / Math.sqrt(hidden) });
  const [standard, standardRecurrent] = preset === "pytorch" ? [near, near] : [xavierUniform(), orthogonal()];
  const forgets = cell === "lstm" && forgetBias !== 0;
  const biasInit = preset === "pytorch" ? near : forgets ? byGate([0, forgetBias, 0, 0]) : zeros();
  checkBiasRegularizers(`${kind}.biasRegularizer`, options.biasRegularizer);
  return {
    init: toInitializer(`${kind}.init`, options.init, standard),
    recurrentInit: toInitializer(`${kind}.recurrentInit`, options.recurrentInit, standardRecurrent),
    biasInit,
    secondInit: preset === "pytorch" ? near : zeros(),
    regularizer: checked(`${kind}.regularizer`, options.regularizer),
    recurrentRegularizer: checked(`${kind}.recurrentRegularizer`, options.recurrentRegularizer),
    biasRegularizer: options.biasRegularizer,
  };
}

/** Which second bias there is: of the whole product of the state, or of the candidate alone. */
function secondBias({ bias, preset }: Checked, cell: Cell): "recurrentBias" | "candidateBias" | undefined {
  if (!bias) return undefined;
  if (preset === "pytorch" || (preset === "keras" && cell === "gru")) return "recurrentBias";
  return cell === "gru" ? "candidateBias" : undefined;
}

/** The biases as a cell takes them: of the product of the input, and of the candidate of a GRU behind its reset gate. */
function biasesOf(
  cell: Cell,
  hidden: number,
  bias: Value | undefined,
  second: Value | undefined,
): { readonly bias?: Value | undefined; readonly candidate?: Value | undefined } {
  if (bias === undefined || second === undefined) return { bias };
  if (second.shape[0] === hidden && cell === "gru") return { bias, candidate: second };
  if (cell !== "gru") return { bias: ops.add(bias, second) };
  const gates = ops.pad(ops.slice(second, 0, 2 * hidden), 0, hidden);
  return { bias: ops.add(bias, gates), candidate: ops.slice(second, 2 * hidden) };
}

/** What a layer takes; `ERR_SHAPE` of what is no sequence. */
function expectSequence(kind: string, { shape }: ValueSpec, inputs: number): void {
  if (shape.length === 3) return;
  throw new CarillonError(
    "ERR_SHAPE",
    kind,
    `expected [batch, time, ${inputs}] for '${kind}' but received ${formatShape(shape)}; ` +
      `a model says it: sequential({ input: [time, ${inputs}] }, ${kind}(…))`,
  );
}

function recurrent<In extends number, H extends number, S extends boolean, B extends boolean>(
  variant: Variant,
  inputs: In,
  hidden: H,
  options: RecurrentOptions<S, B>,
): Layer<In, Given<H, S, B>, "f32"> {
  const { kind, cell } = variant;
  const own = checkOptions(kind, inputs, hidden, options);
  const filled = fillings(kind, own, options, variant);
  const second = secondBias(own, cell);
  const passes = passesOf(own);
  const stacked = stackedGates(cell) * hidden;
  const parameters: Record<string, ParameterSpec> = {};
  for (const { key, inputs: given } of passes.flat()) {
    const { init, recurrentInit, regularizer, recurrentRegularizer, biasRegularizer } = filled;
    parameters[key("weight")] = parameter([stacked, given], { init, regularizer });
    parameters[key("recurrent")] = parameter([stacked, hidden], {
      init: recurrentInit,
      regularizer: recurrentRegularizer,
    });
    if (own.bias)
      parameters[key("bias")] = parameter([stacked], { init: filled.biasInit, regularizer: biasRegularizer });
    if (second !== undefined) {
      const shape = [second === "candidateBias" ? hidden : stacked];
      parameters[key(second)] = parameter(shape, { init: filled.secondInit, regularizer: biasRegularizer });
    }
  }
  const form = { cell, updateFirst: own.preset === "keras" && cell !== "lstm", where: kind };
  const walk = (x: Value, found: Readonly<Record<string, Value>>, context: LayerContext): Value => {
    const { training, nextSite, keep } = context;
    const lengths = lengthsOf(x);
    const one = (given: Value, { key, reverse }: Pass) => {
      const [weight, whole] = [found[key("weight")], found[key("recurrent")]];
      if (weight === undefined || whole === undefined) return fail("ERR_TRACE", kind, "its weights", found);
      const isCut = training && own.dropConnect > 0;
      const recurrentWeight = isCut ? ops.dropout(whole, { rate: own.dropConnect, site: nextSite() }) : whole;
      const isMasked = training && own.recurrentDropout > 0;
      const masked = given.shape.slice(0, own.recurrentMask === "step" ? 2 : 1);
      const mask = isMasked ? drawnMask([...masked, hidden], own.recurrentDropout, nextSite()) : undefined;
      const biases = biasesOf(cell, hidden, found[key("bias")], second && found[key(second)]);
      const [state, cellState] = [
        keep?.(key("state"), [hidden]),
        cell === "lstm" ? keep?.(key("cell"), [hidden]) : undefined,
      ];
      const begun = { state: state?.value, cellState: cellState?.value };
      const behind = recurrence(
        { x: given, weight, recurrent: recurrentWeight, ...biases, lengths, mask, ...begun },
        { ...form, reverse },
      );
      state?.next(behind.last);
      if (behind.lastCell !== undefined) cellState?.next(behind.lastCell);
      return behind;
    };
    let given = x;
    for (const [layer, all] of passes.entries()) {
      const done = all.map((pass) => one(given, pass));
      const isLast = layer === passes.length - 1;
      const outputs = done.map(({ y, last }) => (isLast && !own.sequences ? last : y));
      const [first = x] = outputs;
      given = outputs.length === 1 ? first : ops.concat(outputs);
      const isDropped = training && own.dropout > 0 && !isLast;
      if (isDropped) given = ops.spatialDropout(given, { rate: own.dropout, site: nextSite() });
    }
    return given;
  };
  const width = hidden * (own.bidirectional ? 2 : 1);
  const { preset, recurrentMask, ...sizes } = own;
  const others = {
    ...(recurrentMask === "step" ? { recurrentMask } : {}),
    ...(preset === undefined ? {} : { preset }),
  };
  const config = { ...sizes, ...others, ...variant.config };
  const layer = defineLayer({
    ...{ kind, inputs, steps: true as const, name: options.name, config, parameters },
    outputs: (own.sequences ? width : [width]) as Given<H, S, B>,
    infer: (given) => {
      expectSequence(kind, given, inputs);
      return { shape: [...given.shape.slice(0, own.sequences ? 2 : 1), width], dtype: "f32" };
    },
    forward: walk,
  });
  const { init, recurrentInit, regularizer, recurrentRegularizer, biasRegularizer } = filled;
  const told = { init, recurrentInit, regularizer, recurrentRegularizer, biasRegularizer, name: options.name };
  return madeBy(kind, { ...config, ...told }, layer);
}

/**
 * Long short-term memory (Hochreiter, Schmidhuber 1997; with forget gates, Gers, Schmidhuber, Cummins 2000). x: [batch, time, inputs]; y: [batch, hidden], or with
 * `sequences` [batch, time, hidden]; weight: [4·hidden, inputs], recurrent: [4·hidden, hidden], bias: [4·hidden], gates in the order i, f, g, o; of
 * further layers and of the second direction parameters of their own (`weight2`, `reverseWeight`):
 *
 *     i, f, o = σ(W·x + b + R·h), g = tanh(W·x + b + R·h), c ← f·c + i·g, h ← o·tanh(c), c and h 0 at first
 *
 * With `bidirectional` features of both directions stand side by side, and the last state of the second one is that of the first step. Its
 * gradient has no gradient of its own (`ERR_TRACE`).
 */
export function lstm<
  const In extends number,
  const H extends number,
  const S extends boolean = false,
  const B extends boolean = false,
>(inputs: In, hidden: H, options: LstmOptions<S, B> = {}): Layer<In, Given<H, S, B>, "f32"> {
  const kind = "lstm";
  checkKeys(kind, options, [...OPTIONS, "forgetBias"]);
  const { forgetBias, preset, bias } = options;
  if (forgetBias !== undefined && (preset === "pytorch" || bias === false))
    fail("ERR_OPTION", "lstm.forgetBias", `none ${bias === false ? "without biases" : "in PyTorch"}`, forgetBias);
  const first = checkNumber("lstm.forgetBias", forgetBias ?? 1);
  const config = forgetBias === undefined ? {} : { forgetBias };
  return recurrent({ kind, cell: "lstm", forgetBias: first, config }, inputs, hidden, options);
}

/**
 * Gated recurrent units (Cho et al. 2014). Shapes and parameters as of {@link lstm} with 3·hidden rows, gates in the order r, z, n, and a bias of the candidate,
 * `candidateBias`: [hidden]:
 *
 *     r, z = σ(W·x + b + R·h), n = tanh(W·x + b + r·(R·h + candidateBias)), h ← n + z·(h − n), which is (1 − z)·n + z·h
 *
 * With `resetAfter: false` n = tanh(W·x + b + R·(r·h)), and there is no second bias.
 */
export function gru<
  const In extends number,
  const H extends number,
  const S extends boolean = false,
  const B extends boolean = false,
>(inputs: In, hidden: H, options: GruOptions<S, B> = {}): Layer<In, Given<H, S, B>, "f32"> {
  const kind = "gru";
  checkKeys(kind, options, [...OPTIONS, "resetAfter"]);
  const resetAfter = checkBoolean("gru.resetAfter", options.resetAfter ?? true);
  if (!resetAfter && options.preset === "pytorch") fail("ERR_OPTION", "gru.resetAfter", "true, as in PyTorch", false);
  const cell = resetAfter ? "gru" : "gru_before";
  return recurrent({ kind, cell, forgetBias: 0, config: { resetAfter } }, inputs, hidden, options);
}

/** A plain recurrent layer (Elman 1990): h ← f(W·x + b + R·h), f = tanh or relu. Shapes and parameters as of {@link lstm} with `hidden` rows. */
export function rnn<
  const In extends number,
  const H extends number,
  const S extends boolean = false,
  const B extends boolean = false,
>(inputs: In, hidden: H, options: RnnOptions<S, B> = {}): Layer<In, Given<H, S, B>, "f32"> {
  const kind = "rnn";
  checkKeys(kind, options, [...OPTIONS, "activation"]);
  const activation = checkOneOf("rnn.activation", options.activation ?? "tanh", ["tanh", "relu"]);
  const cell = activation === "tanh" ? "rnn_tanh" : "rnn_relu";
  return recurrent({ kind, cell, forgetBias: 0, config: { activation } }, inputs, hidden, options);
}
