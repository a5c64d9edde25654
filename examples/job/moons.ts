// Two half circles, one in the other, with noise: the same on every machine.
import type { Examples } from "carillon";

const NOISE = 0.15;

/** In [0, 1), by the place of a point alone: the fractions of multiples of two irrational numbers. */
function uniform(index: number, factor: number): number {
  const value = index * factor;
  return value - Math.floor(value);
}

/** `rows` points of the plane, those behind `skip` others, of the class 0 and 1 in turn. */
export function moons(rows: number, skip = 0): Examples {
  const points = Array.from({ length: rows }, (_, row): readonly [x: readonly number[], y: number] => {
    const index = skip + row + 1;
    const moon = index % 2;
    const angle = Math.PI * uniform(index, Math.SQRT2);
    const [dx, dy] = [uniform(index, 0.7548776662466927) - 0.5, uniform(index, 0.5698402909980532) - 0.5];
    const [x, y] = moon === 0 ? [Math.cos(angle), Math.sin(angle)] : [1 - Math.cos(angle), 0.5 - Math.sin(angle)];
    return [[x + 4 * NOISE * dx, y + 4 * NOISE * dy], moon];
  });
  return { x: points.map(([x]) => x), y: points.map(([, y]) => y) };
}
