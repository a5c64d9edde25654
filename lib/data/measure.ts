import { areSteps, type Block, type BlockForm, classesOf, type ExampleShape } from "./block.js";
import { areLists } from "./lists.js";
import { failElement, type Member, rowOf } from "./member.js";
import { type Affine, ColumnStatistics, type Transform, type UnitsOfRows, unitColumns } from "./transform.js";

/** Questions about an output to a first look at the training examples. */
export interface TargetQuestions {
  readonly transform: Transform | undefined;
  /** Factors of the classes: `'balanced'` asks for them; of those that are given, a class of factor 0 is left out. */
  readonly classWeights: "balanced" | readonly number[] | undefined;
}

/** The same of all inputs and outputs, in their order. */
export interface Questions {
  readonly inputs: readonly (Transform | undefined)[];
  readonly targets: readonly TargetQuestions[];
}

/** Factors of the classes of each output that has some. */
export type ClassFactors = readonly (readonly number[] | undefined)[];

/** Factors that make weights of rows, by their one class, and those that programs look up, of the classes of several places a row. */
export function dividedFactors(
  { targets }: Pick<ExampleShape, "targets">,
  factors: ClassFactors,
): { readonly ofRows: ClassFactors; readonly ofPlaces: ClassFactors } {
  const some = (steps: boolean): ClassFactors =>
    targets.map((target, at) => (areSteps(target) === steps ? factors[at] : undefined));
  return { ofRows: some(false), ofPlaces: some(true) };
}

/** Answers in the order of inputs and outputs. */
export interface Answers {
  readonly units: UnitsOfRows;
  readonly classFactors: ClassFactors;
}

/**
 * A factor a class: n/(classes·count) for `'balanced'`, so that all classes that occur weigh the same and a balanced set
 * keeps its weights; a class that does not occur has 0.
 */
function balancedFactors(counts: readonly number[]): readonly number[] {
  const examples = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => (count === 0 ? 0 : examples / (counts.length * count)));
}

/** Sums of an output. */
interface TargetFigures {
  readonly statistics: ColumnStatistics | undefined;
  /** Examples of each class. */
  readonly counts: number[] | undefined;
  /** Of rows, by their class. */
  readonly factors: readonly number[] | undefined;
  /** Factors that nobody has to find. */
  readonly given: readonly number[] | undefined;
}

/** Figures over all training examples, row by row in their order; a row of weight 0 is as if it were not there. */
export class Measurement {
  readonly #form: BlockForm;
  readonly #questions: Questions;
  readonly #inputs: readonly (ColumnStatistics | undefined)[];
  readonly #targets: readonly TargetFigures[];

  constructor(form: BlockForm, questions: Questions) {
    const { inputs, targets } = form.shape;
    this.#form = form;
    this.#questions = questions;
    this.#inputs = inputs.map(({ shape }, at) =>
      questions.inputs[at] === undefined ? undefined : new ColumnStatistics(unitColumns(shape), questions.inputs[at]),
    );
    this.#targets = targets.map((target, at) => {
      const { transform, classWeights } = questions.targets[at] ?? { transform: undefined, classWeights: undefined };
      const balanced = classWeights === "balanced";
      return {
        statistics: transform === undefined ? undefined : new ColumnStatistics(unitColumns(target.shape), transform),
        counts: balanced ? new Array<number>(classesOf(target)).fill(0) : undefined,
        factors: balanced || areSteps(target) ? undefined : classWeights,
        given: balanced ? undefined : classWeights,
      };
    });
  }

  /** Whether there is anything to find out. */
  static needed({ inputs, targets }: Questions): boolean {
    const asks = ({ transform, classWeights }: TargetQuestions): boolean =>
      transform !== undefined || classWeights === "balanced";
    return inputs.some((transform) => transform !== undefined) || targets.some(asks);
  }

  /** Takes in a row, and says whether it weighs anything; `ERR_DATA` or `ERR_LABEL` with its place. */
  take(block: Block, row: number): boolean {
    let weighs = false;
    for (let at = 0; at < block.targets.length; at++) {
      const [target, figures] = [block.targets[at], this.#targets[at]];
      if (target === undefined || target.weigh(row, figures?.factors) === 0) continue;
      if (!weighs) this.#takeInputs(block, row);
      weighs = true;
      // Predictions are float32, and go back to these units.
      if (figures?.statistics !== undefined) measureRow(target.y, row, figures.statistics, true);
      if (figures?.counts !== undefined) target.countLabels(row, figures.counts);
    }
    return weighs;
  }

  #takeInputs({ inputs }: Block, row: number): void {
    for (let at = 0; at < inputs.length; at++) {
      const [member, statistics] = [inputs[at], this.#inputs[at]];
      if (statistics === undefined || member === undefined || areLists(member)) continue; // which have no units
      measureRow(member, row, statistics, false);
    }
  }

  /** Of all rows; `ERR_DATA` names a column of which no transform can be made. */
  answers(): Answers {
    const { inputs, targets } = this.#form;
    const fitted = (
      where: string | undefined,
      statistics: ColumnStatistics | undefined,
      transform: Transform | undefined,
      narrow: boolean,
    ): Affine | undefined =>
      transform === undefined || where === undefined || statistics === undefined || statistics.rows === 0
        ? undefined
        : statistics.fit(where, transform, narrow);
    return {
      units: {
        inputs: this.#inputs.map((one, at) => fitted(inputs[at]?.where, one, this.#questions.inputs[at], false)),
        targets: this.#targets.map(({ statistics }, at) =>
          fitted(targets[at]?.where, statistics, this.#questions.targets[at]?.transform, true),
        ),
      },
      classFactors: this.#targets.map(({ counts, given }) => (counts === undefined ? given : balancedFactors(counts))),
    };
  }
}

/** Takes a row of finite numbers into statistics, unrounded; with `narrow` they have to be finite as float32. */
function measureRow(member: Member, row: number, statistics: ColumnStatistics, narrow: boolean): void {
  const { columns } = member;
  const values = rowOf(member, row);
  const from = member.nested ? 0 : row * columns;
  for (let column = 0; column < columns; column++) {
    const value: unknown = values[from + column];
    const finite = typeof value === "number" && Number.isFinite(narrow ? Math.fround(value) : value);
    if (!finite) failElement(member, row, column, value);
  }
  for (let first = 0; first < columns; first += statistics.columns) {
    statistics.add(values as ArrayLike<number>, from + first);
  }
}
