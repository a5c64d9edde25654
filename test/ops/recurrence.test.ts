import { expect, test } from "vitest";
import { grad } from "../../lib/graph/grad.js";
import * as ops from "../../lib/ops/index.js";
import { recurrence } from "../../lib/ops/recurrence.js";
import { tensor } from "../../lib/tensor/tensor.js";
import type { Value } from "../../lib/tensor/value.js";

test("the gradient of its gradient is refused by a sentence", () => {
  const form = { cell: "rnn_tanh", reverse: false, updateFirst: false, where: "rnn" } as const;
  const weights = {
    weight: tensor([[0.5], [1]]),
    recurrent: tensor([
      [0.5, 0],
      [0, 0.5],
    ]),
  };
  const loss = (x: Value): Value => ops.sum(recurrence({ x, ...weights }, form).y);
  const first = grad(loss);
  expect(first(tensor([[[1], [2]]]))[0]?.shape).toEqual([1, 2, 1]);
  const second = grad((x) => ops.sum(ops.square(first(x)[0] ?? x)));
  expect(() => second(tensor([[[1], [2]]]))).toThrow("the gradient of a recurrence has no gradient of its own");
});
