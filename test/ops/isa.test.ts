import { expect, test } from "vitest";
import { reportsByIsa } from "../reports_by_isa.js";
import { samples } from "./samples.js";
import * as ways from "./ways.js";

/** What isa-main.ts prints. */
interface Report {
  readonly isa: string;
  readonly operations: object;
}

test("every instruction set computes the same bits for every sample of every operation", async () => {
  const reports = await reportsByIsa<Report>("test/ops/isa-main.ts");
  const counts = Object.entries(samples).map(([name, usages]) => [name, ways.namedSamples(name, usages).length]);
  for (const { operations } of reports) {
    expect(operations).toEqual(reports.at(-1)?.operations);
    const counted = Object.entries(operations).map(([name, of]) => [name, of.samples]);
    expect(counted).toEqual(counts);
  }
});
