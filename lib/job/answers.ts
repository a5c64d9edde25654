// Answers of a model as columns of text: separated by commas, or a line of JSON each.
import type { TabularAnswers, TabularModel } from "../index.js";

/** How answers are written. */
export type AnswerForm = "csv" | "jsonl";

/** The fewest digits that give the same float32 back. */
export function float32Text(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  for (let digits = 6; digits < 9; digits++) {
    const text = String(Number(value.toPrecision(digits)));
    if (Math.fround(Number(text)) === value) return text;
  }
  return String(Number(value.toPrecision(9)));
}

/** A value between commas: in quotes where it would be read otherwise. */
export function csvText(value: unknown): string {
  if (value === null || value === undefined) return "";
  const text =
    Object.prototype.toString.call(value) === "[object Date]" ? new Date(Number(value)).toISOString() : String(value);
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A column of answers. */
interface AnswerColumn {
  readonly name: string;
  /** Of a row: a label, a number that is one of float32, or what the table had there. */
  at(row: number): unknown;
}

/** Levels of a column of two values, false and true. */
function levelsOf({ target, preparation }: TabularModel, column: string): readonly string[] {
  return preparation.target?.classes[target.indexOf(column)] ?? ["false", "true"];
}

/** The columns that answers have: what is probable, and how probable it is. */
export function answerColumns(model: TabularModel, answers: TabularAnswers): readonly AnswerColumn[] {
  const { target, classes = [] } = model;
  const { labels, columns, probabilities, values } = answers;
  const numbers = probabilities ?? values;
  const width = numbers?.shape[1] ?? 0;
  const number =
    (at: number) =>
    (row: number): unknown =>
      numbers?.data[row * width + at];
  if (values !== undefined) return target.map((name, at) => ({ name, at: number(at) }));
  if (labels !== undefined) {
    const [name = ""] = target;
    const shares = classes.map((label, at) => ({ name: `${name}=${label}`, at: number(at) }));
    return [{ name, at: (row) => labels[row] }, ...shares];
  }
  return target.flatMap((name, at) => {
    const [no = "", yes = ""] = levelsOf(model, name);
    const label = (row: number): unknown => (columns?.[row]?.includes(name) === true ? yes : no);
    return [
      { name, at: label },
      { name: `${name}=${yes}`, at: number(at) },
    ];
  });
}

/** The first line, with the names of the columns; of JSON there is none. */
export function headOf(columns: readonly AnswerColumn[], form: AnswerForm): string {
  return form === "csv" ? `${columns.map(({ name }) => csvText(name)).join(",")}\n` : "";
}

/** The lines of `rows` rows. */
export function linesOf(columns: readonly AnswerColumn[], rows: number, form: AnswerForm): string {
  const short = (value: unknown): unknown => (typeof value === "number" ? float32Text(value) : value);
  const lines: string[] = [];
  for (let row = 0; row < rows; row++) {
    if (form === "csv") lines.push(columns.map((column) => csvText(short(column.at(row)))).join(","));
    else {
      const members = columns.map((column) => {
        const value = column.at(row);
        return [column.name, typeof value === "number" ? Number(float32Text(value)) : (value ?? null)];
      });
      lines.push(JSON.stringify(Object.fromEntries(members)));
    }
  }
  return lines.map((line) => `${line}\n`).join("");
}
