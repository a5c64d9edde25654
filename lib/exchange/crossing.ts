// One tensor of somebody else, and what of our weights it is.
import { type Arrangement, arrangeBack, arranged, isPlain, plainly, shapeOf } from "./arrangement.js";

/** Gives the elements of a weight of ours, which are read, or written. */
export type Weights = (name: string) => Float32Array;

/** How a tensor of somebody else crosses, both ways. */
export interface Crossing {
  /** Its name there. */
  readonly theirs: string;
  /** Its shape there. */
  readonly shape: readonly number[];
  /** Names of our weights that it holds; none where it is nothing of ours. */
  readonly ours: readonly string[];
  /** What changes on the way, in words; empty where nothing does. */
  readonly change: string;
  /** Elements of it there: a file may hold any that stand for numbers. */
  readonly dtype: "f32" | "i64";
  /** Whether a file may lack it. */
  readonly optional: boolean;
  /** Whether it is the whole of one weight of ours, as it is. */
  readonly isSame: boolean;
  /** Its elements of our weights, which may be these themselves. */
  read(weights: Weights): Float32Array;
  /** Writes its elements to our weights. */
  write(theirs: Float32Array, weights: Weights): void;
}

/** A weight of ours by itself. */
export function crossing(
  theirs: string,
  ours: string,
  how: Arrangement,
  {
    shape = shapeOf(how),
    change = changeOf(how),
  }: { readonly shape?: readonly number[]; readonly change?: string } = {},
): Crossing {
  return {
    ...{ theirs, shape, ours: [ours], change, dtype: "f32", optional: false, isSame: isPlain(how) },
    read: (weights) => arranged(weights(ours), how),
    write: (values, weights) => arrangeBack(values, weights(ours), how),
  };
}

/** A weight of ours as it is. */
export function same(theirs: string, ours: string, shape: readonly number[]): Crossing {
  return crossing(theirs, ours, plainly(shape));
}

/** What theirs has and ours has not: a value that is written and never read. */
export function nothing(
  theirs: string,
  shape: readonly number[],
  { value = 0, dtype = "f32" }: { readonly value?: number; readonly dtype?: "f32" | "i64" } = {},
): Crossing {
  const count = shape.reduce((product, size) => product * size, 1);
  return {
    ...{ theirs, shape, ours: [], change: `${value} there, nothing here`, dtype, optional: true, isSame: false },
    read: () => new Float32Array(count).fill(value),
    write: () => undefined,
  };
}

function changeOf(how: Arrangement): string {
  if (isPlain(how)) return "";
  const moved = how.axes.some((axis, place) => axis !== place);
  const parts = moved ? [`axes ${how.axes.join(" ")} of ours`] : [];
  for (const [axis, order] of how.orders ?? [])
    parts.push(
      order.length <= SHOWN ? `axis ${axis} in the order ${order.join(" ")}` : `axis ${axis} in another order`,
    );
  return parts.join(", ");
}

/** Places of an axis that a name map shows. */
const SHOWN = 8;
