// Processes that a test starts and talks with.
import { type ChildProcess, fork, type Serializable } from "node:child_process";

/** Programs of Node.js in processes of their own; none of them outlives `end`. */
export class Children {
  readonly #all: ChildProcess[] = [];

  start(program: string, args: readonly string[]): ChildProcess {
    const child = fork(program, args);
    this.#all.push(child);
    return child;
  }

  end(): void {
    for (const child of this.#all) child.kill("SIGKILL");
  }
}

/** What `pick` finds in a message of a process, in the first in which it finds something; rejects where the process is over, or ends before. */
export function messageOf<M, T>(child: ChildProcess, pick: (message: M) => T | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const over = (): void => reject(new Error(`process ${child.pid} has ended`));
    if (!child.connected) return over();
    const look = (message: M): void => {
      const found = pick(message);
      if (found === undefined) return;
      child.off("message", look).off("disconnect", over);
      resolve(found);
    };
    // Behind the last message, whereas an exit may come before it.
    child.on("message", look).once("disconnect", over);
  });
}

/** What `pick` finds in the answer of a process to a message: see {@link messageOf}. */
export async function answerOf<M, T>(
  child: ChildProcess,
  message: Serializable,
  pick: (message: M) => T | undefined,
): Promise<T> {
  const answer = messageOf(child, pick);
  if (child.connected) child.send(message);
  return await answer;
}
