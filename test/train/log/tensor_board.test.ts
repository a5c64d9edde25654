// TensorBoard's files: the bytes of its own writer, and runs that its reader follows.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adam, crossEntropy, descriptionOf, fit, fromDescription, linear, sequential, tensorBoard } from "carillon";
import { afterAll, expect, test } from "vitest";
import { histogramOf } from "../../../lib/data/histogram.js";
import { crc32c } from "../../../lib/io/crc32c.js";
import {
  beginningRecords,
  type Scalar,
  summaryRecord,
  type TaggedHistogram,
} from "../../../lib/train/log/tensor_board_file.js";
import { clusters } from "../synthetic.js";
import fixture from "./fixtures/tensor_board.json" with { type: "json" };

const work = mkdtempSync(join(tmpdir(), "carillon-events-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

test("CRC-32C of RFC 3720 and of the nine digits", () => {
  expect(crc32c(new TextEncoder().encode("123456789"))).toBe(0xe306_9283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a91_36aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8_ab43);
});

test("files have the bytes of TensorBoard's own writer", () => {
  for (const { from, seconds, steps, bytes } of fixture.files) {
    const records = steps.map(([step, scalars]) => summaryRecord(seconds, Number(step), scalarsOf(scalars)));
    const made = Buffer.concat([...beginningRecords(seconds, from === 0 ? undefined : from + 1), ...records]);
    expect(made.toString("base64")).toBe(bytes);
  }
});

test("histograms have the bytes of TensorBoard's own messages, and its reader finds them", async () => {
  const { seconds, step, weights, buckets, bytes, read } = fixture.histograms;
  const histograms: TaggedHistogram[] = [];
  for (const [tag, values] of Object.entries(weights))
    histograms.push([tag, await histogramOf(values, buckets), values.length]);
  const made = [...beginningRecords(seconds, undefined), summaryRecord(seconds, step, [["loss", 0.5]], histograms)];
  expect(Buffer.concat(made).toString("base64")).toBe(bytes);
  expect(read["weights/linear1.weight"]).toEqual({
    step,
    min: -1.5,
    max: 2.5,
    num: 6,
    limits: [-0.5, 0.5, 1.5, 2.5],
    counts: [1, 2, 2, 1],
  });
});

test("its reader forgets the steps that a resumed run does again", () => {
  expect(fixture.read.loss.map(([step]) => step)).toEqual([1, 2, 3, 300, 2 ** 40]);
  expect(fixture.read.loss.map(([, value]) => value)).toEqual([0.5, 0.25, 0.125, 0.0625, -1.5]);
});

function scalarsOf(given: unknown): readonly Scalar[] {
  if (!Array.isArray(given)) throw new Error("a list is wanted");
  return given.map(([tag, value]: readonly unknown[]): Scalar => [String(tag), Number(value)]);
}

/** Steps and numbers in a file, by the structure of its records alone. */
function stepsIn(folder: string): readonly number[] {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const bytes = readFileSync(join(folder, name));
      const steps: number[] = [];
      for (let at = 0; at < bytes.length; ) {
        const length = bytes.readUInt32LE(at);
        const event = bytes.subarray(at + 12, at + 12 + length);
        // Behind the 9 bytes of the time comes the step (0x10), a number below 128 here, and the summary (0x2a).
        if (event[9] === 0x10 && event[11] === 0x2a) steps.push(event[10] ?? 0);
        at += 12 + length + 4;
      }
      return steps;
    });
}

test("a run writes its epochs under train and validation; a resumed one begins new files", async () => {
  const { x, y } = clusters(40, 4, 2);
  const data = { x, y };
  const dir = join(work, "run");
  const options = {
    data,
    validation: data,
    validate: { every: { epochs: 2 } },
    loss: crossEntropy(),
    optimizer: adam(),
    metrics: ["accuracy"],
    batchSize: 20,
  } as const;
  const first = await fit(sequential(linear(4, 2)), { ...options, epochs: 3, callbacks: [tensorBoard({ dir })] });
  expect(stepsIn(join(dir, "train"))).toEqual([2, 4, 6]);
  expect(stepsIn(join(dir, "validation"))).toEqual([4, 6]);
  await fit(sequential(linear(4, 2)), {
    ...options,
    epochs: 4,
    resume: first.checkpoint(),
    callbacks: [tensorBoard({ dir })],
  });
  expect(stepsIn(join(dir, "train"))).toEqual([2, 4, 6, 6, 8]); // the last epoch was measured as it was the last
  const [, later = ""] = readdirSync(join(dir, "train")).sort();
  expect(readFileSync(join(dir, "train", later)).includes(Buffer.from([0x10, 6, 0x3a, 2, 8, 1]))).toBe(true); // START at step 6
});

test("a run writes histograms of its weights where it is asked to", async () => {
  const dir = join(work, "weights");
  const callbacks = [tensorBoard({ dir, histograms: true })];
  const data = clusters(40, 4, 2);
  await fit(sequential(linear(4, 2)), { data, loss: crossEntropy(), optimizer: adam(), epochs: 2, callbacks });
  const [name = ""] = readdirSync(join(dir, "train"));
  const text = readFileSync(join(dir, "train", name)).toString("latin1");
  for (const tag of ["weights/linear1.weight", "weights/linear1.bias"]) expect(text.split(tag)).toHaveLength(3);
});

test("is plain data, and refuses what it does not know", () => {
  const made = tensorBoard({ dir: "events", every: { steps: 5 }, histograms: true, name: "board" });
  const description = descriptionOf(made);
  expect(description).toEqual({
    kind: "tensorBoard",
    options: { dir: "events", every: { steps: 5 }, histograms: true, name: "board" },
  });
  expect(descriptionOf(fromDescription("callback", description))).toEqual(description);
  expect(() => tensorBoard({ dir: "" })).toThrow("expected a string that is not empty for 'tensorBoard.dir'");
});

test("a folder that cannot be made ends the run with one sentence", async () => {
  const data = clusters(8, 4, 2);
  const run = fit(sequential(linear(4, 2)), {
    data,
    loss: crossEntropy(),
    optimizer: adam(),
    epochs: 1,
    callbacks: [tensorBoard({ dir: "/dev/null/events" })],
  });
  await expect(run).rejects.toMatchObject({ code: "ERR_FILE", message: expect.stringContaining("/dev/null/events") });
});
