// Run by isa.test.ts as a process of its own, since the kernel table is chosen once a process: every sample of every
// operation, forward and backward, as one hash an operation.
import { createHash } from "node:crypto";
import { runtime } from "../../lib/runtime.js";
import { samples } from "./samples.js";
import * as ways from "./ways.js";

/** What the parent reads from standard output. */
interface Report {
  readonly isa: string;
  /** Samples an operation, and the hash of the bits of their results and gradients. */
  readonly operations: Readonly<Record<string, { readonly samples: number; readonly hash: string }>>;
}

const operations: Record<string, { samples: number; hash: string }> = {};
for (const [operation, usages] of Object.entries(samples)) {
  const named = ways.namedSamples(operation, usages);
  const hash = createHash("sha256");
  for (const one of named) {
    const results = one.usage.programOnly === true ? await ways.inProgram(one, { batch: true }) : ways.eager(one);
    for (const result of results) hash.update(ways.bits(result));
  }
  operations[operation] = { samples: named.length, hash: hash.digest("hex") };
}

const report: Report = { isa: runtime.isa, operations };
console.log(JSON.stringify(report));
