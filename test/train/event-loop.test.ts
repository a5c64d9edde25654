// Training beside everything else: timers, workers that are ended, processes that exit.
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { adam, crossEntropy, fit, linear, mse, relu, sequential, sgd } from "carillon";
import { beforeAll, describe, expect, test } from "vitest";
import { bundle, runChild } from "./child.js";
import { clusters } from "./synthetic.js";

let forever = "";
let ending = "";

beforeAll(async () => {
  [forever, ending] = await Promise.all([bundle("train-forever"), bundle("train-and-end")]);
});

test("timers keep firing while a run is one native call", async () => {
  const model = sequential(linear(64, 256), relu(), linear(256, 10));
  const data = clusters(512, 64, 10);
  // No callbacks, no validation: stop points come only every 1,024 steps. The run ends when the ticks are there.
  const run = fit(model, { data, loss: crossEntropy(), optimizer: adam(), epochs: 1_000_000, batchSize: 256 });
  let ticks = 0;
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      ticks += 1;
      if (ticks < 40) return;
      clearInterval(timer);
      resolve();
    }, 5);
  });
  run.stop();
  const { step, reason } = await run;
  expect([ticks, reason]).toEqual([40, "stopped"]);
  // It was training meanwhile; ticks that had to wait for the calls would have needed 40 of them.
  expect(step).toBeGreaterThan(0);
  expect(step).toBeLessThan(40 * 1024);
});

test("timers keep firing beside many runs whose calls are short", async () => {
  const data = { x: [[1], [2]], y: [[1], [3]] };
  // One step an epoch: JavaScript takes longer over the events of a call than the call itself.
  const options = { data, loss: mse(), optimizer: sgd({ lr: 1e-3 }), epochs: 1_000_000 };
  const runs = Array.from({ length: 6 }, () => fit(sequential(linear(1, 1)), options));
  for (let tick = 0; tick < 10; tick++) await new Promise((resolve) => setTimeout(resolve, 1));
  for (const run of runs) run.stop();
  const steps = (await Promise.all(runs)).map(({ step }) => step);
  // A tick waits for a call of each run or two, not for thousands of them.
  expect(Math.max(...steps)).toBeLessThan(100 * 1024);
});

test("a worker that is ended in the middle of a run takes nothing with it, 20 times", async () => {
  for (let round = 0; round < 20; round++) {
    const worker = new Worker(forever);
    const [message]: unknown[] = await once(worker, "message");
    expect(message).toBe("training");
    if (round % 2 === 1) await new Promise((resolve) => setTimeout(resolve, round / 2));
    await worker.terminate();
  }
  const model = sequential(linear(8, 3));
  const after = fit(model, {
    data: clusters(30, 8, 3),
    loss: crossEntropy(),
    optimizer: adam(),
    epochs: 2,
    threads: 2,
  });
  expect((await after).reason).toBe("finished");
});

test("a worker that is ended while the main thread trains does not disturb it", async () => {
  const model = sequential(linear(64, 256), relu(), linear(256, 10));
  const data = clusters(512, 64, 10);
  const run = fit(model, { data, loss: crossEntropy(), optimizer: adam(), epochs: 1_000_000, threads: 2 });
  const workers = [new Worker(forever), new Worker(forever)];
  await Promise.all(workers.map((worker) => once(worker, "message")));
  await Promise.all(workers.map((worker) => worker.terminate()));
  run.stop();
  expect((await run).reason).toBe("stopped");
});

describe("a process", () => {
  test("exits cleanly in the middle of a run", async () => {
    const { code, signal, stderr } = await runChild(forever, { args: ["exit"] });
    expect({ code, signal, stderr }).toEqual({ code: 7, signal: null, stderr: "" });
  });

  test("that dies of an uncaught error does so as any other", async () => {
    const { code, signal, stderr } = await runChild(forever, { args: ["throw"] });
    expect([code, signal]).toEqual([1, null]);
    expect(stderr).toContain("uncaught on purpose");
  });

  test("lives until its run is done, and no longer", async () => {
    const { code, stdout, stderr } = await runChild(ending);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "step 6400\nexit 0\n", stderr: "" });
  });

  test("exits cleanly where only workers have loaded the library, and are gone", async () => {
    const [main, training] = await Promise.all([bundle("only-workers"), bundle("train-worker")]);
    const { code, signal, stdout, stderr } = await runChild(main, { args: [training, forever] });
    expect({ code, signal, stdout, stderr }).toEqual({ code: 0, signal: null, stdout: "1", stderr: "" });
  });

  test("ends at once where the library is only imported", async () => {
    const { code, stdout, stderr } = await runChild(ending, { args: ["import"] });
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "exit 0\n", stderr: "" });
  });
});
