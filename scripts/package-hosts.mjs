// The recipes of docs/installing.md for bundlers, tracers, single-file programs, Jest, Bun and Deno: each is made as it stands there,
// taken to an empty folder, and started.
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execPath } from "node:process";

/** What the recipes were tried with. */
const TOOLS = {
  webpack: "5.113.0",
  "webpack-cli": "7",
  "@rspack/core": "2.3.4",
  "@rspack/cli": "2",
  rollup: "4",
  "@rollup/plugin-node-resolve": "16",
  esbuild: "0.28",
  vite: "8",
  "@vercel/nft": "1.11.5",
  postject: "1.0.0-alpha.6",
  jest: "30.5.2",
  bun: "1.4.5",
  deno: "2.9.6",
};

const PROGRAM = `import { fit, linear, mse, sequential, sgd } from "carillon";
const model = sequential(linear(2, 1));
fit(model, { data: { x: [[1, 2], [3, 4]], y: [1, 2] }, loss: mse(), optimizer: sgd({ lr: 0.01 }), epochs: 3, seed: 1 }).then(() =>
  console.log(Array.from(model.predictSync([[1, 2]]).data, (value) => value.toFixed(6)).join()),
);
`;

const FILES = {
  "app.js": PROGRAM,
  "webpack.config.mjs": `const esm = process.env.FORMAT === "esm";
export default {
  mode: "production", target: "node20", entry: "./app.js", experiments: { outputModule: esm },
  output: {
    path: import.meta.dirname + "/out", filename: process.env.OUT,
    ...(esm ? { module: true, chunkFormat: "module", library: { type: "module" } } : {}),
  },
};
`,
  "rollup.config.mjs": `import { nodeResolve } from "@rollup/plugin-node-resolve";
export default { input: "app.js", plugins: [nodeResolve({ exportConditions: ["node"] })] };
`,
  "vite.config.mjs": `export default {
  ssr: { noExternal: true },
  build: { ssr: "app.js", outDir: "out", emptyOutDir: false, rollupOptions: { output: { entryFileNames: "vite.mjs" } } },
};
`,
  "trace.mjs": `import { nodeFileTrace } from "@vercel/nft";
import { cpSync } from "node:fs";
const binaries = process.argv.slice(2);
const { fileList } = await nodeFileTrace(["app.js", ...binaries], { base: process.cwd() });
for (const file of fileList) cpSync(file, "out/traced/" + file);
`,
  "sea.json": JSON.stringify({ main: "out/app.cjs", output: "out/app.blob", disableExperimentalSEAWarning: true }),
  "carillon.test.cjs": `test("trains under fake timers", async () => {
  const { fit, linear, mse, sequential, sgd } = await import("carillon");
  jest.useFakeTimers();
  const data = { x: Float32Array.of(1, 2), y: [1, 2] };
  const { step } = await fit(sequential(linear(1, 1)), { data, loss: mse(), optimizer: sgd({ lr: 0.1 }), steps: 5 });
  expect(step).toBe(5);
});
`,
};

/**
 * @typedef {object} Hands what test-package.mjs works with
 * @property {(name: string, files: Record<string, string>, dependencies: object) => string} project
 * @property {(command: readonly string[], cwd: string, env?: Record<string, string>) => Promise<{ status: number | null, output: string, stdout: string }>} start
 * @property {(what: string, good: boolean, said?: string) => void} tell
 * @property {readonly string[]} install
 * @property {string} tarball
 * @property {Record<string, string>} env
 */

/** @param {Hands} hands */
export async function hosts({ project, start, tell, install, tarball, env }) {
  const folder = project("hosts", FILES, { carillon: `file:${tarball}`, ...TOOLS });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ ...manifest(tarball), type: "module" }));
  const installed = await start(install, folder, env);
  if (installed.status !== 0) return tell("install of bundlers", false, installed.output);
  const out = join(folder, "out");
  mkdirSync(out);
  const binary = join("node_modules/carillon/prebuilds", `${process.platform}-${process.arch}`, "carillon.node");
  const expected = (await start([execPath, "app.js"], folder)).stdout;
  const bin = (/** @type {string} */ name) => join(folder, "node_modules/.bin", name);

  /**
   * Starts what was made in a folder with nothing but what it was given.
   *
   * @param {string} what
   * @param {readonly string[]} command its first file is the made one
   * @param {(empty: string) => void} furnish
   */
  const alone = async (what, [file = "", ...before], furnish) => {
    const empty = project(`alone ${what}`, {}, {});
    const made = join(empty, file);
    copyFileSync(join(out, file), made);
    furnish(empty);
    const { status, stdout, output } = await start([...before, made], empty);
    tell(what, status === 0 && stdout === expected, output);
  };
  const beside = (/** @type {string} */ empty) => copyFileSync(join(folder, binary), join(empty, "carillon.node"));
  const withPackage = (/** @type {string} */ empty) => {
    for (const name of ["carillon", "node-gyp-build"]) {
      cpSync(join(folder, "node_modules", name), join(empty, "node_modules", name), { recursive: true });
    }
  };

  /** @type {[name: string, file: string, command: string[], env?: Record<string, string>][]} */
  const bundles = [
    [
      "esbuild",
      "app.cjs",
      [bin("esbuild"), "app.js", "--bundle", "--platform=node", "--log-level=error", "--outfile=out/app.cjs"],
    ],
    ["rollup", "rollup.mjs", [bin("rollup"), "-c", "rollup.config.mjs", "-o", "out/rollup.mjs"]],
    ["webpack", "webpack.cjs", [bin("webpack"), "-c", "webpack.config.mjs"], { OUT: "webpack.cjs" }],
    [
      "webpack as ESM",
      "webpack.mjs",
      [bin("webpack"), "-c", "webpack.config.mjs"],
      { OUT: "webpack.mjs", FORMAT: "esm" },
    ],
    ["Rspack", "rspack.cjs", [bin("rspack"), "build", "-c", "webpack.config.mjs"], { OUT: "rspack.cjs" }],
    ["Vite, ssr", "vite.mjs", [bin("vite"), "build"]],
  ];
  for (const [name, file, command, extra] of bundles) {
    const made = await start(command, folder, { ...env, ...extra });
    if (made.status !== 0) {
      tell(`a bundle by ${name}`, false, made.output);
      continue;
    }
    await alone(`a bundle by ${name}, carillon.node beside it`, [file, execPath], beside);
    await alone(`a bundle by ${name}, beside node_modules`, [file, execPath], withPackage);
  }

  const traced = await start([execPath, "trace.mjs", binary], folder);
  const files = await start([execPath, "app.js"], join(out, "traced"));
  tell(
    "@vercel/nft, told of the binary",
    traced.status === 0 && files.stdout === expected,
    traced.output + files.output,
  );

  const blob = await start([execPath, "--experimental-sea-config", "sea.json"], folder);
  copyFileSync(execPath, join(out, "single"));
  chmodSync(join(out, "single"), 0o755);
  const fuse = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";
  const injected = await start(
    [bin("postject"), "out/single", "NODE_SEA_BLOB", "out/app.blob", "--sentinel-fuse", fuse],
    folder,
  );
  if (blob.status !== 0 || injected.status !== 0) tell("a single executable", false, blob.output + injected.output);
  else await alone("a single executable of Node.js, carillon.node beside it", ["single"], beside);

  const jest = await start([execPath, "--experimental-vm-modules", "node_modules/jest/bin/jest.js"], folder);
  tell("Jest with --experimental-vm-modules", jest.status === 0, jest.output);

  const bunProgram = programBelow(join(folder, "node_modules/@oven"), "bin/bun");
  const bun = await start([bunProgram, "app.js"], folder);
  tell("Bun", bun.status === 0 && bun.stdout === expected, bun.output);
  const compiled = await start([bunProgram, "build", "--compile", "app.js", "--outfile", "out/compiled"], folder);
  if (compiled.status !== 0 || !existsSync(join(out, "compiled"))) tell("bun build --compile", false, compiled.output);
  else await alone("bun build --compile, carillon.node beside it", ["compiled"], beside);
  const denoProgram = programBelow(join(folder, "node_modules/@deno"), "deno");
  const deno = await start([denoProgram, "run", "-A", "app.js"], folder);
  tell("Deno", deno.status === 0 && deno.stdout === expected, deno.output);

  const layer = project("layer", {}, {});
  withPackage(join(layer, "opt/nodejs"));
  const handler = 'const { runtime } = require("carillon");\nconsole.log(runtime.isa);\n';
  writeFileSync(join(layer, "handler.cjs"), handler);
  const lambda = await start([execPath, "handler.cjs"], layer, { NODE_PATH: join(layer, "opt/nodejs/node_modules") });
  tell("a layer of AWS Lambda, by require()", lambda.status === 0, lambda.output);
}

/**
 * The program in the package for this machine, which npm puts beside those whose scripts would move it.
 *
 * @param {string} scope
 * @param {string} file
 */
function programBelow(scope, file) {
  const [name = "none"] = existsSync(scope) ? readdirSync(scope) : [];
  const program = join(scope, name, file);
  if (existsSync(program)) chmodSync(program, 0o755);
  return program;
}

/** @param {string} tarball */
function manifest(tarball) {
  return { private: true, dependencies: { carillon: `file:${tarball}`, ...TOOLS } };
}
