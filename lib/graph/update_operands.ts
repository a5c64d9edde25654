import { nativeInfo } from "../binding/native.js";
import { optimizerId } from "../ops/encode.js";
import type { UpdateEffect, UpdateSegment } from "./trace.js";
import type { Place } from "./views.js";

/** Constants that every native rule is given; it reads those that it knows. */
const RULE_CONSTANTS = 8;

/** Memory of an update: slabs of parameters, gradients, states and average in one layout, and two scalars. */
export interface UpdateMemory {
  readonly parameters: Place;
  readonly gradients: Place;
  readonly states: readonly Place[];
  readonly average: Place | null;
  readonly gradientScale: Place | null;
  readonly penalty: Place;
}

/** Places, ints and doubles of an `update` in the order of native/ops/update.cc. */
export function updateOperands(
  { rule, constants, scalars, lane, segments, clipValue, average }: UpdateEffect,
  memory: UpdateMemory,
): readonly [places: readonly (Place | null)[], ints: readonly number[], doubles: readonly number[]] {
  const { parameters, gradients, states, gradientScale, penalty } = memory;
  const absent = Array.from({ length: nativeInfo.maxStates - states.length }, () => null);
  const all = Array.from({ length: RULE_CONSTANTS }, (_, index) => constants[index] ?? 0);
  return [
    [parameters, gradients, ...states, ...absent, memory.average, gradientScale, penalty],
    [
      optimizerId(rule),
      lane,
      constants.length,
      scalars,
      average?.decay === "lane" ? 1 : 0,
      ...segments.flatMap(({ offset, rows, columns, metric }) => [offset, rows, columns, metric ? 1 : 0]),
    ],
    [
      ...all,
      clipValue,
      average === null || average.decay === "lane" ? 0 : average.decay,
      ...segments.flatMap(factorsOf),
    ],
  ];
}

function factorsOf(segment: UpdateSegment): readonly number[] {
  const { l2, l1, decay, shrink, rateScale, maxNorm, penaltySquares, penaltyAbsolutes } = segment;
  return [l2, l1, decay, shrink, rateScale, maxNorm, penaltySquares, penaltyAbsolutes];
}
