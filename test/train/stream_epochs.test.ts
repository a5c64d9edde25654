import { expect, test } from "vitest";
import { StreamEpochs } from "../../lib/train/run/epochs.js";

/** Blocks of a stream whose epochs have three steps, in blocks of two and one. */
function feed() {
  let block = 0;
  return {
    start: () => undefined,
    next() {
      const epoch = 1 + Math.floor(block / 2);
      const endsEpoch = block++ % 2 === 1;
      return Promise.resolve({ epoch, steps: endsEpoch ? 1 : 2, endsEpoch, lastRows: 4 });
    },
    stop: () => undefined,
    close: () => Promise.resolve(),
    examplesOf: () => new Float64Array(4),
  };
}

const OPTIONS = { seed: 1, batch: 4, epochs: 5, limit: undefined, shuffleBuffer: 0, reads: true, cut: false };

test("a block that waits for its first step has changed nothing of where a run stands", async () => {
  const epochs = new StreamEpochs(feed(), OPTIONS, 0, null);
  let step = 0;
  const atRest = [epochs.progressAt(0)];
  const expected = [
    ...[{ epoch: 0, begin: 1, ended: true }],
    ...[1, 2, 3].map((each) => ({ epoch: 1, begin: 1, ended: each === 3 })),
    ...[4, 5, 6].map((each) => ({ epoch: 2, begin: 4, ended: each === 6 })),
  ].map((each) => ({ ...each, shuffleBuffer: 0 }));
  while (step < 6) {
    const { steps } = await epochs.ready(step);
    // A stop between the block and its first step writes a checkpoint of the step before.
    expect(epochs.progressAt(step)).toEqual(expected[step]);
    expect(epochs.epochOf(step)).toBe(expected[step]?.epoch);
    for (let done = 0; done < steps; done++) atRest.push(epochs.progressAt(++step));
  }
  expect(atRest).toEqual(expected);
});

test("a run that goes on behind an epoch stands there until its first step", async () => {
  const progress = { epoch: 7, begin: 19, ended: true, shuffleBuffer: 0 };
  const epochs = new StreamEpochs(feed(), { ...OPTIONS, epochs: 20 }, 21, progress);
  expect(epochs.progressAt(21)).toEqual(progress);
  await epochs.ready(21);
  expect(epochs.progressAt(21)).toEqual(progress);
  expect(epochs.progressAt(22)).toMatchObject({ begin: 22, ended: false });
});
