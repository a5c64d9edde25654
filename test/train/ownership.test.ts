// Who has a model: a run from its first step to its last, calls of programs in their order, and who looks at it meanwhile.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  adam,
  type Callback,
  dropout,
  fit,
  linear,
  loadCheckpoint,
  type Minimizer,
  type Model,
  minimizer,
  minMax,
  mse,
  ops,
  type Program,
  program,
  relu,
  saveCheckpoint,
  sequential,
  sgd,
  spec,
  standardize,
  type Tensor,
} from "carillon";
import { describe, expect, test } from "vitest";
import { bitsOf } from "./synthetic.js";

const ROWS = 64;
const x = Float32Array.from({ length: ROWS * 3 }, (_, at) => ((at * 37) % 101) / 50 - 1);
const y = Float32Array.from({ length: ROWS }, (_, row) => (x[row * 3] ?? 0) * (x[row * 3 + 1] ?? 0));
const options = { data: { x, y }, loss: mse(), optimizer: adam({ lr: 0.05 }), batchSize: 8, seed: 3 } as const;
const make = (seed = 1): Model =>
  sequential(linear(3, 16), relu(), dropout(0.2), linear(16, 16), relu(), linear(16, 1)).initialize(seed);

const PROBE = x.subarray(0, 12);
const STEPS = 200;

/** A program that reads models and gives their outputs, one after another. */
function reader(...models: readonly Model[]) {
  return program({
    inputs: { x: spec(["batch", 3]) },
    maxBatch: 4,
    body: (given) => Object.fromEntries(models.map((model, index) => [`y${index}`, model.forward(given.x)])),
  });
}

/** A program that changes a model: w ← w − lr·x of a network without a bias, and gives the weight before. */
function writer(model: Model, trainer: Minimizer = minimizer(model, sgd({ lr: 1 }))) {
  return program({
    inputs: { x: spec([1, 1]) },
    body(given) {
      const before = ops.multiply(model.forward(ops.add(ops.multiply(given.x, 0), 1)), 1);
      trainer.minimize(ops.negate(ops.sum(model.forward(given.x)))); // w ← w + x
      return { before };
    },
  });
}

const scalar = (init = 0): Model => sequential(linear(1, 1, { init, bias: false })).initialize(0);
const one = { x: [[1]] };
const weightOf = (model: Model): number => model.weights().get("linear1.weight")?.data[0] ?? Number.NaN;
const busy = (where: string) => expect.objectContaining({ name: "CarillonError", code: "ERR_BUSY", where });
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Outputs for the probe before the first step and after each, and the bits at the end. */
async function trajectory(extra: object = {}): Promise<{ outputs: string[]; bits: string }> {
  const model = make();
  const outputs = [told(model.predictSync(PROBE))];
  const look: Callback = {
    name: "look",
    every: { steps: 1 },
    decide: () => {
      outputs.push(told(model.predictSync(PROBE)));
    },
  };
  await fit(model, { ...options, steps: STEPS, ...extra, callbacks: [look] });
  return { outputs, bits: bitsOf(model) };
}

const told = ({ data }: Tensor): string => [...data].join(" ");

/** Expects outputs of steps that never go back; gives the last step. */
function expectInOrder(outputs: readonly string[], seen: readonly string[]): number {
  let step = 0;
  for (const output of seen) {
    const at = outputs.indexOf(output, step);
    expect(at, `an output that no step from ${step} on has`).toBeGreaterThanOrEqual(0);
    step = at;
  }
  return step;
}

describe("a program that reads the model of a run", () => {
  test("right after fit, and many times in a row: the run does not notice, each call sees one finished step", async () => {
    const { outputs, bits } = await trajectory();
    const model = make();
    const step = reader(model);
    const run = fit(model, { ...options, steps: STEPS });
    let running = true;
    const over = run.then(() => {
      running = false;
    });
    const seen: string[] = [];
    const first = step.run({ x: PROBE });
    const queued = [step.run({ x: PROBE }), step.run({ x: PROBE })];
    for (const call of [first, ...queued]) seen.push(told((await call).y0 as Tensor));
    while (running) {
      seen.push(told(step.runSync({ x: PROBE }).y0 as Tensor));
      seen.push(told((await step.run({ x: PROBE })).y0 as Tensor));
    }
    await over;
    seen.push(told((await step.run({ x: PROBE })).y0 as Tensor));
    expect(bitsOf(model)).toBe(bits);
    expect(expectInOrder(outputs, seen)).toBe(STEPS);
    expect(step.step).toBe(seen.length);
  });

  test("between two native calls of the run as well", async () => {
    const { outputs, bits } = await trajectory();
    const model = make();
    const step = reader(model);
    const seen: string[] = [];
    const look: Callback = {
      name: "look",
      every: { steps: 10 },
      async decide() {
        seen.push(told(step.runSync({ x: PROBE }).y0 as Tensor), told((await step.run({ x: PROBE })).y0 as Tensor));
        await turn();
      },
    };
    await fit(model, { ...options, steps: STEPS, callbacks: [look] });
    expect(seen).toEqual(Array.from({ length: STEPS / 10 }, (_, at) => outputs[10 * (at + 1)]).flatMap((o) => [o, o]));
    expect(bitsOf(model)).toBe(bits);
  });

  test("that is at work when the run begins: the run waits for it", async () => {
    const { outputs, bits } = await trajectory();
    const model = make();
    const step = reader(model);
    for (let round = 0; round < 20; round++) {
      model.initialize(1);
      const calls = [step.run({ x: PROBE }), step.run({ x: PROBE })];
      const run = fit(model, { ...options, steps: STEPS });
      const seen = (await Promise.all(calls)).map(({ y0 }) => told(y0 as Tensor));
      await run;
      expect(bitsOf(model)).toBe(bits);
      expectInOrder(outputs, seen);
    }
  });

  test("two runs and two models: each model is one of its own steps", async () => {
    const { outputs, bits } = await trajectory();
    const [a, b] = [make(), make()];
    const step = reader(a, b);
    const runs = [fit(a, { ...options, steps: STEPS }), fit(b, { ...options, steps: STEPS })];
    let running = true;
    const over = Promise.all(runs).then(() => {
      running = false;
    });
    const seen: string[][] = [[], []];
    while (running) {
      const { y0, y1 } = await step.run({ x: PROBE });
      seen[0]?.push(told(y0 as Tensor));
      seen[1]?.push(told(y1 as Tensor));
    }
    await over;
    for (const list of seen) expectInOrder(outputs, list);
    expect([bitsOf(a), bitsOf(b)]).toEqual([bits, bits]);
  });

  test("a program that trains another model beside the run of the one that it reads", async () => {
    const read = scalar(0);
    const trained = scalar(0);
    const trainer = minimizer(trained, sgd({ lr: 1 }));
    const step = program({
      inputs: { x: spec([1, 1]) },
      body(given) {
        const target = read.forward(given.x);
        trainer.minimize(ops.multiply(0.5, ops.sum(ops.square(ops.subtract(trained.forward(given.x), target)))));
        return { target };
      },
    });
    const data = { x: [[1]], y: [[1]] };
    const run = fit(read, { data, loss: mse(), optimizer: sgd({ lr: 0.001 }), steps: 500 });
    for (let call = 0; call < 50; call++) {
      const { target } = await step.run(one);
      expect(weightOf(trained)).toBeCloseTo(target.item(), 5);
    }
    await run;
    await step.run(one);
    expect(weightOf(trained)).toBeCloseTo(weightOf(read), 5);
  });
});

describe("a program that changes the model of a run", () => {
  test("is refused at once, before the first step, between two native calls, and on the calling thread", async () => {
    const model = scalar();
    const step = writer(model);
    const tried: unknown[] = [];
    const attempt = async (): Promise<void> => {
      expect(() => step.runSync(one)).toThrow(busy("runSync"));
      tried.push(await step.run(one).catch((error: unknown) => error));
    };
    const meddle: Callback = { name: "meddle", every: { steps: 5 }, decide: attempt };
    const whole = { data: { x: [[1], [2]], y: [[3], [6]] }, loss: mse(), optimizer: sgd({ lr: 0.01 }), steps: 20 };
    const run = fit(model, { ...whole, callbacks: [meddle] });
    await attempt();
    await run;
    expect(tried).toEqual(tried.map(() => busy("program.run")));
    expect(tried).toHaveLength(5);
    const alone = scalar();
    await fit(alone, whole);
    expect(bitsOf(model)).toBe(bitsOf(alone));
    expect(step.step).toBe(0);
    expect(step.runSync(one).before.item()).toBeCloseTo(weightOf(alone), 6);
  });

  test("and a run is refused at its start while such a call is under way, or waits", async () => {
    const model = scalar();
    const step = writer(model);
    const calls = [step.run(one), step.run(one), step.run(one)];
    const data = { x: [[1]], y: [[1]] };
    const whole = { data, loss: mse(), optimizer: sgd({ lr: 0 }), steps: 1 };
    await expect(fit(model, whole)).rejects.toEqual(busy("fit"));
    await Promise.all(calls);
    expect(weightOf(model)).toBe(3);
    await fit(model, whole);
    expect(weightOf(model)).toBe(3);
  });
});

describe("programs over the same model", () => {
  test("are done in the order of the calls, whoever reads and writes", async () => {
    const model = scalar();
    const [first, second] = [writer(model), writer(model)];
    const look = program({
      inputs: { x: spec([1, 1]) },
      body: (given) => ({ before: model.forward(given.x) }),
    });
    const plan: readonly Program<{ x: ReturnType<typeof spec> }, { before: Tensor }>[] = Array.from(
      { length: 60 },
      (_, at) => [first, look, second, look, look, first][(at * 7) % 6] as never,
    );
    const done = await Promise.all(plan.map((each) => each.run(one)));
    let weight = 0;
    for (const [at, { before }] of done.entries()) {
      expect(before.item()).toBe(weight);
      if ((plan[at] as unknown) !== look) weight += 1;
    }
    expect(weightOf(model)).toBe(weight);
  });

  test("a step that changes two models is seen whole or not at all", async () => {
    const [a, b] = [scalar(), scalar()];
    const trainer = minimizer([a, b], sgd({ lr: 1 }));
    const both = program({
      inputs: { x: spec([1, 1]) },
      body: (given) => ({
        p: trainer.minimize(ops.negate(ops.sum(ops.add(a.forward(given.x), b.forward(given.x))))).penalty,
      }),
    });
    const look = program({
      inputs: { x: spec([1, 1]) },
      body: (given) => ({ a: a.forward(given.x), b: b.forward(given.x) }),
    });
    const calls: Promise<unknown>[] = [];
    for (let at = 0; at < 50; at++) {
      calls.push(both.run(one));
      calls.push(look.run(one).then((seen) => expect([seen.a.item(), seen.b.item()]).toEqual([at + 1, at + 1])));
    }
    await Promise.all(calls);
  });

  test("on the calling thread: refused while another call changes the model, or reads what it changes", async () => {
    const model = scalar();
    const [step, other, look] = [
      writer(model),
      writer(model),
      program({
        inputs: { x: spec([1, 1]) },
        body: (given) => ({ y: model.forward(given.x) }),
      }),
    ];
    const changing = step.run(one);
    expect(() => other.runSync(one)).toThrow(busy("runSync"));
    expect(() => look.runSync(one)).toThrow(busy("runSync"));
    await changing;
    const reading = look.run(one);
    expect(() => other.runSync(one)).toThrow(busy("runSync"));
    expect((await reading).y.item()).toBe(1);
    other.runSync(one);
    expect(look.runSync(one).y.item()).toBe(2);
  });
});

describe("while a program changes a model", () => {
  test("nothing else does, a checkpoint is not taken, and who looks sees a whole step", async () => {
    const model = scalar();
    const trainer = minimizer(model, adam({ lr: 1 }));
    const step = writer(model, trainer);
    const dir = await mkdtemp(join(tmpdir(), "carillon-ownership-"));
    try {
      const path = join(dir, "loop.safetensors");
      const saved = join(dir, "model.safetensors");
      await model.save(saved);
      const weights = model.weights();
      await saveCheckpoint(path, { models: model, minimizers: trainer });
      const calls = [step.run(one), step.run(one)];
      expect(() => model.setWeights(weights)).toThrow(busy("setWeights"));
      expect(() => model.initialize(1)).toThrow(busy("initialize"));
      expect(() => trainer.states(model)).toThrow(busy("states"));
      expect(() => trainer.restore(model, new Map(), trainer.counts)).toThrow(busy("restore"));
      // The program is not among the parts: the model itself tells.
      await expect(saveCheckpoint(path, { models: model, minimizers: trainer })).rejects.toEqual(
        busy("saveCheckpoint"),
      );
      await expect(loadCheckpoint(path, { models: model, minimizers: trainer })).rejects.toEqual(
        busy("loadCheckpoint"),
      );
      for (const seen of [model.weights().get("linear1.weight")?.data[0], weightOf(model.clone())]) {
        expect([0, 1, 2].some((value) => Math.abs((seen ?? 9) - value) < 1e-3)).toBe(true);
      }
      await Promise.all(calls);
      expect(weightOf(model)).toBeCloseTo(2, 3);
      await model.load(saved);
      expect(weightOf(model)).toBe(0);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });

  test("its result tells that the model is not what a run before has left", async () => {
    const model = scalar();
    const data = { x: [[1]], y: [[1]] };
    const { checkpoint } = await fit(model, { data, loss: mse(), optimizer: sgd({ lr: 0.1 }), steps: 1 });
    checkpoint();
    writer(model).runSync(one);
    expect(checkpoint).toThrow(expect.objectContaining({ code: "ERR_STATE" }));
  });
});

describe("files", () => {
  const inFolder = async (work: (path: (name: string) => string) => Promise<void>): Promise<void> => {
    const dir = await mkdtemp(join(tmpdir(), "carillon-ownership-"));
    try {
      await work((name) => join(dir, name));
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  };
  const data = { x: [[1]], y: [[1]] };
  const still = { data, loss: mse(), optimizer: sgd({ lr: 0 }), steps: 1 };

  test("a load has the model from its call on: calls of programs wait for it, everything else is refused", () =>
    inFolder(async (path) => {
      await scalar(5).save(path("five"));
      const model = scalar();
      const step = writer(model);
      const first = step.run(one);
      const loading = model.load(path("five")); // waits for the call before
      const second = step.run(one);
      expect(() => model.initialize(1)).toThrow(busy("initialize"));
      await expect(fit(model, still)).rejects.toEqual(busy("fit"));
      await loading;
      expect([(await first).before.item(), (await second).before.item(), weightOf(model)]).toEqual([0, 5, 6]);
      const running = fit(model, still);
      await expect(model.load(path("five"))).rejects.toEqual(busy("load"));
      await running;
      await expect(model.load(path("none"))).rejects.toMatchObject({ code: "ERR_FILE" });
      await fit(model, still);
      expect(weightOf(model)).toBe(6);
    }));

  test("of several saves to one path the last one stays, whatever the size", () =>
    inFolder(async (path) => {
      for (let round = 0; round < 10; round++) {
        const model = scalar();
        const large = sequential(linear(200, 200), linear(200, 1)).initialize(1);
        const writing = [large.save(path("model"))];
        for (let weight = 1; weight <= 4; weight++) {
          model.setWeights(new Map([["linear1.weight", Float32Array.of(weight)]]));
          writing.push(model.save(path("model")), large.save(path("other")));
        }
        writing.push(model.save(path("other")));
        await Promise.all(writing);
        const loaded = await Promise.all([scalar().load(path("model")), scalar().load(path("other"))]);
        expect(loaded.map(weightOf)).toEqual([4, 4]);
      }
    }));

  test("loadCheckpoint has its models until it is done", () =>
    inFolder(async (path) => {
      const model = scalar(3);
      const trainer = minimizer(model, adam({ lr: 1 }));
      const step = writer(model, trainer);
      const parts = { models: model, minimizers: trainer };
      await saveCheckpoint(path("loop"), { ...parts, state: 1 });
      await step.run(one);
      const loading = loadCheckpoint(path("loop"), parts);
      const after = step.run(one); // another program than the parts know waits
      expect(() => model.initialize(1)).toThrow(busy("initialize"));
      await expect(loadCheckpoint(path("loop"), parts)).rejects.toEqual(busy("loadCheckpoint"));
      expect(await loading).toBe(1);
      expect((await after).before.item()).toBe(3);
    }));
});

describe("a model without weights yet", () => {
  const fresh = (): Model => sequential(linear(3, 16), relu(), linear(16, 1));

  test("is initialized by a program's first look, with seed 0", () => {
    const model = fresh();
    const step = reader(model);
    expect(model.initialized).toBe(false);
    const { y0 } = step.runSync({ x: PROBE });
    expect(told(y0 as Tensor)).toBe(told(fresh().initialize(0).predictSync(PROBE)));
    expect(model.initialized).toBe(true);
  });

  test("a look before the first step of a run sees the run's initial weights, and does not change the run", async () => {
    const whole = { ...options, steps: 20, seed: 7 };
    const alone = fresh();
    await fit(alone, whole);
    const initial = told(fresh().initialize(7).predictSync(PROBE));
    for (const turns of [0, 1, 2, 3]) {
      const model = fresh();
      const step = reader(model);
      const run = fit(model, whole);
      for (let at = 0; at < turns; at++) await Promise.resolve();
      const seen = [model.predictSync(PROBE), step.runSync({ x: PROBE }).y0 as Tensor].map(told);
      expect(seen).toEqual([initial, initial]);
      const { loss } = await model.evaluate({ x, y }, { loss: mse() });
      expect(loss).toBeGreaterThan(0);
      await run;
      expect(bitsOf(model)).toBe(bitsOf(alone));
    }
  });
});

describe("weights and units are of one moment", () => {
  // Both states have an error of 0: the old one knows metres, the new one millimetres.
  const STILL = { loss: mse(), optimizer: sgd({ lr: 0 }), epochs: 1, batchSize: 8 } as const;
  const LENGTHS = [1, 2, 3, 4, 5, 6, 7, 8];

  test("in predict and evaluate, beside a run that changes units", async () => {
    const rows = LENGTHS.map((value) => [value]);
    const model = sequential(linear(1, 1, { init: 1, bias: false })).initialize(0);
    // Standardized inputs and targets alike: y = x, whatever the units.
    const transforms = [
      { inputs: standardize(), targets: standardize() },
      { inputs: minMax({ range: [-500, 500] }), targets: minMax({ range: [-500, 500] }) },
      { inputs: null, targets: null },
    ];
    const data = { x: rows, y: rows };
    for (let round = 0; round < 30; round++) {
      const run = fit(model, { ...STILL, ...transforms[round % 3], data });
      const looks: Promise<void>[] = [];
      let running = true;
      const over = run.then(() => {
        running = false;
      });
      while (running) {
        looks.push(
          model.evaluate(data, { loss: mse(), metrics: ["rmse"] }).then(({ metrics }) => {
            expect(metrics.rmse).toBeLessThan(1e-3);
          }),
          model.predict(rows).then((output) => {
            for (const [at, value] of output.data.entries()) expect(value).toBeCloseTo(LENGTHS[at] ?? 0, 2);
          }),
        );
        const loaded = model.clone();
        expect(loaded.predictSync(rows).data[7]).toBeCloseTo(8, 2);
        await turn();
      }
      await over;
      await Promise.all(looks);
    }
  });

  test("of a set that is copied in turns: as at the call", async () => {
    const model = sequential(linear(1, 1, { init: 1, bias: false })).initialize(0);
    const large = Float32Array.from({ length: 600_000 }, (_, at) => at % 1000);
    const set = { x: large, y: large };
    const evaluating = model.evaluate(set, { loss: mse(), metrics: ["rmse"] });
    const data = { x: LENGTHS.map((value) => [value]), y: LENGTHS };
    await fit(model, { ...STILL, data, inputs: minMax({ range: [0, 1000] }) });
    expect((await evaluating).metrics.rmse).toBe(0);
    expect((await model.evaluate(set, { loss: mse(), metrics: ["rmse"] })).metrics.rmse).toBeGreaterThan(1);
  });
});
