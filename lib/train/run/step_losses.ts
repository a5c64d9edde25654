import { CarillonError } from "../../errors.js";

/** The losses of a run, step by step: those of its batches, before the update of the step, rounded to f32. */
export interface StepLosses {
  /** Step of the first elements: 1, or the first one behind a resume. */
  readonly firstStep: number;
  /** dataLoss + penalty. */
  readonly loss: Float32Array;
  readonly penalty: Float32Array;
}

/** Steps whose losses are kept at most, 8 bytes each: 1 GiB. */
const MOST_LOGGED = 134_217_728;

/** `ERR_OPTION` unless the losses of so many steps can be kept. */
export function checkLogged(where: string, steps: number): void {
  if (steps <= MOST_LOGGED) return;
  const problem = `expected at most ${MOST_LOGGED} steps for '${where}', as 'fit.log' keeps their losses, but received ${steps}`;
  throw new CarillonError("ERR_OPTION", where, problem);
}

const FIRST_ROOM = 1024;

/** Takes in losses step by step; memory doubles when it is full. */
export class StepLog {
  readonly #firstStep: number;
  #count = 0;
  #loss = new Float32Array(FIRST_ROOM);
  #penalty = new Float32Array(FIRST_ROOM);

  constructor(firstStep: number) {
    this.#firstStep = firstStep;
  }

  add(loss: number, penalty: number): void {
    if (this.#count === MOST_LOGGED) return;
    if (this.#count === this.#loss.length) {
      this.#loss = doubled(this.#loss);
      this.#penalty = doubled(this.#penalty);
    }
    this.#loss[this.#count] = loss;
    this.#penalty[this.#count] = penalty;
    this.#count += 1;
  }

  losses(): StepLosses {
    const cut = (all: Float32Array): Float32Array => all.slice(0, this.#count);
    return { firstStep: this.#firstStep, loss: cut(this.#loss), penalty: cut(this.#penalty) };
  }
}

function doubled(values: Float32Array): Float32Array<ArrayBuffer> {
  const larger = new Float32Array(2 * values.length);
  larger.set(values);
  return larger;
}
