// A small transformer and a GRU learn sonnets, and write on:  npm run example:characters [-- --quick] [--out FOLDER]
import { exampleOptions } from "../options.js";
import { BLUE, ORANGE, writePicture } from "../plot.js";
import { percent } from "../table.js";
import { learn, recurrent, transformer, written } from "./models.js";
import { knownShare } from "./text.js";

const { quick, out } = exampleOptions("characters");
const training = quick ? { epochs: 1, stride: 64, seed: 1 } : { epochs: 20, stride: 3, seed: 1 };
const letters = quick ? 80 : 600;
const BEGINNING = "When I ";

const networks = [
  { name: "transformer", make: transformer },
  { name: "GRU", make: recurrent },
];
const points: { readonly network: string; readonly epoch: number; readonly loss: number }[] = [];
for (const { name, make } of networks) {
  const model = make();
  const started = performance.now();
  const losses = await learn(model, training);
  const seconds = (performance.now() - started) / 1000;
  for (const [at, loss] of losses.entries()) points.push({ network: name, epoch: at + 1, loss });
  const begun = performance.now();
  const text = await written(model, BEGINNING, letters);
  const each = ((performance.now() - begun) * 1000) / letters;
  const share = percent(knownShare(text), 0);
  console.log(`${name}: loss ${losses.at(-1)?.toFixed(3)} a letter after ${seconds.toFixed(1)} s`);
  console.log(`${share} of its words are in the sonnets; a letter took ${each.toFixed(0)} µs\n\n${text}\n`);
}
await writePicture(`${out}/loss.svg`, {
  width: 420,
  height: 260,
  title: { text: "Loss of the next letter", subtitle: "mean of an epoch, in nats a letter" },
  data: { values: points },
  mark: { type: "line", point: true },
  encoding: {
    x: { field: "epoch", type: "quantitative", axis: { tickMinStep: 1 } },
    y: { field: "loss", type: "quantitative" },
    color: { field: "network", type: "nominal", title: null, scale: { range: [ORANGE, BLUE] } },
  },
});
console.log(`${out}: loss.svg`);
