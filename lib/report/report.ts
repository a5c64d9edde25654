import { join } from "node:path";
import { fail, tagOf } from "../errors.js";
import { writeFileAtomic } from "../io/file.js";
import { checkString } from "../options.js";
import { unlessAborted } from "../signals.js";
import type { TableSource } from "../table/api.js";
import type { TableOptions } from "../table/options.js";
import { readTable } from "../table/read.js";
import type { Schema } from "../table/schema/schema.js";
import { Table } from "../table/table.js";
import type { ReportedModel } from "./asked.js";
import type { ReportFacts } from "./facts.js";
import { gather } from "./gather.js";
import { checkReport, type ReportOptions } from "./options.js";
import { markdownOf } from "./page/markdown.js";
import { pageOf } from "./page/page.js";

/** A report, in three forms that say the same. */
export interface Report {
  /** One page that loads nothing and needs no script: light and dark, narrow and wide. */
  readonly html: string;
  readonly markdown: string;
  /** All figures, plain data. */
  readonly json: ReportFacts;
  /** Writes `report.html`, `report.md` and `report.json` into a folder, which is made where it is missing; `ERR_FILE` with the cause. */
  save(folder: string): Promise<void>;
}

/** Each file is the old one or the new one in full. */
async function saveAll(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  checkString("report.save.folder", folder);
  const encoder = new TextEncoder();
  for (const [name, text] of Object.entries(files)) await writeFileAtomic(join(folder, name), encoder.encode(text));
}

async function tableOf(source: TableSource, schema: Schema, read: TableOptions): Promise<Table> {
  if (source instanceof Table) return source;
  const [first]: readonly unknown[] = Array.isArray(source) ? source : [source];
  const isWritten = typeof first === "string" || tagOf(first) === "URL" || ArrayBuffer.isView(first);
  return await readTable(source, isWritten ? { ...read, schema } : read);
}

/**
 * Says why a model may be trusted, and where it may not: scores with intervals beside those of a constant and a linear model, calibration and threshold, confusion or residuals, importance and partial
 * dependence of columns, errors by slice, the training, its weights, the columns as they were understood, what should be looked at, and how to make it again. Figures are of rows that were held out
 * in training, or of `test`. `ERR_OPTION` where the model has neither.
 *
 * @param model Of `tabular`, or anything that has as much of it as {@link ReportedModel} asks for.
 * @param source The table that it was trained on.
 * @example
 * const found = await report(model, "churn.csv");
 * await found.save("runs/churn");
 */
export async function report(model: ReportedModel, source: TableSource, options: ReportOptions = {}): Promise<Report> {
  if (typeof model !== "object" || model === null || typeof model.predict !== "function")
    fail("ERR_OPTION", "report.model", "a model of tabular()", model);
  const checked = checkReport(options, model.target.join(", "));
  const { signal } = checked;
  const read = { ...options.read, signal: options.read?.signal ?? signal };
  const [table, test] = await unlessAborted(
    signal,
    Promise.all([
      tableOf(source, model.schema, read),
      options.test === undefined ? undefined : tableOf(options.test, model.schema, read),
    ]),
  );
  const json = await gather(model, table, test, checked);
  const [html, markdown] = [pageOf(json), markdownOf(json)];
  const files = { "report.html": html, "report.md": markdown, "report.json": `${JSON.stringify(json, null, 1)}\n` };
  return { json, html, markdown, save: (folder) => saveAll(folder, files) };
}
