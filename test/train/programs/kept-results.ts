// Keeps the runs and results of several fits, and of what their callbacks were given, and tells what native memory they hold.
import { type Callback, type Decision, fit, linear, mse, runtime, sequential, sgd } from "carillon";

const ROWS = 50_000;
const COLUMNS = 20;

async function settled(): Promise<number> {
  for (let turn = 0; turn < 10; turn++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return runtime.memory().bytes;
}

const before = await settled();
const kept: unknown[] = [];
const checkpoints: (() => Uint8Array)[] = [];
for (let index = 0; index < 6; index++) {
  const model = sequential(linear(COLUMNS, 1));
  const decisions: Decision[] = [];
  const keeping: Callback = {
    name: "keeping",
    decide: (at) => {
      decisions.push(at);
    },
  };
  const data = { x: new Float32Array(ROWS * COLUMNS).fill(index), y: new Float32Array(ROWS) };
  const run = fit(model, {
    data,
    validation: data,
    loss: mse(),
    optimizer: sgd({ lr: 1e-9 }),
    metrics: ["rmse"],
    batchSize: 1000,
    epochs: 2,
    callbacks: [keeping],
  });
  const result = await run;
  checkpoints.push(result.checkpoint);
  kept.push(run, result, decisions);
}
const after = await settled();
console.log(
  JSON.stringify({
    kept: after - before,
    data: ROWS * COLUMNS * 4,
    checkpoints: checkpoints.filter((checkpoint) => checkpoint().length > 0).length,
    objects: kept.length,
  }),
);
