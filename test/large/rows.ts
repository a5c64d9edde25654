// The table of the test as a file: twenty columns, the rows that scripts/large.mjs has PostgreSQL make.
import { once } from "node:events";
import { createWriteStream } from "node:fs";

const hash = (i: number, k: number): number => (i * (2 * k + 7919) + k * 104_729) % 1_000_003;
const NUMBERS = 13;

const NAMES = [
  "id",
  ...Array.from({ length: NUMBERS }, (_, k) => `n${k}`),
  ...["age", "plan", "city", "paid", "calls", "target"],
];

function lineOf(i: number): string {
  const numbers = Array.from({ length: NUMBERS }, (_, k) => (k === 0 && i % 17 === 0 ? "" : hash(i, k) / 1000));
  const plan = ["basic", "pro", "max", "free"][(i * 13) % 4];
  const target = hash(i, 0) + ((i * 31) % 100) * 8000 > 900_000 ? "yes" : "no";
  const others = [(i * 31) % 100, plan, `city ${(i * 97) % 40}`, (i * 7) % 3 === 0, (i * 11) % 5, target];
  return `${[i, ...numbers, ...others].join(",")}\n`;
}

/** Writes the same rows to a file. */
export async function writeRows(path: string, rows: number): Promise<void> {
  const file = createWriteStream(path);
  file.write(`${NAMES.join(",")}\n`);
  for (let begin = 0; begin < rows; begin += 10_000) {
    const lines = Array.from({ length: Math.min(10_000, rows - begin) }, (_, at) => lineOf(begin + at));
    if (!file.write(lines.join(""))) await once(file, "drain");
  }
  file.end();
  await once(file, "finish");
}
