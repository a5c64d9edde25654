// Cross-compiles the addon for every platform of the package, from one machine, into the prebuilds/ that
// node-gyp-build looks through.
//
//     npm run prebuild:all                        all of them
//     npm run prebuild:all -- linux arm64         those whose names have every one of these words
//     npm run prebuild:all -- --twice             builds again, at another place: the bytes must be equal
import { createHash } from "node:crypto";
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { argv } from "node:process";
import { gzipSync } from "node:zlib";
import { findZig, jobs, mustRun, root } from "./tools.mjs";

/**
 * The binaries of the package. glibc 2.28 is that of the oldest systems that Node.js 20 runs on; musl's loader takes
 * glibc's libraries for itself, and the binaries for Linux ask for nothing that musl lacks (native/napi/cxx_runtime.cc).
 *
 * @type {readonly { file: string, zig: string }[]}
 */
const prebuilds = [
  { file: "linux-x64/carillon.node", zig: "x86_64-linux-gnu.2.28" },
  { file: "linux-arm64/carillon.node", zig: "aarch64-linux-gnu.2.28" },
  { file: "win32-x64/carillon.node", zig: "x86_64-windows-gnu" },
  { file: "darwin-x64/carillon.node", zig: "x86_64-macos.11.0" },
  { file: "darwin-arm64/carillon.node", zig: "aarch64-macos.11.0" },
];

/**
 * Builds one binary from the sources at `source`.
 *
 * @param {string} zig
 * @param {{ file: string, zig: string }} prebuild
 * @param {string} source root of a checkout, or of a copy
 * @returns {Promise<string>} the built file
 */
async function buildPrebuild(zig, prebuild, source) {
  const build = join(source, "build/prebuild", dirname(prebuild.file), prebuild.zig);
  const options = [
    ...["-G", "Ninja", "-S", source, "-B", build, "-DCMAKE_BUILD_TYPE=Release"],
    `-DCMAKE_TOOLCHAIN_FILE=${join(source, "cmake/zig.cmake")}`,
    ...[`-DCARILLON_ZIG=${zig}`, `-DCARILLON_ZIG_TARGET=${prebuild.zig}`],
    ...["-DCARILLON_ADDON=ON", `-DCARILLON_ADDON_DIR=${join(build, "addon")}`],
  ];
  await mustRun(prebuild.file, "cmake", options);
  const output = await mustRun(prebuild.file, "cmake", ["--build", build, "--parallel", jobs]);
  if (/warning:/i.test(output)) console.error(output);
  return join(build, "addon/carillon.node");
}

/**
 * The same build from a copy of the sources at another place, which Zig therefore compiles anew. The parts of its own
 * libraries it keeps; ZIG_GLOBAL_CACHE_DIR names an empty folder where these should be compiled again too.
 *
 * @param {string} zig
 * @param {{ file: string, zig: string }} prebuild
 * @returns {Promise<Buffer>}
 */
async function buildElsewhere(zig, prebuild) {
  const copy = mkdtempSync(join(tmpdir(), "carillon-prebuild-"));
  try {
    for (const name of ["CMakeLists.txt", "cmake", "native"]) {
      cpSync(join(root, name), join(copy, name), { recursive: true });
    }
    symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
    return readFileSync(await buildPrebuild(zig, prebuild, copy));
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** @param {Buffer} bytes */
function sha256(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

/** @param {readonly string[]} args */
async function main(args) {
  const twice = args.includes("--twice");
  const words = args.filter((word) => word !== "--twice");
  const chosen = prebuilds.filter(({ file, zig }) => words.every((word) => `${file} ${zig}`.includes(word)));
  if (chosen.length === 0) {
    console.error(`prebuild:all: nothing has all of ${words.join(" ")} in its name:`);
    for (const { file, zig } of prebuilds) console.error(`  ${file} ${zig}`);
    process.exit(1);
  }
  const zig = await findZig();
  let packed = 0;
  for (const prebuild of chosen) {
    const file = join(root, "prebuilds", prebuild.file);
    const built = await buildPrebuild(zig, prebuild, root);
    const bytes = readFileSync(built);
    mkdirSync(dirname(file), { recursive: true });
    copyFileSync(built, file);
    const size = gzipSync(bytes, { level: 9 }).length;
    packed += size;
    console.log(`${sha256(bytes)}  ${prebuild.file}  ${bytes.length} bytes, ${size} packed`);
    if (twice && !bytes.equals(await buildElsewhere(zig, prebuild))) {
      console.error(`${prebuild.file}: a second build, at another place, gave other bytes`);
      process.exit(1);
    }
  }
  console.log(`${chosen.length} binaries, ${packed} bytes packed${twice ? "; built twice, equal" : ""}`);
}

await main(argv.slice(2));
