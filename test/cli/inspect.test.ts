import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { csvOf, customers } from "../../examples/churn/customers.js";
import { carillon, isBuilt } from "./carillon.js";

const cwd = mkdtempSync(join(tmpdir(), "carillon-inspect-"));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));
beforeAll(() => {
  const rows = customers(300);
  writeFileSync(join(cwd, "churn.csv"), csvOf(rows));
  writeFileSync(join(cwd, "part-1.csv"), csvOf(rows.slice(0, 150)));
  writeFileSync(join(cwd, "part-2.csv"), csvOf(rows.slice(150)));
});
beforeEach((context) => {
  if (!isBuilt) context.skip("nothing is built: npm run prepare");
});

interface Told {
  readonly schema: { readonly columns: Readonly<Record<string, { readonly kind: string }>>; readonly task: string };
  readonly rows: number;
}

const KINDS = {
  customer_id: "id",
  since: "date",
  plan: "category",
  zip: "category",
  minutes: "number",
  support_calls: "number",
  abroad: "boolean",
  remark: "text",
  churned: "boolean",
};

function kindsIn(text: string): Readonly<Record<string, string>> {
  const { schema } = JSON.parse(text) as Told;
  return Object.fromEntries(Object.entries(schema.columns).map(([name, { kind }]) => [name, kind]));
}

test("says of each column what it is and why, the task, and what should be looked at", () => {
  const { status, stdout, stderr } = carillon(["inspect", "churn.csv", "--target", "churned"], { cwd });
  expect(stderr).toBe("");
  expect(status).toBe(0);
  expect(stdout).toMatch(/^churn\.csv: 300 rows, 9 columns\n/);
  expect(stdout).toMatch(/\n {2}zip +category +40 different texts .* codes that numbers do not hold\n/);
  expect(stdout).toContain("to be predicted: churned (binary)\n");
  expect(stdout).toContain("\nwarning: 'customer_id' names rows");
});

test("JSON, from standard input and from several files", () => {
  const args = ["--target", "churned", "--json"];
  const input = csvOf(customers(300));
  for (const given of [
    carillon(["inspect", "-", ...args], { cwd, input }),
    carillon(["inspect", "part-1.csv", "p?rt-2.csv", ...args], { cwd }),
  ]) {
    expect(given.stderr).toBe("");
    expect(kindsIn(given.stdout)).toEqual(KINDS);
  }
});

test("a schema that was written, edited and given back is heeded", () => {
  expect(carillon(["inspect", "churn.csv", "--out", "schema.json"], { cwd }).status).toBe(0);
  const written = readFileSync(join(cwd, "schema.json"), "utf8");
  writeFileSync(join(cwd, "edited.json"), written.replace(/"zip": \{\s*"kind": "category"/, '"zip": { "kind": "text"'));
  const { stdout } = carillon(["inspect", "churn.csv", "--schema", "edited.json", "--json"], { cwd });
  expect(kindsIn(stdout)).toEqual({ ...KINDS, zip: "text" });
});

describe("wrong input is one sentence, an exit code, and no file", () => {
  beforeAll(() => {
    writeFileSync(join(cwd, "ragged.csv"), "a,b\n1,2\n3\n");
    writeFileSync(join(cwd, "bytes.csv"), Buffer.from([0x61, 0x2c, 0x62, 0x0a, 0x31, 0x2c, 0xff, 0x0a]));
    writeFileSync(join(cwd, "empty.csv"), "");
    writeFileSync(join(cwd, "wrong.json"), '{\n  "columns": {\n    "zip": { "kind": "cat" }\n  }\n}\n');
    mkdirSync(join(cwd, "folder"));
  });

  test.each([
    [["absent.csv"], 1, "absent.csv"],
    [["folder"], 1, "folder"],
    [["ragged.csv"], 1, "ragged.csv, line 3"],
    [["bytes.csv"], 1, "bytes.csv, line 2"],
    [["empty.csv"], 1, "rows"],
    [["churn.csv", "--target", "chrned"], 1, "Did you mean 'churned'?"],
    [["churn.csv", "--schema", "wrong.json"], 1, "wrong.json, line 3, column 22: expected 'number'"],
    [["churn.csv", "--out", "folder"], 1, "a file that can be written for 'folder'"],
    [["churn.csv", "--rows", "many"], 2, "--rows"],
    [["churn.csv", "--delimter", ";"], 2, "Did you mean '--delimiter'?"],
    [[], 2, "wants a file"],
  ])("%j", (args, status, message) => {
    const before = readdirSync(cwd);
    const ended = carillon(["inspect", ...args], { cwd });
    expect(ended.stderr).toContain(message);
    expect(ended.stderr.split("\n\n")[0]?.trimEnd().split("\n").length).toBe(1);
    expect(ended.status).toBe(status);
    expect(ended.stdout).toBe("");
    expect(readdirSync(cwd)).toEqual(before);
  });
});
