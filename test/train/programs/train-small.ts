// One training that a worker and the main thread can both do.
import { adam, crossEntropy, dropout, fit, l2, linear, relu, sequential } from "carillon";
import { bitsOf, clusters } from "../synthetic.js";

/** The hash of the trained weights. */
export async function trainSmall(threads: number): Promise<string> {
  const model = sequential(linear(64, 128), relu(), dropout(0.5), linear(128, 10));
  await fit(model, {
    data: clusters(500, 64, 10),
    loss: crossEntropy(),
    optimizer: adam(),
    regularizer: l2(1e-3),
    epochs: 10,
    batchSize: 64,
    seed: 4,
    threads,
  });
  return bitsOf(model);
}
