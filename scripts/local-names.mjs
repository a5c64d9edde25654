// Short names for the variables and parameters within functions of dist/, and for private members: a sixth of the text that is downloaded.
// Functions and classes keep theirs, for stack traces; so nothing has to tell them their names as a module is loaded, which esbuild's own
// short names would.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { minify, parse } from "rolldown/utils";

/** A line may begin before these. */
const BEGINS = /Statement$|Declaration$|^(VariableDeclarator|Property|MethodDefinition|PropertyDefinition)$/;

/**
 * Where nodes begin before which a line may be broken.
 *
 * @param {unknown} node
 * @param {Set<number>} places
 */
function addPlaces(node, places) {
  if (typeof node !== "object" || node === null) return;
  if ("type" in node && "start" in node && typeof node.start === "number" && BEGINS.test(String(node.type))) {
    places.add(node.start);
  }
  for (const child of Object.values(node)) addPlaces(child, places);
}

/**
 * The text in lines of about `lineLimit` characters.
 *
 * @param {string} name
 * @param {string} text
 * @param {number} lineLimit
 */
async function inLines(name, text, lineLimit) {
  const { program } = await parse(name, text);
  /** @type {Set<number>} */
  const places = new Set();
  addPlaces(program, places);
  /** @type {string[]} */
  const lines = [];
  let begin = 0;
  let last = 0;
  for (const place of [...places, text.length].sort((a, b) => a - b)) {
    if (place - begin > lineLimit && last > begin) {
      lines.push(text.slice(begin, last).trimEnd());
      begin = last;
    }
    last = place;
  }
  lines.push(text.slice(begin));
  return lines.join("\n");
}

/**
 * @param {string} name of the file: a `.cjs` is a script, the others are modules
 * @param {string} text
 * @param {number} lineLimit
 */
export async function withShortLocals(name, text, lineLimit) {
  const mangle = { keepNames: true, toplevel: !name.endsWith(".cjs") };
  const { code, errors } = await minify(name, text, { compress: false, mangle, codegen: true });
  if (errors.length > 0) throw new Error(`${name}: ${errors[0]?.message}`);
  return inLines(name, code, lineLimit);
}

/**
 * @param {string} folder
 * @param {number} lineLimit
 */
export async function shortenLocals(folder, lineLimit) {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => /\.c?js$/.test(name));
  await Promise.all(
    files.map(async (file) => {
      const path = join(folder, file);
      writeFileSync(path, await withShortLocals(file, readFileSync(path, "utf8"), lineLimit));
    }),
  );
}
