import type { FitResult, Run } from "carillon";

/**
 * The end of a run that is stopped when it is ready and before its first step. A run that is stopped at once may not
 * have got ready: how far it came is a matter of the machine's speed.
 */
export async function stoppedAtStart<R extends Pick<FitResult, "step">>(run: Run<R>): Promise<R> {
  run.pause();
  for await (const { kind } of run) if (kind === "start") run.stop();
  return await run;
}
