// 200 fits, predictions and evaluations; prints the native memory before and after, garbage collected (--expose-gc).
import { adam, crossEntropy, fit, linear, relu, runtime, sequential } from "carillon";
import { clusters } from "../synthetic.js";

const data = clusters(64, 16, 4);

async function once(): Promise<void> {
  const model = sequential(linear(16, 32), relu(), linear(32, 4));
  await fit(model, { data, validation: data, loss: crossEntropy(), optimizer: adam(), epochs: 2 });
  await model.predict(data.x);
  model.predictSync(data.x);
  await model.evaluate(data, { loss: crossEntropy() });
  await fit(model, { data: { x: data.x, y: [9] }, loss: crossEntropy(), optimizer: adam(), epochs: 1 }).catch(
    () => undefined,
  );
}

/** Finalizers of native objects run in turns of the event loop after a collection. */
async function settled(): Promise<{ readonly bytes: number; readonly buffers: number }> {
  for (let turn = 0; turn < 10; turn++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const { bytes, buffers } = runtime.memory();
  return { bytes, buffers };
}

await once();
const before = await settled();
for (let round = 0; round < 200; round++) await once();
const peak = runtime.memory().bytes;
console.log(JSON.stringify({ before, peak, after: await settled() }));
