// Streams that a predictor takes step by step: what layers keep of each lane between two calls.
import type { NativeSlab } from "../../binding/native.js";
import { CarillonError } from "../../errors.js";
import type { Effect } from "../../graph/effect.js";
import { currentTrace, Trace, tracing } from "../../graph/trace.js";
import { checkNumber } from "../../options.js";
import { inputOf, type RowSpec, type RowSpecs } from "../../tensor/row_spec.js";
import { elements, extent, formatShape } from "../../tensor/shape.js";
import type { Value } from "../../tensor/value.js";
import type { Described } from "../meaning/meaning.js";
import { goesBothWays, LaneMemory, lanesOf } from "../memory/lanes.js";
import type { Layer } from "../structure/layer.js";
import type { Network } from "./frozen_copy.js";

/** Built-in layers that look at several steps, or count them, and keep nothing. */
const NOT_BY_STEPS: readonly string[] = [
  ...["flatten", "reshape", "conv1d", "conv2d", "convTransposed2d", "maxPool1d", "maxPool2d", "averagePool1d"],
  ...["averagePool2d", "globalMaxPool", "globalAveragePool", "attention", "positions", "transformerBlock"],
];

/** `value` stands in the first rows of `slab` behind a step, all of whose instructions that read the slab come before. */
function keepIn(value: Value, slab: NativeSlab): Effect {
  return {
    reads: [value],
    barrier: false,
    emit(emitter) {
      const target = emitter.memory(slab, "write", { count: elements(value.shape), dtype: "f32", batched: true });
      emitter.copy(value, target, "output");
    },
  };
}

/** A row of one step: sequences, which have features behind their steps or are integers, lose all steps but one. */
function ofOneStep(spec: RowSpec): RowSpec {
  const [steps, ...axes] = spec.shape;
  if (spec.ragged !== undefined) {
    const problem = `expected inputs without lists for a predictor with { stateful: true } but received '${spec.name}'`;
    throw new CarillonError("ERR_OPTION", "predictor.stateful", problem);
  }
  const isSequence = steps !== undefined && (spec.dtype === "i32" || axes.length > 0);
  return isSequence ? { ...spec, shape: [1, ...axes] } : spec;
}

/** A network as it takes single steps of so many streams. */
export class StreamLanes implements Network {
  readonly rows: RowSpecs;
  readonly #network: Network;
  readonly #memory: LaneMemory;
  #described: { readonly of: Described; readonly is: Described } | undefined;

  /** `ERR_OPTION` names a layer that cannot take its steps one by one; `ERR_SHAPE` for no sequence. */
  constructor(network: Network, lanes: number) {
    this.#network = network;
    this.#memory = new LaneMemory(lanes);
    const inputs = network.rows.inputs.map(ofOneStep);
    const values = tracing(new Trace(0, false), () => this.record(inputs.map(inputOf)));
    if (this.kept.size === 0) {
      const problem = "expected a network with a layer that keeps a state, such as gru(), for 'predictor.stateful'";
      throw new CarillonError("ERR_OPTION", "predictor.stateful", `${problem} but received one without`);
    }
    const outputs = network.rows.outputs.map((spec, at) => {
      return { ...spec, shape: (values[at]?.shape ?? spec.shape).slice(1).map(Number) };
    });
    this.rows = { inputs, outputs };
  }

  get kept(): ReadonlyMap<string, NativeSlab> {
    return this.#memory.slabs;
  }

  get segments(): Network["segments"] {
    return this.#network.segments;
  }

  get slab(): NativeSlab {
    return this.#network.slab;
  }

  described(): Described {
    const of = this.#network.described();
    if (this.#described?.of !== of) {
      const outputs = of.outputs.map((output, at) => {
        const { shape } = this.rows.outputs[at] ?? { shape: [] };
        return { ...output, outputs: extent(shape), places: extent(shape.slice(0, -1)) };
      });
      this.#described = { of, is: { ...of, outputs } };
    }
    return this.#described.is;
  }

  record(inputs: readonly Value[]): readonly Value[] {
    const trace = currentTrace("predictor");
    const changes: (readonly [Value, NativeSlab])[] = [];
    const lanes = lanesOf(expectSteps, (name, shape) => {
      const slab = this.#memory.of(name, extent(shape));
      return { value: inputOf({ name, shape, dtype: "f32" }), next: (value) => changes.push([value, slab]) };
    });
    const outputs = this.#network.record(inputs, lanes);
    for (const [value, slab] of changes) trace.add(keepIn(value, slab));
    return outputs;
  }

  /** Begins a lane anew, or all of them. */
  reset(lane: number | undefined): void {
    const { lanes } = this.#memory;
    if (lane === undefined) this.#memory.begin(0, lanes);
    else this.#memory.begin(checkNumber("reset.lane", lane, { min: 0, max: lanes - 1, integer: true }), 1);
  }

  ensure(): void {
    this.#network.ensure();
  }

  prepare(): Promise<void> | undefined {
    return this.#network.prepare();
  }

  version(): number | undefined {
    return this.#network.version();
  }

  clone(): Promise<Network> {
    return this.#network.clone();
  }
}

/** `ERR_OPTION` for a layer that makes something else of single steps than of a sequence. */
function expectSteps(path: string, layer: Layer, x: Value): void {
  const { kind, config, layers } = layer;
  const refuse = (why: string): never => {
    const problem = `expected layers that take steps one by one for 'predictor.stateful' but '${path}' ${why}`;
    throw new CarillonError("ERR_OPTION", "predictor.stateful", problem);
  };
  if (goesBothWays(layer)) refuse("goes through them in both directions");
  if (x.shape.length < 3) return; // there are no steps any more, or integers that are looked up
  const isOwn = config === undefined && layers === undefined;
  if (isOwn) refuse("is one of your own, of which it is not known");
  if (NOT_BY_STEPS.includes(kind)) refuse(`looks at several at once, as ${kind} does with ${formatShape(x.shape)}`);
}
