// The server: every request computes for a while and answers; beside that the process trains.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TabularModel, tabular } from "carillon";
import type { Done, Stretch, Work } from "./messages.js";

/** Milliseconds that a request computes. */
const REQUEST_WORK = 0.3;

const now = (): number => performance.timeOrigin + performance.now();

/** Megabytes. */
function peakMemory(): number {
  try {
    const [, kilobytes = "0"] = /VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
    return Number(kilobytes) / 1000;
  } catch {
    return process.resourceUsage().maxRSS / 1000;
  }
}

async function train(work: Work & { kind: "train" }): Promise<Done> {
  const { source, epochs, memory, dir, resume, abort } = work;
  const controller = new AbortController();
  let aborted: number | undefined;
  const stretches: Stretch[] = [];
  let [name, begin, steps] = ["reading", now(), 0];
  const enter = (next: string): void => {
    if (next === name) return;
    const time = now();
    stretches.push({ name, begin, end: time });
    [name, begin] = [next, time];
  };
  const stop = (): void => {
    if (aborted !== undefined) return;
    aborted = now();
    controller.abort(new Error("enough"));
  };
  let model: TabularModel | undefined;
  const run = tabular({ preset: "fast", epochs, seed: 1, threads: 1 }).fit(source, {
    target: "target",
    priority: "background",
    signal: controller.signal,
    ...(memory === undefined ? {} : { memory }),
    ...(dir === undefined ? {} : { checkpoint: { dir, resume } }),
  });
  try {
    for await (const event of run) {
      if (event.kind === "stage") {
        enter(event.stage);
        if (event.stage === abort && (event.rows ?? 0) > 0) setTimeout(stop, 20);
      }
      if (event.kind === "start") enter("training");
      if (event.kind !== "step") continue;
      steps = event.step;
      process.send?.({ step: steps });
      if (typeof abort === "number" && steps >= abort) stop();
    }
    model = await run;
  } catch (error) {
    if (aborted === undefined) throw error;
    await run.catch(() => undefined);
  }
  const end = now();
  stretches.push({ name, begin, end });
  return {
    stretches,
    peak: peakMemory(),
    steps,
    hash: model === undefined ? undefined : createHash("sha256").update(model.bytes()).digest("hex"),
    aborted: aborted === undefined ? undefined : end - aborted,
    score: model?.score,
  };
}

/** Serves on a port of its own and does what messages of the parent process say, until it is disconnected. */
export function serve(): void {
  const server = createServer((_, response) => {
    const until = performance.now() + REQUEST_WORK;
    while (performance.now() < until);
    response.end("ok");
  });
  server.keepAliveTimeout = 600_000; // the client may be held up longer than the five seconds of the default
  server.listen(0, "127.0.0.1", () => process.send?.({ port: (server.address() as AddressInfo).port }));
  process.on("disconnect", () => process.exit());
  process.on("message", (work: Work) => {
    const begin = now();
    const idle = async (seconds: number): Promise<Done> => {
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
      const stretches = [{ name: "idle", begin, end: now() }];
      return { stretches, peak: peakMemory(), steps: 0, hash: undefined, aborted: undefined, score: undefined };
    };
    (work.kind === "idle" ? idle(work.seconds) : train(work)).then(
      (done) => process.send?.({ done }),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
}
