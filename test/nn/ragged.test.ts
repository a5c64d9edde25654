import {
  adam,
  dataset,
  descriptionOf,
  embedding,
  embeddingBag,
  fit,
  fromDescription,
  kFold,
  type Lists,
  linear,
  loadModel,
  mse,
  network,
  ops,
  type Ragged,
  type RowUpdates,
  ragged,
  relu,
  type Spec,
  sequential,
  sgd,
  spec,
  split,
  type Tensor,
  tensor,
} from "carillon";
import { describe, expect, test } from "vitest";
import type { BagMode } from "../../lib/tensor/attributes.js";
import { eachList, listsBetween, padded, someLists } from "./lists.js";

const [ROWS, LONGEST, TABLE] = [61, 9, 40];
const lists = someLists(ROWS, LONGEST, TABLE);
const y = Float32Array.from({ length: ROWS }, (_, row) => ((row * 3) % 7) - 3);

const layers = (mode: BagMode, rows: RowUpdates, padding?: number) =>
  [embeddingBag(TABLE, 5, { mode, rows, padding }), linear(5, 4), relu(), linear(4, 1)] as const;
const ofLists = (mode: BagMode = "sum", rows: RowUpdates = "exact", padding?: number) =>
  sequential({ input: ragged("i32") }, ...layers(mode, rows, padding));
const ofRows = (mode: BagMode = "sum", rows: RowUpdates = "exact", padding?: number) =>
  sequential({ input: spec(["batch", LONGEST], "i32") }, ...layers(mode, rows, padding));

const options = { loss: mse(), optimizer: adam({ lr: 0.02 }), epochs: 3, batchSize: 16, seed: 3 } as const;

const bits = (model: { weights(): ReadonlyMap<string, { readonly data: Float32Array }> }) =>
  Object.fromEntries([...model.weights()].map(([name, { data }]) => [name, [...new Int32Array(data.buffer)]]));

describe("the bits of padded rows", () => {
  test.each([
    ["sum", "exact", undefined],
    ["mean", "exact", undefined],
    ["sum", "touched", undefined],
    ["mean", "touched", 3],
    ["sqrtn", "exact", undefined],
    ["sqrtn", "touched", 3],
  ] as const)("%s, %s, padding %s", async (mode, rows, padding) => {
    const [ragged, plain] = [ofLists(mode, rows, padding), ofRows(mode, rows, padding)];
    const x = padded(lists, LONGEST);
    const run = await fit(ragged, { ...options, data: { x: lists, y }, validation: { x: lists, y } });
    const same = await fit(plain, { ...options, data: { x, y }, validation: { x, y } });
    expect(bits(ragged)).toEqual(bits(plain));
    const losses = ({ history }: typeof run) => history.map(({ loss, validation }) => [loss, validation]);
    expect(losses(run)).toEqual(losses(same));
    const expected = [...(await plain.predict(x)).data];
    expect([...(await ragged.predict(lists)).data]).toEqual(expected);
    expect([...ragged.predictSync(lists).data]).toEqual(expected);
    const one = listsBetween(lists, 5, 6);
    expect(ragged.predictSync(one.ids).data[0]).toBe(expected[5]);
    expect(ragged.predictSync([...one.ids]).data[0]).toBe(expected[5]);
    const loss = { loss: mse() };
    expect(await ragged.evaluate({ x: lists, y }, loss)).toEqual(await plain.evaluate({ x, y }, loss));
    const predictor = ragged.predictor();
    expect([...predictor.run(lists).data]).toEqual(expected);
    const answers = await Promise.all(eachList(lists).map((list) => predictor.submit(list)));
    expect(answers.map(({ data }) => data[0])).toEqual(expected);
  });

  test.each([
    ["parts of a batch", { accumulate: 3 }],
    ["in order", { shuffle: false }],
    ["one thread", { threads: 1 }],
    ["clipped, averaged", { clip: { norm: 0.5 }, averageWeights: { decay: 0.9 } }],
    ["weights of rows, 0 too", { optimizer: sgd({ lr: 0.1 }), weight: true }],
  ])("%s", async (_, { weight, ...more }: Record<string, unknown>) => {
    const weights = weight === undefined ? {} : { weight: Float32Array.from(y, (_, row) => row % 3) };
    const [ragged, plain] = [ofLists(), ofRows()];
    await fit(ragged, { ...options, ...more, data: { x: lists, y, ...weights } });
    await fit(plain, { ...options, ...more, data: { x: padded(lists, LONGEST), y, ...weights } });
    expect(bits(ragged)).toEqual(bits(plain));
  });

  test("of weights of ids: those of ops.bag", async () => {
    const weighted = someLists(ROWS, LONGEST, TABLE, true);
    const model = sequential({ input: ragged("i32", { longest: LONGEST }) }, embeddingBag(TABLE, 5)).initialize(1);
    const factors = new Float32Array(ROWS * LONGEST);
    for (let row = 0; row < ROWS; row++) {
      factors.set(weighted.weights?.subarray(weighted.offsets[row], weighted.offsets[row + 1]) ?? [], row * LONGEST);
    }
    const table = tensor(model.weights().get("embeddingBag1.table")?.data ?? new Float32Array(), [TABLE, 5]);
    const bags = ops.bag(table, padded(weighted, LONGEST), { weights: tensor(factors, [ROWS, LONGEST]) });
    const expected = [...bags.data];
    expect([...model.predictSync(weighted).data]).toEqual(expected);
    expect([...(await model.predict(weighted)).data]).toEqual(expected);
    const predictor = model.predictor();
    expect([...predictor.run(weighted).data]).toEqual(expected);
    // Calls with weights and without, in one batch.
    const [one, other] = await Promise.all([predictor.submit(weighted), predictor.submit(lists)]);
    expect([...one.data]).toEqual(expected);
    expect([...other.data]).toEqual([...ops.bag(table, padded(lists, LONGEST)).data]);
  });
});

describe("streams", () => {
  const weighted = someLists(ROWS, LONGEST, TABLE, true);
  const bounded = () => sequential({ input: ragged("i32", { longest: LONGEST }) }, ...layers("sum", "touched"));

  test.each([
    [
      "blocks",
      lists,
      [
        { x: listsBetween(lists, 0, 20), y: y.slice(0, 20) },
        { x: listsBetween(lists, 20, ROWS), y: y.slice(20) },
      ],
    ],
    ["single lists", lists, eachList(lists).map((x, row) => ({ x, y: y[row] ?? 0 }))],
    ["single arrays", lists, eachList(lists).map((x, row) => ({ x: [...x], y: y[row] ?? 0 }))],
    [
      "single lists with weights",
      weighted,
      eachList(weighted).map((ids, row) => ({
        x: { ids, weights: weighted.weights?.slice(weighted.offsets[row], weighted.offsets[row + 1]) },
        y: y[row] ?? 0,
      })),
    ],
    ["blocks with weights", weighted, [{ x: weighted, y }]],
  ])("%s have the bits of the set in memory", async (_, x, items) => {
    const [held, streamed] = [bounded(), bounded()];
    const own = { ...options, shuffle: false, accumulate: 2 };
    await fit(held, { ...own, data: { x, y } });
    await fit(streamed, { ...own, data: dataset(() => items) });
    expect(bits(streamed)).toEqual(bits(held));
    const loss = { loss: mse() };
    expect(
      await streamed.evaluate(
        dataset(() => items),
        loss,
      ),
    ).toEqual(await held.evaluate({ x, y }, loss));
  });

  test("a shuffle buffer moves lists of any length", async () => {
    const items = eachList(lists).map((x, row) => ({ x, y: y[row] ?? 0 }));
    const rows = sequential({ input: spec(["batch", LONGEST], "i32") }, ...layers("sum", "touched"));
    const model = bounded();
    const x = padded(lists, LONGEST);
    const same = Array.from(y, (value, row) => ({ x: x.data.subarray(row * LONGEST, (row + 1) * LONGEST), y: value }));
    await fit(model, { ...options, data: dataset(() => items, { shuffleBuffer: 10 }) });
    await fit(rows, { ...options, data: dataset(() => same, { shuffleBuffer: 10 }) });
    expect(bits(model)).toEqual(bits(rows));
  });

  test("a stream is told how long lists are, and a longer one is refused", async () => {
    const data = (x: readonly number[]) =>
      dataset(() => [
        { x: [1], y: 1 },
        { x, y: 1 },
      ]);
    await expect(fit(ofLists(), { ...options, data: data([2]) })).rejects.toThrow(
      "expected an input that says how long lists are, ragged('i32', { longest }), for a stream, for 'fit.data.x'",
    );
    await expect(fit(bounded(), { ...options, data: data(new Array(10).fill(1)) })).rejects.toThrow(
      "expected at most 9 ids in example 1 for 'fit.data.x' but received 10",
    );
    await expect(fit(bounded(), { ...options, data: data([3, -1]) })).rejects.toThrow(
      "expected an id, an integer from 0 on, in example 1, column 1 for 'fit.data.x' but received -1",
    );
  });
});

describe("what is no list", () => {
  const ids = Int32Array.of(1, 2, 3);
  const wrong: readonly (readonly [string, unknown, string, string])[] = [
    [
      "offsets that fall",
      { offsets: Int32Array.of(0, 2, 1, 3), ids },
      "ERR_DATA",
      "as the end of row 1 for 'X.offsets' but received 1",
    ],
    [
      "offsets beyond the ids",
      { offsets: Int32Array.of(0, 9, 1, 3), ids },
      "ERR_DATA",
      "as the end of row 0 for 'X.offsets' but received 9",
    ],
    [
      "offsets below 0",
      { offsets: Int32Array.of(0, -1, 1, 3), ids },
      "ERR_DATA",
      "as the end of row 0 for 'X.offsets' but received -1",
    ],
    [
      "offsets from 1 on",
      { offsets: Int32Array.of(1, 2, 2, 3), ids },
      "ERR_DATA",
      "0 as the offset of row 0 for 'X.offsets' but received 1",
    ],
    [
      "offsets that end before",
      { offsets: Int32Array.of(0, 1, 2, 2), ids },
      "ERR_DATA",
      "3, the number of ids, as the end of row 2 for 'X.offsets' but received 2",
    ],
    [
      "no offset",
      { offsets: new Int32Array(1), ids: new Int32Array() },
      "ERR_DATA",
      "an offset more than there are lists",
    ],
    ["other offsets", { offsets: [0, 1, 2, 3], ids }, "ERR_DTYPE", "an Int32Array for 'X.offsets'"],
    [
      "other ids",
      { offsets: Int32Array.of(0, 1, 2, 3), ids: Float32Array.of(1, 2, 3) },
      "ERR_DTYPE",
      "an Int32Array for 'X.ids'",
    ],
    [
      "an id below 0",
      { offsets: Int32Array.of(0, 1, 1, 3), ids: Int32Array.of(1, 2, -1) },
      "ERR_DATA",
      "row 2, column 1",
    ],
    [
      "weights of other length",
      { offsets: Int32Array.of(0, 1, 1, 3), ids, weights: new Float32Array(2) },
      "ERR_DATA",
      "3 weights, one an id, for 'X.weights'",
    ],
    [
      "other weights",
      { offsets: Int32Array.of(0, 1, 1, 3), ids, weights: [1, 2, 3] },
      "ERR_DTYPE",
      "a Float32Array for 'X.weights'",
    ],
    [
      "a weight that is not finite",
      { offsets: Int32Array.of(0, 1, 1, 3), ids, weights: Float32Array.of(1, 2, Number.NaN) },
      "ERR_DATA",
      "a finite float32 in row 2, column 1 for 'X.weights'",
    ],
    [
      "a list that is too long",
      { offsets: Int32Array.of(0, 0, 0, 3), ids },
      "ERR_DATA",
      "at most 2 ids in row 2 for 'X' but received 3",
    ],
    ["floats", new Float32Array(3), "ERR_DTYPE", "for 'X' but received Float32Array"],
    [
      "another key",
      { offsets: Int32Array.of(0, 1, 2, 3), ids, weight: ids },
      "ERR_UNKNOWN_OPTION",
      "Did you mean 'weights'?",
    ],
  ];

  test.each(wrong)("%s", async (_, x, code, message) => {
    const model = sequential({ input: ragged("i32", { longest: 2 }) }, embeddingBag(8, 2), linear(2, 1)).initialize(0);
    const given = x as Lists; // of no type
    const before = bits(model);
    const refused = (where: string) => ({ code, message: expect.stringContaining(message.replace("X", where)) });
    const data = { x: given, y: [1, 2, 3] };
    await expect(fit(model, { ...options, data })).rejects.toMatchObject(refused("fit.data.x"));
    await expect(model.evaluate(data, { loss: mse() })).rejects.toMatchObject(refused("evaluate.data.x"));
    await expect(model.predict(given)).rejects.toMatchObject(code === "ERR_DATA" ? { code } : refused("predict.x"));
    await expect(model.predictor().submit(given)).rejects.toMatchObject({ code });
    expect(() => model.predictSync(given)).toThrow(expect.objectContaining({ code }));
    expect(() => model.predictor().run(given)).toThrow(expect.objectContaining({ code }));
    expect(bits(model)).toEqual(before);
  });

  test("an id below 0 is told with its input, wherever a call is computed", async () => {
    const bags = { a: embeddingBag(8, 2), b: embeddingBag(8, 2) };
    const model = network({
      inputs: { first: ragged("i32"), second: ragged("i32") },
      layers: bags,
      forward: ({ first, second }, { a, b }) => ops.add(a(first), b(second)),
    }).initialize(0);
    const first = { offsets: Int32Array.of(0, 1, 3), ids: Int32Array.of(1, 2, 3) };
    const x = { first, second: { offsets: Int32Array.of(0, 2, 4), ids: Int32Array.of(1, 2, 3, -1) } };
    const told = (where: string) => {
      const message = `expected an id, an integer from 0 on, in row 1, column 1 for '${where}.second' but received -1`;
      return { code: "ERR_DATA", message };
    };
    await expect(model.predict(x)).rejects.toMatchObject(told("predict.x"));
    expect(() => model.predictSync(x)).toThrow(expect.objectContaining(told("predictSync.x")));
    const predictor = model.predictor();
    await expect(predictor.submit(x)).rejects.toMatchObject(told("submit.x"));
    expect(() => predictor.run(x)).toThrow(expect.objectContaining(told("run.x")));
  });

  test("an id that is no row of the table is told by its row and column; other calls of its batch are answered", async () => {
    const model = sequential({ input: ragged("i32") }, embeddingBag(8, 2), linear(2, 1)).initialize(0);
    const before = bits(model);
    const x = { offsets: Int32Array.of(0, 1, 1, 3), ids: Int32Array.of(1, 2, 8) };
    const message = expect.stringContaining("expected an integer in [0, 8) for the index of row 2, column 1");
    const refused = { code: "ERR_DATA", message };
    await expect(fit(model, { ...options, data: { x, y: [1, 2, 3] }, shuffle: false })).rejects.toMatchObject(refused);
    await expect(model.predict(x)).rejects.toMatchObject(refused);
    expect(() => model.predictSync(x)).toThrow(expect.objectContaining(refused));
    const predictor = model.predictor();
    const calls = await Promise.allSettled([predictor.submit([3]), predictor.submit(x), predictor.submit([4, 4])]);
    expect(calls.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(bits(model)).toEqual(before);
  });

  test("means take no weights", async () => {
    const model = sequential({ input: ragged("i32") }, embeddingBag(TABLE, 2, { mode: "mean" })).initialize(0);
    const weighted = someLists(4, 3, TABLE, true);
    const data = { x: weighted, y: new Float32Array(8) };
    const refused = { code: "ERR_OPTION", message: expect.stringContaining("as means take none") };
    await expect(fit(model, { ...options, data })).rejects.toMatchObject(refused);
    const bag = embeddingBag(TABLE, 2, { mode: "mean" });
    const named = network({ inputs: { words: ragged("i32") }, layers: { bag }, forward: (x, own) => own.bag(x.words) });
    const run = fit(named, { ...options, data: { ...data, x: { words: weighted } } });
    await expect(run).rejects.toMatchObject({ ...refused, where: "x.words.weights" });
    expect(() => model.predictSync(weighted)).toThrow(expect.objectContaining(refused));
    const predictor = model.predictor();
    expect(() => predictor.run(weighted)).toThrow(expect.objectContaining(refused));
    const calls = await Promise.allSettled([predictor.submit([3]), predictor.submit(weighted)]);
    expect(calls).toMatchObject([{ status: "fulfilled" }, { status: "rejected", reason: refused }]);
  });

  test("layers but bags", () => {
    const input = ragged("i32");
    const untold = (layers: readonly unknown[]): unknown => Reflect.apply(sequential, null, layers);
    expect(() => untold([{ input }, embedding(8, 2)])).toThrow("layer 1 takes i32, but the input has lists");
    expect(() => untold([{ input }, linear(8, 2)])).toThrow("layer 1 takes f32, but the input has lists");
    const inputs = { words: input };
    const relu = (): unknown => network({ inputs, layers: {}, forward: ({ words }) => ops.relu(words) });
    expect(relu).toThrow(expect.objectContaining({ code: "ERR_DTYPE" }));
    expect(() => network({ inputs, layers: {}, forward: ({ words }) => words })).toThrow("a value, no lists");
  });

  test("other options", () => {
    const untold = (given: readonly unknown[]): unknown => Reflect.apply(ragged, null, given);
    const refused = (code: string, where: string) => expect.objectContaining({ code, where });
    expect(() => untold(["f32"])).toThrow(refused("ERR_DTYPE", "ragged.dtype"));
    expect(() => ragged("i32", { longest: 0 })).toThrow(refused("ERR_OPTION", "ragged.longest"));
    expect(() => untold(["i32", { most: 3 }])).toThrow(refused("ERR_UNKNOWN_OPTION", "ragged.most"));
  });
});

test("named inputs, one bag for two of them, and an empty list, which gives zeros and no gradient", async () => {
  const model = network({
    inputs: { seen: ragged("i32"), liked: ragged("i32", { longest: 4 }), age: spec(["batch", 1]) },
    layers: { films: embeddingBag(TABLE, 3), out: linear(7, 1) },
    forward: ({ seen, liked, age }, { films, out }) => out(ops.concat([films(seen), films(liked), age])),
  });
  const x = { seen: someLists(20, 6, TABLE, true), liked: someLists(20, 4, 5), age: new Float32Array(20).fill(1) };
  const parts = split({ x, y: y.slice(0, 20) }, { validation: 5, seed: 2 });
  expect(parts.train.x.seen.offsets).toHaveLength(16);
  expect(parts.train.x.seen.weights).toHaveLength(parts.train.x.seen.ids.length);
  const before = model.initialize(0).weights().get("films.table")?.data ?? new Float32Array();
  await fit(model, { ...options, optimizer: sgd({ lr: 0.1 }), data: parts.train, validation: parts.validation });
  const after = model.weights().get("films.table")?.data ?? new Float32Array();
  const named = new Set([...parts.train.x.seen.ids, ...parts.train.x.liked.ids]);
  for (let row = 0; row < TABLE; row++) {
    const moved = after.subarray(3 * row, 3 * row + 3).some((value, at) => value !== before[3 * row + at]);
    expect(moved, `row ${row}`).toBe(named.has(row));
  }
  const empty = { offsets: new Int32Array(2), ids: new Int32Array() };
  const bag = sequential({ input: ragged("i32") }, embeddingBag(TABLE, 3)).initialize(0);
  expect([...bag.predictSync(empty).data]).toEqual([0, 0, 0]);
  const answer = model.predictSync({ seen: [], liked: Int32Array.of(), age: [0] });
  expect(answer.data[0]).toBe(model.weights().get("out.bias")?.data[0]);
  await expect(model.predict({ seen: [1], liked: empty, age: [0, 1] })).rejects.toMatchObject({ code: "ERR_DATA" });
});

test.each([
  ["in memory", () => ({ x: someLists(ROWS, LONGEST, TABLE, true), y })],
  [
    "from a stream",
    () =>
      dataset(() => eachList(lists).map((x, row) => ({ x, y: y[row] ?? 0 })), {
        shuffleBuffer: 12,
      }),
  ],
])("a run %s that is cut within an epoch goes on to the same bits, with any number of threads", async (_, data) => {
  const model = () => sequential({ input: ragged("i32", { longest: LONGEST }) }, ...layers("sum", "touched"));
  const whole = model();
  await fit(whole, { ...options, data: data() });
  for (const cut of [1, 6]) {
    const first = await fit(model(), { ...options, epochs: undefined, steps: cut, threads: 3, data: data() });
    const resumed = model();
    const resume = first.checkpoint();
    const second = await fit(resumed, { ...options, threads: 2, data: data(), resume });
    expect(second.bitEqual).toBe(true);
    expect(bits(resumed)).toEqual(bits(whole));
  }
});

test("large batches have the same bits with any number of threads", async () => {
  const many = someLists(3000, 40, 500, true);
  const targets = Float32Array.from({ length: 3000 }, (_, row) => (row % 5) - 2);
  const all: object[] = [];
  for (const threads of [1, 2, 3, 4]) {
    const model = sequential({ input: ragged("i32") }, embeddingBag(500, 48, { rows: "touched" }), linear(48, 1));
    await fit(model, { ...options, batchSize: 1024, data: { x: many, y: targets }, threads });
    all.push(bits(model));
  }
  for (const one of all) expect(one).toEqual(all[0]);
});

test.each(["exact", "touched"] as const)(
  "a table that lists and rows name has the bits of padded rows: %s",
  async (rows) => {
    const one = Int32Array.from(y, (_, row) => (row * 5) % TABLE);
    const made = (seen: Ragged | Spec) =>
      network({
        inputs: { seen, item: spec(["batch", 1], "i32") },
        layers: { bag: embeddingBag(TABLE, 3, { rows }), out: linear(3, 1) },
        forward: ({ seen: history, item }, { bag, out }) => out(ops.multiply(bag(history), bag(item))),
      });
    const [ragged_, plain] = [made(ragged("i32")), made(spec(["batch", LONGEST], "i32"))];
    const data = (seen: Lists | Tensor) => ({ x: { seen, item: one }, y });
    const run = (model: typeof plain, x: Lists | Tensor): Promise<unknown> =>
      Reflect.apply(fit, null, [model, { ...options, accumulate: 2, data: data(x) }]);
    await run(ragged_, lists);
    await run(plain, padded(lists, LONGEST));
    expect(bits(ragged_)).toEqual(bits(plain));
  },
);

test("parts of split and kFold are lists of their rows", () => {
  const { train, validation, rows } = split({ x: lists, y }, { validation: 0.25, seed: 1 });
  const each = eachList(lists);
  for (const [part, own] of [
    [train, rows.train],
    [validation, rows.validation],
  ] as const) {
    expect(eachList(part.x)).toEqual(Array.from(own, (row) => each[row]));
  }
  const held = [...kFold({ x: lists, y }, 4, { seed: 1 })].flatMap(({ validation: fold, rows: own }) =>
    eachList(fold.x).map((list, at) => [own.validation[at] ?? 0, list] as const),
  );
  expect(held.sort(([a], [b]) => a - b).map(([, list]) => list)).toEqual(each);
  const fallen = { offsets: Int32Array.of(0, 2, 1, 3), ids: Int32Array.of(1, 2, 3) };
  expect(() => split({ x: fallen, y: [1, 2, 3] }, { validation: 1 })).toThrow(
    "as the end of row 1 for 'split.data.x.offsets'",
  );
  expect(() => split({ x: lists, y: [1, 2, 3] }, { validation: 1 })).toThrow("split.data.y");
});

test("files and descriptions say that rows are lists", async () => {
  for (const longest of [undefined, 12]) {
    const model = sequential({ input: ragged("i32", { longest }) }, embeddingBag(TABLE, 3), linear(3, 1)).initialize(2);
    const loaded = await loadModel(model.bytes());
    expect(loaded.rows).toEqual(model.rows);
    expect(loaded.inputs).toEqual({ ragged: "i32", ...(longest === undefined ? {} : { longest }) });
    const description = descriptionOf(model);
    const again = fromDescription("model", JSON.parse(JSON.stringify(description)));
    expect(descriptionOf(again)).toEqual(description);
    expect(again.rows).toEqual(model.rows);
    expect(bits(again.initialize(2))).toEqual(bits(model));
    expect(model.summary()).toContain(longest === undefined ? "lists → 1" : "lists of 12 → 1");
  }
  const block = sequential({ input: ragged("i32", { longest: 5 }), name: "text" }, embeddingBag(TABLE, 3));
  const outer = sequential({ input: ragged("i32", { longest: 5 }) }, block, linear(3, 1)).initialize(0);
  expect((await loadModel(outer.bytes())).rows).toEqual(outer.rows);
});

test("calls with more ids than a program has room for are computed in parts", async () => {
  const long = { offsets: Int32Array.of(0, 40_000, 80_000, 80_000, 120_001), ids: new Int32Array(120_001).fill(1) };
  const model = sequential({ input: ragged("i32") }, embeddingBag(2, 1, { init: 1 }));
  const expected = [40_000, 40_000, 0, 40_001];
  expect([...(await model.predict(long)).data]).toEqual(expected);
  expect([...model.predictSync(long).data]).toEqual(expected);
  expect([...model.predictor().run(long).data]).toEqual(expected);
  const tooLong = new Int32Array(65_537);
  await expect(model.predict(tooLong)).rejects.toThrow("at most 65536 ids in row 0 for 'predict.x' but received 65537");
});

test("memory follows the ids, not the longest list", async () => {
  const rows = 20_000;
  const offsets = new Int32Array(rows + 1);
  for (let row = 0; row < rows; row++) offsets[row + 1] = (offsets[row] ?? 0) + (row === 7 ? 50_000 : 2);
  const ids = new Int32Array(offsets[rows] ?? 0).fill(3);
  const model = sequential({ input: ragged("i32") }, embeddingBag(10, 4), linear(4, 1));
  const before = process.memoryUsage().rss;
  await fit(model, {
    data: { x: { offsets, ids }, y: new Float32Array(rows) },
    loss: mse(),
    optimizer: sgd({ lr: 0 }),
    steps: 5,
  });
  // 20,000 rows of 50,000 places would take 4 GB.
  expect(process.memoryUsage().rss - before).toBeLessThan(200 * 2 ** 20);
});
