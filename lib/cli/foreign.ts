// Files of models and weights of other frameworks, as `carillon inspect` shows them.
import { basename } from "node:path";
import { countText, grouped } from "../counts.js";
import type { FileFacts } from "../exchange/inspect.js";
import { fileSystem } from "../io/file_system.js";
import { columnsText, print, type Status } from "./terms.js";

const ENDINGS = [".pt", ".pth", ".keras", ".h5", ".hdf5", ".onnx", ".safetensors.index.json"];

/** Bytes of a safetensors file in which its own metadata tells that Carillon has written it. */
const BEGINNING = 4096;

/** Whether a path is that of a model or of weights that somebody else has written. Arrays of NumPy are tables, too. */
export async function isForeign(path: string): Promise<boolean> {
  if (ENDINGS.some((ending) => path.endsWith(ending)) || basename(path) === "model.json") return true;
  if (!path.endsWith(".safetensors")) return false;
  const file = await fileSystem()
    .open(path, "r")
    .catch(() => undefined);
  if (file === undefined) return false; // its own sentence is told by whoever reads it
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(BEGINNING), 0, BEGINNING, 0);
    const begin = buffer.subarray(0, bytesRead).toString("latin1");
    return begin[8] === "{" && !begin.includes('"carillon.');
  } catch {
    return false;
  } finally {
    await file.close();
  }
}

/** What such a file holds. */
export async function inspectForeign(path: string, json: boolean): Promise<Status> {
  const { inspectFile } = await import("../exchange/index.js");
  const found = await inspectFile(path);
  print(json ? JSON.stringify(found, null, 2) : foreignText(path, found));
  return 0;
}

/** Facts that are shown, and characters of one. */
const [MOST_FACTS, WIDEST] = [20, 80] as const;

function foreignText(path: string, { format, tensors, elements, facts, summary, refused }: FileFacts): string {
  const named = Object.entries(facts).filter(([, value]) => value !== undefined && value !== null);
  const shown = named
    .slice(0, MOST_FACTS)
    .map(([name, value]) => [
      `  ${name}`,
      String(typeof value === "object" ? JSON.stringify(value) : value).slice(0, WIDEST),
    ]);
  return [
    `${path}: ${format}, ${countText(tensors.length, "tensor")}, ${countText(elements, "element")}`,
    ...(shown.length > 0 ? [columnsText(shown)] : []),
    ...(named.length > MOST_FACTS ? [`  … ${grouped(named.length - MOST_FACTS)} more`] : []),
    ...(summary === undefined ? [] : [summary]),
    ...(refused === undefined ? [] : [`does not become a model: ${refused}`]),
    ...(tensors.length > 0
      ? [columnsText(tensors.map(({ name, dtype, shape }) => [`  ${name}`, dtype, `[${shape.join(", ")}]`]))]
      : []),
  ].join("\n");
}
