// A second form of the columns, for members that want it: as pytabkit and tabm give them to TabM (make_second_fixture.py).
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  type AnyModel,
  ensemble,
  linear,
  loadModel,
  loadTabular,
  preparationOf,
  prepare,
  sequential,
  spec,
  Tensor,
  table,
  tabular,
  tensor,
  towers,
} from "../../lib/index.js";

const fixture = JSON.parse(readFileSync(new URL("fixtures/second.json", import.meta.url), "utf8")) as {
  readonly skew: readonly number[];
  readonly few: readonly number[];
  readonly plan: readonly string[];
  readonly mean: readonly (readonly [number, number])[];
  readonly deviation: readonly (readonly [number, number])[];
  readonly hot: readonly (readonly number[])[];
};

const columns = { skew: fixture.skew, few: fixture.few, plan: fixture.plan };
const normal = { kind: "numeric", options: { scale: "normal" } };
const second = { skew: normal, few: normal, plan: { kind: "oneHot", options: { scale: "none" } } };
const schema = { columns: { skew: { kind: "number" }, few: { kind: "number" }, plan: { kind: "category" } } } as const;

test("numbers are the quantiles of TabM's authors, but for the noise, and values 0 and 1", async () => {
  const data = await table(columns);
  const preparation = await prepare(data, { schema, second });
  const { x } = preparation.encode(data);
  expect(Object.keys(x)).toEqual(["numbers", "categories", "numbers2", "flags2"]);
  expect(x.flags2?.shape).toEqual([600, 4]);
  expect(Array.from(x.flags2?.data ?? [])).toEqual(fixture.hot.flat());
  const scores = x.numbers2?.data ?? [];
  for (const [row, means] of fixture.mean.entries()) {
    for (const [at, mean] of means.entries()) {
      // Beyond the outermost quantiles all is ±5.2 or on the way there, as the noise has it.
      if (Math.abs(mean) > 1.5) continue;
      const deviation = fixture.deviation[row]?.[at] ?? 0;
      expect(Math.abs((scores[2 * row + at] ?? 0) - mean)).toBeLessThan(0.02 + 6 * deviation);
    }
  }
  const again = preparationOf(JSON.parse(JSON.stringify(preparation)));
  expect(again.encode(data)).toEqual(preparation.encode(data));
  expect(again.encode({ skew: 2, few: null, plan: "new" }).unseen).toEqual({ plan: 1 });
});

const rows = Array.from({ length: 240 }, (_, i) => ({
  minutes: Math.exp((i % 60) / 10),
  plan: ["basic", "pro", "max"][i % 3],
  paid: i % 2 === 0,
  churned: (i % 60) / 60 > 0.6 !== (i % 3 === 0) ? "yes" : "no",
}));

test("TabM of 'best' takes it, RealMLP the first one, and one file has both", async () => {
  const model = await tabular({ preset: "best", folds: 2, epochs: 3, hidden: [16] }).fit(rows, { target: "churned" });
  expect(new Set(model.members.map(({ kind }) => kind))).toContain("tabM");
  expect(model.model.rows.inputs.map(({ name }) => name)).toEqual(expect.arrayContaining(["numbers2", "flags2"]));
  const again = await loadTabular(model.bytes());
  const { probabilities } = await model.predict(rows);
  expect((await again.predict(rows)).probabilities?.data).toEqual(probabilities?.data);
  expect(again.predictSync({ minutes: 3, plan: "gold", paid: null }).unseen).toEqual({ plan: 1 });
  const network: AnyModel = await loadModel(model.bytes());
  const answers = await network.predict(again.preparation.encode(rows).x);
  expect(answers).toBeInstanceOf(Tensor);
});

describe("an ensemble of members that take some of the inputs", () => {
  const inputs = { a: spec(["batch", 2]), b: spec(["batch", 1]) };
  const both = towers({ inputs: { b: inputs.b, a: inputs.a }, head: sequential(linear(3, 1)) }).initialize(1);
  const one = towers({ inputs: { b: inputs.b }, head: sequential(linear(1, 1)) }).initialize(2);
  const a = tensor(Float32Array.of(1, 2, 3, 4), [2, 2]);
  const b = tensor(Float32Array.of(5, -6), [2, 1]);
  const dataOf = async (answers: Promise<unknown>): Promise<number[]> => {
    const found = await answers;
    return found instanceof Tensor ? Array.from(found.data) : [];
  };

  test.each([
    ["fewer", [both, one]],
    ["more", [one, both]],
  ] as const)("the second has %s", async (_, members) => {
    const model = ensemble(members, { mixing: "values", weights: [3, 1] });
    const [first, second] = [
      await dataOf(members[0].predict(members[0] === one ? { b } : { a, b })),
      await dataOf(members[1].predict(members[1] === one ? { b } : { a, b })),
    ];
    const mixed = await dataOf(model.predict({ a, b }));
    for (const [at, value] of mixed.entries())
      expect(value).toBeCloseTo(0.75 * (first[at] ?? 0) + 0.25 * (second[at] ?? 0), 5);
    const again: AnyModel = await loadModel(model.bytes());
    expect(await dataOf(again.predict({ a, b }))).toEqual(mixed);
  });

  test("inputs of one name are alike, or it is refused", () => {
    const other = towers({ inputs: { b: spec(["batch", 2]) }, head: sequential(linear(2, 1)) }).initialize(2);
    expect(() => ensemble([one, other], { mixing: "values" })).toThrow("member 2 is none");
  });
});
