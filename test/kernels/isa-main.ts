// Run by isa.test.ts as a process of its own, since the kernel table is chosen once a process: every use of every kernel
// at all small sizes on one thread and at a large one on three, as one hash a use.
import { createHash } from "node:crypto";
import { runtime } from "carillon/kernels";
import { CASES, LARGE, nameOf, SMALL } from "./cases.js";
import { bytes, Memory } from "./memory.js";

const hashes = CASES.map((one): [string, string] => {
  const hash = createHash("sha256");
  for (const size of [...SMALL, LARGE]) {
    for (const array of one.run(size, new Memory(size + 1, 1), size === LARGE ? 3 : 1)) hash.update(bytes(array));
  }
  return [nameOf(one), hash.digest("hex")];
});
console.log(JSON.stringify({ isa: runtime.isa, hashes }));
