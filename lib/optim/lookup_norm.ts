import { CarillonError } from "../errors.js";
import type { Trace } from "../graph/trace.js";
import { Value } from "../tensor/value.js";
import { RowGradient } from "./row_gradient.js";
import { rowsOf, type TrainedGradient } from "./trained.js";
import { Update } from "./update.js";

/**
 * Brings the rows of a table that the batch has looked up, where they are longer than its `lookupNorm`, to that norm: an update of rate 0 with a
 * bound, before the one that trains them. `ERR_OPTION` where the gradient does not say which rows these are.
 */
export function boundLookups(trace: Trace, { model, segment, gradient }: TrainedGradient): void {
  const { name, offset, shape, count, spec } = segment;
  if (spec.lookupNorm === undefined) return;
  if (!(gradient instanceof RowGradient)) {
    const expected = `expected a gradient in rows of '${name}', as its preset 'pytorch' bounds rows before the lookup,`;
    const received = "an optimizer of operations, clipped penalties, or a table that other operations read";
    throw new CarillonError("ERR_OPTION", name, `${expected} but received ${received}`);
  }
  const rows = rowsOf(shape);
  const none = { l2: 0, l1: 0, decay: 0, scheduledDecay: 0, shrink: 0, metric: false };
  const unreported = { penaltySquares: 0, penaltyAbsolutes: 0 };
  const squares = new Value([], "f32", { kind: "input", name: `squares of looked-up rows of ${name}` });
  const table = { offset, rows, columns: count / rows, ...none, ...unreported, maxNorm: spec.lookupNorm };
  trace.add(
    new Update({
      rule: "sgd",
      constants: [],
      scalars: 0,
      lane: trace.lane(() => 0).first,
      decayLane: undefined,
      parameters: model.slab,
      states: [],
      average: null,
      gradients: { kind: "rows", gradient, lookUp: gradient.lookUp, reach: "touched", segment: table, squares },
      total: 0,
      clipValue: Number.POSITIVE_INFINITY,
      gradientScale: null,
      penalty: new Value([], "f32", { kind: "input", name: `penalty of ${name}` }),
    }),
  );
}
