// A model of Keras, of its configuration: layers one after another, or as they are called (functional).
import { type Description, fromDescription } from "../../index.js";
import { broken } from "../../io/refusal.js";
import { Builder, type BuildOptions, type BuiltModel, layersIn, placed, rowsOf, serializedOf } from "./builder.js";
import { chainOfOperations, functional, isOperation } from "./functional.js";

/** The model of a configuration: `class_name` and `config` of a Sequential or Functional; `ERR_FILE` names the first layer that does not cross. */
export function buildModel(where: string, topology: unknown, options: BuildOptions = {}): BuiltModel {
  const model = serializedOf(where, topology);
  if (model.className === "Sequential") return sequentialOf(where, model.config, options);
  if (model.className === "Functional" || model.className === "Model") return functional(where, model.config, options);
  throw broken(
    where,
    "a Sequential or a Functional model",
    `${model.className}: a class of one's own has its form in its code`,
  );
}

function sequentialOf(where: string, config: object, { input }: BuildOptions): BuiltModel {
  const layers = layersIn(where, config);
  const [first] = layers;
  if (first === undefined) throw broken(where, "a layer or more", "none");
  const stated: unknown =
    Reflect.get(first.config, "batch_shape") ??
    Reflect.get(first.config, "batch_input_shape") ??
    Reflect.get(config, "build_input_shape");
  if (layers.some(isOperation)) return chainOfOperations(where, layers, stated, { input });
  const isTable = layers.find(({ className }) => className !== "InputLayer")?.className === "Embedding";
  const rows = rowsOf(first.where, stated, isTable ? "int32" : "float32", input);
  const builder = new Builder();
  const built: Description[] = [];
  let spec = rows;
  for (const layer of layers) {
    if (layer.className === "InputLayer") continue;
    const next = builder.build(layer, spec);
    built.push(...next.layers);
    spec = next.spec;
  }
  return { model: chain(where, built, rows.shape, rows.dtype), layers: builder.layers, notes: builder.notes };
}

/** A model of layers one after another. */
export function chain(
  where: string,
  layers: readonly Description[],
  shape: readonly (number | "batch")[],
  dtype: string,
) {
  return placed(where, () =>
    fromDescription("model", { kind: "sequential", options: { layers, input: { shape, dtype } } }),
  );
}
