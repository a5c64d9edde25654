// How long the event loop is held at a time: by the clock, and by what this thread has computed. On a host where others compute,
// too, the clock tells of them as well.
import { openSync, readSync } from "node:fs";

/** Of the turns of the event loop during some work, in milliseconds. */
export interface Held {
  /** The longest, by the clock. */
  readonly wall: number;
  /** The longest without the time in which the thread was ready and had no processor; NaN where the system does not tell. */
  readonly ready: number;
  /** The most that the thread has computed in one; NaN where the system does not tell. */
  readonly cpu: number;
}

const NANO = 1e6;

/** Milliseconds that this thread has computed, and that it has waited for a processor. */
function threadTimes(): () => readonly [number, number] {
  const unknown = [Number.NaN, Number.NaN] as const;
  if (process.platform !== "linux") return () => unknown;
  const file = openSync(`/proc/self/task/${process.pid}/schedstat`, "r");
  const room = Buffer.alloc(100);
  return () => {
    process.cpuUsage(); // lets the system count what this thread has computed up to now
    const [computed, waited] = room
      .toString("latin1", 0, readSync(file, room, 0, room.length, 0))
      .split(" ")
      .map(Number);
    return [(computed ?? Number.NaN) / NANO, (waited ?? Number.NaN) / NANO];
  };
}

/** On the main thread. */
export async function heldBy(work: () => Promise<unknown>): Promise<Held> {
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const times = threadTimes();
  let [wall, ready, cpu] = [0, 0, 0];
  let over = false;
  await turn();
  const watching = (async () => {
    while (!over) {
      const began = performance.now();
      const [computedThen, waitedThen] = times();
      await turn();
      const [computed, waited] = times();
      const took = performance.now() - began;
      wall = Math.max(wall, took);
      ready = Math.max(ready, took - (waited - waitedThen));
      cpu = Math.max(cpu, computed - computedThen);
    }
  })();
  await work();
  over = true;
  await watching;
  return { wall, ready, cpu };
}
