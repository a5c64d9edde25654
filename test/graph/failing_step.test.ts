// What a step leaves that fails in front of an update, and behind one.
import { crossEntropy, linear, minimizer, ops, program, sequential, sgd, spec, type Value } from "carillon";
import { describe, expect, test } from "vitest";

function trainer(failsBehind: boolean) {
  const model = sequential(linear(2, 3)).initialize(1);
  const rule = minimizer(model, sgd({ lr: 1 }));
  const step = program({
    maxBatch: 2,
    inputs: { x: spec(["batch", 2]), y: spec(["batch"], "i32") },
    body({ x, y }) {
      const labelled = (): Value => ops.mean(crossEntropy()(model.forward(x), y));
      const inFront = failsBehind ? undefined : labelled();
      rule.minimize(ops.mean(ops.multiply(model.forward(x), model.forward(x))));
      return { loss: inFront ?? labelled() };
    },
  });
  const weights = () => [...model.weights().values()].flatMap(({ data }) => [...data]);
  return { rule, step, weights };
}

const good = {
  x: [
    [1, 2],
    [3, 4],
  ],
  y: [0, 1],
};
const bad = { ...good, y: [0, 7] };

describe.each([false, true])("a label out of range, behind an update: %s", (behind) => {
  test("run and runSync", async () => {
    const { rule, step, weights } = trainer(behind);
    await step.run(good);
    const before = weights();
    expect(() => step.runSync(bad)).toThrow(expect.objectContaining({ code: "ERR_LABEL" }));
    await expect(step.run(bad)).rejects.toMatchObject({ code: "ERR_LABEL" });
    expect(step.step).toBe(1);
    expect(rule.counts).toEqual({ steps: 1, updates: 1 });
    if (behind) expect(weights()).not.toEqual(before);
    else expect(weights()).toEqual(before);
  });
});
