// Classes are called as they are in lib/. A class that uses its own name the bundler writes as `Model = class _Model`, and `_Model` would stand in
// messages, in stack traces and in debuggers.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A class with a name of its own within. */
const RENAMED = /([\w$]+)\s*=\s*class (_\w+)/g;

/**
 * The text of a bundle whose classes have their own names.
 *
 * @param {string} text
 */
export function withOwnNames(text) {
  let named = text;
  for (const [found, outside = "", inside = ""] of text.matchAll(RENAMED)) {
    if (inside !== `_${outside}`) throw new Error(`${found}: two classes of a bundle have one name`);
    named = named.replaceAll(new RegExp(`(?<![\\w$.])${inside}(?![\\w$])`, "g"), outside);
  }
  return named;
}

/** Gives the classes of all bundles in a folder their names. @param {string} folder */
export function nameClasses(folder) {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => /\.c?js$/.test(name));
  for (const file of files) {
    const path = join(folder, file);
    const text = readFileSync(path, "utf8");
    const named = withOwnNames(text);
    if (named !== text) writeFileSync(path, named);
  }
}
