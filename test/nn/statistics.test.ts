// Running values of batch norms measured anew: against PyTorch's update_bn, and by their definition where that differs.
import { readFileSync } from "node:fs";
import {
  batchNorm,
  dataset,
  defineLayer,
  dropout,
  fit,
  linear,
  mse,
  network,
  ops,
  relu,
  sequential,
  sgd,
  spec,
  standardize,
  type Tensor,
  tanh,
} from "carillon";
import { describe, expect, test } from "vitest";

type Values = Readonly<Record<string, readonly number[]>>;

interface Case {
  readonly first: Values;
  readonly exact: Values;
  readonly distance: Readonly<Record<string, number>>;
}

interface Fixture {
  readonly batch: number;
  readonly x: readonly (readonly number[])[];
  readonly two: Case;
  readonly shared: Case;
}

const fixture: Fixture = JSON.parse(readFileSync(new URL("fixtures/statistics.json", import.meta.url), "utf8"));
const { x } = fixture;

type Weighted = { weights(): ReadonlyMap<string, Tensor<"f32">> };
const kept = (model: Weighted, name: string): number[] => [...(model.weights().get(name)?.data ?? [])];
const floats = (values: Values) => new Map(Object.entries(values).map(([name, all]) => [name, Float32Array.from(all)]));
const preset = { preset: "pytorch" } as const;

const two = () =>
  sequential(...[linear(6, 8), batchNorm(8, preset), tanh()], ...[linear(8, 5), batchNorm(5, preset), linear(5, 2)]);

function shared() {
  const norm = batchNorm(8, preset);
  return sequential(linear(6, 8), norm, tanh(), linear(8, 8), norm, linear(8, 2));
}

describe("PyTorch's update_bn, in batches of one size", () => {
  test.each([
    ["two batch norms", two, fixture.two],
    ["one in two places", shared, fixture.shared],
  ])("%s: as near to float64 as its own float32", async (_, make, { first, exact, distance }) => {
    const model = make().setWeights(floats(first));
    await model.refreshStatistics({ x }, { batchSize: fixture.batch });
    for (const [name, values] of Object.entries(exact)) {
      const own = name === "predicted" ? [...model.predictSync(x).data] : kept(model, name);
      const furthest = Math.max(...own.map((value, at) => Math.abs(value - (values[at] ?? Number.NaN))));
      expect([name, furthest]).toEqual([name, expect.closeTo(0, 5)]);
      expect(furthest).toBeLessThanOrEqual(2 * (distance[name] ?? 0) + 5e-7);
    }
    // Nothing else has changed.
    for (const name of Object.keys(first).filter((each) => !(each in exact)))
      expect(kept(model, name)).toEqual(first[name]);
  });
});

/** Mean and biased variance of a column of some rows. */
function figures(rows: readonly (readonly number[])[], column: number): readonly [number, number] {
  const values = rows.map((row) => row[column] ?? 0);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return [mean, values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length];
}

const network1 = () => sequential(batchNorm(6), linear(6, 4), relu(), batchNorm(4), linear(4, 1)).initialize(3);

describe("running values measured anew", () => {
  test("are means of those of the batches by rows, a short last one too", async () => {
    const model = await network1().refreshStatistics({ x }, { batchSize: 25 });
    const batches = [x.slice(0, 25), x.slice(25, 50), x.slice(50)];
    for (let column = 0; column < 6; column++) {
      const [mean, variance] = [0, 1].map((at) =>
        batches.reduce((sum, batch) => sum + ((figures(batch, column)[at] ?? 0) * batch.length) / 60, 0),
      );
      expect(kept(model, "batchNorm1.mean")[column]).toBeCloseTo(mean ?? 0, 5);
      expect(kept(model, "batchNorm1.variance")[column]).toBeCloseTo(variance ?? 0, 5);
      expect(kept(model, "batchNorm1.mean")[column]).toBeCloseTo(figures(x, column)[0], 5);
    }
  });

  test("are the same from a stream, with targets, from any running values before, with any number of threads", async () => {
    const model = await network1().refreshStatistics({ x }, { batchSize: 25 });
    const items = dataset(function* () {
      for (const [at, row] of x.entries()) yield { x: row, y: at, weight: 0 };
    });
    const trained = network1();
    const before = trained.weights();
    await fit(trained, { data: { x, y: x.map(() => 1) }, loss: mse(), optimizer: sgd({ lr: 0 }), epochs: 2 });
    expect(kept(trained, "batchNorm1.mean")).not.toEqual([...(before.get("batchNorm1.mean")?.data ?? [])]);
    await trained.refreshStatistics({ x, y: "none" }, { batchSize: 25, threads: 2 });
    expect(trained.weights()).toEqual(model.weights());
    const streamed = await network1().refreshStatistics(items, { batchSize: 25, threads: 1 });
    expect(streamed.bytes()).toEqual(model.bytes());
  });

  test("do not see what is dropped, and are in the units of the network", async () => {
    const make = (...between: ReturnType<typeof dropout>[]) =>
      sequential(linear(6, 4), relu(), ...between, batchNorm(4), linear(4, 1)).initialize(3);
    const [plain, dropping] = [make(), make(dropout(0.5))];
    await plain.refreshStatistics({ x });
    await dropping.refreshStatistics({ x });
    expect(kept(dropping, "batchNorm1.variance")).toEqual(kept(plain, "batchNorm1.variance"));
    const scaled = network1();
    const options = { loss: mse(), optimizer: sgd({ lr: 0 }), epochs: 1, inputs: standardize() } as const;
    await fit(scaled, { ...options, data: { x, y: x.map(() => 0) } });
    await scaled.refreshStatistics({ x });
    for (const mean of kept(scaled, "batchNorm1.mean")) expect(mean).toBeCloseTo(0, 5);
    for (const variance of kept(scaled, "batchNorm1.variance")) expect(variance).toBeCloseTo(1, 5);
  });

  test("leave a last batch of one row out, and refuse nothing but one row", async () => {
    const model = await network1().refreshStatistics({ x: x.slice(0, 21) }, { batchSize: 20 });
    const without = await network1().refreshStatistics({ x: x.slice(0, 20) }, { batchSize: 20 });
    expect(model.bytes()).toEqual(without.bytes());
    const one = network1();
    for (const data of [{ x: x.slice(0, 1) }, dataset([{ x: x[0] ?? [], y: 1 }])]) {
      await expect(one.refreshStatistics(data)).rejects.toThrow(
        expect.objectContaining({
          code: "ERR_DATA",
          message: expect.stringContaining("expected 2 rows or more, as 'batchNorm1' takes their variance,"),
        }),
      );
    }
    expect(one.bytes()).toEqual(network1().bytes());
  });

  test("are those of averaged weights, which the running values of the plain ones are not", async () => {
    const model = network1();
    const y = x.map(([a = 0, b = 0]) => [a - b]);
    const result = await fit(model, {
      ...{ data: { x, y }, loss: mse(), optimizer: sgd({ lr: 0.1 }), epochs: 10, batchSize: 20, seed: 1 },
      averageWeights: { decay: 0.9 },
    });
    const averaged = model.clone().setWeights(result.averaged() ?? {});
    const plain = kept(averaged, "batchNorm2.mean");
    expect(await averaged.refreshStatistics({ x, y }, { batchSize: 60 })).toBe(averaged);
    expect(kept(averaged, "batchNorm2.mean")).not.toEqual(plain);
    // With one batch of all rows inference computes what training does: the figures of these rows.
    const { data } = averaged.predictSync(x);
    const [again] = await Promise.all([averaged.clone().refreshStatistics({ x }, { batchSize: 60 })]);
    expect(again.predictSync(x).data).toEqual(data);
  });

  test("of a network with inputs by name, and of layers of one's own that ask for their share", async () => {
    const centre = defineLayer({
      kind: "centre",
      inputs: 2,
      outputs: "same",
      state: { mean: { shape: [2], init: 5 } },
      forward(value, _parameters, { measure, state: { mean } }) {
        const share = measure?.();
        if (share === undefined) return { output: value, state: { mean: ops.add(mean, 1) } };
        const seen = ops.subtract(ops.mean(value, { axis: 0 }), mean);
        return { output: value, state: { mean: ops.add(mean, ops.multiply(share, seen)) } };
      },
    });
    const counting = defineLayer({
      kind: "counting",
      inputs: 2,
      outputs: "same",
      state: { calls: { shape: [1], init: 0 } },
      forward: (value, _parameters, { state: { calls } }) => ({ output: value, state: { calls: ops.add(calls, 1) } }),
    });
    const model = network({
      inputs: { left: spec(["batch", 2]), right: spec(["batch", 2]) },
      layers: { centre, counting, norm: batchNorm(2) },
      forward: ({ left, right }, layers) => ops.add(layers.centre(left), layers.norm(layers.counting(right))),
    });
    const part = (from: number) => x.map((row) => row.slice(from, from + 2));
    await model.refreshStatistics({ x: { left: part(0), right: part(2) } }, { batchSize: 25 });
    expect(kept(model, "norm.mean")).toEqual([2, 3].map((column) => expect.closeTo(figures(x, column)[0], 5)));
    expect(kept(model, "centre.mean")).toEqual([0, 1].map((column) => expect.closeTo(figures(x, column)[0], 5)));
    expect(kept(model, "counting.calls")).toEqual([0]);
  });

  test("of a model without any change nothing", async () => {
    const model = sequential(linear(6, 2)).initialize(1);
    const before = model.bytes();
    expect((await model.refreshStatistics({ x })).bytes()).toEqual(before);
  });
});

describe("what cannot be measured changes nothing", () => {
  test("bad data and options", async () => {
    const model = network1();
    const before = model.bytes();
    const refused = async (data: unknown, options: unknown, code: string, message: string): Promise<void> => {
      const call: unknown = Reflect.apply(model.refreshStatistics, model, [data, options]);
      await expect(call).rejects.toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
    };
    await refused({ x: x.map((row) => row.slice(1)) }, {}, "ERR_DATA", "6 values in row 0");
    await refused({ y: [1] }, {}, "ERR_DATA", "expected { x } for 'refreshStatistics.data'");
    await refused([1], {}, "ERR_DATA", "expected { x } or a dataset()");
    await refused({ x, inputs: x }, {}, "ERR_UNKNOWN_OPTION", "Did you mean 'x'?");
    await refused({ x }, { batchSize: 1 }, "ERR_OPTION", "refreshStatistics.batchSize");
    await refused({ x }, { batch: 8 }, "ERR_UNKNOWN_OPTION", "refreshStatistics");
    const large = x.map((row) => row.map((value) => (value > 1 ? 3e38 : -3e38)));
    await refused({ x: large }, {}, "ERR_NON_FINITE", "batchNorm1.");
    await refused(dataset([]), {}, "ERR_DATA", "at least one example");
    expect(model.bytes()).toEqual(before);
  });

  test("of a model without weights are those of seed 0; a call that fails has drawn none", async () => {
    const drawn = await two().initialize(0).refreshStatistics({ x });
    const model = two();
    const failing = dataset(() => {
      throw new Error("no source");
    });
    await expect(model.refreshStatistics(failing)).rejects.toThrow("no source");
    const abort = new AbortController();
    const aborted = model.refreshStatistics({ x }, { signal: abort.signal });
    abort.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
    expect(model.initialized).toBe(false);
    const beside = two();
    const [, looked] = await Promise.all([beside.refreshStatistics({ x }), beside.predict(x)]);
    expect(looked.data).toEqual(two().initialize(0).predictSync(x).data);
    expect(beside.bytes()).toEqual(drawn.bytes());
    expect((await model.refreshStatistics({ x })).bytes()).toEqual(drawn.bytes());
  });

  test("aborts, and runs at work", async () => {
    const model = network1();
    const before = model.bytes();
    const abort = new AbortController();
    const slow = dataset(async function* () {
      for (const row of x) yield { x: row, y: 0 };
      abort.abort(new Error("enough"));
      await new Promise(() => undefined);
    });
    await expect(model.refreshStatistics(slow, { batchSize: 20, signal: abort.signal })).rejects.toThrow("enough");
    const job = { data: { x, y: x.map(() => 1) }, loss: mse(), optimizer: sgd({ lr: 0.01 }), steps: 1e6 };
    const busy = model.refreshStatistics({ x });
    const refused = [model.refreshStatistics({ x }), fit(model, job)].map((call) => call.catch((error) => error));
    const beside = model.predictSync(x);
    for (const error of await Promise.all(refused)) expect(error).toMatchObject({ code: "ERR_BUSY" });
    expect(await refused[1]).toMatchObject({ message: expect.stringContaining("a call of refreshStatistics has it") });
    await busy;
    expect(model.predictSync(x)).not.toEqual(beside);
    expect((await network1().load(before)).predictSync(x)).toEqual(beside);
    const run = fit(model, job);
    await expect(model.refreshStatistics({ x })).rejects.toMatchObject({ code: "ERR_BUSY" });
    run.stop();
    await run;
    await model.refreshStatistics({ x });
  });
});
