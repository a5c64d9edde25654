// A text alone: a linear model of its pieces, which is trained once more on all rows.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import {
  adagrad,
  adam,
  crossEntropy,
  loadTabular,
  report,
  type TabularEvent,
  type TabularOptions,
  table,
  tabular,
  tensor,
} from "../../lib/index.js";
import type { AnyModel } from "../../lib/nn/model/model.js";
import { networkOf } from "../../lib/tabular/networks.js";
import { fitAny } from "../../lib/train/fit.js";
import type { AnyOptions } from "../../lib/train/options.js";
import { uniforms } from "../ops/sample.js";

const folder = mkdtempSync(join(tmpdir(), "carillon-texts-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const next = uniforms(11);
const letters = (): string =>
  Array.from({ length: 8 }, () => String.fromCharCode(97 + Math.floor(26 * next()))).join("");
/** Words that tell the class in two of three rows, and words of each row's own, of which nobody learns anything who has not seen the row. */
const rows = Array.from({ length: 240 }, (_, row) => {
  const isGood = next() < 0.5;
  const told = row % 3 === 0 ? "so" : isGood ? "fine" : "poor";
  return { text: `${told} ${letters()} ${letters()}`, label: isGood ? "good" : "bad" };
});
const data = await table(rows);
const asked = {
  target: "label",
  schema: { columns: { text: { kind: "text" } } },
  transforms: { text: { kind: "hashedText", options: { buckets: 8192 } } },
} as const;
const options = { preset: "fast", seed: 2, epochs: 8, batchSize: 8 } as const satisfies TabularOptions;

describe("a text alone", () => {
  test.each(["realMlpSmall", "tabM"] as const)(
    "in %s is trained as lists of any length to the bits of padded rows",
    async (kind) => {
      const most = 5;
      const lists = Array.from({ length: 40 }, (_, row) =>
        Array.from({ length: row % (most + 1) }, () => Math.floor(64 * next())),
      );
      const offsets = Int32Array.of(0, ...lists.map((_, row) => lists.slice(0, row + 1).flat().length));
      const padded = tensor(
        Int32Array.from(lists.flatMap((ids) => Array.from({ length: most }, (_, at) => ids[at] ?? -1))),
        [40, most],
      );
      const y = Int32Array.from(lists, (ids) => ((ids[0] ?? 0) > 31 ? 1 : 0));
      const texts = [{ input: "text1", column: "t", buckets: 64, most }];
      const inputs = { numbers: [], flags: [], categories: [], texts };
      const plan = { kind, inputs, outputs: 2, mixing: "classes", hidden: [8], dropout: 0, bounds: undefined } as const;
      const trained = async (model: AnyModel, text1: unknown) => {
        await fitAny(model, {
          data: { x: { text1 }, y },
          loss: crossEntropy(),
          optimizer: adagrad(),
          steps: 9,
          batchSize: 16,
        } as AnyOptions);
        return model.weights();
      };
      const weights = await trained(networkOf(plan), padded);
      expect(
        await trained(networkOf({ ...plan, lists: true }), { offsets, ids: Int32Array.from(lists.flat()) }),
      ).toEqual(weights);
    },
  );

  test("is trained once more on all rows, for the epochs that were best without those held out", async () => {
    const events: TabularEvent[] = [];
    const model = await tabular(options).fit(data, { ...asked, onEvent: (event) => events.push(event) });
    const [member] = model.members;
    expect(member).toMatchObject({ again: true, best: { epoch: expect.any(Number) } });
    const { rows: held = new Uint32Array() } = model.outOfFold ?? {};
    expect(held).toHaveLength(48);
    // Words of their own tell nothing of rows that were not seen: a third of these is a guess. The model has seen them all.
    const kept = await model.evaluate(data.pick(held));
    expect(model.score.accuracy).toBeLessThan(0.95);
    expect(kept.accuracy).toBe(1);
    // The figure that chose is cross-entropy, unless accuracy is asked for.
    expect(model.metric).toBe("loss");
    expect(member?.best.value).toBe(Math.min(...(model.history[0] ?? []).map(({ value }) => value)));
    expect((await tabular({ ...options, epochs: 1, metric: "accuracy" }).fit(data, asked)).metric).toBe("accuracy");
    // Steps go on behind those of the choice, and all of them are counted.
    const steps = events.filter((event) => event.kind === "step");
    const end = events.at(-1);
    expect(steps.map(({ step }) => step)).toEqual([...steps.map(({ step }) => step)].sort((a, b) => a - b));
    expect(end).toMatchObject({
      kind: "end",
      step: 24 * (model.history[0]?.length ?? 0) + 30 * (member?.best.epoch ?? 0),
    });
    const loaded = await loadTabular(model.bytes());
    expect(loaded.members[0]).toMatchObject({ again: true, best: member?.best });
    expect((await report(model, data, { rows: 40, shuffles: 1 })).html).toContain(
      "trained once more, on all rows, for",
    );
  });

  test("has the weights of a training on all rows", async () => {
    // The best epoch is the last one: a run in which nothing is held out that counts ends with the same.
    const optimizer = adam({ lr: 1e-3 });
    const model = await tabular({ ...options, optimizer }).fit(data, asked);
    expect(model.members[0]?.best.epoch).toBe(8);
    const all = Array.from(rows, (_, row) => row);
    const other = await tabular({ ...options, optimizer }).fit(data, {
      ...asked,
      rows: { train: all, validation: all },
    });
    expect(other.members[0]).not.toHaveProperty("again");
    expect(other.members[0]?.best.epoch).toBe(8);
    expect([...model.model.weights().values()].some(({ data: of }) => of.some((weight) => weight !== 0))).toBe(true);
    expect(model.model.weights()).toEqual(other.model.weights());
  });

  test("goes on where it was broken off, before its second training and in it, to the same bits", async () => {
    const slow = { ...options, optimizer: adam({ lr: 1e-3 }) };
    const whole = await tabular(slow).fit(data, asked);
    for (const [at, epoch] of [3, 9].entries()) {
      const dir = join(folder, `broken${at}`);
      const run = tabular(slow).fit(data, { ...asked, checkpoint: { dir } });
      let broken = false;
      for await (const event of run) {
        if ((event.kind !== "step" && event.kind !== "epoch") || event.epoch < epoch) continue;
        broken = true;
        break;
      }
      expect(broken).toBe(true);
      const stopped = await run;
      const again = await tabular(slow).fit(data, { ...asked, checkpoint: { dir, resume: true } });
      expect(again.model.weights()).toEqual(whole.model.weights());
      expect(again.members).toEqual(whole.members);
      expect(again.score).toEqual(whole.score);
      // What is stopped has the network that has not seen the rows held out.
      if (stopped.members[0]?.again === undefined) {
        const held = data.pick(stopped.outOfFold?.rows ?? []);
        expect((await stopped.evaluate(held)).accuracy).toBe(stopped.score.accuracy);
      }
    }
  });

  test("has its second training go on, too, where more epochs find a better one", async () => {
    const slow = { ...options, optimizer: adam({ lr: 1e-3 }) };
    const dir = join(folder, "longer");
    const short = await tabular({ ...slow, epochs: 3 }).fit(data, { ...asked, checkpoint: { dir } });
    expect(short.members[0]).toMatchObject({ again: true, best: { epoch: 3 } });
    const longer = await tabular(slow).fit(data, { ...asked, checkpoint: { dir, resume: true } });
    const whole = await tabular(slow).fit(data, asked);
    expect(longer.members[0]).toMatchObject({ again: true, best: { epoch: 8 } });
    expect(longer.model.weights()).toEqual(whole.model.weights());
  });
});
