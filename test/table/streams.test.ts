// Sources of any length: what is told while they are read, which rows a fold has, what a network is trained on block by block.
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import {
  adam,
  crossEntropy,
  dataset,
  embeddingBag,
  fit,
  linear,
  network,
  prepare,
  type ReadEvent,
  ragged,
  schemaOf,
  spec,
  table,
  tableBlocks,
} from "../../lib/index.js";

const folder = mkdtempSync(join(tmpdir(), "carillon-streams-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const path = join(folder, "rows.csv");
const ROWS = 60_000;
const lines = Array.from({ length: ROWS }, (_, row) => {
  return `${row},${((row * 37) % 1001) / 7},${row % 11 === 0 ? "" : (row * 13) % 97},${(row * 37) % 1001 > 500 ? "yes" : "no"}`;
});
writeFileSync(path, `row,a,b,y\n${lines.join("\n")}\n`);

describe("events", () => {
  const told = async (
    read: (onEvent: (event: ReadEvent) => void) => Promise<unknown>,
  ): Promise<readonly ReadEvent[]> => {
    const events: ReadEvent[] = [];
    await read((event) => events.push(event));
    return events;
  };
  const { size } = statSync(path);

  test("rows, bytes and seconds of table, tableBlocks, schemaOf and prepare; one at the end", async () => {
    const { schema } = await schemaOf(path, { target: "y" });
    const all = [
      await told((onEvent) => table(path, { onEvent })),
      await told(async (onEvent) => {
        for await (const block of tableBlocks(path, { onEvent })) expect(block.rows).toBeGreaterThan(0);
      }),
      await told((onEvent) => schemaOf(path, { onEvent })),
      await told((onEvent) => prepare(path, { schema, onEvent })),
    ];
    for (const events of all) {
      const last = events.at(-1);
      expect(last).toMatchObject({ kind: "read", rows: ROWS, bytes: size, done: true });
      expect(last?.seconds).toBeGreaterThan(0);
      expect(events.filter(({ done }) => done)).toHaveLength(1);
    }
    const memory = await told((onEvent) => table([{ x: 1 }, { x: 2 }], { onEvent }));
    expect(memory.at(-1)).toMatchObject({ rows: 2, bytes: 0, done: true });
  });

  test("a slow source is told of while it is read", async () => {
    async function* slowly() {
      yield "x,y\n";
      for (let at = 0; at < 4; at++) {
        await new Promise((resolve) => setTimeout(resolve, 150));
        yield `${at},1\n`;
      }
    }
    const events = await told((onEvent) => table(slowly(), { onEvent }));
    expect(events.length).toBeGreaterThan(2);
    await expect(table(path, { onEvent: "x" } as never)).rejects.toMatchObject({ code: "ERR_OPTION" });
  });
});

describe("folds", () => {
  test("each row is held out once, whatever the blocks are, and a fifth by a fifth", async () => {
    const { schema } = await schemaOf(path, { target: "y", schema: { columns: { row: { kind: "number" } } } });
    const preparation = await prepare(path, {
      schema,
      transforms: { row: { kind: "numeric", options: { scale: "none" } } },
    });
    const rowsOf = async (
      fold: number,
      side: "training" | "validation",
      source: Parameters<typeof preparation.blocks>[0],
    ) => {
      const rows: number[] = [];
      for await (const { x } of preparation.blocks(source, { fold: { folds: 5, fold, side, seed: 3 } })) {
        const { data, shape } = x.numbers ?? { data: [], shape: [0, 1] };
        for (let at = 0; at < (shape[0] ?? 0); at++) rows.push(data[at * (shape[1] ?? 1)] ?? 0);
      }
      return rows;
    };
    const held = await Promise.all([0, 1, 2, 3, 4].map((fold) => rowsOf(fold, "validation", path)));
    expect(held.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: ROWS }, (_, row) => row));
    for (const rows of held) expect(Math.abs(rows.length - ROWS / 5)).toBeLessThan(5 * Math.sqrt(ROWS * 0.16));
    expect(await rowsOf(2, "validation", await table(path))).toEqual(held[2]);
    const trained = await rowsOf(2, "training", path);
    expect([...trained, ...(held[2] ?? [])].sort((a, b) => a - b)).toHaveLength(ROWS);
    const part = { schema, fold: { folds: 5, fold: 2, seed: 3 } };
    const whole = await table(path);
    expect(JSON.stringify(await prepare(path, part))).toBe(
      JSON.stringify(await prepare(whole, { schema, rows: trained })),
    );
    await expect(prepare(path, { schema, fold: { folds: 1 } })).rejects.toThrow("prepare.fold.folds");
  });
});

test("texts as lists: the ids that rows of one length have, as a network takes them", async () => {
  const rows = Array.from({ length: 90 }, (_, at) => ({
    note: at % 9 === 0 ? null : `${at % 2 === 0 ? "good" : "bad"} ${"and so on ".repeat(at % 5)}`,
    y: at % 2 === 0 ? "a" : "b",
  }));
  const schema = { columns: { note: { kind: "text" }, y: { kind: "category" } }, target: "y" } as const;
  const preparation = await prepare(rows, {
    schema,
    transforms: { note: { kind: "hashedText", options: { buckets: 1024 } } },
  });
  const source = await table(rows);
  const { x, y } = preparation.examples(source, { texts: "lists" });
  const lists = x.text1;
  const padded = preparation.encode(rows).x.text1;
  if (lists === undefined || !("offsets" in lists) || padded === undefined || !(y instanceof Int32Array))
    throw new Error("expected lists and classes");
  const [, most = 0] = padded.shape;
  rows.forEach((_, row) => {
    const own = [...lists.ids.subarray(lists.offsets[row], lists.offsets[row + 1])];
    expect(own).toEqual([...padded.data.subarray(row * most, (row + 1) * most)].filter((id) => id >= 0));
  });
  expect(preparation.encode(rows, { texts: "lists" }).x.text1).toEqual(lists);
  expect(() => preparation.encode(rows, { texts: "list" } as never)).toThrow(
    expect.objectContaining({ code: "ERR_OPTION" }),
  );
  const model = network({
    inputs: { text1: ragged("i32") },
    layers: { notes: embeddingBag(1024, 4), last: linear(4, 2) },
    forward: (inputs, { notes, last }) => last(notes(inputs.text1)),
  });
  const { history } = await fit(model, {
    data: { x: { text1: lists }, y },
    loss: crossEntropy(),
    optimizer: adam({ lr: 0.05 }),
    epochs: 10,
    seed: 1,
  });
  expect(history.at(-1)?.loss).toBeLessThan(0.8 * (history[0]?.loss ?? 0));
});

test("blocks train to the bits of the same rows in memory", async () => {
  const { schema } = await schemaOf(path, { target: "y", schema: { columns: { row: { kind: "ignore" } } } });
  const preparation = await prepare(path, { schema });
  const { x, y } = preparation.examples(await table(path));
  const numbers = x.numbers;
  if (numbers === undefined || !(y instanceof Int32Array)) throw new Error("expected numbers and classes");
  const settings = { loss: crossEntropy(), optimizer: adam({ lr: 0.01 }), epochs: 1, seed: 1, batchSize: 500 };
  const made = () =>
    network({
      inputs: { numbers: spec(["batch", 3]) },
      layers: { last: linear(3, 2) },
      forward: (inputs, { last }) => last(inputs.numbers),
    });
  const [held, streamed] = [made(), made()];
  await fit(held, { ...settings, data: { x: { numbers }, y }, shuffle: false });
  await fit(streamed, {
    ...settings,
    data: dataset(async function* () {
      for await (const block of preparation.blocks(path)) {
        const { x: inputs, y: classes } = block;
        if (inputs.numbers !== undefined && classes instanceof Int32Array)
          yield { x: { numbers: inputs.numbers }, y: classes };
      }
    }),
  });
  const row = { numbers: { shape: [1, 3], data: Float32Array.of(0.5, -1, 1) } };
  expect((await streamed.predict(row)).data).toEqual((await held.predict(row)).data);
  // Whatever the names of inputs are.
  const named = dataset(() => preparation.blocks(path));
  expect(typeof named).toBe("object");
});
