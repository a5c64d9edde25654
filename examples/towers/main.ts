// Named inputs and outputs: what users make of films:  npm run example:towers -- [--epochs N] [--seed N]
import { parseArgs } from "node:util";
import { table } from "../table.js";
import { ratings } from "./ratings.js";
import { learnRatings } from "./towers.js";

const { values } = parseArgs({
  options: { epochs: { type: "string", default: "20" }, seed: { type: "string", default: "1" } },
});
const training = { epochs: Number(values.epochs), seed: Number(values.seed) };
const [known, held] = [ratings(30_000), ratings(4_000, 30_000)];
const towers = await learnRatings(known, held, training, ({ epoch, rmse, auc }) => {
  if (epoch % 2 === 0)
    console.log(`epoch ${String(epoch).padStart(3)}  rating ±${rmse.toFixed(3)}  finished: AUC ${auc.toFixed(3)}`);
});
const films = [10, 20, 30, 40, 50];
const x = { user: films.map(() => 7), film: films, age: films.map(() => 34) };
const { rating } = await towers.predict(x);
const { finished } = await towers.predictProbabilities(x);
console.log("\nwhat user 7, aged 34, would make of five films:");
console.log(
  table(
    ["film", "rating", "watches to the end"],
    films.map((film, row) => [
      String(film),
      (rating.data[row] ?? Number.NaN).toFixed(2),
      (finished?.data[row] ?? Number.NaN).toFixed(2),
    ]),
  ),
);
