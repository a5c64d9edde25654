// Builds the addon through binding.gyp, in a copy of the sources, as both tools empty the build/ that they find: with node-gyp (proves
// binding.gyp), or with `prebuild` as argument with prebuildify, into prebuilds/.
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { root, run } from "./tools.mjs";

/**
 * @param {string} copy of the sources
 * @returns {Promise<number>} status
 */
async function buildIn(copy) {
  for (const name of ["binding.gyp", "package.json", "native"]) {
    cpSync(join(root, name), join(copy, name), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  // Headers that stand beside this Node.js save a download.
  const prefix = dirname(dirname(process.execPath));
  const env = existsSync(join(prefix, "include/node/node_api.h")) ? { npm_config_nodedir: prefix } : {};
  const isPrebuild = process.argv[2] === "prebuild";
  const [command, ...args] = isPrebuild
    ? ["prebuildify", "--napi", "--strip", "--tag-libc", "--out", root]
    : ["node-gyp", "rebuild"];
  const built = await run(command, args, { cwd: copy, env, show: true });
  if (built.status !== 0) return built.status;
  const check = 'require("node-gyp-build")(process.cwd()); console.log("the binary loads");';
  const prebuildsOnly = isPrebuild ? { PREBUILDS_ONLY: "1" } : {};
  const loaded = await run(process.execPath, ["-e", check], {
    cwd: isPrebuild ? root : copy,
    env: prebuildsOnly,
    show: true,
  });
  return loaded.status;
}

const copy = mkdtempSync(join(tmpdir(), "carillon-gyp-"));
try {
  process.exitCode = await buildIn(copy);
} finally {
  rmSync(copy, { recursive: true, force: true });
}
