import { fail } from "../errors.js";
import type { BagMode } from "./attributes.js";
import { Value } from "./value.js";

/** What a program has of the lists of a batch. */
export interface ListBound {
  /** Integers of all of them at most. */
  readonly room: number;
  /** Whether they have weights; `optional`: where bags can take them, which a call may give or not. */
  readonly weights: "none" | "given" | "optional";
}

/**
 * The lists of a batch in a trace: their integers one list behind the other, and where each ends. Only bags take it; to whoever
 * asks it is an i32 of [batch, longest].
 */
export class RaggedValue extends Value {
  /** [room] i32 */
  readonly ids: Value;
  /** [batch] i32, ascending */
  readonly ends: Value;
  /** [room] f32 */
  readonly weights: Value | undefined;
  readonly #bound: ListBound["weights"];
  /** Name of the weights in errors. */
  readonly #called: string;
  #averaged = false;

  constructor(name: string, longest: number, { room, weights }: ListBound) {
    super(["batch", longest], "i32", { kind: "input", name });
    const names = listNames(name);
    this.ids = new Value([room], "i32", { kind: "input", name: names.ids });
    this.ends = new Value(["batch"], "i32", { kind: "input", name: names.ends });
    this.weights = weights === "none" ? undefined : new Value([room], "f32", { kind: "input", name: names.weights });
    this.#bound = weights;
    this.#called = names.weights;
  }

  /** Whether a bag was made of it that goes by the number of ids, and takes no weights. */
  get averaged(): boolean {
    return this.#averaged;
  }

  /** The weights that a bag is made with; `ERR_OPTION` for a mean, or `sqrtn`, of lists that have some. */
  weightsFor(mode: BagMode): Value | undefined {
    if (mode === "sum") return this.weights;
    this.#averaged = true;
    if (this.#bound === "given") fail("ERR_OPTION", this.#called, "none, as means take none,", "some");
    return undefined;
  }
}

/** What programs call the parts of an input of lists. */
export function listNames(name: string): { readonly ids: string; readonly ends: string; readonly weights: string } {
  return { ids: name, ends: `${name}.ends`, weights: `${name}.weights` };
}
