import type { Numbers } from "./sample.js";
import { type Named, numbers, reached } from "./ways.js";

/** A result or a derivative: one number an element. */
type Vector = readonly number[];

/**
 * Step of the differences. Two central differences of steps h and h/2, combined as (4·D(h/2) − D(h))/3 (Richardson),
 * leave h⁴·f⁽⁵⁾/480, at most 2·10⁻¹¹ for the samples (the worst is 1/x at ½: f⁽⁵⁾ = 7,680), and the rounding of
 * float64, 2⁻⁵³·|f|/h, below 10⁻¹²·|f|. Both vanish beside the roundings of float32 that the tolerances are made of.
 */
const H = 2 ** -10;

/** Weights and steps of a central difference with one extrapolation. */
const STENCIL = [
  { at: H / 2, weight: 4 / 3 / H },
  { at: -H / 2, weight: -4 / 3 / H },
  { at: H, weight: -1 / 6 / H },
  { at: -H, weight: 1 / 6 / H },
] as const;

/** One element of one input. */
interface Coordinate {
  readonly input: number;
  readonly element: number;
}

/** Every element of the inputs that a gradient reaches, input after input. */
export function coordinates(named: Named): readonly Coordinate[] {
  return reached(named).flatMap((input) => {
    const count = named.sample.inputs[input]?.data.length ?? 0;
    return Array.from({ length: count }, (_, element) => ({ input, element }));
  });
}

function moved(inputs: readonly Numbers[], { input, element }: Coordinate, by: number): readonly Numbers[] {
  return inputs.map(({ shape, data }, index) => {
    return index === input ? { shape, data: data.with(element, (data[element] ?? 0) + by) } : { shape, data };
  });
}

/** The sum of `values(at)` by the weights of the stencil. */
function combined(values: (at: number) => Vector): Vector {
  let total: number[] | undefined;
  for (const { at, weight } of STENCIL) {
    const term = values(at);
    total ??= new Array<number>(term.length).fill(0);
    for (let index = 0; index < total.length; index++) {
      total[index] = (total[index] ?? 0) + weight * (term[index] ?? Number.NaN);
    }
  }
  return total ?? [];
}

/** ∂y/∂x of the float64 reference along one coordinate. */
function derivative(named: Named, inputs: readonly Numbers[], along: Coordinate): Vector {
  const { reference } = named.usage;
  return combined((at) => reference(...moved(inputs, along, at)));
}

/** ∂y/∂x for every coordinate, a vector over the result each. */
export function jacobian(named: Named): readonly Vector[] {
  const inputs = numbers(named.sample);
  return coordinates(named).map((along) => derivative(named, inputs, along));
}

/** ∂²y/∂x∂x′ by x′ and x: differences of the float64 gradient. Both orders of a pair are the same sixteen results, so each pair is taken once. */
export function secondDerivatives(named: Named): readonly (readonly Vector[])[] {
  const inputs = numbers(named.sample);
  const all = coordinates(named);
  const found: Vector[][] = all.map(() => []);
  for (const [row, other] of all.entries()) {
    for (const [column, along] of all.slice(0, row + 1).entries()) {
      const bend = combined((at) => derivative(named, moved(inputs, other, at), along));
      (found[row] ?? [])[column] = bend;
      (found[column] ?? [])[row] = bend;
    }
  }
  return found;
}
