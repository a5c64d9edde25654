// A job goes on although its data has changed: at the next epoch, over the rows that there are now, in the units of before.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  adam,
  type Callback,
  crossEntropy,
  dataset,
  type FitEvent,
  fit,
  linear,
  type Model,
  mse,
  relu,
  sequential,
  standardize,
} from "carillon";
import { afterAll, describe, expect, test } from "vitest";
import { bitsOf, clusters } from "./synthetic.js";
import { expectRefusal } from "./wrong.js";

const network = (): Model<3, 1> => sequential(linear(3, 5), relu(), linear(5, 1));

/** `rows` rows; `value` is put into one of them. */
function table(rows: number, value = 0) {
  const x = Array.from({ length: rows }, (_, row) => [
    row / 9,
    ((row * 7) % 11) - 4,
    row === 2 ? value : 1 / (row + 1),
  ]);
  return { x, y: x.map(([a = 0, b = 0, c = 0]) => a - 2 * b + c) };
}

const root = mkdtempSync(join(tmpdir(), "carillon-changed-"));
afterAll(() => rmSync(root, { recursive: true }));

const BASE = { loss: mse(), optimizer: adam({ lr: 0.01 }), batchSize: 8, seed: 9, inputs: standardize() } as const;

const streamOf = ({ x, y }: ReturnType<typeof table>) =>
  dataset(() => x.map((row, index) => ({ x: row, y: y[index] ?? 0 })), { shuffleBuffer: 6 });

/** What a callback is asked at, and the rate that a schedule gives there. */
function watching(asked: string[]): Callback {
  return {
    name: "watching",
    decide: ({ step, epoch }) => {
      asked.push(`${epoch}@${step}`);
    },
  };
}

async function told(run: AsyncIterable<FitEvent>): Promise<FitEvent[]> {
  const events: FitEvent[] = [];
  for await (const event of run) events.push(event);
  return events;
}

describe.each([
  ["in memory", table],
  ["of a stream", (rows: number, value?: number) => streamOf(table(rows, value))],
] as const)("data %s", (kind, data) => {
  /** 20 rows are 3 steps an epoch, 27 rows are 4. */
  test.each([
    ["at the end of an epoch", 6, 2],
    ["in the middle of one, which is over then", 7, 3],
    ["before the first step of another", 1, 1],
  ])("a row more, %s", async (_, cut, epochs) => {
    const first = await fit(network(), { ...BASE, data: data(20), steps: cut });
    const resume = first.checkpoint();
    const asked: string[] = [];
    const rates: string[] = [];
    const lr = ({ step, epoch }: { readonly step: number; readonly epoch: number }): number => {
      rates.push(`${epoch}@${step}`);
      return 0.01;
    };
    const model = network();
    const run = fit(model, {
      ...BASE,
      optimizer: adam({ lr }),
      data: data(27, 5),
      epochs: 5,
      resume: { from: resume, data: "changed", changed: ["lr"] },
      callbacks: [watching(asked)],
    });
    const events = await told(run);
    const { step, bitEqual, history, checkpoint } = await run;
    const left = 5 - epochs;
    expect(step).toBe(cut + 4 * left);
    expect(bitEqual).toBe(false);
    const steps = kind === "in memory" ? cut + 4 * left : undefined;
    expect(events[0]).toMatchObject({ kind: "start", step: cut, steps, bitEqual: false });
    const ends = Array.from({ length: left }, (_value, index) => `${epochs + index + 1}@${cut + 4 * (index + 1)}`);
    expect(asked).toEqual(ends);
    const own = history.filter(({ seconds }) => !Number.isNaN(seconds));
    expect(own.map(({ epoch, step: at }) => `${epoch}@${at}`)).toEqual(ends);
    expect(history.map(({ epoch }) => epoch)).toEqual(Array.from({ length: 5 }, (_value, index) => index + 1));
    const during = rates.slice(rates.lastIndexOf("10@1000") + 1); // what a checkpoint compares is asked before
    expect(during.slice(0, 5)).toEqual(
      Array.from({ length: 5 }, (_value, at) => `${epochs + 1 + Math.floor(at / 4)}@${cut + 1 + at}`),
    );
    // The units of the first data, which 27 rows with a 5 would not give.
    const { transforms } = model;
    const before = network();
    await fit(before, { ...BASE, data: data(20), steps: 1 });
    expect(transforms).toEqual(before.transforms);

    // From here on the run is one of its own: cut again, it goes on to the same bits, and is still none of the first data's.
    const cutAgain = await fit(network(), {
      ...BASE,
      data: data(27, 5),
      steps: cut + 6,
      resume: { from: resume, data: "changed" },
    });
    const goesOn = network();
    const last = await fit(goesOn, {
      ...BASE,
      data: data(27, 5),
      epochs: 5,
      resume: cutAgain.checkpoint(),
      inputs: undefined,
    });
    expect([bitsOf(goesOn), last.bitEqual, last.step]).toEqual([bitsOf(model), false, step]);
    expect(Buffer.from(last.checkpoint()).length).toBeGreaterThan(0);
    expect(checkpoint().length).toBeGreaterThan(0);
  });

  test("the very same data, at the end of an epoch, gives the bits of a plain resume", async () => {
    const { checkpoint } = await fit(network(), { ...BASE, data: data(20), epochs: 2 });
    const plain = network();
    const { bitEqual } = await fit(plain, { ...BASE, data: data(20), epochs: 4, resume: checkpoint() });
    const changed = network();
    const resume = { from: checkpoint(), data: "changed" } as const;
    const result = await fit(changed, { ...BASE, data: data(20), epochs: 4, resume });
    expect(bitsOf(changed)).toBe(bitsOf(plain));
    expect([bitEqual, result.bitEqual]).toEqual([true, false]);
  });

  test("without units of its own a run takes those of its checkpoint", async () => {
    const { checkpoint } = await fit(network(), { ...BASE, data: data(20), epochs: 1 });
    const model = network();
    await fit(model, { ...BASE, inputs: undefined, data: data(20), epochs: 2, resume: checkpoint() });
    const whole = network();
    await fit(whole, { ...BASE, data: data(20), epochs: 2 });
    expect([bitsOf(model), model.transforms]).toEqual([bitsOf(whole), whole.transforms]);
  });

  test("of one value more is refused with its column and both figures", async () => {
    const { checkpoint } = await fit(network(), { ...BASE, data: data(20), epochs: 1 });
    const options = { ...BASE, data: data(20, 5), epochs: 2, resume: checkpoint() };
    const says = /inputs with shift 0\.\d+ and scale 0\.\d+ in column 2, .* received shift 0\.\d+ .* data: 'changed'/;
    await expectRefusal(network(), options, "ERR_STATE", "fit.resume.inputs", says);
  });
});

test("the order of the new rows is that of a run of its own in the epoch that begins", async () => {
  const { checkpoint } = await fit(network(), { ...BASE, inputs: undefined, data: table(20), steps: 4 });
  const { x } = table(27);
  // A rate of 0, and one example a step: its loss tells which it was.
  const options = {
    ...BASE,
    optimizer: adam({ lr: 0 }),
    inputs: undefined,
    data: { x, y: x.map((_, row) => 1000 * (row + 1)) },
    batchSize: 1,
    epochs: 3,
    reportEvery: 1,
    callbacks: [{ name: "every step", every: { steps: 1 }, decide: () => undefined }],
  } as const;
  const rowsOf = async (more: object, from: number): Promise<number[]> => {
    const rows: number[] = [];
    for (const event of await told(fit(network(), { ...options, ...more }))) {
      if (event.kind === "step" && event.step > from) rows.push(Math.round(Math.sqrt(event.loss) / 1000) - 1);
    }
    return rows;
  };
  const changed = { from: checkpoint(), data: "changed", changed: ["batchSize", "lr"] };
  const seen = await rowsOf({ resume: changed }, 4);
  expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 27 }, (_, row) => row));
  // Step 4 was in epoch 2: what is left is epoch 3.
  expect(seen).toEqual(await rowsOf({}, 54));
});

test("a row more is refused by both numbers, and 'auto' says it once for all files", async () => {
  const dir = join(root, "auto");
  const options = { ...BASE, inputs: undefined, data: table(20), checkpoint: { dir, keep: 5 } } as const;
  await fit(network(), { ...options, epochs: 4 });
  const more = { ...options, data: table(21), epochs: 5, resume: "auto" } as const;
  await expectRefusal(
    network(),
    more,
    "ERR_STATE",
    "fit.resume.samples",
    /samples 20, .* but received 21: .*data: 'changed'/,
  );
  const slower = { ...options, epochs: 5, resume: "auto", optimizer: adam({ lr: 0.5 }) } as const;
  const error = await fit(network(), slower).then(
    () => "",
    (reason: unknown) => String(reason),
  );
  expect(error.match(/expected lr 0\.01/g)).toHaveLength(1);
  expect(error).toContain("4 files, none of this run");
  const model = network();
  const run = fit(model, { ...more, resume: { from: "auto", data: "changed" } });
  expect(await run).toMatchObject({ bitEqual: false, step: 12 + 3, reason: "finished" });
});

test("from memory to a stream and back, with other batches", async () => {
  const { checkpoint } = await fit(network(), { ...BASE, data: table(20), steps: 5 });
  const over = (changed: readonly ("batchSize" | "shuffle")[], from: Uint8Array) =>
    ({ from, data: "changed", changed }) as const;
  const stream = await fit(network(), {
    ...BASE,
    data: streamOf(table(27)),
    steps: 11,
    resume: over([], checkpoint()),
  });
  expect(stream.history.map(({ epoch, step }) => `${epoch}@${step}`)).toEqual(["1@3", "2@5", "3@9", "4@11"]);
  const memory = await fit(network(), {
    ...BASE,
    data: table(9),
    batchSize: 4,
    shuffle: false,
    epochs: 6,
    resume: over(["batchSize", "shuffle"], stream.checkpoint()),
  });
  expect(memory.history.slice(-2).map(({ epoch, step }) => `${epoch}@${step}`)).toEqual(["5@14", "6@17"]);
});

test("class weights 'balanced' are those of the new rows; a validation set may be another at any time", async () => {
  const make = (): Model<2, 2> => sequential(linear(2, 2, { init: 0 }));
  const options = { loss: crossEntropy(), optimizer: adam(), batchSize: 64, classWeights: "balanced" } as const;
  const { checkpoint } = await fit(make(), {
    ...options,
    data: clusters(20, 2, 2),
    validation: clusters(5, 2, 2),
    epochs: 1,
  });
  const x = [
    [0, 0],
    [0, 0],
    [0, 0],
    [0, 0],
  ];
  const changed = { from: checkpoint(), data: "changed" } as const;
  const lopsided = { data: { x, y: [0, 0, 0, 1] }, validation: clusters(7, 2, 2) };
  const model = make();
  const { history } = await fit(model, { ...options, ...lopsided, epochs: 2, resume: changed });
  // Weights 4/(2·3) and 4/(2·1): the mean loss of equal logits z is ½·ln(1 + e^(z₁ − z₀)) + ½·ln(1 + e^(z₀ − z₁)).
  const [z0 = 0, z1 = 0] = (await make().load(checkpoint())).predictSync([[0, 0]]).data;
  const expected = (Math.log(1 + Math.exp(z1 - z0)) + Math.log(1 + Math.exp(z0 - z1))) / 2;
  expect(history.at(-1)?.dataLoss).toBeCloseTo(expected, 6);
  expect(history).toHaveLength(2);
});

test("a stream with a single pass is enough for one epoch more", async () => {
  const { checkpoint } = await fit(network(), { ...BASE, data: streamOf(table(20)), epochs: 1 });
  const { x, y } = table(27);
  const once = (function* () {
    for (const [row, value] of x.entries()) yield { x: value, y: y[row] ?? 0 };
  })();
  const data = dataset(once, { shuffleBuffer: 6 });
  const resume = { from: checkpoint(), data: "changed" } as const;
  expect(await fit(network(), { ...BASE, data, steps: 7, resume })).toMatchObject({ step: 7 });
});

test("nothing is left where all epochs are done; batches need the beginning of an epoch", async () => {
  const { checkpoint } = await fit(network(), { ...BASE, data: table(20), epochs: 2 });
  const resume = { from: checkpoint(), data: "changed" } as const;
  expect(await fit(network(), { ...BASE, data: table(21), epochs: 2, resume })).toMatchObject({
    step: 6,
    reason: "finished",
  });
  const refused = {
    ...BASE,
    data: table(20),
    batchSize: 4,
    epochs: 3,
    resume: { from: checkpoint(), changed: ["batchSize"] },
  };
  await expectRefusal(network(), refused, "ERR_OPTION", "fit.resume.changed[0]", "data: 'changed'");
  const unknown = { ...BASE, data: table(20), epochs: 3, resume: { from: checkpoint(), data: "new" } };
  await expectRefusal(network(), unknown, "ERR_OPTION", "fit.resume.data", "changed");
});
