// Predictors in worker threads: one that comes to its end, and several that are terminated while they answer. Argument: the bundle of
// served.
import { once } from "node:events";
import { Worker } from "node:worker_threads";

const [, , served = ""] = process.argv;
for (const delay of [undefined, 0, 20, 40, 60, 80]) {
  const worker = new Worker(served);
  const ended = once(worker, "exit");
  if (delay !== undefined) {
    await once(worker, "online");
    await new Promise((resolve) => setTimeout(resolve, delay));
    await worker.terminate();
  }
  await ended;
}
