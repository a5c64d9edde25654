// The tarball: what is in it, and that it runs where there is nothing but Node.js. `npm run test:package` adds what needs a
// registry and minutes: package managers, TypeScript versions, a build from source.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { execPath } from "node:process";
import { brotliDecompressSync } from "node:zlib";
import { build } from "esbuild";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { root } from "../../scripts/tools.mjs";
import {
  filesBelow,
  firstModel,
  install,
  openFolder,
  PATIENCE,
  type Packed,
  PREBUILDS,
  pack,
  runBare,
} from "./installed.js";

interface Manifest {
  readonly version: string;
  readonly scripts: Readonly<Record<string, string>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly gypfile: boolean;
}

const isBuilt = existsSync(join(root, "dist/cli/main.js")) && existsSync(join(root, "build/Release/carillon.node"));
const folder = openFolder("package");
const app = join(folder, "app");
let packed: Packed;
let installed: string;

beforeAll(() => {
  if (!isBuilt) return;
  packed = pack(folder);
  installed = install(join(folder, packed.filename), app);
});

beforeEach((context) => {
  if (!isBuilt) context.skip("nothing is built: npm run prepare");
});

afterAll(() => {
  spawnSync("chmod", ["-R", "u+w", folder]);
  rmSync(folder, { recursive: true, force: true });
});

const manifest = (): Manifest => JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as Manifest;

describe("the tarball", () => {
  test("runs nothing when it is installed", () => {
    const { scripts, gypfile } = manifest();
    expect(Object.keys(scripts).filter((name) => /^(pre|post)?install$/.test(name))).toEqual([]);
    // Package managers would run node-gyp for it.
    expect(existsSync(join(installed, "binding.gyp"))).toBe(false);
    expect(gypfile).toBe(false);
  });

  test("has what it names", () => {
    const { exports, bin } = manifest();
    const targets = Object.values(exports).flatMap((target) =>
      typeof target === "string" ? [target] : Object.values(target),
    );
    expect(targets.length).toBeGreaterThan(4);
    expect([...targets, ...Object.values(bin)].filter((file) => !existsSync(join(installed, file)))).toEqual([]);
    // The first condition that fits is taken: types before all others.
    for (const target of Object.values(exports)) {
      if (typeof target === "object") expect(Object.keys(target)[0]).toBe("types");
    }
    for (const file of Object.values(bin)) {
      expect(readFileSync(join(installed, file), "utf8").split("\n")[0]).toBe("#!/usr/bin/env node");
      if (process.platform !== "win32") expect(statSync(join(installed, file)).mode & 0o111).not.toBe(0);
    }
  });

  test("has the source that a build needs, and nothing that only a checkout needs", () => {
    const files = filesBelow(installed);
    const sources = readFileSync(join(root, "native/sources.txt"), "utf8").match(/^[^#\n].*$/gm) ?? [];
    const packed = brotliDecompressSync(readFileSync(join(installed, "dist/source.json.br"))).toString("utf8");
    const source = JSON.parse(packed) as Record<string, string>;
    for (const name of ["CMakeLists.txt", ...sources.map((file) => `native/${file}`)])
      expect(source).toHaveProperty([name]);
    for (const file of ["LICENSE", "README.md", "docs/README.md"]) expect(files).toContain(file);
    const known = /^(dist|prebuilds|docs|examples)\/|^(LICENSE|README\.md|CHANGELOG\.md|package\.json)$/;
    expect(files.filter((file) => !known.test(file))).toEqual([]);
    expect(files.filter((file) => /^dist\/.*\.ts$/.test(file) && !/\.d\.ts$/.test(file))).toEqual([]);
  });

  test("has a guide and a README whose links lead to what is in it", () => {
    const pages = filesBelow(installed).filter((file) => /\.md$/.test(file));
    expect(pages).toContain("docs/training.md");
    const dead = pages.flatMap((page) =>
      [...readFileSync(join(installed, page), "utf8").matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)]
        .map(([, link = ""]) => join(page, "..", link))
        .filter((file) => !existsSync(join(installed, file)))
        .map((file) => `${page}: ${file}`),
    );
    expect(dead).toEqual([]);
  });

  test.each(["gan --steps 10", "gradient-penalty --steps 2", "custom-parts --epochs 1"])(
    "has an example that runs from a copy: %s",
    async (line) => {
      const [name = "", ...args] = line.split(" ");
      // Bundled as a runner of TypeScript would do it, from nothing but the package.
      const outfile = join(app, `${name}.mjs`);
      await build({
        entryPoints: [join(installed, "examples", name, "main.ts")],
        outfile,
        bundle: true,
        format: "esm",
        platform: "node",
        external: ["carillon"],
        logLevel: "silent",
      });
      const { status, stdout, stderr } = runBare([outfile, ...args], app);
      expect(status, stderr).toBe(0);
      expect(stdout.length).toBeGreaterThan(100);
    },
  );

  test("is at most 2.6 MB with the binaries that are in it, once `npm run tarball` has compressed it", () => {
    expect(0.95 * packed.size).toBeLessThanOrEqual(2.6e6); // zopfli takes 6% of binaries, 4% of text
  });
});

describe("installed, with no compiler, no network and no home", () => {
  const { module, commonJs } = firstModel();

  test("the README's first model runs by import", () => {
    writeFileSync(join(app, "first.mjs"), module);
    const { status, stdout, stderr } = runBare(["first.mjs"], app);
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(stdout).toContain("Float32Array(4)");
    expect(existsSync(join(app, "circle.safetensors"))).toBe(true);
  });

  test("the README's first model runs by require, to the same bits", () => {
    const bits = readFileSync(join(app, "circle.safetensors"));
    writeFileSync(join(app, "first.cjs"), commonJs);
    const { status, stdout, stderr } = runBare(["first.cjs"], app);
    expect(status, stderr).toBe(0);
    expect(stdout).toContain("Float32Array(4)");
    expect(readFileSync(join(app, "circle.safetensors")).equals(bits)).toBe(true);
  });

  test("entries share their classes", () => {
    const program = `
      import * as all from "carillon";
      import * as kernels from "carillon/kernels";
      import { modelFromJson } from "carillon/exchange";
      if (all.CarillonError !== kernels.CarillonError || all.runtime !== kernels.runtime) process.exit(1);
      const [caught] = await Promise.allSettled([(async () => modelFromJson("x"))()]);
      if (!(caught.reason instanceof all.CarillonError) || caught.reason.code !== "ERR_FILE") process.exit(2);`;
    writeFileSync(join(app, "shared.mjs"), program);
    expect(runBare(["shared.mjs"], app).status).toBe(0);
  });

  test("entries can be required: none waits at its top", () => {
    const program = `
      const { CarillonError } = require("carillon");
      if (require("carillon/kernels").CarillonError !== CarillonError) process.exit(1);
      if (typeof require("carillon/exchange").modelFromJson !== "function") process.exit(2);`;
    writeFileSync(join(app, "shared.cjs"), program);
    const { status, stderr } = runBare(["shared.cjs"], app);
    expect(status, stderr).toBe(0);
  });

  test("an import starts no thread and allocates nothing for programs", (context) => {
    if (process.platform !== "linux") context.skip("threads are counted in /proc");
    const program = `
      import { readdirSync } from "node:fs";
      const threads = () => readdirSync("/proc/self/task").length;
      const before = threads();
      const { runtime } = await import("carillon");
      console.log(JSON.stringify({ more: threads() - before, ...runtime.memory() }));`;
    writeFileSync(join(app, "idle.mjs"), program);
    const { stdout } = runBare(["idle.mjs"], app);
    expect(JSON.parse(stdout)).toEqual({ more: 0, bytes: 0, buffers: 0, allocations: 0 });
  });

  test.each(["nodenext", "bundler"])("its types hold by themselves, resolution %s", (moduleResolution) => {
    mkdirSync(join(app, "node_modules/@types"), { recursive: true });
    const types = join(app, "node_modules/@types/node");
    if (!existsSync(types)) symlinkSync(realpathSync(join(root, "node_modules/@types/node")), types);
    writeFileSync(join(app, "first.mts"), module);
    writeFileSync(join(app, "kernels.mts"), 'export { gemm } from "carillon/kernels";\n');
    const compilerOptions = {
      module: moduleResolution === "nodenext" ? "nodenext" : "esnext",
      moduleResolution,
      target: "es2022",
      lib: ["es2022"],
      strict: true,
      skipLibCheck: false,
      noEmit: true,
    };
    writeFileSync(join(app, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.mts"] }));
    const compiler = join(root, "node_modules/typescript/bin/tsc");
    const { stdout, status } = spawnSync(execPath, [compiler, "-p", app], { encoding: "utf8" });
    expect(stdout).toBe("");
    expect(status).toBe(0);
  });

  test.each([
    ["everything", ["--allow-fs-read=*", "--allow-fs-write=*"]],
    ["its own folder alone", [`--allow-fs-read=${app}`, `--allow-fs-write=${app}`]],
  ])("it trains, saves and loads under Node.js's permission model, granted %s", (_, granted) => {
    const program = `
      import { fit, linear, loadModel, mse, runtime, sequential, sgd } from "carillon";
      const model = sequential(linear(2, 1));
      const checkpoint = { dir: "permitted", every: { steps: 1 } };
      const data = { x: [[1, 2], [3, 4]], y: [1, 2] };
      await fit(model, { data, loss: mse(), optimizer: sgd({ lr: 0.01 }), steps: 3, checkpoint });
      await model.save("permitted/model.safetensors");
      const loaded = await loadModel("permitted/model.safetensors");
      if (loaded.predictSync(data.x).data.join() !== model.predictSync(data.x).data.join()) process.exitCode = 1;
      console.log(runtime.threads >= 1);`;
    writeFileSync(join(app, "permitted.mjs"), program);
    const stable = process.allowedNodeEnvironmentFlags.has("--permission");
    const flag = stable ? "--permission" : "--experimental-permission";
    const { status, stdout, stderr } = runBare(
      ["--no-warnings", flag, "--allow-addons", ...granted, "permitted.mjs"],
      app,
    );
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "true\n", stderr: "" });
    rmSync(join(app, "permitted"), { recursive: true });
  });

  test("doctor finds nothing wrong, and the prebuilt binary", () => {
    const { status, stdout } = runBare([join(installed, "dist/cli/main.js"), "doctor"], app);
    expect(stdout).toContain(join(installed, PREBUILDS));
    expect(stdout).toContain("all is well");
    expect(status).toBe(0);
  });
});

test("the binary that is taken is the one that node-gyp-build takes, under whatever name", () => {
  const { path } = createRequire(join(installed, "package.json"))("node-gyp-build") as { path(folder: string): string };
  const program = `
    import "carillon";
    console.log(process.report.getReport().sharedObjects.find((file) => file.endsWith(".node")));`;
  writeFileSync(join(app, "taken.mjs"), program);
  const taken = (): string => runBare(["taken.mjs"], app).stdout.trim();
  const known = path(installed);
  expect(taken()).toBe(known);
  const library = existsSync("/etc/alpine-release") ? "musl" : "glibc";
  // As prebuildify tags them: with the C library, plain, with the runtime and the interface.
  for (const name of [`carillon.${library}.node`, "carillon.node", "node.napi.node"]) {
    const renamed = join(installed, PREBUILDS, name);
    renameSync(path(installed), renamed);
    expect(path(installed)).toBe(renamed);
    expect(taken()).toBe(renamed);
  }
  renameSync(path(installed), known);
  // The more special name before the plain one.
  const plain = join(installed, PREBUILDS, "carillon.node");
  const tagged = join(installed, PREBUILDS, `carillon.${library}.node`);
  const other = known === plain ? tagged : plain;
  copyFileSync(known, other);
  expect(taken()).toBe(path(installed));
  rmSync(other);
});

test("nothing is written into the package: it runs where its folder is read-only", () => {
  const readOnly = join(folder, "read-only");
  const target = install(join(folder, packed.filename), readOnly);
  writeFileSync(join(readOnly, "program.mjs"), 'import { runtime } from "carillon";\nconsole.log(runtime.isa);\n');
  const before = filesBelow(readOnly);
  spawnSync("chmod", ["-R", "a-w", readOnly]);
  // Modes do not bind root: as nobody.
  const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const run = (args: readonly string[]) =>
    spawnSync(execPath, args, { cwd: readOnly, encoding: "utf8", timeout: PATIENCE, env: { PATH: "" }, ...user });
  const { status, stderr } = run(["program.mjs"]);
  expect(status, stderr).toBe(0);
  const command = join(target, "dist/cli/main.js");
  expect(run([command, "doctor"]).stdout).toContain("all is well");
  // And a build says what can be done.
  const built = run([command, "build"]);
  expect(built.status).toBe(1);
  expect(built.stderr).toContain("--out FILE");
  expect(built.stderr).toContain("CARILLON_BINARY");
  expect(filesBelow(readOnly)).toEqual(before);
});

test("what belongs to another copy of the package is told as such, with both places", () => {
  const other = install(join(folder, packed.filename), join(folder, "other"));
  const program = `
    import { pathToFileURL } from "node:url";
    const [here, there] = await Promise.all(process.argv.slice(2).map((path) => import(pathToFileURL(path).href)));
    const model = there.sequential(there.linear(1, 1));
    const options = { data: { x: [[1]], y: [1] }, loss: here.mse(), optimizer: here.sgd({ lr: 0.1 }), epochs: 1 };
    await here.fit(model, options).catch((error) => console.log(error.message));
    await here.fit(here.sequential(there.linear(1, 1)), options).catch((error) => console.log(error.message));`;
  writeFileSync(join(app, "copies.mjs"), program);
  const copies = [installed, other].map((place) => join(place, "dist/index.js"));
  const { stdout, stderr } = runBare(["copies.mjs", ...copies], app);
  expect(stderr).toBe("");
  const [model = "", layer = ""] = stdout.split("\n");
  expect(model).toMatch(/^expected a model for 'fit.model' but received a model of another copy of carillon \(/);
  expect(layer).toMatch(/ a symbolic value of another copy of carillon \(/);
  for (const place of [app, join(folder, "other")]) expect(model).toContain(realpathSync(place));
});

test("the addon of another library in CARILLON_BINARY is refused by name", (context) => {
  const foreign = filesBelow(join(root, "node_modules/@rolldown")).find((file) => file.endsWith(".node"));
  if (foreign === undefined) return context.skip("no such addon here");
  const binary = join(root, "node_modules/@rolldown", foreign);
  writeFileSync(
    join(app, "foreign.mjs"),
    'await import("carillon").catch(({ code, message }) => console.log(code, message));\n',
  );
  const { stdout } = runBare(["foreign.mjs"], app, { CARILLON_BINARY: binary });
  expect(stdout).toContain(
    `ERR_NATIVE CARILLON_BINARY=${binary} is no binary of this version of carillon (it has no function 'info')`,
  );
});

test("without a binary the error names the platform, the places and the remedy", () => {
  const bare = join(folder, "bare");
  const target = install(join(folder, packed.filename), bare);
  rmSync(join(target, "prebuilds"), { recursive: true });
  writeFileSync(
    join(bare, "program.mjs"),
    'try { await import("carillon"); } catch ({ name, code, message }) { console.log(JSON.stringify({ name, code, message })); }\n',
  );
  const { stdout } = runBare(["program.mjs"], bare);
  const { name, code, message } = JSON.parse(stdout) as Readonly<Record<"name" | "code" | "message", string>>;
  expect([name, code]).toEqual(["CarillonError", "ERR_NATIVE"]);
  for (const part of [
    `${process.platform}-${process.arch}`,
    process.version,
    join(target, PREBUILDS),
    "npx carillon build",
  ]) {
    expect(message).toContain(part);
  }
  const doctor = runBare([join(target, "dist/cli/main.js"), "doctor"], bare);
  expect(doctor.status).toBe(1);
  expect(doctor.stdout).toContain("npx carillon build");
});

describe.each(["esm", "cjs"] as const)("bundled by esbuild as %s", (format) => {
  const name = `bundle.${format === "esm" ? "mjs" : "cjs"}`;
  const away = join(folder, `away-${format}`);

  beforeAll(async () => {
    if (!isBuilt) return;
    writeFileSync(
      join(app, "source.mjs"),
      `import { linear, runtime, sequential } from "carillon";
import { modelFromJson, modelToJson } from "carillon/exchange";
modelFromJson(modelToJson(sequential(linear(2, 1))));
console.log(sequential(linear(2, 1)).initialize(1).predictSync([[1, 2]]).shape.join(), runtime.isa);
`,
    );
    await build({
      absWorkingDir: app,
      entryPoints: ["source.mjs"],
      outfile: join(app, "out", name),
      bundle: true,
      format,
      platform: "node",
      logLevel: "silent", // it warns that import.meta is empty in CommonJS
    });
    mkdirSync(away, { recursive: true });
    writeFileSync(join(away, name), readFileSync(join(app, "out", name)));
    chmodSync(away, 0o755);
  });

  test("beside node_modules it finds the binary", () => {
    const { status, stdout, stderr } = runBare([join("out", name)], app);
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/^1,1 \w+\n$/);
  });

  test("alone it says what to do", () => {
    const { status, stderr } = runBare([name], away);
    expect(status).toBe(1);
    for (const part of ["CarillonError", 'external: ["carillon"]', "CARILLON_BINARY"]) expect(stderr).toContain(part);
  });

  test("alone it takes carillon.node beside it", () => {
    const [binary = ""] = filesBelow(join(installed, PREBUILDS));
    copyFileSync(join(installed, PREBUILDS, binary), join(away, "carillon.node"));
    const { status, stderr } = runBare([name], away);
    expect(status, stderr).toBe(0);
    rmSync(join(away, "carillon.node"));
  });

  test("where it was built is of no matter: webpack and Rspack write that into it", () => {
    const built = JSON.stringify("file:///gone/node_modules/carillon/dist/chunks/chunk.js");
    const text = readFileSync(join(app, "out", name), "utf8");
    writeFileSync(join(app, "out", `moved-${name}`), text.replaceAll(/\bimport(?:\.|_)meta\d*\.url\b/g, built));
    const { status, stderr } = runBare([join("out", `moved-${name}`)], app);
    expect(status, stderr).toBe(0);
  });

  test("alone it takes CARILLON_BINARY", () => {
    const [binary = ""] = filesBelow(join(installed, PREBUILDS));
    const { status, stderr } = runBare([name], away, { CARILLON_BINARY: join(installed, PREBUILDS, binary) });
    expect(status, stderr).toBe(0);
  });
});
