import type { Operator } from "../importing.js";
import { pointwiseOperators } from "./pointwise.js";
import { productOperators } from "./products.js";
import { recurrentOperators } from "./recurrent.js";
import { reductionOperators } from "./reductions.js";
import { shapeOperators } from "./shapes.js";
import { sizeOperators } from "./sizes.js";
import { windowOperators } from "./windows.js";

/** What nodes become, by their operators. */
export const operators: ReadonlyMap<string, Operator> = new Map(
  Object.entries({
    ...pointwiseOperators,
    ...productOperators,
    ...recurrentOperators,
    ...reductionOperators,
    ...shapeOperators,
    ...sizeOperators,
    ...windowOperators,
  }),
);
