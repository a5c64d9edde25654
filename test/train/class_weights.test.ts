import { binaryCrossEntropy, crossEntropy, fit, linear, mse, sequential, sgd } from "carillon";
import { describe, expect, test } from "vitest";

const x = [
  [1, 0],
  [0, 1],
  [1, 1],
  [0.5, -1],
  [-1, 0.25],
  [0, -1],
];
const y = [0, 0, 0, 0, 1, 1];
const shared = { loss: crossEntropy(), optimizer: sgd({ lr: 0.1 }), steps: 3, batchSize: 6, shuffle: false, seed: 4 };
const make = (classes = 2) => sequential(linear(2, classes)).initialize(1);

async function trained(options: object, classes = 2): Promise<readonly number[]> {
  const model = make(classes);
  await fit(model, { data: { x, y }, ...shared, ...options });
  return [...model.weights().values()].flatMap(({ data }) => [...data]);
}

describe("class weights", () => {
  test("multiply the weights of examples", async () => {
    const byHand = await trained({ data: { x, y, weight: [2, 2, 2, 2, 3, 3] } });
    expect(await trained({ classWeights: [2, 3] })).toEqual(byHand);
    const weight = [1, 2, 3, 4, 5, 6];
    const both = await trained({ data: { x, y, weight: [2, 4, 6, 8, 15, 18] } });
    expect(await trained({ data: { x, y, weight }, classWeights: [2, 3] })).toEqual(both);
    expect(await trained({})).not.toEqual(byHand);
  });

  test("balanced is n/(classes·count)", async () => {
    expect(await trained({ classWeights: "balanced" })).toEqual(await trained({ classWeights: [6 / 8, 6 / 4] }));
  });

  test("a class that does not occur makes no NaN", async () => {
    const weights = await trained({ classWeights: "balanced" }, 3);
    expect(weights.every(Number.isFinite)).toBe(true);
    expect(weights).toEqual(await trained({ classWeights: [6 / 12, 6 / 6, 7] }, 3));
  });

  test("do not touch the figures of validation", async () => {
    const options = { data: { x, y }, ...shared, optimizer: sgd({ lr: 0 }), validation: { x, y } };
    const plain = await fit(make(), options);
    const weighted = await fit(make(), { ...options, classWeights: [1, 10] });
    expect(weighted.history[0]?.validation.loss).toBe(plain.history[0]?.validation.loss);
    expect(weighted.history[0]?.dataLoss).not.toBe(plain.history[0]?.dataLoss);
  });

  test.each<[unknown, string, string]>([
    [[1], "ERR_OPTION", "fit.classWeights"],
    [[1, 2, 3], "ERR_OPTION", "fit.classWeights"],
    ["Balanced", "ERR_OPTION", "fit.classWeights"],
    [{ 0: 1 }, "ERR_OPTION", "fit.classWeights"],
    [[1, -1], "ERR_OPTION", "fit.classWeights[1]"],
    [[Number.NaN, 1], "ERR_OPTION", "fit.classWeights[0]"],
    [[0, 0], "ERR_DATA", "fit.data.weight"],
  ])("refuses %o", async (classWeights, code, where) => {
    await expect(trained({ classWeights })).rejects.toThrow(expect.objectContaining({ code, where }));
  });

  test("need integer labels", async () => {
    for (const loss of [mse(), binaryCrossEntropy(), crossEntropy({ target: "probabilities" })]) {
      const options = { data: { x, y: x }, loss, classWeights: "balanced" };
      await expect(trained(options)).rejects.toThrow(expect.objectContaining({ where: "fit.classWeights" }));
    }
  });
});

describe("targets that are probabilities", () => {
  test("train", async () => {
    for (const loss of [binaryCrossEntropy(), crossEntropy({ target: "probabilities", labelSmoothing: 0.1 })]) {
      const targets = y.map((label) => (label === 0 ? [1, 0] : [0.25, 0.75]));
      const options = { data: { x, y: targets }, loss, optimizer: sgd({ lr: 0.5 }), epochs: 60, seed: 1 };
      const { history } = await fit(make(), options);
      expect(history.at(-1)?.loss).toBeLessThan(history[0]?.loss ?? 0);
    }
  });

  test("one number a row where there is one output", async () => {
    const model = sequential(linear(2, 1));
    const { history } = await fit(model, { ...shared, data: { x, y }, loss: binaryCrossEntropy(), steps: 100 });
    expect(history.at(-1)?.loss).toBeLessThan(history[0]?.loss ?? 0);
  });

  test.each([[1.5], [-0.25], [2]])("outside of [0, 1] they are refused with their place: %o", async (value) => {
    const data = { x, y: x.map((_, row) => (row === 3 ? [0, value] : [1, 0])) };
    await expect(trained({ data, loss: binaryCrossEntropy() })).rejects.toThrow(
      expect.objectContaining({
        code: "ERR_LABEL",
        where: "fit.data.y",
        message: expect.stringContaining("row 3, column 1"),
      }),
    );
  });
});
