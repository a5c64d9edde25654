// Patterns of paths: `data/*.csv`, `logs/**/part-?.jsonl.gz`, `{train,test}.csv`.
import { join } from "node:path";
import { fail } from "../errors.js";
import { fileSystem } from "../io/file_system.js";

const PATTERN = /[*?{[]/;

/** `{a,b}` as two patterns. */
function alternativesOf(pattern: string): readonly string[] {
  const [whole, before = "", inner = "", behind = ""] = /^(.*?)\{([^{}]*)\}(.*)$/s.exec(pattern) ?? [];
  if (whole === undefined) return [pattern];
  return inner.split(",").flatMap((one) => alternativesOf(before + one + behind));
}

/** A part of a path as an expression: `*` and `?` stand for any characters but a slash. */
function expressionOf(part: string): RegExp {
  const text = part
    .replaceAll(/[.+^$()|\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${text.replaceAll("[!", "[^")}$`);
}

async function namesIn(folder: string): Promise<readonly { readonly name: string; readonly folder: boolean }[]> {
  const entries = await fileSystem()
    .readdir(folder === "" ? "." : folder, { withFileTypes: true })
    .catch(() => []);
  return entries
    .map((entry) => ({ name: entry.name, folder: entry.isDirectory() }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function matches(folder: string, [part, ...others]: readonly string[]): Promise<readonly string[]> {
  if (part === undefined) return [];
  const last = others.length === 0;
  if (part === "**") {
    const here = last ? [] : await matches(folder, others);
    const below = await Promise.all(
      (await namesIn(folder)).map(async (entry) => {
        if (entry.folder)
          return entry.name.startsWith(".") ? [] : await matches(join(folder, entry.name), [part, ...others]);
        return last ? [join(folder, entry.name)] : [];
      }),
    );
    return [...here, ...below.flat()];
  }
  if (!PATTERN.test(part)) {
    const path = folder === "" && part === "" ? "/" : join(folder, part);
    if (!last) return await matches(path, others);
    const found = await fileSystem()
      .stat(path)
      .catch(() => undefined);
    return found === undefined ? [] : [path];
  }
  const expression = expressionOf(part);
  const found = (await namesIn(folder)).filter(
    ({ name }) => expression.test(name) && (!name.startsWith(".") || part.startsWith(".")),
  );
  const paths = await Promise.all(
    found.map(async ({ name, folder: isFolder }) => {
      if (last) return isFolder ? [] : [join(folder, name)];
      return isFolder ? await matches(join(folder, name), others) : [];
    }),
  );
  return paths.flat();
}

/** The paths that a pattern stands for, in the order of their code units; a path that is there stands for itself. `ERR_FILE` where there are none. */
export async function filesOf(pattern: string): Promise<readonly string[]> {
  if (!PATTERN.test(pattern)) return [pattern];
  const isThere = await fileSystem()
    .stat(pattern)
    .then(
      () => true,
      () => false,
    );
  if (isThere) return [pattern];
  const found = await Promise.all(alternativesOf(pattern).map((one) => matches("", one.split("/"))));
  const paths = [...new Set(found.flat())].sort();
  return paths.length > 0 ? paths : fail("ERR_FILE", pattern, "files of this pattern", "none");
}
