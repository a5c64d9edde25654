import { Family, kind } from "../../described.js";
import { SEQUENTIAL, type SequentialParts, sequentialOf } from "../kinds/layers.js";
import { Model } from "./model.js";

/** Models by kind: those whose form is no function of the user's own. */
export const models = new Family<Model>("model", {
  sequential: kind((parts: SequentialParts) => new Model(sequentialOf(parts)), SEQUENTIAL),
});
