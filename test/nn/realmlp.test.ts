// RealMLP-TD-S and RealMLP-TD as pytabkit makes and trains them (make_realmlp_fixture.py), of ordinary layers.
import { readFileSync } from "node:fs";
import {
  adam,
  adamw,
  clampOutput,
  crossEntropy,
  defineLayer,
  fit,
  flatCosine,
  logCosine,
  type Model,
  mish,
  mse,
  network,
  normal,
  ntkLinear,
  numericEmbedding,
  ops,
  parameter,
  parametricActivation,
  robustScale,
  scale,
  selu,
  sequential,
  smoothClip,
  spec,
  standardize,
} from "carillon";
import { describe, expect, test } from "vitest";
import { type Case, distanceOf, type Numbers, sizeOf } from "./tabular_runs.js";

const fixture = JSON.parse(readFileSync(new URL("fixtures/realmlp.json", import.meta.url), "utf8")) as {
  readonly rows: number;
  readonly batch: number;
  readonly steps: number;
  readonly numbers: readonly (readonly number[])[];
  readonly codes: readonly (readonly number[])[];
  readonly labels: readonly number[];
  readonly values: readonly (readonly number[])[];
  readonly cases: Readonly<Record<string, Case>>;
};

const HIDDEN = 16;
const bias = { biasRateFactor: 0.1 };
const slow = { rateFactor: 0.1, decayFactor: 0.1 };

/** Values of a column as numbers of their own: one of two as 1 and −1, others one-hot; what is missing, of code 0, as zeros. */
const oneHot = (codes: readonly number[], values: number): number[][] =>
  codes.map((code) =>
    values === 2 ? [[0, 1, -1][code] ?? 0] : Array.from({ length: values }, (_, at) => (code === at + 1 ? 1 : 0)),
  );

/** Columns of {@link fixture.codes} as numbers. */
function flags(columns: number): readonly (readonly number[])[] {
  const parts = [2, 4, 12].slice(0, columns).map((values, at) =>
    oneHot(
      fixture.codes.map((row) => row[at] ?? 0),
      values,
    ),
  );
  return fixture.codes.map((_, row) => parts.flatMap((part) => part[row] ?? []));
}

/** The least and the largest of each column of the values, in the units of the network. */
function bounds(): { readonly low: number[]; readonly high: number[] } {
  const columns = [0, 1].map((at) => fixture.values.map((row) => row[at] ?? 0));
  const ends = columns.map((values) => {
    const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
    return [(Math.min(...values) - mean) / deviation, (Math.max(...values) - mean) / deviation];
  });
  return { low: ends.map(([low = 0]) => low), high: ends.map(([, high = 0]) => high) };
}

const table = defineLayer({
  kind: "table",
  outputs: { append: 8 },
  takes: "i32",
  parameters: { table: parameter([13, 8], { role: "table", init: normal(), decayFactor: 1 }) },
  forward: (codes, own) => ops.take(own.table, codes),
});

/** Layers by our names for the fixture, which has one number a layer. */
function make(preset: "fast" | "auto", task: "classes" | "values"): Model {
  const large = preset === "auto";
  const outputs = task === "classes" ? 3 : 2;
  const activation = (): ReturnType<typeof selu> => (task === "classes" ? selu() : mish());
  const bent = () => (large ? parametricActivation(HIDDEN, activation(), slow) : activation());
  const features = large ? 25 : 20;
  return network({
    inputs: {
      numbers: spec(["batch", 3]),
      flags: spec(["batch", large ? 5 : 17]),
      ...(large ? { codes: spec(["batch"], "i32") } : {}),
    },
    layers: {
      clip: smoothClip(),
      numericEmbedding: large ? numericEmbedding(3, slow) : sequential({ input: [3] }, smoothClip()),
      categories: large ? table : smoothClip(),
      front: scale(features, large ? { rateFactor: 6, decayFactor: 6 } : { rateFactor: 6 }),
      layer1: ntkLinear(features, HIDDEN, bias),
      bent1: bent(),
      layer2: ntkLinear(HIDDEN, HIDDEN, bias),
      bent2: bent(),
      layer3: ntkLinear(HIDDEN, HIDDEN, bias),
      bent3: bent(),
      layer4: ntkLinear(HIDDEN, outputs, bias),
      clamp: large && task === "values" ? clampOutput(bounds()) : clampOutput({ low: -1e30, high: 1e30 }),
    },
    forward(given, layers) {
      const { numbers, flags: told, codes } = given as Readonly<Record<string, Parameters<typeof layers.clip>[0]>>;
      if (numbers === undefined || told === undefined) throw new Error("inputs");
      const clipped = large ? layers.numericEmbedding(layers.clip(numbers)) : layers.numericEmbedding(numbers);
      const looked = codes === undefined ? [] : [layers.categories(codes)];
      const all = layers.front(ops.concat([clipped, layers.clip(told), ...looked]));
      const first = layers.bent1(layers.layer1(all));
      return layers.clamp(layers.layer4(layers.bent3(layers.layer3(layers.bent2(layers.layer2(first))))));
    },
  }) as unknown as Model;
}

/** Their name of one of ours. */
const renamed = (name: string): string => name.replace("front.scale", "layer1.scale").replace(/^bent(\d)/, "layer$1");

async function trained(preset: "fast" | "auto", task: "classes" | "values", steps: number): Promise<Numbers> {
  const large = preset === "auto";
  const model = make(preset, task);
  const { first } = fixture.cases[`${preset} ${task}`] ?? {};
  model.setWeights(
    new Map(model.parameters.map(({ name }) => [name, Float32Array.from(first?.[renamed(name)] ?? [])] as const)),
  );
  const x = {
    numbers: fixture.numbers,
    flags: flags(large ? 2 : 3),
    ...(large ? { codes: Int32Array.from(fixture.codes, (row) => row[2] ?? 0) } : {}),
  };
  const rate = { "fast classes": 0.04, "fast values": 0.07, "auto classes": 0.04, "auto values": 0.2 }[
    `${preset} ${task}` as const
  ];
  const moments = { lr: logCosine({ lr: rate, steps: fixture.steps }), beta2: 0.95 };
  const weightDecay = flatCosine({ value: 0.02, steps: fixture.steps });
  await fit(model as never, {
    data: { x, y: task === "classes" ? Int32Array.from(fixture.labels) : fixture.values } as never,
    inputs: { numbers: robustScale(), flags: robustScale() } as never,
    ...(task === "values" ? { targets: standardize() as never } : {}),
    loss: task === "classes" ? (crossEntropy({ labelSmoothing: 0.1 }) as never) : (mse() as never),
    optimizer: large ? adamw({ ...moments, weightDecay }) : adam(moments),
    steps,
    batchSize: fixture.batch,
    shuffle: false,
  });
  const weights = [...model.weights()].map(([name, { data }]) => [renamed(name), Array.from(data)] as const);
  const answers = await model.predict(x as never);
  return Object.fromEntries([...weights, ["predicted", Array.from((answers as { data: Float32Array }).data)]]);
}

/*
 * From the same weights: no further from the run in float64 than twice the furthest of six runs of pytabkit in float32, which differ in the order of the
 * rows of a batch. In two steps every number is rounded some 120 times a step (sums of 25 and of 20 rows, the cosine, functions, the moments and the
 * update): 2⁻²⁴·120 of numbers below 4, and a rate of 0.2 multiplies what a small gradient's sign loses.
 */
describe.each([
  ["fast", "classes"],
  ["fast", "values"],
  ["auto", "classes"],
  ["auto", "values"],
] as const)("%s, %s", (preset, task) => {
  const { second = {}, last = {}, distance = 0 } = fixture.cases[`${preset} ${task}`] ?? {};
  test("two steps", async () => {
    const bound = 2 * 2 ** -24 * 120 * 4 * Math.sqrt(sizeOf(second));
    expect(distanceOf(await trained(preset, task, 2), second)).toBeLessThan(bound);
  });
  test(`${fixture.steps} steps`, async () => {
    expect(distanceOf(await trained(preset, task, fixture.steps), last)).toBeLessThan(2 * distance);
  });
});
