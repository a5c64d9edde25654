import {
  adam,
  crossEntropy,
  dropout,
  fit,
  heNormal,
  linear,
  type Model,
  relu,
  type Schedule,
  sequential,
} from "carillon";
import { DIGITS, type Images, PIXELS } from "./images.js";

/** What is done the same way by whoever trains. */
export interface Recipe {
  readonly epochs: number;
  readonly batchSize: number;
  readonly seed: number;
}

/** What one epoch of training tells. */
export interface Progress {
  readonly epoch: number;
  readonly loss: number;
  /** With dropout, while the weights changed. */
  readonly accuracy: number;
  readonly testLoss: number;
  readonly testAccuracy: number;
  readonly seconds: number;
}

/** Falls to almost 0 in a straight line: large steps first, small ones to settle. */
const learningRate: Schedule = ({ step, steps }) => 0.002 * (1 - (step - 1) / steps);

/** Trains 784-256-10 on images of digits, telling of every epoch. */
export async function trainMnist(
  train: Images,
  test: Images,
  { epochs, batchSize, seed }: Recipe,
  tell: (progress: Progress) => void = () => {},
): Promise<{ readonly model: Model; readonly last: Progress }> {
  const model = sequential(
    linear(PIXELS, 256, { init: heNormal() }),
    relu(),
    dropout(0.5),
    linear(256, DIGITS, { init: heNormal() }),
  );
  const run = fit(model, {
    data: train,
    validation: test,
    loss: crossEntropy(),
    optimizer: adam({ lr: learningRate }),
    metrics: ["accuracy"],
    epochs,
    batchSize,
    seed,
  });
  let last: Progress | undefined;
  for await (const event of run) {
    if (event.kind !== "epoch") continue;
    const { epoch, loss, metrics, validation, seconds } = event;
    last = {
      epoch,
      loss,
      accuracy: metrics.accuracy,
      testLoss: validation.loss,
      testAccuracy: validation.metrics.accuracy,
      seconds,
    };
    tell(last);
  }
  if (last === undefined) throw new Error("expected at least one epoch");
  return { model, last };
}
