// What every refusal must be: a CarillonError with its code and the offender's name, and nothing changed.
import { CarillonError, type ErrorCode, type FitData, type FitOptions, fit, type Model } from "carillon";
import { expect } from "vitest";
import { bitsOf } from "./synthetic.js";

/** Options as JavaScript may give them. */
export type Anything = Readonly<Record<string, unknown>>;

/** fit without the compiler's help. */
export function fitAnything(model: Model, options: Anything): Promise<unknown> {
  return fit(model, options as unknown as FitOptions<readonly never[], FitData | undefined>);
}

/** Expects the refusal of `options`, by `code`, naming `where` and saying `says`; the model stays as it was. */
export async function expectRefusal(
  model: Model,
  options: Anything,
  code: ErrorCode,
  where: string,
  says: string | RegExp = where,
): Promise<void> {
  const untouched = !model.initialized;
  const before = untouched ? "" : bitsOf(model);
  const error = await fitAnything(model, options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(CarillonError);
  expect(error).toMatchObject({ code, where });
  expect(String(error)).toMatch(says);
  expect(model.initialized).toBe(!untouched);
  if (!untouched) expect(bitsOf(model)).toBe(before);
}
