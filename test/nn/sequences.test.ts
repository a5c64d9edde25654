// Losses and metrics over the steps of sequences that have lengths: what lies behind an end weighs nothing and changes no bit.
import { readFileSync } from "node:fs";
import {
  type AnyModel,
  adam,
  batchNorm,
  binaryCrossEntropy,
  cosineSimilarity,
  crossEntropy,
  dataset,
  embedding,
  fit,
  focal,
  globalAveragePool,
  globalMaxPool,
  gru,
  huber,
  klDivergence,
  type Loss,
  linear,
  mae,
  mse,
  network,
  ops,
  pinball,
  sgd,
  spec,
  type Tensor,
  tensor,
} from "carillon";
import { describe, expect, test } from "vitest";

interface Figures {
  readonly loss: number;
  readonly gradient: readonly number[];
}

interface Case {
  readonly shape: readonly number[];
  readonly output: readonly number[];
  readonly target: readonly number[];
  readonly plain: Figures;
  readonly weighted: Figures;
}

// Made by make_sequences_fixture.py.
const fixture = JSON.parse(readFileSync(new URL("fixtures/sequences.json", import.meta.url), "utf8")) as {
  readonly lengths: readonly number[];
  readonly weights: readonly number[];
  readonly cases: Readonly<Record<string, Case>>;
};
const [ROWS, STEPS, COLUMNS] = [5, 4, 3];
const U = 2 ** -24;

const LOSSES: Readonly<Record<string, Loss>> = {
  mse: mse(),
  mae: mae(),
  huber: huber(),
  cosineSimilarity: cosineSimilarity(),
  crossEntropy: crossEntropy(),
  "crossEntropy smoothed": crossEntropy({ labelSmoothing: 0.1 }),
  "crossEntropy probabilities": crossEntropy({ target: "probabilities" }),
  klDivergence: klDivergence(),
  binaryCrossEntropy: binaryCrossEntropy(),
  focal: focal(),
  pinball: pinball({ quantiles: [0.1, 0.5, 0.9] }),
};

/** The weights and states of a model. */
const bitsOf = (model: AnyModel): string =>
  [...model.weights()]
    .map(([name, { data }]) => `${name} ${[...new Uint32Array(data.buffer, data.byteOffset, data.length)]}`)
    .join();

/** A network whose outputs are the rows of a table, as sequences of `steps` steps. */
const rowsOf = (steps: number) =>
  network({
    inputs: { row: spec(["batch"], "i32"), lengths: spec(["batch"], "i32") },
    layers: { table: embedding(ROWS, steps * COLUMNS), same: linear(COLUMNS, COLUMNS, { bias: false }) },
    forward: ({ row, lengths }, { table, same }) =>
      same(ops.sequence(ops.reshape(table(row), ["batch", steps, COLUMNS]), lengths)),
  });

/** Rows of [rows, STEPS, columns] with `more` steps behind them that hold `padding`. */
function padded(values: readonly number[], columns: number, more: number, padding: number): number[] {
  const width = STEPS * columns;
  return Array.from({ length: ROWS }, (_, row) => [
    ...values.slice(row * width, (row + 1) * width),
    ...new Array<number>(more * columns).fill(padding),
  ]).flat();
}

/** Loss and gradient, in the order of the outputs, of a step over all rows; `more` steps of padding. */
async function stepped(loss: Loss, one: Case, weights: readonly number[] | undefined, more = 0, padding = 0) {
  const steps = STEPS + more;
  const model = rowsOf(steps);
  const before = Float32Array.from(padded(one.output, COLUMNS, more, padding));
  const identity = Float32Array.from({ length: COLUMNS ** 2 }, (_, at) => (at % (COLUMNS + 1) === 0 ? 1 : 0));
  model.initialize(1).setWeights(
    new Map([
      ["table.table", tensor(before, [ROWS, steps * COLUMNS])],
      ["same.weight", tensor(identity, [COLUMNS, COLUMNS])],
    ]),
  );
  const isClasses = loss.target === "classes";
  const columns = one.target.length / ROWS / STEPS;
  const target = padded(one.target, columns, more, isClasses ? 0 : Math.max(0, Math.min(1, padding)));
  const y = isClasses
    ? tensor(Int32Array.from(target), [ROWS, steps])
    : tensor(Float32Array.from(target), [ROWS, steps, columns]);
  const data = { x: { row: Int32Array.of(0, 1, 2, 3, 4), lengths: Int32Array.from(fixture.lengths) }, y };
  const { history } = await fit(model, {
    data: weights === undefined ? data : { ...data, weight: Float32Array.from(weights) },
    loss,
    optimizer: sgd({ lr: 1 }),
    ...{ epochs: 1, batchSize: ROWS, shuffle: false },
  });
  const after = model.weights().get("table.table")?.data ?? new Float32Array();
  const gradient = Array.from(before, (value, at) => value - (after[at] ?? Number.NaN));
  return { loss: history[0]?.loss ?? Number.NaN, gradient, steps };
}

describe("PyTorch in float64", () => {
  test("has every case", () => expect(Object.keys(fixture.cases).sort()).toEqual(Object.keys(LOSSES).sort()));

  /* As in losses.test.ts: 40 roundings of terms of m = max(1, |x|)², and one of a step that changes numbers of |x|. */
  test.each(Object.entries(LOSSES))("%s", async (name, loss) => {
    const one = fixture.cases[name];
    if (one === undefined) throw new Error(`no case ${name}`);
    const largest = Math.max(1, ...one.output.map(Math.abs));
    for (const weights of [undefined, fixture.weights]) {
      const expected = weights === undefined ? one.plain : one.weighted;
      const { loss: value, gradient } = await stepped(loss, one, weights);
      expect(Math.abs(value - expected.loss)).toBeLessThan(40 * U * largest ** 2);
      for (const [at, slope] of gradient.entries()) {
        expect(Math.abs(slope - (expected.gradient[at] ?? Number.NaN)), `element ${at}`).toBeLessThan(
          40 * U * largest ** 2,
        );
      }
    }
  });

  test.each(Object.entries(LOSSES))(
    "%s: what padding holds, and how much of it there is, changes no bit",
    async (name, loss) => {
      const one = fixture.cases[name];
      if (one === undefined) throw new Error(`no case ${name}`);
      const plain = await stepped(loss, one, fixture.weights);
      for (const [more, padding] of [
        [1, 3e20],
        [37, -7],
        [300, 0],
      ] as const) {
        const other = await stepped(loss, one, fixture.weights, more, padding);
        expect(other.loss).toBe(plain.loss);
        const width = other.steps * COLUMNS;
        for (let row = 0; row < ROWS; row++) {
          for (let at = 0; at < width; at++) {
            const was = at < STEPS * COLUMNS ? plain.gradient[row * STEPS * COLUMNS + at] : 0;
            expect(other.gradient[row * width + at]).toBe(was);
          }
        }
      }
    },
  );
});

/** Sequences of letters, of which each step is to tell the next one; −, the last one repeats. */
function letters(rows: number, time: number) {
  const lengths = Int32Array.from({ length: rows }, (_, row) => 1 + ((row * 5) % time));
  const x = Array.from({ length: rows }, (_, row) =>
    Array.from({ length: time }, (_step, step) => (step < (lengths[row] ?? 0) ? (row + step * step) % 4 : 0)),
  );
  const y = x.map((line) => line.map((_, step) => line[step + 1] ?? line[step] ?? 0));
  return { x, y, lengths };
}

const tagger = (time: number) =>
  network({
    inputs: { letters: spec(["batch", time], "i32"), lengths: spec(["batch"], "i32") },
    layers: { letter: embedding(4, 5), cell: gru(5, 6, { sequences: true }), head: linear(6, 4) },
    forward: ({ letters: ids, lengths }, { letter, cell, head }) => head(cell(ops.sequence(letter(ids), lengths))),
  });

describe("a class a step", () => {
  const { x, y, lengths } = letters(40, 6);
  const data = { x: { letters: x, lengths }, y };
  const options = {
    loss: crossEntropy(),
    optimizer: adam({ lr: 0.03 }),
    seed: 3,
    metrics: ["accuracy", "confusionMatrix"],
  } as const;

  test("metrics count the steps that are there, once each", async () => {
    const model = tagger(6);
    const { history } = await fit(model, { ...options, data, validation: data, epochs: 20, batchSize: 16 });
    const { metrics, validation } = history.at(-1) ?? {};
    expect(metrics?.accuracy).toBeGreaterThan(0.6);
    const labels = await model.predict(data.x, { as: "labels" });
    expect(labels).toHaveLength(40 * 6);
    let [right, all] = [0, 0];
    for (const [row, line] of y.entries()) {
      for (let step = 0; step < (lengths[row] ?? 0); step++) {
        all += 1;
        if (labels[row * 6 + step] === line[step]) right += 1;
      }
    }
    expect(validation?.metrics.accuracy).toBe(right / all);
    const counted = validation?.metrics.confusionMatrix.flat().reduce((sum, count) => sum + count, 0);
    expect(counted).toBe(all);
  });

  test("a stream, and any number of threads, give the same bits", async () => {
    const bits = async (threads: number, stream: boolean): Promise<string> => {
      const model = tagger(6);
      const rows = x.map((line, row) => ({ x: { letters: line, lengths: lengths[row] ?? 0 }, y: y[row] ?? [] }));
      const own = stream ? dataset(() => rows, { shuffleBuffer: 1 }) : data;
      await fit(model, { ...options, metrics: [], data: own, epochs: 2, batchSize: 16, shuffle: false, threads });
      return bitsOf(model);
    };
    const one = await bits(1, false);
    expect(await bits(2, false)).toBe(one);
    expect(await bits(2, true)).toBe(one);
  });

  test("of parts of a batch, and of weights, the mean is that of all steps", async () => {
    const run = async (accumulate: number): Promise<number[]> => {
      const model = tagger(6);
      const weight = Float32Array.from({ length: 40 }, (_, row) => (row % 3) / 2);
      const { history } = await fit(model, {
        ...options,
        metrics: [],
        data: { ...data, weight },
        epochs: 3,
        batchSize: 40,
        accumulate,
      });
      return history.map(({ loss }) => loss);
    };
    const [whole, parts] = [await run(1), await run(4)];
    for (const [at, loss] of whole.entries()) expect(Math.abs((parts[at] ?? 0) - loss)).toBeLessThan(64 * U);
  });

  test("a batch of empty sequences has a loss of 0 and changes nothing", async () => {
    const model = tagger(6).initialize(2);
    const before = bitsOf(model);
    const { history } = await fit(model, {
      ...options,
      metrics: [],
      data: { x: { letters: x.slice(0, 4), lengths: new Int32Array(4) }, y: y.slice(0, 4) },
      ...{ epochs: 1, batchSize: 4, optimizer: sgd({ lr: 1 }) },
    });
    expect(history[0]?.loss).toBe(0);
    expect(bitsOf(model)).toBe(before);
  });

  test.each<[string, object, string]>([
    ["a class that there is not", { y: y.map((line, row) => (row === 7 ? line.map(() => 4) : line)) }, "row 7"],
    [
      "a length above the time",
      { x: { letters: x, lengths: lengths.map((one, row) => (row === 3 ? 7 : one)) } },
      "row 3",
    ],
    ["classes of too few steps", { y: y.map((line) => line.slice(1)) }, "6 values in row 0"],
  ])("%s is refused with its row", async (_, changed, text) => {
    const wrong = { ...data, ...changed };
    await expect(fit(tagger(6), { ...options, data: wrong, epochs: 1, batchSize: 16, shuffle: false })).rejects.toThrow(
      text,
    );
  });

  test("weights of classes are those of steps; of lengths nobody counts them", async () => {
    const run = fit(tagger(6), { ...options, data, epochs: 1, classWeights: "balanced" });
    await expect(run).rejects.toMatchObject({ code: "ERR_OPTION", where: "fit.classWeights" });
    const [plain, alike] = [tagger(6), tagger(6)];
    await fit(plain, { ...options, data, epochs: 1 });
    await fit(alike, { ...options, data, epochs: 1, classWeights: [1, 1, 1, 1] });
    expect([...alike.weights().values()].map((one) => one.data)).toEqual(
      [...plain.weights().values()].map((one) => one.data),
    );
  });
});

describe("pools over lengths", () => {
  const values = [
    [
      [1, -2],
      [3, -4],
      [9, 9],
    ],
    [
      [5, 6],
      [7, 1],
      [8, 2],
    ],
    [
      [1, 1],
      [1, 1],
      [1, 1],
    ],
  ];
  const lengths = tensor(Int32Array.of(2, 3, 0));

  test.each([
    ["globalAveragePool", globalAveragePool, [2, -3, 20 / 3, 3, 0, 0]],
    ["globalMaxPool", globalMaxPool, [3, -2, 8, 6, 0, 0]],
  ] as const)("%s", (_, pool, expected) => {
    const told = pool().forward(ops.sequence(tensor(values), lengths), {}, {} as never) as Tensor<"f32">;
    for (const [at, value] of expected.entries()) expect(told.data[at]).toBeCloseTo(value, 6);
  });
});

describe("batchNorm over lengths", () => {
  const lengths = [2, 3, 0, 1];
  const [time, features] = [3, 2];
  const values = Array.from({ length: lengths.length * time * features }, (_, at) => ((at * 29) % 64) / 8 - 3);
  const at = (row: number, step: number, feature: number) => values[(row * time + step) * features + feature] ?? 0;
  const there = lengths.flatMap((length, row) => Array.from({ length }, (_, step) => [row, step] as const));

  /** Of steps that are there, in the order of the examples. */
  const compact = tensor(there.map(([row, step]) => [at(row, step, 0), at(row, step, 1)]));

  const run = async (more: number, padding: number, preset?: "pytorch" | "keras") => {
    const steps = time + more;
    const model = network({
      inputs: { row: spec(["batch"], "i32"), lengths: spec(["batch"], "i32") },
      layers: {
        table: embedding(lengths.length, steps * features),
        norm: batchNorm(features, preset === undefined ? {} : { preset }),
      },
      forward: ({ row, lengths: own }, { table, norm }) =>
        norm(ops.sequence(ops.reshape(table(row), ["batch", steps, features]), own)),
    });
    const rows = lengths.flatMap((length, row) =>
      Array.from({ length: steps * features }, (_, place) =>
        Math.floor(place / features) < length ? at(row, Math.floor(place / features), place % features) : padding,
      ),
    );
    model
      .initialize(1)
      .setWeights(
        new Map<string, Tensor>([
          ...model.weights(),
          ["table.table", tensor(Float32Array.from(rows), [lengths.length, steps * features])],
        ]),
      );
    const y = rows.map((_, place) => (place % 7) / 4);
    await fit(model, {
      data: {
        x: { row: Int32Array.of(0, 1, 2, 3), lengths: Int32Array.from(lengths) },
        y: tensor(
          Float32Array.from(y.map((value, place) => (place % (steps * features) < time * features ? value : 0))),
          [lengths.length, steps, features],
        ),
      },
      ...{ loss: mse(), optimizer: sgd({ lr: 0.5 }), epochs: 1, batchSize: 4, shuffle: false },
    });
    const found = model.weights();
    const table = found.get("table.table")?.data ?? new Float32Array();
    const own = there.map(([row, step]) =>
      [0, 1].map((feature) => table[(row * steps + step) * features + feature] ?? 0),
    );
    const of = (name: string): number[] => [...(found.get(name)?.data ?? [])];
    return {
      table: own,
      scale: of("norm.scale"),
      shift: of("norm.shift"),
      mean: of("norm.mean"),
      variance: of("norm.variance"),
    };
  };

  test.each([undefined, "pytorch", "keras"] as const)(
    "as over the steps that are there, one behind the other, preset %s",
    async (preset) => {
      const found = await run(0, 50, preset);
      const columns = [0, 1].map((feature) => there.map(([row, step]) => at(row, step, feature)));
      const [keep, unbias] = preset === "pytorch" ? [0.9, 6 / 5] : [0.99, 1];
      for (const [feature, column] of columns.entries()) {
        const mean = column.reduce((sum, value) => sum + value, 0) / column.length;
        const variance = column.reduce((sum, value) => sum + (value - mean) ** 2, 0) / column.length;
        expect(found.mean[feature]).toBeCloseTo((1 - keep) * mean, 6);
        expect(found.variance[feature]).toBeCloseTo(keep + (1 - keep) * variance * unbias, 6);
      }
      // The same rows without padding, one an example.
      const plain = network({
        inputs: { row: spec(["batch"], "i32") },
        layers: { table: embedding(6, features), norm: batchNorm(features, preset === undefined ? {} : { preset }) },
        forward: ({ row }, { table, norm }) => norm(table(row)),
      });
      plain.initialize(1).setWeights(new Map<string, Tensor>([...plain.weights(), ["table.table", compact]]));
      const y = there.map(([row, step]) =>
        [0, 1].map((feature) => (((row * time + step) * features + feature) % 7) / 4),
      );
      const data = { x: { row: Int32Array.of(0, 1, 2, 3, 4, 5) }, y };
      await fit(plain, { data, loss: mse(), optimizer: sgd({ lr: 0.5 }), epochs: 1, batchSize: 6, shuffle: false });
      const expected = plain.weights();
      const close = (name: string, values: readonly number[]): void => {
        for (const [place, value] of values.entries())
          expect(value, name).toBeCloseTo(expected.get(name)?.data[place] ?? Number.NaN, 5);
      };
      close("table.table", found.table.flat());
      close("norm.scale", found.scale);
      close("norm.shift", found.shift);
    },
  );
});
