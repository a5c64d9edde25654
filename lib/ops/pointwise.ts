import type { NativeLists } from "../binding/operations.js";
import type { CamelCase, OperationName } from "../tensor/attributes.js";
import { extent } from "../tensor/shape.js";
import type { Rule, Value } from "../tensor/value.js";
import { at, expectDtype, f32 } from "./apply.js";
import { binaryInstruction, broadcastShape, reduceTo } from "./broadcast.js";
import { instruction } from "./encode.js";
import { inList, snakeCase } from "./native_table.js";

/** dℓ/dx of an elementwise function from x, y = f(x) and g = dℓ/dy. */
export type UnaryGradient = (x: Value, y: Value, g: Value) => Value;

/** dℓ/da and dℓ/db of y = f(a, b) from g = dℓ/dy, before the sums over what was broadcast. */
export type BinaryGradient = (
  a: Value,
  b: Value,
  y: Value,
  g: Value,
) => readonly [Value | undefined, Value | undefined];

/** Names of elementwise operations: those of native functions, in the spelling of TypeScript. */
export type UnaryOperation = CamelCase<NativeLists["unary"]>;
export type BinaryOperation = CamelCase<NativeLists["binary"]>;

function unaryRule<K extends UnaryOperation>(name: K, slope: UnaryGradient | null): Rule<K> {
  const native = inList("unary", snakeCase(name));
  return {
    name,
    infer(inputs) {
      expectDtype(name, at(inputs, 0), "f32");
      return f32(at(inputs, 0).shape);
    },
    lower(inputs, outputs) {
      const [x, y] = [at(inputs, 0), at(outputs, 0)];
      return instruction("unary", { x, y }, { count: extent(y.shape), function: native });
    },
    gradient: slope === null ? null : (inputs, outputs, flows) => [slope(at(inputs, 0), at(outputs, 0), at(flows, 0))],
    inPlace: 0,
  };
}

function binaryRule<K extends BinaryOperation>(name: K, slopes: BinaryGradient | null): Rule<K> {
  const native = inList("binary", snakeCase(name));
  return {
    name,
    infer(inputs) {
      expectDtype(name, at(inputs, 0), "f32");
      expectDtype(name, at(inputs, 1), "f32");
      return f32(broadcastShape(name, at(inputs, 0).shape, at(inputs, 1).shape));
    },
    lower: (inputs, outputs) => binaryInstruction(native, at(inputs, 0), at(inputs, 1), at(outputs, 0)),
    gradient:
      slopes === null
        ? null
        : (inputs, outputs, flows) =>
            slopes(at(inputs, 0), at(inputs, 1), at(outputs, 0), at(flows, 0)).map((flow, index) =>
              flow === undefined ? undefined : reduceTo(flow, at(inputs, index).shape),
            ),
    inPlace: 0,
  };
}

type Rules<K extends OperationName> = { readonly [P in K]: Rule<P> };

/** Rules of native functions of one argument by name; `null` where the slope is 0. */
export function unaryRulesOf<K extends UnaryOperation>(table: Readonly<Record<K, UnaryGradient | null>>): Rules<K> {
  const rules: { [P in K]?: Rule<P> } = {};
  for (const name of Object.keys(table) as K[]) rules[name] = unaryRule(name, table[name]);
  return rules as Rules<K>;
}

/** Rules of native functions of two arguments by name; `null` where both slopes are 0. */
export function binaryRulesOf<K extends BinaryOperation>(table: Readonly<Record<K, BinaryGradient | null>>): Rules<K> {
  const rules: { [P in K]?: Rule<P> } = {};
  for (const name of Object.keys(table) as K[]) rules[name] = binaryRule(name, table[name]);
  return rules as Rules<K>;
}
