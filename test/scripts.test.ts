// Every script, suite and example has a short form that `npm run smoke` brings to its end, or says why it has none; and
// what the documentation tells people to run is there.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { describe, expect, test } from "vitest";
import { COMMANDS } from "../bench/command.js";
import { SUITES } from "../bench/suites.js";
import { withoutComments } from "../scripts/package-source.mjs";
import { BENCH, SCRIPTS } from "../scripts/smoke.mjs";
import { isOfLiving, root, run } from "../scripts/tools.mjs";

const read = (name: string): string => readFileSync(join(root, name), "utf8");
const { scripts } = JSON.parse(read("package.json")) as { scripts: Readonly<Record<string, string>> };

function filesBelow(folder: string, ending: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}/${name.split(sep).join("/")}`)
    .filter((name) => name.endsWith(ending));
}

describe("npm run smoke", () => {
  test("has every script of package.json, and no other", () => {
    expect(Object.keys(SCRIPTS).sort()).toEqual(Object.keys(scripts).sort());
  });

  test.each(Object.entries(SCRIPTS))("%s has a short form, or a reason", (_, entry) => {
    if ("forms" in entry) expect(entry.forms.length).toBeGreaterThan(0);
    else expect(entry.reason).toMatch(/\S \S/);
  });

  test("has every suite of the benchmarks", () => {
    expect(BENCH).toEqual(Object.keys(SUITES));
  });

  test("is a part of npm test", () => {
    expect(scripts.test).toMatch(/npm run --silent smoke$/);
  });
});

test("programs that scripts start are there, and every program of examples/ and test/ is started by one", () => {
  const lines = Object.values(scripts);
  const own = lines.flatMap((line) => /node (scripts\/\S+\.mjs)/.exec(line)?.[1] ?? []);
  const texts = own.map((script) => readFileSync(join(root, script), "utf8"));
  const started = [
    ...lines.flatMap((line) => /scripts\/run\.mjs (\S+)/.exec(line)?.[1] ?? []),
    ...texts.flatMap((text) =>
      [...text.matchAll(/"scripts\/run\.mjs"\), "([^"]+)"/g)].map(([, program = ""]) => program),
    ),
  ];
  expect(started.filter((program) => !existsSync(join(root, program)))).toEqual([]);
  const programs = [...filesBelow("examples", "main.ts"), ...filesBelow("test", "/main.ts")];
  expect(programs.filter((program) => !started.includes(program))).toEqual([]);
});

test("two programs of one name that are started at once run beside each other, and leave nothing", async () => {
  const folder = await mkdtemp(join(tmpdir(), "carillon-run-"));
  const bundles = join(root, "build/examples");
  try {
    const over = `main-${spawnSync(process.execPath, ["-e", ""]).pid}.mjs`;
    mkdirSync(bundles, { recursive: true });
    writeFileSync(join(bundles, over), ""); // of a run that was killed
    // Each starts its own file again, as many of ours do, after the others were bundled.
    const text = `
      import { spawnSync } from "node:child_process";
      import { fileURLToPath } from "node:url";
      const name = "NAME";
      if (process.argv[2] === "again") console.log(name);
      else {
        await new Promise((resolve) => setTimeout(resolve, 500));
        spawnSync(process.execPath, [fileURLToPath(import.meta.url), "again"], { stdio: "inherit" });
      }`;
    const started = ["a", "b", "b"].map((name) => {
      mkdirSync(join(folder, name), { recursive: true });
      writeFileSync(join(folder, name, "main.ts"), text.replace("NAME", name));
      return run(process.execPath, ["scripts/run.mjs", join(folder, name, "main.ts")]);
    });
    const told = await Promise.all(started);
    expect(told).toMatchObject(["a", "b", "b"].map((name) => ({ status: 0, output: `${name}\n` })));
    const left = readdirSync(bundles);
    expect(left.filter((name) => !isOfLiving(name))).toEqual([]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

describe("what people are told to run is there", () => {
  const pages = [
    ...["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "bench/README.md"],
    ...filesBelow("docs", ".md"),
    ...filesBelow("examples", ".md"),
    ...["examples", "bench", "scripts", "test"].flatMap((folder) => filesBelow(folder, "s")),
  ].filter((name) => /\.(md|ts|mjs)$/.test(name));

  test("scripts of npm", () => {
    const missing = pages.flatMap((page) =>
      [...read(page).matchAll(/npm run (?:--silent )?([a-z][\w:-]*)/g)]
        .map(([, name = ""]) => name)
        .filter((name) => scripts[name] === undefined)
        .map((name) => `${page}: ${name}`),
    );
    expect(missing).toEqual([]);
  });

  test("suites and commands of the benchmarks", () => {
    const missing = pages.flatMap((page) =>
      [...read(page).matchAll(/npm run bench -- ([a-z]+)/g)]
        .map(([, name = ""]) => name)
        .filter((name) => SUITES[name] === undefined && !COMMANDS.includes(name))
        .map((name) => `${page}: ${name}`),
    );
    expect(missing).toEqual([]);
  });
});

describe("source without comments", () => {
  test.each([
    ["int a;  // one\n\n// two\nint b;\n", "int a;\nint b;\n"],
    ["/* x\n * y */\nint a /* in */ = 1;\n", "int a  = 1;\n"],
    ['auto url = "http://x/*y*/";  // z\n', 'auto url = "http://x/*y*/";\n'],
    ["auto quote = '\"';  // \"\nauto n = 16'384;  // '\n", "auto quote = '\"';\nauto n = 16'384;\n"],
    ['#include "a//b.h"\n', '#include "a//b.h"\n'],
    ['auto s = "\\\\";  // "\n', 'auto s = "\\\\";\n'],
  ])("%j", (given, left) => {
    expect(withoutComments(given)).toBe(left);
  });

  test("lets no token go: every file of native/ has the same code", () => {
    const files = filesBelow("native", "").filter((name) => /\.(cc|h|def)$/.test(name));
    expect(files.length).toBeGreaterThan(50);
    for (const file of files) {
      // Line by line: what stands before a comment, of lines that have no quotes.
      const code = read(file)
        .split("\n")
        .filter((line) => !/["'*]/.test(line))
        .map((line) => line.replace(/\/\/.*/, "").trim())
        .filter((line) => line !== "");
      const left = new Set(
        withoutComments(read(file))
          .split("\n")
          .map((line) => line.trim()),
      );
      expect(
        code.filter((line) => !left.has(line)),
        file,
      ).toEqual([]);
    }
  });
});
