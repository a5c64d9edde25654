// How far the members of a run are, and how long the rest will take.

/** What a member's training is, from its first step to its last. */
export interface PacedMember {
  readonly steps: number;
  readonly batchSize: number;
  /** How long a step takes, beside those of others. */
  readonly cost: number;
}

interface Lap extends Omit<PacedMember, "steps"> {
  steps: number;
  /** Steps done before this run: they took none of its time. */
  before: number;
  step: number;
  ended: boolean;
}

/** Steps of members and the time that they took: of a run that goes on, those since it does. */
export class Pace {
  readonly #laps: readonly Lap[];
  readonly #seconds: () => number;

  /** @param seconds of the training so far */
  constructor(members: readonly PacedMember[], seconds: () => number) {
    this.#laps = members.map((member) => ({ ...member, before: 0, step: 0, ended: false }));
    this.#seconds = seconds;
  }

  /** A member begins behind a step. */
  begin(at: number, step: number): void {
    const lap = this.#laps[at];
    if (lap !== undefined) Object.assign(lap, { before: step, step });
  }

  /** A member turns out to have so many steps. */
  plan(at: number, steps: number): void {
    const lap = this.#laps[at];
    if (lap !== undefined) lap.steps = steps;
  }

  reach(at: number, step: number): void {
    const lap = this.#laps[at];
    if (lap !== undefined) lap.step = step;
  }

  /** A member is done, it may be before its last step. */
  end(at: number): void {
    const lap = this.#laps[at];
    if (lap !== undefined) lap.ended = true;
  }

  /** Steps of all members, those before this run among them. */
  get steps(): number {
    return this.#laps.reduce((sum, { step }) => sum + step, 0);
  }

  /** Steps of all members in this run. */
  get own(): number {
    return this.#laps.reduce((sum, { step, before }) => sum + step - before, 0);
  }

  /** Of all members; 0 before the first step. */
  get rowsPerSecond(): number {
    const seconds = this.#seconds();
    const rows = this.#laps.reduce((sum, { step, before, batchSize }) => sum + (step - before) * batchSize, 0);
    return seconds > 0 ? rows / seconds : 0;
  }

  /**
   * Until the last member has ended, at the pace so far; infinite before the first step. The steps that a member had no need of count as done
   * in the time that it took, as others will leave out some, too.
   */
  get secondsLeft(): number {
    let [done, left] = [0, 0];
    for (const { steps, step, before, cost, ended } of this.#laps) {
      if (!ended) left += (steps - step) * cost;
      if (step > before) done += ((ended ? steps : step) - before) * cost;
    }
    return done === 0 ? Number.POSITIVE_INFINITY : (this.#seconds() * left) / done;
  }
}
