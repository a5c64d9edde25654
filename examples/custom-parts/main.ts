// A layer, a loss and a metric of one's own, in fit:  npm run example:custom-parts -- [--epochs N] [--seed N]
import { parseArgs } from "node:util";
import { table } from "../table.js";
import { noisy, quantile } from "./noisy.js";
import { learnQuantiles, QUANTILES } from "./quantiles.js";

const { values } = parseArgs({
  options: { epochs: { type: "string", default: "40" }, seed: { type: "string", default: "1" } },
});
const training = { epochs: Number(values.epochs), seed: Number(values.seed) };
const model = await learnQuantiles(noisy(4096), noisy(1024, 4096), training, ({ epoch, loss, coverage }) => {
  if (epoch % 5 === 0)
    console.log(`epoch ${String(epoch).padStart(3)}  loss ${loss.toFixed(4)}  coverage ${coverage.toFixed(3)}`);
});
const places = [-0.9, -0.5, 0, 0.5, 0.9];
const { data } = await model.predict(places.map((x) => [x]));
console.log("\nquantiles of y given x, learned and true:");
console.log(
  table(
    ["x", ...QUANTILES.flatMap((q) => [`${q}`, "true"])],
    places.map((x, row) => [
      x.toFixed(1),
      ...QUANTILES.flatMap((q, at) => [(data[3 * row + at] ?? Number.NaN).toFixed(3), quantile(x, q).toFixed(3)]),
    ]),
  ),
);
