import { readFileSync } from "node:fs";
import {
  binaryCrossEntropy,
  cosineSimilarity,
  crossEntropy,
  hinge,
  huber,
  klDivergence,
  type Loss,
  mae,
  mse,
  ops,
  program,
  spec,
  type Tensor,
  tensor,
  valueAndGrad,
} from "carillon";
import { describe, expect, test } from "vitest";
import { computed, type LossCase } from "./loss_cases.js";

// Made by make_losses_fixture.py.
const { cases } = JSON.parse(readFileSync(new URL("fixtures/losses.json", import.meta.url), "utf8")) as {
  readonly cases: Readonly<Record<string, LossCase>>;
};

const LOSSES: Readonly<Record<string, Loss>> = {
  crossEntropy: crossEntropy(),
  "crossEntropy far": crossEntropy(),
  "crossEntropy smoothed": crossEntropy({ labelSmoothing: 0.1 }),
  "crossEntropy probabilities": crossEntropy({ target: "probabilities" }),
  "crossEntropy probabilities smoothed": crossEntropy({ target: "probabilities", labelSmoothing: 0.1 }),
  binaryCrossEntropy: binaryCrossEntropy(),
  "binaryCrossEntropy soft": binaryCrossEntropy(),
  "binaryCrossEntropy far": binaryCrossEntropy(),
  mse: mse(),
  mae: mae(),
  huber: huber(),
  "huber delta": huber({ delta: 2.5 }),
  hinge: hinge(),
  klDivergence: klDivergence(),
  cosineSimilarity: cosineSimilarity(),
};

const U = 2 ** -24;
/** Roundings on the way to one number: operations of the formula (functions of 2 ulp count 4) and of a sum over 7. */
const ROUNDINGS = 40;

describe("PyTorch in float64", () => {
  test("has every case, and every loss is a case", () => {
    expect(Object.keys(cases).sort()).toEqual(Object.keys(LOSSES).sort());
  });

  /*
   * A loss is made of terms of at most m = max(1, |x|)², x the outputs and targets of the row (|x|² occurs in mse alone);
   * its gradient of terms of at most that times the factor of the row. Each term is rounded at most ROUNDINGS times.
   */
  test.each(Object.entries(LOSSES))("%s", (name, loss) => {
    const one = cases[name];
    expect(one).toBeDefined();
    if (one === undefined) return;
    const { losses, gradient } = computed(loss, one);
    const rows = one.losses.length;
    const columns = one.output.length / rows;
    for (const [row, expected] of one.losses.entries()) {
      const values = one.output.slice(row * columns, (row + 1) * columns).map(Math.abs);
      const squared = name === "mse" ? 4 * Math.max(1, ...values) : 1;
      const size = Math.max(1, ...values) * squared;
      expect(Math.abs((losses[row] ?? Number.NaN) - expected), `row ${row}`).toBeLessThanOrEqual(ROUNDINGS * U * size);
      for (let column = 0; column < columns; column++) {
        const index = row * columns + column;
        const distance = Math.abs((gradient[index] ?? Number.NaN) - (one.gradient[index] ?? Number.NaN));
        expect(distance, `row ${row}, column ${column}`).toBeLessThanOrEqual(ROUNDINGS * U * squared * (row + 1));
      }
    }
  });
});

/** What every loss must do, whatever it computes. */
const KINDS: Readonly<Record<string, () => Loss>> = {
  crossEntropy: () => crossEntropy(),
  "crossEntropy probabilities": () => crossEntropy({ target: "probabilities" }),
  binaryCrossEntropy,
  mse,
  mae,
  huber: () => huber(),
  hinge,
  klDivergence,
  cosineSimilarity: () => cosineSimilarity(),
};

describe.each(Object.entries(KINDS))("%s", (_, make) => {
  const loss = make();
  const classes = loss.target === "classes";

  test("gives one number an example, in a program too", () => {
    const step = program({
      inputs: { x: spec(["batch", 3]), y: classes ? spec(["batch"], "i32") : spec(["batch", 3]) },
      maxBatch: 4,
      body: ({ x, y }) => ({ losses: loss(x, y) }),
    });
    const x = tensor([
      [1, 2, 3],
      [0.5, -1, 0.25],
    ]);
    const y = classes
      ? tensor(Int32Array.of(2, 0))
      : tensor([
          [1, 0, 0],
          [0.5, 0.25, 0.25],
        ]);
    const { losses } = step.runSync({ x, y });
    expect(losses.shape).toEqual([2]);
    expect(losses.data).toEqual((loss(x, y) as Tensor).data);
  });

  test("broadcasts nothing", () => {
    const output = tensor(new Float32Array(12), [4, 3]);
    for (const shape of [[4], [3], [1, 3], [4, 1], [3, 4], [12], [4, 3, 1], []]) {
      if (classes && shape[0] === 4 && shape.length === 1) continue;
      const target = classes
        ? tensor(new Int32Array(shape.reduce((a, b) => a * b, 1)), shape)
        : tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
      if (classes && target.data.length === 4) continue; // [4, 1] and [4] are one thing
      expect(() => loss(output, target), `[${shape}]`).toThrow(expect.objectContaining({ code: "ERR_SHAPE" }));
    }
  });

  test.runIf(!classes)("[batch] fits [batch, 1], and the other way round", () => {
    const column = tensor([[0.5], [2]]);
    const line = tensor([1, 0]);
    if (["crossEntropy", "klDivergence", "cosineSimilarity"].includes(loss.kind ?? "")) {
      // They compare several outputs.
      for (const output of [column, tensor([0.5, 2])]) expect(() => loss(output, line)).toThrow("at least two outputs");
      return;
    }
    expect((loss(column, line) as Tensor).data).toEqual((loss(column, tensor([[1], [0]])) as Tensor).data);
    expect((loss(tensor([0.5, 2]), tensor([[1], [0]])) as Tensor).data).toEqual((loss(column, line) as Tensor).data);
  });

  test("says what it is", () => {
    expect(loss.kind).toBe(make().kind);
    expect(["classes", "probabilities", "signs", "values"]).toContain(loss.target);
    expect(Object.isFrozen(loss)).toBe(true);
  });
});

/** The loss in the body of a program, behind an operation. */
function behind(loss: Loss, normalize: (x: Parameters<Loss>[0]) => Parameters<Loss>[0]): () => unknown {
  const y = loss.target === "classes" ? spec(["batch"], "i32") : spec(["batch", 3]);
  return () =>
    program({
      inputs: { x: spec(["batch", 3]), y },
      maxBatch: 2,
      body: ({ x, y: t }) => ({ l: loss(normalize(x), t) }),
    });
}

test("classification losses refuse outputs that were normalized already", () => {
  for (const loss of [crossEntropy(), crossEntropy({ target: "probabilities" }), klDivergence()]) {
    for (const normalize of [ops.softmax, ops.logSoftmax]) {
      const error = expect.objectContaining({ code: "ERR_OPTION", where: loss.kind });
      expect(behind(loss, normalize)).toThrow(error);
      expect(behind(loss, (x) => ops.reshape(normalize(x), ["batch", 3]))).toThrow(error);
    }
    expect(behind(loss, ops.tanh)).not.toThrow();
  }
  expect(behind(binaryCrossEntropy(), ops.sigmoid)).toThrow(
    expect.objectContaining({ code: "ERR_OPTION", where: "binaryCrossEntropy" }),
  );
});

describe("where digits are lost elsewhere", () => {
  test("binary cross-entropy of a sure, right answer is e^(−|x|), not 0", () => {
    const { data } = binaryCrossEntropy()(tensor([[20], [-20]]), tensor([[1], [0]])) as Tensor;
    const expected = Math.log1p(Math.exp(-20));
    for (const value of data) expect(Math.abs(value / expected - 1)).toBeLessThan(8 * U);
  });

  test("and its gradient is −σ(−x), not 0", () => {
    const t = tensor([[1]]);
    const [, [gradient]] = valueAndGrad((x) => ops.sum(binaryCrossEntropy()(x ?? t, t)))(tensor([[20]]));
    expect(Math.abs((gradient.data[0] ?? 0) / -Math.exp(-20) - 1)).toBeLessThan(16 * U);
  });

  test("0·ln 0 is 0", () => {
    const same = tensor([[0, 1, 0]]);
    const [value] = (klDivergence()(tensor([[-500, 500, -500]]), same) as Tensor).data;
    expect(value).toBe(0);
  });

  test("the divergence from itself is 0, and no other is", () => {
    const p = [0.5, 0.25, 0.125, 0.125];
    const [value = 1] = (klDivergence()(tensor([p.map(Math.log)]), tensor([p])) as Tensor).data;
    expect(Math.abs(value)).toBeLessThan(ROUNDINGS * U);
    expect((klDivergence()(tensor([[0, 0, 0, 0]]), tensor([p])) as Tensor).data[0]).toBeGreaterThan(0.1);
  });

  test("a zero vector has a cosine distance of 1 and a finite gradient", () => {
    const zero = tensor([[0, 0]]);
    const t = tensor([[3, 4]]);
    const [value, [gradient]] = valueAndGrad((x) => ops.sum(cosineSimilarity()(x ?? zero, t)))(zero);
    expect((value as Tensor).data[0]).toBe(1);
    // −t/(ε·‖t‖)
    expect([...gradient.data].map((g) => Math.round(g / 1e6))).toEqual([-60, -80]);
  });

  test("mae at its kink, hinge at its margin: no gradient", () => {
    const t = tensor([[1, -1]]);
    for (const loss of [mae(), hinge()]) {
      const [, [gradient]] = valueAndGrad((x) => ops.sum(loss(x ?? t, t)))(tensor([[1, -1]]));
      expect([...gradient.data].map(Math.abs)).toEqual([0, 0]);
    }
  });
});

test.each<[string, () => unknown, string, string]>([
  ["labelSmoothing 1", () => crossEntropy({ labelSmoothing: 1 }), "ERR_OPTION", "crossEntropy.labelSmoothing"],
  ["labelSmoothing −1", () => crossEntropy({ labelSmoothing: -1 }), "ERR_OPTION", "crossEntropy.labelSmoothing"],
  ["target", () => crossEntropy({ target: "labels" as never }), "ERR_OPTION", "crossEntropy.target"],
  ["smoothing", () => crossEntropy({ smoothing: 0 } as never), "ERR_UNKNOWN_OPTION", "crossEntropy.smoothing"],
  ["delta 0", () => huber({ delta: 0 }), "ERR_OPTION", "huber.delta"],
  ["delta", () => huber(1 as never), "ERR_OPTION", "huber"],
  ["epsilon 0", () => cosineSimilarity({ epsilon: 0 }), "ERR_OPTION", "cosineSimilarity.epsilon"],
])("refuses %s", (_, make, code, where) => {
  expect(make).toThrow(expect.objectContaining({ code, where }));
});
