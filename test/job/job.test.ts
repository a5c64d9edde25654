// Job files: what the published JSON Schema takes is what we take, errors have places, and no file is too broken to be told of.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { CarillonError } from "../../lib/errors.js";
import { checkJob, dataText, JOB_KEYS, withoutSecrets } from "../../lib/job/job.js";
import { jobOf, readJobFile } from "../../lib/job/job_file.js";
import { numbers } from "../train/synthetic.js";

const published = z.fromJSONSchema(
  JSON.parse(readFileSync(new URL("../../docs/schemas/job.json", import.meta.url), "utf8")),
);

const sound = {
  $schema: "job.json",
  data: ["churn/*.csv", "more.csv"],
  target: "churned",
  schema: {
    columns: { zip: "category", since: { kind: "date", format: "dmy" } },
    task: "binary",
  },
  read: {
    format: "csv",
    delimiter: ";",
    quote: "'",
    decimal: ",",
    header: true,
    encoding: "latin1",
    columns: ["a", "b"],
    missing: ["-"],
    rows: 100,
  },
  transforms: { note: { kind: "hashedText", options: { buckets: 64 } } },
  preset: "fast",
  epochs: 20,
  batchSize: 64,
  folds: 5,
  minutes: 1.5,
  memory: 32,
  seed: 7,
  threads: 2,
  metric: "auc",
  lr: 0.02,
  dropout: 0.1,
  hidden: [64, 32],
  name: "first try",
  runs: "runs",
  ran: { score: { auc: 0.9 } },
};

function isTaken(job: unknown): boolean {
  try {
    checkJob("job", job);
    return true;
  } catch (error) {
    if (error instanceof CarillonError) return false;
    throw error;
  }
}

/** Every place of a value. */
function placesOf(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, one]) => placesOf(one, [...path, key]))];
}

function changed(value: unknown, [key, ...others]: readonly string[], put: unknown): unknown {
  if (key === undefined) return put;
  const copy: Record<string, unknown> = Array.isArray(value) ? Object.assign([], value) : { ...Object(value) };
  copy[key] = changed(copy[key], others, put);
  return copy;
}

describe("the published schema", () => {
  test("a job with every key is taken by both", () => {
    expect(Object.keys(sound).filter((key) => key !== "$schema" && key !== "ran")).toEqual([...JOB_KEYS]);
    expect([isTaken(sound), published.safeParse(sound).success]).toEqual([true, true]);
    expect([isTaken({ data: "a.csv" }), published.safeParse({ data: "a.csv" }).success]).toEqual([true, true]);
    expect([isTaken({ target: "a" }), published.safeParse({ target: "a" }).success]).toEqual([false, false]);
  });

  test("every value in the place of every other: both take it, or neither", () => {
    const others = [
      { sql: "select 1", from: "duckdb:" },
      { sql: "select 1", from: "duckdb:", parameters: [1, "a", true, null] },
      { sql: "select 1", from: "duckdb:", parameters: [[1]] },
      { sql: "select 1" },
      null,
      0,
      1,
      2,
      -1,
      0.5,
      1e9,
      true,
      "",
      "x",
      "csv",
      "arrow",
      ",",
      "fast",
      "auc",
      ".a",
      "a/b",
      "a ",
      [],
      ["a"],
      [""],
      [1],
      {},
      { kind: "x" },
      { more: 1 },
    ];
    let taken = 0;
    let all = 0;
    for (const place of placesOf(sound)) {
      for (const put of others) {
        const given = changed(sound, place, put);
        expect(isTaken(given), `${place.join(".")}: ${JSON.stringify(put)}`).toBe(published.safeParse(given).success);
        taken += isTaken(given) ? 1 : 0;
        all += 1;
      }
    }
    expect(taken).toBeGreaterThan(100);
    expect(all - taken).toBeGreaterThan(500);
  });
});

describe("a file", () => {
  const work = mkdtempSync(join(tmpdir(), "carillon-job-"));
  afterAll(() => rmSync(work, { recursive: true, force: true }));

  test("is YAML or JSON", () => {
    const yaml = "# churn\ndata: churn.csv\ntarget: churned\npreset: fast\nhidden: [64, 32]\n";
    const job = { data: "churn.csv", target: "churned", preset: "fast", hidden: [64, 32] };
    expect(jobOf("job.yaml", yaml)).toEqual(job);
    expect(jobOf("job.json", JSON.stringify(job, null, 2))).toEqual(job);
  });

  test.each([
    [
      "data: a.csv\nepoch: 3\n",
      "job.yaml, line 2, column 1: expected a known option for 'job' but received 'epoch'. Did you mean 'epochs'?",
    ],
    [
      "data: a.csv\nlearning_rate: 3\n",
      "line 2, column 1: expected a known option for 'job' but received 'learning_rate'. Did you mean 'lr'?",
    ],
    [
      "data: a.csv\nlabel: x\n",
      "line 2, column 1: expected a known option for 'job' but received 'label'. Did you mean 'target'?",
    ],
    [
      "data: a.csv\nepochs: many\n",
      `line 2, column 9: expected an integer in [1, 1000000] for 'job.epochs' but received "many"`,
    ],
    ["data: a.csv\nread:\n  delimiter: ';;'\n", "line 3, column 14: expected one character for 'job.read.delimiter'"],
    [
      "data: a.csv\nhidden: [1,\n  0]\n",
      "line 3, column 3: expected an integer in [1, 65536] for 'job.hidden[1]' but received 0",
    ],
    ["data: a.csv\nschema: { columns: { a.b: nothing } }\n", "line 2, column 27: expected 'number'"],
    ["data: a.csv\npreset: fsat\n", "line 2, column 9: expected 'fast', 'auto' or 'best' for 'job.preset'"],
    ["data: a.csv\ndata: b.csv\n", "line 2, column 1: Map keys must be unique"],
    ["data: [a.csv\n", "job.yaml, line 2, column 1: "],
    ["data: !!js/function x\n", "line 1, column 7: Unresolved tag"],
    ["target: a\n", "line 1, column 1: expected a file, several, or a query for 'job.data' but received undefined"],
    ["", "line 1, column 1: expected an object of options for 'job' but received null"],
    ["just words", "line 1, column 1: expected an object of options"],
    [
      "a: &a [x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c]\n",
      "line 1, column 1: Excessive alias count",
    ],
    ["data: a.csv\n__proto__: { x: 1 }\n", "column 1: expected a known option for 'job' but received '__proto__'"],
  ])("%j is told with its place", (text, message) => {
    expect(() => jobOf("job.yaml", text)).toThrow(CarillonError);
    expect(() => jobOf("job.yaml", text)).toThrow(message);
  });

  test("that cannot be read is one sentence", async () => {
    mkdirSync(join(work, "folder"));
    writeFileSync(join(work, "bytes.yaml"), Uint8Array.of(0xff, 0xfe, 0x41));
    writeFileSync(join(work, "large.yaml"), "#".repeat(1_048_577));
    for (const [name, why] of [
      ["folder", "a folder"],
      ["absent.yaml", "ENOENT"],
      ["bytes.yaml", "bytes that are no UTF-8"],
      ["large.yaml", "1048577 bytes, more than 1048576"],
    ] as const) {
      const reading = readJobFile(join(work, name));
      await expect(reading).rejects.toMatchObject({ code: "ERR_FILE", message: expect.stringContaining(why) });
    }
  });

  test("500 that were changed at random: a job, or one sentence with a place", () => {
    const text = `# a job\n${JSON.stringify(sound, null, 2).replaceAll(/^ {2}"(\w+)": /gm, '  "$1": ')}\n`;
    const yaml =
      "data: churn.csv\ntarget: churned\nread:\n  delimiter: ';'\n  missing: [a, 'b', \"c\"]\nhidden:\n  - 64\n  - 32\nname: &n first\nruns: *n\n";
    const parts = [
      "{",
      "}",
      "[",
      "]",
      ":",
      "- ",
      "\n",
      " ",
      "\t",
      "#",
      "&a ",
      "*a",
      "!",
      "|",
      ">",
      "'",
      '"',
      "\0",
      "é",
      "\ud800",
      "1e999",
      "null",
      "~",
      "<<: ",
      "? ",
      "---\n",
      "...\n",
      "%TAG",
      "@",
      "`",
      ",",
    ];
    const next = numbers(17);
    const below = (count: number): number => Math.floor(next() * count);
    let jobs = 0;
    for (let round = 0; round < 500; round++) {
      let mutated = round % 2 === 0 ? text : yaml;
      for (let change = 0; change <= below(4); change++) {
        const at = below(mutated.length);
        const length = below(3) === 0 ? below(12) : below(2);
        mutated = `${mutated.slice(0, at)}${below(3) === 0 ? "" : parts[below(parts.length)]}${mutated.slice(at + length)}`;
      }
      try {
        const job = jobOf("job", mutated);
        expect(isTaken(job)).toBe(true);
        jobs += 1;
      } catch (error) {
        if (!(error instanceof CarillonError)) throw error;
        expect(error.message).toMatch(/^job, line \d+, column \d+: [^\n]+$/);
      }
    }
    expect(jobs).toBeGreaterThan(20);
    expect(jobs).toBeLessThan(300);
  });
});

test("a job is written without the password of its database", () => {
  const of = (from: string): unknown => withoutSecrets({ data: { sql: "select 1", from } }).data;
  expect(of("postgres://me:se%3Acret@host:5432/db")).toEqual({ sql: "select 1", from: "postgres://me@host:5432/db" });
  for (const from of ["postgres://me@host/db", "churn.duckdb", "duckdb:", "C:\\a@b\\churn.db"])
    expect(of(from)).toEqual({ sql: "select 1", from });
  expect(dataText({ sql: "select 1", from: "postgres://me:secret@host/db" })).toBe("a query of postgres://me@host/db");
  for (const [from, told] of [
    ["postgres://me:a@secret@host/db", "postgres://me@host/db"],
    ["postgres://:secret@host/db?sslmode=require", "postgres://@host/db?sslmode=require"],
    ["postgres://host/db?user=me&password=secret&sslmode=require", "postgres://host/db?user=me&sslmode=require"],
    ["postgres://host/db?pass%77ord=secret", "postgres://host/db"],
    ["mysql+x://me:secret@host/db", "mysql+x://me@host/db"],
    ["postgres://host:5432/a@b", "postgres://host:5432/a@b"],
  ])
    expect(of(from ?? "")).toEqual({ sql: "select 1", from: told });
});
