// What the three processes of the test tell each other, and where training takes its size from.

/** Bytes of the examples that a run binds: 200 MB. */
export const DATA_BYTES = 200e6;
export const INPUTS = 784;
export const CLASSES = 10;
export const HIDDEN = 1024;
export const BATCH = 512;

/** What the server is to do while it answers. */
export type Work =
  | { readonly kind: "idle"; readonly seconds: number }
  | {
      readonly kind: "carillon";
      readonly priority: "normal" | "background";
      readonly epochs: number;
      readonly dir: string;
    }
  | { readonly kind: "tfjs"; readonly steps: number; readonly module: string };

/** Milliseconds of the event loop between two turns of a timer, at resolution 1. */
export interface Delay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** A stretch of time, in milliseconds since the epoch, and what was seen in it. */
export interface Phase {
  readonly begin: number;
  readonly end: number;
  readonly delay: Delay;
  /** Training steps done. */
  readonly steps: number;
  readonly validations: number;
  readonly checkpoints: number;
}

/** When a request should have been sent, in milliseconds since the epoch, and how long after that its answer was there. */
export interface Latency {
  readonly intended: number;
  readonly milliseconds: number;
}
