// What a checkpoint keeps of the epochs: a history that goes on is the one that was never packed, but for the clock.
import { expect, test } from "vitest";
import type { StoredTensor } from "../../lib/io/element_types.js";
import { encodeState } from "../../lib/io/state.js";
import { decodeState } from "../../lib/io/state_reader.js";
import { type EpochEvent, figureBytes } from "../../lib/train/run/events.js";
import { packHistory, unpackHistory } from "../../lib/train/run/history.js";
import { Thinned } from "../../lib/train/run/thinned.js";

/** Figures of every kind; the set is measured in every third epoch, and another metric comes in epoch 9. */
function event(epoch: number): EpochEvent {
  const confusionMatrix = [
    [epoch, 1],
    [0, epoch / 3],
  ];
  const late = epoch < 9 ? {} : { late: -0 };
  const validation = { loss: 1 / epoch, metrics: { auc: Number.NaN, confusionMatrix } };
  return {
    kind: "epoch",
    epoch,
    step: 4 * epoch,
    loss: 0.1 * epoch,
    dataLoss: Number.POSITIVE_INFINITY,
    penalty: -0,
    metrics: { accuracy: epoch / 7, confusionMatrix, ...late },
    validation: epoch % 3 === 0 ? validation : undefined,
    seconds: Number.NaN,
    examplesPerSecond: Number.NaN,
    secondsLeft: Number.NaN,
  };
}

const limits = { items: 6, bytes: 1e6 };

function through(history: Thinned<EpochEvent>): Thinned<EpochEvent> {
  const tensors = new Map<string, StoredTensor>();
  const text = encodeState(packHistory(history), tensors);
  const back = new Thinned<EpochEvent>(figureBytes, limits);
  unpackHistory(decodeState(text, "file", "history", tensors), back);
  return back;
}

test("packed after any epoch, thinned or not", () => {
  for (let cut = 0; cut < 40; cut++) {
    const whole = new Thinned<EpochEvent>(figureBytes, limits);
    let parts = new Thinned<EpochEvent>(figureBytes, limits);
    for (let epoch = 1; epoch <= 40; epoch++) {
      if (epoch === cut) parts = through(parts);
      whole.add(event(epoch));
      parts.add(event(epoch));
    }
    expect(parts.items).toStrictEqual(whole.items);
    expect(parts.place).toEqual(whole.place);
  }
});

test("the last one may be taken back", () => {
  const history = new Thinned<EpochEvent>(figureBytes, limits);
  history.dropLast();
  expect(history.items).toEqual([]);
  for (const epoch of [1, 2, 3]) history.add(event(epoch));
  history.dropLast();
  history.add(event(4));
  expect(history.items.map(({ epoch }) => epoch)).toEqual([1, 2, 4]);
});

test("of more confusion matrices than a megabyte the newest stay", () => {
  const history = new Thinned<EpochEvent>(figureBytes);
  const large = Array.from({ length: 200 }, (_, row) => Array.from({ length: 200 }, (_value, column) => row * column));
  for (const epoch of [1, 2, 3, 4, 5]) {
    history.add({ ...event(epoch), metrics: { confusionMatrix: large, accuracy: 0.5 }, validation: undefined });
  }
  const { items } = through(history);
  // 131,072 elements are three matrices of 40,000.
  expect(items.map(({ metrics }) => metrics.confusionMatrix)).toEqual([[], [], large, large, large]);
  expect(items.map(({ metrics }) => metrics.accuracy)).toEqual([0.5, 0.5, 0.5, 0.5, 0.5]);
});

test("what is none is nothing", () => {
  for (const state of [undefined, null, 3, {}, { count: 1, every: 1, whole: 1, indexes: [0], columns: {} }]) {
    const history = new Thinned<EpochEvent>(figureBytes);
    unpackHistory(state, history);
    expect(history.items).toEqual([]);
  }
});
