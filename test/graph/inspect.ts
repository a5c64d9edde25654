import { native, nativeInfo } from "../../lib/binding/native.js";
import type { Binding } from "../../lib/graph/binding.js";
import { giveOut } from "../../lib/graph/output.js";
import { atOnce, type Plan, planInPieces } from "../../lib/graph/plan.js";
import { Trace, tracing } from "../../lib/graph/trace.js";
import type { Shape } from "../../lib/tensor/shape.js";
import { Value } from "../../lib/tensor/value.js";

/** Inputs of a body to plan, by name. */
export type Shapes = Readonly<Record<string, { readonly shape: Shape; readonly dtype?: "f32" | "i32" }>>;

/** The plan of a body whose outputs are given out, as `program` makes it. */
export function planned<S extends Shapes>(
  inputs: S,
  body: (inputs: { readonly [K in keyof S]: Value }) => readonly Value[],
  maxRows = 8,
): Plan {
  const trace = new Trace(0, true);
  const bindings = new Map<string, Binding>();
  const values = Object.entries(inputs).map(([name, { shape, dtype = "f32" }]): [string, Value] => {
    const count = shape.reduce<number>((product, dim) => product * (dim === "batch" ? maxRows : dim), 1);
    bindings.set(name, { kind: "direct", slab: native.slabCreate(count, dtype) });
    return [name, new Value(shape, dtype, { kind: "input", name })];
  });
  tracing(trace, () => {
    for (const value of body(Object.fromEntries(values) as { readonly [K in keyof S]: Value })) {
      const count = value.shape.reduce<number>((product, dim) => product * (dim === "batch" ? maxRows : dim), 1);
      trace.add(giveOut(value, native.slabCreate(count, value.dtype === "i32" ? "i32" : "f32")));
    }
  });
  return atOnce(planInPieces(trace, { maxRows, bindings }));
}

/** One instruction of a plan, as its words say it. */
export interface Decoded {
  readonly name: string;
  readonly views: readonly number[];
  readonly ints: readonly number[];
  readonly doubles: readonly number[];
}

/** The instructions of a plan, in order: walks the words as native/program/decode.h lays them out. */
export function decoded(code: Int32Array): Decoded[] {
  const list: Decoded[] = [];
  for (let at = 0; at < code.length; ) {
    const [operation = -1, views = 0, ints = 0, doubles = 0] = code.subarray(at, at + 4);
    const [first, second, third] = [at + 4, at + 4 + views, at + 4 + views + ints];
    at = third + 2 * doubles;
    list.push({
      name: nativeInfo.operations[operation] ?? `number ${operation}`,
      views: Array.from(code.subarray(first, second)),
      ints: Array.from(code.subarray(second, third)),
      doubles: Array.from(new Float64Array(code.slice(third, at).buffer)),
    });
  }
  return list;
}

/** Names of the instructions of a plan, in order. */
export function instructions(code: Int32Array): string[] {
  return decoded(code).map(({ name }) => name);
}
