// The live page of `carillon train --watch`, fed with events that were made for it.
import { join } from "node:path";
import type { TabularEvent, TabularRun } from "carillon";
import type { Browser } from "playwright-core";
import { Watcher } from "../../lib/cli/watch/watcher.js";

/** In which window, and in which colours. */
interface Form {
  readonly viewport: { readonly width: number; readonly height: number };
  readonly colorScheme: "light" | "dark";
}

const EPOCHS = 30;
const FILES = ["", "style.css", "page.js", "events"];

/** A run of two members, of which the second is still trained. */
function* events(): Generator<TabularEvent> {
  yield {
    kind: "start",
    step: 0,
    task: "binary",
    rows: 5000,
    held: true,
    columns: 14,
    members: 2,
    epochs: EPOCHS,
    stepsPerEpoch: 16,
    parameters: 150_000,
    threads: 2,
    warnings: [{ kind: "id", column: "id", text: "'id' names rows and is left out" }],
  };
  for (const [member, last] of [
    [1, EPOCHS],
    [2, 12],
  ] as const) {
    for (let epoch = 1; epoch <= last; epoch++) {
      const value = 0.9 - 0.3 / epoch;
      yield {
        kind: "epoch",
        member,
        members: 2,
        step: 16 * epoch,
        epoch,
        epochs: EPOCHS,
        loss: 0.2 + 1 / epoch,
        validation: { loss: 0.3 + 1 / epoch, figure: { name: "accuracy", value } },
        best: { epoch, value },
        seconds: epoch,
        secondsLeft: 90,
      };
    }
  }
}

/** What is wrong with the page in one form; its picture goes to `out`. */
async function problemsOf(
  browser: Browser,
  out: string,
  axe: string,
  { viewport, colorScheme }: Form,
): Promise<readonly string[]> {
  const asked: string[] = [];
  const run = { pause: () => asked.push("pause"), resume: () => asked.push("resume"), stop: () => asked.push("stop") };
  const watcher = new Watcher();
  const address = await watcher.listen(0);
  watcher.follow(run as unknown as TabularRun);
  for (const event of events()) watcher.take(event);
  const found: string[] = [];
  const page = await browser.newPage({ viewport, colorScheme });
  try {
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) found.push(`console: ${message.text()}`);
    });
    page.on("pageerror", (error) => found.push(`error: ${error.message}`));
    page.on("request", (request) => {
      const own = FILES.map((name) => `${address}${name}`);
      if (request.method() === "GET" && !own.includes(request.url()) && !request.url().startsWith("data:"))
        found.push(`request: ${request.url()}`);
    });
    await page.goto(address);
    await page.waitForSelector("#figure circle");
    const marks = (await page.evaluate(
      `[...document.querySelectorAll(".chart svg")].map((svg) => [...svg.querySelectorAll("path:not(.axis)")].filter((path) => path.getAttribute("d").length > 100).length)`,
    )) as readonly number[];
    if (marks.join() !== "2,1") found.push(`lines of the charts: ${marks.join()}`);
    const said = (await page.evaluate("document.body.innerText")) as string;
    for (const text of ["training", "'id' names rows", "12 of 30", "1 min 30 s"])
      if (!said.includes(text)) found.push(`not said: ${text}`);
    if (/\b(?:NaN|undefined|Infinity)\b/.test(said)) found.push("figures that are none");
    if ((await page.evaluate("document.documentElement.scrollWidth > window.innerWidth")) === true)
      found.push("too wide");
    const { violations } = (await page.evaluate(`${axe}; axe.run()`)) as {
      violations: { id: string; impact: string }[];
    };
    for (const { id, impact } of violations) if (["serious", "critical"].includes(impact)) found.push(`axe: ${id}`);
    await page.screenshot({ path: join(out, `live-${colorScheme}-${viewport.width}.png`), fullPage: true });
    await page.click("#pause");
    await page.waitForSelector("#state:text-is('paused')");
    await page.click("#pause");
    await page.waitForSelector("#state:text-is('training')");
    await page.click("#stop");
    await page.waitForTimeout(50);
    watcher.take({ kind: "end", step: 672, reason: "stopped", score: { accuracy: 0.875 }, seconds: 42 });
    await page.waitForSelector("#state:text-is('stopped: accuracy 0.8750')");
    if (asked.join() !== "pause,resume,stop") found.push(`asked of the run: ${asked.join()}`);
  } finally {
    await page.close();
    watcher.close();
  }
  return found.map((problem) => `live-${colorScheme}-${viewport.width}: ${problem}`);
}

/** What is wrong with the live page in any of these forms. */
export async function liveProblems(
  browser: Browser,
  out: string,
  axe: string,
  forms: readonly Form[],
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const form of forms) found.push(...(await problemsOf(browser, out, axe, form)));
  return found;
}
