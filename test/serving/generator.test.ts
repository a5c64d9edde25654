// Generators: each token has the bits of the whole sequence at once, whatever was fed before it and beside it.
import {
  attention,
  conv1d,
  embedding,
  gru,
  layerNorm,
  linear,
  lstm,
  network,
  positions,
  relu,
  residual,
  rnn,
  sampleToken,
  sequential,
  spec,
  transformerBlock,
} from "carillon";
import { describe, expect, test } from "vitest";

const [VOCABULARY, TIME] = [11, 40];
const input = spec(["batch", TIME], "i32");

const models = [
  [
    "learned positions, two blocks",
    () =>
      sequential(
        { input },
        embedding(VOCABULARY, 16),
        positions("learned", { time: TIME, size: 16 }),
        transformerBlock(16, 2, { causal: true, dropout: 0.1 }),
        transformerBlock(16, 4, { causal: true, norm: "post", activation: "relu" }),
        layerNorm(16),
        linear(16, VOCABULARY),
      ),
  ],
  [
    "rotary positions, shared heads",
    () => {
      const looks = attention(24, 4, { causal: true, rotary: true, keyValueHeads: 2, bias: false });
      return sequential(
        { input },
        embedding(VOCABULARY, 24),
        looks,
        residual(linear(24, 24), relu()),
        linear(24, VOCABULARY),
      );
    },
  ],
  [
    "sines and one head for all",
    () => {
      const block = transformerBlock(12, 3, { causal: true, keyValueHeads: 1, feedForward: 7 });
      const places = positions("sinusoidal", { time: TIME, size: 12 });
      return sequential({ input }, embedding(VOCABULARY, 12), places, block, linear(12, VOCABULARY));
    },
  ],
  [
    "two layers of gru, one of them in a block",
    () =>
      sequential(
        { input },
        embedding(VOCABULARY, 12),
        gru(12, 10, { layers: 2, sequences: true, dropout: 0.2, recurrentDropout: 0.1 }),
        residual(rnn(10, 10, { sequences: true }), layerNorm(10)),
        linear(10, VOCABULARY),
      ),
  ],
  [
    "lstm behind a block of attention",
    () =>
      sequential(
        { input },
        embedding(VOCABULARY, 12),
        transformerBlock(12, 3, { causal: true, rotary: true }),
        lstm(12, 9, { sequences: true, preset: "pytorch" }),
        linear(9, VOCABULARY),
      ),
  ],
] as const;

const texts = [0, 1, 2].map((text) =>
  Array.from({ length: TIME }, (_, at) => (at * at * (text + 1) + 3 * at + text) % VOCABULARY),
);

describe.each(models)("%s", (_name, make) => {
  const model = make().initialize(3);
  const whole = async () => {
    const { data } = await model.predict(rowsOf(texts));
    return (text: number, at: number) =>
      data.subarray((text * TIME + at) * VOCABULARY, (text * TIME + at + 1) * VOCABULARY);
  };

  test("one token at a time, a prompt at once, and sequences beside each other", async () => {
    const outputs = await whole();
    const generator = model.generator({ sequences: 3 });
    const [first = []] = texts;
    for (const [at, token] of first.entries()) expect(generator.feed(token)).toEqual(outputs(0, at));
    expect(generator.lengthOf()).toBe(TIME);
    expect(generator.feed(texts[1]?.slice(0, 25) ?? [], 1)).toEqual(outputs(1, 24));
    expect(generator.feed(texts[1]?.slice(25) ?? [], 1)).toEqual(outputs(1, TIME - 1));
    generator.reset();
    for (let at = 0; at < 5; at++) {
      const all = generator.feedAll(texts.map((text) => text[at] ?? 0));
      for (const text of [0, 1, 2])
        expect(all.subarray(text * VOCABULARY, (text + 1) * VOCABULARY)).toEqual(outputs(text, at));
    }
    generator.reset(1);
    expect(generator.feed(texts[1]?.slice(0, 3) ?? [], 1)).toEqual(outputs(1, 2));
    expect(generator.feed(texts[2]?.[5] ?? 0, 2)).toEqual(outputs(2, 5));
  });

  test("any number of threads gives the same bits", () => {
    const [one, two] = [1, 4].map((threads) => model.generator({ threads }).feed(texts[0] ?? []));
    expect(one).toEqual(two);
  });

  test("draws are those of the network over all that came before", async () => {
    const generator = model.generator();
    const given: number[] = [];
    const prompt = [3, 1, 4];
    for await (const token of generator.generate(prompt, { tokens: 12, temperature: 0.7, topK: 5, seed: 9 }))
      given.push(token);
    expect(given.length).toBe(12);
    const again = model.generator();
    const text = [...prompt];
    for (let draw = 0; draw < 12; draw++) {
      again.reset();
      text.push(sampleToken(again.feed(text), draw, { temperature: 0.7, topK: 5, seed: 9 }));
    }
    expect(text.slice(3)).toEqual(given);
  });
});

function rowsOf(rows: readonly (readonly number[])[]) {
  return rows.map((row) => Int32Array.from(row));
}

test("draws follow the probabilities", () => {
  const outputs = [1, 0, 2, -1];
  const counts = [0, 0, 0, 0];
  for (let draw = 0; draw < 20_000; draw++) {
    const token = sampleToken(outputs, draw, { seed: 5, temperature: 0.5 });
    counts[token] = (counts[token] ?? 0) + 1;
  }
  const chances = outputs.map((output) => Math.exp(output / 0.5));
  const all = chances.reduce((sum, chance) => sum + chance, 0);
  // Five deviations of a binomial count.
  for (const [token, chance] of chances.entries()) {
    const share = chance / all;
    expect(Math.abs((counts[token] ?? 0) - 20_000 * share)).toBeLessThan(
      5 * Math.sqrt(20_000 * share * (1 - share)) + 1,
    );
  }
  expect(sampleToken(outputs, 7, { temperature: 0 })).toBe(2);
  expect(sampleToken([2, 2, 1], 7, { temperature: 0 })).toBe(0);
  for (let draw = 0; draw < 100; draw++)
    expect([0, 2]).toContain(sampleToken(outputs, draw, { topK: 2, temperature: 3 }));
});

test("what cannot be is refused", () => {
  const model = models[0][1]().initialize(1);
  const generator = model.generator({ length: 4 });
  expect(() => generator.feed([])).toThrow(/a token or more for 'feed.tokens'/);
  expect(() => generator.feed(VOCABULARY)).toThrow(expect.objectContaining({ code: "ERR_DATA" }));
  expect(() => generator.feed(-1)).toThrow(expect.objectContaining({ code: "ERR_DATA" }));
  expect(() => generator.feed(0.5)).toThrow(/integers for 'feed.tokens'/);
  expect(() => generator.feed(1, 1)).toThrow(/feed.sequence/);
  expect(() => generator.feed([1, 2, 3, 4, 5])).toThrow(/at most 4 tokens more of sequence 0/);
  expect(generator.lengthOf()).toBe(0);
  expect(() => generator.feedAll([1, 2])).toThrow(/1 tokens for 'feedAll.tokens'/);
  expect(() => model.generator({ length: TIME + 1 })).toThrow(/at most 40, as 'positions' has so many/);
  expect(() => models[0][1]().generator()).toThrow(/a model with weights for 'generator'/);
  const open = sequential({ input }, embedding(VOCABULARY, 8), transformerBlock(8, 2), linear(8, VOCABULARY));
  expect(() => open.initialize(1).generator()).toThrow(/not causal/);
  const recurrent = sequential(
    { input },
    embedding(VOCABULARY, 8),
    lstm(8, 4, { sequences: true, bidirectional: true }),
    linear(8, VOCABULARY),
  );
  expect(() => recurrent.initialize(1).generator()).toThrow(/'lstm' looks at the steps behind, .* both directions/);
  const convolved = sequential(
    { input },
    embedding(VOCABULARY, 8),
    conv1d(8, VOCABULARY, { kernel: 3, padding: "same" }),
  );
  expect(() => convolved.initialize(1).generator()).toThrow(/'conv1d' may look at any step/);
  expect(() =>
    sequential({ input: [TIME, 3] }, linear(3, 3))
      .initialize(1)
      .generator(),
  ).toThrow(/a model of tokens/);
  const own = network({
    inputs: { x: input },
    layers: { table: embedding(VOCABULARY, 8) },
    forward: ({ x }, { table }) => table(x),
  });
  expect(() => own.initialize(1).generator()).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
  expect(() => sampleToken([1, Number.NaN], 0)).toThrow(expect.objectContaining({ code: "ERR_NON_FINITE" }));
  expect(() => sampleToken([1], 0, { topK: 0 })).toThrow(/sampleToken.topK/);
});

/** What the types refuse, as JavaScript gives it. */
const wrongly = <T>(given: unknown) => given as T;

/** A small model, which is enough for what a caller does wrong. */
const small = () =>
  sequential(
    { input: spec(["batch", 8], "i32") },
    embedding(VOCABULARY, 8),
    transformerBlock(8, 2, { causal: true, rotary: true }),
    linear(8, VOCABULARY),
  ).initialize(3);

test("a long prompt with a wrong token far behind leaves the sequence where it was", () => {
  const model = small();
  const generator = model.generator({ length: 200 });
  generator.feed([1, 2]);
  const prompt = Array.from({ length: 150 }, (_, at) => at % VOCABULARY);
  expect(() => generator.feed(prompt.with(140, VOCABULARY))).toThrow(expect.objectContaining({ code: "ERR_DATA" }));
  expect(() => generator.feed(prompt.with(140, 0.5))).toThrow(expect.objectContaining({ code: "ERR_DATA" }));
  expect(generator.lengthOf()).toBe(2);
  expect(generator.feed(prompt)).toEqual(model.generator({ length: 200 }).feed([1, 2, ...prompt]));
});

test("a wrong token leaves the states of a recurrent network where they were", () => {
  const model = models[3][1]().initialize(4);
  const generator = model.generator({ length: 200 });
  generator.feed([1, 2]);
  expect(() => generator.feed([3, 4, VOCABULARY])).toThrow(expect.objectContaining({ code: "ERR_DATA" }));
  expect(generator.feed([5, 6])).toEqual(model.generator({ length: 200 }).feed([1, 2, 5, 6]));
});

test.each([
  null,
  undefined,
  {},
  { length: -1 },
  { length: Number.NaN },
  { length: "3" },
  true,
  new Set([1]),
  Symbol("a"),
])("tokens that are no list are refused: %s", async (given) => {
  const generator = small().generator();
  const tokens = wrongly<number[]>(given);
  expect(() => generator.feed(tokens)).toThrow(expect.objectContaining({ code: "ERR_DATA" }));
  expect(() => generator.feedAll(tokens)).toThrow(expect.objectContaining({ code: "ERR_SHAPE" }));
  expect(() => sampleToken(tokens, 0)).toThrow(expect.objectContaining({ code: "ERR_SHAPE" }));
  await expect(generator.generate(tokens).next()).rejects.toMatchObject({ code: "ERR_DATA" });
});

test("more tokens than there is room for are refused before they are copied", async () => {
  const generator = small().generator();
  const endless = { length: 1e15 };
  expect(() => generator.feed(endless)).toThrow(expect.objectContaining({ code: "ERR_STATE" }));
  expect(() => generator.feedAll(endless)).toThrow(expect.objectContaining({ code: "ERR_SHAPE" }));
  await expect(generator.generate(endless).next()).rejects.toMatchObject({ code: "ERR_STATE" });
});

test("a prompt and options are those of the call, whatever becomes of them before the first token", async () => {
  const model = small();
  const drawn = async (tokens: AsyncIterable<number>) => {
    const all: number[] = [];
    for await (const token of tokens) all.push(token);
    return all;
  };
  const expected = await drawn(model.generator().generate([1, 2, 3], { tokens: 4, seed: 5 }));
  const prompt = Int32Array.of(1, 2, 3);
  const options = { tokens: 4, seed: 5 };
  const tokens = model.generator().generate(prompt, options);
  prompt.fill(0);
  Object.assign(options, { tokens: 1, seed: 6 });
  expect(await drawn(tokens)).toEqual(expected);
});

test.each(["reset", "feed", "generate"] as const)("'%s' between two tokens of 'generate' is told", async (what) => {
  const generator = small().generator({ sequences: 2, length: 20 });
  const tokens = generator.generate([1, 2], { tokens: 5 });
  await tokens.next();
  generator.feed(1, 1); // another sequence
  await tokens.next();
  if (what === "reset") generator.reset();
  else if (what === "feed") generator.feed(1);
  else await generator.generate([3], { tokens: 1 }).next();
  await expect(tokens.next()).rejects.toMatchObject({ code: "ERR_STATE" });
  expect((await tokens.next()).done).toBe(true);
});
