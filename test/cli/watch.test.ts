// `--watch` as programs ask it, and searches; what a browser makes of the page is looked at where there is one.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { csvOf, customers } from "../../examples/churn/customers.js";
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
