// Makes, uses and drops things in one synchronous loop: no turn of the event loop tells native code that they are gone.
// Prints the most resident megabytes in the loop, and those after it.
import { linear, ops, relu, sequential, tensor } from "carillon";

const MEGABYTE = 2 ** 20;
/** Where nothing is given back it ends, before the machine does. */
const FAR_TOO_MUCH = 1024 * MEGABYTE;

const x = [Array.from({ length: 256 }, (_, index) => index / 256)];
/** 1 MB of weights. */
const make = () => sequential(linear(256, 1000, { init: 0.01 }), relu(), linear(1000, 4));
const kept = make();
const square = tensor(new Float32Array(MEGABYTE / 4), [512, 512]);

const KINDS: Readonly<Record<string, () => unknown>> = {
  models: () => make().predictSync(x),
  clones: () => kept.clone().predictSync(x),
  predictions: () => kept.predictSync(x),
  tensors: () => ops.add(ops.matmul(square, square), square),
};

const [kind = "models", count = "100"] = process.argv.slice(2);
const work = KINDS[kind] ?? make;
let most = 0;
for (let index = 0; index < Number(count) && most < FAR_TOO_MUCH; index++) {
  work();
  if (index % 10 === 0) most = Math.max(most, process.memoryUsage.rss());
}
await new Promise((resolve) => {
  setTimeout(resolve, 200);
});
const megabytes = (bytes: number): number => Math.round(bytes / MEGABYTE);
console.log(JSON.stringify({ most: megabytes(most), after: megabytes(process.memoryUsage.rss()) }));
