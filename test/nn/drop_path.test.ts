// Stochastic depth: blocks that are left out of examples, one draw each.
import {
  type AnyModel,
  fit,
  linear,
  loadModel,
  mse,
  network,
  ops,
  residual,
  sequential,
  sgd,
  spec,
  tensor,
} from "carillon";
import { describe, expect, test } from "vitest";
import { chooseRows } from "../../lib/ops/elementwise.js";

const bitsOf = (model: AnyModel): string =>
  [...model.weights()]
    .map(([name, { data }]) => `${name} ${[...new Uint32Array(data.buffer, data.byteOffset, data.length)]}`)
    .join();

const ROWS = 400;
const x = Array.from({ length: ROWS }, (_, row) => [1 + (row % 5), 2 - (row % 3)]);

/** Learns which examples had their block: the outputs of a step, as a loss of one's own sees them. */
async function outputsOf(rate: number, seed: number, steps = 1): Promise<Float32Array> {
  const model = sequential(residual({ dropPath: rate }, linear(2, 2, { init: 0.5, bias: false })));
  const seen: number[] = [];
  await fit(model, {
    data: { x, y: x },
    loss: mse(),
    optimizer: sgd({ lr: 0 }),
    metrics: [
      {
        name: "seen",
        begin: () => ({
          add: ({ outputs }: { readonly outputs: ArrayLike<number> }) => seen.push(...Array.from(outputs)),
          result: () => 0,
          state: () => null,
          restore: () => undefined,
        }),
      } as never,
    ],
    ...{ steps, batchSize: ROWS, shuffle: false, seed },
  });
  return Float32Array.from(seen);
}

describe("residual({ dropPath })", () => {
  test("leaves the block of an example out as a whole, with its probability, and divides the others", async () => {
    const rate = 0.25;
    const outputs = await outputsOf(rate, 3);
    let left = 0;
    for (const [row, [a = 0, b = 0]] of x.entries()) {
      const block = Math.fround(Math.fround(0.5 * (a + b)) * Math.fround(1 / (1 - rate)));
      const isOut = outputs[2 * row] === a;
      if (isOut) left += 1;
      const added = isOut ? 0 : block;
      if (a + b !== 0)
        expect([outputs[2 * row], outputs[2 * row + 1]]).toEqual([Math.fround(a + added), Math.fround(b + added)]);
    }
    // 400 draws with 0.25: 100 ± 8.7, within 5 deviations.
    expect(Math.abs(left - 100)).toBeLessThan(44);
    expect(await outputsOf(rate, 3)).toEqual(outputs);
    expect(await outputsOf(rate, 4)).not.toEqual(outputs);
  });

  test("draws anew in each step, and nothing at inference", async () => {
    const two = await outputsOf(0.5, 1, 2);
    expect(two.subarray(0, 2 * ROWS)).not.toEqual(two.subarray(2 * ROWS));
    const model = sequential(residual({ dropPath: 0.5 }, linear(2, 2, { init: 0.5, bias: false }))).initialize(1);
    expect([...(await model.predict([[1, 2]])).data]).toEqual([2.5, 3.5]);
    const loaded = await loadModel(model.bytes());
    expect(bitsOf(loaded)).toBe(bitsOf(model));
  });

  test("what is left out has no gradient, even where it overflows", () => {
    const y = tensor([[Number.POSITIVE_INFINITY], [3]]);
    expect([...(chooseRows(y, tensor([[0], [2]])) as ReturnType<typeof tensor>).data]).toEqual([0, 3]);
  });

  test("of sequences, images, threads and parts of a batch: the same bits", async () => {
    const run = async (threads: number, accumulate: number): Promise<string> => {
      const model = network({
        inputs: { steps: spec(["batch", 3, 2]) },
        layers: { block: residual({ dropPath: 0.3 }, linear(2, 2)), head: linear(6, 1) },
        forward: ({ steps }, { block, head }) => head(ops.reshape(block(steps), ["batch", 6])),
      });
      const steps = x.map(([a = 0, b = 0]) => [
        [a, b],
        [b, a],
        [1, b],
      ]);
      await fit(model, {
        data: { x: { steps }, y: x.map(([a = 0]) => a) },
        loss: mse(),
        optimizer: sgd({ lr: 0.01 }),
        ...{ epochs: 2, batchSize: 40, seed: 2, threads, accumulate },
      });
      return bitsOf(model);
    };
    expect(await run(2, 1)).toBe(await run(1, 1));
    expect(await run(2, 4)).toBe(await run(1, 4));
  });

  test.each([1, -0.1, "0.5"])("refuses %s", (dropPath) => {
    expect(() => residual({ dropPath: dropPath as never }, linear(2, 2))).toThrow(
      expect.objectContaining({ code: "ERR_OPTION", where: "residual.dropPath" }),
    );
  });
});
