// 500 files of NumPy's that were changed by chance: an error, or a table whose columns are as long as one another.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { table } from "../../lib/index.js";
import { Table } from "../../lib/table/table.js";

const read = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(fileURLToPath(new URL(`fixtures/${name}`, import.meta.url))));

test("500 mutated archives and arrays", async () => {
  let state = 11;
  const draw = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const wholes = [
    ["npz", read("arrays.npz")],
    ["npy", read("matrix.npy")],
    ["npy", read("fields.npy")],
  ] as const;
  let [tables, errors] = [0, 0];
  for (let round = 0; round < 500; round++) {
    const [format, whole] = wholes[round % wholes.length] ?? wholes[0];
    const bytes = new Uint8Array(draw(5) === 0 ? whole.subarray(0, draw(whole.length)) : whole);
    for (let count = draw(4); count >= 0 && bytes.length > 0; count--) bytes[draw(bytes.length)] = draw(256);
    const begun = performance.now();
    const found: unknown = await table(bytes, { format }).catch((error: unknown) => error);
    expect(performance.now() - begun, `round ${round}`).toBeLessThan(5000);
    if (found instanceof Table) {
      tables += 1;
      for (const name of found.names) {
        const column = found.column(name);
        expect(column.kind === "text" ? column.codes.length : column.values.length).toBe(found.rows);
      }
      if (found.rows > 0) expect(Object.keys(found.row(found.rows - 1))).toEqual(found.names);
    } else {
      errors += 1;
      expect(found, `round ${round}`).toMatchObject({ name: "CarillonError" });
      expect((found as { code: string }).code).toMatch(/^ERR_(DATA|FILE)$/);
    }
  }
  expect(tables).toBeGreaterThan(50);
  expect(errors).toBeGreaterThan(50);
}, 60_000);
