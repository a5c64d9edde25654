// Every optimizer on one network, and its path over two surfaces:  npm run example:optimizers [-- --quick] [--out FOLDER]
import { mkdir, writeFile } from "node:fs/promises";
import { loadDigits } from "../digits/digits.js";
import { exampleOptions } from "../options.js";
import { writePicture } from "../plot.js";
import { percent, table } from "../table.js";
import { CONTESTANTS, RATES } from "./contestants.js";
import { bestPath, type Path, SURFACES } from "./paths.js";
import { lossPicture, pathPicture } from "./pictures.js";
import { type Race, type Trained, trainContestant } from "./train.js";

const { quick, out: OUT } = exampleOptions("optimizers");
const contestants = quick ? CONTESTANTS.slice(0, 2) : CONTESTANTS;

const started = performance.now();
const race: Race = { ...(await loadDigits()), epochs: quick ? 1 : 12, seeds: quick ? [0] : [0, 1, 2] };
await mkdir(OUT, { recursive: true });

console.log(
  `Digits, 64 → 128 → 64 → 10, ${race.epochs} epochs, rates falling to 0 in a straight line. η is the one of\n` +
    `${RATES.join(", ")} with the least loss on a fifth of the training images, held out for it;\n` +
    `figures are means of the seeds ${race.seeds.join(", ")}, trained on all of them.\n`,
);
const trained: Trained[] = [];
for (const contestant of contestants) trained.push(await trainContestant(contestant, race));
console.log(
  `${table(
    ["optimizer", "η", "loss of epoch 1", `of epoch ${race.epochs}`, "test accuracy"],
    trained.map(({ name, lr, losses, accuracy }) => [
      name,
      String(lr),
      (losses[0] ?? Number.NaN).toFixed(3),
      (losses.at(-1) ?? Number.NaN).toFixed(4),
      percent(accuracy, 2),
    ]),
  )}\n`,
);
await writePicture(`${OUT}/losses.svg`, lossPicture(trained));

const paths: Record<string, readonly Path[]> = {};
for (const surface of SURFACES) {
  const found = contestants.map((contestant) => bestPath(contestant, surface));
  paths[surface.name] = found;
  await writePicture(`${OUT}/${surface.name.toLowerCase()}.svg`, await pathPicture(surface, found));
}
console.log("Distance from the minimum in the end, with the rate whose path is nearest to it on average:");
console.log(
  `${table(
    ["optimizer", ...SURFACES.flatMap(({ name, formula, steps }) => [`${name} ${formula}, ${steps} steps`, "η"])],
    contestants.map(({ name }, row) => [
      name,
      ...SURFACES.flatMap((surface) => {
        const path = paths[surface.name]?.[row];
        return [(path?.distance ?? Number.NaN).toExponential(1), String(path?.lr)];
      }),
    ]),
  )}\n`,
);

const seconds = (performance.now() - started) / 1000;
const summary = {
  epochs: race.epochs,
  seeds: race.seeds,
  rates: RATES,
  trained,
  paths: Object.fromEntries(
    SURFACES.map(({ name, formula, steps }) => [
      name,
      {
        formula,
        steps,
        ends: paths[name]?.map((path) => ({
          name: path.name,
          lr: path.lr,
          distance: path.distance,
          end: path.points.at(-1),
        })),
      },
    ]),
  ),
  seconds,
};
await writeFile(`${OUT}/summary.json`, `${JSON.stringify(summary, undefined, 2)}\n`);
console.log(`${OUT}: losses, rosenbrock, ravine (.svg) and summary.json, in ${seconds.toFixed(1)} s`);
