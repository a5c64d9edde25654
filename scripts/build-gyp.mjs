// Builds the addon through binding.gyp: with node-gyp (proves binding.gyp), or with `prebuild` as argument with
// prebuildify, into prebuilds/. Both clean build/; `npm run build:native` fills it again.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { root, run } from "./tools.mjs";

// Headers that stand beside this Node.js save a download.
const prefix = dirname(dirname(process.execPath));
const env = existsSync(join(prefix, "include/node/node_api.h")) ? { npm_config_nodedir: prefix } : {};

const [command, ...args] =
  process.argv[2] === "prebuild" ? ["prebuildify", "--napi", "--strip", "--tag-libc"] : ["node-gyp", "rebuild"];
const { status } = await run(command, args, { env, show: true });
if (status !== 0) process.exit(status);

const check = 'require("node-gyp-build")(process.cwd()); console.log("the binary loads");';
const loaded = await run(process.execPath, ["-e", check], { cwd: root, show: true });
process.exit(loaded.status);
