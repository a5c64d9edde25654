// Whether what many uses of two models gave at once is what some serial order of them gives: a search for that order
// (Wing, Gong, Testing and verifying concurrent objects, 1993), in which a use that was over before another of the same model or file
// began comes before it.

/** What a model is, told apart by its key: weights and units. */
export interface ModelState {
  readonly key: string;
}

/** Two models and the files that they are saved to. */
export interface World<S extends ModelState> {
  readonly models: readonly [S, S];
  readonly files: readonly (S | undefined)[];
}

/** What a phase of a use does to the world, and what the use keeps for its next phase; `undefined`: it does not fit here. */
export type Step<S extends ModelState> = { readonly world: World<S>; readonly kept?: S | undefined } | undefined;

/** A use that gave an answer. */
export interface Use<S extends ModelState> {
  readonly name: string;
  /** When it was called and when it was over, by a clock that counts what happens. */
  readonly begin: number;
  readonly end: number;
  /** Numbers of phases after which it may be over. */
  readonly lengths: ReadonlySet<number>;
  /** The model that nobody else may change between its phases. */
  readonly owns?: 0 | 1 | undefined;
  /** Models that it changes, and that it looks at. */
  readonly changes: readonly number[];
  readonly reads: readonly number[];
  /** The file that it reads or writes. */
  readonly file?: number | undefined;
  /** Whether its second phase writes the file, after those that were called before. */
  readonly writes?: boolean | undefined;
  phase(index: number, world: World<S>, kept: S | undefined): Step<S> | Promise<Step<S>>;
}

/** Where the search stands: phases done of each use, whether it is over, and what it keeps. */
interface Place<S extends ModelState> {
  readonly world: World<S>;
  readonly done: readonly number[];
  readonly over: readonly boolean[];
  readonly kept: readonly (S | undefined)[];
}

/** Searches an order; tells the furthest that any came if there is none. */
export async function findOrder<S extends ModelState>(
  world: World<S>,
  uses: readonly Use<S>[],
): Promise<{ readonly found: boolean; readonly furthest: readonly string[] }> {
  const search = new Search(uses);
  const start = { world, done: uses.map(() => 0), over: uses.map(() => false), kept: uses.map(() => undefined) };
  const found = await search.from(start);
  return { found, furthest: search.furthest };
}

class Search<S extends ModelState> {
  readonly #uses: readonly Use<S>[];
  readonly #failed = new Set<string>();
  #most = -1;
  furthest: readonly string[] = [];

  constructor(uses: readonly Use<S>[]) {
    this.#uses = uses;
  }

  async from(place: Place<S>): Promise<boolean> {
    const read = await this.#readAll(place);
    if (read.over.every((over) => over)) return true;
    const key = keyOf(read);
    if (this.#failed.has(key)) return false;
    this.#note(read);
    const alone = [...this.#uses.keys()].find((index) => this.#isAlone(read, index));
    for (const index of alone === undefined ? this.#uses.keys() : [alone]) {
      for (const next of await this.#moves(read, index)) if (await this.from(next)) return true;
    }
    this.#failed.add(key);
    return false;
  }

  /** Uses that change nothing come as early as their answer fits: that never takes an order away. */
  async #readAll(from: Place<S>): Promise<Place<S>> {
    let place = from;
    for (let index = 0; index < this.#uses.length; index++) {
      const use = this.#uses[index];
      if (use === undefined || use.changes.length > 0 || use.writes === true || !this.#may(place, index)) continue;
      if ((await use.phase(0, place.world, undefined)) === undefined) continue;
      place = { ...place, done: place.done.with(index, 1), over: place.over.with(index, true) };
      index = -1; // others may have waited for it
    }
    return place;
  }

  /** Whether nobody who could come before the next phase of a use, or between them, has to do with its model. */
  #isAlone(place: Place<S>, index: number): boolean {
    const use = this.#uses[index];
    if (use === undefined || use.file !== undefined || use.owns === undefined || use.lengths.size !== 1) return false;
    if (!this.#may(place, index)) return false;
    return this.#uses.every((other, at) => {
      if (at === index || place.over[at] === true || other.begin > use.end) return true;
      return !(other.changes.includes(use.owns ?? -1) || other.reads.includes(use.owns ?? -1));
    });
  }

  /** Not over, and nothing of the same model or file that was over before it began is still to come. */
  #may({ over }: Place<S>, index: number): boolean {
    const use = this.#uses[index];
    if (use === undefined || over[index] === true) return false;
    return this.#uses.every((other, at) => over[at] === true || other.end >= use.begin || !meet(use, other));
  }

  /** Whether another use is between two phases and has a model that `use` changes, or a file that it must write first. */
  #isLocked({ done, over }: Place<S>, index: number, use: Use<S>): boolean {
    return this.#uses.some((other, at) => {
      if (at === index || over[at] === true) return false;
      const written = use.writes === true && other.writes === true && other.file === use.file && done[index] === 1;
      if (written && other.begin < use.begin) return true;
      return (done[at] ?? 0) > 0 && other.owns !== undefined && use.changes.includes(other.owns);
    });
  }

  async #moves(place: Place<S>, index: number): Promise<readonly Place<S>[]> {
    const use = this.#uses[index];
    if (use === undefined || !this.#may(place, index)) return [];
    const done = place.done[index] ?? 0;
    const most = Math.max(...use.lengths);
    const moves: Place<S>[] = [];
    if (use.lengths.has(done)) moves.push({ ...place, over: place.over.with(index, true) });
    if (done < most && !this.#isLocked(place, index, use)) {
      const step = await use.phase(done, place.world, place.kept[index]);
      if (step !== undefined) {
        moves.push({
          world: step.world,
          done: place.done.with(index, done + 1),
          over: place.over.with(index, done + 1 === most),
          kept: place.kept.with(index, step.kept ?? place.kept[index]),
        });
      }
    }
    return moves;
  }

  #note({ done, over }: Place<S>): void {
    const count = done.reduce((sum, phases) => sum + phases, 0);
    if (count <= this.#most) return;
    this.#most = count;
    this.furthest = this.#uses.map(({ name }, index) => {
      return `${over[index] === true ? "done" : `${done[index]} phases`}: ${name}`;
    });
  }
}

function meet(use: Pick<Use<ModelState>, "changes" | "reads" | "file">, other: typeof use): boolean {
  const touched = [...use.changes, ...use.reads];
  if (use.file !== undefined && use.file === other.file) return true;
  return [...other.changes, ...other.reads].some((model) => touched.includes(model));
}

function keyOf<S extends ModelState>({ world, done, over, kept }: Place<S>): string {
  const states = [...world.models, ...world.files, ...kept].map((state) => state?.key ?? "");
  return `${done.join(" ")} ${over.map(Number).join("")} ${states.join("|")}`;
}
