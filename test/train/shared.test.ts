// What two runs are given at once: its state belongs to the run, or the second one is refused.
import {
  adam,
  type Callback,
  crossEntropy,
  dataset,
  defineMetric,
  earlyStopping,
  fit,
  kFold,
  linear,
  type Model,
  reduceOnPlateau,
  relu,
  sequential,
} from "carillon";
import { describe, expect, test } from "vitest";
import { bitsOf, clusters } from "./synthetic.js";

const ONE = clusters(48, 4, 3, 1);
const OTHER = clusters(48, 4, 3, 9);
const OPTIONS = { loss: crossEntropy(), optimizer: adam({ lr: 0.02 }), batchSize: 16, epochs: 12, seed: 1 } as const;

function network(): Model<4, 3> {
  return sequential(linear(4, 8), relu(), linear(8, 3));
}

/** What one run ends with, on its own. */
async function trained(data: typeof ONE, callbacks: readonly Callback[], seed = 1) {
  const model = network();
  const { best, step, reason } = await fit(model, { ...OPTIONS, data, validation: OTHER, callbacks, seed });
  return { bits: bitsOf(model), best, step, reason };
}

describe("a callback of the library", () => {
  test.each<[string, () => Callback]>([
    ["earlyStopping", () => earlyStopping({ monitor: "loss", mode: "max", patience: 50, restoreBest: true })],
    ["earlyStopping", () => earlyStopping({ monitor: "validation.loss", patience: 2, restoreBest: true })],
    ["reduceOnPlateau", () => reduceOnPlateau({ monitor: "validation.loss", patience: 1, minDelta: 0.1 })],
  ])("%s serves several runs at once, each as if it were alone", async (_, make) => {
    const alone = [await trained(ONE, [make()]), await trained(OTHER, [make()]), await trained(ONE, [make()], 7)];
    const shared = make();
    const together = await Promise.all([trained(ONE, [shared]), trained(OTHER, [shared]), trained(ONE, [shared], 7)]);
    expect(together).toEqual(alone);
    expect(new Set(alone.map(({ bits }) => bits)).size).toBe(3);
    expect(await trained(ONE, [shared])).toEqual(alone[0]);
  });

  test("serves all folds at once", async () => {
    const shared = earlyStopping({ monitor: "validation.loss", patience: 3, restoreBest: true });
    const folds = [...kFold({ x: ONE.x, y: ONE.y }, 3, { seed: 2 })];
    const run = async ({ train: data, validation }: (typeof folds)[number], callback: Callback) => {
      const model = network();
      const { best } = await fit(model, { ...OPTIONS, data, validation, callbacks: [callback] });
      return { best, bits: bitsOf(model) };
    };
    const together = await Promise.all(folds.map((fold) => run(fold, shared)));
    for (const [index, fold] of folds.entries()) expect(await run(fold, shared)).toEqual(together[index]);
  });

  test("is refused twice in one run", async () => {
    const early = earlyStopping({ monitor: "loss", patience: 1 });
    await expect(trained(ONE, [early, early])).rejects.toMatchObject({ code: "ERR_OPTION" });
  });
});

describe("a callback of one's own", () => {
  const counting = (): Callback & { readonly seen: number[] } => {
    const seen: number[] = [];
    return {
      name: "counting",
      seen,
      decide: ({ step }) => {
        seen.push(step);
      },
    };
  };

  test("serves one run at a time", async () => {
    const callback = counting();
    const first = trained(ONE, [callback]);
    const refused = expect(trained(OTHER, [callback])).rejects.toMatchObject({
      name: "CarillonError",
      code: "ERR_BUSY",
      where: "fit.callbacks",
      message: expect.stringContaining("'counting'"),
    });
    await refused;
    await first;
    expect(callback.seen).toEqual(Array.from({ length: 12 }, (_, epoch) => 3 * (epoch + 1)));
    await trained(OTHER, [callback]);
    expect(callback.seen).toHaveLength(24);
  });

  test("is free after a failure, a stop and an abort", async () => {
    const callback = counting();
    const failing: Callback = {
      name: "failing",
      decide: () => {
        throw new Error("mine");
      },
    };
    await expect(trained(ONE, [callback, failing])).rejects.toThrow("mine");
    const run = fit(network(), { ...OPTIONS, data: ONE, callbacks: [callback] });
    run.stop();
    await run;
    const signal = AbortSignal.abort("no");
    await expect(fit(network(), { ...OPTIONS, data: ONE, callbacks: [callback], signal })).rejects.toBe("no");
    expect((await trained(ONE, [callback])).reason).toBe("finished");
  });

  test("may give each run hooks of its own", async () => {
    const seen: number[][] = [];
    const shared: Callback = {
      name: "shared",
      decide: () => undefined,
      begin() {
        const own: number[] = [];
        seen.push(own);
        return {
          decide: ({ step }) => {
            own.push(step);
          },
        };
      },
    };
    await Promise.all([trained(ONE, [shared]), trained(OTHER, [shared])]);
    expect(seen.map(({ length }) => length)).toEqual([12, 12]);
    await expect(trained(ONE, [{ ...shared, begin: () => ({}) as Callback }])).rejects.toMatchObject({
      code: "ERR_OPTION",
      where: "shared.begin().decide",
    });
  });

  test("that keeps what it was given can ask no more when its turn is over", async () => {
    const kept: Parameters<Callback["decide"]>[0][] = [];
    const keeping: Callback = {
      name: "keeping",
      decide(at) {
        kept.push(at);
        expect(at.weights().size).toBe(4);
      },
    };
    await trained(ONE, [keeping]);
    const over = expect.objectContaining({ code: "ERR_STATE", where: "keeping" });
    expect(() => kept[0]?.weights()).toThrow(over);
    expect(() => kept[0]?.checkpoint()).toThrow(over);
  });
});

test("the states of a metric are of its runs, also where 'start' gives one object", async () => {
  const START = { sum: 0, lists: [[0]] };
  const rows = defineMetric({
    name: "rows",
    start: () => START,
    add(state, { rows: more }) {
      state.sum += more;
      state.lists[0]?.push(more);
      return state;
    },
    result: ({ sum, lists }) => sum + (lists[0]?.length ?? 0) / 1000,
  });
  const run = async () => {
    const options = { ...OPTIONS, epochs: 3, data: ONE, validation: OTHER, metrics: [rows] as const };
    const { history } = await fit(network(), options);
    return history.map(({ metrics, validation }) => [metrics.rows, validation.metrics.rows]);
  };
  const expected = new Array<number[]>(3).fill([48.004, 48.002]);
  expect(await Promise.all([run(), run()])).toEqual([expected, expected]);
  expect(await run()).toEqual(expected);
});

test("a source with a single pass is read by one run at a time, whatever it is wrapped in", async () => {
  function* examples() {
    for (let row = 0; row < 4000; row++) yield { x: [row % 3, 1, 2, 3], y: row % 3 };
  }
  const source = examples();
  const run = fit(network(), { ...OPTIONS, epochs: 1, data: dataset(source) });
  await new Promise((resolve) => setTimeout(resolve, 0));
  await expect(fit(network(), { ...OPTIONS, epochs: 1, data: dataset(source) })).rejects.toMatchObject({
    code: "ERR_BUSY",
    where: "fit.data",
  });
  expect((await run).step).toBe(250);
});
