import { Family, kind, plain } from "../described.js";
import { divideBy, minMax, standardize, type Transform } from "./transform.js";

/** Transforms by kind. */
export const transforms = new Family<Transform>("transform", {
  standardize: kind(standardize, {}),
  minMax: kind(minMax, { range: plain }),
  divideBy: kind(({ divisor }: { readonly divisor: number }) => divideBy(divisor), { divisor: plain }),
});
