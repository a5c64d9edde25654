// A table with categories beside numbers:  npm run example:categories -- [--epochs N] [--seed N]
import { parseArgs } from "node:util";
import { learnCodes, learnSales } from "./forecast.js";
import { NOISE, sales } from "./sales.js";

const { values } = parseArgs({
  options: { epochs: { type: "string", default: "15" }, seed: { type: "string", default: "1" } },
});
const training = { epochs: Number(values.epochs), seed: Number(values.seed) };
const [known, held] = [sales(20_000), sales(4_000, 20_000)];
await learnSales(known, held, training, ({ epoch, rmse }) => {
  if (epoch % 3 === 0) console.log(`epoch ${String(epoch).padStart(3)}  error ${rmse.toFixed(3)} on new sales`);
});
console.log(`codes of the categories as numbers: ${(await learnCodes(known, held, training)).toFixed(3)}`);
console.log(`what no network can know:           ${NOISE.toFixed(3)}`);
