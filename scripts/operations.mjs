// lib/binding/operations.ts: the operands of every native operation and the lists of names that native code numbers, as types,
// from what the addon in build/ states.
//
//     npm run operations              write it, after native/ops has changed
//     npm run operations -- --check   fail where it is not what the addon states
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { argv, execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { root } from "./tools.mjs";

export const FILE = "lib/binding/operations.ts";

/** Lists of info() that are written out as types. */
const LISTS = [
  "unary",
  "binary",
  "activations",
  "optimizers",
  "spreads",
  "dtypes",
  "layouts",
  "bags",
  "reaches",
  "gates",
  "cells",
  "forms",
];

/** @typedef {Readonly<Record<string, readonly string[]>>} Info */

/** @param {string} name */
const camelCase = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());

/**
 * A property of an interface. What may be left out may also be undefined.
 *
 * @param {string} name
 * @param {string} type
 * @param {boolean} optional
 */
const property = (name, type, optional) =>
  `readonly ${camelCase(name)}${optional ? "?" : ""}: ${type}${optional ? " | undefined" : ""};`;

/** @param {string} words */
const viewTypes = (words) =>
  words.split(" ").map((word) => {
    const [, name = "", room, optional] = /^(\w+)(\[\d\])?:\w(\?)?$/.exec(word) ?? [];
    if (room !== undefined) return property(name, "readonly V[]", false);
    return property(name, optional === undefined ? "V" : "V | null", optional !== undefined);
  });

/** @param {string | undefined} kind */
const typeOf = (kind) =>
  kind === "b" ? "boolean" : kind === undefined || "di".includes(kind) ? "number" : `NativeLists["${kind}"]`;

/**
 * The numbers of an operation, integers before doubles; a list that has some of both is one list.
 *
 * @param {readonly string[]} words
 */
function numberTypes(words) {
  /** @type {Map<string, string[]>} */
  const items = new Map();
  const plain = words.flatMap((word) => {
    const [, list, parts] = /^(\w+)\*\(([^)]*)\)$/.exec(word) ?? [];
    if (list !== undefined && parts !== undefined) {
      const known = items.get(list) ?? [];
      const own = parts.split(",").map((part) => part.split(":"));
      items.set(list, [...known, ...own.map(([name = "", kind]) => property(name, typeOf(kind), false))]);
      return [];
    }
    const [, name = "", room, kind, optional] = /^(\w+)(\[\d\])?(?::([\w#]+))?(\?\S*)?$/.exec(word) ?? [];
    if (kind === "#") return []; // the array of doubles stands for it
    if (room !== undefined) return property(name, "readonly number[]", false);
    return property(name, typeOf(kind), optional !== undefined);
  });
  const lists = [...items].map(([name, parts]) => `readonly ${camelCase(name)}: readonly { ${parts.join(" ")} }[];`);
  return [...plain, ...lists];
}

/**
 * The text of {@link FILE}.
 *
 * @param {Info} info What the addon states.
 */
export function written(info) {
  const { operations = [], operands = [] } = info;
  const lists = LISTS.map((list) => `readonly ${list}: ${(info[list] ?? []).map((name) => `"${name}"`).join(" | ")};`);
  const all = operations.map((name, index) => {
    const [views = "", ints = "", doubles = ""] = (operands[index] ?? "").split(";").map((words) => words.trim());
    const numbers = numberTypes(`${ints} ${doubles}`.split(" ").filter((word) => word !== ""));
    const given = numbers.length === 0 ? "Readonly<Record<string, never>>" : `{ ${numbers.join(" ")} }`;
    return `readonly ${name}: { readonly views: { ${viewTypes(views).join(" ")} }; readonly numbers: ${given} };`;
  });
  const text = `// Written by \`npm run operations\` from what native/ops/*.cc states. A test holds it equal to the addon.

/** Names that native code numbers, by list. */
export interface NativeLists {
  ${lists.join("\n  ")}
}

/** What an instruction of each native operation is given, by name; V stands for a view. */
export interface NativeOperands<V> {
  ${all.join("\n  ")}
}

/** Name of a native operation. */
export type NativeOperation = keyof NativeOperands<unknown>;

/** The operands of every operation in the words of native/ops/operation.h: views; integers; doubles. */
export const OPERANDS: Readonly<Record<NativeOperation, string>> = {
  ${operations.map((name, index) => `${name}: "${operands[index]}",`).join("\n  ")}
};
`;
  const biome = join(root, "node_modules/@biomejs/biome/bin/biome");
  const args = [biome, "format", `--stdin-file-path=${FILE}`];
  const { stdout, stderr, status } = spawnSync(execPath, args, { cwd: root, input: text, encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

/** @returns {Info} */
function stated() {
  return createRequire(import.meta.url)(join(root, "build/Release/carillon.node")).info();
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const text = written(stated());
  const path = join(root, FILE);
  if (argv[2] !== "--check") writeFileSync(path, text);
  else if (readFileSync(path, "utf8").replaceAll("\r\n", "\n") !== text) {
    console.error(`${FILE} is not what the addon states: npm run operations writes it`);
    process.exit(1);
  }
}
