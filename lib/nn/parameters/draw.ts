import type { Turns } from "../../data/turns.js";
import { execute } from "../../ops/apply.js";
import { instruction } from "../../ops/encode.js";
import { FNV_BASIS, fnv1a } from "../../tensor/fnv1a.js";
import { extent } from "../../tensor/shape.js";
import { Tensor } from "../../tensor/tensor.js";
import type { Distribution } from "./initializers.js";
import { orthonormalize } from "./orthogonal.js";

const [LOW_BASIS, HIGH_BASIS] = [FNV_BASIS, 0x050c5d1f];

/** Where draws come from: a name may be followed by the number of the draw, which no parameter's name has. */
interface Origin {
  readonly name: string;
  readonly seed: number;
}

/** Work that may be put off after every `yield`. */
type Drawing<T = void> = Generator<undefined, T>;

/** Takes elements, from number `first` on, which are its own only until it returns. */
export type Sink = (first: number, part: Float32Array) => void;

/** Elements drawn between two `yield`s: half a millisecond. */
const STRETCH = 16_384;

/** Gives `count` elements, stretch by stretch: `write` has to write all of the one that begins at `first`. */
function* stretches(count: number, sink: Sink, write: (part: Float32Array, first: number) => void): Drawing {
  const room = new Float32Array(Math.min(count, STRETCH));
  for (let first = 0; first < count; first += STRETCH) {
    const part = room.subarray(0, Math.min(STRETCH, count - first));
    write(part, first);
    sink(first, part);
    yield;
  }
}

/** A distribution that a native operation draws from. */
type Sampled = Extract<Distribution, { readonly kind: "uniform" | "normal" }>;

const STANDARD_NORMAL = { kind: "normal", mean: 0, deviation: 1 } as const;

/** `count` numbers of a distribution: in double, rounded once. */
function* fillInto(sink: Sink, draw: Sampled, count: number, { name, seed }: Origin): Drawing {
  const [hashLow, hashHigh] = [fnv1a(name, LOW_BASIS), fnv1a(name, HIGH_BASIS)];
  yield* stretches(count, sink, (part, first) => {
    const y = new Tensor(part, [part.length], "f32");
    const own = { count: part.length, hashLow, hashHigh };
    const drawn =
      draw.kind === "uniform"
        ? instruction("uniform", { y }, { ...own, low: draw.low, high: draw.high })
        : instruction("normal", { y }, { ...own, mean: draw.mean, deviation: draw.deviation });
    execute(drawn, { seed, step: 1, first });
  });
}

/** Gives elements that are there, stretch by stretch. */
function* give(data: Float32Array, sink: Sink): Drawing {
  for (let first = 0; first < data.length; first += STRETCH) {
    sink(first, data.subarray(first, first + STRETCH));
    yield;
  }
}

/** The elements that {@link fillInto} writes, in one array. */
function* fill(draw: Sampled, count: number, origin: Origin): Drawing<Float32Array> {
  const data = new Float32Array(count);
  yield* fillInto((first, part) => data.set(part, first), draw, count, origin);
  return data;
}

/** Standard normals in [low, high]: what falls outside is drawn again, all of it at once, until nothing is left. */
function* fillTruncated(
  data: Float32Array,
  { low, high }: { low: number; high: number },
  { name, seed }: Origin,
): Drawing {
  let missing = Array.from(data.keys());
  for (let attempt = 0; missing.length > 0; attempt++) {
    const origin = { name: attempt === 0 ? name : `${name} ${attempt}`, seed };
    const drawn = yield* fill(STANDARD_NORMAL, missing.length, origin);
    missing = missing.filter((index, place) => {
      const value = drawn[place] ?? 0;
      data[index] = value;
      return !(value >= low && value <= high);
    });
  }
}

/** Q of [rows, columns] normals, row-major: the vectors are the rows, or the columns where there are fewer of them. */
function* fillOrthogonal(data: Float32Array, rows: number, gain: number): Drawing {
  const columns = data.length / rows;
  const few = Math.min(rows, columns);
  const [along, across] = rows <= columns ? [1, columns] : [columns, 1];
  const vectors = Array.from({ length: few }, (_, v) => {
    return Float64Array.from({ length: data.length / few }, (_, i) => data[v * across + i * along] ?? 0);
  });
  yield* orthonormalize(vectors);
  for (const [v, vector] of vectors.entries()) {
    for (const [i, value] of vector.entries()) data[v * across + i * along] = gain * value;
  }
}

/** Zeros in each of `rows` rows where the smallest uniform draws of the row stand; of two equal ones the first. */
function* fillZeros(data: Float32Array, rows: number, zeros: number, { name, seed }: Origin): Drawing {
  const columns = data.length / rows;
  const keys = yield* fill({ kind: "uniform", low: 0, high: 1 }, data.length, { name: `${name} zeros`, seed });
  for (let begin = 0; begin < data.length; begin += columns) {
    const order = Array.from({ length: columns }, (_, column) => begin + column);
    order.sort((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0) || a - b);
    for (const index of order.slice(0, zeros)) data[index] = 0;
    yield;
  }
}

/** Signs of uniform draws in [−1, 1), one a stretch of each row. */
function* fillSigns(data: Float32Array, blocks: readonly number[], origin: Origin): Drawing {
  const size = blocks.reduce((sum, length) => sum + length, 0);
  const drawn = yield* fill({ kind: "uniform", low: -1, high: 1 }, (data.length / size) * blocks.length, origin);
  let at = 0;
  for (const [place, value] of drawn.entries()) {
    const length = blocks[place % blocks.length] ?? 1;
    data.fill(value < 0 ? -1 : 1, at, at + length);
    at += length;
  }
}

/**
 * Gives the initial elements of the parameter `name` to `sink`, in order: draws from (seed, name, element index), so that adding a layer
 * leaves the others as they were. Uniform: low + (high − low)·u. Normal: Marsaglia's polar method. In double, rounded once.
 */
export function* drawing(
  name: string,
  shape: readonly number[],
  draw: Distribution,
  seed: number,
  sink: Sink,
): Drawing {
  const count = extent(shape);
  const origin = { name, seed };
  const rows = shape[0] ?? 1;
  switch (draw.kind) {
    case "constant":
      return yield* stretches(count, sink, (part) => part.fill(draw.value));
    case "uniform":
    case "normal":
      return yield* fillInto(sink, draw, count, origin);
    case "truncatedNormal": {
      const data = new Float32Array(count);
      yield* fillTruncated(data, draw, origin);
      return yield* stretches(count, sink, (part, first) => {
        for (let at = 0; at < part.length; at++) part[at] = draw.shift + draw.scale * (data[first + at] ?? 0);
      });
    }
    case "orthogonal": {
      const data = yield* fill(STANDARD_NORMAL, count, origin);
      yield* fillOrthogonal(data, rows, draw.gain);
      return yield* give(data, sink);
    }
    case "sparse": {
      const data = yield* fill({ kind: "normal", mean: 0, deviation: draw.deviation }, count, origin);
      yield* fillZeros(data, rows, draw.zeros, origin);
      return yield* give(data, sink);
    }
    case "signs": {
      const data = new Float32Array(count);
      yield* fillSigns(data, draw.blocks, origin);
      return yield* give(data, sink);
    }
    case "repeated": {
      const row = new Float32Array(count / rows);
      yield* drawing(name, shape.slice(1), draw.of, seed, (first, part) => row.set(part, first));
      return yield* stretches(count, sink, (part, first) => {
        for (let at = 0; at < part.length; at++) part[at] = row[(first + at) % row.length] ?? 0;
      });
    }
    case "stretches": {
      const length = count / draw.values.length;
      return yield* stretches(count, sink, (part, first) => {
        for (let at = 0; at < part.length; at++) part[at] = draw.values[Math.floor((first + at) / length)] ?? 0;
      });
    }
    case "identity": {
      const columns = count / rows;
      return yield* stretches(count, sink, (part, first) => {
        for (let at = 0; at < part.length; at++) {
          part[at] = (first + at) % columns === Math.floor((first + at) / columns) ? draw.gain : 0;
        }
      });
    }
  }
}

/** Writes a parameter as {@link drawing} does, at once. */
export function draw(...what: Parameters<typeof drawing>): void {
  const work = drawing(...what);
  while (work.next().done !== true);
}

/** Writes a parameter as {@link drawing} does, with turns of the event loop in between. */
export async function drawInTurns(turns: Turns, ...what: Parameters<typeof drawing>): Promise<void> {
  const work = drawing(...what);
  while (work.next().done !== true) if (turns.over) await turns.next();
}
