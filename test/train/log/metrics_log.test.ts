import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  adam,
  crossEntropy,
  descriptionOf,
  type FitResult,
  fit,
  fromDescription,
  l2,
  linear,
  metricsLog,
  sequential,
} from "carillon";
import { afterAll, expect, test } from "vitest";
import { clusters } from "../synthetic.js";

const work = mkdtempSync(join(tmpdir(), "carillon-log-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const data = clusters(40, 4, 2);
const linesOf = (path: string): readonly Record<string, unknown>[] =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

function train(path: string, epochs: number, more: object = {}): Promise<FitResult> {
  const callbacks = [metricsLog({ path })];
  const common = { data, loss: crossEntropy(), optimizer: adam(), batchSize: 20, metrics: ["accuracy"] } as const;
  return fit(sequential(linear(4, 2)), { ...common, validation: data, epochs, callbacks, ...more });
}

test("has a line an epoch with the figures of its event", async () => {
  const path = join(work, "deep/metrics.jsonl");
  const { history } = await train(path, 3);
  const lines = linesOf(path);
  expect(lines.map(({ time: _, ...figures }) => figures)).toEqual(
    history.map(({ epoch, step, loss, metrics, validation }) => ({
      step,
      epoch,
      loss,
      accuracy: metrics.accuracy,
      "validation.loss": validation?.loss,
      "validation.accuracy": validation?.metrics.accuracy,
    })),
  );
  expect(lines.every(({ time }) => Math.abs(Date.parse(String(time)) - Date.now()) < 60_000)).toBe(true);
});

test("is begun anew, and goes on behind the step that a resumed run goes on behind", async () => {
  const path = join(work, "again.jsonl");
  writeFileSync(path, '{"step":1}\n');
  const first = await train(path, 3);
  const before = readFileSync(path, "utf8");
  expect(linesOf(path).map(({ step }) => step)).toEqual([2, 4, 6]);
  // What a run has written that was killed: a later step, and half a line.
  writeFileSync(path, `${before}{"step":8,"loss":7}\n{"step":10,"lo`);
  await train(path, 5, { resume: first.checkpoint() });
  expect(readFileSync(path, "utf8").startsWith(before)).toBe(true);
  expect(linesOf(path).map(({ step }) => step)).toEqual([2, 4, 6, 8, 10]);
});

test("with a penalty tells both parts of the loss, and NaN as null", async () => {
  const path = join(work, "penalty.jsonl");
  await train(path, 1, { regularizer: l2(0.1), validation: undefined });
  const [line] = linesOf(path);
  expect(Object.keys(line ?? {})).toEqual(["step", "epoch", "time", "loss", "dataLoss", "penalty", "accuracy"]);
  const one = { ...data, y: new Int32Array(40) };
  await train(path, 1, { data: one, metrics: ["auc"], validation: undefined });
  expect(linesOf(path)[0]?.auc).toBeNull();
});

test("is plain data", () => {
  const description = descriptionOf(metricsLog({ path: "m.jsonl", every: { epochs: 2 }, name: "log" }));
  expect(description).toEqual({ kind: "metricsLog", options: { path: "m.jsonl", every: { epochs: 2 }, name: "log" } });
  expect(descriptionOf(fromDescription("callback", description))).toEqual(description);
});

test("a file that is none is one sentence", async () => {
  await expect(train(work, 1)).rejects.toMatchObject({
    code: "ERR_FILE",
    message: expect.stringContaining("a folder"),
  });
});

test("a step whose validation is done once more after a resume has one line", async () => {
  const path = join(work, "once.jsonl");
  const validate = { every: { epochs: 2 } };
  const first = await train(path, 3, { validate });
  await train(path, 4, { validate, resume: first.checkpoint() });
  expect(linesOf(path).map(({ step }) => step)).toEqual([2, 4, 6, 8]);
});
