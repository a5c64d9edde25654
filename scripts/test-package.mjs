// `npm run test:package`: what test/package cannot do in seconds or without a registry. Packs the tarball and tries it: publint
// and attw, package managers without install scripts, the types under versions of TypeScript, a build from source, bundlers and other
// hosts. With names as arguments only those parts: lint, managers, types, build, hosts.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execPath } from "node:process";
import { hosts } from "./package-hosts.mjs";
import { mustRun, root, run } from "./tools.mjs";

// Each a version that Node.js 20 runs.
const TOOLS = { publint: "publint@0.3.25", attw: "@arethetypeswrong/cli@0.18.5" };
const TYPESCRIPT = ["5.8", "5.9", "6.0", "7.0"];
const NODE_TYPES = ["20", "26"];
const RESOLUTIONS = {
  nodenext: { module: "nodenext", moduleResolution: "nodenext" },
  bundler: { module: "esnext", moduleResolution: "bundler" },
};
/** @type {Record<string, { install: string[], run: string[], files?: Record<string, string> }>} */
const MANAGERS = {
  npm: { install: ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"], run: [execPath] },
  pnpm: {
    install: ["npx", "--yes", "pnpm@10", "install", "--ignore-scripts", "--no-frozen-lockfile"],
    run: [execPath],
  },
  "yarn 1": { install: ["npx", "--yes", "yarn@1.22.22", "install", "--ignore-scripts"], run: [execPath] },
  "yarn 4": {
    install: ["npx", "--yes", "--package=@yarnpkg/cli-dist@4", "yarn", "install", "--mode=skip-build"],
    run: [execPath],
    files: { ".yarnrc.yml": "nodeLinker: node-modules\nenableTelemetry: false\n" },
  },
  "yarn 4, plug'n'play": {
    install: ["npx", "--yes", "--package=@yarnpkg/cli-dist@4", "yarn", "install", "--mode=skip-build"],
    run: ["npx", "--yes", "--package=@yarnpkg/cli-dist@4", "yarn", "node"],
    files: { ".yarnrc.yml": "nodeLinker: pnp\nenableTelemetry: false\n" },
  },
};

const work = mkdtempSync(join(tmpdir(), "carillon-package-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));
/** @type {string[]} */
const failures = [];

/**
 * @param {string} what
 * @param {boolean} good
 * @param {string} [said]
 */
function tell(what, good, said = "") {
  console.log(`${what}: ${good ? "ok" : "FAILED"}`);
  if (good) return;
  failures.push(what);
  console.error(said.trimEnd());
}

/**
 * @param {string} name
 * @param {Record<string, string>} files
 * @param {object} dependencies
 */
function project(name, files, dependencies) {
  const folder = join(work, name.replaceAll(/\W+/g, "-"));
  mkdirSync(folder, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, dependencies }));
  return folder;
}

/**
 * @param {readonly string[]} command
 * @param {string} cwd
 * @param {Record<string, string>} [env]
 */
function start([command = "", ...args], cwd, env = {}) {
  return run(command, args, { cwd, env });
}

// What belongs to the checkout must not be found from temporary folders, nor its settings.
const registry = (await mustRun("registry", "npm", ["config", "get", "registry"])).trim();
const env = {
  npm_config_registry: registry,
  YARN_NPM_REGISTRY_SERVER: registry,
  YARN_ENABLE_GLOBAL_CACHE: "false",
  ...(registry.startsWith("http:") ? { YARN_UNSAFE_HTTP_WHITELIST: new URL(registry).hostname } : {}),
};

/** The tarball; with the binary of the checkout where there is no prebuilt one for this machine. */
async function pack() {
  const out = join(work, "pack");
  mkdirSync(out);
  const packing = ["pack", "--ignore-scripts", "--silent", "--pack-destination", out];
  const first = join(out, (await mustRun("npm pack", "npm", packing)).trim());
  const unpacked = join(work, "unpacked");
  mkdirSync(unpacked);
  await mustRun("tar", "tar", ["-xzf", first, "-C", unpacked]);
  const prebuilds = join(unpacked, "package/prebuilds", `${process.platform}-${process.arch}`);
  if (existsSync(prebuilds)) return first;
  console.log("prebuilds/ has no binary for this machine: that of the checkout takes its place");
  mkdirSync(prebuilds, { recursive: true });
  copyFileSync(join(root, "build/Release/carillon.node"), join(prebuilds, "carillon.node"));
  return join(out, (await mustRun("npm pack", "npm", packing, { cwd: join(unpacked, "package") })).trim());
}

const tarball = await pack();
const program =
  /## A first model\n\n```ts\n([\s\S]*?)```/.exec(readFileSync(join(root, "README.md"), "utf8"))?.[1] ?? "";

async function lint() {
  const publint = await start(["npx", "--yes", TOOLS.publint, tarball, "--strict"], work, env);
  tell(`${TOOLS.publint} --strict`, publint.status === 0, publint.output);
  // The package is ESM only: require() of it works from Node.js 20.19 on, node10 and the CommonJS of older versions are not
  // meant to work, and that is what this profile leaves out.
  const attw = await start(["npx", "--yes", TOOLS.attw, tarball, "--profile", "esm-only", "--no-emoji"], work, env);
  tell(`${TOOLS.attw} --profile esm-only`, attw.status === 0, attw.output);
}

async function managers() {
  for (const [name, manager] of Object.entries(MANAGERS)) {
    const files = { "first.mjs": program, ...manager.files };
    const folder = project(`manager ${name}`, files, { carillon: `file:${tarball}` });
    const installed = await start(manager.install, folder, { ...env, YARN_ENABLE_IMMUTABLE_INSTALLS: "false" });
    if (installed.status !== 0) {
      tell(`install with ${name}`, false, installed.output);
      continue;
    }
    const { status, output } = await start([...manager.run, "first.mjs"], folder, env);
    tell(`installed with ${name}, no scripts: the README's first model`, status === 0, output);
  }
}

async function types() {
  const kernels =
    'import { gemm, type GemmOptions } from "carillon/kernels";\nexport const call: (options: GemmOptions) => void = gemm;\n';
  for (const node of NODE_TYPES) {
    const dependencies = Object.fromEntries(
      TYPESCRIPT.map((version) => [`typescript-${version}`, `npm:typescript@~${version}.0`]),
    );
    const folder = project(
      `types ${node}`,
      { "first.mts": program, "kernels.mts": kernels },
      { carillon: `file:${tarball}`, "@types/node": node, ...dependencies },
    );
    const installed = await start(MANAGERS.npm?.install ?? [], folder, env);
    if (installed.status !== 0) return tell("install of TypeScript", false, installed.output);
    for (const version of TYPESCRIPT) {
      for (const [name, resolution] of Object.entries(RESOLUTIONS)) {
        const compilerOptions = {
          ...resolution,
          target: "es2022",
          lib: ["es2022"],
          strict: true,
          skipLibCheck: false,
          noEmit: true,
        };
        const config = join(folder, `tsconfig-${version}-${name}.json`);
        writeFileSync(config, JSON.stringify({ compilerOptions, include: ["*.mts"] }));
        const compiler = join(folder, `node_modules/typescript-${version}/bin/tsc`);
        const { status, output } = await start([execPath, compiler, "-p", config], folder, env);
        tell(`types: TypeScript ${version}, ${name}, @types/node ${node}`, status === 0, output);
      }
    }
  }
}

async function build() {
  const folder = project("build", { "first.mjs": program }, { carillon: `file:${tarball}` });
  const installed = await start(MANAGERS.npm?.install ?? [], folder, env);
  if (installed.status !== 0) return tell("install for a build", false, installed.output);
  rmSync(join(folder, "node_modules/carillon/prebuilds"), { recursive: true, force: true });
  const failed = await start([execPath, "first.mjs"], folder);
  tell(
    "without a binary the error says npx carillon build",
    failed.output.includes("npx carillon build"),
    failed.output,
  );
  const { status, output } = await start(["npx", "--no", "carillon", "build"], folder, env);
  tell("npx carillon build, headers from the registry", status === 0, output);
  const first = await start([execPath, "first.mjs"], folder);
  tell("with what it built: the README's first model", first.status === 0, first.output);
  const doctor = await start(["npx", "--no", "carillon", "doctor"], folder);
  tell("npx carillon doctor", doctor.status === 0, doctor.output);
}

/** @type {Record<string, () => Promise<void>>} */
const parts = {
  lint,
  managers,
  types,
  build,
  hosts: () => hosts({ project, start, tell, install: MANAGERS.npm?.install ?? [], tarball, env }),
};
const chosen = process.argv.slice(2);
for (const [name, part] of Object.entries(parts)) {
  if (chosen.length === 0 || chosen.includes(name)) await part();
}
console.log(`the tarball has ${(statSync(tarball).size / 1e6).toFixed(2)} MB; Node.js ${process.version}`);
if (failures.length > 0) {
  console.error(`test:package: ${failures.length} FAILED: ${failures.join("; ")}`);
  process.exit(1);
}
console.log("test:package: all passed");
