// Every ```ts block of the README and of docs/ holds its types and runs. A block that begins with imports begins a
// program; one without continues the program above it, as a reader would take it.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { beforeAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Within the checkout, so that types and the binary are found; what programs write goes to the system's temporary folder. */
const work = join(root, "build/docs");

interface Snippet {
  /** `docs/training.md:12`, the line of the first block. */
  readonly where: string;
  readonly file: string;
  readonly code: string;
}

function snippetsOf(page: string): Snippet[] {
  const text = readFileSync(join(root, page), "utf8");
  const programs: { line: number; code: string }[] = [];
  for (const match of text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)) {
    const [, code = ""] = match;
    const last = programs.at(-1);
    if (last !== undefined && !/^import\b/m.test(code)) last.code += `\n${code}`;
    else programs.push({ line: text.slice(0, match.index).split("\n").length, code });
  }
  return programs.map(({ line, code }) => ({
    where: `${page}:${line}`,
    file: `${page.replace(/\W+/g, "-")}-${line}.ts`,
    code,
  }));
}

const pages = ["README.md", ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`)].filter((page) =>
  page.endsWith(".md"),
);
const snippets = pages.flatMap(snippetsOf);

beforeAll(() => {
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  for (const { file, code } of snippets) writeFileSync(join(work, file), code);
  const options = {
    extends: "../../tsconfig.base.json",
    compilerOptions: {
      paths: {
        carillon: ["../../lib/index.ts"],
        "carillon/exchange": ["../../lib/exchange/index.ts"],
        "carillon/kernels": ["../../lib/kernels/index.ts"],
      },
    },
  };
  writeFileSync(join(work, "tsconfig.json"), JSON.stringify({ ...options, include: ["*.ts"] }));
});

describe("documentation", () => {
  test("the guide has snippets", () => {
    expect(snippets.length).toBeGreaterThan(5);
  });

  test("the types of every snippet hold", () => {
    const { status, stdout } = spawnSync(execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", work], {
      encoding: "utf8",
    });
    expect(stdout).toBe("");
    expect(status).toBe(0);
  });

  test.for(snippets)("$where runs", async ({ file }) => {
    const outfile = join(work, file.replace(/\.ts$/, ".mjs"));
    await build({
      entryPoints: [join(work, file)],
      outfile,
      bundle: true,
      format: "esm",
      platform: "node",
      target: "node20",
      alias: {
        "carillon/exchange": join(root, "lib/exchange/index.ts"),
        "carillon/kernels": join(root, "lib/kernels/index.ts"),
        carillon: join(root, "lib/index.ts"),
      },
      external: ["node-gyp-build"],
      logLevel: "silent",
    });
    const folder = mkdtempSync(join(tmpdir(), "carillon-docs-"));
    try {
      const { status, stdout, stderr } = spawnSync(execPath, [outfile], {
        cwd: folder,
        encoding: "utf8",
        timeout: 20_000,
      });
      expect(status, `${stdout}${stderr}`).toBe(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("links lead to files", () => {
    const broken = [...pages, "ARCHITECTURE.md", "CHANGELOG.md"].flatMap((page) => {
      const folder = join(root, page, "..");
      const links = [...readFileSync(join(root, page), "utf8").matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)];
      return links
        .map(([, link = ""]) => link)
        .filter((link) => {
          try {
            readdirSync(join(folder, link, ".."));
            return !readdirSync(join(folder, link, "..")).includes(link.split("/").filter(Boolean).at(-1) ?? "");
          } catch {
            return true;
          }
        })
        .map((link) => `${page}: ${link}`);
    });
    expect(broken).toEqual([]);
  });
});
