// Models that are written and read piece by piece, beside whoever else uses them.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import {
  adam,
  fit,
  linear,
  loadModel,
  type Model,
  minimizer,
  mse,
  ops,
  program,
  relu,
  sequential,
  sgd,
  spec,
} from "carillon";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { asFloat32, type StoredTensor } from "../../lib/io/element_types.js";
import { decodeSafetensors, encodeSafetensors } from "../io/whole_file.js";
import { bitsOf } from "../train/synthetic.js";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "carillon-pieces-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** 3.3 MB in parts of odd lengths: no piece ends with one. */
const network = (): Model<201, 3> => sequential(linear(201, 1999), relu(), linear(1999, 203), relu(), linear(203, 3));
const small = (): Model<2, 1> => sequential(linear(2, 3), relu(), linear(3, 1));

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** To the bit; `toEqual` takes seconds over arrays as long as these. */
function areSame(a: ArrayBufferView | undefined, b: ArrayBufferView | undefined): boolean {
  const [bytes, others] = [a, b].map((view) => view && new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  return bytes !== undefined && others !== undefined && Buffer.compare(bytes, others) === 0;
}

/** Turns that the event loop has had meanwhile. */
async function turnsOf(work: Promise<unknown>): Promise<number> {
  let turns = 0;
  let over = false;
  const done = work.finally(() => {
    over = true;
  });
  while (!over) {
    await turn();
    turns += 1;
  }
  await done;
  return turns;
}

test("a file has the bytes of bytes(), and both are read to the bit", async () => {
  const model = network().initialize(3);
  const path = join(folder, "model");
  await model.save(path);
  const bytes = model.bytes();
  const { tensors } = decodeSafetensors(bytes);
  for (const [name, { data }] of model.weights()) expect(areSame(tensors.get(name)?.data, data)).toBe(true);
  const read = [await loadModel(path), await loadModel(bytes), await network().load(path), await network().load(bytes)];
  for (const each of read) expect(bitsOf(each)).toBe(bitsOf(model));
  expect(Buffer.from(read[0]?.bytes() ?? []).equals(bytes)).toBe(true);
});

test.each(["f64", "f16", "bf16"] as const)("%s becomes f32 in pieces as at once", async (dtype) => {
  const model = network();
  let seed = 1;
  const next = (): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed;
  };
  const tensors = new Map<string, StoredTensor>(
    model.parameters.map(({ name, shape }) => {
      const length = shape.reduce((product, size) => product * size, 1);
      if (dtype === "f64") return [name, { dtype, shape, data: Float64Array.from({ length }, () => next() / 2 ** 31) }];
      return [name, { dtype, shape, data: Uint16Array.from({ length }, () => next() & 0x3bff) }];
    }),
  );
  await model.load(encodeSafetensors(tensors));
  const weights = model.weights();
  for (const [name, tensor] of tensors) expect(areSame(weights.get(name)?.data, asFloat32(tensor))).toBe(true);
});

describe("nothing is written of a file that fails behind its header", () => {
  const bytes = (): Uint8Array => sequential(linear(2000, 600)).initialize(1).bytes(); // 4.8 MB: read where they are

  test("as its bytes are transferred away meanwhile", async () => {
    const model = sequential(linear(2000, 600)).initialize(2);
    const before = bitsOf(model);
    const given = new Uint8Array(bytes());
    const loading = model.load(given);
    await turn();
    structuredClone(given.buffer, { transfer: [given.buffer] });
    await expect(loading).rejects.toMatchObject({ code: "ERR_DETACHED", where: "load" });
    expect(bitsOf(model)).toBe(before);
    expect(bitsOf(await model.load(bytes()))).toBe(bitsOf(sequential(linear(2000, 600)).initialize(1)));
  });

  test("as its last number is too large for f32", async () => {
    const model = sequential(linear(2000, 600, { bias: false })).initialize(2);
    const before = bitsOf(model);
    const data = new Float64Array(1_200_000);
    data[data.length - 1] = -1e40;
    const file = encodeSafetensors(new Map([["linear1.weight", { dtype: "f64", shape: [600, 2000], data }]]));
    const path = join(folder, "large");
    await writeFile(path, file);
    const message = `expected linear1.weight in the range of f32 for '${path}' but received -1e+40`;
    await expect(model.load(path)).rejects.toMatchObject({ code: "ERR_FILE", message });
    expect(bitsOf(model)).toBe(before);
  });
});

describe("JavaScript goes on", () => {
  // 16 MB: at once each of these would take many milliseconds, and one turn.
  const large = (): Model<2000, 2000> => sequential(linear(2000, 2000));
  const path = (): string => join(folder, "large");

  test("while a model that nobody has drawn yet is saved, and loaded, from a path and from bytes", async () => {
    const model = large();
    expect(await turnsOf(model.save(path()))).toBeGreaterThan(30);
    expect(bitsOf(model)).toBe(bitsOf(large().initialize(0)));
    expect(await turnsOf(loadModel(path()))).toBeGreaterThan(30);
    const other = large().initialize(1);
    expect(await turnsOf(other.load(model.bytes()))).toBeGreaterThan(2);
    expect(bitsOf(other)).toBe(bitsOf(model));
  });

  test("while a model is drawn, and copied, for its first prediction and for an evaluation", async () => {
    const model = large();
    const x = Float32Array.from({ length: 4000 }, (_, index) => (index % 7) - 3);
    const expected = large()
      .initialize(0)
      .predictSync({ shape: [2, 2000], data: x });
    const given = x.slice();
    const predicting = model.predict({ shape: [2, 2000], data: given });
    given.fill(0); // it is the caller's again
    expect(await turnsOf(predicting)).toBeGreaterThan(10);
    expect((await predicting).data).toEqual(expected.data);
    const evaluating = model.evaluate({ x, y: new Float32Array(4000) }, { loss: mse() });
    model.initialize(1); // the weights of the call are measured
    const loss = expected.data.reduce((sum, value) => sum + value * value, 0) / 4000;
    expect((await evaluating).loss).toBeCloseTo(loss, 3);
  });
});

describe("a save", () => {
  /** A model whose weights cannot be drawn. */
  const broken = (): Model<2, 2> =>
    sequential(
      linear(2, 2, {
        init: {
          kind: "own",
          resolve: () => {
            throw new Error("no weights today");
          },
        },
      }),
    );

  test("tells what was wrong: with the weights as it is, with the file where there are weights", async () => {
    const [folderOfNone, path] = [join(folder, "none"), join(folder, "broken")];
    await writeFile(folderOfNone, "");
    await expect(broken().save(path)).rejects.toThrow(/^no weights today$/);
    const waiting = network().initialize(1).save(path); // the next one to this path waits for it
    await expect(broken().save(path)).rejects.toThrow(/^no weights today$/);
    await waiting;
    const refused = {
      code: "ERR_FILE",
      message: expect.stringMatching(/a file that can be written.*(ENOTDIR|EEXIST)/),
    };
    const model = small().initialize(1);
    await expect(model.save(join(folderOfNone, "model"))).rejects.toMatchObject(refused);
    model.initialize(2); // nobody holds it any more
  });

  const rows = [
    [1, 2],
    [3, 4],
    [5, 7],
    [2, 1],
  ];
  const data = { x: rows, y: [[1], [2], [3], [1]] };
  const hidden = { x: new Float32Array(201 * 4).fill(1), y: new Float32Array(12) };

  test("has the weights of the call, whatever is written to the model behind it", async () => {
    const model = network().initialize(3);
    const before = bitsOf(model);
    const path = (index: number): string => join(folder, `call-${index}`);
    const saving = [model.save(path(0))];
    model.initialize(4);
    const second = bitsOf(model);
    saving.push(model.save(path(1)));
    model.setWeights(network().initialize(5).weights());
    const third = bitsOf(model);
    saving.push(model.save(path(2)));
    const loading = model.load(network().initialize(6).bytes());
    saving.push(model.save(path(3)));
    const fitting = loading.then(() =>
      fit(model, { data: hidden, loss: mse(), optimizer: sgd({ lr: 1e-3 }), steps: 1 }),
    );
    await Promise.all(saving);
    const saved = await Promise.all([0, 1, 2, 3].map(async (index) => bitsOf(await loadModel(path(index)))));
    expect(saved).toEqual([before, second, third, bitsOf(network().initialize(6))]);
    await fitting;
  });

  test("holds an idle model: a run and a program wait until it is read", async () => {
    const model = network().initialize(3);
    const before = bitsOf(model);
    const path = join(folder, "held");
    const saving = model.save(path);
    const run = fit(model, { data: hidden, loss: mse(), optimizer: sgd({ lr: 1e-3 }), steps: 3 });
    await saving;
    expect(bitsOf(await loadModel(path))).toBe(before);
    await run;
    const trained = bitsOf(model);
    expect(trained).not.toBe(before);

    const trainer = minimizer(model, sgd({ lr: 1e-3 }));
    const step = program({
      inputs: { x: spec([4, 201]) },
      body({ x }) {
        const loss = ops.mean(ops.square(model.forward(x)));
        trainer.minimize(loss);
        return { loss };
      },
    });
    const second = model.save(path);
    const stepping = step.run({ x: hidden.x });
    await second;
    expect(bitsOf(await loadModel(path))).toBe(trained);
    await stepping;
    const stepped = bitsOf(model);
    expect(stepped).not.toBe(trained);
    // A program that was made before the memory of the model was exchanged goes on with that of now.
    await model.load(path);
    expect(bitsOf(model)).toBe(trained);
    await step.run({ x: hidden.x });
    expect(bitsOf(model)).toBe(stepped);
  });

  test("during a run has the weights of a finished step, beside predictions", async () => {
    const bits = new Set<string>();
    const look = (at: Model): void => {
      bits.add(bitsOf(at));
    };
    const model = small();
    const { optimizer, loss } = { optimizer: adam({ lr: 0.05 }), loss: mse() };
    await fit(model, {
      ...{ data, optimizer, loss, steps: 300, batchSize: 2, seed: 4 },
      callbacks: [{ name: "look", every: { steps: 1 }, decide: () => look(model) }],
    });
    bits.add(bitsOf(small().initialize(4)));
    const again = small();
    let over = false;
    const run = fit(again, {
      ...{ data, optimizer, loss, steps: 300, batchSize: 2, seed: 4 },
      callbacks: [{ name: "slow", every: { steps: 1 }, decide: () => wait(4) }],
    }).then(() => {
      over = true;
    });
    expect(() => again.setWeights(again.weights())).toThrow(/a run is training it/);
    const paths: string[] = [];
    while (!over) {
      const path = join(folder, `during-${paths.length}`);
      paths.push(path);
      await Promise.all([again.save(path), again.predict(data.x)]);
    }
    await run;
    for (const path of paths) expect(bits.has(bitsOf(await loadModel(path)))).toBe(true);
  });
});

test("a checkpoint of several pieces goes on with the same bits, from its file and its bytes", async () => {
  const data = { x: new Float32Array(201 * 4).map((_, i) => (i % 5) - 2), y: new Float32Array(12).fill(1) };
  const options = {
    data,
    loss: mse(),
    optimizer: adam({ lr: 1e-3 }),
    averageWeights: { decay: 0.9 },
    seed: 1,
  } as const;
  const whole = network();
  const { averaged } = await fit(whole, { ...options, steps: 4, batchSize: 2 });
  const dir = join(folder, "run");
  const { checkpoint } = await fit(network(), { ...options, steps: 2, batchSize: 2, checkpoint: { dir } });
  for (const resume of [join(dir, "step-000000002.safetensors"), checkpoint()]) {
    const model = network();
    const result = await fit(model, { ...options, steps: 4, batchSize: 2, resume });
    expect(bitsOf(model)).toBe(bitsOf(whole));
    expect(bitsOf(network().setWeights(result.averaged() ?? {}))).toBe(bitsOf(network().setWeights(averaged() ?? {})));
    const limits = { bytes: 1_000_000 };
    const refused = fit(network(), { ...options, steps: 4, batchSize: 2, resume: { from: resume, limits } });
    await expect(refused).rejects.toMatchObject({ code: "ERR_FILE", message: expect.stringContaining("limits.bytes") });
  }
});
