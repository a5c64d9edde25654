// A job that is over, started again with resume: 'auto', is over at once with the same result; one that somebody stopped goes on.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  adam,
  type Callback,
  crossEntropy,
  dataset,
  dropout,
  earlyStopping,
  type FitResult,
  fit,
  linear,
  type Model,
  relu,
  sequential,
} from "carillon";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { listing } from "./listing.js";
import { bitsOf, clusters } from "./synthetic.js";

const DATA = clusters(120, 4, 3, 5);
const HELD_OUT = clusters(30, 4, 3, 6);
const BATCH = 32;
/** Four steps an epoch. */
const STEPS_PER_EPOCH = 4;

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "carillon-over-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const network = (): Model<4, 3> => sequential(linear(4, 16), relu(), dropout(0.25), linear(16, 3));

function options(more: object = {}) {
  const fixed = { data: DATA, validation: HELD_OUT, loss: crossEntropy(), optimizer: adam({ lr: 0.01 }), seed: 4 };
  return { ...fixed, batchSize: BATCH, checkpoint: { dir, keep: 2 }, resume: "auto", epochs: 9, ...more } as const;
}

/** A loss that falls is best, for 'max', at its beginning: the run is stopped after epoch 3. */
const early = (): Callback => earlyStopping({ monitor: "loss", mode: "max", patience: 2, restoreBest: true });

/** What a run came to. */
function told(model: Model, { reason, stoppedBy, step, best }: FitResult) {
  return { bits: bitsOf(model), reason, stoppedBy, step, best };
}

async function start(more: object = {}) {
  const model = network();
  const run = fit(model, options(more));
  const kinds: string[] = [];
  for await (const { kind } of run) kinds.push(kind);
  return { ...told(model, await run), kinds };
}

describe("a job that a callback has stopped", () => {
  test("is over at once, with the same weights, best and reason", async () => {
    const first = await start({ callbacks: [early()] });
    expect(first).toMatchObject({ reason: "stopped", stoppedBy: "earlyStopping", step: 3 * STEPS_PER_EPOCH });
    expect(first.best?.epoch).toBe(1);
    const files = listing(dir);
    for (let again = 0; again < 2; again++) {
      const { kinds, ...rest } = await start({ callbacks: [early()] });
      expect(kinds).toEqual(["start", "end"]);
      expect(rest).toEqual({ ...first, kinds: undefined });
      expect(listing(dir)).toEqual(files);
    }
  });

  test("over a stream nothing is read but the first example", async () => {
    let read = 0;
    const stream = () =>
      dataset(
        function* () {
          for (let row = 0; row < 120; row++) {
            read += 1;
            yield { x: DATA.x.subarray(4 * row, 4 * row + 4), y: DATA.y[row] ?? 0 };
          }
        },
        { shuffleBuffer: 50 },
      );
    const first = await start({ data: stream(), callbacks: [early()] });
    expect(first.stoppedBy).toBe("earlyStopping");
    expect(read).toBeGreaterThanOrEqual(3 * 120);
    read = 0;
    expect({ ...(await start({ data: stream(), callbacks: [early()] })), kinds: [] }).toEqual({ ...first, kinds: [] });
    expect(read).toBe(1);
  });

  test("between two epochs, by a callback of one's own, at a step that no checkpoint is due at", async () => {
    const stopping = (): Callback => ({
      name: "mine",
      every: { steps: 1 },
      decide(at) {
        if (at.step === 6) at.stop();
      },
    });
    const first = await start({ callbacks: [stopping()] });
    expect(first).toMatchObject({ reason: "stopped", stoppedBy: "mine", step: 6 });
    expect(await start({ callbacks: [stopping()] })).toEqual({ ...first, kinds: ["start", "end"] });
  });

  test("goes on when the callback is gone, when a setting was changed, and from a checkpoint that is named", async () => {
    const { step } = await start({ callbacks: [early()] });
    const path = join(dir, `step-${String(step).padStart(9, "0")}.safetensors`);
    const elsewhere = { checkpoint: undefined, epochs: 4 };
    // Early stopping looks once more, at the end of epoch 4, and stops at the end of that.
    expect((await start({ ...elsewhere, resume: path, callbacks: [early()] })).step).toBe(4 * STEPS_PER_EPOCH);
    const slower = { optimizer: adam({ lr: 0.001 }), resume: { from: "auto", changed: ["lr"] }, callbacks: [early()] };
    expect((await start(slower)).step).toBe(4 * STEPS_PER_EPOCH);
    expect(await start(slower)).toMatchObject({ step: 4 * STEPS_PER_EPOCH, kinds: ["start", "end"] });
    expect(await start({})).toMatchObject({ reason: "finished", stoppedBy: null, step: 9 * STEPS_PER_EPOCH });
  });
});

test("a job that is done is over at once, with the same result", async () => {
  const callbacks = () => [earlyStopping({ monitor: "loss", mode: "max", patience: 20, restoreBest: true })];
  const first = await start({ epochs: 3, callbacks: callbacks() });
  expect(first).toMatchObject({ reason: "finished", stoppedBy: null, best: { epoch: 1 } });
  expect(await start({ epochs: 3, callbacks: callbacks() })).toEqual({ ...first, kinds: ["start", "end"] });
});

test("a job that somebody stopped goes on, to the bits of one that nobody stopped", async () => {
  const whole = await start({ checkpoint: undefined, resume: undefined, epochs: 5 });
  const run = fit(network(), options({ epochs: 5 }));
  for await (const event of run) if (event.kind === "epoch" && event.epoch === 2) run.stop();
  expect(await run).toMatchObject({ reason: "stopped", stoppedBy: null });
  const { bits, reason, step } = await start({ epochs: 5 });
  expect({ bits, reason, step }).toEqual({ bits: whole.bits, reason: "finished", step: 5 * STEPS_PER_EPOCH });
});
