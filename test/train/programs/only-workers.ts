// Loads the library in workers alone, one after another: the first trains to its end, the second is ended in the middle of a
// run, the third trains again. Arguments: the bundles of train-worker and train-forever. The last worker to leave would take
// the native library out of memory, were it not told to stay.
import { once } from "node:events";
import { Worker } from "node:worker_threads";

const [, , training = "", forever = ""] = process.argv;
const hashes = new Set<unknown>();
for (const module of [training, forever, training]) {
  const worker = new Worker(module, { workerData: { threads: 2 } });
  const ended = once(worker, "exit");
  const [message]: unknown[] = await once(worker, "message");
  if (module === forever) await worker.terminate();
  else hashes.add(message);
  await ended;
}
process.stdout.write(`${hashes.size}`);
