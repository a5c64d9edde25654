// Estimators for tables: from raw rows to a model that takes raw rows, in this process and in another one.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import {
  loadModel,
  loadTabular,
  preparationOf,
  type TabularEvent,
  type TabularOptions,
  table,
  tabular,
} from "../../lib/index.js";
import type { AnyModel } from "../../lib/nn/model/model.js";

const folder = mkdtempSync(join(tmpdir(), "carillon-tabular-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const small = { preset: "fast", epochs: 6, hidden: [16], seed: 3 } as const satisfies TabularOptions;

/** Rows with all kinds of columns. */
const rows = Array.from({ length: 300 }, (_, i) => {
  const [a, b] = [((i * 37) % 101) / 50 - 1, ((i * 53) % 97) / 48 - 1];
  return {
    a,
    b: i % 11 === 0 ? null : b,
    plan: ["basic", "pro", "max"][i % 3] ?? "",
    city: `c${(i * 7) % 40}`,
    on: i % 2 === 0,
    since: `2021-0${1 + (i % 9)}-1${i % 10}`,
    note: `${["good", "bad", "fair"][(i * 5) % 3]} line number ${i} of ${i * i}`,
    churned: a > 0.1 ? "yes" : "no",
  };
});
const fitted = {
  target: "churned",
  schema: { columns: { note: { kind: "text" } } },
  transforms: { note: { kind: "hashedText", options: { buckets: 64, most: 32 } } },
} as const;

describe("a model that takes raw rows", () => {
  test("answers objects, rows, columns and tables alike, and the same in its file", async () => {
    const model = await tabular({ ...small, epochs: 30 }).fit(rows, fitted);
    expect([model.preset, model.task, model.target, model.classes]).toEqual([
      "fast",
      "binary",
      ["churned"],
      ["no", "yes"],
    ]);
    expect(model.columns).toEqual(["a", "b", "plan", "city", "on", "since", "note"]);
    expect(model.preparation.inputs.categories).toEqual([{ column: "city", count: expect.any(Number) }]);
    const some = rows.slice(20, 24);
    const all = await model.predict(some);
    expect(all.labels).toEqual(some.map(({ churned }) => churned));
    for (const [at, row] of some.entries()) {
      expect((await model.predict(row)).probabilities?.data).toEqual(all.probabilities?.data.slice(2 * at, 2 * at + 2));
      expect(model.predictSync(row).labels).toEqual([all.labels?.[at]]);
    }
    const columns = Object.fromEntries(
      model.columns.map((name) => [name, some.map((row) => Reflect.get(row, name) as unknown)]),
    );
    expect((await model.predict(columns)).probabilities).toEqual(all.probabilities);
    expect((await model.predict(await table(some))).probabilities).toEqual(all.probabilities);

    const path = join(folder, "churn.safetensors");
    await model.save(path);
    const again = await loadTabular(path);
    expect((await again.predict(some)).probabilities).toEqual(all.probabilities);
    expect([again.score, again.members, again.history]).toEqual([model.score, again.members, again.history]);
    expect(again.history[0]).toHaveLength(30);
    expect(again.outOfFold).toBeUndefined();

    const plain: AnyModel = await loadModel(path);
    const { x } = preparationOf(plain.preparation).encode(some);
    expect((await plain.predictProbabilities(x)).data).toEqual(all.probabilities?.data);
    expect(plain.classNames).toEqual(["no", "yes"]);
  });

  test("answers many rows as it answers few, in turns of the event loop, and names what is wrong by its number", async () => {
    const model = await tabular({ ...small, epochs: 1 }).fit(rows, fitted);
    const many = Array.from({ length: 5000 }, (_, at) => rows[at % rows.length] ?? {});
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    const encoded = await model.preparation.encodeInTurns(many);
    isOver = true;
    expect(turns).toBeGreaterThan(1);
    const { x, unseen } = model.preparation.encode(many);
    expect({ x: encoded.x, unseen: encoded.unseen }).toEqual({ x, unseen });
    const columns = Object.fromEntries(model.columns.map((name) => [name, many.map((row) => Reflect.get(row, name))]));
    expect((await model.preparation.encodeInTurns(columns)).x).toEqual(x);
    await expect(model.predict(many.with(4321, {}))).rejects.toThrow("in 'row 4321'");
  });

  test("counts categories that no training row had, and refuses what is no value of its column", async () => {
    const model = await tabular(small).fit(rows, fitted);
    const [row = {}] = rows;
    expect((await model.predict([{ ...row, plan: "gold" }, { ...row, city: "Ulm" }, row])).unseen).toEqual({
      plan: 1,
      city: 1,
    });
    await expect(model.predict({ ...row, a: "much" })).rejects.toThrow("expected a number for 'row 0, column 'a''");
    const { a: _, ...without } = rows[0] ?? {};
    await expect(model.predict(without)).rejects.toThrow("expected 'a' in 'row 0', null where it is missing");
  });

  test("is evaluated on files whose columns are read as those of its training were", async () => {
    const csv = (from: number, to: number, id: boolean): Uint8Array => {
      const lines = rows
        .slice(from, to)
        .map(({ a, churned }, at) => `${id ? `${at},` : ""}${a},${at % 2}.0,${churned}`);
      return new TextEncoder().encode([`${id ? "id," : ""}a,code,churned`, ...lines].join("\n"));
    };
    const schema = { columns: { id: { kind: "id" }, code: { kind: "category" } } } as const;
    const model = await tabular({ ...small, epochs: 40 }).fit(csv(0, 200, true), { target: "churned", schema });
    expect(model.columns).toEqual(["a", "code"]);
    expect((await model.evaluate(csv(200, 300, false))).accuracy).toBeGreaterThan(0.9);
    expect((await model.predict({ a: 0.5, code: 1 })).unseen).toEqual({});
  });

  test("another process gives the same bits", async () => {
    const model = await tabular(small).fit(rows, fitted);
    const path = join(folder, "bits.safetensors");
    await model.save(path);
    const entry = new URL("../../dist/index.js", import.meta.url).href;
    const code = `import { loadTabular } from ${JSON.stringify(entry)};
      const model = await loadTabular(${JSON.stringify(path)});
      const { probabilities } = await model.predict(${JSON.stringify(rows.slice(0, 5))});
      console.log(JSON.stringify([...probabilities.data]));`;
    const cwd = fileURLToPath(new URL("../..", import.meta.url));
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", code], {
      cwd,
      encoding: "utf8",
    });
    expect(stderr).toBe("");
    const { probabilities } = await model.predict(rows.slice(0, 5));
    expect(JSON.parse(stdout)).toEqual([...(probabilities?.data ?? [])]);
  });
});

describe("training", () => {
  test("one seed gives the same bits on any number of threads, another one others", async () => {
    const options = { preset: "auto", folds: 2, epochs: 3, hidden: [16] } as const;
    const weightsOf = async (more: TabularOptions): Promise<unknown> =>
      (await tabular({ ...options, ...more }).fit(rows, fitted)).model.weights();
    const first = await weightsOf({ threads: 1 });
    expect(await weightsOf({ threads: 2 })).toEqual(first);
    expect(await weightsOf({ seed: 1 })).not.toEqual(first);
  });

  test("members have each seen all parts but one, and answer the rows of that", async () => {
    const model = await tabular({ ...small, preset: "auto", folds: 3 }).fit(rows, fitted);
    expect(model.members.map(({ fold, weight }) => [fold, weight])).toEqual([1, 2, 3].map((fold) => [fold, 1 / 3]));
    expect([...(model.outOfFold?.rows ?? [])]).toEqual(rows.map((_, row) => row));
    expect(model.outOfFold?.answers.shape).toEqual([300, 2]);
    const right = rows.filter(({ churned }, row) => {
      const [no = 0, yes = 0] = model.outOfFold?.answers.data.subarray(2 * row, 2 * row + 2) ?? [];
      return (yes > no ? "yes" : "no") === churned;
    });
    expect(model.score.accuracy).toBeCloseTo(right.length / 300, 12);
    expect(model.model.parameters.some(({ name }) => name.startsWith("member3-head."))).toBe(true);
  });

  test("the best epoch is kept, of several that are alike the last", async () => {
    const model = await tabular({ ...small, epochs: 20 }).fit(rows, fitted);
    const [history = []] = model.history;
    const best = Math.max(...history.map(({ value }) => value));
    expect(model.members[0]?.best).toEqual({
      epoch: history.findLast(({ value }) => value === best)?.epoch,
      value: best,
    });
    expect(model.score.accuracy).toBeCloseTo(best, 6);
  });

  test("events tell what is done, how good it is and how long it will take", async () => {
    const told: TabularEvent[] = [];
    const run = tabular({ ...small, epochs: 60 }).fit(rows, { ...fitted, onEvent: (event) => told.push(event) });
    const kinds = new Set<string>();
    for await (const { kind } of run) kinds.add(kind);
    expect([...kinds].sort()).toEqual(["end", "epoch", "expected", "member", "stage", "start", "step"]);
    const start = told.find((event) => event.kind === "start");
    expect(start).toMatchObject({ task: "binary", rows: 300, members: 1, epochs: 60, stepsPerEpoch: 1 });
    expect(told.filter(({ kind }) => kind === "epoch")).toHaveLength(60);
    expect(told.filter(({ kind }) => kind === "expected")).toMatchObject([
      { secondsLeft: expect.any(Number), epochs: 60 },
    ]);
  });

  test("minutes allow as many epochs as fit", async () => {
    const model = await tabular({ ...small, epochs: 1_000_000, minutes: 0.02 }).fit(rows, fitted);
    expect(model.history[0]?.length).toBeGreaterThan(1);
    expect(model.history[0]?.length).toBeLessThan(100_000);
  });

  test("best is a bag of RealMLP and TabM, with weights by greedy selection", async () => {
    const model = await tabular({ preset: "best", folds: 2, epochs: 8, hidden: [8] }).fit(rows, fitted);
    const kinds = new Set(model.members.map(({ kind }) => kind));
    expect([...kinds].every((kind) => kind === "realMlp" || kind === "tabM")).toBe(true);
    expect(model.members.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1, 12);
    const again = await loadTabular(model.bytes());
    expect(again.members).toEqual(
      model.members.map((member) => expect.objectContaining({ kind: member.kind, weight: member.weight })),
    );
    expect((await again.predict(rows.slice(0, 9))).probabilities).toEqual(
      (await model.predict(rows.slice(0, 9))).probabilities,
    );
  });

  test("a stop gives the model so far, or an error before its first epoch; an abort rejects", async () => {
    const run = tabular({ ...small, epochs: 100_000 }).fit(rows, fitted);
    for await (const event of run) if (event.kind === "epoch" && event.epoch === 2) break;
    expect((await run).members).toHaveLength(1);
    const early = tabular(small).fit(rows, fitted);
    early.stop();
    await expect(early).rejects.toThrow("expected a run with an epoch or more");
    await expect(tabular(small).fit(rows, { ...fitted, signal: AbortSignal.abort("no") })).rejects.toBe("no");
  });

  test("a stop or an abort in the trial of the minutes ends it, and leaves no number of epochs", async () => {
    const dir = join(folder, "trial");
    const whole = await table(Array.from({ length: 20_000 }, (_, at) => ({ ...rows[at % 300], a: at / 1e4 })));
    const options = { minutes: 5, preset: "fast", batchSize: 4096, hidden: [512, 512, 512] } as const;
    for (const end of ["stop", "abort"] as const) {
      const aborting = new AbortController();
      const run = tabular(options).fit(whole, {
        target: "churned",
        checkpoint: { dir },
        signal: aborting.signal,
        onEvent({ kind }) {
          if (kind !== "start") return;
          setTimeout(() => (end === "stop" ? run.stop() : aborting.abort(new Error("enough"))), 50);
        },
      });
      const failure = end === "stop" ? { code: "ERR_STATE" } : { message: "enough" };
      await expect(run).rejects.toMatchObject(failure);
      expect(existsSync(join(dir, "epochs.json"))).toBe(false);
    }
  });

  test("a run that was broken off goes on, to the same bits", async () => {
    const options = { ...small, epochs: 60, preset: "auto", folds: 2 } as const;
    const whole = await tabular(options).fit(rows, fitted);
    const dir = join(folder, "checkpoints");
    const broken = tabular(options).fit(rows, { ...fitted, checkpoint: { dir } });
    for await (const event of broken) if (event.kind === "epoch" && event.epoch === 20) break;
    await broken;
    const again = await tabular(options).fit(rows, { ...fitted, checkpoint: { dir, resume: true } });
    expect(again.model.weights()).toEqual(whole.model.weights());
    expect(again.members).toEqual(whole.members);
    expect((await loadTabular(again.bytes())).history.map((epochs) => epochs.map(({ epoch }) => epoch))).toEqual(
      [1, 2].map(() => Array.from({ length: 60 }, (_, at) => at + 1)),
    );
  });

  test("a run that goes on has the best epoch and the time that it had", async () => {
    const dir = join(folder, "minutes");
    const options = { ...small, epochs: 1_000_000, minutes: 0.05 } as const;
    const broken = tabular(options).fit(rows, { ...fitted, checkpoint: { dir } });
    let told = 0;
    for await (const event of broken)
      if (event.kind === "epoch") {
        told = event.epochs;
        if (event.epoch >= 40) break;
      }
    const first = await broken;
    const best = first.members[0]?.best.value ?? 0;
    const events: TabularEvent[] = [];
    // A trial of this one would find another number of epochs.
    const run = tabular({ ...options, minutes: 0.03 }).fit(rows, {
      ...fitted,
      checkpoint: { dir, resume: true },
      onEvent: (event) => events.push(event),
    });
    const again = await run;
    const epochs = events.filter((event) => event.kind === "epoch");
    expect(epochs[0]?.epoch).toBeGreaterThan(16);
    expect(new Set(epochs.map((event) => event.epochs))).toEqual(new Set([told]));
    expect(epochs[0]?.best.value).toBeGreaterThanOrEqual(best);
    expect(again.history[0]?.[0]?.epoch).toBe(1);
    // The time is told by what this run has done, not by the steps of before the break.
    const expected = events.find((event) => event.kind === "expected");
    if (expected !== undefined) expect(expected.step - ((epochs[0]?.epoch ?? 0) - 1)).toBeGreaterThanOrEqual(50);
    writeFileSync(join(dir, "epochs.json"), '{"epochs": 0}');
    await expect(tabular(options).fit(rows, { ...fitted, checkpoint: { dir, resume: true } })).rejects.toThrow(
      "expected an integer",
    );
  });

  test("a column that is not there is told with the one that was meant", async () => {
    await expect(tabular(small).fit(rows, { target: "churn" })).rejects.toThrow("Did you mean 'churned'?");
  });
});

describe("tasks", () => {
  const numbers = rows.map(({ a, b, plan }) => ({ a, b, plan, price: 100 + 50 * a, weight: 3 * a }));

  test("a value, in its own units", async () => {
    const model = await tabular({ ...small, epochs: 60 }).fit(numbers, {
      target: "price",
      schema: { columns: { weight: { kind: "ignore" } } },
    });
    expect(model.task).toBe("value");
    const { values } = await model.predict(numbers.slice(0, 3));
    expect(values?.shape).toEqual([3, 1]);
    expect(Math.abs((values?.data[0] ?? 0) - 50)).toBeLessThan(15);
    expect(await model.evaluate(numbers)).toEqual({
      rmse: expect.any(Number),
      mae: expect.any(Number),
      r2: expect.any(Number),
    });
    expect((await model.evaluate(numbers)).r2).toBeGreaterThan(0.9);
  });

  test("several values, several yes and no, several classes", async () => {
    const two = await tabular({ ...small, preset: "auto", folds: 2 }).fit(numbers, { target: ["price", "weight"] });
    expect([two.task, (await two.predict(numbers.slice(0, 2))).values?.shape]).toEqual(["values", [2, 2]]);
    const flags = rows.map(({ a, b }) => ({ a, b, up: a > 0, far: Math.abs(a) > 0.5 }));
    const labels = await tabular({ ...small, preset: "auto", folds: 2, epochs: 60 }).fit(flags, {
      target: ["up", "far"],
    });
    const answers = await labels.predict(flags.slice(90, 92));
    expect([labels.task, answers.probabilities?.shape, answers.columns?.length]).toEqual(["labels", [2, 2], 2]);
    expect((await labels.evaluate(flags)).accuracy).toBeGreaterThan(0.8);
    const classes = await tabular(small).fit(rows, { target: "plan" });
    expect([classes.task, classes.classes]).toEqual(["classes", ["basic", "max", "pro"]]);
  });
});

describe("tables of which little can be learned", () => {
  const fails = (given: object, message: string, options: object = fitted): Promise<void> =>
    expect(
      tabular(small)
        .fit(given as typeof rows, options)
        .then(() => undefined),
    ).rejects.toThrow(message);

  test("are refused in a sentence, or learned of as far as that goes", async () => {
    await fails(rows, "expected the name of a column, or several for 'fit.target'", {});
    await fails(rows, "Did you mean 'churned'?", { target: "churned_" });
    await fails(
      rows.map((row) => ({ ...row, churned: "no" })),
      "target 'churned'",
    );
    await fails(rows.slice(0, 3), "expected 4 rows or more for 'fit'");
    await fails(
      rows.map(({ churned }) => ({ churned })),
      "expected a column besides the target",
      fitted.target ? { target: "churned" } : {},
    );
    await fails([], "but received 'churned'", { target: "churned" });
    // A class of one row, a column without a value, fewer rows than a batch, a target that is always the same.
    const odd = rows.map((row, at) => ({ ...row, nothing: null, churned: at === 7 ? "maybe" : row.churned }));
    expect((await tabular(small).fit(odd, fitted)).classes).toEqual(["maybe", "no", "yes"]);
    expect((await tabular({ ...small, preset: "auto", folds: 2 }).fit(odd.slice(0, 12), fitted)).members).toHaveLength(
      2,
    );
    const same = await tabular(small).fit(
      rows.map(({ a }) => ({ a, y: 5 })),
      { target: "y", schema: { columns: { y: { kind: "number" } } } },
    );
    expect((await same.predict({ a: 1 })).values?.data[0]).toBeCloseTo(5, 5);
  });

  test("options that are none are refused", () => {
    expect(() => tabular({ preset: "quick" as "fast" })).toThrow("'fast', 'auto' or 'best'");
    expect(() => tabular({ lr: 0 })).toThrow("tabular.lr");
    expect(() => tabular({ epoch: 3 } as object)).toThrow("Did you mean 'epochs'?");
  });
});
