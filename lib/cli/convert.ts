import { messageOf } from "../errors.js";
import { fileSystem } from "../io/file_system.js";
import { complain, print, type Status, UsageError } from "./terms.js";

/** What `carillon convert` is told. */
export interface ConvertFlags {
  readonly model?: string;
  readonly map?: string;
  readonly key?: string;
  readonly names?: string;
  readonly input?: readonly number[];
}

/** The names of layers: a file of JSON, or `order`. */
async function mapOf(map: string | undefined): Promise<Readonly<Record<string, string>> | "order" | undefined> {
  if (map === undefined || map === "order") return map;
  const text = await fileSystem()
    .readFile(map, "utf8")
    .catch((cause: unknown) => {
      throw new UsageError(`'--map' wants 'order', or a file of JSON such as {"linear1": "fc1"}: ${messageOf(cause)}`);
    });
  try {
    const names: unknown = JSON.parse(text);
    return Object.fromEntries(Object.entries(Object(names)).map(([layer, name]) => [layer, String(name)]));
  } catch {
    throw new UsageError(`'--map' wants a file of JSON such as {"linear1": "fc1"}, and '${map}' is none`);
  }
}

/** Writes a file as another one reads it. */
export async function convert(from: string, to: string, flags: ConvertFlags): Promise<Status> {
  const { model, key, names, input } = flags;
  if (names !== undefined && names !== "carillon" && names !== "pytorch")
    throw new UsageError(`'--names' is carillon or pytorch, not '${names}'`);
  const map = await mapOf(flags.map);
  const { convertFile } = await import("../exchange/index.js");
  const done = await convertFile(from, to, { model, key, names, input, map });
  print(`${from}: ${done.from} → ${to}: ${done.to}`);
  if (done.notes.length > 0) complain(`left out, as it changes no answer: ${done.notes.join(", ")}`);
  return 0;
}
