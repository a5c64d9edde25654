import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** Rooms whose tests leave nothing behind: no mocks, clocks, folders or environment that another file would meet. */
const PURE = [
  "binding",
  "data",
  "dropout",
  "exchange",
  "graph",
  "io",
  "kernels",
  "nn",
  "ops",
  "optim",
  "regularizers",
  "report",
  "table",
  "tabular",
  "tensor",
  "train",
];

/** In these rooms the tests that replace something of the process, or measure its memory or its event loop. */
const APART = [
  "test/io/file.test.ts",
  "test/io/folder_lock.test.ts",
  "test/io/limits.test.ts",
  "test/nn/caller.test.ts",
  "test/nn/frozen_memory.test.ts",
  "test/nn/ragged.test.ts",
  "test/nn/turns.test.ts",
  "test/tabular/large.test.ts",
  "test/train/clocks.test.ts",
  "test/train/concurrency.test.ts",
  "test/train/folder.test.ts",
  "test/train/memory.test.ts",
  "test/train/moment.test.ts",
  "test/train/mutations.test.ts",
  "test/train/pause.test.ts",
  "test/train/progress.test.ts",
  "test/train/realms.test.ts",
  "test/train/resume.test.ts",
];

const pure = PURE.map((room) => `test/${room}/**/*.test.ts`);
const others = readdirSync(new URL("./test", import.meta.url), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !PURE.includes(entry.name))
  .map(({ name }) => `test/${name}/**/*.test.ts`);

export default defineConfig({
  resolve: {
    // The longer name first: an alias reaches what begins with it.
    alias: {
      "carillon/exchange": fileURLToPath(new URL("./lib/exchange/index.ts", import.meta.url)),
      "carillon/kernels": fileURLToPath(new URL("./lib/kernels/index.ts", import.meta.url)),
      carillon: fileURLToPath(new URL("./lib/index.ts", import.meta.url)),
    },
  },
  test: {
    // Here rather than by Biome's noFocusedTests, which takes our fit() for a focused test.
    allowOnly: false,
    // One worker a core: left alone vitest keeps a core free, which on a machine of two is half of it.
    maxWorkers: "100%",
    // Every test of training must also hold on a machine that runs other things.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    projects: [
      // One process after the other loads lib/ once for many files: to load it took a third of all tests.
      { extends: true, test: { name: "pure", include: pure, exclude: APART, isolate: false } },
      { extends: true, test: { name: "apart", include: ["test/*.test.ts", ...others, ...APART] } },
    ],
  },
});
