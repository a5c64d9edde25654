import { noise } from "../noise.js";

/** Short reviews, and whether they praise. */
export interface Reviews {
  readonly texts: readonly string[];
  /** 1: praise. */
  readonly y: Float32Array;
}

const THINGS = "film play story music cast scene dialogue ending light pace plot song stage role picture book".split(
  " ",
);
const GOOD = "good fine lovely clever warm honest vivid strong moving bright tender witty".split(" ");
const BAD = "bad dull weak stale cold tired loud empty clumsy slow bitter vague".split(" ");
const FILLERS = "really quite rather truly simply almost often still perhaps somehow".split(" ");

/** `count` reviews of three remarks each, of which the most have the verdict of the whole; a "not" turns a remark round. */
export function reviews(count: number, first = 0): Reviews {
  const y = new Float32Array(count);
  const texts = Array.from(y, (_, row) => {
    const drawn = (of: number): number => noise(first + row, of);
    const pick = (of: number, words: readonly string[]): string => words[Math.floor(drawn(of) * words.length)] ?? "";
    const remarks = [0, 10, 20].map((at) => {
      const [praises, turned] = [drawn(at) < 0.5, drawn(at + 1) < 0.5];
      const word = pick(at + 2, praises === turned ? BAD : GOOD);
      y[row] = (y[row] ?? 0) + (praises ? 1 : 0);
      return `the ${pick(at + 3, THINGS)} is ${turned ? "not" : pick(at + 4, FILLERS)} ${word}`;
    });
    y[row] = (y[row] ?? 0) >= 2 ? 1 : 0;
    return remarks.join(" and ");
  });
  return { texts, y };
}
