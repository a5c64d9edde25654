// Job files: YAML or JSON, with a line and a column for whatever is wrong.
import { type Document, isMap, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { CarillonError, codeOf, isError, messageOf } from "../errors.js";
import { fileError, fileSystem } from "../io/file_system.js";
import type { Schema } from "../table/schema/schema.js";
import { checkJob, checkPartialSchema, type Job } from "./job.js";

/** Bytes of a file that is still written by hand. */
const LARGEST = 1_048_576;

/** Reads a job. `ERR_FILE` for what cannot be read; whatever is wrong inside is one sentence with file, line and column. */
export async function readJobFile(path: string): Promise<Job> {
  return jobOf(path, await readText(path));
}

async function readText(path: string): Promise<string> {
  const refuse = (cause: unknown): never => {
    throw fileError(path, "a job file that can be read", cause);
  };
  const found = await fileSystem().stat(path).catch(refuse);
  if (!found.isFile()) refuse(new Error(found.isDirectory() ? "a folder" : "no file"));
  if (found.size > LARGEST) refuse(new Error(`${found.size} bytes, more than ${LARGEST}`));
  const bytes = await fileSystem().readFile(path).catch(refuse);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return refuse(new Error("bytes that are no UTF-8"));
  }
}

/** Reads a schema, or a part of one, as a job may have it; errors as of {@link readJobFile}. */
export async function readSchemaFile(path: string): Promise<Partial<Schema>> {
  return checkedText(path, await readText(path), "schema", checkPartialSchema);
}

/** The job that a text of YAML or JSON is; `name` is what errors call it. */
export function jobOf(name: string, text: string): Job {
  return checkedText(name, text, "job", checkJob);
}

/** What `check` makes of a text; its errors, which begin with `root`, get the place. */
function checkedText<T>(name: string, text: string, root: string, check: (where: string, given: unknown) => T): T {
  const lines = new LineCounter();
  const given = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, logLevel: "silent" });
  const place = (at: number): string => {
    const { line, col } = lines.linePos(Math.max(0, Math.min(at, text.length)));
    return `${name}, line ${Math.max(1, line)}, column ${Math.max(1, col)}`;
  };
  const [wrong] = [...given.errors, ...given.warnings];
  if (wrong !== undefined) {
    const where = place(wrong.pos[0]);
    throw new CarillonError("ERR_DATA", where, `${where}: ${sentenceOf(wrong.message)}`);
  }
  const plain = plainOf(given, place(0));
  try {
    return check(root, plain);
  } catch (error) {
    const { where } = wordsOf(error);
    if (where === undefined) throw error;
    const code = codeOf(error) === "ERR_UNKNOWN_OPTION" ? "ERR_UNKNOWN_OPTION" : "ERR_OPTION";
    const at = place(placeOf(given, plain, where.slice(root.length), code === "ERR_UNKNOWN_OPTION"));
    throw new CarillonError(code, where, `${at}: ${messageOf(error)}`, { cause: error });
  }
}

/** What was thrown, if it says where. */
function wordsOf(error: unknown): { readonly where: string | undefined } {
  const where: unknown = isError(error) ? Reflect.get(error, "where") : undefined;
  return { where: typeof where === "string" ? where : undefined };
}

function sentenceOf(message: string): string {
  return message.split("\n", 1)[0] ?? message;
}

/** Values without aliases that blow up, and anything else that would not be plain. */
function plainOf(given: Document, where: string): unknown {
  try {
    return given.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw new CarillonError("ERR_DATA", where, `${where}: ${sentenceOf(messageOf(cause))}`, { cause });
  }
}

/** Where the value of a name such as `.read.columns[2]` stands, or its key; names may hold dots. */
function placeOf(given: Document, plain: unknown, where: string, wantsKey: boolean): number {
  let node: unknown = given.contents;
  let value: unknown = plain;
  let rest = where;
  let at = startOf(node) ?? 0;
  while (rest !== "" && typeof value === "object" && value !== null) {
    const inside: object = value;
    const isList = Array.isArray(inside);
    const keys = isList ? [...inside.keys()].map(String) : Object.keys(inside);
    const fitting = keys.filter((key) => isNext(rest, isList ? `[${key}]` : `.${key}`));
    const [key] = fitting.sort((a, b) => b.length - a.length);
    if (key === undefined) break;
    rest = rest.slice(key.length + (isList ? 2 : 1));
    const below = childOf(node, key);
    const [ofKey, ofValue] = [startOf(below.key), startOf(below.value)];
    at = (rest === "" && wantsKey ? ofKey : ofValue) ?? ofValue ?? ofKey ?? at;
    [node, value] = [below.value, Reflect.get(inside, key)];
  }
  return at;
}

function isNext(rest: string, step: string): boolean {
  return rest === step || rest.startsWith(`${step}.`) || rest.startsWith(`${step}[`);
}

function childOf(node: unknown, key: string): { readonly key?: unknown; readonly value?: unknown } {
  if (isMap(node)) {
    const pair = node.items.find((one) => String(Reflect.get(Object(one.key), "value") ?? one.key) === key);
    return pair === undefined ? {} : { key: pair.key, value: pair.value };
  }
  return isSeq(node) ? { value: node.items[Number(key)] } : {};
}

function startOf(node: unknown): number | undefined {
  const range = typeof node === "object" && node !== null && "range" in node ? (node as Node).range : undefined;
  return range?.[0];
}

/** What a job file tells of the run that had the job. */
export async function readRan(path: string): Promise<Readonly<Record<string, unknown>>> {
  const given: unknown = parseDocument(await readText(path), { logLevel: "silent" }).toJS();
  return { ...Object(Reflect.get(Object(given), "ran")) };
}
