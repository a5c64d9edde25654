// What outputs mean: probabilities as the loss of the training has them, labels by their names; remembered by models and files.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  binaryCrossEntropy,
  constant,
  cosineSimilarity,
  crossEntropy,
  dataset,
  type FitOptions,
  findLearningRate,
  fit,
  hardSigmoid,
  hinge,
  huber,
  identity,
  klDivergence,
  type Layer,
  type Loss,
  linear,
  loadModel,
  logSoftmax,
  type Model,
  mae,
  mse,
  ops,
  sequential,
  sgd,
  sigmoid,
  softmax,
  split,
  standardize,
  tensor,
} from "carillon";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Described, normalizationsOf } from "../../lib/nn/meaning/meaning.js";
import { labelTaker, RowOutputs, tensorTaker } from "../../lib/nn/serving/answers.js";
import { decodeSafetensors, encodeSafetensors } from "../io/whole_file.js";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "carillon-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Gives out what it is given, through `last`. */
const mirror = (columns: number, ...last: Layer[]): Model =>
  sequential(linear(columns, columns, { init: identity(), bias: false }), ...last);

const x = [
  [1, -2, 0.5],
  [0, 3, -1],
];
const still = { optimizer: sgd({ lr: 0 }), epochs: 1 } as const;
const logits = tensor(x);
const one = [[1], [-2]];

/** Targets that any loss of this kind takes. */
function targetsOf(loss: Loss, columns: number): readonly number[] | readonly (readonly number[])[] {
  if (loss.target === "classes") return [0, 1];
  const sign = loss.kind === "hinge" ? -1 : 0;
  return [0, 1].map((row) => Array.from({ length: columns }, (_, column) => (column === row % columns ? 1 : sign)));
}

async function trained(model: Model, loss: Loss, rows: readonly (readonly number[])[] = x): Promise<Model> {
  await fit(model, { ...still, loss, data: { x: rows, y: targetsOf(loss, Number(model.outputs)) } });
  return model;
}

const own: Loss = (output, target) => ops.mean(ops.square(ops.subtract(output, target)), { axis: "last" });

describe("probabilities follow the loss of the training", () => {
  test.each<[string, Loss]>([
    ["crossEntropy", crossEntropy()],
    ["of probabilities", crossEntropy({ target: "probabilities", labelSmoothing: 0.1 })],
    ["klDivergence", klDivergence()],
    ["a loss of one's own", own],
  ])("%s: softmax", async (_, loss) => {
    const model = await trained(mirror(3), loss);
    expect((await model.predictProbabilities(x)).data).toEqual(ops.softmax(logits).data);
  });

  test("binaryCrossEntropy: a sigmoid of each output", async () => {
    const several = await trained(mirror(3), binaryCrossEntropy());
    expect((await several.predictProbabilities(x)).data).toEqual(ops.sigmoid(logits).data);
    const single = await trained(mirror(1), binaryCrossEntropy(), one);
    expect((await single.predictProbabilities(one)).data).toEqual(ops.sigmoid(tensor(one)).data);
  });

  test.each<[Loss, string]>([
    [mse(), "mse"],
    [mae(), "mae"],
    [huber(), "huber"],
    [cosineSimilarity(), "cosineSimilarity"],
    [hinge(), "hinge"],
  ])("%#: none", async (loss, says) => {
    const model = await trained(mirror(3), loss);
    const refused = { code: "ERR_STATE", where: "predictProbabilities", message: expect.stringContaining(says) };
    await expect(model.predictProbabilities(x)).rejects.toThrow(expect.objectContaining(refused));
    expect((await model.predictProbabilities(x, { as: "sigmoid" })).data).toEqual(ops.sigmoid(logits).data);
    expect((await model.predictProbabilities(x, { as: "outputs" })).data).toEqual(logits.data);
  });

  test("targets with units: none, whatever the file says", async () => {
    const model = sequential(linear(1, 1, { init: constant(1) }));
    const data = { x: one, y: [5000, 6000] };
    await fit(model, { ...still, loss: mse(), data, targets: standardize() });
    for (const asked of [model, model.clone()]) {
      for (const as of [undefined, "softmax"] as const) {
        await expect(asked.predictProbabilities(one, { as })).rejects.toMatchObject({ code: "ERR_STATE" });
      }
      expect((await asked.predictProbabilities(one, { as: "outputs" })).data).toEqual((await asked.predict(one)).data);
    }
  });

  test("units of values go when labels are learned", async () => {
    const model = sequential(linear(1, 1, { init: constant(1) }));
    await fit(model, { ...still, loss: mse(), data: { x: one, y: [5000, 6000] }, targets: standardize() });
    await fit(model, { ...still, loss: binaryCrossEntropy(), data: { x: one, y: [0, 1] } });
    expect(model.transforms.targets).toBeUndefined();
    expect((await model.predictProbabilities(one)).data).toEqual(ops.sigmoid(tensor(one)).data);
  });

  test.each<[string, Layer, typeof ops.softmax]>([
    ["softmax", softmax(), ops.softmax],
    ["logSoftmax", logSoftmax(), ops.softmax],
    ["sigmoid", sigmoid(), ops.sigmoid],
    ["hardSigmoid", hardSigmoid(), ops.hardSigmoid],
  ])("nothing is applied behind a final %s", async (kind, last, once) => {
    const expected = [...once(logits).data];
    for (const model of [mirror(3, last), await trained(mirror(3, last), own), await trained(mirror(3, last), mse())]) {
      const { data } = await model.predictProbabilities(x);
      // The exponential of a logarithm is rounded twice, each by 2 ulp at most.
      for (const [place, value] of expected.entries()) {
        expect(Math.abs((data[place] ?? 0) - value)).toBeLessThanOrEqual(kind === "logSoftmax" ? value * 2 ** -20 : 0);
      }
    }
    const twice = await mirror(3, last).predictProbabilities(x, { as: "softmax" });
    expect(twice.data).toEqual(ops.softmax((await mirror(3, last).predict(x)) as typeof logits).data);
  });

  test("without a loss the rule stays: sigmoid of one output, softmax of several", async () => {
    expect((await mirror(3).predictProbabilities(x)).data).toEqual(ops.softmax(logits).data);
    expect((await mirror(1).predictProbabilities(one)).data).toEqual(ops.sigmoid(tensor(one)).data);
  });

  test.each([{ as: "probabilities" }, { as: 1 }, { at: "softmax" }])("refuses %o", async (options) => {
    const refused = mirror(3).predictProbabilities(x, options as { as: "softmax" });
    await expect(refused).rejects.toMatchObject({ name: "CarillonError" });
  });
});

describe("the loss is remembered", () => {
  test("from the first step of a run on; a run that is refused changes nothing", async () => {
    const model = mirror(3);
    expect(model.lossKind).toBeUndefined();
    await expect(fit(model, { ...still, loss: mse(), data: { x, y: [1] } })).rejects.toThrow();
    expect(model.lossKind).toBeUndefined();
    await trained(model, binaryCrossEntropy());
    expect(model.lossKind).toBe("binaryCrossEntropy");
    await trained(model, own);
    expect(model.lossKind).toBeUndefined();
    await findLearningRate(model, { data: { x, y: x }, loss: mse(), optimizer: sgd({ lr: 0 }), steps: 16 });
    await model.evaluate({ x, y: x }, { loss: mse() });
    expect(model.lossKind).toBeUndefined();
  });

  test("by clones, files, bytes and checkpoints, which serve and resume", async () => {
    const model = await trained(mirror(3), binaryCrossEntropy());
    const path = join(folder, "labels.safetensors");
    await model.save(path);
    const checkpointed = mirror(3);
    const options = { ...still, loss: binaryCrossEntropy(), data: { x, y: targetsOf(binaryCrossEntropy(), 3) } };
    const { checkpoint } = await fit(checkpointed, options);
    const resumed = mirror(3);
    await fit(resumed, { ...options, epochs: 2, resume: checkpoint() });
    const models = [
      model.clone(),
      await loadModel(path),
      await mirror(3).load(path),
      await loadModel(model.bytes()),
      await loadModel(checkpoint()),
      resumed,
      model.setWeights(mirror(3).weights()),
    ];
    for (const each of models) {
      expect(each.lossKind).toBe("binaryCrossEntropy");
      expect((await each.predictProbabilities(x)).data).toEqual(ops.sigmoid(logits).data);
    }
  });

  test("a file of before, without one, has the rule; one that nobody knows does too", async () => {
    const { tensors, metadata } = decodeSafetensors((await trained(mirror(3), mse())).bytes());
    expect(metadata.loss).toBe("mse");
    for (const changed of [{ loss: "arcFace" }, { loss: undefined }]) {
      const { loss, ...rest } = { ...metadata, ...changed };
      const bytes = encodeSafetensors(tensors, loss === undefined ? rest : { ...rest, loss });
      const model = await loadModel(bytes);
      expect(model.lossKind).toBeUndefined();
      expect((await model.predictProbabilities(x)).data).toEqual(ops.softmax(logits).data);
    }
  });
});

describe("labels that are names", () => {
  const rows = [
    [2, 0, 0],
    [0, 2, 0],
    [0, 0, 2],
    [0, 1, 0],
  ];
  const names = ["pear", "10", "9", "10"];
  // By code units: "1" < "9" < "p".
  const sorted = ["10", "9", "pear"];
  const places = [2, 0, 1, 0];
  const learning = { loss: crossEntropy(), optimizer: sgd({ lr: 0.5 }), batchSize: 2, epochs: 60, seed: 2 } as const;
  const make = (): Model<3, 3> => sequential(linear(3, 3));

  async function learned(extra: Partial<FitOptions<readonly [], undefined>> = {}, y: unknown = names) {
    const model = make();
    await fit(model, { ...learning, data: { x: rows, y: y as readonly string[] }, ...extra });
    return model;
  }

  test("train the bits of their integers and are given back", async () => {
    const model = await learned();
    const plain = await learned({}, places);
    expect(model.classNames).toEqual(sorted);
    expect(plain.classNames).toBeUndefined();
    expect([...model.weights()].map(([, { data }]) => data)).toEqual([...plain.weights()].map(([, { data }]) => data));
    expect(await model.predict(rows, { as: "labels" })).toEqual(names);
    expect(model.predictSync(rows, { as: "labels" })).toEqual(names);
    expect(await plain.predict(rows, { as: "labels" })).toEqual(places);
  });

  test("have the order that they are told in, also over a stream", async () => {
    const classes = ["pear", "9", "10"];
    const model = await learned({ classes });
    expect(model.classNames).toEqual(classes);
    const items = function* () {
      for (const [row, name] of names.entries()) yield { x: rows[row] ?? [], y: name };
    };
    const streamed = make();
    await fit(streamed, { ...learning, data: dataset(items), validation: dataset(items), classes });
    expect(await streamed.predict(rows, { as: "labels" })).toEqual(names);
    const refused = { code: "ERR_LABEL", where: "fit.data.y", message: expect.stringContaining("'classes'") };
    const untold = fit(make(), { ...learning, data: dataset(items) });
    await expect(untold).rejects.toThrow(expect.objectContaining(refused));
  });

  test("are kept by clones, files and checkpoints, and by a second run", async () => {
    const model = make();
    const data = { x: rows, y: names };
    const checkpoint = (await fit(model, { ...learning, data })).checkpoint();
    const loaded = await loadModel(model.bytes());
    for (const each of [model.clone(), loaded, await make().load(model.bytes()), await loadModel(checkpoint)]) {
      expect(each.classNames).toEqual(sorted);
      expect(await each.predict(rows, { as: "labels" })).toEqual(names);
    }
    await fit(model, { ...learning, data: { x: rows.slice(0, 2), y: names.slice(0, 2) } });
    expect(model.classNames).toEqual(sorted);
    await fit(model, { ...learning, classes: null, data: { x: rows, y: places } });
    expect(model.classNames).toBeUndefined();
    const again = { ...learning, epochs: 61, resume: checkpoint };
    await fit(make(), { ...again, data });
    const refused = { code: "ERR_STATE", where: "fit.resume.classes" };
    await expect(fit(make(), { ...again, data, classes: ["9", "10", "pear"] })).rejects.toMatchObject(refused);
  });

  test("that nobody knows are refused by name: in validation, evaluate and the training itself", async () => {
    const model = await learned();
    const strange = { x: rows, y: ["pear", "10", "plum", "9"] };
    const message = "expected one of the classes '10', '9', 'pear'";
    await expect(model.evaluate(strange, { loss: crossEntropy() })).rejects.toThrow(
      expect.objectContaining({
        code: "ERR_LABEL",
        message: expect.stringContaining(`${message} for 'evaluate.data.y'`),
      }),
    );
    const validated = fit(make(), { ...learning, data: { x: rows, y: names }, validation: strange });
    await expect(validated).rejects.toThrow('received "plum" in row 2');
    const few = fit(make(), { ...learning, data: { x: rows.slice(1), y: names.slice(1) } });
    await expect(few).rejects.toThrow("expected 3 names for 'fit.data.y'");
    await expect(fit(model, { ...learning, data: strange })).rejects.toThrow('received "plum" in row 2');
  });

  test("figures are in the order of the classes", async () => {
    const model = await learned();
    const evaluated = await model.evaluate(
      { x: rows, y: names },
      { loss: crossEntropy(), metrics: ["confusionMatrix"] },
    );
    expect(evaluated.metrics.confusionMatrix).toEqual([
      [2, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ]);
  });

  test("divide a set, and are no or yes of a single output", async () => {
    const many = Array.from({ length: 40 }, (_, row) => [row / 20 - 1]);
    const y = many.map(([value = 0]) => (value > 0 ? "yes" : "no"));
    const { train, validation } = split({ x: many, y }, { validation: 10, stratify: true, seed: 1 });
    const model = sequential(linear(1, 1));
    const { history } = await fit(model, {
      ...learning,
      data: train,
      validation,
      loss: binaryCrossEntropy(),
      classWeights: "balanced",
      metrics: ["accuracy"],
    });
    expect(model.classNames).toEqual(["no", "yes"]);
    expect(history.at(-1)?.validation.metrics.accuracy).toBeGreaterThan(0.8);
    expect(await model.predict([[-1], [1]], { as: "labels" })).toEqual(["no", "yes"]);
  });

  test.each<[unknown, string]>([
    [["a", "b"], "ERR_OPTION"],
    [["a", "b", "b"], "ERR_OPTION"],
    [["a", "b", 3], "ERR_OPTION"],
    ["abc", "ERR_OPTION"],
  ])("refuses %o as classes", async (classes, code) => {
    await expect(learned({ classes: classes as readonly string[] })).rejects.toMatchObject({
      code,
      where: "fit.classes",
    });
  });

  test("are none of a regression", async () => {
    const options = { ...learning, loss: mse(), classes: sorted, data: { x: rows, y: rows } };
    await expect(fit(make(), options)).rejects.toMatchObject({ code: "ERR_OPTION", where: "fit.classes" });
  });
});

describe("labels of outputs", () => {
  test("of a single one, of hinge, of probabilities", async () => {
    const column = [[0.25], [0], [-3]];
    expect(await mirror(1).predict(column, { as: "labels" })).toEqual([1, 0, 0]);
    expect(await mirror(1, sigmoid()).predict(column, { as: "labels" })).toEqual([1, 0, 0]);
    expect(await (await trained(mirror(1), hinge(), one)).predict(column, { as: "labels" })).toEqual([1, -1, -1]);
    expect(await mirror(3, softmax()).predict(x, { as: "labels" })).toEqual([0, 1]);
    expect(await mirror(3).predict([[1, 1, 0]], { as: "labels" })).toEqual([0]);
  });

  test("are refused where there are none", async () => {
    const refused = { code: "ERR_STATE", where: "predict" };
    for (const loss of [binaryCrossEntropy(), mse(), hinge()]) {
      const model = await trained(mirror(3), loss);
      await expect(model.predict(x, { as: "labels" })).rejects.toMatchObject(refused);
    }
    const broken = mirror(3).setWeights(new Map([["linear1.weight", new Float32Array(9).fill(Number.NaN)]]));
    await expect(broken.predict(x, { as: "labels" })).rejects.toMatchObject({ code: "ERR_NON_FINITE" });
    expect(() => mirror(3).predictSync(x, { as: "label" as "labels" })).toThrow(
      expect.objectContaining({ code: "ERR_OPTION" }),
    );
  });
});

test("what outputs are is decided once for a description, not at every call", () => {
  const rows = ["rating", "click"].map((name) => ({ name, shape: [1], dtype: "f32" }) as const);
  const outputs = new RowOutputs({ outputs: rows });
  let asked = 0;
  const describing = (lossKind: string): Described => ({
    inputs: [],
    outputs: [
      {
        get lossKind() {
          asked += 1;
          return lossKind;
        },
        ...{ units: undefined, classNames: undefined, outputs: 1, ending: undefined },
      },
      { lossKind: "binaryCrossEntropy", units: undefined, classNames: undefined, outputs: 1, ending: undefined },
    ],
  });
  const takers = [
    labelTaker("predict", outputs),
    tensorTaker(outputs, (all) => normalizationsOf("predictProbabilities", all, "probabilities")),
  ];
  for (const take of takers) {
    const [values, others] = [describing("mse"), describing("binaryCrossEntropy")];
    expect(Object.keys(take(Float32Array.of(1, 2), 0, 1, values))).toEqual(["click"]);
    const once = asked;
    expect(Object.keys(take(Float32Array.of(1, 2), 0, 1, values))).toEqual(["click"]);
    expect(asked).toBe(once);
    expect(Object.keys(take(Float32Array.of(1, 2), 0, 1, others))).toEqual(["rating", "click"]);
  }
});
