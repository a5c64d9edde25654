// Mutated files: an error with a place, or exactly the values that another parser reads. Never a crash, never a column that is silently another.
import Papa from "papaparse";
import { expect, test } from "vitest";
import { table } from "../../lib/index.js";
import type { Table } from "../../lib/table/table.js";

const SOUND = `id,name,city,amount,when,flag
1,"Smith, Anna",Köln,12.50,2020-01-02,yes
2,"O""Brien",São Paulo,-3e2,2020-01-03,no
3,,"two
lines",,2021-12-31,yes
4,Bo,00501,1000000.125,,no
5,"","x;y",7,2020-02-29,
`;

/** What mutations put in: all that means something to a parser, and some that does not. */
const PIECES = [
  ",",
  '"',
  '""',
  "\n",
  "\r\n",
  "\r",
  ";",
  "\t",
  " ",
  "",
  "0",
  "x",
  "-",
  ".",
  "e5",
  "NA",
  "é",
  "\uFEFF",
  "00",
  ",,",
  '",',
  ',"',
  "\0",
];

let state = 7;
function draw(bound: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * bound);
}

function mutated(): string {
  let text = SOUND;
  for (let left = 1 + draw(3); left > 0; left--) {
    const at = draw(text.length);
    const removed = draw(3) === 0 ? 1 + draw(8) : draw(2);
    text = text.slice(0, at) + (PIECES[draw(PIECES.length)] ?? "") + text.slice(at + removed);
  }
  return text;
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/** Values of a parser that we have not written, as ours has them: numbers by JavaScript, where the column is one. */
function expectSame(text: string, found: Table): void {
  // papaparse takes one lone carriage return for the end of all lines, unless it is told.
  const plain = text.replace(/^\uFEFF/, "").replaceAll("\r\n", "\n");
  const { data, errors } = Papa.parse<string[]>(plain, { delimiter: ",", newline: "\n" });
  expect(errors, text).toEqual([]);
  const rows = data.filter((row) => row.length > 1 || (row[0] ?? "").trim() !== "").slice(1);
  expect(found.rows, text).toBe(rows.length);
  found.names.forEach((name, column) => {
    const { kind } = found.column(name);
    rows.forEach((row, index) => {
      const given = (row[column] ?? "").trim();
      const value = found.at(index, name);
      if (kind === "text")
        expect(typeof value === "string" ? value.replaceAll("\r\n", "\n").trim() : "", text).toBe(given);
      else if (value === null) expect(["", "NA"], text).toContain(given);
      else {
        expect(given, text).toMatch(NUMBER);
        expect(value, text).toBe(Number(given));
      }
    });
  });
}

/** Spaces between a delimiter and a quote: ours leaves them out, papaparse takes the quote for a character. */
const APART = /(?:^|[,\n])[ \t]+"|"[ \t]+(?:[,\r\n]|$)/;

test("500 mutated texts", async () => {
  let read = 0;
  for (let done = 0; done < 500; done++) {
    let text = mutated();
    while (APART.test(text)) text = mutated();
    const options = { delimiter: ",", header: true };
    const found = await table(new TextEncoder().encode(text), options).catch((error: unknown) => error);
    if (found instanceof Error) {
      expect(["ERR_DATA", "ERR_FILE"], `${text}\n${found.stack}`).toContain(Reflect.get(found, "code"));
      expect(found.message, text).toMatch(/bytes/);
      continue;
    }
    read += 1;
    expectSame(text, found as Table);
  }
  expect(read).toBeGreaterThan(100);
  expect(read).toBeLessThan(450);
});
