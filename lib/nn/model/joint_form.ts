import { Part } from "../../io/part.js";
import { parsePlain } from "../../io/state_reader.js";
import type { RowSpec } from "../../tensor/row_spec.js";
import type { LayerConfig } from "../structure/layer.js";
import { rowOf } from "../structure/sequence.js";
import { checkInput } from "../structure/sequential_options.js";
import { type JointForm, MIXINGS, MOST_MEMBERS } from "./joint.js";

/** The form that a file says; `ERR_FILE` names what it cannot be. */
export function jointForm(config: LayerConfig | null, where: string): JointForm {
  const part = new Part(where, "layers[0].config", config);
  const inputs = parsePlain(part.at("inputs").text(), where, "inputs")
    .list()
    .map((row): RowSpec => {
      const shape = row
        .at("shape")
        .list()
        .map((size) => size.count(1));
      const dtype = row.at("dtype").oneOf(["f32", "i32", "u8"]);
      return rowOf(row.at("name").text(), checkInput("joint.inputs", { shape: ["batch", ...shape], dtype }));
    });
  part.at("inputs").expect(inputs.length > 0, "an input or more");
  const mixing = part.at("mixing").oneOf(MIXINGS);
  const weights = part
    .at("weights")
    .list()
    .map((weight) => weight.number({ min: 0, max: 1 }));
  part.at("weights").expect(weights.length > 0 && weights.length <= MOST_MEMBERS, `1 to ${MOST_MEMBERS} numbers`);
  const told = part.at("takes");
  if (told.value === undefined) return { inputs, mixing, weights };
  const takes = parsePlain(told.text(), where, "takes")
    .list(weights.length)
    .map((names) => {
      const own = names.names();
      const isKnown = own.length > 0 && own.every((name) => inputs.some((one) => one.name === name));
      names.expect(isKnown && new Set(own).size === own.length, "names of inputs, each once");
      return own;
    });
  return { inputs, mixing, weights, takes };
}
