// Makes fixtures/first-model.safetensors and first-checkpoint.safetensors: files as the writer of commit 38b9b66 made them,
// before they said which version of their layout they have. Run with that commit's package: node make_first_files_fixture.mjs
import { writeFileSync } from "node:fs";
import { adam, dropout, earlyStopping, fit, linear, minMax, mse, relu, sequential, standardize } from "carillon";

const x = Array.from({ length: 12 }, (_, row) => [row / 4, (row * 5) % 12, 3 - row]);
const y = x.map(([a = 0, b = 0, c = 0]) => [a + b, b - 2 * c]);
const model = sequential(linear(3, 4), relu(), dropout(0.25), linear(4, 2, { name: "head" }));
const { checkpoint } = await fit(model, {
  data: { x, y },
  inputs: standardize(),
  targets: minMax(),
  loss: mse(),
  optimizer: adam({ lr: 0.01 }),
  averageWeights: { decay: 0.9 },
  callbacks: [earlyStopping({ monitor: "loss", patience: 3, restoreBest: true })],
  epochs: 3,
  batchSize: 4,
  seed: 7,
});
const folder = new URL("fixtures/", import.meta.url);
writeFileSync(new URL("first-model.safetensors", folder), model.bytes());
writeFileSync(new URL("first-checkpoint.safetensors", folder), checkpoint());
