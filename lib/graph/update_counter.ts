/** Counts of the steps and updates of states, in whatever programs: the rules and schedules of their next update go on from there. */
export interface UpdateCounts {
  /** Steps of programs that made an update. */
  readonly steps: number;
  /** Updates: more than steps where a body makes several. */
  readonly updates: number;
}

/** Of new states. */
export const NO_UPDATES: UpdateCounts = { steps: 0, updates: 0 };

/** Counts of a minimizer, moved on by the calls of all programs that it is recorded in, which take turns. */
export class UpdateCounter {
  #counts = NO_UPDATES;

  get counts(): UpdateCounts {
    return this.#counts;
  }

  /** Goes on from there. */
  restore({ steps, updates }: UpdateCounts): void {
    this.#counts = { steps, updates };
  }

  /** A call is over. */
  add(steps: number, updates: number): void {
    if (steps > 0) this.restore({ steps: this.#counts.steps + steps, updates: this.#counts.updates + updates });
  }
}
