import {
  adam,
  crossEntropy,
  dropout,
  fit,
  heNormal,
  l2,
  linear,
  type Model,
  relu,
  type Schedule,
  sequential,
} from "carillon";
import { type Digits, PIXELS, scaled } from "./digits.js";

export const CLASSES = 10;

/** What one epoch of training tells. */
export interface Progress {
  readonly epoch: number;
  readonly epochs: number;
  /** dataLoss + penalty */
  readonly loss: number;
  readonly dataLoss: number;
  readonly penalty: number;
  readonly accuracy: number;
  readonly testLoss: number;
  readonly testAccuracy: number;
  readonly seconds: number;
}

export const EPOCHS = 40;

/** From 0.003 down to almost 0 in a straight line: large steps first, small ones to settle. */
const learningRate: Schedule = ({ step, steps }) => 0.003 * (1 - (step - 1) / steps);

/** Trains a network of one hidden layer on images of digits, telling of every epoch. */
export async function trainDigits(
  train: Digits,
  test: Digits,
  seed: number,
  tell: (progress: Progress) => void = () => {},
  epochs = EPOCHS,
): Promise<{ readonly model: Model<64, 10>; readonly seconds: number }> {
  const model = sequential(linear(64, 128, { init: heNormal() }), relu(), dropout(0.2), linear(128, 10));
  const started = performance.now();
  const run = fit(model, {
    data: scaled(train),
    validation: scaled(test),
    loss: crossEntropy(),
    optimizer: adam({ lr: learningRate }),
    regularizer: l2(1e-4),
    metrics: ["accuracy"],
    epochs,
    batchSize: 32,
    seed,
  });
  for await (const event of run) {
    if (event.kind !== "epoch") continue;
    const { epoch, loss, dataLoss, penalty, metrics, validation, seconds } = event;
    tell({
      epoch,
      epochs,
      loss,
      dataLoss,
      penalty,
      accuracy: metrics.accuracy,
      testLoss: validation?.loss ?? Number.NaN,
      testAccuracy: validation?.metrics.accuracy ?? Number.NaN,
      seconds,
    });
  }
  await run;
  return { model, seconds: (performance.now() - started) / 1000 };
}

/** The digit that the model reads in each image: the largest of its ten outputs. */
export async function readDigits(model: Model<64, 10>, { x, y }: Digits): Promise<number[]> {
  const outputs = await model.predict(scaled({ x, y }).x);
  return Array.from({ length: x.length / PIXELS }, (_, row) => {
    const scores = outputs.data.subarray(row * CLASSES, (row + 1) * CLASSES);
    return scores.indexOf(scores.reduce((most, score) => (score > most ? score : most)));
  });
}

/** Share of images read as what they are. */
export function accuracyOf(predicted: readonly number[], truth: Uint8Array): number {
  return predicted.filter((digit, row) => digit === truth[row]).length / truth.length;
}
