// Tests of other people put false clocks and timers in the place of JavaScript's; a run ends all the same.
import { adam, dataset, fit, linear, mse, sequential } from "carillon";
import { afterEach, describe, expect, test, vi } from "vitest";
import { bundle, runChild } from "./child.js";

const UNTOUCHED = { code: 0, signal: null } as const;

describe("everything ends as without", () => {
  test.each([
    ["everything", "before"],
    ["everything", "after"],
    ["node:test", "before"],
    ["node:test", "after"],
  ])("%s faked %s the import", { timeout: 60_000 }, async (way, when) => {
    const program = await bundle("false-clocks");
    const [real, faked] = await Promise.all(
      [["nobody"], [way, when]].map((args) => runChild(program, { args, node: ["--no-warnings"] })),
    );
    expect(real).toMatchObject({ ...UNTOUCHED, stderr: "" });
    expect(JSON.parse(real?.stdout ?? "")).toMatchObject({ step: 65 });
    expect(faked).toEqual(real);
  });
});

describe("under vitest's timers", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test("runs over memory and over a stream end, and take the time that has passed", async () => {
    vi.useFakeTimers({ now: 0 });
    const x = Array.from({ length: 2000 }, (_, index) => [index / 2000]);
    const y = x.map(([value = 0]) => 2 * value);
    const stream = dataset(() => x.map((row, index) => ({ x: row, y: y[index] ?? 0 })), { shuffleBuffer: 500 });
    for (const data of [{ x, y }, stream]) {
      const model = sequential(linear(1, 1));
      const { step, seconds } = await fit(model, { data, loss: mse(), optimizer: adam(), epochs: 3, metrics: ["r2"] });
      expect(step).toBe(189);
      expect(seconds).toBeGreaterThan(0);
    }
    expect(Date.now()).toBe(0);
  });
});

test("a paused run holds its process until it is over", async () => {
  const { code, stdout, stderr } = await runChild(await bundle("paused"));
  expect({ code, stderr, stdout }).toEqual({ code: 0, stderr: "", stdout: "finished at 100000\nexit 0\n" });
});
