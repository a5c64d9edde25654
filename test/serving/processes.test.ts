// Predictors in processes and worker threads of their own, callers at random, and the server of examples/serving.
import { once } from "node:events";
import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { linear, loadModel, type Model, relu, sequential } from "carillon";
import { afterAll, describe, expect, test } from "vitest";
import { carillon } from "../../examples/serving/engines.js";
import { generateLoad } from "../../examples/serving/load.js";
import { serve } from "../../examples/serving/server.js";
import { bundle, runChild } from "../train/child.js";
import { callAtRandom } from "./callers.js";

test("an idle predictor holds no process, one that answers does", async () => {
  const { code, stdout, stderr } = await runChild(await bundle("served", "test/serving/programs"));
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "400 true", stderr: "" });
});

test("in worker threads, which may be terminated at any moment", async () => {
  const [main, served] = await Promise.all(
    ["in-workers", "served"].map((name) => bundle(name, "test/serving/programs")),
  );
  const { code, signal, stdout, stderr } = await runChild(main ?? "", { args: [served ?? ""] });
  expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: "" });
  expect(stdout).toContain("400 true");
});

test.each([1, 2])(
  "random callers, aborts and refreshes beside a training (seed %i): nothing lost, nothing twice",
  async (seed) => {
    const { problems, calls, answered, aborted, refused, refreshes } = await callAtRandom(1500, seed);
    expect(problems).toEqual([]);
    expect(answered + aborted + refused).toBe(calls);
    for (const count of [answered, aborted, refused, refreshes]) expect(count).toBeGreaterThan(0);
  },
);

describe("the server of examples/serving", () => {
  const folder = mkdtempSync(join(tmpdir(), "carillon-serving-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "model.safetensors");
  const network = (seed: number): Model => sequential(linear(3, 8), relu(), linear(8, 2)).initialize(seed);
  const row = [0.5, -1, 2];

  test("answers, tells what is wrong, loads what changes, and ends when all are answered", async () => {
    await network(1).save(file);
    const said: string[] = [];
    const server = await serve({ port: 0, file, load: carillon("f32"), say: (text) => said.push(text) });
    const url = `http://127.0.0.1:${server.port}`;
    const ask = async (body: unknown): Promise<{ status: number; answer: Record<string, unknown> }> => {
      const response = await fetch(`${url}/predict`, { method: "POST", body: JSON.stringify(body) });
      return { status: response.status, answer: (await response.json()) as Record<string, unknown> };
    };
    const expected = async (model: Model): Promise<number[]> => [...(await model.predictProbabilities([row])).data];
    expect(await ask(row)).toEqual({ status: 200, answer: { probabilities: [await expected(network(1))] } });
    const [one] = [await expected(network(1))];
    expect(await ask([row, row])).toEqual({ status: 200, answer: { probabilities: [one, one] } });
    for (const [body, message] of [
      [[1, 2], /3 numbers/],
      [[row, [1]], /3 values in row 1/],
      [["a", "b", "c"], /column 0/],
      [[1, null, 3], /column 1/],
      [{}, /an array/],
    ] as const) {
      expect(await ask(body)).toMatchObject({ status: 400, answer: { error: expect.stringMatching(message) } });
    }
    expect(await (await fetch(`${url}/health`)).json()).toEqual({ ok: true, inputs: 3 });
    expect((await fetch(`${url}/`)).status).toBe(404);

    // Another model, by its renaming, while requests go on: each is answered by one of the two.
    const other = join(folder, "other");
    await network(2).save(other);
    const answers = Promise.all(Array.from({ length: 40 }, () => ask(row)));
    renameSync(other, file);
    const two = await expected(await loadModel(file));
    for (const { status, answer } of await answers) {
      expect(status).toBe(200);
      expect([JSON.stringify([one]), JSON.stringify([two])]).toContain(JSON.stringify(answer.probabilities));
    }
    while (!said.some((text) => text.startsWith("loaded"))) await new Promise((resolve) => setTimeout(resolve, 10));
    expect((await ask(row)).answer.probabilities).toEqual([two]);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toMatch(/^http_requests_total 4\d$/m);
    expect(metrics).toMatch(/^model_reloads_total 1$/m);

    const load = await generateLoad({ port: server.port, rate: 500, seconds: 0.3, connections: 4, row });
    expect(load).toMatchObject({ requests: 150, failures: 0 });
    const last = ask(row);
    await new Promise((resolve) => setImmediate(resolve));
    await server.close();
    expect((await last).status).toBe(200);
    await expect(ask(row)).rejects.toThrow();
  });
});

test("SIGTERM ends the example", async () => {
  const folder = mkdtempSync(join(tmpdir(), "carillon-serving-"));
  const { spawn } = await import("node:child_process");
  const module = await bundle("main", "examples/serving");
  const child = spawn(process.execPath, [module, "--port", "0", "--quick", "--role", "carillon", "--out", folder]);
  try {
    let text = "";
    child.stdout.on("data", (part: Buffer) => {
      text += part.toString();
    });
    while (!text.includes("http://")) await new Promise((resolve) => setTimeout(resolve, 20));
    const url = /http:\S+predict/.exec(text)?.[0] ?? "";
    const body = JSON.stringify(Array.from({ length: 220 }, () => 0.1));
    expect(await (await fetch(url, { method: "POST", body })).json()).toMatchObject({
      probabilities: [[expect.any(Number)]],
    });
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    expect(await ended).toEqual([0, null]);
  } finally {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
});
