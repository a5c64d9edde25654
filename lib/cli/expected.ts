/** Result that the training run of self_check.ts must have, on every processor; a new `numericsVersion` has other bits. */
export const EXPECTED_BITS = {
  numericsVersion: 2,
  sha256: "f93ce075089f5a15ccea3f6090d49ea67439295212e0636be019b8ee4554c676",
} as const;
