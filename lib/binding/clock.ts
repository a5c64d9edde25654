import { native } from "./native.js";

// Turns and waits by the addon: tests put false timers, clocks and queues in the place of JavaScript's own, before or after
// this is imported, and a run must end although nobody moves them on.

/** Milliseconds of a clock that only goes forward. */
export function now(): number {
  return native.now();
}

/** Lets everything that waits in the event loop run first. */
export function turn(): Promise<void> {
  return native.turn();
}

/** Resolves so many milliseconds later. */
export function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    native.timerStart(milliseconds, resolve);
  });
}

/** Calls `work` so many milliseconds later, unless the function that this gives is called before. */
export function after(milliseconds: number, work: () => void): () => void {
  const timer = native.timerStart(milliseconds, work);
  return () => native.timerStop(timer);
}

/** Calls `work` every so many milliseconds, until the function that this gives is called. */
export function repeat(milliseconds: number, work: () => void): () => void {
  let timer = 0;
  const again = (): void => {
    timer = native.timerStart(milliseconds, () => {
      again();
      work();
    });
  };
  again();
  return () => native.timerStop(timer);
}

/** Keeps the process alive until the function that this gives is called. */
export function holdProcess(): () => void {
  let held = true;
  native.hold();
  return () => {
    if (held) native.release();
    held = false;
  };
}
