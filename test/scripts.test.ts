// Every script, suite and example has a short form that `npm run smoke` brings to its end, or says why it has none; and
// what the documentation tells people to run is there.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { describe, expect, test } from "vitest";
import { SUITES } from "../bench/suites.js";
import { BENCH, SCRIPTS } from "../scripts/smoke.mjs";
import { root } from "../scripts/tools.mjs";

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
  const started = Object.values(scripts).flatMap((line) => /scripts\/run\.mjs (\S+)/.exec(line)?.[1] ?? []);
  expect(started.filter((program) => !existsSync(join(root, program)))).toEqual([]);
  const programs = [...filesBelow("examples", "main.ts"), ...filesBelow("test", "/main.ts")];
  expect(programs.filter((program) => !started.includes(program))).toEqual([]);
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

  test("suites of the benchmarks", () => {
    const missing = pages.flatMap((page) =>
      [...read(page).matchAll(/npm run bench -- ([a-z]+)/g)]
        .map(([, name = ""]) => name)
        .filter((name) => SUITES[name] === undefined)
        .map((name) => `${page}: ${name}`),
    );
    expect(missing).toEqual([]);
  });
});
