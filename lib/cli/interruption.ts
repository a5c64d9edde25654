/** A signal that Ctrl-C aborts, and what ends heeding it. A second Ctrl-C ends the process at once. */
export function interruption(): { readonly signal: AbortSignal; readonly off: () => void } {
  const ending = new AbortController();
  const interrupt = (): void => (ending.signal.aborted ? process.exit(130) : ending.abort(new Error("interrupted")));
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  return {
    signal: ending.signal,
    off: () => {
      process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
    },
  };
}
