import { Family, kind } from "../../described.js";
import { Model } from "../model.js";
import { SEQUENTIAL, type SequentialParts, sequentialOf } from "./layers.js";

/** Models by kind: those whose form is no function of the user's own. */
export const models = new Family<Model>("model", {
  sequential: kind((parts: SequentialParts) => new Model(sequentialOf(parts)), SEQUENTIAL),
});
