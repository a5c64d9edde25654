// A run that ends only with its environment. As a worker it posts 'training' first; as a process it obeys its argument:
// `exit` ends the process in the middle of the run with code 7, `throw` by an uncaught error.
import { parentPort } from "node:worker_threads";
import { adam, crossEntropy, fit, linear, relu, sequential } from "carillon";
import { clusters } from "../synthetic.js";

const model = sequential(linear(64, 256), relu(), linear(256, 10));
const run = fit(model, { data: clusters(512, 64, 10), loss: crossEntropy(), optimizer: adam(), epochs: 1_000_000 });
for await (const event of run) {
  if (event.kind !== "epoch") continue;
  parentPort?.postMessage("training");
  const [, , how] = process.argv;
  if (how === "exit") process.exit(7);
  if (how === "throw") {
    setImmediate(() => {
      throw new Error("uncaught on purpose");
    });
  }
}
