// The load of the next day from the week before it:  npm run example:series -- [--epochs N] [--hours N] [--seed N]
import { parseArgs } from "node:util";
import { forecast } from "./forecast.js";

const { values } = parseArgs({
  options: {
    epochs: { type: "string", default: "12" },
    hours: { type: "string", default: "8760" },
    seed: { type: "string", default: "1" },
  },
});
const errors = await forecast({
  hours: Number(values.hours),
  epochs: Number(values.epochs),
  seed: Number(values.seed),
});
console.log("mean error of an hour of the next day, over the last fifth of the year:");
console.log(`as yesterday:       ${errors.yesterday.toFixed(3)}`);
console.log(`as a week before:   ${errors.lastWeek.toFixed(3)}`);
console.log(`a GRU over a week:  ${errors.network.toFixed(3)}`);
