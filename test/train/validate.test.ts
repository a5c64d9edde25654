// When validation is measured, and what checkpoints keep of metrics.
import {
  adam,
  type Callback,
  crossEntropy,
  defineMetric,
  dropout,
  type FitEvent,
  fit,
  linear,
  type Model,
  relu,
  sequential,
  type ValidationSchedule,
} from "carillon";
import { describe, expect, test } from "vitest";
import { bitsOf, clusters } from "./synthetic.js";

const DATA = clusters(60, 4, 3);
const OTHER = clusters(48, 4, 3, 2);
/** 4 steps an epoch. */
const OPTIONS = { data: DATA, loss: crossEntropy(), optimizer: adam({ lr: 0.01 }), batchSize: 16, seed: 2 } as const;

function network(): Model<4, 3> {
  return sequential(linear(4, 16), relu(), dropout(0.25), linear(16, 3));
}

describe("validate", () => {
  const told = async (validate: ValidationSchedule | undefined, steps: number): Promise<string[]> => {
    const events: FitEvent[] = [];
    for await (const event of fit(network(), { ...OPTIONS, steps, validation: OTHER, validate })) events.push(event);
    return events.slice(1, -1).map((event) => {
      const measured = event.kind === "epoch" && event.validation !== undefined ? " measured" : "";
      return `${event.kind} ${event.step}${measured}`;
    });
  };

  test.each<[ValidationSchedule | undefined, number, string[]]>([
    [undefined, 10, ["epoch 4 measured", "epoch 8 measured", "epoch 10 measured"]],
    [{ every: { epochs: 2 } }, 16, ["epoch 4", "epoch 8 measured", "epoch 12", "epoch 16 measured"]],
    [{ every: { epochs: 2 } }, 12, ["epoch 4", "epoch 8 measured", "epoch 12 measured"]],
    [{ every: { steps: 3 } }, 9, ["validation 3", "epoch 4", "validation 6", "epoch 8", "epoch 9 measured"]],
    [{ every: { steps: 2 } }, 8, ["validation 2", "epoch 4 measured", "validation 6", "epoch 8 measured"]],
    [{ every: { steps: 100 } }, 8, ["epoch 4", "epoch 8 measured"]],
  ])("%o, %i steps", async (validate, steps, expected) => {
    expect(await told(validate, steps)).toEqual(expected);
  });

  test("measures the weights of its step, and changes no bit of training", async () => {
    const model = network();
    const events: FitEvent[] = [];
    const validate = { every: { steps: 3 } };
    const options = { ...OPTIONS, steps: 7, validation: OTHER, metrics: ["accuracy"] as const };
    for await (const event of fit(model, { ...options, validate })) events.push(event);
    const measured = events.find(({ kind }) => kind === "validation");
    const cut = network();
    await fit(cut, { ...OPTIONS, steps: 3 });
    const { loss, metrics } = await cut.evaluate(OTHER, { loss: crossEntropy(), metrics: ["accuracy"] });
    expect(measured).toMatchObject({ kind: "validation", step: 3, epoch: 1, loss, metrics });
    expect(JSON.parse(JSON.stringify(events))).toEqual(events);
    const plain = network();
    await fit(plain, { ...OPTIONS, steps: 7 });
    expect(bitsOf(model)).toBe(bitsOf(plain));
  });

  test("a callback sees the last one, and when it was", async () => {
    const seen: unknown[] = [];
    const looking: Callback = {
      name: "looking",
      every: { steps: 1 },
      decide: ({ step, validation, validationStep }) => {
        seen.push([step, validationStep, validation !== undefined]);
      },
    };
    const options = { ...OPTIONS, steps: 5, validation: OTHER, validate: { every: { steps: 2 } } };
    await fit(network(), { ...options, callbacks: [looking] });
    expect(seen).toEqual([
      [1, undefined, false],
      [2, 2, true],
      [3, 2, true],
      [4, 4, true],
      [5, 5, true],
    ]);
  });

  test.each([
    [{ every: { steps: 0 } }, "fit.validate.every"],
    [{ every: { steps: 1, epochs: 1 } }, "fit.validate.every"],
    [{ every: {} }, "fit.validate.every"],
    [{}, "fit.validate.every"],
  ])("%o is refused", async (validate, where) => {
    const options = { ...OPTIONS, epochs: 1, validation: OTHER, validate: validate as { every: { steps: number } } };
    await expect(fit(network(), options)).rejects.toMatchObject({ name: "CarillonError", code: "ERR_OPTION", where });
  });

  test("needs a set", async () => {
    const run = fit(network(), { ...OPTIONS, epochs: 1, validate: { every: { steps: 1 } } });
    await expect(run).rejects.toMatchObject({ code: "ERR_OPTION", where: "fit.validate" });
  });
});

describe("a checkpoint in the middle of an epoch", () => {
  const rows = defineMetric({
    name: "rows",
    start: () => ({ seen: new Float32Array(1), list: [] as number[] }),
    add(state, { rows: count }) {
      state.seen[0] = (state.seen[0] ?? 0) + count;
      state.list.push(count);
      return state;
    },
    result: ({ seen, list }) => (seen[0] ?? 0) + list.length / 1000,
  });
  const metrics = ["accuracy", "auc", "f1", "confusionMatrix", rows] as const;

  test.each([1, 2, 3, 4, 5, 6])("after step %i keeps what the metrics have seen", async (cut) => {
    const options = { ...OPTIONS, metrics, validation: OTHER };
    const { history } = await fit(network(), { ...options, epochs: 2 });
    const { checkpoint } = await fit(network(), { ...options, steps: cut });
    const resumed = await fit(network(), { ...options, epochs: 2, resume: checkpoint() });
    expect(resumed.history).toHaveLength(2);
    for (const [index, event] of resumed.history.entries()) {
      const expected = history[index];
      expect(event.metrics).toEqual(expected?.metrics);
      expect(event.validation).toEqual(expected?.validation);
    }
    expect(history[0]?.metrics.rows).toBe(60.004);
  });

  test("a callback is told the figures of the epoch so far", async () => {
    const seen: (number | undefined)[] = [];
    const looking: Callback = {
      name: "looking",
      every: { steps: 1 },
      decide: ({ metrics: figures }) => {
        seen.push(figures.rows);
      },
    };
    await fit(network(), { ...OPTIONS, steps: 6, metrics: [rows], callbacks: [looking] });
    expect(seen).toEqual([16.001, 32.002, 48.003, 60.004, 16.001, 32.002]);
  });
});

test("metrics change no bit of training", async () => {
  const bare = network();
  await fit(bare, { ...OPTIONS, epochs: 3 });
  for (const accumulate of [1, 3]) {
    const measured = network();
    const metrics = ["accuracy", "auc", "confusionMatrix", "recall"] as const;
    await fit(measured, { ...OPTIONS, epochs: 3, metrics, validation: OTHER, accumulate });
    const plain = network();
    await fit(plain, { ...OPTIONS, epochs: 3, accumulate });
    expect(bitsOf(measured)).toBe(bitsOf(plain));
  }
  expect(bitsOf(bare)).toMatch(/^[0-9a-f]{64}$/);
});
