// Norms of rows that are bounded before the lookup, as torch.nn.Embedding with max_norm does it.
import { readFileSync } from "node:fs";
import {
  adam,
  embedding,
  embeddingBag,
  fit,
  flatten,
  l2,
  linear,
  loadModel,
  maxNorm,
  mse,
  partition,
  sequential,
  sgd,
  spec,
  type Tensor,
  tensor,
} from "carillon";
import { expect, test } from "vitest";

interface Case {
  readonly optimizer: "sgd" | "adam";
  readonly sparse: boolean;
  readonly steps: number;
  readonly exact: Readonly<Record<string, readonly number[]>>;
  readonly distance: Readonly<Record<string, number>>;
}

interface Fixture {
  readonly norm: number;
  readonly ids: readonly (readonly number[])[];
  readonly y: readonly (readonly number[])[];
  readonly table: readonly number[];
  readonly head: readonly number[];
  readonly cases: readonly Case[];
}

const fixture: Fixture = JSON.parse(readFileSync(new URL("fixtures/lookup_norm.json", import.meta.url), "utf8"));
const { ids, y, norm } = fixture;
const x = tensor(Int32Array.from(ids.flat()), [ids.length, 3]);

const build = (rows: "exact" | "touched" = "exact") =>
  sequential(
    { input: spec(["batch", 3], "i32") },
    embedding(20, 4, { maxNorm: norm, preset: "pytorch", rows }),
    flatten(),
    linear(12, 2, { bias: false }),
  ).setWeights({
    "embedding1.table": Float32Array.from(fixture.table),
    "linear1.weight": Float32Array.from(fixture.head),
  });
const still = { data: { x, y }, batchSize: 8, shuffle: false, loss: mse() } as const;
const valuesOf = (model: { weights(): ReadonlyMap<string, Tensor<"f32">> }, name: string): number[] => [
  ...(model.weights().get(name)?.data ?? []),
];

test.each(fixture.cases.map((each) => [`${each.optimizer}, sparse ${each.sparse}, ${each.steps}`, each] as const))(
  "%s steps: as near to float64 as PyTorch's float32",
  async (_, { optimizer, sparse, steps, exact, distance }) => {
    const model = build(sparse ? "touched" : "exact");
    const table = optimizer === "sgd" ? sgd({ lr: 0.1 }) : adam({ lr: 0.05, compat: "pytorch" });
    const groups = partition([
      ["embedding1.*", table],
      ["*", sgd({ lr: 0.1 })],
    ]);
    await fit(model, { ...still, steps, optimizer: groups });
    for (const [name, values] of Object.entries(exact)) {
      const own = name === "predicted" ? [...model.predictSync(x).data] : valuesOf(model, name);
      const furthest = Math.max(...own.map((value, at) => Math.abs(value - (values[at] ?? Number.NaN))));
      expect({ name, furthest }).toEqual({ name, furthest: expect.closeTo(0, 4) });
      expect(furthest).toBeLessThanOrEqual(2 * (distance[name] ?? 0) + 1e-6);
    }
  },
);

test("parts of a batch and any number of threads look up what one batch does; inference leaves the table as it is", async () => {
  const trained = async (options: { readonly threads?: number; readonly accumulate?: number }) => {
    const model = build();
    await fit(model, { ...still, ...options, steps: 6, optimizer: sgd({ lr: 0.1 }) });
    return model;
  };
  const [alone, helped, divided] = [
    await trained({ threads: 1 }),
    await trained({ threads: 4 }),
    await trained({ accumulate: 2 }),
  ];
  expect(helped.bytes()).toEqual(alone.bytes());
  const near = valuesOf(alone, "embedding1.table").map((value) => expect.closeTo(value, 5));
  expect(valuesOf(divided, "embedding1.table")).toEqual(near);
  const before = alone.bytes();
  const predicted = alone.predictSync(x);
  expect(alone.bytes()).toEqual(before);
  expect((await loadModel(before)).predictSync(x)).toEqual(predicted);
  expect(alone.predictor().run(x)).toEqual(predicted);
});

test("what it cannot do is refused", async () => {
  const make = (...given: readonly unknown[]) => Reflect.apply(embedding, undefined, [20, 4, ...given]);
  expect(() => make({ preset: "pytorch" })).toThrow("embedding.maxNorm");
  expect(() => make({ preset: "keras", maxNorm: 1 })).toThrow("embedding.preset");
  expect(() => make({ preset: "pytorch", maxNorm: 1, regularizer: maxNorm(2) })).toThrow("embedding.regularizer");
  expect(() => Reflect.apply(embeddingBag, undefined, [20, 4, { preset: "pytorch", maxNorm: 1 }])).toThrow(
    expect.objectContaining({ code: "ERR_UNKNOWN_OPTION" }),
  );
  // Its clipping asks for the sum of gradient and penalty, of every row.
  const penalized = sequential(
    { input: spec(["batch", 3], "i32") },
    embedding(20, 4, { maxNorm: 1, preset: "pytorch", regularizer: l2(1) }),
    flatten(),
    linear(12, 2),
  );
  const summed = { ...still, steps: 1, optimizer: adam({ compat: "keras" }), clip: { norm: 1 } };
  await expect(fit(penalized, summed)).rejects.toThrow(
    expect.objectContaining({
      code: "ERR_OPTION",
      message: expect.stringContaining("expected a gradient in rows of 'embedding1.table', as its preset 'pytorch'"),
    }),
  );
  await expect(fit(penalized, { ...summed, clip: { value: 1 }, optimizer: sgd({ lr: 0.1 }) })).resolves.toBeDefined();
});
