// The line on a terminal: its words, where it is shown, and that every source has one.
import { adam, crossEntropy, dataset, type FitEvent, fit, linear, sequential, standardize } from "carillon";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { durationText, figureText, progressText } from "../../lib/train/progress/line.js";
import { TerminalLine } from "../../lib/train/progress/terminal.js";
import { clusters } from "./synthetic.js";

const data = clusters(400, 8, 3);
const base = { loss: crossEntropy(), optimizer: adam(), seed: 1, metrics: ["accuracy"] } as const;
const make = () => sequential(linear(8, 3));

let written: string[] = [];
const wasTerminal = process.stderr.isTTY;

beforeEach(() => {
  written = [];
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  process.stderr.isTTY = wasTerminal;
});

function onTerminal(is: boolean): void {
  process.stderr.isTTY = is;
  vi.stubEnv("TERM", "xterm");
}

const CLEAR = "\r\u001b[2K";

/** The lines that a terminal has shown, and what stays of them. */
function shown(): { readonly texts: readonly string[]; readonly left: string } {
  const all = written.join("");
  return { texts: all.split(CLEAR).map((text) => text.replace(/\r?\n?$/, "")), left: all.split(CLEAR).at(-1) ?? "" };
}

describe("fit", () => {
  test("says where a run is, with loss, metric, rows a second and time left, and leaves its last line", async () => {
    onTerminal(true);
    const { history } = await fit(make(), { ...base, data, validation: data, epochs: 400, progress: true });
    const { texts, left } = shown();
    expect(texts.some((text) => /^epoch \d+\/400 {2}\d+% {2}loss [\d.]+ .* rows\/s {2}\d+ s left$/.test(text))).toBe(
      true,
    );
    expect(texts.every((text) => text.length < 80)).toBe(true);
    const last = history.at(-1);
    expect(left).toMatch(/^finished, epoch 400\/400 {2}loss [\d.]+ {2}validation\.loss [\d.]+ {2}\d+ s\r\n$/);
    expect(left).toContain(`loss ${figureText(last?.loss ?? 0)}`);
    expect(left.endsWith("\r\n")).toBe(true);
  });

  test("of a stream: examples that are read beforehand, then its epochs", async () => {
    onTerminal(true);
    const rows = Array.from({ length: 40 }, (_, at) => ({
      x: data.x.subarray(8 * at, 8 * at + 8),
      y: Number(data.y[at]),
    }));
    const slow = dataset(async function* () {
      for (const row of rows) {
        await new Promise((resolve) => setTimeout(resolve, 15));
        yield row;
      }
    });
    const events: FitEvent[] = [];
    const run = fit(make(), { ...base, data: slow, inputs: standardize(), epochs: 1, progress: true });
    for await (const event of run) events.push(event);
    const reading = events.filter(({ kind }) => kind === "reading");
    expect(reading.length).toBeGreaterThan(0);
    expect(reading[0]).toMatchObject({
      kind: "reading",
      step: 0,
      examples: expect.any(Number),
      seconds: expect.any(Number),
    });
    expect(events.findIndex(({ kind }) => kind === "start")).toBe(reading.length);
    expect(shown().texts.some((text) => /^reading data {2}\d+ examples$/.test(text))).toBe(true);
    expect(shown().left).toContain("finished, epoch 1/1");
  });

  test("a run that fails, or is stopped, leaves the line", async () => {
    onTerminal(true);
    const wrong = fit(make(), { ...base, data: { x: [[1]], y: [0] }, epochs: 1, progress: true });
    await expect(wrong).rejects.toThrow();
    const stopped = fit(make(), { ...base, data, epochs: 1_000_000, progress: true });
    setTimeout(() => stopped.stop(), 150);
    expect((await stopped).reason).toBe("stopped");
    expect(shown().left).toMatch(/^stopped, epoch \d+\/1000000 .*\r\n$/);
  });

  test("writes nothing elsewhere, and changes no bit", async () => {
    onTerminal(false);
    const plain = make();
    await fit(plain, { ...base, data, epochs: 3, progress: true });
    vi.stubEnv("TERM", "dumb");
    process.stderr.isTTY = true;
    await fit(make(), { ...base, data, epochs: 3, progress: true });
    expect(written).toEqual([]);
    onTerminal(true);
    const watched = make();
    await fit(watched, { ...base, data, epochs: 3, progress: true });
    expect(written).not.toEqual([]);
    expect(Buffer.from(watched.bytes()).equals(Buffer.from(plain.bytes()))).toBe(true);
    const wrong = { ...base, data, epochs: 3, progress: "yes" } as unknown as Parameters<typeof fit>[1];
    await expect(Promise.resolve().then(() => fit(make(), wrong))).rejects.toThrow("true or false for 'fit.progress'");
  });
});

describe("words", () => {
  test.each([
    [0.2, "0 s"],
    [59.4, "59 s"],
    [60, "1 min 0 s"],
    [3_725, "1 h 2 min"],
    [90_000, "1 d 1 h"],
    [-3, "0 s"],
  ])("%d seconds are %s", (seconds, text) => expect(durationText(seconds)).toBe(text));

  test.each([
    [0, "0.0000"],
    [0.123456, "0.1235"],
    [12.3456, "12.35"],
    [123.456, "123.5"],
    [12_345.6, "12,346"],
    [1e-5, "1.00e-5"],
    [3e9, "3.00e+9"],
    [Number.NaN, "NaN"],
  ])("%d is %s", (value, text) => expect(figureText(value)).toBe(text));

  test("figures find room, or are left out from the end", () => {
    const at = {
      place: "epoch 2/9",
      done: 0.129,
      figures: [
        ["loss", 0.5],
        ["accuracy", 0.75],
      ],
      rowsPerSecond: 12_345,
      secondsLeft: 61,
    } as const;
    expect(progressText(at, 99)).toBe("epoch 2/9  12%  loss 0.5000  accuracy 0.7500  12,345 rows/s  1 min 1 s left");
    expect(progressText(at, 60)).toBe("epoch 2/9  12%  loss 0.5000  12,345 rows/s  1 min 1 s left");
    const unknown = { ...at, done: undefined, rowsPerSecond: Number.NaN, secondsLeft: Number.POSITIVE_INFINITY };
    expect(progressText(unknown, 99)).toBe("epoch 2/9  loss 0.5000  accuracy 0.7500");
  });

  test("what is printed stands above the line", () => {
    const line = new TerminalLine(process.stderr);
    line.show("one");
    line.print("kept");
    line.clear();
    expect(written.join("")).toBe(`${CLEAR}one\r${CLEAR}kept\n${CLEAR}one\r${CLEAR}`);
  });
});
