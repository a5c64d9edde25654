// Run by rows-isa.test.ts as a process of its own, since the kernel table is chosen once a process: steps of tables whose gradients are in
// rows, with every native optimizer, as one hash of weights and states.
import { createHash } from "node:crypto";
import { l1, l2, maxNorm } from "carillon";
import { runtime } from "../../lib/runtime.js";
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
console.log(JSON.stringify({ isa: runtime.isa, hash: hash.digest("hex") }));
