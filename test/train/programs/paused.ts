// Pauses a run in a process that has nothing else to do, and lets it go on by a timer that holds no process.
import { fit, linear, mse, sequential, sgd } from "carillon";

const run = fit(sequential(linear(1, 1)), {
  data: { x: [[1], [2]], y: [1, 2] },
  loss: mse(),
  optimizer: sgd({ lr: 0.01 }),
  epochs: 100_000,
  reportEvery: 1,
});
run.pause();
setTimeout(() => run.resume(), 300).unref();
process.on("exit", (code) => console.log(`exit ${code}`));
run.then(({ reason, step }) => console.log(`${reason} at ${step}`));
