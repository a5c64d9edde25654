import { signedNoise } from "../noise.js";

/** Sales of a chain of shops: which city, article and day, numbers beside them, and how many pieces were sold. */
export interface Sales {
  readonly x: {
    readonly city: Int32Array;
    readonly article: Int32Array;
    readonly day: Int32Array;
    /** [rows, 2]: price, temperature. */
    readonly numbers: Float32Array;
  };
  /** Logarithm of the pieces. */
  readonly y: Float32Array;
}

export const CITIES = 30;
export const ARTICLES = 120;
export const DAYS = 7;

/** What is drawn beside each sale that no table tells: nobody's error is below it. */
export const NOISE = 0.1;

const [OF_A_CITY, OF_AN_ARTICLE, OF_A_DAY, DRAWN] = [1, 2, 3, 4];

/** `count` sales, the first of which are those from `first` on. */
export function sales(count: number, first = 0): Sales {
  const x = {
    city: new Int32Array(count),
    article: new Int32Array(count),
    day: new Int32Array(count),
    numbers: new Float32Array(2 * count),
  };
  const y = new Float32Array(count);
  for (let row = 0; row < count; row++) {
    const drawn = (of: number): number => signedNoise(DRAWN, first + row, of);
    const chosen = (of: number, among: number): number => Math.floor(((drawn(of) + 1) / 2) * among);
    const [city, article, day] = [chosen(0, CITIES), chosen(1, ARTICLES), chosen(2, DAYS)];
    const price = 10 + 5 * drawn(3);
    const temperature = 15 + 12 * drawn(4);
    // Some articles sell in the warmth, some on some days, and not everywhere does the price matter as much.
    const warmth = signedNoise(OF_AN_ARTICLE, article, 0) * ((temperature - 15) / 12);
    const weekly = signedNoise(OF_AN_ARTICLE, article, 1) * signedNoise(OF_A_DAY, day, 0);
    const cost = (1 + 0.5 * signedNoise(OF_A_CITY, city, 1)) * ((price - 10) / 5);
    const level = signedNoise(OF_A_CITY, city, 0) + signedNoise(OF_AN_ARTICLE, article, 2);
    x.city[row] = city;
    x.article[row] = article;
    x.day[row] = day;
    x.numbers.set([price, temperature], 2 * row);
    y[row] = level + warmth + weekly - cost + Math.sqrt(3) * NOISE * drawn(5);
  }
  return { x, y };
}
