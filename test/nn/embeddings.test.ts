// Tables that are looked up: beside PyTorch and Keras in float64, what they keep, what they refuse.
import { readFileSync } from "node:fs";
import {
  adagrad,
  adam,
  crossEntropy,
  descriptionOf,
  embedding,
  embeddingBag,
  fit,
  flatten,
  fromDescription,
  type Layer,
  type Lists,
  l2,
  linear,
  loadModel,
  maxNorm,
  mse,
  type Optimizer,
  partition,
  type RowUpdates,
  ragged,
  sequential,
  sgd,
  spec,
  tensor,
} from "carillon";
import { describe, expect, test } from "vitest";

interface After {
  readonly data: readonly number[];
  readonly error: number;
}

interface Case {
  /** PyTorch where it is absent. */
  readonly framework?: "keras";
  readonly layer: "embedding" | "embeddingBag";
  readonly optimizer: "sgd" | "adagrad" | "adam" | "sparseAdam";
  readonly mode?: "sum" | "mean";
  readonly padding?: number;
  readonly sparse: boolean;
  readonly weighted?: boolean;
  readonly after: Readonly<Record<string, { readonly table: After; readonly head: After }>>;
}

interface Fixture {
  readonly table: readonly number[];
  readonly heads: Readonly<Record<string, readonly number[]>>;
  readonly y: readonly (readonly number[])[];
  readonly ids: readonly (readonly number[])[];
  readonly bags: readonly (readonly number[])[];
  readonly weights: readonly (readonly number[])[];
  readonly cases: readonly Case[];
}

const fixture = JSON.parse(readFileSync(new URL("fixtures/embeddings.json", import.meta.url), "utf8")) as Fixture;
const [COUNT, SIZE, WIDTH] = [30, 4, 5];

const OPTIMIZERS: Readonly<Record<Case["optimizer"], Optimizer>> = {
  sgd: sgd({ lr: 0.1 }),
  adagrad: adagrad({ lr: 0.05, compat: "pytorch" }),
  adam: adam({ lr: 0.02, compat: "pytorch" }),
  sparseAdam: adam({ lr: 0.02, compat: "pytorch" }),
};

const KERAS_ADAM = adam({ lr: 0.02, compat: "keras" });

/** Integers of rows of one length; a shorter one is filled with −1. */
const integers = (rows: readonly (readonly number[])[], width: number) =>
  tensor(Int32Array.from(rows.flatMap((row) => Array.from({ length: width }, (_, at) => row[at] ?? -1))), [
    rows.length,
    width,
  ]);

/** The bags as lists. */
function listsOf(weighted: boolean): Lists {
  const offsets = Int32Array.from([[], ...fixture.bags], ({ length }) => length);
  for (let row = 1; row < offsets.length; row++) offsets[row] = (offsets[row] ?? 0) + (offsets[row - 1] ?? 0);
  const lists = { offsets, ids: Int32Array.from(fixture.bags.flat()) };
  return weighted ? { ...lists, weights: Float32Array.from(fixture.weights.flat()) } : lists;
}

/** Rows of a table for three ids, bags of padded rows, or of lists. */
type Form = "rows" | "lists";

async function run(
  { framework, layer, mode, padding, optimizer, weighted = false }: Case,
  steps: number,
  rows: RowUpdates,
  form: Form,
) {
  const options = { name: "table", padding, rows };
  const bags = layer === "embeddingBag";
  const learning = {
    loss: mse(),
    optimizer: partition([
      ["table.*", framework === "keras" && optimizer === "adam" ? KERAS_ADAM : OPTIMIZERS[optimizer]],
      ["*", sgd({ lr: 0.1 })],
    ]),
    batchSize: 8,
    shuffle: false,
    steps,
  } as const;
  const y = fixture.y.map((row) => [...row]);
  const first = {
    "table.table": Float32Array.from(fixture.table),
    "head.weight": Float32Array.from(fixture.heads[bags ? SIZE : 3 * SIZE] ?? []),
  };
  const tail = [
    embeddingBag(COUNT, SIZE, { ...options, mode }),
    linear(SIZE, 2, { bias: false, name: "head" }),
  ] as const;
  if (form === "lists") {
    const model = sequential({ input: ragged("i32") }, ...tail).setWeights(first);
    await fit(model, { ...learning, data: { x: listsOf(weighted), y } });
    return model.weights();
  }
  const model = bags
    ? sequential({ input: spec(["batch", WIDTH], "i32") }, ...tail)
    : sequential(
        { input: spec(["batch", 3], "i32") },
        embedding(COUNT, SIZE, options),
        flatten(),
        linear(3 * SIZE, 2, { bias: false, name: "head" }),
      );
  model.setWeights(first);
  await fit(model, { ...learning, data: { x: bags ? integers(fixture.bags, WIDTH) : integers(fixture.ids, 3), y } });
  return model.weights();
}

const distance = (a: ArrayLike<number>, b: readonly number[]): number =>
  Math.hypot(...b.map((value, index) => value - (a[index] ?? Number.NaN)));

const nameOf = ({ framework, layer, mode, optimizer, weighted = false }: Case): string =>
  `${framework === "keras" ? "Keras" : "PyTorch"}: ${layer} ${mode ?? ""} ${optimizer}${weighted ? ", weights" : ""}`;

describe.each(fixture.cases.map((each) => [nameOf(each), each] as const))("as %s", (_name, each) => {
  // SparseAdam leaves other rows alone; for SGD and AdaGrad both are one.
  const ways: readonly RowUpdates[] =
    each.optimizer === "sparseAdam" ? ["touched"] : each.optimizer === "adam" ? ["exact"] : ["exact", "touched"];
  const forms: readonly Form[] = each.layer === "embedding" ? ["rows"] : each.weighted ? ["lists"] : ["rows", "lists"];
  test.each(ways.flatMap((rows) => forms.map((form) => [rows, form] as const)))("%s, of %s", async (rows, form) => {
    for (const [steps, after] of Object.entries(each.after)) {
      const weights = await run(each, Number(steps), rows, form);
      for (const [name, { data, error }] of Object.entries({
        "table.table": after.table,
        "head.weight": after.head,
      })) {
        const size = Math.hypot(...data);
        // Four times what the framework's own float32 run is off, or a rounding of each step.
        const bound = Math.max(4 * error, 2 ** -24 * Math.sqrt(Number(steps)) * size);
        expect(distance(weights.get(name)?.data ?? [], data)).toBeLessThanOrEqual(bound);
      }
    }
  });
});

test("a padding is 0 from the first draw on, and is saved so", () => {
  for (const make of [embedding, embeddingBag]) {
    for (const init of [undefined, 1]) {
      const model = sequential(
        { input: spec(["batch", 3], "i32") },
        make(20_000, 2, { padding: 9000, init, name: "own" }),
      ).initialize(3);
      const table = model.weights().get("own.table")?.data ?? new Float32Array();
      expect([...table.subarray(18_000, 18_002)]).toEqual([0, 0]);
      expect([...table.subarray(17_998, 18_000), ...table.subarray(18_002, 18_004)].every((one) => one !== 0)).toBe(
        true,
      );
    }
  }
});

test("sizes follow the ids: one axis more, or the features in the place of the ids", async () => {
  const model = sequential({ input: spec(["batch", 2, 3], "i32") }, embedding(5, 4)).initialize(0);
  expect(model.rows.outputs.map(({ shape }) => shape)).toEqual([[2, 3, 4]]);
  const bags = sequential({ input: spec(["batch", 2, 3], "i32") }, embeddingBag(5, 4)).initialize(0);
  expect(bags.rows.outputs.map(({ shape }) => shape)).toEqual([[2, 4]]);
  expect(bags.rows.inputs.map(({ dtype }) => dtype)).toEqual(["i32"]);
  const y = await bags.predict(tensor(Int32Array.of(0, 0, -1, -1, -1, -1), [1, 2, 3]));
  const row = bags.weights().get("embeddingBag1.table")?.data ?? new Float32Array();
  expect([...y.data]).toEqual([...row.subarray(0, 4).map((one) => one + one), 0, 0, 0, 0]);
});

test("model-wide penalties leave a table alone; its own reach it", async () => {
  const model = (layer: Layer<number, number, "ragged">) =>
    sequential({ input: spec(["batch", 1], "i32") }, layer, linear(2, 2));
  const options = { loss: crossEntropy(), optimizer: sgd({ lr: 0.5 }), epochs: 1, regularizer: l2(1) };
  const data = { x: tensor(Int32Array.of(0, 1), [2, 1]), y: [0, 1] };
  const free = model(embeddingBag(4, 2, { init: 1 }));
  await fit(free, { data, ...options });
  expect(free.weights().get("embeddingBag1.table")?.data[7]).toBe(1);
  const own = model(embeddingBag(4, 2, { init: 1, regularizer: l2(1) }));
  await fit(own, { data, ...options });
  expect(own.weights().get("embeddingBag1.table")?.data[7]).toBe(0.5);
  const bounded = model(embeddingBag(4, 2, { init: 1, maxNorm: 0.5 }));
  await fit(bounded, { data, ...options });
  expect(Math.hypot(...(bounded.weights().get("embeddingBag1.table")?.data.subarray(6) ?? []))).toBeCloseTo(0.5, 6);
});

test("descriptions and files have all of it", async () => {
  const options = { padding: 3, maxNorm: 2, rows: "touched", regularizer: [l2(0.5), maxNorm(3)], init: 0.25 } as const;
  for (const layer of [embedding(9, 2, options), embeddingBag(9, 2, { ...options, mode: "mean" })]) {
    const description = descriptionOf(layer);
    const again = fromDescription("layer", JSON.parse(JSON.stringify(description)));
    expect(descriptionOf(again)).toEqual(description);
    const { init: _init, ...parts } = layer.parameters.table ?? {};
    expect(again.parameters.table).toMatchObject(parts);
  }
  const model = sequential(
    { input: spec(["batch", 3], "i32") },
    embeddingBag(9, 2, { padding: 3, mode: "mean" }),
  ).initialize(1);
  const loaded = await loadModel(model.bytes());
  const x = tensor(Int32Array.of(3, 8, -1), [1, 3]);
  expect((await loaded.predict(x)).data).toEqual((await model.predict(x)).data);
});

/** Calls as JavaScript may make them. */
const made = (call: (...given: readonly never[]) => unknown, ...given: readonly unknown[]): unknown =>
  call(...(given as readonly never[]));

test.each<[string, () => unknown, string]>([
  ["no rows", () => embedding(0, 2), "embedding.count"],
  ["half a column", () => embedding(2, 0.5), "embedding.size"],
  ["a padding outside", () => embedding(2, 2, { padding: 2 }), "embedding.padding"],
  ["a bound of 0", () => embeddingBag(2, 2, { maxNorm: 0 }), "embeddingBag.maxNorm"],
  ["another update", () => made(embedding, 2, 2, { rows: "some" }), "embedding.rows"],
  ["another mode", () => made(embeddingBag, 2, 2, { mode: "max" }), "embeddingBag.mode"],
])("%s is refused", (_case, call, where) => {
  expect(call).toThrow(expect.objectContaining({ code: "ERR_OPTION", where }));
});

test("ids out of range are told by row and column, and change nothing", async () => {
  const model = sequential({ input: spec(["batch", 2], "i32") }, embeddingBag(4, 2)).initialize(0);
  const before = model.weights().get("embeddingBag1.table")?.data.slice();
  for (const wrong of [4, -2]) {
    const x = tensor(Int32Array.of(0, 1, 2, wrong), [2, 2]);
    const told = { code: "ERR_DATA", message: expect.stringContaining("row 1, column 1") };
    await expect(model.predict(x)).rejects.toMatchObject(told);
    const data = {
      x,
      y: [
        [0, 0],
        [0, 0],
      ],
    };
    await expect(fit(model, { data, loss: mse(), optimizer: adam(), epochs: 1, shuffle: false })).rejects.toMatchObject(
      told,
    );
  }
  expect(model.weights().get("embeddingBag1.table")?.data).toEqual(before);
});
