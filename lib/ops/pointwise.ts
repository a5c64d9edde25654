import { extent } from "../tensor/shape.js";
import type { Value } from "../tensor/value.js";
import { at, expectDtype, type Rule } from "./apply.js";
import { binaryInts, broadcastShape, reduceTo } from "./broadcast.js";
import { unaryId } from "./encode.js";

/** dℓ/dx of an elementwise function from x, y = f(x) and g = dℓ/dy. */
export type UnaryGradient = (x: Value, y: Value, g: Value) => Value;

/** dℓ/da and dℓ/db of y = f(a, b) from g = dℓ/dy, before the sums over what was broadcast. */
export type BinaryGradient = (
  a: Value,
  b: Value,
  y: Value,
  g: Value,
) => readonly [Value | undefined, Value | undefined];

function unaryRule(native: string, slope: UnaryGradient | null): Rule<null> {
  const name = camelCase(native);
  return {
    name,
    infer(inputs) {
      expectDtype(name, at(inputs, 0), "f32");
      return { shape: at(inputs, 0).shape };
    },
    lower: (inputs, output) => ({
      operation: "unary",
      views: [at(inputs, 0), output],
      ints: [extent(output.shape), unaryId(native)],
      doubles: [],
    }),
    gradient: slope === null ? null : (inputs, output, gradient) => [slope(at(inputs, 0), output, gradient)],
    inPlace: 0,
  };
}

function binaryRule(native: string, slopes: BinaryGradient | null): Rule<null> {
  const name = camelCase(native);
  return {
    name,
    infer(inputs) {
      expectDtype(name, at(inputs, 0), "f32");
      expectDtype(name, at(inputs, 1), "f32");
      return { shape: broadcastShape(name, at(inputs, 0).shape, at(inputs, 1).shape) };
    },
    lower: (inputs, output) => ({
      operation: "binary",
      views: [at(inputs, 0), at(inputs, 1), output],
      ints: binaryInts(native, inputs, output),
      doubles: [],
    }),
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

/** The name of a native function in TypeScript, which errors bear: `hardTanh` of `hard_tanh`. */
function camelCase(name: string): string {
  return name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}

function mapRules<N extends string, S>(
  table: Readonly<Record<N, S>>,
  make: (native: string, slope: S) => Rule<null>,
): Record<N, Rule<null>> {
  const entries = Object.entries<S>(table).map(([name, slope]) => [name, make(name, slope)]);
  return Object.fromEntries(entries) as Record<N, Rule<null>>;
}

/** Rules of native functions of one argument by name; `null` where the slope is 0. */
export function unaryRulesOf<N extends string>(
  table: Readonly<Record<N, UnaryGradient | null>>,
): Record<N, Rule<null>> {
  return mapRules<N, UnaryGradient | null>(table, unaryRule);
}

/** Rules of native functions of two arguments by name; `null` where both slopes are 0. */
export function binaryRulesOf<N extends string>(
  table: Readonly<Record<N, BinaryGradient | null>>,
): Record<N, Rule<null>> {
  return mapRules<N, BinaryGradient | null>(table, binaryRule);
}
