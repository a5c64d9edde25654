// A model of the steps that a graph has become: layers one after another, where they are that, otherwise a network.
import { CarillonError } from "../../errors.js";
import { type AnyModel, type Layer, network, sequential, spec, type Value } from "../../index.js";
import type { Step } from "./steps.js";

/** An end of a model: a name, and the step that has its numbers. */
export interface End {
  readonly name: string;
  readonly step: Step;
}

/** A name that a layer, an input or an output may have, which is none of those before. */
export function ownName(given: string, taken: Set<string>, otherwise: string): string {
  const plain = given.replace(/[^A-Za-z0-9_-]/g, "_").replace(/^[^A-Za-z]+/, "");
  const stem = plain === "" ? otherwise : plain;
  let name = stem;
  for (let number = 2; taken.has(name); number++) name = `${stem}_${number}`;
  taken.add(name);
  return name;
}

/** Steps that others are computed of, before them. */
function inOrderOf(ends: readonly End[]): readonly Step[] {
  const done = new Set<Step>();
  const waiting = ends.map(({ step }) => step).reverse();
  for (let step = waiting.at(-1); step !== undefined; step = waiting.at(-1)) {
    const missing = step.from.filter((each) => !done.has(each));
    if (missing.length === 0) {
      waiting.pop();
      done.add(step);
    } else waiting.push(...missing);
  }
  return [...done];
}

/** The layers of steps that are a chain of them; `undefined` where anything else is among them. */
function chainOf(steps: readonly Step[], input: Step): readonly Layer[] | undefined {
  const layers: Layer[] = [];
  let before = input;
  for (const step of steps) {
    if (step === input) continue;
    if (step.work.kind !== "layer" || step.from.length !== 1 || step.from[0] !== before) return undefined;
    layers.push(step.work.layer);
    before = step;
  }
  return layers;
}

/** Weights by the names of a model: those of each layer. */
function weightsOf(names: ReadonlyMap<Step, string>): ReadonlyMap<string, Float32Array> {
  const weights = new Map<string, Float32Array>();
  for (const [{ work }, name] of names) {
    if (work.kind !== "layer") continue;
    for (const [key, data] of Object.entries(work.weights)) weights.set(`${name}.${key}`, data);
  }
  return weights;
}

/** A model of one chain, with the names of its layers. */
function sequentialOf(steps: readonly Step[], input: Step, layers: readonly Layer[]): AnyModel {
  const [, ...row] = input.dims;
  const model = sequential({ input: spec(["batch", ...row], input.dtype) }, ...layers);
  const { names } = model.definition;
  const own = steps.filter((step) => step !== input);
  model.setWeights(weightsOf(new Map(own.map((step, at) => [step, names[at] ?? ""]))));
  return model;
}

/** A model of any form. */
function networkOf(steps: readonly Step[], inputs: readonly End[], outputs: readonly End[]): AnyModel {
  const taken = new Set<string>();
  const names = new Map<Step, string>();
  const layers: Record<string, Layer> = {};
  const counts = new Map<string, number>();
  for (const step of steps) {
    if (step.work.kind !== "layer") continue;
    const { kind } = step.work.layer;
    const number = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, number);
    const name = ownName(`${kind}${number}`, taken, "layer");
    names.set(step, name);
    layers[name] = step.work.layer;
  }
  const inputNames = new Map(inputs.map(({ step, name }) => [step, name]));
  const model = network({
    inputs: Object.fromEntries(
      inputs.map(({ name, step: { dims, dtype } }) => {
        const [, ...row] = dims;
        return [name, spec(["batch", ...row], dtype)];
      }),
    ),
    layers,
    forward(given, functions) {
      const values = new Map<Step, Value>();
      const madeBy = (step: Step): Value => {
        const value = values.get(step);
        if (value === undefined) throw new CarillonError("ERR_TRACE", "importOnnx", "a step before what it is made of");
        return value;
      };
      for (const step of steps) {
        const [first] = step.from;
        const input = given[inputNames.get(step) ?? ""];
        const layer = functions[names.get(step) ?? ""];
        if (step.work.kind === "operation") values.set(step, step.work.apply(step.from.map(madeBy)));
        else if (layer !== undefined && first !== undefined) values.set(step, layer(madeBy(first)));
        else if (input !== undefined) values.set(step, input);
      }
      const [only] = outputs;
      if (outputs.length === 1 && only !== undefined) return madeBy(only.step);
      return Object.fromEntries(outputs.map(({ name, step }) => [name, madeBy(step)]));
    },
  });
  const weights = weightsOf(names);
  if (weights.size > 0) model.setWeights(weights);
  return model;
}

/** The model of these ends, with its weights. */
export function modelOf(inputs: readonly End[], outputs: readonly End[]): AnyModel {
  const steps = inOrderOf([...inputs, ...outputs]);
  const [input] = inputs;
  const [output] = outputs;
  if (inputs.length === 1 && outputs.length === 1 && input !== undefined && output !== undefined) {
    const layers = chainOf(steps, input.step);
    if (layers !== undefined && layers.length > 0 && steps.at(-1) === output.step)
      return sequentialOf(steps, input.step, layers);
  }
  return networkOf(steps, inputs, outputs);
}
