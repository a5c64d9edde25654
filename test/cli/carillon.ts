// The `carillon` command as it is built, in a process of its own.
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { execPath } from "node:process";
import { root } from "../../scripts/tools.mjs";

export const command = join(root, "dist/cli/main.js");
export const isBuilt = existsSync(command) && existsSync(join(root, "build/Release/carillon.node"));

/** Milliseconds that a command may take on a machine with much else to do. */
const PATIENCE = 90_000;

function environment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("CARILLON_"));
  return { ...Object.fromEntries(inherited), ...more };
}

/** How a command ended, and what it has written. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command to its end. */
export function carillon(
  args: readonly string[],
  {
    cwd,
    input = "",
    env = {},
  }: { readonly cwd: string; readonly input?: string; readonly env?: Record<string, string> },
): Ended {
  const { status, stdout, stderr } = spawnSync(execPath, [command, ...args], {
    encoding: "utf8",
    cwd,
    input,
    timeout: PATIENCE,
    maxBuffer: 1 << 28,
    env: environment(env),
  });
  return { status, stdout, stderr };
}

/** Starts the command, and hands each piece that it writes to `seen`. With `input`, that is on its standard input, which stays open. */
export async function start(
  args: readonly string[],
  cwd: string,
  seen: (all: string, kill: (signal: NodeJS.Signals) => void) => void,
  {
    input,
    begun,
    env = {},
  }: {
    readonly input?: string;
    readonly begun?: (kill: (signal: NodeJS.Signals) => void) => void;
    readonly env?: Record<string, string>;
  } = {},
): Promise<Ended> {
  const child = spawn(execPath, [command, ...args], { cwd, env: environment(env), stdio: ["pipe", "pipe", "pipe"] });
  if (input === undefined) child.stdin.end();
  else child.stdin.on("error", () => undefined).write(input); // it may end before it has read all
  begun?.((signal) => child.kill(signal));
  const [out, err]: [string[], string[]] = [[], []];
  for (const [stream, texts] of [[child.stdout, out] as const, [child.stderr, err] as const]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      texts.push(text);
      seen([...out, ...err].join(""), (signal) => child.kill(signal));
    });
  }
  const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { status, stdout: out.join(""), stderr: err.join("") };
}
