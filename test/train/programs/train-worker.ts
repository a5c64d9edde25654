// A worker that trains with workerData.threads and posts the hash of the weights.
import { parentPort, workerData } from "node:worker_threads";
import { trainSmall } from "./train-small.js";

const { threads } = workerData as { readonly threads: number };
parentPort?.postMessage(await trainSmall(threads));
