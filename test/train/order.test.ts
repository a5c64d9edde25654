// Every epoch sees every example once, in an order of its own that only the seed decides.
import { type Callback, fit, linear, type Model, mse, sequential, sgd } from "carillon";
import { expect, test } from "vitest";

const ROWS = 23;
/** Row i has x = i and y = 0, so that the loss of a step of one row, i², tells the row. */
const DATA = {
  x: Float32Array.from({ length: ROWS }, (_, row) => row),
  y: new Float32Array(ROWS),
};

/** y = x, and it stays so. */
function identity(): Model<1, 1> {
  return sequential(linear(1, 1, { init: 1, bias: false }));
}

/** The rows of each epoch, in the order in which a run saw them. */
async function ordersOf(
  options: { readonly seed?: number; readonly shuffle?: boolean; readonly resume?: Uint8Array },
  epochs: number,
  stopAt?: number,
): Promise<{ readonly orders: number[][]; readonly checkpoint: Uint8Array }> {
  const orders: number[][] = [];
  let before = 0;
  const looking: Callback = {
    name: "looking",
    every: { steps: 1 },
    decide(at) {
      const place = (at.step - 1) % ROWS;
      const sum = Math.round(at.dataLoss * (place + 1));
      if (place === 0 || orders.length === 0) orders.push([]);
      orders.at(-1)?.push(Math.round(Math.sqrt(sum - (place === 0 ? 0 : before))));
      before = sum;
      if (at.step === stopAt) at.stop();
    },
    state: () => before,
    restore(state) {
      before = Number(state);
    },
  };
  const run = fit(identity(), {
    data: DATA,
    loss: mse(),
    optimizer: sgd({ lr: 0 }),
    batchSize: 1,
    epochs,
    callbacks: [looking],
    ...options,
  });
  return { orders, checkpoint: (await run).checkpoint() };
}

const ALL = Array.from({ length: ROWS }, (_, row) => row);

test("without shuffling it is the order of the data", async () => {
  const { orders } = await ordersOf({ shuffle: false }, 2);
  expect(orders).toEqual([ALL, ALL]);
});

test("every epoch is a permutation of its own", async () => {
  const { orders } = await ordersOf({ seed: 1 }, 6);
  expect(orders).toHaveLength(6);
  for (const order of orders) expect([...order].sort((a, b) => a - b)).toEqual(ALL);
  expect(new Set([ALL, ...orders].map(String)).size).toBe(7);
});

test("it is the seed's, and the default is to shuffle with seed 0", async () => {
  const { orders } = await ordersOf({ seed: 5 }, 2);
  expect((await ordersOf({ seed: 5 }, 2)).orders).toEqual(orders);
  expect((await ordersOf({ seed: 6 }, 2)).orders).not.toEqual(orders);
  expect((await ordersOf({}, 2)).orders).toEqual((await ordersOf({ seed: 0, shuffle: true }, 2)).orders);
});

test("a resume goes on in the same order, in an epoch and between two", async () => {
  const { orders } = await ordersOf({ seed: 9 }, 3);
  for (const cut of [1, 10, ROWS - 1, ROWS, ROWS + 1, 2 * ROWS + 5]) {
    const first = await ordersOf({ seed: 9 }, 3, cut);
    const second = await ordersOf({ seed: 9, resume: first.checkpoint }, 3);
    expect([...first.orders.flat(), ...second.orders.flat()]).toEqual(orders.flat());
  }
});
