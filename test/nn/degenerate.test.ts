// What could never learn is refused at the start, and what was not called is told so.
import {
  adam,
  binaryCrossEntropy,
  CarillonError,
  cosineDecay,
  cosineSimilarity,
  crossEntropy,
  earlyStopping,
  exponentialDecay,
  fit,
  hinge,
  huber,
  klDivergence,
  type Loss,
  l2,
  linear,
  logSoftmax,
  type Model,
  mse,
  oneCycle,
  ops,
  partition,
  relu,
  sequential,
  sgd,
  sigmoid,
  softmax,
  standardize,
  tensor,
  topK,
  xavierUniform,
} from "carillon";
import { describe, expect, test } from "vitest";

const x = [[0], [1], [2], [3]];
const y = [0, 0, 1, 1];
const rest = { optimizer: sgd({ lr: 0.1 }), epochs: 1 };

async function refusalOf(work: () => unknown): Promise<CarillonError> {
  const error = await Promise.resolve()
    .then(work)
    .then(
      () => undefined,
      (reason: unknown) => reason,
    );
  if (error instanceof CarillonError) return error;
  throw new Error(`expected a refusal but received ${String(error)}`);
}

describe("a loss that is the same for every output", () => {
  test.each<[string, Loss, unknown, string]>([
    ["cross-entropy of labels", crossEntropy(), y, "binaryCrossEntropy()"],
    ["of labels that are all 0", crossEntropy(), [0, 0, 0, 0], "binaryCrossEntropy()"],
    ["of probabilities", crossEntropy({ target: "probabilities" }), y, "binaryCrossEntropy()"],
    ["a divergence", klDivergence(), y, "binaryCrossEntropy()"],
    ["a cosine", cosineSimilarity(), y, "mse()"],
  ])("%s over one output", async (_, loss, labels, instead) => {
    const data = { x, y: labels as readonly number[] };
    const model = sequential(linear(1, 1)).initialize(1);
    for (const work of [() => fit(model, { ...rest, data, loss }), () => model.evaluate(data, { loss })]) {
      const error = await refusalOf(work);
      expect(error.code).toBe("ERR_SHAPE");
      expect(error.message).toContain("expected at least two outputs");
      expect(error.message).toContain(instead);
    }
    const target = loss.target === "classes" ? tensor(Int32Array.of(0, 0)) : tensor([[1], [0]]);
    expect(() => loss(tensor([[1], [2]]), target)).toThrow("expected at least two outputs");
  });

  test.each([softmax, logSoftmax])("a layer of %o over one feature", async (make) => {
    const model = sequential(linear(1, 1), make());
    const error = await refusalOf(() => fit(model, { ...rest, data: { x, y }, loss: mse() }));
    expect([error.code, error.where]).toEqual(["ERR_SHAPE", make().kind]);
    expect(error.message).toContain("sigmoid()");
  });

  test.each([crossEntropy(), klDivergence(), crossEntropy({ target: "probabilities" })])(
    "classes behind sigmoids are no logits: %#",
    async (loss) => {
      const data = { x, y: loss.target === "classes" ? y : y.map((one) => [one, 1 - one]) };
      const error = await refusalOf(() => fit(sequential(linear(1, 2), sigmoid()), { ...rest, data, loss }));
      expect(error.code).toBe("ERR_OPTION");
      expect(error.message).toContain("ends in a sigmoid");
    },
  );
});

test.each<[unknown, string]>([
  [[0, 1, 1, 0], "expected -1 or 1 in row 0, column 0 for 'fit.data.y' but received 0"],
  [[[1], [-1], [0.5], [1]], "expected -1 or 1 in row 2, column 0 for 'fit.data.y' but received 0.5"],
])("hinge of labels that are no signs: %o", async (labels, message) => {
  const data = { x, y: labels as readonly number[] };
  const error = await refusalOf(() => fit(sequential(linear(1, 1)), { ...rest, data, loss: hinge() }));
  expect([error.code, error.message]).toEqual(["ERR_LABEL", message]);
  await expect(sequential(linear(1, 1)).evaluate(data, { loss: hinge() })).rejects.toMatchObject({ code: "ERR_LABEL" });
  await fit(sequential(linear(1, 1)), { ...rest, data: { x, y: [-1, 1, 1, -1] }, loss: hinge() });
});

describe("what makes a thing, in the place of the thing", () => {
  const model = (): Model => sequential(linear(1, 2));
  const good = { ...rest, data: { x, y }, loss: crossEntropy() };
  const not = (value: unknown): never => value as never;
  const withRate = (lr: unknown) => fit(model(), { ...good, optimizer: sgd({ lr: not(lr) }) });

  test.each<[string, () => unknown]>([
    ["crossEntropy", () => fit(model(), { ...good, loss: not(crossEntropy) })],
    ["binaryCrossEntropy", () => fit(model(), { ...good, loss: not(binaryCrossEntropy) })],
    ["huber", () => model().evaluate({ x, y }, { loss: not(huber) })],
    ["adam", () => fit(model(), { ...good, optimizer: not(adam) })],
    ["adam", () => partition([["*", not(adam)]])],
    ["cosineDecay", () => withRate(cosineDecay)],
    ["oneCycle", () => withRate(oneCycle)],
    ["exponentialDecay", () => withRate(exponentialDecay)],
    ["topK", () => fit(model(), { ...good, metrics: [not(topK)] })],
    ["relu", () => sequential(linear(1, 2), not(relu))],
    ["linear", () => sequential(not(linear))],
    ["l2", () => fit(model(), { ...good, regularizer: not(l2) })],
    ["l2", () => linear(1, 2, { regularizer: not(l2) })],
    ["xavierUniform", () => linear(1, 2, { init: not(xavierUniform) })],
    ["standardize", () => fit(model(), { ...good, inputs: not(standardize) })],
    ["earlyStopping", () => fit(model(), { ...good, callbacks: [not(earlyStopping)] })],
  ])("%s", async (name, work) => {
    const error = await refusalOf(work);
    expect(error.code).toBe("ERR_OPTION");
    expect(error.message).toContain(`received function ${name}, which was not called`);
  });

  test("a loss of one's own that gives a function", async () => {
    const focal = () => () => ops.mean(tensor([[1]]));
    const data = { x, y: y.map((one) => [one, 1 - one]) };
    const error = await refusalOf(() => fit(model(), { ...good, data, loss: not(focal) }));
    expect([error.code, error.message.includes("a function")]).toEqual(["ERR_SHAPE", true]);
  });
});
