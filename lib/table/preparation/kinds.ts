import { Family, kind, plain } from "../../described.js";
import { categories, signs } from "./categories.js";
import { dateParts } from "./date_parts.js";
import { hashedText } from "./hashed_text.js";
import { numeric } from "./numeric.js";
import { oneHot } from "./one_hot.js";
import type { ColumnTransform } from "./transform.js";

/** Transforms of columns by kind. */
export const columnTransforms = new Family<ColumnTransform>("transform of a column", {
  numeric: kind(numeric, { scale: plain }),
  categories: kind(categories, { least: plain }),
  oneHot: kind(oneHot, { scale: plain }),
  signs: kind(signs, {}),
  dateParts: kind(dateParts, {}),
  hashedText: kind(hashedText, { buckets: plain, words: plain, characters: plain, most: plain }),
});
