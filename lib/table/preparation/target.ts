// What a model is trained to say: classes by name, values, or several answers of yes and no.

import type { Json } from "../../described.js";
import { fail } from "../../errors.js";
import type { Part } from "../../io/part.js";
import { cellOf } from "../column.js";
import { type Schema, TASKS, type Task, targetsOf } from "../schema/schema.js";
import type { Table } from "../table.js";
import { countLevels, levelsOfBoolean } from "./categories.js";
import { numberFrom } from "./numeric.js";
import { isMissing, textOf } from "./transform.js";

/** The target of a preparation, as it was fitted. */
export interface Target {
  readonly columns: readonly string[];
  readonly task: Task;
  /** Names of classes, in the order of their integers; of labels those of each column. */
  readonly classes: readonly (readonly string[])[];
}

/** Targets of rows, as `fit` takes them. */
export type Targets = Int32Array | { readonly shape: readonly number[]; readonly data: Float64Array };

/** Takes in the training rows of the target. */
export class TargetFitter {
  readonly #schema: Schema;
  readonly #counts: ReadonlyMap<string, Map<string, number>>;

  constructor(schema: Schema) {
    this.#schema = schema;
    this.#counts = new Map(targetsOf(schema).map((name) => [name, new Map<string, number>()]));
  }

  add(table: Table): void {
    for (const [name, counts] of this.#counts) {
      const column = this.#schema.columns[name];
      if (column === undefined || column.kind === "number") continue;
      countLevels(name, table.column(name), column, counts);
    }
  }

  finish(where: string): Target | undefined {
    const columns = targetsOf(this.#schema);
    if (columns.length === 0) return undefined;
    const kinds = columns.map((name) => this.#schema.columns[name]?.kind);
    const several = columns.length > 1;
    const isValue = kinds.every((kind) => kind === "number");
    const classes = isValue ? [] : columns.map((name) => this.#classesOf(where, name));
    const two = classes.every((names) => names.length === 2);
    if (several && !isValue && !two)
      fail("ERR_DATA", where, "targets of numbers, or of two values each", columns.join(", "));
    const task = isValue ? (several ? "values" : "value") : several ? "labels" : two ? "binary" : "classes";
    return { columns, task, classes };
  }

  #classesOf(where: string, name: string): readonly string[] {
    const schema = this.#schema.columns[name];
    const found = [...(this.#counts.get(name)?.keys() ?? [])].sort();
    if (found.length < 2)
      fail("ERR_DATA", `${where}, target '${name}'`, "two classes at least", found.join(", ") || "none");
    if (schema?.kind !== "boolean") return found;
    const levels = levelsOfBoolean(`${where}, target '${name}'`, schema, found);
    const other = found.find((level) => !levels.includes(level));
    return other === undefined
      ? levels
      : fail("ERR_DATA", `${where}, target '${name}'`, `'${levels[0]}' or '${levels[1]}'`, other);
  }
}

/** The targets of a table's rows; `ERR_DATA` names the row that has none, or another class than training rows had. */
export function targetsIn(table: Table, schema: Schema, { columns, task, classes }: Target): Targets {
  const width = columns.length;
  const classOf = task === "binary" || task === "classes";
  const labels = classOf ? new Int32Array(table.rows) : undefined;
  const data = new Float64Array(classOf ? 0 : table.rows * width);
  columns.forEach((name, at) => {
    const column = schema.columns[name];
    if (column === undefined) return;
    const places = new Map((classes[at] ?? []).map((one, place) => [one, place]));
    const given = table.column(name);
    const levels = given.kind === "text" ? new Int32Array(given.levels.length).fill(-1) : undefined;
    for (let row = 0; row < table.rows; row++) {
      const code = given.kind === "text" ? (given.codes[row] ?? -1) : -1;
      const known = levels?.[code] ?? -1;
      if (known >= 0) {
        if (labels === undefined) data[row * width + at] = known;
        else labels[row] = known;
        continue;
      }
      const value = cellOf(given, row);
      const where = { toString: () => `${table.place(row)}, target '${name}'` };
      if (isMissing(value, column)) fail("ERR_DATA", String(where), "a value", null);
      if (column.kind === "number") data[row * width + at] = numberFrom(where, value);
      else {
        const level = textOf(where, value);
        const place =
          places.get(level) ??
          fail("ERR_DATA", String(where), `one of ${[...places.keys()].slice(0, 8).join(", ")}`, level);
        if (levels !== undefined && code >= 0) levels[code] = place;
        if (labels === undefined) data[row * width + at] = place;
        else labels[row] = place;
      }
    }
  });
  return labels ?? { shape: [table.rows, width], data };
}

export function targetJson({ columns, task, classes }: Target): Json {
  return { columns: [...columns], task, classes: classes.map((names) => [...names]) };
}

/** A target as a file has it. */
export function targetOf(part: Part): Target {
  return {
    columns: part.at("columns").names(),
    task: part.at("task").oneOf(TASKS),
    classes: part
      .at("classes")
      .list()
      .map((names) => names.names()),
  };
}
