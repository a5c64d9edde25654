// From a table to a model that takes raw rows:  npm run example:churn -- [--epochs N] [--out FOLDER]
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { loadTabular, schemaOf, tabular } from "carillon";
import { csvOf, customers } from "./customers.js";

const { values } = parseArgs({
  options: { epochs: { type: "string", default: "64" }, out: { type: "string", default: "runs/example-churn" } },
});
await mkdir(values.out, { recursive: true });
const rows = customers(6000);
const [file, later] = [join(values.out, "churn.csv"), join(values.out, "new.csv")];
await writeFile(file, csvOf(rows.slice(0, 5000)));
await writeFile(later, csvOf(rows.slice(5000)));

const { schema, warnings } = await schemaOf(file, { target: "churned" });
for (const [name, { kind, why }] of Object.entries(schema.columns))
  console.log(`${name.padEnd(14)} ${kind.padEnd(9)} ${why}`);
for (const { text } of warnings) console.log(`warning: ${text}`);

const run = tabular({ preset: "fast", epochs: Number(values.epochs), seed: 1 }).fit(file, { target: "churned" });
for await (const event of run) {
  if (event.kind === "epoch" && event.epoch % 16 === 0)
    console.log(
      `epoch ${event.epoch}  loss ${event.loss.toFixed(4)}  ${event.validation.figure.value.toFixed(4)} right`,
    );
}
const model = await run;
const path = join(values.out, "model.safetensors");
await model.save(path);

// In another process it would be the same: raw rows, with whatever came of them
const loaded = await loadTabular(path);
console.log("on new customers:", await loaded.evaluate(later));
const { probabilities } = await loaded.predict({ ...rows[0], plan: "gold", minutes: null, churned: undefined });
console.log(`one row: ${(100 * (probabilities?.data[1] ?? 0)).toFixed(1)}% that they leave`);
