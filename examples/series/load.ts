import { signedNoise } from "../noise.js";

/** Hours of a day, and of a week. */
export const DAY = 24;
const WEEK = 7 * DAY;

/** How the load of a day goes: low at night, high in the evening. */
const daily = (hour: number): number =>
  Math.sin(((hour - 9) / DAY) * 2 * Math.PI) + 0.4 * Math.sin(((hour - 3) / DAY) * 4 * Math.PI);

/**
 * The load of a town, an hour a step: days and weeks repeat themselves, Saturdays and Sundays are lower, and the weather, which stays for days, raises or lowers all of it. What
 * nobody can foretell is about 0.1 an hour.
 */
export function loadOf(hours: number): number[] {
  let weather = 0;
  return Array.from({ length: hours }, (_, hour) => {
    weather = 0.985 * weather + 0.12 * signedNoise(hour, 1);
    const weekend = hour % WEEK >= 5 * DAY ? -0.8 : 0;
    return daily(hour % DAY) + weekend + weather + 0.17 * signedNoise(hour, 2);
  });
}

/** What is known of each hour: the load, and where in the day and the week it stands. */
export function stepsOf(load: readonly number[]): number[][] {
  return load.map((value, hour) => {
    const [day, week] = [(hour / DAY) * 2 * Math.PI, (hour / WEEK) * 2 * Math.PI];
    return [value, Math.sin(day), Math.cos(day), Math.sin(week), Math.cos(week)];
  });
}
