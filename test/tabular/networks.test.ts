// The networks of tabular(), trained as it trains them, beside pytabkit's own (test/nn/make_realmlp_fixture.py).
import { readFileSync } from "node:fs";
import { fit, robustScale, Tensor } from "carillon";
import { describe, expect, test } from "vitest";
import { boundsOf, unitsOf } from "../../lib/tabular/encoding.js";
import { networkOf } from "../../lib/tabular/networks.js";
import { checkTabular } from "../../lib/tabular/options.js";
import { lossOf, optimizerOf } from "../../lib/tabular/plan.js";
import { type Case, distanceOf, type Numbers, sizeOf } from "../nn/tabular_runs.js";

const fixture = JSON.parse(readFileSync(new URL("../nn/fixtures/realmlp.json", import.meta.url), "utf8")) as {
  readonly batch: number;
  readonly steps: number;
  readonly numbers: readonly (readonly number[])[];
  readonly codes: readonly (readonly number[])[];
  readonly labels: readonly number[];
  readonly values: readonly (readonly number[])[];
  readonly cases: Readonly<Record<string, Case>>;
};

const ROWS = Uint32Array.from(fixture.codes.keys());

/** Columns of codes as numbers: two values as 1 and −1, others one-hot, what is missing as zeros. */
function flagsOf(columns: number): number[][] {
  return fixture.codes.map((codes) =>
    [2, 4, 12].slice(0, columns).flatMap((values, at) => {
      const code = codes[at] ?? 0;
      return values === 2
        ? [[0, 1, -1][code] ?? 0]
        : Array.from({ length: values }, (_, v) => (code === v + 1 ? 1 : 0));
    }),
  );
}

/** The fixture's name of a parameter. */
const theirs = (name: string): string =>
  name
    .replace("categories.categoryEmbedding1.table1", "categories.table")
    .replace("numbers.numericEmbedding1", "numericEmbedding")
    .replace("head.scale1", "layer1")
    .replace(/^head\.(?:ntkLinear|parametricActivation)(\d)/, "layer$1");

async function trained(preset: "fast" | "auto", task: "classes" | "value", steps: number): Promise<Numbers> {
  const [kind, isLarge] = preset === "auto" ? (["realMlp", true] as const) : (["realMlpSmall", false] as const);
  const flags = flagsOf(isLarge ? 2 : 3);
  const data = Float64Array.from(fixture.values.flat());
  const targets = task === "classes" ? Int32Array.from(fixture.labels) : { shape: [ROWS.length, 2], data };
  const units = await unitsOf(targets, task === "classes" ? "classes" : "values", ROWS);
  const inUnits = (value: number, at: number): number =>
    units === undefined ? value : (value - (units.shift[at % 2] ?? 0)) / (units.scale[at % 2] ?? 1);
  const y = "shape" in targets ? { ...targets, data: targets.data.map(inUnits) } : targets;
  const inputs = {
    numbers: ["a", "b", "c"],
    flags: (flags[0] ?? []).map((_, at) => `flag ${at}`),
    categories: isLarge ? [{ column: "category", count: 13 }] : [],
    texts: [],
  };
  const model = networkOf({
    kind,
    inputs,
    outputs: task === "classes" ? 3 : 2,
    mixing: task === "classes" ? "classes" : "values",
    hidden: [16, 16, 16],
    dropout: 0,
    bounds: isLarge ? boundsOf(targets, ROWS, units) : undefined,
  });
  const { first = {} } = fixture.cases[`${preset} ${task === "classes" ? task : "values"}`] ?? {};
  model.setWeights(new Map(model.parameters.map(({ name }) => [name, Float32Array.from(first[theirs(name)] ?? [])])));
  const x = {
    numbers: fixture.numbers,
    flags,
    ...(isLarge ? { categories: fixture.codes.map((codes) => [codes[2] ?? 0]) } : {}),
  };
  const early = { name: "early", every: { steps }, decide: (at: { stop(): void }): void => at.stop() };
  await fit(model, {
    data: { x, y },
    inputs: { numbers: robustScale(), flags: robustScale() },
    loss: lossOf(task, task === "classes" ? "accuracy" : "rmse"),
    optimizer: optimizerOf(kind, task, inputs, checkTabular({})),
    steps: fixture.steps,
    batchSize: fixture.batch,
    shuffle: false,
    callbacks: [early],
  });
  const answers = await model.predict(x);
  const told = Array.from(answers instanceof Tensor ? answers.data : [], (answer, at) =>
    units === undefined ? answer : answer * (units.scale[at % 2] ?? 1) + (units.shift[at % 2] ?? 0),
  );
  const weights = [...model.weights()].map(([name, values]) => [theirs(name), Array.from(values.data)] as const);
  return Object.fromEntries([...weights, ["predicted", told]]);
}

// Bounds as in test/nn/realmlp.test.ts.
describe.each([
  ["fast", "classes"],
  ["fast", "value"],
  ["auto", "classes"],
  ["auto", "value"],
] as const)("%s, %s", (preset, task) => {
  const {
    second = {},
    last = {},
    distance = 0,
  } = fixture.cases[`${preset} ${task === "classes" ? task : "values"}`] ?? {};
  test("two steps", async () => {
    const bound = 2 * 2 ** -24 * 120 * 4 * Math.sqrt(sizeOf(second));
    expect(distanceOf(await trained(preset, task, 2), second)).toBeLessThan(bound);
  });
  test(`${fixture.steps} steps`, async () => {
    expect(distanceOf(await trained(preset, task, fixture.steps), last)).toBeLessThan(2 * distance);
  });
});

test("members of TabM begin with one sign for all that a column has become", () => {
  const model = networkOf({
    kind: "tabM",
    inputs: {
      numbers: ["a", "b"],
      flags: ["c 1", "c 2", "c 3", "d"],
      categories: [{ column: "e", count: 20 }],
      texts: [{ input: "text1", column: "f", buckets: 64, most: 4 }],
    },
    flagWidths: [3, 1],
    outputs: 2,
    mixing: "classes",
    hidden: [8],
    dropout: 0,
    bounds: undefined,
  }).initialize(1);
  const factors = [...model.weights()].find(([name]) => name.endsWith("batchEnsemble1.given"))?.[1].data;
  const [widths, members] = [[1, 1, 3, 1, 8, 16], 32];
  const signs = widths.map((): number[] => []);
  for (let member = 0; member < members; member++) {
    let at = member * 30;
    for (const [column, width] of widths.entries()) {
      const own = new Set(factors?.slice(at, at + width));
      expect(own.size).toBe(1);
      signs[column]?.push(...own);
      at += width;
    }
  }
  // Every column has both signs among its members, and no two columns have the same ones.
  for (const own of signs) expect(new Set(own)).toEqual(new Set([-1, 1]));
  expect(new Set(signs.map(String)).size).toBe(widths.length);
});

test("texts go to the answers on a straight way too, and alone on nothing else", () => {
  const weightsOf = (kind: "realMlp" | "realMlpSmall", numbers: readonly string[]): readonly string[] => {
    const texts = [{ input: "text1", column: "f", buckets: 64, most: 4 }];
    const inputs = { numbers, flags: [], categories: [], texts };
    const plan = { kind, inputs, outputs: 2, mixing: "classes", hidden: [8], dropout: 0, bounds: undefined } as const;
    return [...networkOf(plan).initialize(1).weights()].map(([name, { shape }]) => `${name} ${shape}`);
  };
  for (const kind of ["realMlp", "realMlpSmall"] as const) {
    const alone = weightsOf(kind, []);
    expect(alone).toHaveLength(3);
    expect(alone.map((name) => name.split(" ")[1])).toEqual(["64,2", "2,2", "2"]);
    expect(weightsOf(kind, ["a"]).filter((name) => name.includes("projection"))).toHaveLength(1);
  }
});
