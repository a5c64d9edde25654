// Run by carry.test.ts as a process of its own, since the kernel table is chosen once a process: weights behind runs through windows that go on from one
// another, as one hash.
import { createHash } from "node:crypto";
import { fit } from "carillon";
import { runtime } from "../../lib/runtime.js";
import { drawing, OPTIONS } from "./carried.js";

const hash = createHash("sha256");
for (const kind of ["lstm", "gru", "rnn"] as const) {
  const model = drawing(kind);
  await fit(model, { ...OPTIONS, epochs: 2 });
  for (const { data } of model.weights().values()) hash.update(data);
}
process.stdout.write(JSON.stringify({ isa: runtime.isa, hash: hash.digest("hex") }));
