// Files with bytes that are others, cut, doubled or taken from another file: refused by name, or read; never a crash, a hang, or more memory than they justify.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { exportOnnx, importOnnx } from "../../../lib/exchange/index.js";
import { CarillonError } from "../../../lib/index.js";
import { architecture, Draws } from "./architectures.js";

/** Files that are changed: dense, images, recurrent, a transformer, series, tables. */
const FILES = [0, 1, 2, 3, 5, 22];

/** Changed files of each. */
const EACH = 170;

/** A change of a file, by draws. */
function mutated(draws: Draws, file: Uint8Array, other: Uint8Array): Uint8Array {
  const kind = draws.between(0, 6);
  const at = draws.between(0, file.length - 1);
  const copy = Uint8Array.from(file);
  if (kind === 0) return copy.subarray(0, at);
  if (kind === 1) copy[at] = draws.between(0, 255);
  if (kind === 2) copy[at] = (copy[at] ?? 0) ^ (1 << draws.between(0, 7));
  // Long integers in the place of short ones.
  if (kind === 3) copy.fill(0xff, at, at + draws.between(1, 9));
  if (kind === 4)
    for (let many = draws.between(2, 12); many > 0; many--)
      copy[draws.between(0, Math.min(1500, copy.length - 1))] = draws.between(0, 255);
  if (kind === 5) return Buffer.concat([copy.subarray(0, at), other.subarray(draws.between(0, other.length - 1))]);
  if (kind === 6) return Buffer.concat([copy.subarray(0, at), copy.subarray(Math.max(0, at - draws.between(1, 200)))]);
  return copy;
}

test("changed files are refused by name, or read", { timeout: 120_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "carillon-onnx-mutations-"));
  try {
    const files: Uint8Array[] = [];
    for (const number of FILES) {
      const path = join(folder, `${number}.onnx`);
      await exportOnnx(architecture(number).model, path);
      files.push(await readFile(path));
    }
    const problems: string[] = [];
    let refused = 0;
    for (const [which, file] of files.entries()) {
      const draws = new Draws(which + 77);
      for (let number = 0; number < EACH; number++) {
        const bytes = mutated(draws, file, files[(which + 1) % files.length] ?? file);
        try {
          await importOnnx(bytes);
        } catch (error) {
          refused += 1;
          const isOurs = error instanceof CarillonError && error.code === "ERR_FILE";
          if (!isOurs) problems.push(`${which}/${number}: ${String(error)}`);
        }
      }
    }
    expect(problems).toEqual([]);
    expect(refused).toBeGreaterThan(FILES.length * EACH * 0.3);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
