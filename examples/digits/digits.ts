import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { parse } from "csv-parse/sync";

/** Images of handwritten digits: 8×8 pixels from 0 (paper) to 16 (ink), one image after the other. */
export interface Digits {
  /** Pixels, [rows, 64]. */
  readonly x: Uint8Array;
  /** The digits, [rows]. */
  readonly y: Uint8Array;
}

/** Pixels along one side of an image. */
export const SIDE = 8;
export const PIXELS: number = SIDE * SIDE;
/** The value of full ink. */
export const INK = 16;

// Found by the name of the package, so that it is the same from the source and from a bundle of it.
const examples = join(dirname(createRequire(import.meta.url).resolve("carillon/package.json")), "examples");

/** The 1,797 images of examples/data/digits.csv.gz: 1,437 for training and the 360 of split.json for testing. */
export async function loadDigits(): Promise<{ readonly train: Digits; readonly test: Digits }> {
  const csv = await promisify(gunzip)(await readFile(join(examples, "data/digits.csv.gz")));
  const [, ...lines]: string[][] = parse(csv);
  const rows = lines.map((line) => line.map(Number));
  const heldOut = await testRows();
  return {
    train: digitsOf(rows.filter((_, row) => !heldOut.has(row))),
    test: digitsOf(rows.filter((_, row) => heldOut.has(row))),
  };
}

async function testRows(): Promise<ReadonlySet<number>> {
  const split: { readonly test: readonly number[] } = JSON.parse(
    await readFile(join(examples, "digits/split.json"), "utf8"),
  );
  return new Set(split.test);
}

function digitsOf(rows: readonly (readonly number[])[]): Digits {
  return {
    x: Uint8Array.from(rows.flatMap((row) => row.slice(0, PIXELS))),
    y: Uint8Array.from(rows, (row) => row[PIXELS] ?? Number.NaN),
  };
}

/** Pixels as numbers from 0 to 1, which is what a network likes. */
export function scaled({ x, y }: Digits): { readonly x: Float32Array; readonly y: Uint8Array } {
  return { x: Float32Array.from(x, (pixel) => pixel / INK), y };
}
