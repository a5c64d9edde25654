// Recurrent layers in PyTorch: a weight and a bias each for the input and for the state, gates of an LSTM in the order i, f, g, o and of a GRU r, z, n.
import { type Crossing, crossing, nothing } from "../crossing.js";

import { isSet, numberOf } from "./options.js";
import type { Crossed, Refusal } from "./rule.js";

/** Gates stacked in a weight. */
export const GATES: Readonly<Record<string, number>> = { lstm: 4, gru: 3, rnn: 1 };

/** One direction of one layer: how its keys are called here, and what its tensors end with there. */
interface Pass {
  readonly key: (name: string) => string;
  readonly suffix: string;
  readonly inputs: number;
}

/** All of them, in the order of both sides. */
export function passesOf({ place }: Pick<Crossed, "place">): readonly Pass[] {
  const hidden = numberOf(place, "hidden");
  const both = isSet(place, "bidirectional");
  return Array.from({ length: numberOf(place, "layers") }, (_, layer) => {
    const ordinal = layer === 0 ? "" : String(layer + 1);
    const inputs = layer === 0 ? numberOf(place, "inputs") : hidden * (both ? 2 : 1);
    const capital = (name: string): string => `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;
    const forward = { key: (name: string) => `${name}${ordinal}`, suffix: `_l${layer}`, inputs };
    const back = {
      key: (name: string) => `reverse${capital(name)}${ordinal}`,
      suffix: `_l${layer}_reverse`,
      inputs,
    };
    return both ? [forward, back] : [forward];
  }).flat();
}

/** Places of gates of ours that theirs has first, second and third, where that is another order. */
function gateOrder(kind: string, preset: unknown): ReadonlyMap<number, readonly number[]> | undefined {
  return kind === "gru" && preset === "keras" ? new Map([[0, [1, 0, 2]]]) : undefined;
}

/** The tensors of `nn.LSTM`, `nn.GRU` and `nn.RNN`. */
export function recurrentCrossings(crossed: Crossed): readonly Crossing[] | Refusal {
  const { place, prefix } = crossed;
  const { kind, options } = place;
  if (kind === "gru" && options?.resetAfter === false)
    return { refused: "nn.GRU resets behind the product of the state: resetAfter: true" };
  const hidden = numberOf(place, "hidden");
  const gates = GATES[kind] ?? 1;
  const orders = gateOrder(kind, options?.preset);
  const change = orders === undefined ? "" : "gates z, r, n here, r, z, n there";
  const ours = (key: string): string => `${place.owner}.${key}`;
  return passesOf(crossed).flatMap(({ key, suffix, inputs }) => {
    const matrix = (theirs: string, name: string, columns: number): Crossing =>
      crossing(
        `${prefix}${theirs}${suffix}`,
        ours(key(name)),
        { from: [gates, hidden, columns], axes: [0, 1, 2], orders },
        { shape: [gates * hidden, columns], change },
      );
    const row = (theirs: string, name: string): Crossing =>
      crossing(
        `${prefix}${theirs}${suffix}`,
        ours(key(name)),
        { from: [gates, hidden], axes: [0, 1], orders },
        { shape: [gates * hidden], change },
      );
    const weights = [matrix("weight_ih", "weight", inputs), matrix("weight_hh", "recurrent", hidden)];
    if (!isSet(place, "bias")) return weights;
    const hasSecond = options?.preset === "pytorch" || orders !== undefined;
    const second = `${prefix}bias_hh${suffix}`;
    if (hasSecond) return [...weights, row("bias_ih", "bias"), row("bias_hh", "recurrentBias")];
    const added =
      kind === "gru"
        ? candidateBias(second, ours(key("bias")), ours(key("candidateBias")), hidden)
        : secondBias(second, ours(key("bias")), gates * hidden);
    return [...weights, row("bias_ih", "bias"), added];
  });
}

/** Adds what is not 0, so that what is comes back with its bits. */
function addTo(bias: Float32Array, second: Float32Array): void {
  for (const [place, value] of second.entries()) if (value !== 0) bias[place] = (bias[place] ?? 0) + value;
}

/** The second bias of a layer that has one: 0 there, added to ours on the way back. */
function secondBias(theirs: string, bias: string, count: number): Crossing {
  return {
    ...nothing(theirs, [count]),
    ...{ ours: [bias], change: "0 there, added to the bias here", optional: false },
    write: (values, weights) => addTo(weights(bias), values),
  };
}

/** Of a GRU the part of the candidate, which is multiplied by the reset gate, is a bias of its own here. */
function candidateBias(theirs: string, bias: string, candidate: string, hidden: number): Crossing {
  return {
    ...nothing(theirs, [3 * hidden]),
    optional: false,
    ...{
      ours: [candidate, bias],
      change: "its last third is candidateBias here; 0 before it there, added to the bias here",
    },
    read(weights) {
      const values = new Float32Array(3 * hidden);
      values.set(weights(candidate), 2 * hidden);
      return values;
    },
    write(values, weights) {
      weights(candidate).set(values.subarray(2 * hidden));
      addTo(weights(bias), values.subarray(0, 2 * hidden));
    },
  };
}
