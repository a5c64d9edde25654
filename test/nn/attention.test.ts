// Layers of attention: runs of PyTorch and Keras, and what they promise beside.
import {
  adagrad,
  adam,
  attention,
  embedding,
  fit,
  l1,
  l2,
  linear,
  loadModel,
  maxNorm,
  mse,
  positions,
  rmsprop,
  sequential,
  sgd,
  spec,
  tensor,
  transformerBlock,
} from "carillon";
import { describe, expect, test } from "vitest";
import { fixture, nameOf, networkOf, predicted, rowsOf, trained } from "./attention_runs.js";
import { describeRuns } from "./framework_runs.js";

/*
 * One step rounds every number some 100 times (sums of at most 6, a softmax, two normalizations of four features, which magnify by 1/deviation): 2⁻²⁴·200 of
 * numbers below 4, at most 200 of them.
 */
describeRuns({ fixture, nameOf, networkOf, rowsOf, predicted, trained }, { answers: 100, step: 200 });

describe("lengths", () => {
  const measured = fixture.cases.filter(({ lengths }) => lengths).map((one) => ({ name: nameOf(one), one }));

  test.each(measured)("$name: neither what stands in padding nor its length changes a bit", async ({ one }) => {
    const plain = await trained(one, 20);
    expect(await trained(one, 20, 0, 1e30)).toEqual(plain);
    expect(await trained(one, 20, 4, 3)).toEqual(plain);
  });

  test.each([-1, 6])("a length of %i names input and row", async (length) => {
    const [one] = fixture.cases.filter(({ lengths }) => lengths);
    if (one === undefined) throw new Error("no case");
    const lengths = Int32Array.from(fixture.lengths).with(3, length);
    const refusal = predicted(networkOf(one), { ...rowsOf(one), lengths });
    await expect(refusal).rejects.toThrow(/length of 'x\.lengths', row 3 .* received/);
    await expect(refusal).rejects.toMatchObject({ code: "ERR_DATA" });
  });
});

const [VOCABULARY, TIME, SIZE] = [7, 6, 8];
const ids = Int32Array.from({ length: 24 * TIME }, (_, at) => (at * at + 3 * at) % VOCABULARY);
/** Of each step 1 for the next number. */
const wanted = Float32Array.from({ length: ids.length * VOCABULARY }, (_, at) =>
  at % VOCABULARY === ids[(Math.floor(at / VOCABULARY) + 1) % ids.length] ? 1 : 0,
);
const x = tensor(ids, [24, TIME]);
const base = {
  data: { x, y: tensor(wanted, [24, TIME, VOCABULARY]) },
  loss: mse(),
  ...{ batchSize: 8, seed: 3, optimizer: adam({ lr: 0.01 }), steps: 12 },
};
const input = spec(["batch", TIME], "i32");
const table = () => embedding(VOCABULARY, SIZE);
const head = () => linear(SIZE, VOCABULARY);

const made = [
  [
    "blocks with rotary positions and shared heads",
    () => {
      const block = { causal: true, dropout: 0.2, rotary: true, keyValueHeads: 1 } as const;
      return sequential({ input }, table(), transformerBlock(SIZE, 2, block), transformerBlock(SIZE, 2, block), head());
    },
  ],
  [
    "a block with norms behind, of learned positions",
    () => {
      const places = positions("learned", { time: 9, size: SIZE });
      const block = { norm: "post", activation: "silu", dropout: 0.1 } as const;
      return sequential({ input }, table(), places, transformerBlock(SIZE, 4, block), head());
    },
  ],
  [
    "attention of sines",
    () => {
      const places = positions("sinusoidal", { time: TIME, size: SIZE });
      return sequential({ input }, table(), places, attention(SIZE, 2, { dropout: 0.3, bias: false }), head());
    },
  ],
] as const;

const weightsOf = (model: ReturnType<(typeof made)[number][1]>) =>
  Object.fromEntries([...model.weights()].map(([name, { data }]) => [name, Array.from(data)]));

describe.each(made)("%s", (_name, make) => {
  const trainedWith = async (options: object) => {
    const model = make();
    const result = await fit(model, { ...base, ...options });
    return { weights: weightsOf(model), result };
  };

  test("any number of threads gives the same bits", async () => {
    const { weights } = await trainedWith({ threads: 1 });
    for (const threads of [2, 3, 4]) expect((await trainedWith({ threads })).weights).toEqual(weights);
  });

  test("micro-batches draw the masks of the whole batch, and learn the same", async () => {
    const optimizer = sgd({ lr: 0.02 });
    const { weights } = await trainedWith({ optimizer });
    const { weights: divided } = await trainedWith({ optimizer, accumulate: 4 });
    const off = Object.entries(weights).flatMap(([name, data]) =>
      data.map((value, i) => Math.abs(value - (divided[name]?.[i] ?? 9))),
    );
    // Sums over parts are rounded in another order: 12 steps of 0.02 times gradients below 4, each off by some 100 roundings.
    expect(Math.max(...off)).toBeLessThan(12 * 0.02 * 4 * 100 * 2 ** -24);
  });

  test("a resumed run ends with the same bits, averages and clipped gradients too", async () => {
    const own = { averageWeights: { decay: 0.9 }, clip: { norm: 0.5 } };
    const { weights } = await trainedWith(own);
    const { checkpoint } = await fit(make(), { ...base, ...own, steps: 5 });
    const again = make();
    await fit(again, { ...base, ...own, resume: checkpoint() });
    expect(weightsOf(again)).toEqual(weights);
  });

  test("is saved and loaded, and answers a row alone as in a batch", async () => {
    const model = make().initialize(4);
    const loaded = await loadModel(model.bytes());
    const all = (await model.predict(x)).data;
    expect((await loaded.predict(x)).data).toEqual(all);
    const alone = await model.predict(tensor(ids.slice(7 * TIME, 8 * TIME), [1, TIME]));
    expect(alone.data).toEqual(all.subarray(7 * TIME * VOCABULARY, 8 * TIME * VOCABULARY));
    const frozen = model.predictor();
    expect(frozen.run(x).data).toEqual(all);
  });

  test("every optimizer, and penalties by role", async () => {
    for (const optimizer of [sgd({ lr: 0.02, momentum: 0.9 }), adagrad({ lr: 0.05 }), rmsprop({ lr: 0.01 })]) {
      const { result } = await trainedWith({
        optimizer,
        regularizer: [l1(1e-5), l2(1e-5), maxNorm(2)],
        epochs: 12,
        steps: undefined,
      });
      const losses = result.history.map(({ loss }) => loss);
      expect(losses.at(-1)).toBeLessThan(losses[0] ?? 0);
    }
    const { weights } = await trainedWith({ regularizer: maxNorm(0.2) });
    for (const [name, data] of Object.entries(weights)) {
      if (!/[wW]eight$/.test(name)) continue;
      const columns = name.endsWith("linear2.weight") ? 4 * SIZE : SIZE;
      for (let row = 0; row < data.length; row += columns)
        expect(Math.hypot(...data.slice(row, row + columns)), name).toBeLessThan(0.2 * (1 + 1e-6));
    }
  });
});

test("what is not finite names the layer", async () => {
  const own = attention(SIZE, 2, { init: 1e25, name: "looks" });
  const model = sequential({ input }, table(), own, head()).initialize(1);
  await expect(fit(model, base)).rejects.toThrow(/looks/);
});

test("a causal network says nothing of what it has not seen", async () => {
  const model = sequential({ input }, table(), transformerBlock(SIZE, 2, { causal: true }), head()).initialize(2);
  const before = (await model.predict(x)).data;
  const changed = Int32Array.from(ids, (id, at) => (at % TIME < 4 ? id : (id + 1) % VOCABULARY));
  const after = (await model.predict(tensor(changed, [24, TIME]))).data;
  const seen = (data: Float32Array) => data.filter((_, at) => Math.floor(at / VOCABULARY) % TIME < 4);
  expect(seen(after)).toEqual(seen(before));
  expect(after).not.toEqual(before);
});

test("options and shapes that cannot be are refused by layer and sizes", () => {
  const heads: number = 4;
  expect(() => attention(10, heads)).toThrow(/a divisor of the size 10 for 'attention.heads' but received 4/);
  expect(() => transformerBlock(10, heads)).toThrow(
    /a divisor of the size 10 for 'transformerBlock.heads' but received 4/,
  );
  expect(() => attention(6, 2, { rotary: true })).toThrow(
    /heads of an even size, not of 3 \(6 by 2\), for 'attention.rotary'/,
  );
  expect(() => attention(8, 4, { keyValueHeads: 3 })).toThrow(/a divisor of 4 heads for 'attention.keyValueHeads'/);
  expect(() => attention(8, 0)).toThrow(/attention.heads/);
  expect(() => attention(8, 2, { dropout: 1 })).toThrow(/attention.dropout/);
  expect(() => attention(8, 2, { bias: false, biasRegularizer: l2(1) })).toThrow(/attention.biasRegularizer/);
  expect(() => sequential(attention(8, 2))).toThrow(/expected \[batch, time, 8\] for 'attention'/);
  expect(() => positions("rotary" as "learned", { time: 3, size: 8 })).toThrow(/an option of attention/);
  expect(() => sequential({ input: [4, 8] }, positions("learned", { time: 3, size: 8 }))).toThrow(/at most 3 steps/);
  expect(() => transformerBlock(8, 2, { activation: "tanh" as "relu" })).toThrow(/transformerBlock.activation/);
});
