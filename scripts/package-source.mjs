// The source that `carillon build` compiles, as the package has it: one file, without comments, which would be a tenth of
// all that is downloaded besides the binaries.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
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

/** Where it lies in dist/; lib/cli/build.ts unpacks it. */
export const PACKED_SOURCE = "source.json.br";

/**
 * Writes the files by name as JSON, by Brotli: of a hundred files of their own the tarball would have 35 KB more.
 *
 * @param {string} file
 */
export function packSource(file) {
  /** @type {Record<string, string>} */
  const files = { "CMakeLists.txt": readFileSync(join(root, "CMakeLists.txt"), "utf8") };
  const names = readdirSync(join(root, "native"), { recursive: true, encoding: "utf8" });
  for (const name of names.filter((one) => /\.(cc|h|def|txt|map)$/.test(one)).sort()) {
    const text = readFileSync(join(root, "native", name), "utf8");
    files[`native/${name.replaceAll("\\", "/")}`] = /\.(cc|h|def)$/.test(name) ? withoutComments(text) : text;
  }
  const contents = Buffer.from(JSON.stringify(files));
  const params = { [constants.BROTLI_PARAM_LGWIN]: 20, [constants.BROTLI_PARAM_SIZE_HINT]: contents.length };
  writeFileSync(file, brotliCompressSync(contents, { params }));
}
