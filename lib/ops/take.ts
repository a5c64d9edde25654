import { CarillonError, fail } from "../errors.js";
import { checkKeys, checkOneOf } from "../options.js";
import { BAG_MODES, type BagMode, type Listed, type Looked, type Padded } from "../tensor/attributes.js";
import { RaggedValue } from "../tensor/ragged_value.js";
import { elements, extent, formatShape, type Shape, sameShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Rule, Value } from "../tensor/value.js";
import { apply, at, checkValue, expectDtype, f32, type Of } from "./apply.js";
import type { Moved } from "./arrange.js";
import { reshape } from "./broadcast.js";
import { multiply } from "./elementwise.js";
import { instruction } from "./encode.js";
import { sum } from "./sums.js";

/** Which rows of a table an instruction looks up. */
function lookUp(indices: Shape, table: Shape, { padding }: Padded) {
  return {
    tableRows: extent(table.slice(0, 1)),
    columns: elements(table.slice(1)),
    width: elements(indices.slice(1)),
    padding,
  };
}

/** The same of bags: a row of their ids is one, or a list. */
const bagged = (ids: Shape, table: Shape, padded: Padded) => ({
  ...lookUp(ids, table, padded),
  width: elements(ids.slice(-1)),
});

/** What bags are made of, behind the table or what flows back. */
export interface BagParts {
  readonly ids: Value;
  /** Of lists. */
  readonly ends: Value | undefined;
  readonly weights: Value | undefined;
}

/** The parts of bags among the inputs of `bag` or its gradient. */
export function bagParts(inputs: readonly Value[], { ragged }: Listed): BagParts {
  const behind = ragged ? 1 : 0;
  return { ids: at(inputs, 1), ends: ragged ? at(inputs, 2) : undefined, weights: inputs[2 + behind] };
}

/** `ERR_SHAPE` for a table without rows. */
function expectRows(where: string, { shape }: Value): void {
  if (shape.length > 0) return;
  throw new CarillonError(
    "ERR_SHAPE",
    where,
    `expected an axis or more for '${where}' but received ${formatShape([])}`,
  );
}

/** `ERR_SHAPE` for another shape than the one that is wanted. */
function expectSame(where: string, received: Shape, wanted: Shape): void {
  if (sameShape(received, wanted)) return;
  const expected = `expected ${formatShape(wanted)} for '${where}'`;
  throw new CarillonError("ERR_SHAPE", where, `${expected} but received ${formatShape(received)}`);
}

const takeRule: Rule<"take"> = {
  name: "take",
  infer(inputs) {
    const [table, indices] = [at(inputs, 0), at(inputs, 1)];
    expectDtype("take.indices", indices, "i32");
    if (table.dtype === "u8") expectDtype("take", table, "f32");
    expectRows("take", table);
    return [{ shape: [...indices.shape, ...table.shape.slice(1)], dtype: table.dtype }];
  },
  lower(inputs, outputs, { gaps, ...padded }) {
    const [table, indices, y] = [at(inputs, 0), at(inputs, 1), at(outputs, 0)];
    const numbers = { count: extent(indices.shape), ...lookUp(indices.shape, table.shape, padded), gaps };
    return instruction("take", { table, indices, y }, numbers);
  },
  gradient(inputs, _outputs, flows, looked) {
    const [table, indices] = [at(inputs, 0), at(inputs, 1)];
    const own = { shape: table.shape, ...looked, bags: "none", ragged: false } as const;
    return [apply(takeGradientRule, [at(flows, 0), indices], own), undefined];
  },
};

const bagRule: Rule<"bag"> = {
  name: "bag",
  infer(inputs, listed) {
    const table = at(inputs, 0);
    const { ids, ends, weights } = bagParts(inputs, listed);
    expectDtype("bag", table, "f32");
    expectDtype("bag.ids", ids, "i32");
    expectRows("bag", table);
    if (ends !== undefined) return f32([...ends.shape, ...table.shape.slice(1)]);
    if (typeof ids.shape.at(-1) !== "number") {
      const expected = "expected rows of ids, [batch, n], for 'bag.ids'";
      throw new CarillonError("ERR_SHAPE", "bag.ids", `${expected} but received ${formatShape(ids.shape)}`);
    }
    if (weights !== undefined) {
      expectDtype("bag.weights", weights, "f32");
      expectSame("bag.weights", weights.shape, ids.shape);
    }
    return f32([...ids.shape.slice(0, -1), ...table.shape.slice(1)]);
  },
  lower(inputs, outputs, { mode, ragged, ...padded }) {
    const [table, y] = [at(inputs, 0), at(outputs, 0)];
    const { ids, ends = null, weights = null } = bagParts(inputs, { ragged });
    const bags = extent(ends?.shape ?? ids.shape.slice(0, -1));
    return instruction(
      "bag",
      { table, ids, weights, ends, y },
      { bags, ...bagged(ids.shape, table.shape, padded), mode },
    );
  },
  gradient(inputs, _outputs, flows, { mode, padding, ragged }) {
    const table = at(inputs, 0);
    const own = { shape: table.shape, padding, bags: mode, gaps: !ragged, ragged };
    const back = apply(takeGradientRule, [at(flows, 0), ...inputs.slice(1)], own);
    return [back, undefined, ...weightsFlow(table, inputs, at(flows, 0), { padding, ragged })];
  },
};

/** What flows back into what stands behind the ids of bags; nothing, where these are lists, whose weights are data. */
function weightsFlow(
  table: Value,
  inputs: readonly Value[],
  flowing: Value,
  { padding, ragged }: Padded & Listed,
): readonly Value[] {
  const { ids, weights } = bagParts(inputs, { ragged });
  return weights === undefined || ragged ? [] : [weightsGradient(table, ids, flowing, padding)];
}

/** ∂ℓ/∂weights of a bag: the product of each row with what flows into its bag; 0 of ids that are none. */
function weightsGradient(table: Value, ids: Value, flowing: Value, padding: number): Value {
  const columns = elements(table.shape.slice(1));
  const flat = reshape(table, [...table.shape.slice(0, 1), columns]);
  const rows = apply(takeRule, [flat, ids], { padding, gaps: true });
  return sum(multiply(rows, reshape(flowing, [...ids.shape.slice(0, -1), 1, columns])), { axis: "last" });
}

/** The gradient of the table: each row is one chain from +0 over what flows back to the indices that name it, ascending. */
const takeGradientRule: Rule<"takeGradient"> = {
  name: "takeGradient",
  infer(inputs, { shape }) {
    expectDtype("takeGradient", at(inputs, 0), "f32");
    expectDtype("takeGradient.indices", at(inputs, 1), "i32");
    return f32(shape);
  },
  lower(inputs, outputs, attributes) {
    const [gradient, y] = [at(inputs, 0), at(outputs, 0)];
    const parts = bagParts(inputs, attributes);
    const { ids: indices, ends = null, weights = null } = parts;
    const { numbers, table } = scatterNumbers(parts, y.shape, attributes);
    return instruction("take_gradient", { gradient, indices, weights, ends, y }, { ...numbers, ...table });
  },
  gradient(inputs, _outputs, flows, { padding, bags, gaps, ragged }) {
    const table = at(flows, 0);
    if (bags === "none") return [apply(takeRule, [table, at(inputs, 1)], { padding, gaps }), undefined];
    const back = apply(bagRule, [table, ...inputs.slice(1)], { padding, mode: bags, ragged });
    return [back, undefined, ...weightsFlow(table, inputs, at(inputs, 0), { padding, ragged })];
  },
};

/** The numbers of an instruction that puts what flows back to indices together by rows of a table, and those of the table. */
export function scatterNumbers(
  { ids, ends }: BagParts,
  table: Shape,
  { bags, padding, gaps }: Looked & { readonly bags: BagMode | "none" },
) {
  const { tableRows, columns, width } = (bags === "none" ? lookUp : bagged)(ids.shape, table, { padding });
  const lists = ends === undefined ? 0 : extent(ends.shape);
  return {
    numbers: { count: extent(ids.shape), lists, width, padding, bags, gaps },
    table: { tableRows, columns },
  };
}

/**
 * The rows of a table, [n, …], that integers name: [n, …] and […] i32 give […, …]. An integer outside [0, n) is `ERR_DATA`, which
 * names its row and column, and is found before anything is read. The gradient of a row is the sum over the integers that name
 * it, one chain from +0 in their order.
 */
export function take<T extends Value, I extends Value>(table: T, indices: I): [I] extends [Tensor] ? Moved<T> : Value {
  checkValue("take", table);
  checkValue("take.indices", indices);
  const plain = { padding: NO_PADDING, gaps: false };
  return apply(takeRule, [table, indices], plain) as [I] extends [Tensor] ? Moved<T> : Value;
}

/** Of a table without a row that is read as 0. */
export const NO_PADDING = -1;

/** {@link take}, of which row `padding` is read as 0, whatever stands there, and has no gradient. */
export function takePadded(table: Value, indices: Value, padding: number): Value {
  return apply(takeRule, [table, indices], { padding, gaps: false });
}

/** {@link take}'s gradient with respect to its table, a value of `shape`. */
export const takeGradient = (gradient: Value, indices: Value, shape: Shape): Value =>
  apply(takeGradientRule, [gradient, indices], {
    shape,
    padding: NO_PADDING,
    gaps: false,
    bags: "none",
    ragged: false,
  });

/** Options of {@link bag}. */
export interface BagOptions<W extends Value = Value> {
  /** `sum` (the default), or that by the number of ids, or by the root of their number. */
  readonly mode?: BagMode | undefined;
  /** Factors of the rows, of the shape of the ids, for sums alone. */
  readonly weights?: W | undefined;
}

/**
 * Bags of rows of a table, [n, …], that rows of ids name: [n, …] and […, k] i32 give […, …]. The id −1 is none, and an empty bag gives
 * zeros; any other outside [0, n) is `ERR_DATA`, as for {@link take}.
 *
 * y = Σᵢ wᵢ·table[idᵢ], one chain of fused multiply-adds from +0 in the order of the ids (w is 1 without `weights`); the mean multiplies
 * that by 1/m, rounded once, where m ids are there, `sqrtn` by 1/√m, root and quotient each rounded.
 *
 * An input of lists (`ragged`) is taken too: each list is a bag, with the weights that the data have. There −1 is refused.
 */
export function bag<T extends Value, I extends Value, W extends Value = T>(
  table: T,
  ids: I,
  options: BagOptions<W> = {},
): Of<T | I | W> {
  checkKeys("bag", options, ["mode", "weights"]);
  return bagPadded(table, ids, { ...options, padding: NO_PADDING }) as Of<T | I | W>;
}

/** {@link bag} of a table whose row `padding` is none. */
export function bagPadded(table: Value, ids: Value, { mode = "sum", weights, padding }: BagOptions & Padded): Value {
  checkValue("bag", table);
  checkValue("bag.ids", ids);
  checkOneOf("bag.mode", mode, BAG_MODES);
  if (ids instanceof RaggedValue) return bagOfLists(table, ids, weights, { mode, padding });
  const own = { mode, padding, ragged: false };
  if (weights === undefined) return apply(bagRule, [table, ids], own);
  checkValue("bag.weights", weights);
  if (mode !== "sum") {
    throw new CarillonError(
      "ERR_OPTION",
      "bag.weights",
      `expected no weights for 'bag' with mode '${mode}' but received some`,
    );
  }
  return apply(bagRule, [table, ids, weights], own);
}

/** Bags of an input of lists, with the weights that its data have. */
function bagOfLists(
  table: Value,
  lists: RaggedValue,
  weights: Value | undefined,
  { mode, padding }: Padded & { readonly mode: BagMode },
): Value {
  if (weights !== undefined) fail("ERR_OPTION", "bag.weights", "none, as lists have their own,", weights);
  const own = lists.weightsFor(mode);
  const parts = own === undefined ? [] : [own];
  return apply(bagRule, [table, lists.ids, lists.ends, ...parts], { mode, padding, ragged: true });
}

/** Rules of this file, for the tests that walk all operations. */
export const takeRules = { take: takeRule, bag: bagRule, takeGradient: takeGradientRule } as const;
