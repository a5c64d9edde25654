import { type AnyModel, Tensor } from "carillon";

/** An output of a model by name. */
export interface Answer {
  readonly name: string;
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/** What a model answers to the rows of its inputs, in their order. */
export function answersOf(model: AnyModel, inputs: readonly unknown[]): readonly Answer[] {
  const names = model.rows.inputs.map(({ name }) => name);
  const isOne = names.length === 1 && names[0] === "x";
  const rows = isOne ? inputs[0] : Object.fromEntries(names.map((name, at) => [name, inputs[at]]));
  const given: unknown = Reflect.apply(model.predictSync, model, [rowsOf(rows)]);
  const found = given instanceof Tensor ? [["y", given] as const] : Object.entries(given as Record<string, unknown>);
  return found.map(([name, tensor]) => {
    if (!(tensor instanceof Tensor)) throw new Error(`no tensor for ${name}`);
    return { name, data: Float32Array.from(tensor.data), shape: tensor.shape };
  });
}

/** Rows as tensors, one input or several by name. */
function rowsOf(rows: unknown): unknown {
  if (typeof rows !== "object" || rows === null) return rows;
  if ("data" in rows && "shape" in rows)
    return new Tensor(rows.data as Float32Array, rows.shape as number[], dtypeOf(rows.data));
  if ("offsets" in rows) return rows;
  return Object.fromEntries(Object.entries(rows).map(([name, value]) => [name, rowsOf(value)]));
}

function dtypeOf(data: unknown): "f32" | "i32" | "u8" {
  const tag = Object.prototype.toString.call(data);
  return tag === "[object Int32Array]" ? "i32" : tag === "[object Uint8Array]" ? "u8" : "f32";
}
