// Temperatures of the next seven days with intervals:  npm run example:forecast -- [--epochs N] [--seed N] [--out FOLDER]
import { join } from "node:path";
import { parseArgs } from "node:util";
import { forecast } from "./forecast.js";

const { values } = parseArgs({
  options: {
    epochs: { type: "string", default: "40" },
    seed: { type: "string", default: "1" },
    out: { type: "string", default: "runs/forecast" },
  },
});
const { network, lastYear, lastDay, covered, widths, days } = await forecast({
  epochs: Number(values.epochs),
  seed: Number(values.seed),
});
console.log("mean error of the highest temperature of a day, over the next seven, all of 2015:");
console.log(`as a year ago:         ${lastYear.toFixed(2)} °C`);
console.log(`as on the last day:    ${lastDay.toFixed(2)} °C`);
console.log(`a GRU over four weeks: ${network.toFixed(2)} °C`);
const [next, last] = widths;
console.log(`its intervals of 80% hold ${(100 * covered).toFixed(1)}% of the days;`);
console.log(`they are ${next.toFixed(1)} °C wide for the next day and ${last.toFixed(1)} °C for the seventh.`);

const { writePicture, BLUE, GREY, ORANGE } = await import("../plot.js").catch(() => {
  console.log("no picture: it wants the packages vega and vega-lite");
  process.exit();
});
const path = join(values.out, "forecast.svg");
const rows = days.map(({ date, high, quantiles: [low, middle, most], lastYear: before }) => {
  return { date, high, low, middle, most, before };
});
await writePicture(path, {
  title: {
    text: "The next day's highest temperature in Seattle, told the day before",
    subtitle: `interval of 80%, which holds ${(100 * covered).toFixed(0)}% of the next seven days; dots: as it was`,
  },
  width: 900,
  height: 320,
  data: { values: rows },
  encoding: { x: { field: "date", type: "temporal", title: null } },
  layer: [
    {
      mark: { type: "area", color: BLUE, opacity: 0.25 },
      encoding: { y: { field: "low", type: "quantitative", title: "°C" }, y2: { field: "most" } },
    },
    {
      mark: { type: "line", color: GREY, strokeWidth: 1, opacity: 0.5 },
      encoding: { y: { field: "before", type: "quantitative" } },
    },
    { mark: { type: "line", color: BLUE }, encoding: { y: { field: "middle", type: "quantitative" } } },
    {
      mark: { type: "point", color: ORANGE, size: 8, filled: true },
      encoding: { y: { field: "high", type: "quantitative" } },
    },
  ],
});
console.log(`wrote ${path}`);
