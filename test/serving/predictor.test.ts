// What a predictor answers, to whom, and what it refuses.
import { inspect } from "node:util";
import * as carillon from "carillon";
import {
  adam,
  binaryCrossEntropy,
  CarillonError,
  crossEntropy,
  defineLayer,
  dropout,
  fit,
  type Layer,
  linear,
  type Model,
  minimizer,
  mse,
  ops,
  type Predictor,
  parameter,
  program,
  relu,
  runtime,
  sequential,
  sgd,
  sigmoid,
  softmax,
  spec,
  standardize,
  type Tensor,
  tanh,
  tensor,
} from "carillon";
import { describe, expect, test } from "vitest";
import { activationLayers } from "../../lib/nn/kinds/layers.js";
import { collected } from "../collected.js";
import { clusters, numbers } from "../train/synthetic.js";

function floats(count: number, seed = 1): Float32Array {
  const next = numbers(seed);
  return Float32Array.from({ length: count }, () => 4 * next() - 2);
}

const network = (): Model<6, 3> =>
  sequential(linear(6, 16), relu(), dropout(0.5), linear(16, 8), tanh(), linear(8, 3)).initialize(7);

/** What a program over the model gives, whose instructions are not packed. */
function byProgram(model: Model, x: Float32Array): Float32Array {
  const rows = x.length / Number(model.inputs);
  const inputs = { x: spec(["batch", Number(model.inputs)]) };
  const forward = program({ inputs, maxBatch: rows, body: (given) => ({ y: model.forward(given.x) }) });
  const { y } = forward.runSync({ x: tensor(x, [rows, Number(model.inputs)]) }) as { y: Tensor<"f32"> };
  return y.data;
}

describe("bits: a row, a batch and a program agree", () => {
  const custom = defineLayer({
    kind: "shifted",
    inputs: 6,
    outputs: "same",
    parameters: { factor: parameter([6], { init: 2 }), shift: parameter([6], { init: 0.5 }) },
    forward: (x, { factor, shift }) => ops.add(ops.multiply(ops.exp(x), factor), shift),
  });
  const product = defineLayer({
    kind: "twice",
    inputs: 6,
    outputs: 4,
    parameters: { weight: parameter([6, 4]) },
    forward: (x, { weight }) => ops.multiply(ops.matmul(x, weight), 2),
  });
  const models: Readonly<Record<string, () => Model>> = {
    "three layers": network,
    "one layer without bias": () => sequential(linear(6, 5, { bias: false })).initialize(1),
    "a custom layer": () => sequential(linear(6, 6), custom, linear(6, 2)).initialize(1),
    "a custom product": () => sequential(product, relu()).initialize(1),
    "nothing but operations": () =>
      sequential(defineLayer({ kind: "sine", inputs: 6, outputs: 6, forward: (x) => ops.tanh(x) })),
    "the same layer twice": () => {
      const layer = linear(6, 6);
      return sequential(layer, relu(), layer, linear(6, 1)).initialize(1);
    },
    ...Object.fromEntries(
      Object.keys(activationLayers).map((name) => {
        const make = (): Layer<number, "same"> => Reflect.apply(Reflect.get(carillon, name), undefined, []);
        return [name, () => sequential(linear(6, 7), make(), linear(7, 6), make()).initialize(1)];
      }),
    ),
  };

  test.each(Object.entries(models))("%s", async (_, make) => {
    const model = make();
    const x = floats(6 * 37);
    const expected = byProgram(model, x);
    const predictor = model.predictor({ maxBatch: 37 });
    const row = (at: number): Float32Array => x.subarray(6 * at, 6 * at + 6);
    expect(predictor.run(x).data).toEqual(expected);
    expect((await predictor.submit(x)).data).toEqual(expected);
    const rows = await Promise.all(Array.from({ length: 37 }, (__, at) => predictor.submit(row(at))));
    expect(Float32Array.from(rows.flatMap(({ data }) => [...data]))).toEqual(expected);
    expect(Float32Array.from(rows.flatMap((__, at) => [...predictor.run([...row(at)]).data]))).toEqual(expected);
    expect((await model.predict(x)).data).toEqual(expected);
    expect(model.predictSync(x).data).toEqual(expected);
    expect(predictor.statistics.largest).toBe(37);
  });

  test.each(["f32", "bf16", "int8"] as const)("%s: the same for any batch and number of threads", async (weights) => {
    const model = sequential(linear(40, 64), relu(), linear(64, 5)).initialize(3);
    const x = floats(40 * 100);
    const [one, two] = [1, 2].map((threads) => model.predictor({ weights, threads, maxBatch: 100 }));
    const expected = one?.run(x).data;
    expect(two?.run(x).data).toEqual(expected);
    const single = Array.from({ length: 100 }, (_, at) => two?.submit(x.subarray(40 * at, 40 * at + 40)));
    expect((await Promise.all(single)).flatMap((one) => [...(one?.data ?? [])])).toEqual([...(expected ?? [])]);
  });
});

describe("a row", () => {
  const predictor = network().predictor();
  const row = [0.5, -1, 2, 0, 1, -0.25];
  const expected = predictor.run(Float32Array.from(row)).data;

  test.each<[string, Parameters<typeof predictor.run>[0]]>([
    ["a plain array", row],
    ["an array in an array", [row]],
    ["doubles", Float64Array.from(row)],
    ["a tensor", tensor([row])],
    ["an array of typed arrays", [Float32Array.from(row)]],
  ])("as %s", async (_, x) => {
    expect(predictor.run(x)).toMatchObject({ shape: [1, 3], data: expected });
    expect(await predictor.submit(x)).toMatchObject({ shape: [1, 3], data: expected });
  });

  test("of predictSync too", async () => {
    const model = network();
    const row = [1, 2, 3, 4, 5, 6];
    expect(model.predictSync(row).data).toEqual((await model.predict(row)).data);
    expect(() => model.predictSync([1, 2])).toThrow(
      "expected one row of 6 numbers, or an array of rows, for 'predictSync.x'",
    );
  });

  test("of one input: numbers are rows", () => {
    const one = sequential(linear(1, 1, { init: 1 }))
      .initialize(1)
      .predictor();
    expect(one.run([1, 2, 3])).toMatchObject({ shape: [3, 1], data: Float32Array.of(1, 2, 3) });
  });

  test("as bytes", () => {
    const bytes = Uint8Array.of(1, 2, 3, 4, 5, 255);
    expect(predictor.run(bytes).data).toEqual(predictor.run([...bytes]).data);
  });

  test("into memory of the caller's, which may be longer or that of x", () => {
    const into = new Float32Array(5).fill(9);
    expect(predictor.run(row, into)).toBe(into);
    expect([...into]).toEqual([...expected, 9, 9]);
    const same = Float32Array.from(row);
    predictor.run(same, same);
    expect(same.subarray(0, 3)).toEqual(expected);
  });

  test("in memory that is shared with other threads", () => {
    const shared = new Float32Array(new SharedArrayBuffer(24));
    shared.set(row);
    expect(predictor.run(shared).data).toEqual(expected);
    const run = (): unknown => Reflect.apply(predictor.run, predictor, [row, shared]);
    expect(run).toThrow(expect.objectContaining({ code: "ERR_DTYPE" }));
  });

  test("of many rows: a value that is not finite is found wherever it is", () => {
    const wide = sequential(linear(100, 1)).initialize(1).predictor();
    const x = floats(2000);
    x[1234] = Number.POSITIVE_INFINITY;
    expect(() => wide.run(x)).toThrow(/row 12, column 34 .*Infinity/);
    const large = new Float32Array(2000).fill(3e38); // whose sum is infinite, though they are not
    expect(wide.run(large).shape).toEqual([20, 1]);
  });

  test("answers are the caller's own", async () => {
    const [a, b] = await Promise.all([predictor.submit(row), predictor.submit(row)]);
    a.data.fill(0);
    predictor.run(row).data.fill(0);
    expect(b.data).toEqual(expected);
    expect((await predictor.submit(row)).data).toEqual(expected);
  });

  test("is read at the call", async () => {
    const x = Float32Array.from(row);
    const pending = predictor.submit(x);
    x.fill(Number.NaN);
    expect((await pending).data).toEqual(expected);
  });
});

describe("units, labels and probabilities are those of predict", () => {
  const { x, y } = clusters(96, 4, 3);
  const names = Array.from(y, (label) => ["red", "green", "blue"][label] ?? "");

  test("of classes with names", async () => {
    const model = sequential(linear(4, 8), relu(), linear(8, 3));
    const data = { x, y: names };
    await fit(model, { data, inputs: standardize(), loss: crossEntropy(), optimizer: adam({ lr: 0.05 }), epochs: 5 });
    const labels = model.predictor({ as: "labels" });
    const expected: readonly (string | number)[] = await model.predict(x, { as: "labels" });
    expect(labels.run(x)).toEqual(expected);
    expect(await labels.submit(x)).toEqual(expected);
    expect(new Set(expected)).toEqual(new Set(["red", "green", "blue"]));
    const chances = model.predictor({ as: "probabilities" });
    expect(chances.run(x)).toEqual(await model.predictProbabilities(x));
    expect(await chances.submit(x)).toEqual(await model.predictProbabilities(x));
    const each = model.predictor({ as: "sigmoid" });
    expect(each.run(x)).toEqual(await model.predictProbabilities(x, { as: "sigmoid" }));
    expect(model.predictor().run(x)).toEqual(model.predictSync(x));
    expect(() => Reflect.apply(labels.run, labels, [x, new Float32Array(96)])).toThrow(/labels/);
  });

  test("of values with units, which float32 would lose digits of", async () => {
    const model = sequential(linear(1, 4), relu(), linear(4, 1)).initialize(1);
    const rows = [1.7e9, 1.7e9 + 9, 1.7e9 + 20, 1.7e9 + 28].map((one) => [one]);
    const options = { inputs: standardize(), targets: standardize(), loss: mse(), optimizer: adam(), epochs: 3 };
    await fit(model, { data: { x: rows, y: [1, 2, 3, 4] }, ...options });
    const expected = await model.predict(rows);
    const predictor = model.predictor();
    expect(predictor.run(rows)).toEqual(expected);
    const singly = await Promise.all(rows.map((row) => predictor.submit(row)));
    expect(singly.map(({ data }) => data[0])).toEqual([...expected.data]);
    const into = new Float32Array(4);
    expect(predictor.run(rows, into)).toEqual(expected.data);
    expect(() => model.predictor({ as: "labels" })).toThrow(/predictor/);
    expect(() => model.predictor({ as: "probabilities" })).toThrow(CarillonError);
  });

  test("of a network that ends in probabilities", async () => {
    const model = sequential(linear(4, 3), softmax()).initialize(1);
    expect(model.predictor({ as: "probabilities" }).run(x)).toEqual(model.predictSync(x));
    const binary = sequential(linear(4, 1), sigmoid());
    await fit(binary, { data: { x, y: y.map((label) => +(label > 0)) }, loss: mse(), optimizer: adam(), epochs: 1 });
    expect(binary.predictor({ as: "labels" }).run(x)).toEqual(binary.predictSync(x, { as: "labels" }));
  });

  test("a label of NaN is refused, that of its neighbours is told", async () => {
    // A sum beyond float32, times 0.
    const model = sequential(linear(2, 2, { init: 3e38 }), linear(2, 2, { init: 0 }));
    await fit(model, { data: { x: [[0, 0]], y: [0] }, loss: crossEntropy(), optimizer: sgd({ lr: 0 }), epochs: 1 });
    const predictor = model.predictor({ as: "labels" });
    const [bad, good] = await Promise.allSettled([predictor.submit([3e38, 0]), predictor.submit([0, 0])]);
    expect(bad).toMatchObject({ reason: { code: "ERR_NON_FINITE" } });
    expect(good.status).toBe("fulfilled");
  });
});

describe("is refused", () => {
  const predictor = network().predictor({ maxBatch: 4 });
  const row = [1, 2, 3, 4, 5, 6];

  test.each<[string, unknown, string, RegExp]>([
    ["a row that is too short", [1, 2, 3], "ERR_DATA", /one row of 6 numbers.*array of 3/],
    ["a typed array that is no whole rows", new Float32Array(7), "ERR_DATA", /a multiple of 6/],
    ["a row of another width", [row, [1]], "ERR_DATA", /6 values in row 1/],
    ["a tensor of another width", tensor([[1, 2]]), "ERR_SHAPE", /\[rows, 6\].*\[1, 2\]/],
    ["NaN", [1, 2, Number.NaN, 4, 5, 6], "ERR_DATA", /row 0, column 2.*NaN/],
    ["NaN of floats", Float32Array.of(...row, 1, 2, 3, 4, Number.NaN, 6), "ERR_DATA", /row 1, column 4.*NaN/],
    ["an infinity", [row, [1, 2, 3, Number.NEGATIVE_INFINITY, 5, 6]], "ERR_DATA", /row 1, column 3.*-Infinity/],
    ["what float32 does not hold", [1e39, 2, 3, 4, 5, 6], "ERR_DATA", /row 0, column 0.*1e\+39/],
    ["a text in a row", [1, "2", 3, 4, 5, 6], "ERR_DATA", /row 0, column 1.*"2"/],
    ["no rows", [], "ERR_DATA", /at least one row/],
    ["nothing", undefined, "ERR_DTYPE", /received undefined/],
    ["a batch above maxBatch", new Float32Array(30), "ERR_SHAPE", /at most 4 rows \(maxBatch\).*received 5/],
  ])("%s", async (_, x, code, message) => {
    const refusal = { code, message: expect.stringMatching(message) };
    const run = (): unknown => Reflect.apply(predictor.run, predictor, [x]);
    expect(run).toThrow(expect.objectContaining(refusal));
    await expect(Reflect.apply(predictor.submit, predictor, [x])).rejects.toMatchObject(refusal);
    // Nobody else is touched.
    const [before, , after] = await Promise.allSettled([
      predictor.submit(row),
      Reflect.apply(predictor.submit, predictor, [x]),
      predictor.submit(row),
    ]);
    expect(before).toMatchObject({ status: "fulfilled", value: { data: predictor.run(row).data } });
    expect(after).toEqual(before);
  });

  test("memory that was transferred away", async () => {
    const moved = Float32Array.from(row);
    structuredClone(moved.buffer, { transfer: [moved.buffer] });
    expect(() => predictor.run(moved)).toThrow(expect.objectContaining({ code: "ERR_DETACHED" }));
    await expect(predictor.submit(moved)).rejects.toMatchObject({ code: "ERR_DETACHED" });
  });

  test.each<[string, unknown, string]>([
    ["too short", new Float32Array(2), "ERR_SHAPE"],
    ["no floats", new Float64Array(3), "ERR_DTYPE"],
    ["no memory", [1, 2, 3], "ERR_DTYPE"],
  ])("memory for the answer that is %s", (_, into, code) => {
    const run = (): unknown => Reflect.apply(predictor.run, predictor, [row, into]);
    expect(run).toThrow(expect.objectContaining({ code }));
  });

  test.each<[object, string, RegExp]>([
    [{ maxBatch: 0 }, "ERR_OPTION", /predictor.maxBatch/],
    [{ maxBatch: 8, maxQueue: 4 }, "ERR_OPTION", /predictor.maxQueue/],
    [{ threads: 0 }, "ERR_OPTION", /predictor.threads/],
    [{ weights: "f16" }, "ERR_OPTION", /'f32', 'bf16' or 'int8'/],
    [{ weights: [["dense.*", "bf16"]] }, "ERR_OPTION", /matches a parameter \(linear1.weight, /],
    [{ weights: [["*", "f64"]] }, "ERR_OPTION", /weights\[0\]/],
    [{ as: "names" }, "ERR_OPTION", /predictor.as/],
    [{ batch: 4 }, "ERR_UNKNOWN_OPTION", /'batch'/],
  ])("an option: %j", (options, code, message) => {
    const model = network();
    const make = (): unknown => Reflect.apply(model.predictor, model, [options]);
    expect(make).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
  });

  test("a model whose weights have no values", () => {
    const make = (): unknown => sequential(linear(2, 2)).predictor();
    expect(make).toThrow(expect.objectContaining({ code: "ERR_STATE", message: expect.stringMatching(/initialize/) }));
  });

  test("an option of submit", async () => {
    const call = Reflect.apply(predictor.submit, predictor, [row, { timeout: 4 }]);
    await expect(call).rejects.toMatchObject({ code: "ERR_UNKNOWN_OPTION" });
    const signal = Reflect.apply(predictor.submit, predictor, [row, { signal: 4 }]);
    await expect(signal).rejects.toMatchObject({ code: "ERR_OPTION" });
  });
});

describe("the queue", () => {
  const row = [1, 2, 3, 4, 5, 6];

  test("gathers what waits, and keeps the rows of a call together", async () => {
    const predictor = network().predictor({ maxBatch: 8 });
    const expected = predictor.run(row).data;
    const three = Float32Array.from([...row, ...row, ...row]);
    const calls = [three, three, three, three, row, row].map((x) => predictor.submit(x));
    expect(predictor.statistics.queued).toBe(14);
    for (const { data } of await Promise.all(calls)) expect(data.subarray(0, 3)).toEqual(expected);
    const { queued, computing, calls: answered, batches, rows, largest } = predictor.statistics;
    expect({ queued, computing, answered, batches, rows, largest }).toEqual({
      queued: 0,
      computing: 0,
      answered: 6,
      batches: 2,
      rows: 14,
      largest: 8,
    });
    expect(predictor.statistics.microseconds).toBeGreaterThan(0);
  });

  test("is bounded", async () => {
    const predictor = network().predictor({ maxBatch: 2, maxQueue: 5 });
    const calls = Array.from({ length: 7 }, () => predictor.submit(row));
    const results = await Promise.allSettled(calls);
    expect(results.map(({ status }) => status === "fulfilled")).toEqual([true, true, true, true, true, false, false]);
    expect(results[6]).toMatchObject({ reason: { code: "ERR_QUEUE_FULL", where: "submit.x" } });
    expect(predictor.statistics).toMatchObject({ refused: 2, calls: 5, queued: 0 });
    await predictor.submit(row); // there is room again
  });

  test("an abort leaves it; one that came before is heeded, and one that comes later changes nothing", async () => {
    const predictor = network().predictor({ maxBatch: 8 });
    const expected = predictor.run(row).data;
    const abort = new AbortController();
    const reason = new Error("gone");
    const others = (at: number): Promise<Tensor<"f32">> => predictor.submit(row.map((value) => value + at));
    const [before, given, after] = [others(1), predictor.submit(row, { signal: abort.signal }), others(2)];
    abort.abort(reason);
    expect(predictor.statistics).toMatchObject({ queued: 2, aborted: 1 });
    await expect(given).rejects.toBe(reason);
    const answers = [await before, await after].map(({ data }) => data);
    expect(answers).toEqual([1, 2].map((at) => predictor.run(row.map((value) => value + at)).data));
    expect(predictor.statistics.rows).toBe(2); // the row was not computed
    await expect(predictor.submit(row, { signal: abort.signal })).rejects.toBe(reason);
    const late = new AbortController();
    const done = await predictor.submit(row, { signal: late.signal });
    late.abort();
    expect(done.data).toEqual(expected);
  });

  test("an abort of one that is being computed rejects at once", async () => {
    const large = sequential(linear(512, 1024), relu(), linear(1024, 512)).initialize(1);
    const predictor = large.predictor({ maxBatch: 256 });
    const abort = new AbortController();
    const pending = predictor.submit(new Float32Array(512 * 256), { signal: abort.signal });
    while (predictor.statistics.computing === 0) await new Promise((resolve) => setImmediate(resolve));
    abort.abort(new Error("gone"));
    expect(predictor.statistics).toMatchObject({ queued: 0, aborted: 1 });
    await expect(pending).rejects.toThrow("gone");
    await predictor.close();
    expect(predictor.statistics).toMatchObject({ calls: 0, computing: 0 });
  });

  test("close answers those that wait, and refuses others", async () => {
    const predictor = network().predictor({ maxBatch: 2 });
    const calls = Array.from({ length: 9 }, () => predictor.submit(row));
    const closed = predictor.close();
    const refusal = { code: "ERR_STATE", message: expect.stringMatching(/closed/) };
    await expect(predictor.submit(row)).rejects.toMatchObject(refusal);
    expect(() => predictor.run(row)).toThrow(expect.objectContaining(refusal));
    await expect(predictor.refresh()).rejects.toMatchObject(refusal);
    await expect(predictor.error(row)).rejects.toMatchObject(refusal);
    await closed;
    expect(predictor.statistics).toMatchObject({ calls: 9, queued: 0, computing: 0 });
    expect((await Promise.allSettled(calls)).every(({ status }) => status === "fulfilled")).toBe(true);
    await predictor.close();
    await predictor[Symbol.asyncDispose]();
  });
});

describe("weights", () => {
  test("are those of the moment at which it was made, until it is told", async () => {
    const model = network();
    const predictor = model.predictor();
    const row = [1, 2, 3, 4, 5, 6];
    const old = predictor.run(row).data;
    model.initialize(8);
    expect(predictor.run(row).data).toEqual(old);
    expect((await predictor.submit(row)).data).toEqual(old);
    await Promise.all([predictor.refresh(), predictor.refresh()]);
    expect(predictor.run(row).data).toEqual(model.predictSync([row]).data);
    expect(predictor.run(row).data).not.toEqual(old);
    expect(predictor.statistics.refreshes).toBe(2);
  });

  test("come with their units, and with what the outputs mean", async () => {
    const { x, y } = clusters(64, 4, 3);
    const model = sequential(linear(4, 3)).initialize(1);
    const predictor = model.predictor({ as: "probabilities" });
    const data = { x: x.map((value) => 1000 + 50 * value), y };
    await fit(model, { data, inputs: standardize(), loss: crossEntropy(), optimizer: adam(), epochs: 2 });
    await predictor.refresh();
    expect(predictor.run(data.x)).toEqual(await model.predictProbabilities(data.x));
    const several = {
      x,
      y: tensor(
        Float32Array.from({ length: 192 }, (_, at) => at % 2),
        [64, 3],
      ),
    };
    await fit(model, { data: several, inputs: null, loss: binaryCrossEntropy(), optimizer: adam(), epochs: 1 });
    await predictor.refresh();
    expect(predictor.run(x)).toEqual(await model.predictProbabilities(x));
  });

  describe("with other units than at the call", () => {
    const START = 1_700_000_000; // of which float32 keeps hundreds only
    const x = Array.from({ length: 512 }, (_, i) => [START + i]);
    const plain = (): Model<1, 1> => sequential(linear(1, 8), relu(), linear(8, 1));

    /** The event loop is held for so long that a batch waits for its next turn. */
    async function turnOver(predictor: Predictor, row: readonly number[]): Promise<void> {
      hold();
      await predictor.submit(row); // by which a turn is asked for
      hold();
    }

    function hold(): void {
      for (const until = performance.now() + 3; performance.now() < until; );
    }

    async function trained(): Promise<Model<1, 1>> {
      const model = plain();
      const data = { x, y: x.map((_, i) => i / 512) };
      await fit(model, { data, inputs: standardize(), loss: mse(), optimizer: adam({ lr: 0.02 }), epochs: 5 });
      return model;
    }

    test("rows that wait keep their digits", async () => {
      const [model, other] = [plain().initialize(1), await trained()];
      const predictor = model.predictor();
      await model.load(other.bytes());
      const right = other.predictSync([START + 100]).data;
      await turnOver(predictor, [START]);
      const before = predictor.submit([START + 100]);
      await predictor.refresh();
      const behind = predictor.submit(Float64Array.of(START + 100));
      expect((await behind).data).toEqual(right);
      expect(predictor.run([START + 100]).data).toEqual(right);
      expect((await before).data).toEqual(right);
    });

    test("bytes and floats that wait with doubles", async () => {
      const model = await trained();
      const predictor = model.predictor();
      const answers = [Float32Array.of(START), [START + 100], Uint8Array.of(7)].map((row) => predictor.submit(row));
      const right = [Float32Array.of(START), [START + 100], Uint8Array.of(7)].map((row) => predictor.run(row).data);
      expect((await Promise.all(answers)).map(({ data }) => data)).toEqual(right);
    });

    test("a call of predict behind a load has those of the load", async () => {
      const [model, other] = [plain().initialize(1), await trained()];
      const large = model.predict(floats(3000).map(Math.abs));
      const loaded = model.load(other.bytes()).then(() => model.predict([[START + 100]]));
      expect((await loaded).data).toEqual(other.predictSync([START + 100]).data);
      await large;
    });

    test("a value that float32 does not hold without them is refused, its neighbour answered", async () => {
      const model = sequential(linear(2, 8), relu(), linear(8, 1));
      const wide = {
        x: [
          [1e38, 1],
          [-1e38, 2],
        ],
        y: [1, 2],
      };
      await fit(model, { data: wide, inputs: standardize(), loss: mse(), optimizer: adam(), epochs: 2 });
      const predictor = model.predictor();
      await model.load(sequential(linear(2, 8), relu(), linear(8, 1)).initialize(1).bytes());
      await turnOver(predictor, [1, 1]);
      const calls = [
        [4e38, 1],
        [1, 2],
      ].map((row) => predictor.submit(row));
      await predictor.refresh();
      const [bad, good] = await Promise.allSettled(calls);
      expect(bad).toMatchObject({ status: "rejected", reason: { code: "ERR_DATA" } });
      expect(good).toMatchObject({ status: "fulfilled", value: { data: predictor.run([1, 2]).data } });
    });
  });

  test("of a run are those between two steps", async () => {
    const { x, y } = clusters(256, 6, 3);
    const model = network();
    const predictor = model.predictor();
    // Both layers' steps are seen together or not at all: a program that reads the run beside gives the same bits.
    const run = fit(model, { data: { x, y }, loss: crossEntropy(), optimizer: adam(), epochs: 30 });
    let looks = 0;
    for await (const event of run) {
      if (event.kind !== "epoch") continue;
      await predictor.refresh();
      expect(predictor.run(x).data.every(Number.isFinite)).toBe(true);
      looks += 1;
    }
    expect(looks).toBeGreaterThan(0);
    await predictor.refresh();
    expect(predictor.run(x)).toEqual(model.predictSync(x));
  });

  test("that change are seen by predict and predictSync, whoever has written them", async () => {
    const { x, y } = clusters(64, 4, 3);
    const model = sequential(linear(4, 8), relu(), linear(8, 3)).initialize(1);
    const seen = new Set<string>();
    const look = async (): Promise<void> => {
      const expected = byProgram(model, x);
      expect(model.predictSync(x).data).toEqual(expected);
      expect((await model.predict(x)).data).toEqual(expected);
      expect(model.predictSync(x).data).toEqual(expected);
      seen.add(expected.join());
    };
    await look();
    model.initialize(2);
    await look();
    model.setWeights(sequential(linear(4, 8), relu(), linear(8, 3)).initialize(3).weights());
    await look();
    await model.load(sequential(linear(4, 8), relu(), linear(8, 3)).initialize(4).bytes());
    await look();
    await fit(model, { data: { x, y }, loss: crossEntropy(), optimizer: adam(), epochs: 1 });
    await look();
    const trainer = minimizer(model, adam());
    const step = program({
      training: true,
      maxBatch: 64,
      inputs: { x: spec(["batch", 4]), y: spec(["batch"], "i32") },
      body(given) {
        const loss = ops.mean(crossEntropy()(model.forward(given.x), given.y));
        trainer.minimize(loss);
        return { loss };
      },
    });
    await step.run({ x, y });
    await look();
    step.runSync({ x, y });
    await look();
    expect(seen.size).toBe(7);
  });

  test("a smaller form: what it costs is measured", async () => {
    const { x, y } = clusters(256, 16, 4);
    const model = sequential(linear(16, 32), relu(), linear(32, 4));
    await fit(model, { data: { x, y }, loss: crossEntropy(), optimizer: adam({ lr: 0.01 }), epochs: 10 });
    const exact = await model.predictor().error(x);
    expect(exact).toEqual({ rows: 256, maxAbsolute: 0, rootMeanSquare: 0, labelAgreement: 1 });
    for (const weights of ["bf16", "int8"] as const) {
      const predictor = model.predictor({ weights });
      const { maxAbsolute, rootMeanSquare, labelAgreement } = await predictor.error(x);
      const differences = predictor
        .run(x)
        .data.map((value, at) => Math.abs(value - (model.predictSync(x).data[at] ?? 0)));
      expect(maxAbsolute).toBe(Math.max(...differences));
      expect(rootMeanSquare).toBeLessThanOrEqual(maxAbsolute);
      expect(maxAbsolute).toBeGreaterThan(0);
      expect(maxAbsolute).toBeLessThan(0.2);
      expect(labelAgreement).toBeGreaterThan(0.97);
    }
    const kept = model.predictor({
      weights: [
        ["linear2.*", "f32"],
        ["*", "int8"],
      ],
    });
    const all = model.predictor({ weights: "int8" });
    const none = model.predictor({ weights: [["*", "f32"]] });
    expect(none.run(x)).toEqual(model.predictSync(x));
    expect(kept.run(x)).not.toEqual(all.run(x));
    expect(all.statistics.weightBytes).toBeLessThan(kept.statistics.weightBytes);
    const values = sequential(linear(2, 1)).initialize(1);
    await fit(values, { data: { x: [[1, 2]], y: [3] }, loss: mse(), optimizer: adam(), epochs: 1 });
    expect((await values.predictor().error([1, 2])).labelAgreement).toBeUndefined();
  });
});

test("predictors that nobody refers to any more are collected", async () => {
  const model = network();
  const round = async (): Promise<void> => {
    for (let made = 0; made < 20; made++) {
      const predictor = model.predictor();
      await predictor.submit([1, 2, 3, 4, 5, 6]);
      await predictor.refresh();
    }
  };
  await round();
  await collected();
  const before = runtime.memory();
  await round();
  await collected();
  expect(runtime.memory().buffers).toBeLessThanOrEqual(before.buffers);
});

test("console.log shows what it is", () => {
  expect(inspect(network().predictor())).toBe("Predictor [6] → [3] { as: 'outputs', maxBatch: 256, closed: false }");
});
