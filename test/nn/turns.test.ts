// Large models are prepared, loaded and asked in turns of the event loop: what a turn holds is counted here, and measured by file-test.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { linear, loadModel, relu, sequential } from "carillon";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { turn, wait } from "../../lib/binding/clock.js";
import { native } from "../../lib/binding/native.js";
import { Turns } from "../../lib/data/turns.js";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "carillon-turns-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Calls back once an iteration of the event loop, and counts. */
function iterations(): { count: number; stop(): void } {
  let next = setImmediate(again);
  const seen = { count: 0, stop: () => clearImmediate(next) };
  function again(): void {
    seen.count += 1;
    next = setImmediate(again);
  }
  return seen;
}

describe("a turn of ours is one of the event loop", () => {
  test.each([
    ["a callback of the addon", () => wait(1)],
    ["an immediate", () => new Promise<void>((resolve) => setImmediate(resolve))],
    ["a timer", () => new Promise<void>((resolve) => setTimeout(resolve, 1))],
  ])("from %s", async (_, begin) => {
    await begin();
    const seen = iterations();
    const counts: number[] = [];
    for (let round = 0; round < 4; round++) {
      const before = seen.count;
      await turn();
      counts.push(seen.count - before);
    }
    seen.stop();
    expect(Math.min(...counts)).toBeGreaterThan(0);
    expect(Math.max(...counts)).toBeLessThan(3);
  });

  test("for those who ask for one while another is under way, too", async () => {
    await wait(1);
    const seen = iterations();
    const counts = await Promise.all(
      [0, 1, 2, 3].map(async (later) => {
        for (let iteration = 0; iteration < later; iteration++) await new Promise((resolve) => setImmediate(resolve));
        const before = seen.count;
        await turn();
        return seen.count - before;
      }),
    );
    seen.stop();
    expect(Math.min(...counts)).toBeGreaterThan(0);
  });
});

describe("where every piece takes longer than a turn may last", () => {
  beforeEach(() => {
    vi.spyOn(Turns.prototype, "over", "get").mockReturnValue(true);
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  const large = () => sequential(linear(2100, 1500), relu(), linear(1500, 3)); // 12.6 MB

  test("a large model is recorded, planned and packed in turns, and native threads find its memory", async () => {
    const model = large().initialize(1);
    const x = new Float32Array(16 * 2100).fill(0.5); // 16 rows, as one is computed here
    const expected = large().initialize(1).predictSync(x).data;
    const next = vi.spyOn(Turns.prototype, "next");
    const clear = vi.spyOn(native, "slabClear");
    const { data } = await model.predict(x);
    expect(data).toEqual(expected);
    expect(next.mock.calls.length).toBeGreaterThanOrEqual(3); // behind the recording, the making of memory and the plan
    expect(clear.mock.calls.length).toBe(1); // for 256 rows
    const turns = next.mock.calls.length;
    await model.predict(x);
    expect(next.mock.calls.length - turns).toBeLessThanOrEqual(1);
    expect(clear.mock.calls.length).toBe(1);
  });

  test("a small model is asked without turns of its own", async () => {
    const model = sequential(linear(4, 2)).initialize(1);
    const next = vi.spyOn(Turns.prototype, "next");
    await model.predict([[1, 2, 3, 4]]);
    expect(next.mock.calls.length).toBeLessThanOrEqual(1); // that of the gathering
  });

  test("loading takes a turn behind the header, the layers and the making of the model", async () => {
    const path = join(folder, "model");
    await sequential(linear(4, 2)).initialize(1).save(path);
    const next = vi.spyOn(Turns.prototype, "next");
    const model = await loadModel(path);
    expect(next.mock.calls.length).toBeGreaterThanOrEqual(3);
    const turns = next.mock.calls.length;
    await model.load(path);
    expect(next.mock.calls.length - turns).toBeGreaterThanOrEqual(2);
  });
});

describe("memory of batches of wide rows", () => {
  const WIDE = 100_000; // 256 rows of it are 102 MB

  test("is made for the rows that come, and grows with them", async () => {
    const model = sequential(linear(WIDE, 2)).initialize(1);
    const rows = Array.from({ length: 7 }, (_, row) => Float32Array.from({ length: WIDE }, (__, at) => (row + at) % 5));
    const expected = rows.map((row) => [...model.predictSync(row).data]);
    const before = process.memoryUsage().arrayBuffers;
    expect([...(await model.predict(rows[0] ?? [])).data]).toEqual(expected[0]);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8e6);
    // Into one batch, floats and doubles.
    const given = rows.map((row, index) => (index % 3 === 2 ? Float64Array.from(row) : row));
    const answers = await Promise.all(given.map((row) => model.predict(row)));
    expect(answers.map(({ data }) => [...data])).toEqual(expected);
    const predictor = model.predictor();
    expect(given.map((row) => [...predictor.run(row).data])).toEqual(expected);
    const submitted = await Promise.all(given.map((row) => predictor.submit(row)));
    expect(submitted.map(({ data }) => [...data])).toEqual(expected);
  });
});
