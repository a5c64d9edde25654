// A copy of a run's progress for a checkpoint that somebody may ask for later.
import { expect, test } from "vitest";
import { keptProgress, type RunProgress } from "../../lib/train/checkpoint/progress.js";

/** Only what the copying looks at. */
const progressOf = (state: unknown): RunProgress => ({ callbacks: { own: state } }) as unknown as RunProgress;

test("is of the moment when it was made", () => {
  const state = { best: 1 };
  const give = keptProgress(() => progressOf(state));
  state.best = 2;
  expect(give()).toEqual({ callbacks: { own: { best: 1 } } });
});

test("that could not be made stays so, whatever becomes of what was wrong", () => {
  const state: { best: unknown } = { best: () => 1 };
  const give = keptProgress(() => progressOf(state));
  state.best = 1;
  expect(give).toThrow(expect.objectContaining({ code: "ERR_STATE", where: "checkpoint.callbacks.own.best" }));
});

test("tells any other error of the caller's code as it is", () => {
  const problem = new TypeError("own");
  const give = keptProgress(() => {
    throw problem;
  });
  expect(give).toThrow(problem);
});
