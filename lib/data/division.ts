// Options that split and kFold have in common.
import { CarillonError, fail } from "../errors.js";
import { checkOneOf } from "../options.js";
import { type Key as SeedKey, seedKey } from "../tensor/philox.js";
import type { Classes, Keys } from "./keys.js";

/** How a set is divided. */
export interface DivisionOptions<Row = never> {
  /**
   * Gives every part its share of each class: `true` for the classes in y, or one class a row. Rows of zeros and ones, several
   * labels a row, are divided so that each label has about its share.
   */
  readonly stratify?: boolean | Classes<Row> | undefined;
  /** One value a row: rows with the same value, of one patient say, are never parted. */
  readonly groups?: Keys<Row> | undefined;
  /** `'time'`: rows are in the order of time, and what is held out comes behind what is trained on; `'random'` by default. */
  readonly order?: "random" | "time" | undefined;
  /** Rows of a set all of whose members are flat. */
  readonly rows?: number | undefined;
  /** An integer in [0, 2⁵³), 0 by default; none with `order: 'time'`. */
  readonly seed?: number | undefined;
}

/** The same of any set, before it is looked at. */
export interface AnyDivision {
  readonly stratify?: unknown;
  readonly groups?: unknown;
  readonly order?: "random" | "time" | undefined;
  readonly rows?: number | undefined;
  readonly seed?: number | undefined;
}

export const DIVISION_KEYS = ["stratify", "groups", "order", "rows", "seed"] as const;

/** How rows are divided, and the key of the seed. */
export interface Division {
  readonly by: "rows" | "classes" | "groups" | "time";
  readonly key: SeedKey;
}

/** `ERR_OPTION` unless at most one of `stratify`, `groups` and `order: 'time'` is given, and a seed only where something is drawn. */
export function checkDivision(where: string, options: AnyDivision): Division {
  const { stratify = false, groups, order = "random", seed = 0 } = options;
  checkOneOf(`${where}.order`, order, ["random", "time"]);
  if (!["boolean", "function", "object"].includes(typeof stratify)) {
    fail("ERR_OPTION", `${where}.stratify`, "true, false or one class a row", stratify);
  }
  const asked = [
    ...(stratify === false ? [] : (["classes"] as const)),
    ...(groups === undefined ? [] : (["groups"] as const)),
    ...(order === "time" ? (["time"] as const) : []),
  ];
  if (asked.length > 1) {
    const message = `expected one of 'stratify', 'groups' and order: 'time' for '${where}' but received ${asked.length}`;
    throw new CarillonError("ERR_OPTION", where, message);
  }
  if (order === "time" && options.seed !== undefined) {
    fail("ERR_OPTION", `${where}.seed`, "none, as nothing is drawn in the order of time,", seed);
  }
  return { by: asked[0] ?? "rows", key: seedKey(`${where}.seed`, seed) };
}

/** The rows of a part, in their order. */
export function rowsIn(part: Uint32Array, isIn: (number: number) => boolean): Uint32Array<ArrayBuffer> {
  let count = 0;
  for (let row = 0; row < part.length; row++) if (isIn(part[row] ?? 0)) count += 1;
  const rows = new Uint32Array(count);
  for (let row = 0, place = 0; row < part.length; row++) {
    if (!isIn(part[row] ?? 0)) continue;
    rows[place] = row;
    place += 1;
  }
  return rows;
}
