// Rows that weigh nothing: what a network with statistics and a table with touched rows makes of the zeros that it is given in their place.
import { readFileSync } from "node:fs";
import {
  adam,
  batchNorm,
  dataset,
  embedding,
  fit,
  flatten,
  linear,
  mse,
  partition,
  sequential,
  sgd,
  spec,
  tensor,
} from "carillon";
import { expect, test } from "vitest";

interface Fixture {
  readonly table: readonly number[];
  readonly head: readonly number[];
  readonly y: readonly number[];
  readonly ids: readonly (readonly number[])[];
  readonly weight: readonly number[];
  readonly steps: number;
  readonly batch: number;
  readonly after: Readonly<Record<string, { readonly data: readonly number[]; readonly error: number }>>;
}

const { table, head, y, ids, weight, steps, batch, after } = JSON.parse(
  readFileSync(new URL("fixtures/weights.json", import.meta.url), "utf8"),
) as Fixture;

const x = tensor(Int32Array.from(ids.flat()), [ids.length, 2]);
const elsewhere = tensor(
  x.data.map((id, at) => (weight[at >> 1] === 0 ? 5 - id : id)),
  x.shape,
);

test.each([
  ["in memory", { x, y, weight }],
  ["with any ids there", { x: elsewhere, y, weight }],
  [
    "from a stream",
    dataset(() => ids.map((row, at) => ({ x: Int32Array.from(row), y: y[at] ?? 0, weight: weight[at] ?? 0 }))),
  ],
])("are rows of zeros, as those of PyTorch would be: %s", async (_, data) => {
  const model = sequential(
    { input: spec(["batch", 2], "i32") },
    embedding(6, 3, { name: "table", rows: "touched" }),
    flatten(),
    batchNorm(6, { name: "norm", preset: "pytorch" }),
    linear(6, 1, { bias: false, name: "head" }),
  ).initialize(0);
  const first = Object.fromEntries([...model.weights()].map(([name, { data: values }]) => [name, values]));
  model.setWeights({ ...first, "table.table": Float32Array.from(table), "head.weight": Float32Array.from(head) });
  const optimizer = partition([
    ["table.*", adam({ lr: 0.02, compat: "pytorch" })],
    ["*", sgd({ lr: 0.05 })],
  ]);
  await fit(model, { data, loss: mse(), optimizer, batchSize: batch, shuffle: false, steps });
  for (const [name, { data: values, error }] of Object.entries(after)) {
    const own = model.weights().get(name)?.data ?? [];
    const distance = Math.hypot(...values.map((value, at) => value - (own[at] ?? Number.NaN)));
    // Four times what PyTorch's own float32 run is off, or a rounding of each step.
    expect(distance, name).toBeLessThanOrEqual(
      Math.max(4 * error, 2 ** -24 * Math.sqrt(steps) * Math.hypot(...values)),
    );
  }
});
