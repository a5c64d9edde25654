import { countText, grouped } from "../counts.js";
import { type Inferred, loadModel, loadTabular, schemaOf } from "../index.js";
import { fileSystem } from "../io/file_system.js";
import { writeWhole } from "../job/files.js";
import { dataText } from "../job/job.js";
import { readSchemaFile } from "../job/job_file.js";
import { figureText } from "../train/progress/line.js";
import { type InspectFlags, readingOf, sourceOf } from "./flags.js";
import { inspectForeign, isForeign } from "./foreign.js";
import { modelFile } from "./model.js";
import { columnsText, complain, print, type Status, schemaFile, UsageError } from "./terms.js";

/** What a table holds, or a model. */
export async function inspect(files: readonly string[], flags: InspectFlags): Promise<Status> {
  const [first = "", ...others] = files;
  const isForeignFile = files.length > 0 && others.length === 0 && (await isForeign(first));
  if (isForeignFile || (files.length > 0 && others.length === 0 && (await isModel(first)))) {
    const [unheeded] = Object.entries(flags).find(([key, value]) => key !== "json" && value !== true) ?? [];
    if (unheeded !== undefined)
      throw new UsageError(`'carillon inspect' of a model takes no '--${unheeded}', which is of tables`);
    return await (isForeignFile ? inspectForeign : inspectModel)(first, flags.json === true);
  }
  const source = sourceOf("inspect", files, flags);
  const known = flags.schema === undefined ? undefined : await readSchemaFile(flags.schema);
  const target = oneOrAll(flags.target) ?? known?.target;
  const found = await schemaOf(source, {
    ...readingOf(flags),
    target,
    schema: { columns: known?.columns ?? {} },
  });
  if (flags.out !== undefined) {
    await writeWhole(flags.out, schemaFile(found.schema));
  }
  if (flags.json === true) print(JSON.stringify(found, null, 2));
  else {
    print(schemaText(dataText(source), found));
    if (flags.out !== undefined) complain(`wrote ${flags.out}: edit it, and give it back with --schema ${flags.out}`);
  }
  return 0;
}

/** Whether a path is that of a model, or of a folder: of a run, as no table is one. */
async function isModel(path: string): Promise<boolean> {
  if (path.endsWith(".safetensors")) return true;
  const found = await fileSystem()
    .stat(path)
    .catch(() => undefined);
  return found?.isDirectory() === true;
}

async function inspectModel(path: string, json: boolean): Promise<Status> {
  const file = await modelFile(path);
  const model = await loadModel(file);
  const { preparation } = model;
  if (preparation === undefined) {
    print(json ? JSON.stringify({ parameters: model.parameters }, null, 2) : model.summary());
    return 0;
  }
  const { preset, task, target, classes, columns, schema, members, score, seed } = await loadTabular(file);
  const { size } = await fileSystem().stat(file);
  const parameters = model.parameters.reduce((sum, { shape }) => sum + shape.reduce((all, one) => all * one, 1), 0);
  if (json) {
    print(
      JSON.stringify(
        { preset, task, target, classes, columns, score, seed, parameters, bytes: size, members, schema },
        null,
        2,
      ),
    );
    return 0;
  }
  const of = classes === undefined ? "" : `: ${classes.join(", ")}`;
  const kinds = columns.map((name) => `${name} (${schema.columns[name]?.kind ?? "?"})`);
  const figures = Object.entries(score).map(([name, value]) => `${name} ${figureText(value)}`);
  const lines = [
    ["  predicts", `${target.join(", ")} (${task}${of})`],
    ["  from", kinds.join(", ")],
    ["  score", `${figures.join(", ")} (rows that were held out)`],
    [
      "  network",
      `${countText(members.length, "member")}, ${countText(parameters, "weight")}, ${grouped(Math.ceil(size / 1000))} KB`,
    ],
    ["  seed", String(seed)],
  ];
  print(`${file}: ${preset}\n${columnsText(lines)}`);
  return 0;
}

/** One name, or several in a list. */
export function oneOrAll(names: readonly string[] | undefined): string | readonly string[] | undefined {
  return names?.length === 1 ? names[0] : names;
}

/** A schema as people read it: a line a column, then what should be looked at. */
export function schemaText(name: string, { schema, warnings, rows }: Inferred): string {
  const columns = Object.entries(schema.columns);
  const targets = [schema.target ?? []].flat();
  const lines = columns.map(([column, { kind, why = "as you said" }]) => [
    `  ${column}`,
    targets.includes(column) ? `${kind}, target` : kind,
    why,
  ]);
  const head = `${name}: ${countText(rows, "row")}, ${countText(columns.length, "column")}`;
  const task = schema.task === undefined ? [] : [`to be predicted: ${targets.join(", ")} (${schema.task})`];
  return [head, columnsText(lines), ...task, ...warnings.map(({ text }) => `warning: ${text}`)].join("\n");
}
