// A Wasserstein GAN with a gradient penalty, on points of the plane:  npm run example:gradient-penalty -- [--steps N] [--seed N]
import { parseArgs } from "node:util";
import { picture, ring } from "../gan/ring.js";
import { trainWgan } from "./wgan.js";

const { values } = parseArgs({
  options: { steps: { type: "string", default: "600" }, seed: { type: "string", default: "1" } },
});
const training = { steps: Number(values.steps), every: 50, seed: Number(values.seed) };
const points = await trainWgan(ring(8192), training, ({ step, wasserstein, penalty, distance }) => {
  console.log(
    `step ${String(step).padStart(4)}  told apart by the critic ${wasserstein.toFixed(4)}  penalty ${penalty.toFixed(4)}` +
      `  distance to the data ${distance.toFixed(4)}`,
  );
});
console.log(`\n${picture(points)}\n\n${points.length / 2} generated points; the data is a ring of radius 1`);
