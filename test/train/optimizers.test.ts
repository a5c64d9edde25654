// Every optimizer through fit, on a parabola: loss ((θ − 3)²)/1 of one weight, x = 1 and y = 3.
import {
  adam,
  type Callback,
  fit,
  linear,
  type Model,
  mse,
  type Optimizer,
  sequential,
  sgd,
  sgdMomentum,
} from "carillon";
import { describe, expect, test } from "vitest";
import { weightsOf } from "./synthetic.js";

const TARGET = 3;

function point(): Model<1, 1> {
  return sequential(linear(1, 1, { init: 0, bias: false }));
}

/** θ after each step; ∂/∂θ (θ − 3)² = 2(θ − 3). */
async function path(optimizer: Optimizer, steps: number): Promise<number[]> {
  const model = point();
  const places: number[] = [];
  const noting: Callback = {
    name: "noting",
    every: { steps: 1 },
    decide() {
      places.push(weightsOf(model, "linear1.weight")[0] ?? Number.NaN);
    },
  };
  await fit(model, { data: { x: [[1]], y: [TARGET] }, loss: mse(), optimizer, steps, callbacks: [noting] });
  return places;
}

test.each<[string, Optimizer, number]>([
  ["sgd", sgd({ lr: 0.1 }), 200],
  ["sgd with momentum", sgd({ lr: 0.05, momentum: 0.9 }), 400],
  ["sgd with dampening", sgd({ lr: 0.1, momentum: 0.9, dampening: 0.9 }), 400],
  ["sgd with Nesterov's momentum", sgd({ lr: 0.05, momentum: 0.9, nesterov: true }), 400],
  ["sgd with a schedule", sgd({ lr: ({ step }) => 1 / (step + 1) }), 200],
  ["sgdMomentum", sgdMomentum({ lr: 0.1 }), 400],
  ["adam", adam({ lr: 0.1 }), 1000],
  ["adam, epsilon inside", adam({ lr: 0.1, epsilon: { value: 1e-8, placement: "inside" } }), 1000],
])("%s converges", async (_, optimizer, steps) => {
  expect(Math.abs(((await path(optimizer, steps)).at(-1) ?? 0) - TARGET)).toBeLessThan(1e-3);
});

// Exact in float32: powers of two and small integers.
test("sgd steps down the gradient", async () => {
  expect(await path(sgd({ lr: 0.25 }), 3)).toEqual([1.5, 2.25, 2.625]);
});

test("the averaging form starts slowly, the accumulating one does not", async () => {
  // V = ½V + ½g: g = −6 gives V = −3, θ = 0.75; g = −4.5 gives V = −3.75, θ = 1.6875.
  expect(await path(sgdMomentum({ lr: 0.25, beta: 0.5 }), 2)).toEqual([0.75, 1.6875]);
  // V₁ = g₁ = −6, θ = 1.5; g = −3, V = −3 − 3 = −6, θ = 3.
  expect(await path(sgd({ lr: 0.25, momentum: 0.5 }), 2)).toEqual([1.5, 3]);
  // V₁ = g₁ in spite of the dampening; then V = −3 + ½·(−3) = −4.5, θ = 2.625.
  expect(await path(sgd({ lr: 0.25, momentum: 0.5, dampening: 0.5 }), 2)).toEqual([1.5, 2.625]);
  // θ −= ¼(g + ½V): V = −6, g + ½V = −9, θ = 2.25; g = −1.5, V = −4.5, g + ½V = −3.75, θ = 3.1875.
  expect(await path(sgd({ lr: 0.25, momentum: 0.5, nesterov: true }), 2)).toEqual([2.25, 3.1875]);
});

describe("adam", () => {
  test("its first step has the length of the rate: the averages are corrected for their start at 0", async () => {
    // V̂ = g and Ŝ = g², so that the step is η·g/(|g| + ε): within 4 roundings of η.
    for (const lr of [0.5, 0.001]) {
      const [first = 0] = await path(adam({ lr }), 1);
      expect(Math.abs(first / lr - 1)).toBeLessThan(4 * 2 ** -24 + 1e-8 / 6);
    }
  });

  test("without averaging it goes by the sign of the gradient", async () => {
    const places = await path(adam({ lr: 0.25, beta1: 0, beta2: 0 }), 4);
    for (const [index, place] of places.entries()) expect(Math.abs(place - 0.25 * (index + 1))).toBeLessThan(1e-6);
  });

  test("a gradient of 0 moves nothing and is not NaN", async () => {
    const model = sequential(linear(2, 1, { init: 0.5, bias: false }));
    const data = { x: [[1, 0]], y: [2] };
    await fit(model, { data, loss: mse(), optimizer: adam({ lr: 0.1 }), steps: 20 });
    const [used = 0, unused = 0] = weightsOf(model, "linear1.weight");
    expect(unused).toBe(0.5);
    expect(used).toBeGreaterThan(1);
  });
});

test("one description serves two runs: it holds no state", async () => {
  const optimizer = sgd({ lr: 0.1, momentum: 0.9 });
  expect(await path(optimizer, 5)).toEqual(await path(optimizer, 5));
});

test("a second fit starts its states anew", async () => {
  const model = point();
  const optimizer = sgd({ lr: 0.25, momentum: 0.5 });
  const options = { data: { x: [[1]], y: [TARGET] }, loss: mse(), optimizer, steps: 1 };
  await fit(model, options);
  await fit(model, options);
  // θ = 1.5, then V = g = −3 alone.
  expect(weightsOf(model, "linear1.weight")).toEqual([2.25]);
});
