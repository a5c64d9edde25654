// What an import of carillon does not load: parts of dist/, which come with the first call of one of their functions.
//
//     dist/index.js        the core; functions of a part load it when they are first called
//     dist/whole.js        the same with all parts loaded, by imports that bundlers and tracers see
//     dist/chunks/         what the core shares with `carillon/kernels`
//     dist/parts/NAME.cjs  a script that leaves a function, which is given what the part uses and gives what it exports
//
// A part imports and exports nothing, so that it is the same as a module and as CommonJS: whatever loads it, in whatever form, there is
// one copy of every class, and bundlers need no plugin for it.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { root } from "./tools.mjs";

/**
 * Modules of lib/ that the callers take functions of and nothing else, by part. What only they need is their part's too; a part may use
 * those before it, and loads those that it does use.
 *
 * @type {Readonly<Record<string, readonly string[]>>}
 */
export const PARTS = {
  models: [...["nn/layers/residual", "nn/model/joint", "nn/model/network", "nn/model/sequential"]],
  programs: ["graph/copy", "graph/grad", "graph/program"],
  data: [
    "data/bind_lists",
    "data/held",
    "data/labels",
    "data/member",
    "data/stream",
    "nn/structure/by_name",
    "nn/serving/predict_options",
  ],
  files: [...["nn/files/saved", "nn/files/written", "nn/model/load"]],
  measuring: ["nn/evaluation/evaluate", "nn/evaluation/statistics"],
  serving: ["nn/serving/inference", "nn/serving/predictor", "nn/serving/predictor_options"],
  generation: ["nn/model/draw_from_data", "nn/serving/generator", "nn/serving/sample"],
  operations: [
    ...["ops/attention", "ops/augment", "ops/candidates", "ops/column_norm", "ops/convolution", "ops/extremes"],
    ...["ops/pool", "ops/recurrence", "ops/row_norm", "ops/take"],
  ],
  layers: [
    ...["attention", "batch_ensemble", "batch_norm", "category_embedding", "clamp_output", "concat", "convolution"],
    ...["embedding", "group_norm", "images", "layer_norm", "monotone_quantiles", "ntk_linear", "numeric_embedding"],
    ...["parametric_activation", "pool", "positions", "recurrent", "rms_norm", "scale", "smooth_clip"],
    ...["transformer_block", "transposed_convolution"],
  ]
    .map((name) => `nn/layers/${name}`)
    .concat(["candidates", "focal", "quantiles", "ranking"].map((name) => `nn/losses/${name}`)),
  training: ["train/fit"],
  tools: [
    ...["data/k_fold", "data/padded", "data/split", "data/windows", "descriptions", "optim/minimizer"],
    ...["nn/metrics/classification", "nn/metrics/curves", "nn/metrics/define_metric", "nn/metrics/probabilities"],
    ...["nn/metrics/ranking", "train/callbacks/early_stopping", "train/callbacks/reduce_on_plateau"],
    ...["train/checkpoint/loop", "train/find_learning_rate", "train/log/metrics_log", "train/log/tensor_board"],
  ],
  tables: ["table/api"],
  estimators: ["tabular/api"],
  reports: [
    ...["report/bootstrap", "report/calibration", "report/columns", "report/confusion", "report/curves"],
    ...["report/report", "report/slices"],
  ],
};

/** What only parts and `carillon/kernels` use, or parts that need not load each other: it lies with the core, which a part gets all that it uses from. */
const WITH_CORE = [
  ...[
    "binding/clock",
    "binding/memory",
    "counts",
    "graph/shared",
    "io/refusal",
    "nn/memory/lanes",
    "nn/structure/drawn_mask",
    "nn/structure/generation",
    "ops/template",
  ],
  ...[
    "nn/structure/naming",
    "ops/turn",
    "signals",
    "tensor/copied",
    "tensor/fnv1a",
    "tensor/philox",
    "tensor/row_spec",
  ],
];

const names = Object.keys(PARTS);
/** Modules that get, in the place of a part's functions, those that load it. */
const CALLERS = new Set(
  [
    "index",
    "nn/kinds/layers",
    "nn/kinds/losses",
    "ops/index",
    "nn/evaluation/carried",
    "nn/memory/memory",
    "nn/model/body",
    "nn/model/model",
    "optim/row_gradient",
  ].map((module) => join(root, "lib", `${module}.ts`)),
);

/** Part by file. */
const partOf = new Map(
  names.flatMap((part) => (PARTS[part] ?? []).map((module) => [join(root, "lib", `${module}.ts`), part])),
);

const withCore = new Set(WITH_CORE.map((module) => join(root, "lib", `${module}.ts`)));

/** Stands in the core for the exports of the chunks below the parts. */
const CHUNKS = "CARILLON_CHUNKS";

/**
 * Asynchronous functions of a path, by the parts that they load, each in a turn of the event loop of its own.
 *
 * @type {Readonly<Record<string, readonly string[]>>}
 */
const IN_TURNS = { loadModel: ["models", "files"] };

/** The global object that parts leave their functions in, by name; it is there while they are loaded. */
const LEFT = 'globalThis[Symbol.for("carillon.parts")]';

/** Loads parts, and keeps them. */
const LOADER = `import { turn } from "./lib/binding/clock.ts";
const chunks = () => ${CHUNKS};
const load = (part) => {
  const require = process.getBuiltinModule("node:module").createRequire(import.meta.url);
  const file = require.resolve("./parts/" + part + ".cjs");
  delete require.cache?.[file]; // another realm, or another copy of this module, may have had it
  require(file);
  const made = ${LEFT}[part];
  delete ${LEFT};
  chunks()[0].below[part] = made; // for the entry with all parts, which does not run a file again
  return made;
};
export const inTurns = async (...names) => {
  for (const part of names) {
    if (chunks()[2][part] !== undefined) continue;
    void parts[part];
    await turn();
  }
};
${names.map((name) => `let ${name};`).join("\n")}
export const parts = {
${names.map((name) => `get ${name}() { return ${name} ??= chunks()[2].${name} ??= load("${name}")(chunks(), this); },`).join("\n")}
};`;

/**
 * Names of the functions that a module exports.
 *
 * @param {string} file
 */
function functionsOf(file) {
  const exported = readFileSync(file, "utf8").matchAll(/^export (?:async )?function (\w+)/gm);
  return new Set(Array.from(exported, ([, name = ""]) => name));
}

// Two functions of one name would hide each other.
for (const part of names) {
  const files = Array.from(partOf).flatMap(([file, of]) => (of === part ? [file] : []));
  const all = files.flatMap((file) => Array.from(functionsOf(file)));
  const twice = all.filter((name, at) => all.indexOf(name) < at);
  if (twice.length > 0) throw new Error(`part ${part}: two functions are called ${twice.join(", ")}`);
}

/** Whether the entry point takes a function of that name of this part, where others have one of the name too. */
const isPublic = (/** @type {string} */ part, /** @type {string} */ name) => {
  return (PARTS[part] ?? []).some((module) => {
    return publicModules.has(module) && functionsOf(join(root, "lib", `${module}.ts`)).has(name);
  });
};
const publicModules = new Set(
  Array.from(readFileSync(join(root, "lib/index.ts"), "utf8").matchAll(/from "\.\/([^"]+)\.js"/g), ([, path]) => path),
);

/**
 * A module with the functions of another one, which load its part.
 *
 * @param {string} file
 */
function callsOf(file) {
  const part = partOf.get(file) ?? "";
  const calls = Array.from(functionsOf(file), (name) => {
    // The bundler would give a second function of a name another one, which stack traces have.
    const own = names.some((other) => other !== part && isPublic(other, name)) ? `${part}_${name}` : name;
    const before = IN_TURNS[name];
    const call = `return parts.${part}.${name}(...given);`;
    const shown = own === name ? "" : ` export { ${own} as ${name} };`;
    if (before === undefined) return `${shown === "" ? "export " : ""}function ${own}(...given) { ${call} }${shown}`;
    const turns = before.map((one) => `"${one}"`);
    return `export async function ${name}(...given) { if (typeof given[0] === "string") await inTurns(${turns}); ${call} }`;
  });
  return ['import { inTurns, parts } from "loader:";', ...calls].join("\n");
}

/**
 * The entry of the core or of a part for the bundler. A part reaches what those before it do, so that what they share lies in one chunk.
 *
 * @param {string} name
 */
function entryOf(name) {
  const modules = name === "core" ? ["index"] : (PARTS[name] ?? []);
  const before = name === "core" ? [] : ["core", ...names.slice(0, names.indexOf(name))];
  const below =
    name === "core" ? WITH_CORE.map((module) => `./lib/${module}.ts`) : before.map((part) => `part:${part}`);
  return [
    ...modules.map((module) => `export * from "./lib/${module}.ts";`),
    ...below.map((file) => `import "${file}";`),
  ].join("\n");
}

/** Entry points of the core and of the parts, for the bundler. */
export const partEntries = [
  { in: "part:core", out: "index" },
  ...names.map((name) => ({ in: `part:${name}`, out: `parts/${name}` })),
];

/**
 * Functions that load a part stand in the place of the part's own where a caller takes them.
 *
 * @type {import("esbuild").Plugin}
 */
export const partsAtFirstUse = {
  name: "parts at first use",
  setup(bundler) {
    const all = { filter: /.*/ };
    bundler.onResolve({ filter: /^part:/ }, ({ path }) => {
      return { path: path.slice("part:".length), namespace: "part", sideEffects: true };
    });
    bundler.onLoad({ ...all, namespace: "part" }, ({ path }) => ({ contents: entryOf(path), resolveDir: root }));
    bundler.onResolve({ filter: /^\.\/lib\//, namespace: "part" }, ({ path }) => {
      return { path: join(root, path), sideEffects: true };
    });
    bundler.onResolve({ filter: /^\.\.?\// }, ({ path, importer }) => {
      const file = resolve(dirname(importer), path.replace(/\.js$/, ".ts"));
      if (CALLERS.has(importer) && partOf.has(file)) return { path: file, namespace: "calls" };
      return withCore.has(file) ? { path: file, sideEffects: true } : undefined; // the same however it is reached
    });
    bundler.onLoad({ ...all, namespace: "calls" }, ({ path }) => ({ contents: callsOf(path), resolveDir: root }));
    bundler.onResolve({ filter: /^loader:/ }, ({ path }) => ({ path, namespace: "loader" }));
    bundler.onLoad({ ...all, namespace: "loader" }, () => ({ contents: LOADER, resolveDir: root }));
  },
};

/**
 * @typedef {{ readonly from: string, readonly to: string }} Name as it is there, and as it is here
 * @typedef {{ readonly names: readonly Name[], readonly file: string }} Import
 * @typedef {{ readonly imports: readonly Import[], readonly code: string, readonly exports: readonly Name[] }} Module
 */

const IMPORT = /^\s*import\s*(?:\{([^}]*)\}\s*from\s*)?"([^"]+)";/;
const EXPORT = /export\s*\{([^}]*)\};\s*$/;
/** Of a module of Node.js, wherever it stands. */
const BUILT_IN = /(?<=[;}])import\s*\{([^}]*)\}\s*from\s*"(node:[^"]+)";/g;

/**
 * `a, b as c`
 *
 * @param {string} list
 * @returns {readonly Name[]}
 */
function namesOf(list) {
  const pairs = list.split(",").map((one) => one.trim().split(/\s+as\s+/));
  return pairs.flatMap(([from = "", to = from]) => (from === "" ? [] : [{ from, to }]));
}

/** As a pattern that takes them out of an object. @param {readonly Name[]} list */
const taken = (list) => `{${list.map(({ from, to }) => (from === to ? from : `${from}:${to}`)).join(",")}}`;

/** As an object that has them. @param {readonly Name[]} list */
const members = (list) => taken(list.map(({ from, to }) => ({ from: to, to: from })));

/** As a list of imports or exports. @param {readonly Name[]} list */
const named = (list) => `{${list.map(({ from, to }) => (from === to ? from : `${from} as ${to}`)).join(",")}}`;

/**
 * A module as the bundler has written it.
 *
 * @param {string} file
 * @returns {Module}
 */
function parse(file) {
  let code = readFileSync(file, "utf8");
  /** @type {Import[]} */
  const imports = [];
  for (let found = IMPORT.exec(code); found !== null; found = IMPORT.exec(code)) {
    const [statement, list = "", from = ""] = found;
    imports.push({ names: namesOf(list), file: from.startsWith(".") ? resolve(dirname(file), from) : from });
    code = code.slice(statement.length);
  }
  code = code.replaceAll(BUILT_IN, (_, list, file) => {
    imports.push({ names: namesOf(list), file });
    return "";
  });
  const [statement = "", list = ""] = EXPORT.exec(code) ?? [];
  return { imports, code: code.slice(0, code.length - statement.length), exports: namesOf(list) };
}

/**
 * The module of a part and what it exports to the public. Where parts behind it use it, its code is in a chunk, which the entry passes on.
 *
 * @param {string} entry
 * @param {readonly string[]} below files that it may use
 * @returns {{ readonly file: string, readonly module: Module, readonly open: readonly Name[] }}
 */
function moduleOf(entry, below) {
  const passing = parse(entry);
  const [chunk, ...more] = passing.imports.filter(({ file }) => isAbsolute(file) && !below.includes(file));
  if (chunk === undefined) return { file: entry, module: passing, open: passing.exports };
  if (more.length > 0 || passing.code.trim() !== "")
    throw new Error(`${entry}: shares code with a part behind it alone`);
  const module = parse(chunk.file);
  const [inside, inChunk] = [origins(module.exports), origins(chunk.names)];
  const open = passing.exports.map(({ from, to }) => {
    return { from: inside.get(inChunk.get(from) ?? "") ?? `passed_${from}`, to };
  });
  // What the entry exports of those before it is theirs, by names of its own.
  const imports = below.map((file) => {
    const passed = importsOf(passing, file).map(({ from, to }) => ({ from, to: `passed_${to}` }));
    return { file, names: [...importsOf(module, file), ...passed] };
  });
  const others = module.imports.filter(({ file }) => !below.includes(file));
  return { file: chunk.file, module: { ...module, imports: [...imports, ...others] }, open };
}

/** Of a module the names that it imports of a file. @param {Module} module @param {string} file */
const importsOf = (module, file) => module.imports.find((one) => one.file === file)?.names ?? [];

/** @param {readonly Name[]} list @returns {ReadonlyMap<string, string>} */
const origins = (list) => new Map(list.map(({ from, to }) => [to, from]));

/**
 * Makes an entry without files before it, and parts, of the bundler's modules in `dist`, and the entry with all parts.
 *
 * @param {string} dist
 */
export function linkParts(dist) {
  const index = join(dist, "index.js");
  const entry = parse(index);
  const files = entry.imports.map(({ file }) => file);
  const core = files.find((file) => readFileSync(file, "utf8").includes(CHUNKS));
  const [shared, ...more] = files.filter((file) => file !== core);
  if (core === undefined || shared === undefined || more.length > 0) throw new Error(`${index}: expected two chunks`);
  const path = `./${relative(dist, shared)}`;

  // The core becomes the entry itself. It tells what the parts are given, and which are made, through the chunk that it shares: nobody else
  // sees that.
  const module = parse(core);
  const [fromCore, fromShared, inCore] = [
    origins(importsOf(entry, core)),
    origins(importsOf(entry, shared)),
    origins(module.exports),
  ];
  const own = entry.exports.flatMap(({ from, to }) => {
    const name = inCore.get(fromCore.get(from) ?? "");
    return name === undefined ? [] : [{ from: name, to }];
  });
  const passed = entry.exports.flatMap(({ from, to }) => {
    const name = fromShared.get(from);
    return name === undefined ? [] : [{ from: name, to }];
  });
  writeFileSync(shared, `${readFileSync(shared, "utf8").trimEnd()}export const below={};\n`);
  const given = members(module.exports);
  writeFileSync(
    index,
    [
      `import*as SHARED from"${path}";import${named(importsOf(module, shared))}from"${path}";`,
      ...module.imports
        .filter(({ file }) => file.startsWith("node:"))
        .map((one) => `import${named(one.names)}from"${one.file}";`),
      `${module.code.replace(CHUNKS, "CHUNKS_OF_COPY()")}const MADE={},CHUNKS_OF_COPY=()=>[SHARED,${given},MADE];SHARED.below.chunks=CHUNKS_OF_COPY;`,
      `export${named(own)};export${named(passed)}from"${path}";\n`,
    ].join(""),
  );
  rmSync(core);

  const open = new Set(entry.exports.map(({ to }) => to));
  const below = [shared, core];
  const whole = [`import{below}from"${path}";`, 'export*from"./index.js";'];
  const calls = [`Object.assign(below,${LEFT});delete ${LEFT};const chunks=below.chunks();`];
  for (const name of names) {
    const target = join(dist, "parts", `${name}.js`);
    const part = moduleOf(target, below);
    const before = names.slice(0, names.indexOf(name));
    // Named as no function of a part is: one of the same name would stand in the place of what is given.
    const sources = ["CHUNKS_GIVEN[0]", "CHUNKS_GIVEN[1]", ...before.map((one) => `PARTS_GIVEN.${one}`)];
    // A part that is asked for nothing is not loaded.
    const used = below.flatMap((file, at) => {
      const list = importsOf(part.module, file);
      return list.length === 0 ? [] : [`const${taken(list)}=${sources[at]};`];
    });
    const builtIn = part.module.imports.filter(({ file }) => file.startsWith("node:"));
    const unknown = part.module.imports.filter((one) => !below.includes(one.file) && !builtIn.includes(one));
    if (unknown.length > 0) throw new Error(`${target}: imports ${unknown.map(({ file }) => file).join(", ")}`);
    const closed = part.module.exports.filter(({ to }) => !part.open.some((other) => other.to === to));
    // In parentheses V8 compiles it at once, where it would look through it first, and again as it is called.
    const text = [
      `"use strict";(${LEFT}??={}).${name}=(function(CHUNKS_GIVEN,PARTS_GIVEN){`,
      ...used,
      ...builtIn.map((one) => `const${taken(one.names)}=process.getBuiltinModule("${one.file}");`),
      `${part.module.code}return${members([...closed, ...part.open])}});\n`,
    ];
    for (const file of new Set([target, part.file])) rmSync(file);
    writeFileSync(target.replace(/\.js$/, ".cjs"), text.join(""));
    below.push(part.file);
    whole.push(`import"./parts/${name}.cjs";`);
    const outside = part.open
      .filter(({ to }) => open.has(to) && isPublic(name, to))
      .map(({ to }) => ({ from: to, to }));
    calls.push(
      `const ${name}=chunks[2].${name}??=below.${name}(chunks,chunks[2]);export const${taken(outside)}=${name};`,
    );
  }
  writeFileSync(join(dist, "whole.js"), `${[...whole, ...calls].join("")}\n`);
}
