// Run by rows-isa.test.ts as a process of its own, since the kernel table is chosen once a process: steps of tables whose gradients are in
// rows, with every native optimizer, and of bags of lists, as one hash of weights and states.
import { createHash } from "node:crypto";
import { adam, embeddingBag, fit, l1, l2, linear, maxNorm, mse, ragged, sequential } from "carillon";
import { runtime } from "../../lib/runtime.js";
import { someLists } from "../nn/lists.js";
import { NATIVE } from "./every.js";
import { floats, idsOf, type Table, train } from "./tables.js";

const hash = createHash("sha256");
for (const make of Object.values(NATIVE)) {
  for (const updates of ["exact", "touched"] as const) {
    for (const regularizer of [undefined, [l2(0.1), l1(0.01, { proximal: true }), maxNorm(0.7)]]) {
      const table: Table = { rows: 70, columns: 19, width: 3, padding: 1, uses: 2, updates, regularizer };
      const made = train(table, make({ lr: 0.05 }), { clip: { norm: 0.5 } });
      for (let step = 1; step <= 3; step++) {
        const penalty = made.step(idsOf(table, 7, step), floats(7 * table.width * table.columns, step));
        hash.update(Float64Array.of(penalty));
      }
      for (const data of Object.values(made.look())) hash.update(data);
    }
  }
}
for (const mode of ["sum", "mean"] as const) {
  for (const rows of ["exact", "touched"] as const) {
    const x = someLists(40, 9, 50, mode === "sum");
    const y = Float32Array.from({ length: 40 }, (_, row) => (row % 7) - 3);
    const model = sequential({ input: ragged("i32") }, embeddingBag(50, 19, { mode, rows }), linear(19, 1));
    await fit(model, { data: { x, y }, loss: mse(), optimizer: adam(), batchSize: 16, epochs: 2, seed: 1 });
    for (const { data } of model.weights().values()) hash.update(data);
    hash.update(model.predictSync(x).data);
  }
}
console.log(JSON.stringify({ isa: runtime.isa, hash: hash.digest("hex") }));
