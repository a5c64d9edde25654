import { adam, fit, gru, linear, mae, sequential, windows } from "carillon";
import { DAY, loadOf, stepsOf } from "./load.js";

/** What is asked of a run. */
export interface Training {
  readonly hours: number;
  readonly epochs: number;
  readonly seed: number;
}

/** Mean absolute errors of the load of the next day, hour by hour, over the last fifth of the series. */
export interface Errors {
  readonly network: number;
  /** Of who says that each hour is as it was a day before. */
  readonly yesterday: number;
  /** Of who says that it is as it was a week before. */
  readonly lastWeek: number;
}

/** Hours that the network looks at: a week, so that it has seen the same weekday. */
const SEEN = 7 * DAY;

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Mean |y − x| where x are the `back` hours before what is to be told. */
function repeated(x: Float32Array, y: Float32Array, features: number, back: number): number {
  const off = Array.from(y, (value, at) => {
    const [window, hour] = [Math.floor(at / DAY), at % DAY];
    const step = SEEN - back + hour;
    return Math.abs(value - (x[(window * SEEN + step) * features] ?? Number.NaN));
  });
  return meanOf(off);
}

/** A GRU over a week of hours foretells the next day. */
export async function forecast({ hours, epochs, seed }: Training): Promise<Errors> {
  const steps = stepsOf(loadOf(hours));
  const features = steps[0]?.length ?? 0;
  // Every fifth hour begins a window; no window of training has an hour of the last fifth, which is kept for the end.
  const options = { length: SEEN, horizon: DAY, stride: 5, targets: [0], validation: 0.2 };
  const { train, validation } = windows(steps, options);
  const model = sequential({ input: [SEEN, features] }, gru(features, 32), linear(32, DAY));
  const { history } = await fit(model, {
    data: train,
    validation,
    loss: mae(),
    optimizer: adam({ lr: 0.005 }),
    batchSize: 32,
    clip: { norm: 1 },
    epochs,
    seed,
  });
  const { data: x } = validation.x;
  const { data: y } = validation.y;
  return {
    network: history.at(-1)?.validation.loss ?? Number.NaN,
    yesterday: repeated(x, y, features, DAY),
    lastWeek: repeated(x, y, features, SEEN),
  };
}
