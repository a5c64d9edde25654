// What the processes of the test tell each other.

/** What a table is read from. */
export type Source = string | { readonly sql: string; readonly from: string };

/** What the server is to do while it answers. */
export type Work =
  | { readonly kind: "idle"; readonly seconds: number }
  | {
      readonly kind: "train";
      readonly source: Source;
      readonly epochs: number;
      readonly memory: number | undefined;
      readonly dir: string | undefined;
      readonly resume: boolean;
      /** Where it is aborted: at a stage, or after so many steps. */
      readonly abort: string | number | undefined;
    };

/** A stretch of time, in milliseconds since the epoch. */
export interface Stretch {
  readonly name: string;
  readonly begin: number;
  readonly end: number;
}

/** What came of it. */
export interface Done {
  readonly stretches: readonly Stretch[];
  /** Peak of the resident memory of the process so far, in megabytes. */
  readonly peak: number;
  readonly steps: number;
  /** SHA-256 of the model. */
  readonly hash: string | undefined;
  /** Milliseconds between an abort and the end of the run. */
  readonly aborted: number | undefined;
  readonly score: Readonly<Record<string, number>> | undefined;
}
