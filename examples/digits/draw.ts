import { type Digits, INK, PIXELS, SIDE } from "./digits.js";

/** Half blocks by what is inked: nothing, the upper half, the lower half, both. */
const BLOCKS = [" ", "▀", "▄", "█"];

/** An image in four lines of eight characters, two pixels each. */
function imageLines(pixels: Uint8Array): string[] {
  const inked = (row: number, column: number): number => ((pixels[row * SIDE + column] ?? 0) >= INK / 2 ? 1 : 0);
  return Array.from({ length: SIDE / 2 }, (_, line) =>
    Array.from(
      { length: SIDE },
      (_, column) => BLOCKS[inked(2 * line, column) + 2 * inked(2 * line + 1, column)] ?? " ",
    ).join(""),
  );
}

/** Some images side by side, with the prediction next to the truth below each. */
export function drawDigits({ x, y }: Digits, predicted: readonly number[], rows: readonly number[]): string {
  const width = 18;
  const images = rows.map((row) => imageLines(x.subarray(row * PIXELS, (row + 1) * PIXELS)));
  const lines = Array.from({ length: SIDE / 2 }, (_, line) =>
    images.map((image) => (image[line] ?? "").padEnd(width)).join(""),
  );
  const captions = rows.map((row) => {
    const mark = predicted[row] === y[row] ? "" : " ✗";
    return `read ${predicted[row]}, is ${y[row]}${mark}`.padEnd(width);
  });
  return [...lines, captions.join("")].map((line) => line.trimEnd()).join("\n");
}

/** How often each digit (row) was read as each digit (column); a dot stands for never. */
export function drawConfusion(truth: Uint8Array, predicted: readonly number[], classes: number): string {
  const counts = new Uint32Array(classes * classes);
  for (const [row, digit] of truth.entries()) {
    const cell = digit * classes + (predicted[row] ?? 0);
    counts[cell] = (counts[cell] ?? 0) + 1;
  }
  const cellOf = (value: string | number): string => String(value).padStart(4);
  const digits = Array.from({ length: classes }, (_, digit) => digit);
  const table = digits.map((digit) => {
    const row = Array.from(counts.subarray(digit * classes, (digit + 1) * classes));
    return `${cellOf(digit)} │${row.map((count) => cellOf(count === 0 ? "·" : count)).join("")}`;
  });
  return [`is\\read${digits.map(cellOf).join("").slice(1)}`, ...table].join("\n");
}
