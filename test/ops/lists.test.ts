// Whoever adds an operation is reminded of its entry in the guide and its row of the benchmarks.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { nativeInfo } from "../../lib/binding/native.js";
import * as ops from "../../lib/ops/index.js";
import { root } from "../../scripts/tools.mjs";

/** The entries of docs/custom.md: the names in its table of operations. */
function entries(): readonly string[] {
  const guide = readFileSync(join(root, "docs/custom.md"), "utf8");
  const [, section = ""] = /^## Operations\n(.*?)^## /ms.exec(guide) ?? [];
  const rows = section.split("\n").filter((line) => line.startsWith("|"));
  return rows.flatMap((row) => [...row.matchAll(/`(\w+)/g)].map(([, name = ""]) => name));
}

test("every operation has an entry in the guide, and every entry is an operation", () => {
  expect([...new Set(entries())].sort()).toEqual(Object.keys(ops).sort());
});

/** Native operations without a row of `npm run bench`, and why. */
const UNMEASURED: Readonly<Record<string, string>> = {
  axis_sum: "in no network of the suites yet; so all of these",
  concat: "likewise",
  gemm_batch: "likewise; each of its products is a gemm",
  take: "likewise",
  bag: "likewise",
  scatter_rows: "likewise",
  merge_rows: "a look-up of one table more, and a part of a batch more",
  rows_squares: "where gradients are clipped by norm",
  take_gradient: "likewise",
  gemm_fused: "rows of the suite train are steps of networks that have them",
  softmax_cross_entropy_both: "as gemm_fused",
  gather: "as gemm_fused",
  gather_ends: "as gemm_fused",
  gather_lists: "as gemm_fused",
  expect_finite: "as gemm_fused",
  collect: "as gemm_fused, where fit has metrics",
  log_scalar: "as gemm_fused; one number a step",
  row_count: "one number a step",
  schedule_value: "one number a step",
  permutation: "once an epoch",
  uniform: "once a model",
  normal: "once a model",
  one_hot: "losses have it fused; alone it is a fill and a store a row",
  count_equal: "in no network",
  frozen_pack: "once a predictor",
  frozen_product: "rows of the suite serving are predictors",
};

test("every native operation is measured, or says why not", () => {
  const folder = join(root, "bench/native");
  const sources = readdirSync(folder).map((file) => readFileSync(join(folder, file), "utf8"));
  const measured = new Set(sources.flatMap((text) => [...text.matchAll(/\bop_(\w+)/g)].map(([, name = ""]) => name)));
  const missing = nativeInfo.operations.filter((name) => !measured.has(name));
  expect(missing.sort()).toEqual(Object.keys(UNMEASURED).sort());
});
