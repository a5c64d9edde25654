// Arrays that hold themselves, or are nested without end, are refused like any other that is no set of rows.
import {
  CarillonError,
  dataset,
  fit,
  linear,
  type Model,
  mse,
  ops,
  program,
  sequential,
  sgd,
  spec,
  split,
  tensor,
} from "carillon";
import { expect, test } from "vitest";

type Endless = Endless[];
const own: Endless = [];
own.push(own);
let deep: unknown = 1;
for (let depth = 0; depth < 100_000; depth++) deep = [deep];
const rows: unknown[][] = [[1, 2]];
rows[0]?.push(rows);

const network = (): Model => sequential(linear(2, 2));
const options = { loss: mse(), optimizer: sgd({ lr: 0.1 }), epochs: 1 };
const identity = program({ inputs: { a: spec([1]) }, body: ({ a }) => ({ b: ops.relu(a) }) });

test.each([
  ["that hold themselves", own],
  ["without end", deep],
  ["in a row that holds all rows", rows],
])("arrays %s", async (_name, given) => {
  const x = given as number[][];
  const calls: readonly (() => unknown)[] = [
    () => tensor(x),
    () => fit(network(), { ...options, data: { x, y: [[1, 2]] } }),
    () => fit(network(), { ...options, data: { x: [[1, 2]], y: x } }),
    () => fit(network(), { ...options, data: dataset([{ x, y: x }]) }),
    () => network().predict(x),
    () => network().predictSync(x),
    () => network().evaluate({ x, y: x }, { loss: mse() }),
    () => split({ x: [[1], [2]], y: [x, x] as never }, { validation: 1, stratify: true }),
    () => identity.run({ a: x as never }),
  ];
  for (const call of calls) {
    const error = await Promise.resolve()
      .then(call)
      .then(
        () => undefined,
        (reason: unknown) => reason,
      );
    expect(error).toBeInstanceOf(CarillonError);
  }
});
