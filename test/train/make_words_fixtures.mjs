// Makes fixtures/words-run.safetensors, words-groups.safetensors and words-loop.safetensors: checkpoints as the writer of commit
// 758724b made them, which told optimizers, losses and schedules in words, before there were descriptions. Run with that
// commit's package: node make_words_fixtures.mjs
import { writeFileSync } from "node:fs";
import { fit, saveCheckpoint } from "carillon";
import { loop, path, RUNS } from "./words_runs.mjs";

for (const [name, { make, options }] of Object.entries(RUNS)) {
  writeFileSync(path(name), (await fit(make(), options(5))).checkpoint());
}
const { parts, run } = loop();
await run(3);
await saveCheckpoint(path("loop"), { ...parts, state: { epoch: 1 } });
