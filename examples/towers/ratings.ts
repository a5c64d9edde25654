import { signedNoise } from "../noise.js";

/** Ratings of films and whether they were watched to the end, made from tastes that nobody is told of. */
export interface Ratings {
  readonly x: { readonly user: Int32Array; readonly film: Int32Array; readonly age: Float32Array };
  readonly y: { readonly rating: Float32Array; readonly finished: Float32Array };
}

export const USERS = 400;
export const FILMS = 250;

/** A taste has so many sides. */
const SIDES = 3;

const [OF_A_USER, OF_A_FILM, DRAWN] = [1, 2, 3];

/** `count` ratings, the first of which are those from `first` on. */
export function ratings(count: number, first = 0): Ratings {
  const x = { user: new Int32Array(count), film: new Int32Array(count), age: new Float32Array(count) };
  const y = { rating: new Float32Array(count), finished: new Float32Array(count) };
  for (let row = 0; row < count; row++) {
    const drawn = (of: number): number => signedNoise(DRAWN, first + row, of);
    const user = Math.floor(((drawn(0) + 1) / 2) * USERS);
    const film = Math.floor(((drawn(1) + 1) / 2) * FILMS);
    const age = 20 + 30 * (signedNoise(OF_A_USER, user, SIDES) + 1);
    let liking = 0.4 * signedNoise(OF_A_FILM, film, SIDES) * ((age - 50) / 30);
    for (let side = 0; side < SIDES; side++)
      liking += signedNoise(OF_A_USER, user, side) * signedNoise(OF_A_FILM, film, side);
    x.user[row] = user;
    x.film[row] = film;
    x.age[row] = age;
    y.rating[row] = 3 + 1.5 * liking + 0.2 * drawn(2);
    y.finished[row] = liking + 0.3 * drawn(3) > 0 ? 1 : 0;
  }
  return { x, y };
}
