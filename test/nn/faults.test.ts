// Numbers that data make impossible, told by the input, row and column where they stand.
import {
  batchNorm,
  dataset,
  embedding,
  embeddingBag,
  fit,
  flatten,
  linear,
  mse,
  network,
  ops,
  program,
  ragged,
  sequential,
  sgd,
  spec,
  tensor,
} from "carillon";
import { describe, expect, test } from "vitest";

const refused = (sentence: string, code = "ERR_DATA") => ({ code, message: expect.stringContaining(sentence) });

describe("an index out of range of one of several inputs", () => {
  const model = () =>
    network({
      inputs: { user: spec(["batch"], "i32"), liked: spec(["batch", 2], "i32"), words: ragged("i32") },
      layers: { users: embedding(10, 2), items: embedding(10, 2), bag: embeddingBag(10, 2), head: linear(8, 1) },
      forward: ({ user, liked, words }, { users, items, bag, head }) =>
        head(ops.concat([users(user), ops.reshape(items(liked), ["batch", 4]), bag(words)])),
    }).initialize(1);
  const good = { user: [1, 2, 3], liked: [1, 2, 3, 4, 5, 6], words: [1, 2, 3] };
  const given = (change: Partial<typeof good>) => ({
    user: Int32Array.from(change.user ?? good.user),
    liked: Int32Array.from(change.liked ?? good.liked),
    words: { ids: Int32Array.from(change.words ?? good.words), offsets: Int32Array.of(0, 1, 1, 3) },
  });
  const y = new Float32Array(3);

  test.each([
    ["user", { user: [1, 2, 11] }, "'x.user', row 2", 11],
    ["liked", { liked: [1, 2, 3, -4, 5, 6] }, "'x.liked', row 1, column 1", -4],
    ["words", { words: [1, 2, 10] }, "'x.words', row 2, column 1", 10],
  ])("%s", async (_, change, place, received) => {
    const tells = (of: string) =>
      refused(`expected an integer in [0, 10) for the index of ${place} of ${of} but received ${received}`);
    const [network, x] = [model(), given(change)];
    const data = { x, y };
    await expect(network.predict(x)).rejects.toMatchObject(tells("the call"));
    expect(() => network.predictSync(x)).toThrow(expect.objectContaining(tells("the call")));
    const predictor = network.predictor();
    expect(() => predictor.run(x)).toThrow(expect.objectContaining(tells("the call")));
    const calls = await Promise.allSettled([predictor.submit(given({})), predictor.submit(x)]);
    expect(calls).toMatchObject([{ status: "fulfilled" }, { status: "rejected", reason: tells("the call") }]);
    await expect(network.evaluate(data, { loss: mse() })).rejects.toMatchObject(tells("'evaluate.data'"));
    const options = { loss: mse(), optimizer: sgd({ lr: 0.1 }), epochs: 1, batchSize: 3, shuffle: false };
    await expect(fit(network, { ...options, data })).rejects.toMatchObject(tells("'fit.data'"));
    await expect(fit(network, { ...options, accumulate: 3, data })).rejects.toMatchObject(tells("'fit.data'"));
  });
});

test.each(["abc", true, 1n, () => 1])(
  "what is no number in the place of one is told by its own input: %s",
  async (wrong) => {
    const model = network({
      inputs: { user: spec(["batch"], "i32"), age: spec(["batch", 1]) },
      layers: { users: embedding(10, 1) },
      forward: ({ user, age }, { users }) => ops.add(users(user), age),
    }).initialize(1);
    for (const [name, x] of Object.entries({ user: { user: wrong, age: [1, 2] }, age: { user: [1, 2], age: wrong } })) {
      const told = (where: string) => ({ code: "ERR_DTYPE", where: `${where}.${name}` });
      const call = (method: "predict" | "predictSync"): unknown => Reflect.apply(model[method], model, [x]);
      await expect(call("predict")).rejects.toMatchObject(told("predict.x"));
      expect(() => call("predictSync")).toThrow(expect.objectContaining(told("predictSync.x")));
      const data: unknown = Reflect.apply(dataset, null, [() => [{ x, y: [1, 2] }]]);
      const run: unknown = Reflect.apply(model.evaluate, model, [data, { loss: mse() }]);
      await expect(run).rejects.toMatchObject(told("evaluate.data.x"));
    }
  },
);

describe("a row of a set is told by its number there", () => {
  const ROWS = 30;
  const WRONG = 23;
  const ids = Int32Array.from({ length: 2 * ROWS }, (_, at) => (at === 2 * WRONG + 1 ? 10 : at % 10));
  const sound = ids.map((id) => id % 10);
  const y = new Float32Array(ROWS);
  const model = () =>
    sequential({ input: spec(["batch", 2], "i32") }, embedding(10, 1), batchNorm(1), flatten(), linear(2, 1));
  const options = { loss: mse(), optimizer: sgd({ lr: 0.1 }), epochs: 3, batchSize: 8 };
  const tells = (place: string, whole: string) =>
    refused(`expected an integer in [0, 10) for the index of ${place}, column 1 of '${whole}' but received 10`);
  /** One example after another, or blocks; the wrong id comes with pass \`from\`. */
  const stream = (x: Int32Array, { shuffleBuffer = 1, block = 1, from = 1 } = {}) => {
    let passes = 0;
    return dataset(
      () => {
        passes += 1;
        const given = passes < from ? sound : x;
        return Array.from({ length: ROWS / block }, (_, at) => {
          return {
            x: given.subarray(2 * at * block, 2 * (at + 1) * block),
            y: y.subarray(at * block, (at + 1) * block),
          };
        });
      },
      { shuffleBuffer },
    );
  };

  test.each([
    ["shuffled", {}],
    ["in order", { shuffle: false }],
    ["in the short last batch", { shuffle: false, batchSize: 22 }],
    ["in parts", { accumulate: 3, seed: 4 }],
  ])("in memory: %s", async (_, own) => {
    const data = { x: ids, y };
    await expect(fit(model(), { ...options, ...own, data })).rejects.toMatchObject(tells("row 23", "fit.data"));
  });

  test.each([
    ["in order", {}],
    ["in blocks", { block: 10 }],
    ["shuffled", { shuffleBuffer: 12 }],
    ["shuffled in blocks, in a later epoch", { shuffleBuffer: 100, block: 3, from: 3 }],
  ])("of a stream: %s", async (_, own) => {
    const data = stream(ids, own);
    await expect(fit(model(), { ...options, data })).rejects.toMatchObject(tells("example 23", "fit.data"));
  });

  test("behind a resume within an epoch", async () => {
    for (const [data, broken, place] of [
      [stream(sound, { shuffleBuffer: 5 }), stream(ids, { shuffleBuffer: 5 }), "example 23"],
      [{ x: sound, y }, { x: ids, y }, "row 23"],
    ] as const) {
      const first = await fit(model(), { ...options, epochs: undefined, steps: 1, data });
      const resumed = fit(model(), { ...options, data: broken, resume: first.checkpoint() });
      await expect(resumed).rejects.toMatchObject(tells(place, "fit.data"));
    }
  });

  test("in what is measured", async () => {
    const measured = model().initialize(1);
    for (const [data, place] of [
      [{ x: ids, y }, "row 23"],
      [stream(ids, { shuffleBuffer: 4 }), "example 23"],
    ] as const) {
      await expect(measured.evaluate(data, { loss: mse() })).rejects.toMatchObject(tells(place, "evaluate.data"));
      const run = fit(model(), { ...options, data: { x: sound, y }, validation: data });
      await expect(run).rejects.toMatchObject(tells(place, "fit.validation"));
      const refreshed = measured.refreshStatistics(data, { batchSize: 8 });
      await expect(refreshed).rejects.toMatchObject(tells(place, "refreshStatistics.data"));
    }
  });
});

test("a bag that is one of several of a row is told by its row and its place there", async () => {
  const bags = sequential({ input: spec(["batch", 2, 3], "i32") }, embeddingBag(10, 2)).initialize(1);
  const call = (...ids: readonly number[]) => tensor(Int32Array.from(ids), [ids.length / 6, 2, 3]);
  const calls = [call(1, 2, 3, 4, 5, 6), call(1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 12, 6), call(1, 2, 3, 4, 5, 6)];
  const wrong = refused("for the index of row 1, column 4 of the call but received 12");
  const predictor = bags.predictor();
  const answers = await Promise.allSettled(calls.map((x) => predictor.submit(x)));
  expect(answers).toMatchObject([{ status: "fulfilled" }, { reason: wrong }, { status: "fulfilled" }]);
});

test("a program of several inputs of integers names them", () => {
  const table = tensor(new Float32Array(8), [4, 2]);
  const looked = program({
    inputs: { x: spec(["batch", 2], "i32"), y: spec(["batch"], "i32"), z: spec(["batch"], "i32") },
    maxBatch: 2,
    body: ({ x, y, z }) => ({ x: ops.take(table, x), y: ops.take(table, y), z: ops.oneHot(z, 3) }),
  });
  const run = (x: readonly number[], y: readonly number[], z: readonly number[]) => () =>
    looked.runSync({ x: tensor(Int32Array.from(x), [2, 2]), y: Int32Array.from(y), z: Int32Array.from(z) });
  expect(run([0, 1, 2, 4], [0, 1], [0, 2])).toThrow("for the index of 'x', row 1, column 1 of the batch");
  expect(run([0, 1, 2, 3], [0, 9], [0, 2])).toThrow("for the index of 'y', row 1 of the batch");
  expect(run([0, 1, 2, 3], [0, 1], [3, 2])).toThrow("for the label of 'z', row 0 of the batch");
});
