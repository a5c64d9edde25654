// Starts a run in the folder `argv[2]` and tells how it ended, and whether its data was asked for. `argv[3]`: a folder to be in.
import { dataset, fit, linear, mse, sequential, sgd } from "carillon";

const [dir = "", cwd] = process.argv.slice(2);
if (cwd !== undefined) process.chdir(cwd);
let asked = false;
const data = dataset(function* () {
  asked = true;
  yield { x: [[1], [2], [3]], y: [[1], [2], [3]] };
});
const ended = await fit(sequential(linear(1, 1)), {
  data,
  loss: mse(),
  optimizer: sgd({ lr: 0.1 }),
  steps: 2,
  batchSize: 3,
  checkpoint: { dir, every: { steps: 1 } },
  resume: "auto",
}).then(
  ({ step }) => ({ step }),
  (error: unknown) => error,
);
process.stdout.write(JSON.stringify({ ended, asked }));
