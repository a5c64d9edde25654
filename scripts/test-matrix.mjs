// The whole vitest suite, and the quickstart, on every Node.js that can run here, with the binaries of prebuilds/:
//
//     npm run test:matrix                      all cells; prints one table, and fails where a cell does
//     npm run test:matrix -- --only x64-musl   the cells whose names have this word
//
// Every platform has a checkout of its own in build/matrix/, with its own node_modules/ and nothing but its prebuilt
// binary. The model that the quickstart trains must have the same bytes everywhere, also in Bun and Deno.
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { argv } from "node:process";
import { cells, matrix, nodeOf } from "./matrix-cells.mjs";
import { leftOut, sha256, testCell, trainQuickstart } from "./matrix-suite.mjs";
import { mustRun, root } from "./tools.mjs";

/** @typedef {import("./matrix-cells.mjs").Cell} Cell */

/** @param {Cell} cell */
const binaryOf = ({ os, arch }) => `prebuilds/${os}-${arch}/carillon.node`;

/**
 * The tracked files, with packages for the cell's platform and with its prebuilt binary alone.
 *
 * @param {Cell} cell
 * @returns {Promise<string>} the folder
 */
async function checkoutOf(cell) {
  const folder = join(matrix, cell.platform);
  const tracked = await mustRun("git", "git", ["ls-files", "--cached", "--others", "--exclude-standard"]);
  mkdirSync(folder, { recursive: true });
  // Not by names: a program that an emulator broke may have left a file whose name is no text.
  const others = ["-mindepth", "1", "-maxdepth", "1", "!", "-name", "node_modules"];
  await mustRun("removing an older checkout", "find", [folder, ...others, "-exec", "rm", "-rf", "{}", "+"]);
  for (const file of tracked.trim().split("\n")) {
    if (existsSync(join(root, file))) cpSync(join(root, file), join(folder, file));
  }
  cpSync(join(root, "dist"), join(folder, "dist"), { recursive: true });
  cpSync(join(root, binaryOf(cell)), join(folder, binaryOf(cell)));
  const lock = sha256(join(root, "package-lock.json"));
  const installed = join(folder, "node_modules/.carillon-lock");
  if (!existsSync(installed) || readFileSync(installed, "utf8") !== lock) {
    const platform = [`--os=${cell.os}`, `--cpu=${cell.arch}`, ...(cell.libc ? [`--libc=${cell.libc}`] : [])];
    await mustRun(cell.name, "npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", ...platform], {
      cwd: folder,
    });
    writeFileSync(installed, lock);
  }
  return folder;
}

/** @param {readonly string[]} args */
async function main(args) {
  const only = args[0] === "--only" ? (args[1] ?? "") : "";
  const chosen = cells.filter(({ name }) => name.includes(only));
  if (chosen.length === 0) {
    console.error(
      `test:matrix: no cell has "${only}" in its name; there are ${cells.map(({ name }) => name).join(" ")}`,
    );
    process.exit(1);
  }
  mkdirSync(join(matrix, "nodes"), { recursive: true });
  const rows = [
    "| cell | Node.js | binary | sha256 | ISA | passed | failed | skipped | minutes | model |",
    "|---|---|---|---|---|---|---|---|---|---|",
  ];
  const models = new Set();
  /** @type {string[]} */
  const notes = [];
  let failures = 0;
  for (const cell of chosen) {
    const binary = binaryOf(cell);
    if (!existsSync(join(root, binary))) {
      notes.push(`${cell.name}: not run, there is no ${binary} (npm run prebuild:all)`);
      failures += 1;
      continue;
    }
    const found = await nodeOf(cell);
    if ("missing" in found) {
      notes.push(`${cell.name}: not run, Node.js ${found.missing}`);
      continue;
    }
    const folder = await checkoutOf(cell);
    const { isa, model } = await trainQuickstart(cell, found.node, folder);
    models.add(model);
    const hash = sha256(join(root, binary)).slice(0, 12);
    if (cell.runtime !== undefined) {
      const start = `| ${cell.name} | ${cell.runtime.title} ${cell.version} | ${binary.slice("prebuilds/".length)} | \`${hash}\``;
      rows.push(`${start} | ${isa} | the quickstart | | | | \`${model.slice(0, 12)}\` |`);
      console.error(rows.at(-1));
      continue;
    }
    const { passed, failed, skipped, minutes } = await testCell(cell, found.node, folder);
    failures += failed.length;
    for (const name of failed) notes.push(`${cell.name}: FAILED ${name}`);
    for (const [file, reason] of leftOut(cell)) notes.push(`${cell.name}: left out ${file}: ${reason}`);
    const how = cell.under === undefined ? cell.name : `${cell.name} (${cell.under})`;
    rows.push(
      `| ${how} | ${cell.version} | ${binary.slice("prebuilds/".length)} | \`${hash}\` | ${isa} | ${passed} | ` +
        `${failed.length} | ${skipped} | ${minutes.toFixed(1)} | \`${model.slice(0, 12)}\` |`,
    );
    console.error(rows.at(-1));
  }
  console.log(`\n${rows.join("\n")}`);
  if (notes.length > 0) console.log(`\n${notes.map((note) => `- ${note}`).join("\n")}`);
  if (models.size > 1) console.log("\nThe models DIFFER");
  if (models.size > 1 || failures > 0) process.exit(1);
}

await main(argv.slice(2));
