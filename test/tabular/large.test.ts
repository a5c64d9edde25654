// Sources that are too large to be held as one table, made small by the limit that they are held up to.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import files from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, expect, test, vi } from "vitest";
import type { PackedInputs } from "../../lib/data/packed.js";
import { END } from "../../lib/data/stream.js";
import {
  prepare,
  type TabularEvent,
  type TabularFitOptions,
  type TabularModel,
  table,
  tabular,
} from "../../lib/index.js";
import { ownMark } from "../../lib/io/owner.js";
import { foldOf } from "../../lib/table/fold.js";
import { SpooledRows } from "../../lib/tabular/spooled.js";

const ROWS = 3000;
const folder = mkdtempSync(join(tmpdir(), "carillon-large-test-"));
const path = join(folder, "rows.csv");
const lines = Array.from({ length: ROWS }, (_, i) => {
  const [a, b] = [(i * 37) % 1009, ((i * 53) % 97) / 4];
  const plan = ["basic", "pro", "max", "NA"][i % 4];
  return `${a},${i % 13 === 0 ? "" : b},${plan},c${(i * 31) % 50},${i % 2 === 0 ? "yes" : "no"},${a > 500 !== (i % 4 === 0) ? "stays" : "goes"}`;
});
const text = `a,b,plan,city,paid,end\n${lines.join("\n")}\n`;
writeFileSync(path, text);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const settings = { preset: "fast", epochs: 3, hidden: [16], seed: 7, threads: 1 } as const;
/** Less than the file has, and more than half of what networks are given of it. */
const HELD = 0.07;
const large = (source: string | Readable = path, more: TabularFitOptions = {}) =>
  tabular(settings).fit(source, { target: "end", memory: HELD, ...more });

const bitsOf = (model: TabularModel): string => Buffer.from(model.bytes()).toString("base64");

/** The rows that a draw of seed and number holds out of one member. */
const of = foldOf("test", 5, settings.seed);
const validation = Array.from({ length: ROWS }, (_, row) => row).filter((row) => of(row) === 0);
const train = Array.from({ length: ROWS }, (_, row) => row).filter((row) => of(row) !== 0);

test("has the bits of the whole table, parted by the same draws", async () => {
  const events: TabularEvent[] = [];
  const model = await large(path, { onEvent: (event) => events.push(event) });
  const whole = await tabular(settings).fit(await table(path), { target: "end", rows: { train, validation } });
  // The whole table is given as its parts, one behind the other: what both learn of them is the same.
  expect(model.score).toEqual(whole.score);
  expect([...model.model.weights()]).toEqual([...whole.model.weights()]);
  expect([...(model.outOfFold?.rows ?? [])]).toEqual(validation);
  expect([...(model.outOfFold?.answers.data ?? [])]).toEqual([...(whole.outOfFold?.answers.data ?? [])]);
  expect(model.preparation.rows).toBe(train.length);
  expect(model.kinds).toEqual(whole.kinds);
  expect(events.find(({ kind }) => kind === "start")).toMatchObject({ rows: ROWS, members: 1 });
  expect(new Set(events.map((event) => (event.kind === "stage" ? event.stage : "")))).toContain("schema");
  expect((await model.predict({ a: 3, b: null, plan: "gold", city: "c1", paid: "yes" })).unseen).toEqual({ plan: 1 });
});

test("several members: each without its part, and fitted on all rows", async () => {
  const model = await tabular({ ...settings, preset: "auto", folds: 3, epochs: 1 }).fit(path, {
    target: "end",
    memory: 0,
  });
  expect(model.members.map(({ fold }) => fold)).toEqual([1, 2, 3]);
  expect([...(model.outOfFold?.rows ?? [])]).toEqual(Array.from({ length: ROWS }, (_, row) => row));
  expect(model.preparation.rows).toBe(ROWS);
  const alone = await prepare(path, { schema: model.schema });
  expect(model.classes).toEqual(alone.classes);
});

test("values are standardized by training rows, and clamped to their range", async () => {
  const run = (source: Parameters<ReturnType<typeof tabular>["fit"]>[0], more: TabularFitOptions) =>
    tabular({ ...settings, preset: "auto", folds: 1, epochs: 2 }).fit(source, { target: "b", ...more });
  const csv = join(folder, "values.csv");
  writeFileSync(csv, `a,b\n${Array.from({ length: 800 }, (_, i) => `${i % 101},${(i * 7) % 50}`).join("\n")}\n`);
  const parted = foldOf("test", 5, settings.seed);
  const rows = Array.from({ length: 800 }, (_, row) => row);
  const parts = { train: rows.filter((row) => parted(row) !== 0), validation: rows.filter((row) => parted(row) === 0) };
  const [model, whole] = [await run(csv, { memory: 0.003 }), await run(await table(csv), { rows: parts })];
  expect(model.score).toEqual(whole.score);
  expect([...model.model.weights()]).toEqual([...whole.model.weights()]);
});

test("what can be read only once is kept in a file while it is needed, and small of it in memory", async () => {
  vi.stubEnv("TMPDIR", folder);
  const before = readdirSync(tmpdir());
  const model = await large(Readable.from([Buffer.from(text)]));
  expect(bitsOf(model)).toBe(bitsOf(await large()));
  const small = await tabular(settings).fit(Readable.from([Buffer.from(text)]), { target: "end" });
  expect(bitsOf(small)).toBe(bitsOf(await tabular(settings).fit(path, { target: "end" })));
  const broken = large(Readable.from([Buffer.from(text), Buffer.from("1,2,3\n")]));
  await expect(broken).rejects.toMatchObject({ code: "ERR_DATA" });
  expect([tmpdir(), readdirSync(tmpdir())]).toEqual([folder, before]);
  vi.unstubAllEnvs();
});

test.each([
  ["memory", HELD],
  ["a file", 0],
])("goes on out of %s where it was broken off, to the same bits", async (_, memory) => {
  const dir = join(folder, `checkpoints ${memory}`);
  const controller = new AbortController();
  const run = tabular({ ...settings, epochs: 20 });
  const stopped = run.fit(path, {
    target: "end",
    memory,
    checkpoint: { dir },
    signal: controller.signal,
    onEvent: (event) => {
      if (event.kind === "epoch" && event.epoch === 17) controller.abort(new Error("enough"));
    },
  });
  await expect(stopped).rejects.toThrow("enough");
  const resumed = await run.fit(path, { target: "end", memory, checkpoint: { dir, resume: true } });
  expect(bitsOf(resumed)).toBe(bitsOf(await run.fit(path, { target: "end", memory })));
});

test("what does not fit into memory trains out of a file, which goes with the run", async () => {
  vi.stubEnv("TMPDIR", folder);
  const before = readdirSync(folder).sort();
  const [model, held] = [await large(path, { memory: 0 }), await large()];
  expect(bitsOf(await large(path, { memory: 0 }))).toBe(bitsOf(model));
  expect(model.preparation.toJSON()).toEqual(held.preparation.toJSON());
  expect(model.outOfFold?.rows).toEqual(held.outOfFold?.rows);
  const longer = tabular({ ...settings, epochs: 20 });
  const [streamed, whole] = [
    await longer.fit(path, { target: "end", memory: 0 }),
    await longer.fit(path, { target: "end", memory: HELD }),
  ];
  expect(whole.score.accuracy).toBeGreaterThan(0.95);
  expect(streamed.score.accuracy).toBeGreaterThan((whole.score.accuracy ?? 1) - 0.03);
  expect(model.members[0]?.history).toHaveLength(settings.epochs);
  const values = await tabular({ ...settings, preset: "auto", folds: 2 }).fit(path, { target: "a", memory: 0 });
  expect(Object.keys(values.score)).toEqual(["rmse", "mae", "r2"]);
  expect(readdirSync(folder).sort()).toEqual(before);
  vi.unstubAllEnvs();
});

test("rows in a file: each once an epoch, in the order of the table where they are measured", async () => {
  const count = 2500;
  const inputs = [
    { name: "numbers", shape: [2], dtype: "f32" },
    { name: "codes", shape: [1], dtype: "i32" },
  ] as const;
  const rows = await SpooledRows.make(count, inputs, { name: "y", shape: [1], dtype: "i32" }, 3);
  const numbers = Float32Array.from({ length: 2 * count }, (_, at) => at / 3);
  const codes = Int32Array.from({ length: count }, (_, row) => row);
  for (let begin = 0; begin < count; begin += 700) {
    const end = Math.min(begin + 700, count);
    await rows.write(begin, {
      numbers: { shape: [end - begin, 2], data: numbers.subarray(2 * begin, 2 * end) },
      codes: { shape: [end - begin, 1], data: codes.subarray(begin, end) },
    });
  }
  rows.writeTargets(0, codes);
  const some = Uint32Array.from(codes.filter((row) => row % 3 !== 1));
  const idsOf = async (use: "training" | "validation"): Promise<number[]> => {
    const ids: number[] = [];
    const pass = await rows.take(some, use, ["numbers", "codes"]).open("test", "epoch 1");
    for (let item = await pass.next(); item !== END; item = await pass.next()) {
      const { x, y } = item as { readonly x: PackedInputs; readonly y: Int32Array };
      ids.push(...(x.codes?.data ?? []));
      expect([...y]).toEqual([...(x.codes?.data ?? [])]);
      expect([...(x.numbers?.data ?? [])]).toEqual(
        [...y].flatMap((row) => [...numbers.subarray(2 * row, 2 * row + 2)]),
      );
    }
    return ids;
  };
  expect(await idsOf("validation")).toEqual([...some]);
  const trained = await idsOf("training");
  expect(trained).not.toEqual([...some]);
  expect(trained.sort((a, b) => a - b)).toEqual([...some]);
  const picked = await rows.pick(Uint32Array.of(5, 1023, 1024, 2499), ["codes"]);
  expect([...(picked.codes?.data ?? [])]).toEqual([5, 1023, 1024, 2499]);
  await rows.close();
});

test("an abort is heard in every stage", async () => {
  for (const stage of ["reading", "schema", "preparing"]) {
    const controller = new AbortController();
    const run = large(path, {
      signal: controller.signal,
      onEvent: (event) => {
        if (event.kind === "stage" && event.stage === stage) controller.abort(new Error(stage));
      },
    });
    await expect(run).rejects.toThrow(stage);
  }
});

test("whichever signal is aborted is heard, of the run or of the reading, and what was kept of the source goes", async () => {
  vi.stubEnv("TMPDIR", folder);
  const before = readdirSync(folder).sort();
  for (const which of ["run", "reading"]) {
    const [own, other] = [new AbortController(), new AbortController()];
    let closed = false;
    const endless = async function* (): AsyncGenerator<Buffer> {
      try {
        yield Buffer.from(text);
        for (let row = 0; ; row++) {
          if (row === 9) own.abort(new Error("enough"));
          await Promise.resolve();
          yield Buffer.from(`${lines[row % ROWS]}\n`);
        }
      } finally {
        closed = true;
      }
    };
    const [signal, reading] = which === "run" ? [own.signal, other.signal] : [other.signal, own.signal];
    const run = large(Readable.from(endless()), { memory: 0, signal, read: { signal: reading } });
    await expect(run).rejects.toThrow("enough");
    await vi.waitFor(() => expect([closed, readdirSync(folder).sort()]).toEqual([true, before]));
  }
  vi.unstubAllEnvs();
});

test("what a killed process has left in the temporary folder goes with the next run, and nobody else's", async () => {
  const base = join(folder, "temporary");
  const { pid } = spawnSync(process.execPath, ["-e", ""]);
  const dead = `carillon-${ownMark().replace(/-\d+-(\d+)$/, `-${pid}-$1`)}-abcdef`;
  const others = [`carillon-${ownMark()}-abcdef`, "carillon-abcdef", `.x${dead}`, "rows"];
  for (const name of [dead, ...others]) mkdirSync(join(base, name), { recursive: true });
  writeFileSync(join(base, dead, "rows"), "");
  vi.stubEnv("TMPDIR", base);
  await large(path, { memory: 0 });
  vi.unstubAllEnvs();
  expect(readdirSync(base).sort()).toEqual(others.sort());
});

test.each([
  ["writeFile", "what can be read only once"],
  ["writev", "encoded rows"],
] as const)("a full disk is one sentence, and leaves nothing (%s)", async (method, kept) => {
  vi.stubEnv("TMPDIR", folder);
  const before = readdirSync(folder).sort();
  const { open } = files;
  const full = vi.spyOn(files, "open").mockImplementation(async (...given) => {
    const handle = await open(...given);
    if (given[1] === "wx+") vi.spyOn(handle, method).mockRejectedValue(new Error("ENOSPC: no space left on device"));
    return handle;
  });
  const run = large(Readable.from([Buffer.from(text)]), { memory: 0 });
  await expect(run).rejects.toMatchObject({ code: "ERR_FILE", message: expect.stringContaining(`room for ${kept}`) });
  full.mockRestore();
  expect(readdirSync(folder).sort()).toEqual(before);
  vi.unstubAllEnvs();
});

test("a file that is written anew between its readings, of as many rows, is named", async () => {
  const changing = join(folder, "anew.csv");
  writeFileSync(changing, text);
  const run = large(changing, {
    onEvent: (event) => {
      if (event.kind === "stage" && event.stage === "preparing")
        writeFileSync(changing, text.replaceAll("goes", "leaves"));
    },
  });
  await expect(run).rejects.toMatchObject({ code: "ERR_DATA", message: expect.stringContaining("anew.csv") });
  const same = large(changing, {
    onEvent: (event) => {
      if (event.kind === "stage" && event.stage === "preparing")
        writeFileSync(changing, text.replaceAll("basic", "BASIC").replaceAll("goes", "leaves"));
    },
  });
  await expect(same).rejects.toThrow("a file that stays as it is from the first reading to the last");
});

test("a source with other rows at another reading, too few rows, no column of that name", async () => {
  await expect(large(path, { target: "ends" })).rejects.toThrow("received \"ends\". Did you mean 'end'?");
  const few = join(folder, "few.csv");
  writeFileSync(few, "a,end\n1,x\n2,y\n3,x\n");
  await expect(large(few, { memory: 0 })).rejects.toMatchObject({ code: "ERR_DATA" });
  await expect(large(path, { memory: -1 })).rejects.toMatchObject({ code: "ERR_OPTION" });
  const changing = join(folder, "changing.csv");
  writeFileSync(changing, text);
  const run = large(changing, {
    onEvent: (event) => {
      if (event.kind === "stage" && event.stage === "preparing") writeFileSync(changing, `${text}1,2,pro,c1,no,goes\n`);
    },
  });
  await expect(run).rejects.toMatchObject({ code: "ERR_DATA" });
});
