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
  attention: "rows of the suite layers are steps of networks that have it",
  attention_gradient: "likewise",
  attention_cached: "likewise",
  augment: "a copy of each image, beside the convolution behind it",
  gemm_batch: "each of its products is a gemm",
  gemm_fused: "rows of the suite train are steps of networks that have them",
  conv: "a gemm whose left side lies in segments",
  conv_transposed: "as conv",
  conv_weight: "as conv",
  max_pool: "a few elements of each window, beside the convolution in front of it",
  max_pool_gradient: "as max_pool",
  step_mask: "a fill of each example",
  in_batch: "a gemm and a softmax",
  in_batch_gradient: "two gemm and a softmax",
  candidates: "a few numbers a step",
  average_pool: "as max_pool",
  average_pool_gradient: "as max_pool",
  gather_ends: "one number an example",
  gather_lists: "a gather of lists: of rows of one length it is measured",
  log_scalar: "one number a step",
  parametric: "rows of the suite tabular are steps of RealMLP-TD, which has it",
  parametric_gradient: "likewise",
  periodic: "as parametric",
  periodic_gradient: "as parametric",
  recurrence: "rows of the suite layers are steps of networks that have it",
  recurrence_gradient: "likewise",
  row_count: "one number a step",
  schedule_value: "one number a step",
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
