// Cross-entropy over many classes: among the things of a batch, and among classes that are drawn.
import { readFileSync } from "node:fs";
import {
  type AnyModel,
  adagrad,
  adam,
  crossEntropy,
  embedding,
  fit,
  inBatchSoftmax,
  type Loss,
  linear,
  network,
  ops,
  relu,
  sampledSoftmax,
  sequential,
  sgd,
  softmax,
  spec,
  type Tensor,
  tensor,
  valueAndGrad,
} from "carillon";
import { describe, expect, test } from "vitest";

const U = 2 ** -24;

interface Case {
  readonly temperature: number;
  readonly corrected: boolean;
  readonly weighted: boolean;
  readonly output: readonly number[];
  readonly losses: readonly number[];
  readonly gradient: readonly number[];
}

// Made by make_candidates_fixture.py.
const fixture = JSON.parse(readFileSync(new URL("fixtures/candidates.json", import.meta.url), "utf8")) as {
  readonly ids: readonly number[];
  readonly frequencies: readonly number[];
  readonly weights: readonly number[];
  readonly size: number;
  readonly cases: readonly Case[];
};
const { ids, frequencies, weights, size } = fixture;
const items = frequencies.length;
const rows = ids.length;

const bitsOf = (model: AnyModel): string =>
  [...model.weights()]
    .map(([name, { data }]) => `${name} ${[...new Uint32Array(data.buffer, data.byteOffset, data.length)]}`)
    .join();

describe("inBatchSoftmax", () => {
  /* Scores are of at most m = 5·(2.5)²/τ, in a chain of 5 terms, a factor and a difference; softmax over 7 of them, twice: 60 roundings of m. */
  test.each(fixture.cases)(
    "temperature $temperature, corrected $corrected, weighted $weighted: PyTorch in float64",
    (one) => {
      const loss = inBatchSoftmax({ items, temperature: one.temperature, ...(one.corrected ? { frequencies } : {}) });
      const x = tensor(Float32Array.from(one.output), [rows, 2 * size]);
      const target = tensor(Int32Array.from(ids));
      const own = one.weighted ? tensor([...weights]) : undefined;
      const { data } = loss(x, target, own) as Tensor;
      const bound = (60 * U * 32) / one.temperature;
      for (const [row, expected] of one.losses.entries())
        expect(Math.abs((data[row] ?? 0) - expected)).toBeLessThan(bound);
      const factors = tensor(Float32Array.from(ids, (_, row) => (row + 1) * (one.weighted ? (weights[row] ?? 0) : 1)));
      const [, [gradient]] = valueAndGrad((output) => ops.sum(ops.multiply(loss(output ?? x, target, own), factors)))(
        x,
      );
      for (const [at, expected] of one.gradient.entries()) {
        expect(Math.abs((gradient.data[at] ?? 0) - expected), `element ${at}`).toBeLessThan(rows * bound);
      }
    },
  );

  const users = Int32Array.from({ length: 400 }, (_, row) => row % 40);
  const things = Int32Array.from(users, (user, row) => (user % 10) * 3 + (row % 3));
  const towers = () =>
    network({
      inputs: { user: spec(["batch"], "i32"), item: spec(["batch"], "i32") },
      layers: { users: embedding(40, 8), items: embedding(30, 8) },
      forward: ({ user, item }, layers) => ops.concat([layers.users(user), layers.items(item)]),
    });

  test("two towers find what belongs together", async () => {
    const model = towers();
    const counts = new Array<number>(30).fill(0);
    for (const thing of things) counts[thing] = (counts[thing] ?? 0) + 1;
    await fit(model, {
      data: { x: { user: users, item: things }, y: things },
      loss: inBatchSoftmax({ items: 30, frequencies: counts }),
      ...{ optimizer: adam({ lr: 0.05 }), epochs: 20, batchSize: 50, seed: 1 },
    });
    const tables = model.weights();
    const [left, right] = ["users.table", "items.table"].map((name) => tables.get(name)?.data ?? new Float32Array());
    const score = (user: number, item: number): number =>
      Array.from({ length: 8 }, (_, k) => (left?.[user * 8 + k] ?? 0) * (right?.[item * 8 + k] ?? 0)).reduce(
        (a, b) => a + b,
        0,
      );
    let found = 0;
    for (let user = 0; user < 40; user++) {
      const best = Array.from({ length: 30 }, (_, item) => item)
        .sort((a, b) => score(user, b) - score(user, a))
        .slice(0, 3);
      found += best.filter((item) => Math.floor(item / 3) === user % 10).length;
    }
    expect(found / 120).toBeGreaterThan(0.95); // recall among three
  });

  test("examples that weigh nothing are as if they were not there, and threads change no bit", async () => {
    const run = async (keep: (row: number) => boolean, weighed: boolean, threads: number): Promise<string> => {
      const model = towers();
      const chosen = [...users.keys()].slice(0, 40).filter((row) => weighed || keep(row));
      const data = {
        x: {
          user: Int32Array.from(chosen, (row) => users[row] ?? 0),
          item: Int32Array.from(chosen, (row) => things[row] ?? 0),
        },
        y: Int32Array.from(chosen, (row) => things[row] ?? 0),
        ...(weighed ? { weight: Float32Array.from(chosen, (row) => (keep(row) ? 1 : 0)) } : {}),
      };
      await fit(model, {
        data,
        loss: inBatchSoftmax({ items: 30 }),
        optimizer: sgd({ lr: 0.5 }),
        epochs: 1,
        batchSize: 40,
        shuffle: false,
        threads,
        seed: 5,
      });
      return bitsOf(model);
    };
    const plain = await run(() => true, false, 1);
    expect(await run(() => true, false, 2)).toBe(plain);
    const some = (row: number): boolean => row < 23;
    const [left, weighed] = [await run(some, false, 1), await run(some, true, 2)];
    const numbers = (text: string): number[] =>
      text
        .split(/[ ,]/)
        .map(Number)
        .filter((value) => !Number.isNaN(value));
    const floats = (text: string): Float32Array => new Float32Array(Uint32Array.from(numbers(text)).buffer);
    const [a, b] = [floats(left), floats(weighed)];
    for (const [at, value] of a.entries()) expect(Math.abs((b[at] ?? Number.NaN) - value)).toBeLessThan(64 * U);
  });
});

describe("sampledSoftmax", () => {
  const classes = 200;
  const x = Array.from({ length: 600 }, (_, row) => [Math.sin(row), Math.cos(row * 0.7), (row % 9) / 9]);
  const y = Int32Array.from(x, ([a = 0, b = 0]) => Math.floor(((a + 2 * b + 3) / 6) * 19.99));
  const shared = { optimizer: adagrad({ lr: 0.3 }), batchSize: 30, seed: 2 } as const;
  const head = () => sequential(linear(3, 16), relu(), linear(16, classes));

  test("learns as cross-entropy over all classes does, and is that outside of training", async () => {
    const [sampled, whole] = [head(), head()];
    const data = { x, y };
    const { history } = await fit(sampled, {
      ...shared,
      data,
      validation: data,
      epochs: 25,
      loss: sampledSoftmax({ samples: 40 }),
      metrics: ["accuracy"],
    });
    await fit(whole, { ...shared, data, epochs: 25, loss: crossEntropy() });
    const all = await whole.evaluate(data, { loss: crossEntropy() });
    const own = await sampled.evaluate(data, { loss: crossEntropy() });
    const same = await sampled.evaluate(data, { loss: sampledSoftmax({ samples: 40 }) });
    expect(same.loss).toBe(own.loss);
    expect(history.at(-1)?.validation.loss).toBe(own.loss);
    expect(own.loss).toBeLessThan(1.5 * all.loss);
    expect(own.loss).toBeLessThan(0.4 * Math.log(classes));
    expect(history.at(-1)?.metrics.accuracy).toBeGreaterThan(0.4);
  });

  test("rows of the weight that nobody named stay as they are; others may be named by chance", async () => {
    const model = head().initialize(3);
    const before = new Float32Array(model.weights().get("linear2.weight")?.data ?? []);
    await fit(model, { ...shared, data: { x, y }, steps: 1, loss: sampledSoftmax({ samples: 10, draw: "uniform" }) });
    const after = model.weights().get("linear2.weight")?.data ?? new Float32Array();
    let moved = 0;
    for (let label = 0; label < classes; label++) {
      if (before.subarray(label * 16, (label + 1) * 16).some((value, at) => value !== after[label * 16 + at]))
        moved += 1;
    }
    expect(moved).toBeGreaterThan(1);
    expect(moved).toBeLessThanOrEqual(20 + 10);
  });

  test("the corrected gradient is that of all classes on average", async () => {
    const step = async (loss: Loss, seed: number): Promise<Float32Array> => {
      const model = sequential(linear(3, 12, { init: 0.3 })).initialize(1);
      const labels = Int32Array.from(x, (_, row) => (row * row) % 12);
      await fit(model, {
        data: { x, y: labels },
        optimizer: sgd({ lr: 1 }),
        steps: 1,
        batchSize: 600,
        shuffle: false,
        seed,
        loss,
      });
      return new Float32Array(model.weights().get("linear1.bias")?.data ?? []);
    };
    const exact = await step(crossEntropy(), 1);
    for (const draw of ["logUniform", "uniform"] as const) {
      const mean = new Float64Array(12);
      for (let seed = 0; seed < 12; seed++) {
        for (const [at, value] of (await step(sampledSoftmax({ samples: 64, draw }), seed)).entries())
          mean[at] = (mean[at] ?? 0) + value / 12;
      }
      // 12 draws of 64 of 12 classes: a share of 1/12 is 0.01 off in one of three; the ratio of sums is biased by about 1/64.
      for (const [at, value] of exact.entries())
        expect(Math.abs((mean[at] ?? 0) - value), `${draw} ${at}`).toBeLessThan(0.05);
    }
  });

  test("threads, and a stop in between, change no bit", async () => {
    const run = async (threads: number): Promise<string> => {
      const model = head();
      await fit(model, { ...shared, data: { x, y }, epochs: 2, threads, loss: sampledSoftmax({ samples: 32 }) });
      return bitsOf(model);
    };
    expect(await run(2)).toBe(await run(1));
    const model = head();
    const options = { ...shared, data: { x, y }, loss: sampledSoftmax({ samples: 32 }) } as const;
    const first = await fit(model, { ...options, epochs: 1 });
    const resumed = head();
    await fit(resumed, { ...options, epochs: 2, resume: first.checkpoint() });
    expect(bitsOf(resumed)).toBe(await run(1));
  });
});

describe("refuses", () => {
  test.each<[string, () => unknown, string, string]>([
    ["no number of items", () => inBatchSoftmax({} as never), "ERR_OPTION", "inBatchSoftmax.items"],
    ["temperature 0", () => inBatchSoftmax({ items: 3, temperature: 0 }), "ERR_OPTION", "inBatchSoftmax.temperature"],
    [
      "frequencies of others",
      () => inBatchSoftmax({ items: 3, frequencies: [1, 2] }),
      "ERR_OPTION",
      "inBatchSoftmax.frequencies",
    ],
    [
      "a frequency of 0",
      () => inBatchSoftmax({ items: 2, frequencies: [1, 0] }),
      "ERR_OPTION",
      "inBatchSoftmax.frequencies[1]",
    ],
    ["no samples", () => sampledSoftmax({ samples: 0 }), "ERR_OPTION", "sampledSoftmax.samples"],
    [
      "an odd number of outputs",
      () => inBatchSoftmax({ items: 3 })(tensor([[1, 2, 3]]), tensor(Int32Array.of(0))),
      "ERR_SHAPE",
      "inBatchSoftmax.output",
    ],
  ])("%s", (_, make, code, where) => {
    expect(make).toThrow(expect.objectContaining({ code, where }));
  });

  const options = { optimizer: sgd({ lr: 0.1 }), epochs: 1 } as const;
  const data = { x: [[1], [2]], y: [0, 5] };

  test("a thing that there is not, with its row", async () => {
    await expect(
      fit(sequential(linear(1, 4)), { ...options, data, loss: inBatchSoftmax({ items: 5 }) }),
    ).rejects.toThrow("row 1");
  });

  test("a network without a product at its end, and metrics of the things of a batch", async () => {
    const last = sequential(linear(1, 6), relu());
    await expect(fit(last, { ...options, data, loss: sampledSoftmax({ samples: 2 }) })).rejects.toMatchObject({
      code: "ERR_OPTION",
      where: "sampledSoftmax",
    });
    const normal = sequential(linear(1, 6), softmax());
    await expect(fit(normal, { ...options, data, loss: sampledSoftmax({ samples: 2 }) })).rejects.toMatchObject({
      code: "ERR_OPTION",
    });
    const run = fit(sequential(linear(1, 4)), {
      ...options,
      data,
      loss: inBatchSoftmax({ items: 6 }),
      metrics: ["accuracy"],
    });
    await expect(run).rejects.toMatchObject({ code: "ERR_OPTION", where: "fit.metrics" });
  });
});
