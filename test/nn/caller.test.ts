// Where the calls of a run are made: on native threads, or at once where the way there takes longer than the call.
import { type Callback, fit, linear, type Model, mse, sequential, sgd } from "carillon";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { native } from "../../lib/binding/native.js";
import { Caller } from "../../lib/nn/evaluation/caller.js";
import { RunControl } from "../../lib/nn/evaluation/run_control.js";

describe("calls", () => {
  let now = 0;
  beforeEach(() => {
    vi.spyOn(native, "now").mockImplementation(() => now);
  });
  afterEach(() => vi.restoreAllMocks());

  /** Where calls of these milliseconds a step went; the way to a thread and back takes 0.05 ms. */
  async function places(each: readonly number[], steps = 1, priority: "normal" | "background" = "normal") {
    const went: string[] = [];
    let step = 0;
    const done = { steps, stopped: false, fault: null };
    const work = (place: string, more: number) => {
      went.push(place);
      now += (each[Math.min(step, each.length - 1)] ?? 0) * steps + more;
      step += 1;
      return done;
    };
    const program = {
      run: () => Promise.resolve(work("there", 0.05)),
      runSync: () => work("here", 0),
      stop: () => undefined,
    };
    const caller = new Caller(program);
    for (let call = 0; call < 40; call++) await caller.run(new RunControl(), { firstStep: 1, steps, priority });
    return went.join(" ").replaceAll("there", "T").replaceAll("here", "H").replaceAll(" ", "");
  }

  test.each<[string, readonly number[], number, string]>([
    ["are made here when they are short", [0.004], 1, `T${"H".repeat(39)}`],
    ["stay there when they are long", [2], 1, "T".repeat(40)],
    ["stay there when they are many short steps", [0.004], 1024, "T".repeat(40)],
    ["are made here up to a tenth of a millisecond", [0.009], 10, `T${"H".repeat(39)}`],
    ["are given up here after two that took longer", [0.4], 1, `THH${"T".repeat(32)}HHTTT`],
    ["stay here when one takes long", [0.004, 0.004, 0.004, 5, 0.004], 1, `T${"H".repeat(39)}`],
  ])("%s", async (_, each, steps, expected) => {
    expect(await places(each, steps)).toBe(expected);
  });

  test("of low priority stay there", async () => {
    expect(await places([0.004], 1, "background")).toBe("T".repeat(40));
  });
});

test("wherever they are made, bits are the same, and pause and stop have their turn", async () => {
  const data = { x: [[1], [2], [3]], y: [[1], [3], [2]] };
  const options = { data, loss: mse(), optimizer: sgd({ lr: 1e-2 }), seed: 5 } as const;
  const line = (): Model<1, 1> => sequential(linear(1, 1));
  const each: Callback = { name: "each", every: { steps: 1 }, decide: () => undefined };
  const [whole, cut, low] = [line(), line(), line()];
  await fit(whole, { ...options, steps: 500 });
  await fit(cut, { ...options, steps: 500, callbacks: [each] });
  await fit(low, { ...options, steps: 500, callbacks: [each], priority: "background" });
  expect([cut.weights(), low.weights()]).toEqual([whole.weights(), whole.weights()]);

  const model = line();
  const run = fit(model, { ...options, steps: 10_000_000, callbacks: [each] });
  const turn = () => new Promise((resolve) => setTimeout(resolve, 5));
  while (!model.initialized) await turn();
  run.pause();
  await turn();
  const held = model.weights();
  await turn();
  expect(model.weights()).toEqual(held);
  run.resume();
  await turn();
  run.stop();
  const { step, reason } = await run;
  expect(reason).toBe("stopped");
  expect(step).toBeLessThan(10_000_000);
});
