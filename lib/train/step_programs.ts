// A step of training as several programs: of batches whose rows are short with fewer steps of a sequence.
import type { NativeRunResult } from "../binding/native.js";
import type { CompiledProgram, StepRange } from "../graph/compiled.js";

/** What a run asks of the program of its steps. */
export type StepProgram = Pick<
  CompiledProgram,
  "run" | "runSync" | "stop" | "finished" | "log" | "logColumns" | "batchOf"
>;

/** Steps that follow one another in one program, and those that are done before them. */
interface Stretch {
  readonly program: CompiledProgram;
  readonly range: StepRange;
}

/** Programs that are one to who runs them: each step goes to that which its batch asks for. */
export class StepPrograms implements StepProgram {
  readonly logColumns: number;
  readonly #programs: readonly CompiledProgram[];
  readonly #first: CompiledProgram;
  /** Place of the program of a step. */
  readonly #placeOf: (step: number) => number;
  #now: CompiledProgram;
  #done = 0;
  #stopped = false;
  /** The log of the steps of a call that are done, but for those of the program at work. */
  #log = new Float32Array();

  constructor(first: CompiledProgram, others: readonly CompiledProgram[], placeOf: (step: number) => number) {
    this.#programs = [first, ...others];
    this.#first = first;
    this.#now = first;
    this.#placeOf = placeOf;
    this.logColumns = first.logColumns;
  }

  async run(range: StepRange): Promise<NativeRunResult> {
    const stretches = this.#begin(range);
    let result = await this.#runOne(stretches.next().value, range);
    while (this.#goesOn(result, range)) result = await this.#runOne(stretches.next().value, range);
    return { ...result, steps: this.#done };
  }

  runSync(range: StepRange): NativeRunResult {
    const stretches = this.#begin(range);
    let result = this.#runOneSync(stretches.next().value, range);
    while (this.#goesOn(result, range)) result = this.#runOneSync(stretches.next().value, range);
    return { ...result, steps: this.#done };
  }

  stop(): void {
    this.#stopped = true;
    this.#now.stop();
  }

  get finished(): number {
    return this.#done + (this.#isAtWork ? this.#now.finished : 0);
  }

  log(begin: number, end: number): Float32Array {
    const columns = this.logColumns;
    const rows = new Float32Array((end - begin) * columns);
    const known = Math.min(end, this.#done);
    if (begin < known) rows.set(this.#log.subarray(begin * columns, known * columns));
    const from = Math.max(begin, this.#done);
    if (from < end) rows.set(this.#now.log(from - this.#done, end - this.#done), (from - begin) * columns);
    return rows;
  }

  batchOf(step: number): Int32Array {
    return this.#at(step).batchOf(step);
  }

  #isAtWork = false;

  #at(step: number): CompiledProgram {
    return this.#programs[this.#placeOf(step)] ?? this.#first;
  }

  *#begin(range: StepRange): Generator<Stretch, undefined> {
    this.#done = 0;
    this.#stopped = false;
    this.#log = new Float32Array(range.steps * this.logColumns);
    while (this.#done < range.steps) {
      const firstStep = range.firstStep + this.#done;
      const most = range.steps - this.#done;
      const program = this.#at(firstStep);
      let steps = 1;
      while (steps < most && this.#at(firstStep + steps) === program) steps += 1;
      yield { program, range: { ...range, firstStep, steps } };
    }
    return undefined;
  }

  async #runOne(stretch: Stretch | undefined, whole: StepRange): Promise<NativeRunResult> {
    const { program, range } = stretch ?? { program: this.#first, range: whole };
    this.#enter(program);
    try {
      return this.#leave(program, await program.run(range));
    } finally {
      this.#isAtWork = false;
    }
  }

  #runOneSync(stretch: Stretch | undefined, whole: StepRange): NativeRunResult {
    const { program, range } = stretch ?? { program: this.#first, range: whole };
    this.#enter(program);
    try {
      return this.#leave(program, program.runSync(range));
    } finally {
      this.#isAtWork = false;
    }
  }

  #enter(program: CompiledProgram): void {
    this.#now = program;
    this.#isAtWork = true;
  }

  /** Takes in what a program has logged. */
  #leave(program: CompiledProgram, result: NativeRunResult): NativeRunResult {
    this.#isAtWork = false;
    this.#log.set(program.log(0, result.steps), this.#done * this.logColumns);
    this.#done += result.steps;
    return result;
  }

  #goesOn({ fault, steps }: NativeRunResult, range: StepRange): boolean {
    return fault === null && steps > 0 && !this.#stopped && this.#done < range.steps;
  }
}
