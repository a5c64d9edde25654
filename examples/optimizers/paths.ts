import {
  constant,
  defineLayer,
  minimizer,
  ops,
  parameter,
  program,
  sequential,
  spec,
  type Tensor,
  tensor,
  type Value,
} from "carillon";
import { type Contestant, RATES, rateFrom } from "./contestants.js";

/** A place in the plane. */
export type Point = readonly [x: number, y: number];

/** A function of two numbers with one minimum, where it is 0. */
export interface Surface {
  readonly name: string;
  readonly formula: string;
  readonly start: Point;
  readonly minimum: Point;
  readonly steps: number;
  /** Of numbers, for contours. */
  height(x: number, y: number): number;
  /** The same as operations; x and y: [batch, 1]. */
  record(x: Value, y: Value): Value;
}

/** A bent valley whose floor hardly falls. Rosenbrock 1960, who has 100 in the place of 10. */
const ROSENBROCK: Surface = {
  name: "Rosenbrock",
  formula: "(1 − x)² + 10 (y − x²)²",
  start: [-1.2, 1],
  minimum: [1, 1],
  steps: 2000,
  height: (x, y) => (1 - x) ** 2 + 10 * (y - x * x) ** 2,
  record: (x, y) =>
    ops.add(ops.square(ops.subtract(1, x)), ops.multiply(10, ops.square(ops.subtract(y, ops.square(x))))),
};

/** A straight valley that is 25 times steeper across than along. */
const RAVINE: Surface = {
  name: "ravine",
  formula: "x²/25 + y²",
  start: [-2, 1],
  minimum: [0, 0],
  steps: 200,
  height: (x, y) => (x * x) / 25 + y * y,
  record: (x, y) => ops.add(ops.divide(ops.square(x), 25), ops.square(y)),
};

export const SURFACES: readonly Surface[] = [ROSENBROCK, RAVINE];

/** Where an optimizer went from the start of a surface, with its best rate. */
export interface Path {
  readonly name: string;
  readonly lr: number;
  /** The start and the place after each step. */
  readonly points: readonly Point[];
  /** Distance from the minimum in the end, and the mean of the whole path. */
  readonly distance: number;
  readonly meanDistance: number;
}

const X = tensor([[1], [0]]);
const Y = tensor([[0], [1]]);

/** A model whose two parameters are a place: it adds them to whatever it is given. An optimizer for matrices gets one. */
function place(start: Point, matrix: boolean) {
  return sequential(
    defineLayer({
      kind: "place",
      inputs: 2,
      outputs: 2,
      parameters: { at: parameter(matrix ? [1, 2] : [2], { init: constant(0) }) },
      forward: (x, { at }) => ops.add(x, ops.reshape(at, [2])),
    }),
  ).setWeights(new Map([["place1.at", Float32Array.from(start)]]));
}

function pointOf({ data: [x = Number.NaN, y = Number.NaN] }: Tensor): Point {
  return [x, y];
}

function walk(contestant: Contestant, surface: Surface, lr: number): Path {
  const { start, minimum, steps, record } = surface;
  const model = place(start, contestant.matrix === true);
  const trainer = minimizer(model, contestant.make(rateFrom(lr), ["place1.at"]));
  const step = program({
    inputs: { origin: spec(["batch", 2]) },
    maxBatch: 1,
    steps,
    body({ origin }) {
      const at = model.forward(origin);
      trainer.minimize(ops.sum(record(ops.matmul(at, X), ops.matmul(at, Y))));
      return { after: model.forward(origin) }; // recorded after the update: it sees the new weights
    },
  });
  const origin = tensor([[0, 0]]);
  const points = [start];
  for (let count = 0; count < steps; count++) points.push(pointOf(step.runSync({ origin }).after));
  const distances = points.map(([x, y]) => Math.hypot(x - minimum[0], y - minimum[1]));
  const meanDistance = distances.reduce((sum, distance) => sum + distance, 0) / distances.length;
  return { name: contestant.name, lr, points, distance: distances.at(-1) ?? Number.NaN, meanDistance };
}

/** The path that is nearest to the minimum on average: it gets there soon, and stays. */
export function bestPath(contestant: Contestant, surface: Surface, rates: readonly number[] = RATES): Path {
  const paths = rates
    .map((lr) => walk(contestant, surface, lr))
    .filter(({ meanDistance }) => Number.isFinite(meanDistance));
  const [best] = paths.toSorted((a, b) => a.meanDistance - b.meanDistance);
  if (best === undefined) throw new Error(`${contestant.name} left the plane of ${surface.name} with every rate`);
  return best;
}
