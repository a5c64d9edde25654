// Runs the programs in test/train/programs as processes and workers of their own.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Bundles `folder`/`name`.ts with the library; returns the path of the module. */
export async function bundle(name: string, folder = "test/train/programs"): Promise<string> {
  const outfile = join(root, "build/test", `${name}.mjs`);
  await build({
    entryPoints: [join(root, folder, `${name}.ts`)],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    alias: { carillon: join(root, "lib/index.ts") },
    logLevel: "error",
  });
  return outfile;
}

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a module in a process of its own, to its end. */
export function runChild(
  module: string,
  options: {
    readonly args?: readonly string[];
    readonly node?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Promise<Ended> {
  const { args = [], node = [], env = {} } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...node, module, ...args], { env: { ...process.env, ...env } });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (text: Buffer) => {
      stdout += text.toString();
    });
    child.stderr.on("data", (text: Buffer) => {
      stderr += text.toString();
    });
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}
