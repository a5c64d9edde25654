// `prepare`, which package managers run after an install in a checkout (npm ci), for a dependency from git, and before they
// pack or publish. An install builds everything. Packing compiles nothing: it takes the binaries of prebuilds/ as they are.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { env } from "node:process";
import { root, run } from "./tools.mjs";

/** What the package manager was asked to do. Yarn 1 tells it in its own way. */
function command() {
  if (env.npm_config_argv !== undefined) return JSON.parse(env.npm_config_argv).original?.[0];
  return env.npm_command;
}

const packing = ["pack", "publish"].includes(command());
for (const script of packing ? ["build:js"] : ["build:native", "build:js"]) {
  const { status } = await run("npm", ["run", "--silent", script], { show: true });
  if (status !== 0) process.exit(status);
}
const prebuilds = join(root, "prebuilds");
if (packing && (!existsSync(prebuilds) || readdirSync(prebuilds).length === 0)) {
  console.error(
    "prepare: prebuilds/ is empty, so the package will have no binary; npm run prebuild makes that of this machine",
  );
}
