import { type Block, classesOf, type ExampleShape } from "./block.js";
import { failElement, type Member, rowOf } from "./member.js";
import { ColumnStatistics, type Transform, type Transforms } from "./transform.js";

/** What a first look at the training examples is to find out. */
export interface Questions {
  readonly inputs: Transform | undefined;
  readonly targets: Transform | undefined;
  /** Factors of the classes: `'balanced'` asks for them; of those that are given, a class of factor 0 is left out. */
  readonly classWeights: "balanced" | readonly number[] | undefined;
}

/** What was found. */
export interface Answers {
  readonly transforms: Transforms;
  readonly classFactors: readonly number[] | undefined;
}

/**
 * A factor a class: n/(classes·count) for `'balanced'`, so that all classes that occur weigh the same and a balanced set
 * keeps its weights; a class that does not occur has 0.
 */
function balancedFactors(counts: readonly number[]): readonly number[] {
  const examples = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => (count === 0 ? 0 : examples / (counts.length * count)));
}

/** Figures over all training examples, row by row in their order; a row of weight 0 is as if it were not there. */
export class Measurement {
  readonly #where: string;
  readonly #questions: Questions;
  readonly #inputs: ColumnStatistics | undefined;
  readonly #targets: ColumnStatistics | undefined;
  readonly #counts: number[] | undefined;
  readonly #factors: readonly number[] | undefined;

  constructor(where: string, shape: ExampleShape, questions: Questions) {
    const { inputs, targets, classWeights } = questions;
    this.#where = where;
    this.#questions = questions;
    this.#inputs = inputs === undefined ? undefined : new ColumnStatistics(shape.inputs);
    this.#targets = targets === undefined ? undefined : new ColumnStatistics(shape.outputs);
    this.#counts = classWeights === "balanced" ? new Array<number>(classesOf(shape)).fill(0) : undefined;
    this.#factors = classWeights === "balanced" ? undefined : classWeights;
  }

  /** Whether there is anything to find out. */
  static needed({ inputs, targets, classWeights }: Questions): boolean {
    return inputs !== undefined || targets !== undefined || classWeights === "balanced";
  }

  /** Takes in a row, and says whether it weighs anything; `ERR_DATA` or `ERR_LABEL` with its place. */
  take(block: Block, row: number): boolean {
    if (block.weigh(row, this.#factors) === 0) return false;
    if (this.#inputs !== undefined) measureRow(block.x, row, this.#inputs, false);
    // Predictions are float32, and go back to these units.
    if (this.#targets !== undefined) measureRow(block.y, row, this.#targets, true);
    if (this.#counts !== undefined) {
      const label = block.label(row);
      this.#counts[label] = (this.#counts[label] ?? 0) + 1;
    }
    return true;
  }

  /** Of all rows; `ERR_DATA` names a column of which no transform can be made. */
  answers(): Answers {
    const fitted = (name: "x" | "y", statistics: ColumnStatistics | undefined, transform: Transform | undefined) =>
      transform === undefined || statistics === undefined || statistics.rows === 0
        ? undefined
        : statistics.fit(`${this.#where}.${name}`, transform, name === "y");
    return {
      transforms: {
        inputs: fitted("x", this.#inputs, this.#questions.inputs),
        targets: fitted("y", this.#targets, this.#questions.targets),
      },
      classFactors: this.#counts === undefined ? this.#factors : balancedFactors(this.#counts),
    };
  }
}

/** Takes a row of finite numbers into statistics, unrounded; with `narrow` they have to be finite as float32. */
function measureRow(member: Member, row: number, statistics: ColumnStatistics, narrow: boolean): void {
  const values = rowOf(member, row);
  const from = member.nested ? 0 : row * member.columns;
  for (let column = 0; column < member.columns; column++) {
    const value: unknown = values[from + column];
    const finite = typeof value === "number" && Number.isFinite(narrow ? Math.fround(value) : value);
    if (!finite) failElement(member, row, column, value);
  }
  statistics.add(values as ArrayLike<number>, from);
}
