// Leaves of the types in dist/ what the entry points mention: a declaration that nobody can name is none of the package.
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/**
 * A statement at the top of a file of declarations, as tsc writes them: with its comment, from one line that begins at the
 * margin to the next.
 *
 * @typedef {{ readonly text: string, readonly name: string | undefined, readonly uses: ReadonlySet<string> }} Statement
 * @typedef {{ readonly local: string, readonly name: string, readonly from: string }} Link a name and where it comes from
 * @typedef {{ readonly statements: readonly Statement[], readonly imports: ReadonlyMap<string, Link>, readonly exports: readonly Link[] }} Declarations
 */

const BEGINS = /^(export|declare|import|interface|type|class|const|function|\/\*\*|\/\/\/)/;
const NAMED = /^(?:export )?(?:declare )?(?:abstract )?(?:const|let|function|class|interface|type) (\w+)/;
const LIST = /^(import|export)(?: type)? \{([^}]*)\} from "([^"]+)"/;
const ALL = /^(import|export)(?: type)? \* as (\w+) from "([^"]+)"/;

/** @param {string} text */
const withoutComments = (text) => text.replaceAll(/\/\*[\s\S]*?\*\//g, "").trim();

/**
 * @param {string} text
 * @returns {string[]}
 */
function statementsOf(text) {
  /** @type {string[][]} */
  const statements = [[]];
  let inComment = false;
  for (const line of text.split("\n")) {
    const last = statements.at(-1) ?? [];
    if (!inComment && BEGINS.test(line) && withoutComments(last.join("\n")) !== "") statements.push([line]);
    else last.push(line);
    if (/^\s*\/\*/.test(line)) inComment = true;
    if (/\*\/\s*$/.test(line)) inComment = false;
  }
  return statements.map((lines) => lines.join("\n")).filter((statement) => statement.trim() !== "");
}

/**
 * @param {string} file
 * @returns {Declarations}
 */
function parse(file) {
  /** @type {Statement[]} */
  const statements = [];
  /** @type {Map<string, Link>} */
  const imports = new Map();
  /** @type {Link[]} */
  const exports = [];
  for (const text of statementsOf(readFileSync(file, "utf8"))) {
    const code = withoutComments(text);
    const target = (/** @type {string} */ from) => join(dirname(file), from).replace(/\.js$/, ".d.ts");
    const [, listKind, list = "", listFrom = ""] = LIST.exec(code) ?? [];
    const [, allKind, alias = "", allFrom = ""] = ALL.exec(code) ?? [];
    for (const part of list.split(",").filter((one) => one.trim() !== "")) {
      const [name = "", local = name] = part
        .trim()
        .replace(/^type /, "")
        .split(" as ");
      const link = { local, name, from: target(listFrom) };
      if (listKind === "import") imports.set(local, link);
      else exports.push(link);
    }
    const whole = { local: alias, name: "*", from: target(allFrom) };
    if (allKind === "import") imports.set(alias, whole);
    if (allKind === "export") exports.push(whole);
    const uses = new Set(code.replaceAll(/"[^"]*"/g, "").match(/[A-Za-z_$][\w$]*/g));
    statements.push({ text, name: NAMED.exec(code)?.[1], uses });
  }
  return { statements, imports, exports };
}

/**
 * An import of those names alone that are used; nothing of none.
 *
 * @param {string} statement
 * @param {ReadonlySet<string>} used
 */
function importOf(statement, used) {
  const [, , list] = LIST.exec(statement) ?? [];
  if (list === undefined) return used.has(ALL.exec(statement)?.[2] ?? "") ? statement : "";
  const parts = list.split(",").map((part) => part.trim());
  const left = parts.filter((part) => used.has(part.split(/ as | /).at(-1) ?? ""));
  return left.length === 0 ? "" : statement.replace(`{${list}}`, `{ ${left.join(", ")} }`);
}

/**
 * Deletes from the files of declarations below `folder` what none of `entries` leads to.
 *
 * @param {string} folder
 * @param {readonly string[]} entries
 */
export function keepReached(folder, entries) {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".d.ts"));
  const files = new Map(names.map((name) => [join(folder, name), parse(join(folder, name))]));
  /** Names by file. @type {Map<string, Set<string>>} */
  const reached = new Map([...files.keys()].map((file) => [file, new Set()]));
  /** @type {(file: string, name: string) => void} */
  const reach = (file, name) => {
    const declarations = files.get(file);
    const known = reached.get(file);
    if (declarations === undefined || known === undefined || known.has(name)) return;
    known.add(name);
    const { statements, imports, exports } = declarations;
    if (name === "*") {
      for (const { name: own, text } of statements) if (own !== undefined && text.includes("export ")) reach(file, own);
      for (const { local } of exports) reach(file, local);
    }
    for (const { local, name: theirs, from } of [...imports.values(), ...exports])
      if (local === name) reach(from, theirs);
    for (const { name: own, uses } of statements) {
      if (own === name) for (const used of uses) if (used !== name) reach(file, used);
    }
  };
  for (const entry of entries) reach(join(folder, entry), "*");
  for (const [file, { statements, exports }] of files) {
    const known = reached.get(file) ?? new Set();
    const kept = statements.filter(({ name }) => name !== undefined && known.has(name));
    const isEntry = entries.includes(relative(folder, file));
    const passed = exports.filter(({ local }) => isEntry || known.has(local) || known.has("*"));
    if (kept.length === 0 && passed.length === 0) {
      rmSync(file);
      continue;
    }
    const used = new Set(kept.flatMap(({ uses }) => [...uses]));
    const text = statements
      .filter(({ name }) => name === undefined || known.has(name))
      .map(({ text: whole }) => (whole.startsWith("import ") ? importOf(whole, used) : whole))
      .filter((statement) => statement !== "");
    writeFileSync(file, `${text.join("\n").trimEnd()}\n`);
  }
}
