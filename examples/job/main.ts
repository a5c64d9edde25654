// Trains what a file describes, on two moons:  npm run example:job -- [--job FILE] [--epochs N] [--out FOLDER]
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { readJob, runJob, writeJob } from "./job.js";
import { moons } from "./moons.js";

const { values } = parseArgs({
  options: {
    job: { type: "string" },
    epochs: { type: "string" },
    out: { type: "string", default: "runs/job" },
  },
});
const examples = join(dirname(createRequire(import.meta.url).resolve("carillon/package.json")), "examples");
const file = values.job ?? join(examples, "job/job.json");
const job = readJob(await readFile(file, "utf8"));
const result = await runJob(
  values.epochs === undefined ? job : { ...job, epochs: Number(values.epochs) },
  moons(512),
  moons(256, 512),
);
for (const { epoch, loss, validation } of result.history) {
  const told = `epoch ${String(epoch).padStart(3)}  loss ${loss.toFixed(4)}`;
  if (epoch % 5 === 0) console.log(`${told}  on new points ${validation?.loss.toFixed(4)}`);
}

await mkdir(values.out, { recursive: true });
await writeFile(`${values.out}/job.json`, writeJob(job)); // with every default that the file did not say
await job.model.save(`${values.out}/model.safetensors`);
console.log(`${result.reason} after ${result.step} steps; job and model are in ${values.out}`);
