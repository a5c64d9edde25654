// A model as reports ask it, whatever made it.
import { countOf } from "../counts.js";
import { fail } from "../errors.js";
import type { Schema, Task } from "../table/schema/schema.js";
import type { Table } from "../table/table.js";

/** Numbers of rows: [rows, width]. */
export interface RowNumbers {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** What a model must have to be reported on; a model of `tabular` has all of it. */
export interface ReportedModel {
  readonly task: Task;
  /** Columns that are predicted. */
  readonly target: readonly string[];
  /** Names of the classes, in the order of the probabilities. */
  readonly classes: readonly string[] | undefined;
  /** What its columns are. */
  readonly schema: Schema;
  /** Answers to the rows of a raw table: probabilities of the classes (of yes, where there are several targets), or values. */
  predict(rows: Table): Promise<{
    readonly probabilities?: RowNumbers | undefined;
    readonly values?: RowNumbers | undefined;
  }>;
  /** Answers to training rows by who had not seen them. */
  readonly outOfFold?: { readonly rows: ArrayLike<number>; readonly answers: RowNumbers } | undefined;
  /** How it was trained. */
  readonly members?:
    | readonly {
        readonly kind?: string | undefined;
        readonly fold?: number | undefined;
        readonly weight?: number | undefined;
        readonly best?: { readonly epoch: number } | undefined;
        /** Whether it was trained once more, on all rows, for so many epochs. */
        readonly again?: boolean | undefined;
        readonly history?:
          | readonly { readonly epoch: number; readonly loss: number; readonly validationLoss: number }[]
          | undefined;
      }[]
    | undefined;
  readonly seed?: number | undefined;
  /** The network, for its weights. */
  readonly model?: { weights(): ReadonlyMap<string, RowNumbers> } | undefined;
  /** The file that it would be, for its size. */
  bytes?(): Uint8Array;
}

/** A target of a model: which numbers of an answer are its own. */
export interface AskedTarget {
  readonly name: string;
  /** `undefined` of a value. */
  readonly classes: readonly string[] | undefined;
  /** Its first number in an answer, and how many it has there; 1 of classes: the probability of yes. */
  readonly from: number;
  readonly width: number;
}

/** The targets of a model, in their order. */
export function askedTargets({ task, target, classes, schema }: ReportedModel): readonly AskedTarget[] {
  if (task === "binary" || task === "classes") {
    const names = classes ?? fail("ERR_OPTION", "report.model", "a model with names of classes", classes);
    return [{ name: target[0] ?? "", classes: names, from: 0, width: names.length }];
  }
  return target.map((name, from) => {
    const column = schema.columns[name];
    const levels = column?.kind === "boolean" && column.levels !== undefined ? column.levels : ["no", "yes"];
    return { name, classes: task === "labels" ? levels : undefined, from, width: 1 };
  });
}

/** Answers of rows in double, [rows, width]; `ERR_DATA` where there are none, or one is not finite. */
export interface Answers {
  readonly rows: number;
  readonly width: number;
  readonly data: Float64Array;
}

function answersOf(where: string, given: RowNumbers | undefined, rows: number): Answers {
  if (given === undefined) return fail("ERR_DATA", where, "probabilities or values", given);
  const width = given.data.length / rows;
  if (!Number.isInteger(width) || width === 0)
    fail("ERR_DATA", where, `answers of ${countOf(rows, "row")}`, given.shape.join(" × "));
  const data = Float64Array.from(given.data);
  const wrong = data.findIndex((one) => !Number.isFinite(one));
  if (wrong >= 0) fail("ERR_DATA", `${where}, row ${Math.floor(wrong / width)}`, "a finite number", data[wrong]);
  return { rows, width, data };
}

/** Asks a model of the rows of a table. */
export async function ask(model: ReportedModel, table: Table): Promise<Answers> {
  const { probabilities, values } = await model.predict(table);
  return answersOf("report.model.predict", probabilities ?? values, table.rows);
}

/** Answers that a model keeps of training rows that it had not seen. */
export function heldOut({
  outOfFold,
}: ReportedModel): { readonly rows: Uint32Array; readonly answers: Answers } | undefined {
  if (outOfFold === undefined || outOfFold.rows.length === 0) return undefined;
  const rows = Uint32Array.from(outOfFold.rows);
  return { rows, answers: answersOf("report.model.outOfFold", outOfFold.answers, rows.length) };
}

/** Numbers of one target: a value or the probability of class 1 a row, or every class's. */
export function answersFor({ from, width, classes }: AskedTarget, answers: Answers): Float64Array {
  const own = width === 1 && classes !== undefined ? 2 : width;
  const data = new Float64Array(answers.rows * own);
  for (let row = 0; row < answers.rows; row++) {
    for (let at = 0; at < width; at++)
      data[row * own + own - width + at] = answers.data[row * answers.width + from + at] ?? 0;
    if (own > width) data[row * own] = 1 - (data[row * own + 1] ?? 0);
  }
  return data;
}
