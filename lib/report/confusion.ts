import { fail } from "../errors.js";
import { areTexts } from "../options.js";
import { classesOf } from "./chances.js";

/** How one class fares. */
export interface ClassFigures {
  readonly name: string;
  /** Rows that are of it. */
  readonly rows: number;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

/** What was said of rows of each class. */
export interface ConfusionTable {
  readonly classes: readonly ClassFigures[];
  /** Rows by what they are, then by what was said. */
  readonly counts: readonly (readonly number[])[];
  /** Share of the rows that were told right. */
  readonly accuracy: number;
}

const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);

/**
 * The confusion matrix with precision, recall and F1 of every class, 0 where nothing was said or is of it: scikit-learn's `confusion_matrix` and
 * `precision_recall_fscore_support`.
 *
 * @param actual Class of each row, an integer.
 * @param predicted What was said of it.
 * @param names Names of all classes.
 */
export function confusionTable(
  actual: ArrayLike<number>,
  predicted: ArrayLike<number>,
  names: readonly string[],
): ConfusionTable {
  if (!areTexts(names) || names.length < 2)
    fail("ERR_OPTION", "confusionTable.names", "names of two classes at least", names);
  const labels = classesOf("confusionTable.actual", actual, undefined, names.length);
  const said = classesOf("confusionTable.predicted", predicted, labels.length, names.length);
  const counts = names.map(() => new Array<number>(names.length).fill(0));
  labels.forEach((label, row) => {
    const line = counts[label];
    const place = said[row] ?? 0;
    if (line !== undefined) line[place] = (line[place] ?? 0) + 1;
  });
  let right = 0;
  const classes = names.map((name, at): ClassFigures => {
    const rows = counts[at]?.reduce((sum, count) => sum + count, 0) ?? 0;
    const saidOf = counts.reduce((sum, line) => sum + (line[at] ?? 0), 0);
    const hits = counts[at]?.[at] ?? 0;
    right += hits;
    const [precision, recall] = [ratio(hits, saidOf), ratio(hits, rows)];
    return { name, rows, precision, recall, f1: ratio(2 * hits, saidOf + rows) };
  });
  return { classes, counts, accuracy: right / labels.length };
}
