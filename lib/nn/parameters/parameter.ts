import { fail } from "../../errors.js";
import { checkKeys, checkNumber, checkOneOf } from "../../options.js";
import { checkBiasRegularizers, checked, type Regularizers } from "../../regularizers/index.js";
import { checkShape } from "../../tensor/shape.js";
import { type Initializer, lecunNormal, toInitializer, xavierUniform } from "./initializers.js";

/** The names of {@link ParameterRole}. */
export const PARAMETER_ROLES = ["weight", "bias", "scale", "table"] as const;

/**
 * Purpose of a parameter, by which penalties, decay and optimizers go: `weight` of a product, `bias`, `scale` of a normalization,
 * `table` of rows that are looked up.
 */
export type ParameterRole = (typeof PARAMETER_ROLES)[number];

/** A weight that training changes, as a layer declares it. */
export interface ParameterSpec {
  readonly shape: readonly number[];
  readonly role: ParameterRole;
  readonly init: Initializer;
  /** Of a table; see {@link ParameterOptions.rows}. */
  readonly rows: RowUpdates;
  /** Of a table: the row that is 0 at first; −1: none. */
  readonly padding: number;
  /** Of a table: the norm that rows are brought to before an update, where they have been looked up and are longer; absent for none. */
  readonly lookupNorm?: number | undefined;
  /** A penalty of its own; `null`: none; `undefined`: the model-wide one of its role. */
  readonly regularizer: Regularizers | undefined;
  /** See {@link ParameterOptions.rateFactor}. */
  readonly rateFactor: number;
  /** See {@link ParameterOptions.decayFactor}; `undefined`: as its role has it. */
  readonly decayFactor: number | undefined;
}

/** Options of {@link parameter}. */
export interface ParameterOptions {
  /** `weight` by default, `bias` for rank < 2. */
  readonly role?: ParameterRole | undefined;
  /** Initializer, or the constant to fill with. Xavier uniform by default, 0 for rank < 2; of a scale 1, of a table LeCun normal. */
  readonly init?: Initializer | number | undefined;
  /**
   * How a table is updated whose gradient is in few rows. `exact` (the default): to the bits of an update of all rows. `touched`: only
   * rows that the batch has looked up; moments, averages, decay and penalties of the others stand still, and steps count on for all
   * (lazy Adam and its kin).
   */
  readonly rows?: RowUpdates | undefined;
  /** Of a table: the row that is 0 at first. */
  readonly padding?: number | undefined;
  /** `null`: none; `undefined`: the model-wide one of weights or of biases; scales and tables have no other than their own. */
  readonly regularizer?: Regularizers | undefined;
  /** Its learning rate is η times this, ≥ 0; 1 by default. At 0 its moments go on and it stands still. */
  readonly rateFactor?: number | undefined;
  /**
   * Its decoupled decay is the λ of the optimizer times this, ≥ 0: `θ ← θ·(1 − η·rateFactor·λ·decayFactor)`. By default 1 where the
   * optimizer's decay reaches it, which is the role `weight` unless `compat` says otherwise, else 0.
   */
  readonly decayFactor?: number | undefined;
}

/** Which rows of a table an update reaches. */
export type RowUpdates = "exact" | "touched";

/** The initializer of a parameter without one, by its role and shape. */
export function initOf(role: ParameterRole, shape: readonly number[]): Initializer {
  if (role === "table") return lecunNormal();
  if (role === "scale") return toInitializer("parameter.init", 1, xavierUniform());
  return shape.length >= 2 ? xavierUniform() : toInitializer("parameter.init", 0, xavierUniform());
}

/** Declares a parameter of `shape` for {@link defineLayer}. A table of rank < 2 has no rows: `ERR_OPTION`. */
export function parameter(shape: readonly number[], options: ParameterOptions = {}): ParameterSpec {
  checkKeys("parameter", options, ["role", "init", "rows", "padding", "regularizer", "rateFactor", "decayFactor"]);
  checkShape("parameter", shape);
  const byRank = shape.length >= 2 ? "weight" : "bias";
  const role = checkOneOf("parameter.role", options.role ?? byRank, PARAMETER_ROLES);
  for (const name of ["rows", "padding"] as const) {
    if (role !== "table" && options[name] !== undefined)
      fail("ERR_OPTION", `parameter.${name}`, "none but of a table", options[name]);
  }
  if (role === "table" && shape.length < 2)
    fail("ERR_OPTION", "parameter.role", "another role for rank < 2 than", role);
  if (role === "bias" || role === "scale") checkBiasRegularizers("parameter.regularizer", options.regularizer);
  return {
    shape: [...shape],
    role,
    rows: checkOneOf("parameter.rows", options.rows ?? "exact", ["exact", "touched"]),
    padding:
      options.padding === undefined ? -1 : checkNumber("parameter.padding", options.padding, { min: 0, integer: true }),
    init: toInitializer("parameter.init", options.init, initOf(role, shape)),
    regularizer: checked("parameter.regularizer", options.regularizer),
    rateFactor: checkNumber("parameter.rateFactor", options.rateFactor ?? 1, { min: 0 }),
    decayFactor:
      options.decayFactor === undefined
        ? undefined
        : checkNumber("parameter.decayFactor", options.decayFactor, { min: 0 }),
  };
}
