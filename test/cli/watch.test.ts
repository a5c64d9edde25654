// `--watch` as programs ask it, and searches; what a browser makes of the page is looked at where there is one.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TabularEpochEvent } from "carillon";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { csvOf, customers } from "../../examples/churn/customers.js";
import { Watcher } from "../../lib/cli/watch/watcher.js";
import { carillon, isBuilt, start } from "./carillon.js";

const cwd = mkdtempSync(join(tmpdir(), "carillon-watch-"));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));
beforeAll(() => {
  writeFileSync(join(cwd, "churn.csv"), csvOf(customers(400)));
  writeFileSync(join(cwd, "known.json"), '{ "columns": { "remark": "ignore" } }');
});

const SMALL = ["churn.csv", "--target", "churned", "--preset", "fast", "--hidden", "32,32", "--schema", "known.json"];

interface Answer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/** Asks with any headers; an answer that does not end is what came until `enough`. */
function ask(
  url: string,
  method: string,
  headers: Record<string, string> = {},
  enough?: (text: string) => boolean,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, headers }, (answer) => {
      let text = "";
      const done = (): void => resolve({ status: answer.statusCode, headers: answer.headers, text });
      answer.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
        if (enough?.(text) !== true) return;
        done();
        asked.destroy();
      });
      answer.on("end", done).on("error", () => undefined);
    });
    asked.on("error", reject).end();
  });
}

async function visit(url: string): Promise<void> {
  const page = await ask(url, "GET");
  expect(page.status).toBe(200);
  expect(page.headers["content-security-policy"]).toContain("default-src 'none'");
  expect(page.text).toContain('<script src="/page.js">');
  expect(page.text).not.toMatch(/https?:/);
  for (const name of ["page.js", "style.css"]) {
    const file = await ask(`${url}${name}`, "GET");
    expect(file.status).toBe(200);
    expect(file.text.replace("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:/); // the name of a vocabulary
  }
  const events = await ask(`${url}events`, "GET", {}, (text) => text.includes('"kind":"epoch"'));
  expect(events.headers["content-type"]).toBe("text/event-stream");
  expect(events.text).toMatch(/^data: \{"kind":"stage"/);
  // Another host by a name that leads here, and a page of elsewhere.
  expect((await ask(url, "GET", { host: "example.com" })).status).toBe(403);
  expect((await ask(`${url}stop`, "POST", { origin: "http://example.com" })).status).toBe(403);
  expect((await ask(`${url}stop`, "POST")).status).toBe(403);
  expect((await ask(`${url}other`, "GET")).status).toBe(404);
  expect((await ask(url, "PUT")).status).toBe(405);
  const own = { origin: url.slice(0, -1) };
  expect((await ask(`${url}pause`, "POST", own)).status).toBe(204);
  const paused = await ask(`${url}events`, "GET", {}, (text) => text.includes('"kind":"paused","paused":true'));
  expect(paused.text).toContain("paused");
  expect((await ask(`${url}resume`, "POST", own)).status).toBe(204);
  expect((await ask(`${url}stop`, "POST", own)).status).toBe(204);
}

describe.runIf(isBuilt)("--watch", () => {
  test("serves a page that asks nobody else, pauses and stops the run, and answers this machine's own pages alone", async () => {
    let visiting: Promise<void> | undefined;
    const ended = await start(["train", ...SMALL, "--epochs", "200000", "--watch"], cwd, (all, kill) => {
      const [, url] = /live page: (http:\/\/127\.0\.0\.1:\d+\/)\n/.exec(all) ?? [];
      if (url === undefined || !all.includes("epoch 1/") || visiting !== undefined) return;
      visiting = visit(url);
      visiting.catch(() => kill("SIGKILL"));
    });
    await visiting;
    expect(ended.stderr).toContain("stopped; it goes on with: npx carillon train --resume runs/churn-1");
    expect(ended.status).toBe(0);
  }, 90_000);

  test("a port that is none", () => {
    const { status, stderr } = carillon(["train", ...SMALL, "--watch", "70000"], { cwd });
    expect([status, stderr]).toEqual([2, expect.stringContaining("an integer in [0, 65535] for '--watch'")]);
  });
});

test("a page that does not read piles nothing up, has what it missed when it reads again, and holds nothing up", async () => {
  const epochOf = (epoch: number): TabularEpochEvent => ({
    kind: "epoch",
    ...{ member: 1, members: 1, step: epoch, epoch, epochs: 100_000, loss: 1 / epoch },
    validation: { loss: 1 / epoch, figure: { name: "accuracy", value: 0.5 } },
    best: { epoch: 1, value: 0.5 },
    ...{ seconds: epoch, secondsLeft: 1 },
  });
  const watcher = new Watcher();
  const url = await watcher.listen(0);
  const [bytes, last] = await new Promise<readonly [number, string]>((resolve, reject) => {
    const asked = request(`${url}events`, (answer) => {
      // What is told while nobody reads: 25 MB, and a step after each epoch.
      for (let epoch = 1; epoch <= 100_000; epoch++) watcher.take(epochOf(epoch));
      let [length, text] = [0, ""];
      answer.setEncoding("utf8").on("data", (piece: string) => {
        length += piece.length;
        text = (text + piece).slice(-1000);
        if (text.includes('"epoch":100000,')) watcher.close().catch(reject);
      });
      answer.on("end", () => resolve([length, text])).on("error", reject);
    });
    asked.on("error", reject).end();
    watcher.take(epochOf(1));
  });
  expect(bytes).toBeLessThan(2_000_000);
  expect(last).toMatch(/"epoch":100000,[^\n]*\n\n$/);

  // One that never reads.
  const sleeping = new Watcher();
  const other = await sleeping.listen(0);
  const warnings = [{ kind: "doubt", column: undefined, text: "x".repeat(20_000_000) }] as const;
  const numbers = { rows: 1, columns: 1, members: 1, epochs: 1, stepsPerEpoch: 1, parameters: 1, threads: 1 };
  sleeping.take({ kind: "start", step: 0, task: "value", held: true, ...numbers, warnings });
  const asleep = await new Promise<IncomingMessage>((resolve, reject) => {
    request(`${other}events`, (answer) => resolve(answer.pause()))
      .on("error", reject)
      .end();
  });
  const began = performance.now();
  await sleeping.close();
  expect(performance.now() - began).toBeLessThan(4000);
  asleep.destroy();
}, 20_000);

describe.runIf(isBuilt)("search", () => {
  const lines = (): readonly string[] =>
    readFileSync(join(cwd, "runs/tries/trials.jsonl"), "utf8").trimEnd().split("\n");

  test("tries, halves, and goes on where it was broken off", () => {
    const args = ["search", ...SMALL, "--trials", "4", "--epochs", "9", "--name", "tries", "--seed", "2"];
    const { status, stdout, stderr } = carillon(args, { cwd });
    expect([status, stdout]).toEqual([0, "runs/tries/best.json\n"]);
    expect(stderr).toContain("round 2 of 2: 1 trial of 9 epochs");
    expect(readdirSync(join(cwd, "runs/tries")).sort()).toEqual(["best.json", "search.json", "trials.jsonl"]);
    const results = lines().map(
      (line) => JSON.parse(line) as { trial: number; epochs: number; score: { logLoss: number } },
    );
    const first = results.filter(({ epochs }) => epochs === 3);
    const best = first.toSorted((a, b) => a.score.logLoss - b.score.logLoss)[0]?.trial;
    expect(first.map(({ trial }) => trial).sort()).toEqual([0, 1, 2, 3]);
    expect(results.filter(({ epochs }) => epochs === 9).map(({ trial }) => trial)).toEqual([best]);

    const [whole, job] = [lines(), readFileSync(join(cwd, "runs/tries/best.json"), "utf8")];
    writeFileSync(join(cwd, "runs/tries/trials.jsonl"), `${whole.slice(0, 2).join("\n")}\n{"trial":`);
    const again = carillon(["search", "--resume", "runs/tries"], { cwd });
    expect(again.status).toBe(0);
    expect(again.stderr.match(/^trial /gm)?.length).toBe(3);
    expect(readFileSync(join(cwd, "runs/tries/best.json"), "utf8")).toBe(job);
    expect(carillon(["train", "--job", "runs/tries/best.json", "--epochs", "2"], { cwd }).status).toBe(0);
  }, 90_000);
});
