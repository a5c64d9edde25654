// Trains two rows for a great many epochs, with a callback's best; what it remembers must fit into a small heap.
import { earlyStopping, fit, linear, mse, sequential, sgd } from "carillon";

const epochs = Number(process.argv[2]);
const { history, best, seconds } = await fit(sequential(linear(1, 1)), {
  data: { x: [[1], [2]], y: [[1], [3]] },
  loss: mse(),
  optimizer: sgd({ lr: 1e-9 }),
  epochs,
  callbacks: [earlyStopping({ monitor: "loss", patience: 1, every: { epochs } })],
});
console.log(
  JSON.stringify({
    epochs,
    length: history.length,
    first: history[0]?.epoch,
    last: history.at(-1)?.epoch,
    best: best?.epoch,
    heap: process.memoryUsage().heapUsed,
    seconds,
  }),
);
