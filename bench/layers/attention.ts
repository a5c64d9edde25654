// A small transformer that foretells the next token of each step: training steps with Adam, and single tokens with a cache.

import { noise } from "../../examples/noise.js";
import {
  adam,
  crossEntropy,
  embedding,
  fit,
  layerNorm,
  linear,
  positions,
  sequential,
  spec,
  tensor,
  transformerBlock,
} from "../../lib/index.js";
import { median } from "../report.js";
import { Clock, stepsOfStretch } from "../train/clock.js";
import type { LayerCase } from "./case.js";

interface Shape {
  readonly layers: number;
  readonly size: number;
  readonly heads: number;
  readonly time: number;
  readonly batch: number;
  readonly vocabulary: number;
}

/** Batches of examples. */
const BATCHES = 4;

const modelOf = ({ layers, size, heads, time, vocabulary }: Shape) =>
  sequential(
    { input: spec(["batch", time], "i32") },
    embedding(vocabulary, size),
    positions("learned", { time, size }),
    ...Array.from({ length: layers }, () => transformerBlock<number, number>(size, heads, { causal: true })),
    layerNorm(size),
    linear(size, vocabulary),
  );

function examplesOf({ time, batch, vocabulary }: Shape) {
  const rows = BATCHES * batch;
  const letters = Int32Array.from({ length: rows * time + 1 }, (_, at) => Math.floor(noise(at, 1) * vocabulary));
  return { x: tensor(letters.slice(0, -1), [rows, time]), y: tensor(letters.slice(1), [rows, time]) };
}

/** Multiply-adds of a token, forward, without those of attention. */
const products = ({ layers, size, vocabulary }: Shape): number => layers * 12 * size * size + size * vocabulary;

function parametersOf(shape: Shape): number {
  const model = modelOf(shape);
  model.initialize(0);
  return [...model.weights().values()].reduce((sum, { data }) => sum + data.length, 0);
}

function stepOf(shape: Shape, asks: number): LayerCase {
  const { layers, size, time, batch, vocabulary } = shape;
  const guesses = new Map<number, number>();
  const stretches = async (threads: number, every: number, count: number): Promise<readonly number[]> => {
    const clock = new Clock(every, every);
    const own = { batchSize: batch, optimizer: adam(), loss: crossEntropy(), threads };
    await fit(modelOf(shape), { data: examplesOf(shape), ...own, steps: every * (count + 1), callbacks: [clock] });
    return clock.times;
  };
  return {
    name: `transformer ${layers} x ${size}, ${batch} x ${time}, ${vocabulary}`,
    batch,
    // Half of the scores are not looked at; forward two products of each token with each, back five.
    flops: 2 * batch * time * (3 * products(shape) + (layers * 7 * time * size) / 2),
    // What goes into the products of a token and comes out of them (1 to 3, 1 to 1, 1 to 4 and 4 to 1 of a block; the last one), once for each of the three ways.
    bytes: 4 * batch * time * 3 * (layers * 16 * size + size + vocabulary),
    parameters: parametersOf(shape),
    asked: { kind: "step", ...shape },
    asks,
    async measure(threads, seconds) {
      const guess = guesses.get(threads) ?? median(await stretches(threads, 2, 2));
      const every = stepsOfStretch(guess);
      const count = Math.max(2, Math.round((seconds * 1e6) / (every * guess)));
      const measured = median(await stretches(threads, every, count));
      guesses.set(threads, measured);
      return measured;
    },
  };
}

/** A token with a cache, the mean over all places of a sequence. */
function tokenOf(shape: Shape, asks: number): LayerCase {
  const { layers, size, time, vocabulary } = shape;
  const model = modelOf(shape);
  model.initialize(0);
  const parameters = parametersOf(shape);
  return {
    name: `a token of ${layers} x ${size}, ${time} places, ${vocabulary}`,
    batch: 1,
    flops: 2 * (products(shape) + layers * time * size),
    // Adam goes through none of them; each is read once.
    parameters: 0,
    bytes: Float32Array.BYTES_PER_ELEMENT * parameters,
    asked: { kind: "token", ...shape },
    asks,
    measure(threads, seconds) {
      const generator = model.generator({ threads });
      const times: number[] = [];
      const until = performance.now() + seconds * 1000;
      do {
        generator.reset();
        const begun = performance.now();
        for (let place = 0; place < time; place++) generator.feed(place % vocabulary);
        times.push(((performance.now() - begun) * 1000) / time);
      } while (performance.now() < until);
      return Promise.resolve(median(times));
    },
  };
}

const SMALL: Shape = { layers: 4, size: 128, heads: 4, time: 64, batch: 32, vocabulary: 65 };

/** The rows of attention. */
export const attention: readonly LayerCase[] = [
  stepOf(SMALL, 1.5),
  stepOf({ ...SMALL, vocabulary: 8192 }, 1.5),
  tokenOf({ ...SMALL, batch: 1 }, 8),
];
