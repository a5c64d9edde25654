// What a rule of PyTorch says of a kind of layer.
import type { Crossing } from "../crossing.js";
import type { Place } from "../places.js";

/** What goes through a network on PyTorch's side, where it lies otherwise than here. */
export interface Flow {
  /** Whether channels are the first axis of a row there; `undefined` where no layer has said. */
  readonly channelsFirst: boolean | undefined;
  /** Which feature of ours each of theirs is, where they stand in another order: behind a flattened image. */
  readonly order?: readonly number[] | undefined;
}

/** What flows into a network. */
export const PLAIN: Flow = { channelsFirst: undefined };

/** A layer, what flows into it, and what its tensors begin with there, with the point. */
export interface Crossed {
  readonly place: Place;
  readonly prefix: string;
  readonly flow: Flow;
}

/** A sentence: what does not cross, and what would. */
export interface Refusal {
  readonly refused: string;
}

/** What a kind of layer is there. */
export interface Rule {
  /** The module of PyTorch. */
  readonly module: string;
  /** Its tensors; none where it has none. */
  readonly tensors?: (crossed: Crossed) => readonly Crossing[] | Refusal;
  /** What it makes of what flows; by default that is as before. */
  readonly flow?: (crossed: Crossed) => Flow | Refusal;
}
