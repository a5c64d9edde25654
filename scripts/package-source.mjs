// The source that `carillon build` compiles, as the package has it: in dist/source/, without comments, which would be a tenth of
// all that is downloaded besides the binaries.
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { root } from "./tools.mjs";

/** Text in quotes (not the quote of 16'384), which is kept, or a comment: in that order, as there may be a // in quotes. */
const TOKENS = /"(?:\\.|[^"\\\n])*"|(?<![\da-f])'(?:\\.|[^'\\\n])*'|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;

/**
 * C++ without comments and empty lines.
 *
 * @param {string} text
 */
export function withoutComments(text) {
  const code = text.replaceAll(TOKENS, (token) => (token.startsWith("/") ? "" : token));
  return code
    .replaceAll(/[ \t]+$/gm, "")
    .replaceAll(/\n{2,}/g, "\n")
    .trimStart();
}

/** @param {string} folder */
export function writeSource(folder) {
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, "CMakeLists.txt"), join(folder, "CMakeLists.txt"));
  for (const name of readdirSync(join(root, "native"), { recursive: true, encoding: "utf8" })) {
    if (!/\.(cc|h|def|txt|map)$/.test(name)) continue;
    const target = join(folder, "native", name);
    mkdirSync(dirname(target), { recursive: true });
    const text = readFileSync(join(root, "native", name), "utf8");
    writeFileSync(target, /\.(cc|h|def)$/.test(name) ? withoutComments(text) : text);
  }
}
