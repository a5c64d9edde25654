// Two networks against each other, on points of the plane:  npm run example:gan -- [--steps N] [--seed N] [--out FOLDER]
// Stopped and started again, it goes on where it was: everything is in loop.safetensors, in runs/gan/.
import { mkdir, rm } from "node:fs/promises";
import { parseArgs } from "node:util";
import { trainGan } from "./gan.js";
import { picture, ring } from "./ring.js";

const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "3000" },
    seed: { type: "string", default: "1" },
    out: { type: "string", default: "runs/gan" },
  },
});
const OUT = values.out;

await mkdir(OUT, { recursive: true });
const checkpoint = `${OUT}/loop.safetensors`;
const training = { steps: Number(values.steps), every: 250, seed: Number(values.seed), checkpoint };
const points = await trainGan(ring(8192), training, ({ step, lossD, lossG, distance }) => {
  console.log(
    `step ${String(step).padStart(5)}  loss of the discriminator ${lossD.toFixed(3)}, of the generator ${lossG.toFixed(3)}` +
      `  distance to the data ${distance.toFixed(4)}`,
  );
});
console.log(`\n${picture(points)}\n\n${points.length / 2} generated points; the data is a ring of radius 1`);
await rm(checkpoint, { force: true }); // done: the next one begins anew
