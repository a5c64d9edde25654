// Loops of programs, saved and brought back: two models against each other, with dropout, states and a schedule.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  adam,
  CarillonError,
  crossEntropy,
  dropout,
  fit,
  type LoopParts,
  linear,
  loadCheckpoint,
  minimizer,
  ops,
  program,
  relu,
  saveCheckpoint,
  sequential,
  sgdMomentum,
  spec,
  tensor,
} from "carillon";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bitsOf, clusters } from "./synthetic.js";

const ROWS = 12;
const { x: REAL } = clusters(ROWS, 4, 2);
const NOISE = clusters(ROWS, 3, 2, 7).x;

let root = "";

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "carillon-loop-"));
});

afterAll(() => rm(root, { recursive: true, force: true }));

interface Choices {
  readonly seed?: number;
  readonly hidden?: number;
  readonly beta?: number;
  readonly rate?: number;
}

/** A generator of 4 features from 3 numbers of noise, and who tells them from real ones. */
function loop({ seed = 5, hidden = 8, beta = 0.9, rate = 0.3 }: Choices = {}) {
  const generator = sequential(linear(3, hidden), relu(), linear(hidden, 4)).initialize(1);
  const discriminator = sequential(linear(4, 8), relu(), dropout(rate), linear(8, 2)).initialize(2);
  const trainG = minimizer(generator, adam({ lr: ({ step }) => 0.01 / step }));
  const trainD = minimizer(discriminator, sgdMomentum({ lr: 0.1, beta }), { averageWeights: { decay: 0.9 } });
  const told = crossEntropy();
  const step = program({
    seed,
    training: true,
    inputs: { real: spec([ROWS, 4]), noise: spec([ROWS, 3]), ones: spec([ROWS], "i32"), zeros: spec([ROWS], "i32") },
    body({ real, noise, ones, zeros }) {
      const fake = generator.forward(noise);
      const lossD = ops.add(
        ops.mean(told(discriminator.forward(real), ones)),
        ops.mean(told(discriminator.forward(fake), zeros)),
      );
      trainD.minimize(lossD);
      const lossG = ops.mean(told(discriminator.forward(generator.forward(noise)), ones));
      trainG.minimize(lossG);
      return { lossD, lossG };
    },
  });
  const inputs = {
    real: tensor(REAL, [ROWS, 4]),
    noise: tensor(NOISE, [ROWS, 3]),
    ones: tensor(new Int32Array(ROWS).fill(1)),
    zeros: tensor(new Int32Array(ROWS)),
  };
  const parts: LoopParts = {
    models: { generator, discriminator },
    minimizers: { trainG, trainD },
    programs: { step },
  };
  const run = async (count: number): Promise<void> => {
    for (let done = 0; done < count; done++) await step.run(inputs);
  };
  const bits = (): string[] => [bitsOf(generator), bitsOf(discriminator)];
  return { parts, step, inputs, run, bits, generator, discriminator, trainG, trainD };
}

test("a loop that is brought back is the loop that went on", async () => {
  const path = join(root, "gan.safetensors");
  const whole = loop();
  await whole.run(4);
  const saving = saveCheckpoint(path, { ...whole.parts, state: { epoch: 3, best: Number.POSITIVE_INFINITY } });
  await whole.run(6); // what is saved is what was there at the call
  await saving;
  const again = loop();
  expect(await loadCheckpoint(path, again.parts)).toEqual({ epoch: 3, best: Number.POSITIVE_INFINITY });
  expect(again.step.step).toBe(4);
  await again.run(6);
  expect(again.bits()).toEqual(whole.bits());
  for (const [one, other, model, same] of [
    [again.trainG, whole.trainG, again.generator, whole.generator],
    [again.trainD, whole.trainD, again.discriminator, whole.discriminator],
  ] as const) {
    expect(one.states(model)).toEqual(other.states(same));
  }
});

test("one model alone needs no name, and nothing but its weights", async () => {
  const path = join(root, "one.safetensors");
  const { generator, discriminator } = loop();
  await saveCheckpoint(path, { models: generator });
  const other = loop().generator.initialize(9);
  expect(await loadCheckpoint(path, { models: other })).toBe(null);
  expect(bitsOf(other)).toBe(bitsOf(generator));
  await expect(loadCheckpoint(path, { models: discriminator })).rejects.toMatchObject({
    code: "ERR_FILE",
    where: path,
  });
});

describe("refused, and nothing is changed:", () => {
  const path = (): string => join(root, "refused.safetensors");

  beforeAll(async () => {
    const { parts, run } = loop();
    await run(3);
    await saveCheckpoint(path(), parts);
  });

  async function refuses(given: ReturnType<typeof loop>, parts: object, code: string, says: string): Promise<void> {
    const before = given.bits();
    const error: unknown = await loadCheckpoint(path(), { ...given.parts, ...parts }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(CarillonError);
    expect(error).toMatchObject({ code, message: expect.stringContaining(says) });
    expect(given.bits()).toEqual(before);
    expect(given.step.step).toBe(0);
  }

  test.each<[string, Choices, string]>([
    ["another seed", { seed: 6 }, "seeds"],
    ["another model", { hidden: 9 }, "layers"],
    ["another dropout", { rate: 0.4 }, "layers"],
    ["another constant of an optimizer", { beta: 0.8 }, "optimizer.beta"],
  ])("%s", async (_, choices, says) => {
    await refuses(loop(choices), {}, "ERR_FILE", says);
  });

  test("parts that are missing, or are none", async () => {
    const given = loop();
    await refuses(given, { models: given.generator }, "ERR_OPTION", "trainD");
    await refuses(given, { programs: undefined }, "ERR_FILE", "seeds");
    await refuses(given, { models: {} }, "ERR_OPTION", "a model");
    await refuses(given, { models: { a: 3 } }, "ERR_OPTION", "loadCheckpoint.models.a");
    await refuses(given, { models: { "a/b": given.generator } }, "ERR_OPTION", "names");
    await refuses(given, { model: given.generator }, "ERR_UNKNOWN_OPTION", "models");
  });

  test("a file that is cut or damaged, or of something else", async () => {
    const bytes = await readFile(path());
    const given = loop();
    try {
      for (const [wrong, says] of [
        [bytes.subarray(0, -1), "bytes"],
        [bytes.map((byte, at) => (at === 300 ? byte ^ 1 : byte)), ""],
        [bytes.map((byte, at) => (at === bytes.length - 70 ? byte ^ 1 : byte)), "damaged"],
        [given.generator.bytes(), "carillon.loop"],
      ] as const) {
        await writeFile(path(), wrong);
        await refuses(given, {}, "ERR_FILE", says);
      }
    } finally {
      await writeFile(path(), bytes);
    }
    const { run, parts } = given;
    await loadCheckpoint(path(), parts);
    await run(1);
  });

  test("a loop at work", async () => {
    const busy = expect.objectContaining({ code: "ERR_BUSY" });
    const { parts, run, generator } = loop();
    const running = run(1);
    await Promise.all([
      expect(saveCheckpoint(path(), parts)).rejects.toEqual(busy),
      expect(loadCheckpoint(path(), parts)).rejects.toEqual(busy),
    ]);
    await running;
    const data = { x: NOISE, y: REAL };
    const loss = (output: Parameters<typeof ops.sum>[0]) => ops.sum(ops.square(output), { axis: "last" });
    const fitting = fit(generator, { data, loss, optimizer: adam(), steps: 100_000 });
    await expect(saveCheckpoint(path(), parts)).rejects.toEqual(busy);
    fitting.stop();
    await fitting;
  });
});
