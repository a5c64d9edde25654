// States of callbacks and metrics in the checkpoints of a run: given back as they were, or refused by name.
import {
  adam,
  type Callback,
  crossEntropy,
  defineMetric,
  fit,
  linear,
  type Model,
  type State,
  sequential,
} from "carillon";
import { expect, test } from "vitest";
import { clusters } from "./synthetic.js";

/** Four steps an epoch. */
const BASE = { data: clusters(50, 6, 3), loss: crossEntropy(), optimizer: adam(), batchSize: 16, seed: 5 } as const;

const network = (): Model => sequential(linear(6, 3));

function keeping(state: () => State, restore: (state: State) => void = () => undefined): Callback {
  return { name: "keeping", decide: () => undefined, state, restore };
}

test("a callback gets back what it gave, kind by kind", async () => {
  const state = {
    sums: Float64Array.of(0.1, -0),
    seen: new Map<State, State>([[3, { at: new Date(5) }]]),
    names: new Set(["a"]),
    count: 2n ** 70n,
    last: undefined,
    codes: Uint16Array.of(65535),
  };
  const given: State[] = [];
  const { checkpoint } = await fit(network(), { ...BASE, steps: 2, callbacks: [keeping(() => state)] });
  const callbacks = [
    keeping(
      () => state,
      (back) => given.push(back),
    ),
  ];
  const again = await fit(network(), { ...BASE, steps: 2, callbacks, resume: checkpoint() });
  expect(given).toStrictEqual([state]);
  expect(Buffer.from(again.checkpoint()).equals(checkpoint())).toBe(true);
});

test("a metric goes on in the middle of an epoch, whatever it counts in", async () => {
  const classes = defineMetric({
    name: "classes",
    start: () => ({
      counts: new Map<number, bigint>(),
      sum: new Float64Array(1),
      first: undefined as Date | undefined,
    }),
    add(state, { targets }) {
      for (const target of targets) state.counts.set(target, (state.counts.get(target) ?? 0n) + 1n);
      state.sum[0] = (state.sum[0] ?? 0) + 0.1 * targets.length;
      return { ...state, first: state.first ?? new Date(7) };
    },
    result: ({ counts, sum, first }) =>
      [...counts].reduce((total, [, count]) => total + Number(count * count), 0) + (sum[0] ?? 0) + Number(first),
  });
  const options = { ...BASE, metrics: [classes] } as const;
  const whole = await fit(network(), { ...options, epochs: 2 });
  const cut = await fit(network(), { ...options, steps: 6 });
  const rest = await fit(network(), { ...options, epochs: 2, resume: cut.checkpoint() });
  expect(rest.history.at(-1)?.metrics).toEqual(whole.history.at(-1)?.metrics);
});

class Mean {
  sum = 0;
}

test.each<[string, () => unknown, string]>([
  ["an instance of a class", () => ({ mean: new Mean() }), "checkpoint.callbacks.keeping.mean"],
  ["a function", () => [1, () => 2], "checkpoint.callbacks.keeping[1]"],
  ["a promise, as async gives", async () => 1, "checkpoint.callbacks.keeping"],
])("%s is refused where the checkpoint is made", async (_, state, where) => {
  const callbacks = [keeping(state as () => State)];
  const { checkpoint } = await fit(network(), { ...BASE, steps: 2, callbacks });
  expect(checkpoint).toThrow(expect.objectContaining({ name: "CarillonError", code: "ERR_STATE", where }));
  const asking: Callback = { name: "asking", decide: (at) => expect(at.checkpoint()).toBeUndefined() };
  const run = fit(network(), { ...BASE, epochs: 1, callbacks: [...callbacks, asking] });
  await expect(run).rejects.toMatchObject({ code: "ERR_STATE", where });
});

test("a metric with a state that cannot be kept is named", async () => {
  const odd = defineMetric({
    name: "odd",
    start: () => ({ mean: new Mean() }) as unknown as { readonly mean: number },
    add: (state) => state,
    result: () => 0,
  });
  const { checkpoint } = await fit(network(), { ...BASE, steps: 2, metrics: [odd] });
  expect(checkpoint).toThrow(expect.objectContaining({ code: "ERR_STATE", where: "checkpoint.metrics.odd.mean" }));
});
