// Types of losses whose targets are not as wide as the outputs, and of streams.
import {
  adam,
  coverage,
  fit,
  focal,
  gru,
  inBatchSoftmax,
  linear,
  pinball,
  sampledSoftmax,
  sequential,
  triplet,
} from "carillon";

const model = sequential({ input: [4, 1] }, gru(1, 8), linear(8, 3));
const { history } = await fit(model, {
  data: { x: [[[1], [2], [3], [4]]], y: [5] },
  loss: pinball({ quantiles: [0.1, 0.5, 0.9] }),
  metrics: ["pinball", coverage(80)],
  optimizer: adam(),
  epochs: 1,
});
export const covered: number | undefined = history[0]?.metrics.coverage80;
// @ts-expect-error: no such metric was asked for
export const other = history[0]?.metrics.coverage90;

focal({ alpha: [1, 2] });
focal({ alpha: 0.25, target: "probabilities" });
// @ts-expect-error: classes or probabilities
focal({ target: "labels" });
// @ts-expect-error: which quantiles?
pinball();
// @ts-expect-error: which quantiles?
pinball({});
// @ts-expect-error: a number
triplet({ margin: "1" });
// @ts-expect-error: how many items?
inBatchSoftmax({ temperature: 0.1 });
sampledSoftmax({ samples: 10, draw: "uniform" });
// @ts-expect-error: no such draw
sampledSoftmax({ samples: 10, draw: "zipf" });

const streams = model.predictor({ stateful: true });
streams.run([[[1]]]);
streams.reset(0);
streams.reset();
// @ts-expect-error: a lane is a number
streams.reset("0");
