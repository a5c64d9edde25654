import { Family, kind, plain } from "../described.js";
import { divideBy, minMax, robustScale, standardize, type Transform } from "./transform.js";

/** Transforms by kind. */
export const transforms = new Family<Transform>("transform", {
  standardize: kind(standardize, {}),
  robustScale: kind(robustScale, {}),
  minMax: kind(minMax, { range: plain }),
  divideBy: kind(({ divisor }: { readonly divisor: number }) => divideBy(divisor), { divisor: plain }),
});
