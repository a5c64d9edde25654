// The rules of the house (ARCHITECTURE.md), held by a test that reads the source.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { nativeInfo } from "../lib/binding/native.js";
import { activationRules } from "../lib/ops/activations.js";
import { binaryRules, unaryRules } from "../lib/ops/elementwise.js";
import { camelCase } from "../lib/ops/native_table.js";
import { NATIVE } from "./optim/every.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (name: string): string => readFileSync(join(root, name), "utf8");

/** Files below `folder` with one of these endings, relative to the root, with `/`. */
function filesIn(folder: string, endings: RegExp): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}/${name.split(sep).join("/")}`)
    .filter((name) => endings.test(name))
    .sort();
}

const library = filesIn("lib", /\.ts$/);

/**
 * The parts of lib/, lowest first. A part may use itself and what stands above it in this list; so T4 has an order too:
 * the penalties know nothing of data, data nothing of networks, networks nothing of optimizers, training nothing of tables, tables nothing of estimators.
 */
const PARTS = [
  ["T0", "errors"],
  ["T0", "words"],
  ["T0", "counts"],
  ["T0", "options"],
  ["T0", "described"],
  ["T0", "signals"],
  ["T1", "binding"],
  ["T2", "tensor"],
  ["T2", "io"],
  ["T3", "ops"],
  ["T3", "graph"],
  ["T4", "regularizers"],
  ["T4", "data"],
  ["T4", "nn"],
  ["T4", "optim"],
  ["T5", "train"],
  ["T5", "table"],
  ["T5", "tabular"],
  ["T5", "report"],
  ["top", "runtime"],
  ["top", "descriptions"],
  ["top", "kernels"],
  ["top", "index"],
  ["T6", "exchange"],
  ["T7", "job"],
  ["T7", "cli"],
] as const;

/** `nn` of lib/nn/model/model.ts, `errors` of lib/errors.ts. */
function partOf(file: string): string {
  return (file.split("/")[1] ?? "").replace(/\.ts$/, "");
}

function rankOf(file: string): number {
  return PARTS.findIndex(([, part]) => part === partOf(file));
}

interface Import {
  readonly from: string;
  readonly to: string;
  /** `import type` and `export type` are gone at run time. */
  readonly typeOnly: boolean;
  /** `import(…)`, which loads when it is called. */
  readonly lazy: boolean;
}

const imports = library.flatMap((from): Import[] => {
  const statements = read(from).matchAll(/^(?:import|export)\b([^;"]*?)from "(\.[^"]+)";|\bimport\("(\.[^"]+)"\)/gm);
  return [...statements].map(([, clause = "", fixed, lazy]) => ({
    from,
    to: normalize(join(dirname(from), fixed ?? lazy ?? ""))
      .split(sep)
      .join("/")
      .replace(/\.js$/, ".ts"),
    typeOnly: /^\s*type\b/.test(clause),
    lazy: lazy !== undefined,
  }));
});

test("every part of lib/ has a tier", () => {
  expect(library.filter((file) => rankOf(file) < 0)).toEqual([]);
  expect(imports.length).toBeGreaterThan(100);
  expect(imports.filter(({ to }) => !library.includes(to))).toEqual([]);
});

test("imports go down", () => {
  const upwards = imports.filter(({ from, to }) => rankOf(to) > rankOf(from));
  expect(upwards.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
});

test("turns and times come from binding/clock: false ones may stand in the place of JavaScript's", () => {
  const theirs = /\b(?:set(?:Timeout|Interval|Immediate)|queueMicrotask|nextTick|hrtime|performance\.now|Date\.now)\b/;
  const users = library.filter((file) => partOf(file) !== "cli" && theirs.test(read(file)));
  expect(users).toEqual([]);
});

test("what a thing is, is asked without instanceof: it may be of another realm, as in a vm context of Jest", () => {
  const found = library.flatMap((file) =>
    [...read(file).matchAll(/\binstanceof (\w+)/g)].map(([, name = ""]) => ({ file, name })),
  );
  expect(found.length).toBeGreaterThan(10); // of classes of our own
  const builtIn = found.filter(({ name }) => name in globalThis || name === "SharedArrayBuffer");
  expect(builtIn.map(({ file, name }) => `${file}: instanceof ${name}`)).toEqual([]);
});

test("native code opens no file but those that it locks: what a process may read, Node.js's permission model says", () => {
  const opens = /\b(?:f?open(?:at)?|[io]?fstream|CreateFile\w*)\s*[({<]/;
  const opening = filesIn("native", /\.(?:cc|h)$/).filter((file) => opens.test(read(file)));
  expect(opening).toEqual(["native/runtime/file_lock.cc"]);
});

test("there are no cycles at run time", () => {
  expect(cyclesOf(imports.filter(({ typeOnly }) => !typeOnly))).toEqual([]);
});

test("there are no circles of types either", () => {
  expect(cyclesOf(imports)).toEqual([]);
});

/** Files that `entry` reaches at run time by these imports, but for those behind `stop`. */
function reached(entry: readonly string[], by: readonly Import[], stop = ""): ReadonlySet<string> {
  const found = new Set(entry);
  for (const file of found) for (const { from, to } of by) if (from === file && file !== stop) found.add(to);
  return found;
}

test("carillon loads nothing of carillon/exchange, which bundles nothing that loads the binary or remembers what was made", () => {
  const atRunTime = imports.filter(({ typeOnly }) => !typeOnly);
  const isExchange = (file: string): boolean => partOf(file) === "exchange";
  expect([...reached(["lib/index.ts", "lib/kernels/index.ts"], atRunTime)].filter(isExchange)).toEqual([]);
  // But for the wait for who has a file open on Windows, which comes with the first of them.
  const atOnce = atRunTime.filter(({ lazy }) => !lazy);
  const bundled = [...reached(library.filter(isExchange), atOnce, "lib/index.ts")].filter(
    (file) => file !== "lib/index.ts",
  );
  expect(bundled.filter((file) => ["binding", "described", "graph", "train"].includes(partOf(file)))).toEqual([]);
});

/** Folders of lib/nn, each of which takes from those before it alone, of types too. */
const ROOMS = ["parameters", "structure", "layers", "memory", "losses", "metrics", "meaning", "files"].concat([
  "serving",
  "evaluation",
  "kinds",
  "model",
]);

test("rooms of lib/nn take from those before them", () => {
  const roomOf = (file: string): number => ROOMS.indexOf(file.split("/")[2] ?? "");
  const within = library.filter((file) => partOf(file) === "nn");
  expect(within.filter((file) => roomOf(file) < 0)).toEqual([]);
  const upwards = imports.filter(
    ({ from, to }) => partOf(from) === "nn" && partOf(to) === "nn" && roomOf(to) > roomOf(from),
  );
  expect(upwards.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
});

/** Circles of imports, one for each import that closes one. */
function cyclesOf(all: readonly Import[]): readonly string[] {
  const targets = new Map<string, string[]>();
  for (const { from, to } of all) targets.set(from, [...(targets.get(from) ?? []), to]);
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(" → "));
    if (path.includes(file) || done.has(file)) return;
    for (const target of targets.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of library) visit(file, []);
  return cycles;
}

test("the planner knows no effect: what an update, a guard or a metric is stands with its owner", () => {
  const theirs = /\b(?:l1|l2|decay|shrink|maxNorm|clip\w*|average\w*|penalt\w*|metric\w*)\b/i;
  const graph = library.filter((file) => partOf(file) === "graph");
  expect(graph.length).toBeGreaterThan(15);
  const found = graph.flatMap((file) => {
    const lines = read(file).split("\n");
    return lines.filter((line) => theirs.test(line)).map((line) => `${file}: ${line.trim()}`);
  });
  expect(found).toEqual([]);
});

test("draws for different things have different purposes, those of the table in ARCHITECTURE.md", () => {
  const ours = library.flatMap((file) =>
    [...read(file).matchAll(/^(?:export )?const \w*PURPOSE = (\d+);/gm)].map(([, number]) => ({
      file,
      number: Number(number),
    })),
  );
  // Whoever draws says what for, by one of these constants; what takes a purpose from its caller draws for nobody.
  const draws = /\b(?:permutation|drawBelow|philox)\((?!\w+: )[^;]*?\)/;
  const generators = ["lib/tensor/philox.ts", "lib/tensor/draw_below.ts", "lib/data/permutation.ts"];
  const drawing = library.filter((file) => !generators.includes(file) && draws.test(read(file)));
  expect(ours.map(({ file }) => file).sort()).toEqual(drawing.sort());
  const native = nativeFiles.map(code).join("\n");
  const [, list = ""] = /enum class Purpose : uint32_t \{([^}]*)\}/.exec(native) ?? [];
  const theirs = [...list.matchAll(/(\w+) = (\d+)/g)]
    .filter(([, name = ""]) => native.includes(`Purpose::${name}`))
    .map(([, , number]) => Number(number));
  const numbers = [...theirs, ...ours.map(({ number }) => number)].sort((a, b) => a - b);
  const [, table = ""] =
    /\n\| purpose \(last word, low byte\)[^\n]*\n\|[-|]+\n([\s\S]*?)\n\n/.exec(read("ARCHITECTURE.md")) ?? [];
  expect(numbers).toEqual([...table.matchAll(/^\| (\d+) /gm)].map(([, number]) => Number(number)));
  expect(new Set(numbers).size).toBe(numbers.length);
});

interface Exported {
  readonly name: string;
  readonly file: string;
}

/** Names that an index file gives out, with the file that declares them; `export * as x` counts as what x holds. */
function exportsOf(index: string): Exported[] {
  const pathOf = (name: string): string =>
    normalize(join(dirname(index), name))
      .split(sep)
      .join("/")
      .replace(/\.js$/, ".ts");
  const text = read(index);
  const named = [...text.matchAll(/^export (?:type )?\{([^}]*)\} from "([^"]+)";/gm)].flatMap(
    ([, names = "", from = ""]) =>
      names
        .split(",")
        .map((name) => name.replace(/\btype\b/, "").trim())
        .filter((name) => name !== "")
        .map((name) => ({ name, file: pathOf(from) })),
  );
  const spaces = [...text.matchAll(/^export \* as (\w+) from "([^"]+)";/gm)];
  return [...named, ...spaces.flatMap(([, , from = ""]) => exportsOf(pathOf(from)))];
}

test.each([
  ["lib/index.ts", 80],
  ["lib/kernels/index.ts", 40],
  ["lib/exchange/index.ts", 1],
])("every public name of %s has a docstring", (index, least) => {
  const exported = exportsOf(index);
  expect(exported.length).toBeGreaterThan(least);
  const bare = exported.filter(({ name, file }) => {
    const declaration = new RegExp(`\\*/\\nexport (?:async )?(?:function|const|class|interface|type) ${name}\\b`);
    return !declaration.test(read(file));
  });
  expect(bare.map(({ name, file }) => `${name} in ${file}`)).toEqual([]);
});

test.each(["lib/index.ts", "lib/kernels/index.ts", "lib/exchange/index.ts"])(
  "a public name of %s stands for one thing",
  (index) => {
    const text = read(index);
    const names = [...text.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, list = ""]) =>
      list
        .split(",")
        .map((name) => name.replace(/\btype\b/, "").trim())
        .filter((name) => name !== ""),
    );
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
    expect(names.filter((name) => name.includes(" as "))).toEqual([]);
  },
);

// ---- The native lists

/** X(name) of a *.def file. */
function listed(def: string): string[] {
  return [...read(def).matchAll(/^X\((\w+)/gm)].map(([, name = ""]) => name);
}

/** Operations that no TypeScript name uses, with the reason. */
const NATIVE_ONLY: Readonly<Record<string, string>> = {
  permutation: "the feed of a program runs it at the start of an epoch",
};

/** Names of native operations in the TypeScript source: those of instructions, of what the planner emits and of kernels. */
function usedOperations(): Set<string> {
  const used = new Set<string>();
  for (const file of library) {
    const text = read(file);
    const calls =
      /\b(?:operation: |instruction\(|emitPlaced\(|emit\((?=\s*")|Template\(|new Call\([^,]+,)\s*([^,)}]+)[,)}]/g;
    for (const [, expression = ""] of text.matchAll(calls)) {
      // What a condition compares with is no operation.
      for (const [, name = ""] of expression.matchAll(/(?<!=== )"(\w+)"/g)) used.add(name);
    }
  }
  return used;
}

test("native lists and the loaded binary agree", () => {
  expect(listed("native/ops/operations.def")).toEqual(nativeInfo.operations);
  expect(listed("native/kernels/unary.def")).toEqual(nativeInfo.unary);
  expect(listed("native/kernels/binary.def")).toEqual(nativeInfo.binary);
  expect(listed("native/kernels/activations.def")).toEqual(nativeInfo.activations);
  expect(listed("native/kernels/optimizers.def")).toEqual(nativeInfo.optimizers);
  expect(listed("native/ops/spreads.def")).toEqual(nativeInfo.spreads);
  expect(listed("native/ops/dtypes.def")).toEqual(nativeInfo.dtypes);
  expect(listed("native/ops/layouts.def")).toEqual(nativeInfo.layouts);
  expect(listed("native/kernels/gates.def")).toEqual(nativeInfo.gates);
  expect(listed("native/kernels/forms.def")).toEqual(nativeInfo.forms);
});

test("every native operation is used under its one name", () => {
  const used = usedOperations();
  expect([...used].filter((name) => !nativeInfo.operations.includes(name))).toEqual([]);
  const unused = nativeInfo.operations.filter((name) => !used.has(name));
  expect(unused.sort()).toEqual(Object.keys(NATIVE_ONLY).sort());
});

test("every elementwise kernel has a rule, and every rule a kernel", () => {
  const ruled = [unaryRules, binaryRules, activationRules].flatMap((rules) => Object.keys(rules));
  expect(ruled.sort()).toEqual([...nativeInfo.unary, ...nativeInfo.binary].map(camelCase).sort());
});

test("every activation of a product is fused, and nothing else", () => {
  const [, list = ""] = /EPILOGUES = \[([^\]]*)\]/.exec(read("lib/graph/passes/chains.ts")) ?? [];
  const fused = [...list.matchAll(/"(\w+)"/g)].map(([, name]) => name);
  expect(["identity", ...fused].sort()).toEqual([...nativeInfo.activations].sort());
});

test("every optimizer rule is somebody's, and has the states that the kernel wants", () => {
  const used = new Map<string, number>();
  const lr = 0.1;
  const variants = [{}, { momentum: 0.9 }, { centered: true }, { centered: true, momentum: 0.9 }];
  for (const [name, make] of Object.entries(NATIVE)) {
    for (const variant of name === "rmsprop" ? variants : variants.slice(0, name === "sgd" ? 2 : 1)) {
      const { rule, states } = make({ lr, ...variant });
      if (rule !== null) used.set(rule, states.length);
    }
  }
  const native = [...read("native/kernels/optimizers.def").matchAll(/^X\((\w+), (\d+)\)/gm)];
  expect(new Map([...used].sort())).toEqual(
    new Map(native.map(([, rule = "", states]): [string, number] => [rule, Number(states)]).sort()),
  );
});

// ---- The native source

const nativeFiles = filesIn("native", /\.(cc|h)$/);

/** Without comments and the contents of strings. */
function code(file: string): string {
  return read(file)
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/\/\/.*$/gm, "")
    .replace(/"(?:[^"\\\n]|\\.)*"/g, '""');
}

test("every C++ file is in native/sources.txt, and every line of that is a file", () => {
  const lines = read("native/sources.txt")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  const units = nativeFiles.filter((file) => file.endsWith(".cc")).map((file) => file.slice("native/".length));
  expect([...lines].sort()).toEqual(units.sort());
});

test("intrinsics stand in native/simd only", () => {
  // isa/ opens the target regions and includes the header for simd/, whose files include nothing.
  const header = /#include <(immintrin|arm_neon)\.h>/;
  const intrinsic = /\b_mm(256|512)?_\w+|\bv(ld|st)\d\w*_[fsu]\d+|\bv\w+q_[fsu]\d+/g;
  /** What runtime/ may use: a pause in a spin loop, and the control word of the floating-point unit. */
  const allowed: Readonly<Record<string, readonly string[]>> = {
    "native/runtime/relax.h": ["_mm_pause"],
    "native/runtime/fp_environment.h": ["_mm_getcsr", "_mm_setcsr"],
  };
  const found = nativeFiles
    .filter((file) => !file.startsWith("native/simd/"))
    .flatMap((file) => {
      const text = code(file);
      const names = [...text.matchAll(intrinsic)]
        .map(([name]) => name)
        .filter((name) => !allowed[file]?.includes(name));
      const includes = header.test(text) && allowed[file] === undefined && !file.startsWith("native/isa/");
      return [...names, ...(includes ? ["a header of intrinsics"] : [])].map((what) => `${file}: ${what}`);
    });
  expect(found).toEqual([]);
});

test("kernels allocate nothing, throw nothing, and use no containers", () => {
  const forbidden =
    /\bnew\b|\bdelete\b|\b[cm]alloc\b|\brealloc\b|\bfree\s*\(|\bthrow\b|\btry\b|\bcatch\b|\bstd::|#include\s*<(vector|string|map|memory|functional|thread|mutex|atomic)>/;
  const files = nativeFiles.filter((file) => /^native\/(kernels|simd)\//.test(file));
  expect(files.length).toBeGreaterThan(10);
  const found = files.flatMap((file) =>
    code(file)
      .split("\n")
      .filter((line) => forbidden.test(line))
      .map((line) => `${file}: ${line.trim()}`),
  );
  expect(found).toEqual([]);
});

test("an ISA's object exports its table and nothing else", (context) => {
  const objects = filesIn("build", /\/(carillon_core|carillon)\.dir\/native\/isa\/\w+\.cc\.o$/).filter(
    (file) => !/sanitize|lint|arm64|darwin|win32/.test(file),
  );
  if (spawnSync("nm", ["--version"]).status !== 0) context.skip("there is no nm on this machine (Debian: binutils)");
  if (objects.length === 0) context.skip("nothing is built: npm run build:native");
  for (const object of objects) {
    const isa = /(\w+)\.cc\.o$/.exec(object)?.[1] ?? "";
    const { status, stdout } = spawnSync("nm", ["--extern-only", "--defined-only", "-P", join(root, object)], {
      encoding: "utf8",
    });
    expect(status, object).toBe(0);
    const symbols = stdout
      .split("\n")
      .map((line) => line.split(" ")[0] ?? "")
      .filter((symbol) => symbol !== "");
    const table = `k${isa[0]?.toUpperCase()}${isa.slice(1)}Table`;
    const here = isa === "scalar" || (process.arch === "arm64") === (isa === "neon");
    expect(symbols, object).toEqual(here ? [expect.stringContaining(`8carillon${table.length}${table}`)] : []);
  }
});

// ---- All files

const folders = ["lib", "native", "test", "bench", "examples", "scripts", "docs", "cmake", ".ci", ".github"];
const written = [
  ...folders.flatMap((folder) => filesIn(folder, /\.(ts|mjs|cc|h|def|txt|md|json|py|cmake|map|grit|yml)$|\.ci\/run$/)),
  ...readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== ".git" && !/\.tgz$/.test(entry.name)) // .git: a file in a worktree
    .map(({ name }) => name),
];

test("no file names a machine or a registry", () => {
  // In parts, so that this file passes itself.
  const homes = ["home", "Users", "root", "work", "opt", "mnt"].map((name) => `/${name}/`).join("|");
  const hosts = [
    ["registry", "npmjs"],
    ["registry", "yarnpkg"],
    ["npm", "mirror"],
    ["arti", "factory"],
    ["pypi", "org"],
  ];
  const registries = hosts.map(([first = "", second = ""]) => `${first}\\.?${second}`).join("|");
  const forbidden = new RegExp(`(?<![w.])(?:${homes})|${registries}`);
  const found = written.flatMap((file) =>
    read(file)
      .split("\n")
      .flatMap((line, index) => (forbidden.test(line) ? [`${file}:${index + 1}: ${line.trim().slice(0, 100)}`] : [])),
  );
  expect(found).toEqual([]);
});

test("every run-time dependency is named and justified in ARCHITECTURE.md", () => {
  const { dependencies = {}, optionalDependencies = {} } = JSON.parse(read("package.json")) as {
    readonly dependencies?: Readonly<Record<string, string>>;
    readonly optionalDependencies?: Readonly<Record<string, string>>;
  };
  const [, section = ""] = /^## The package\n([\s\S]*?)^## /m.exec(read("ARCHITECTURE.md")) ?? [];
  const names = Object.keys({ ...dependencies, ...optionalDependencies });
  expect(names.length).toBeGreaterThan(0);
  expect(names.filter((name) => !section.includes(`\`${name}\``))).toEqual([]);
  // And lib/ imports no other package.
  const imported = library.flatMap((file) =>
    [...read(file).matchAll(/(?:from |import\(|equire\()"([^."][^"]*)"/g)].map(([, name = ""]) => name),
  );
  const packages = imported.filter((name) => !name.startsWith("node:")).map((name) => name.split("/")[0] ?? name);
  expect([...new Set(packages)].filter((name) => !names.includes(name))).toEqual([]);
});

test("an import of carillon loads no module of Node.js but node:path", () => {
  // Each costs an import up to 3 ms and 3 MB; process.getBuiltinModule loads them when they are needed.
  const found = library
    .filter((file) => !["job", "cli"].includes(partOf(file))) // which are the command's
    .flatMap((file) => [...read(file).matchAll(/ from "(node:[^"]+)"/g)].map(([, name]) => `${file}: ${name}`))
    .filter((line) => !line.endsWith(": node:path"));
  expect(found).toEqual([]);
});

test("the lock file records versions and hashes, never addresses", () => {
  expect(read("package-lock.json")).not.toContain('"resolved"');
});

test("files of more than 400 lines are told", () => {
  const long = written
    .filter((file) => /\.(ts|mjs|cc|h)$/.test(file))
    .map((file) => ({ file, lines: read(file).split("\n").length - 1 }))
    .filter(({ lines }) => lines > 400);
  for (const { file, lines } of long) console.warn(`warning: ${file} has ${lines} lines`);
});
