// The package as somebody has it who installed the tarball: packed from this checkout, unpacked into an empty folder.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execPath } from "node:process";
import { root } from "../../scripts/tools.mjs";

/** Milliseconds: a self-check takes two seconds of a machine that has nothing else to do. */
export const PATIENCE = 90_000;

/** What `npm pack --json` says of a tarball. */
export interface Packed {
  readonly filename: string;
  /** Bytes of the tarball. */
  readonly size: number;
  readonly files: readonly { readonly path: string }[];
}

/** A temporary folder that other users may enter. */
export function openFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `carillon-${name}-`));
  chmodSync(folder, 0o755);
  return folder;
}

/** Packs dist/ as it is, without building, into `folder`. */
export function pack(folder: string): Packed {
  const args = ["pack", "--ignore-scripts", "--json", "--pack-destination", folder];
  const { status, stdout, stderr } = spawnSync("npm", args, { cwd: root, encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  const [packed] = JSON.parse(stdout) as [Packed]; // npm's format
  return packed;
}

/** The folder of a prebuilt binary for this machine, as prebuildify names it. */
export const PREBUILDS = `prebuilds/${process.platform}-${process.arch}`;

/** What a package of node_modules, or this one, depends on, and what that does. */
function neededBy(folder: string): readonly string[] {
  const { dependencies = {} }: { readonly dependencies?: Readonly<Record<string, string>> } = JSON.parse(
    readFileSync(join(folder, "package.json"), "utf8"),
  );
  const names = Object.keys(dependencies);
  return [...new Set(names.flatMap((name) => [name, ...neededBy(join(root, "node_modules", name))]))];
}

/** A folder with nothing but node_modules: the tarball, and the packages that it depends on. Returns its path. */
export function install(tarball: string, folder: string): string {
  const target = join(folder, "node_modules/carillon");
  mkdirSync(target, { recursive: true });
  const { status, stderr } = spawnSync("tar", ["-xzf", tarball, "--strip-components=1", "-C", target]);
  if (status !== 0) throw new Error(String(stderr));
  for (const name of neededBy(root)) {
    cpSync(join(root, "node_modules", name), join(folder, "node_modules", name), { recursive: true });
  }
  // A project of its own: one that a folder above has might be called as the package.
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  // A checkout has no binaries of other platforms, and its own is not in the tarball.
  if (!existsSync(join(target, PREBUILDS))) {
    mkdirSync(join(target, PREBUILDS), { recursive: true });
    copyFileSync(join(root, "build/Release/carillon.node"), join(target, PREBUILDS, "carillon.node"));
  }
  return target;
}

/** The README's first model, as a program of a module and as one of CommonJS. */
export function firstModel(): { readonly module: string; readonly commonJs: string } {
  const [, code = ""] =
    /## A first model\n\n```ts\n([\s\S]*?)```/.exec(readFileSync(join(root, "README.md"), "utf8")) ?? [];
  const [statement = "", names = ""] = /^import \{([^}]*)\} from "carillon";\n/m.exec(code) ?? [];
  const body = code.replace(statement, "");
  return {
    module: code,
    commonJs: `const {${names}} = require("carillon");\n(async () => {\n${body}\n})().catch((error) => {\n  console.error(error);\n  process.exitCode = 1;\n});\n`,
  };
}

/** A process that finds Node.js, and nothing else that is installed here: no compiler, no Python, no home. */
export function runBare(args: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}) {
  return spawnSync(execPath, [...args], {
    cwd,
    encoding: "utf8",
    timeout: PATIENCE,
    env: { PATH: dirname(join(cwd, "bin/none")), HOME: join(cwd, "no-home"), ...env },
  });
}

/** Files below a folder, sorted. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}
