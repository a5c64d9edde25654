import { join } from "node:path";
import { fail, tagOf } from "../errors.js";
import { writeFileAtomic } from "../io/file.js";
import { checkString } from "../options.js";
import { underAll } from "../signals.js";
import type { TableSource } from "../table/api.js";
import { type LargeSource, tableUnlessLarge } from "../table/large.js";
import type { TableOptions } from "../table/options.js";
import { sampleOf } from "../table/sample.js";
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

/** Megabytes up to which a source is held as one table, and rows that are looked at of a larger one, at most. */
const MEMORY = 64;
const SAMPLED = 50_000;

/** A model that is asked of some rows of the table that it was trained on, by their numbers there: as if they were all. */
function askedOf(model: ReportedModel, rows: Uint32Array): ReportedModel {
  const { task, target, classes, schema, members, seed, model: network, outOfFold } = model;
  const bytes = model.bytes === undefined ? {} : { bytes: () => model.bytes?.() ?? new Uint8Array() };
  const asked = { task, target, classes, schema, members, seed, model: network, ...bytes };
  const predict = (some: Table): ReturnType<ReportedModel["predict"]> => model.predict(some);
  if (outOfFold === undefined) return { ...asked, predict };
  const places = new Map(Array.from(rows, (row, place) => [row, place]));
  const { data, shape } = outOfFold.answers;
  const width = shape[1] ?? 1;
  const [held, answers]: [number[], number[]] = [[], []];
  for (let at = 0; at < outOfFold.rows.length; at++) {
    const place = places.get(outOfFold.rows[at] ?? -1);
    if (place === undefined) continue;
    held.push(place);
    for (let column = 0; column < width; column++) answers.push(data[at * width + column] ?? 0);
  }
  const own = { rows: held, answers: { shape: [held.length, width], data: answers } };
  return { ...asked, predict, outOfFold: own };
}

async function tableOf(
  source: TableSource,
  schema: Schema,
  read: TableOptions,
  most: number,
): Promise<Table | LargeSource> {
  if (source instanceof Table) return source;
  const [first]: readonly unknown[] = Array.isArray(source) ? source : [source];
  const isWritten = typeof first === "string" || tagOf(first) === "URL" || ArrayBuffer.isView(first);
  return await tableUnlessLarge(source, isWritten ? { ...read, schema } : read, most);
}

/**
 * Says why a model may be trusted, and where it may not: scores with intervals beside those of a constant and a linear model, calibration and threshold, confusion or residuals, importance and partial
 * dependence of columns, errors by slice, the training, its weights, the columns as they were understood, what should be looked at, and how to make it again. Figures are of rows that were held out
 * in training, or of `test`. Of a source of more than 64 MB, and of a query of more than 8 million values, some 50,000 rows are looked at, drawn by `seed`. `ERR_OPTION` where the model has neither.
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
  const sampled = async (
    given: TableSource,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly table: Table; readonly rows?: Uint32Array; readonly all: number }> => {
    const read = { ...options.read, signal };
    const found = await tableOf(given, model.schema, read, (options.memory ?? MEMORY) * 1_000_000);
    if (found instanceof Table) return { table: found, all: found.rows };
    try {
      return await sampleOf(found, { ...read, schema: model.schema }, SAMPLED, checked.seed);
    } finally {
      await found.close();
    }
  };
  const { test: others } = options;
  const [own, test] = await underAll([checked.signal, options.read?.signal], (signal) =>
    Promise.all([sampled(source, signal), others === undefined ? undefined : sampled(others, signal)]),
  );
  const asked = own.rows === undefined ? model : askedOf(model, own.rows);
  const found = await gather(asked, own.table, test?.table, checked);
  const json =
    own.rows === undefined ? found : { ...found, rows: { ...found.rows, all: own.all, sample: own.rows.length } };
  const [html, markdown] = [pageOf(json), markdownOf(json)];
  const files = { "report.html": html, "report.md": markdown, "report.json": `${JSON.stringify(json, null, 1)}\n` };
  return { json, html, markdown, save: (folder) => saveAll(folder, files) };
}
