// The suites by name; each is loaded when it is asked for.
import type { Suite } from "./report.js";

export const SUITES: Readonly<Record<string, () => Promise<Suite>>> = {
  roofline: async () => (await import("./limits.js")).run,
  gemm: async () => (await import("./gemm.js")).run,
  elementwise: async () => (await import("./streamed.js")).elementwise,
  lookups: async () => (await import("./streamed.js")).lookups,
  dropout: async () => (await import("./streamed.js")).dropout,
  optimizers: async () => (await import("./streamed.js")).optimizers,
  train: async () => (await import("./train/suite.js")).run,
  embeddings: async () => (await import("./embeddings/suite.js")).run,
  layers: async () => (await import("./layers/suite.js")).run,
  tabular: async () => (await import("./tabular/suite.js")).run,
  scaling: async () => (await import("./train/scaling.js")).run,
  together: async () => (await import("./train/together.js")).run,
  serving: async () => (await import("./serving/suite.js")).run,
  imported: async () => (await import("./serving/imported.js")).run,
  import: async () => (await import("./import.js")).run,
  reading: async () => (await import("./reading.js")).run,
};
