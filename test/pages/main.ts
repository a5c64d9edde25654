// `npm run test:pages`: every page that carillon makes, in headless Chromium. No error, no request, marks in every chart, nothing that axe-core
// calls serious, nothing wider than the window; light and dark, wide and narrow. Pictures go to build/pages/.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import { env } from "node:process";
import { pathToFileURL } from "node:url";
import { report } from "carillon";
import type { Browser } from "playwright-core";
import { churn, prices, type Story, weather, wines } from "../report/models.js";
import { liveProblems } from "./live.js";

/** Packages of the checkout that are no part of this program's bundle. */
const load = createRequire(import.meta.url);
const { chromium } = load("playwright-core") as typeof import("playwright-core");
const axe = readFileSync(load.resolve("axe-core/axe.min.js"), "utf8");

const OUT = join("build", "pages");

/** Chromium of this machine, or the one that CHROMIUM names. */
function installed(): string | undefined {
  if (env.CHROMIUM !== undefined) return env.CHROMIUM;
  const names = ["chromium", "chromium-browser", "google-chrome"];
  const folders = (env.PATH ?? "").split(delimiter);
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find((file) => existsSync(file));
}

/** What axe-core says, as far as it is read here. */
interface Violations {
  readonly violations: readonly {
    readonly id: string;
    readonly impact: string | null;
    readonly nodes: readonly { readonly html: string }[];
  }[];
}

const WINDOWS = [
  { width: 1280, height: 900 },
  { width: 360, height: 740 },
] as const;

const SCHEMES = ["light", "dark"] as const;

/** What a page has, asked in the page. */
const LOOK = `({
  empty: [...document.querySelectorAll("svg")].filter((svg) => svg.querySelector(".mark") === null).map((svg) => svg.getAttribute("aria-label")),
  charts: document.querySelectorAll("svg").length,
  wrong: document.body.innerHTML.match(/\\b(?:NaN|undefined|Infinity)\\b/g)?.length ?? 0,
  wide: document.documentElement.scrollWidth - window.innerWidth,
})`;

interface Look {
  readonly empty: readonly string[];
  readonly charts: number;
  readonly wrong: number;
  readonly wide: number;
}

/** What is wrong with a page in one window and one colour scheme. */
async function problemsOf(
  browser: Browser,
  name: string,
  file: string,
  viewport: (typeof WINDOWS)[number],
  colorScheme: (typeof SCHEMES)[number],
): Promise<readonly string[]> {
  const page = await browser.newPage({ viewport, colorScheme });
  const found: string[] = [];
  const address = pathToFileURL(file).href;
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) found.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => found.push(`error: ${error.message}`));
  page.on("request", (request) => {
    if (request.url() !== address && !request.url().startsWith("data:")) found.push(`request: ${request.url()}`);
  });
  await page.goto(address);
  const seen = (await page.evaluate(LOOK)) as Look;
  if (seen.charts < 4) found.push(`${seen.charts} charts`);
  if (seen.wrong > 0) found.push(`${seen.wrong} figures that are none`);
  if (seen.wide > 0) found.push(`${seen.wide} pixels wider than the window`);
  found.push(...seen.empty.map((label) => `no mark: ${label}`));
  const { violations } = (await page.evaluate(`${axe}; axe.run()`)) as Violations;
  for (const { id, impact, nodes } of violations) {
    if (impact === "serious" || impact === "critical") found.push(`axe: ${id}: ${nodes[0]?.html.slice(0, 160)}`);
  }
  await page.keyboard.press("Tab");
  const first = await page.evaluate("document.activeElement?.textContent");
  if (first !== "To the content") found.push(`the first stop of the keyboard is ${String(first)}`);
  await page.evaluate("document.activeElement?.blur()");
  const shown = `${name}-${colorScheme}-${viewport.width}`;
  await page.screenshot({ path: join(OUT, `${shown}.png`), fullPage: true });
  await page.close();
  return found.map((problem) => `${shown}: ${problem}`);
}

const executablePath = installed();
if (executablePath === undefined) {
  console.error("test:pages: Chromium is not installed (Debian: apt-get install chromium; else CHROMIUM=path)");
  process.exitCode = 1;
} else {
  mkdirSync(OUT, { recursive: true });
  const stories: Readonly<Record<string, Story>> = {
    churn: await churn(),
    wines: await wines(),
    prices: await prices(),
    weather: await weather(),
  };
  const browser = await chromium.launch({ executablePath, args: ["--disable-gpu"], chromiumSandbox: false });
  const problems: string[] = [];
  let pages = 0;
  try {
    for (const [name, { model, rows }] of Object.entries(stories)) {
      const command = `npx carillon train ${name}.csv --target ${model.target.join(",")}`;
      const { html } = await report(model, rows, {
        command,
        job: { seed: 0, preset: "auto" },
        seconds: 12.3,
        name: `${name}.csv`,
      });
      const file = join(process.cwd(), OUT, `${name}.html`);
      writeFileSync(file, html);
      const looks = WINDOWS.flatMap((viewport) =>
        SCHEMES.map((scheme) => problemsOf(browser, name, file, viewport, scheme)),
      );
      problems.push(...(await Promise.all(looks)).flat());
      pages += looks.length;
    }
    const forms = WINDOWS.flatMap((viewport) => SCHEMES.map((colorScheme) => ({ viewport, colorScheme })));
    problems.push(...(await liveProblems(browser, OUT, axe, forms)));
    pages += forms.length;
  } finally {
    await browser.close();
  }
  for (const problem of problems) console.error(problem);
  console.log(`test:pages: ${pages} pages, ${problems.length} problems; pictures in ${OUT}`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
