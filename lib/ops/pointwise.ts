import type { NativeLists } from "../binding/operations.js";
import { extent } from "../tensor/shape.js";
import type { Value } from "../tensor/value.js";
import { at, expectDtype, type Rule } from "./apply.js";
import { binaryInstruction, broadcastShape, reduceTo } from "./broadcast.js";
import { instruction } from "./encode.js";
import { camelCase } from "./native_table.js";

/** dℓ/dx of an elementwise function from x, y = f(x) and g = dℓ/dy. */
export type UnaryGradient = (x: Value, y: Value, g: Value) => Value;

/** dℓ/da and dℓ/db of y = f(a, b) from g = dℓ/dy, before the sums over what was broadcast. */
export type BinaryGradient = (
  a: Value,
  b: Value,
  y: Value,
  g: Value,
) => readonly [Value | undefined, Value | undefined];

function unaryRule(native: NativeLists["unary"], slope: UnaryGradient | null): Rule<null> {
  const name = camelCase(native);
  return {
    name,
    infer(inputs) {
      expectDtype(name, at(inputs, 0), "f32");
      return { shape: at(inputs, 0).shape };
    },
    lower: (inputs, output) =>
      instruction("unary", { x: at(inputs, 0), y: output }, { count: extent(output.shape), function: native }),
    gradient: slope === null ? null : (inputs, output, gradient) => [slope(at(inputs, 0), output, gradient)],
    inPlace: 0,
  };
}

function binaryRule(native: NativeLists["binary"], slopes: BinaryGradient | null): Rule<null> {
  const name = camelCase(native);
  return {
    name,
    infer(inputs) {
      expectDtype(name, at(inputs, 0), "f32");
      expectDtype(name, at(inputs, 1), "f32");
      return { shape: broadcastShape(name, at(inputs, 0).shape, at(inputs, 1).shape) };
    },
    lower: (inputs, output) => binaryInstruction(native, at(inputs, 0), at(inputs, 1), output),
    gradient:
      slopes === null
        ? null
        : (inputs, output, gradient) =>
            slopes(at(inputs, 0), at(inputs, 1), output, gradient).map((flow, index) =>
              flow === undefined ? undefined : reduceTo(flow, at(inputs, index).shape),
            ),
    inPlace: 0,
  };
}

function mapRules<N extends string, S>(
  table: Readonly<Record<N, S>>,
  make: (native: N, slope: S) => Rule<null>,
): Record<N, Rule<null>> {
  const names = Object.keys(table) as N[];
  return Object.fromEntries(names.map((name) => [name, make(name, table[name])])) as Record<N, Rule<null>>;
}

/** Rules of native functions of one argument by name; `null` where the slope is 0. */
export function unaryRulesOf<N extends NativeLists["unary"]>(
  table: Readonly<Record<N, UnaryGradient | null>>,
): Record<N, Rule<null>> {
  return mapRules<N, UnaryGradient | null>(table, unaryRule);
}

/** Rules of native functions of two arguments by name; `null` where both slopes are 0. */
export function binaryRulesOf<N extends NativeLists["binary"]>(
  table: Readonly<Record<N, BinaryGradient | null>>,
): Record<N, Rule<null>> {
  return mapRules<N, BinaryGradient | null>(table, binaryRule);
}
