// TensorFlow.js with one of its backends. The packages are no dependency of the project: CARILLON_PEERS_NODE names a directory
// whose node_modules has @tensorflow/tfjs and its wasm and cpu backends.
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";

/**
 * What is needed of the package to choose a backend.
 *
 * @typedef {{ setBackend: (name: string) => Promise<boolean>, ready: () => Promise<void> }} Backends
 */

/**
 * The package; T says what of it the caller uses.
 *
 * @template {Backends} T
 * @param {string} backend wasm or cpu
 * @returns {Promise<T>}
 */
export async function loadTf(backend) {
  const directory = process.env.CARILLON_PEERS_NODE;
  if (directory === undefined) throw new Error("CARILLON_PEERS_NODE is not set");
  const load = createRequire(join(resolve(directory), "package.json"));
  /** @type {T} */
  const tf = load("@tensorflow/tfjs");
  /** @type {{ setWasmPaths(directory: string): void }} */
  const { setWasmPaths } = load("@tensorflow/tfjs-backend-wasm");
  setWasmPaths(`${dirname(load.resolve("@tensorflow/tfjs-backend-wasm"))}/`);
  if (!(await tf.setBackend(backend))) throw new Error(`the backend ${backend} cannot be used`);
  await tf.ready();
  return tf;
}
