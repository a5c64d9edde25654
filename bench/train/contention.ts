// Two threads where one processor is busy with something else.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { median } from "../report.js";
import type { Network } from "./networks.js";
import { OurStep } from "./ours.js";

export interface BusyRow {
  readonly network: string;
  readonly batch: number;
  /** µs a step with a spinning process beside. */
  readonly oneThread: number;
  readonly twoThreads: number;
  /** Median of two / one within a turn. */
  readonly ratio: number;
}

/** One and two threads in turns, while a process spins. */
export async function besideBusyProcess(network: Network, turns: number, seconds: number) {
  const spinner = spawn(process.execPath, ["--eval", "console.log(); for (;;);"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  try {
    await once(spinner.stdout, "data");
    const one = new OurStep(network, 1);
    const two = new OurStep(network, 2);
    const times: { one: number; two: number }[] = [];
    for (let turn = 0; turn < turns; turn++) {
      times.push({ one: await one.measure(seconds), two: await two.measure(seconds) });
    }
    return {
      oneThread: median(times.map((time) => time.one)),
      twoThreads: median(times.map((time) => time.two)),
      ratio: median(times.map((time) => time.two / time.one)),
    };
  } finally {
    spinner.kill("SIGKILL");
  }
}
