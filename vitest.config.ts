import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: {
    // The longer name first: an alias reaches what begins with it.
    alias: {
      "carillon/kernels": fileURLToPath(new URL("./lib/kernels/index.ts", import.meta.url)),
      carillon: fileURLToPath(new URL("./lib/index.ts", import.meta.url)),
    },
  },
  test: {
    include: ["test/**/*.test.ts"],
    // Here rather than by Biome's noFocusedTests, which takes our fit() for a focused test.
    allowOnly: false,
    // One worker a core: left alone vitest keeps a core free, which on a machine of two is half of it.
    maxWorkers: "100%",
    // Every test of training must also hold on a machine that runs other things.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
