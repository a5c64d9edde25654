// npm run stream-test -- --gigabytes 5 [--megabytes-resident 400]: trains on a CSV that is generated as it is read, and fails
// if the process ever held more memory than that.
import { parseArgs } from "node:util";
import { type Meter, trainOnCsv } from "./csv.js";

const GIGA = 1e9;
const MEGA = 1e6;
const KIBI = 1024;
const SHUFFLE_BUFFER = 100_000;
/** Between two lines of progress. */
const INTERVAL = 10_000;

const { values } = parseArgs({
  options: { gigabytes: { type: "string", default: "5" }, "megabytes-resident": { type: "string", default: "400" } },
});
const bytes = Number(values.gigabytes) * GIGA;
const allowed = Number(values["megabytes-resident"]) * MEGA;
if (!(bytes > 0 && allowed > 0)) throw new Error("expected numbers above 0");

const meter: Meter = { bytes: 0, rows: 0 };
const started = performance.now();
/** The most that the process held so far, as the kernel counts it. */
const peak = (): number => process.resourceUsage().maxRSS * KIBI;
const seconds = (): number => (performance.now() - started) / 1000;
let told = 0;
const before = process.memoryUsage.rss();

const epoch = await trainOnCsv({
  bytes,
  shuffleBuffer: SHUFFLE_BUFFER,
  meter,
  progress(step, loss) {
    if (performance.now() - told < INTERVAL) return;
    told = performance.now();
    const resident = `${(process.memoryUsage.rss() / MEGA).toFixed(0)} MB resident, ${(peak() / MEGA).toFixed(0)} MB at most`;
    console.log(
      `${seconds().toFixed(0)} s: ${(meter.bytes / GIGA).toFixed(2)} GB, step ${step}, loss ${loss.toFixed(3)}, ${resident}`,
    );
  },
});

const report = {
  gigabytes: meter.bytes / GIGA,
  examples: meter.rows,
  steps: epoch.step,
  seconds: seconds(),
  megabytesPerSecond: meter.bytes / MEGA / seconds(),
  accuracy: epoch.metrics.accuracy,
  residentAtStartMegabytes: before / MEGA,
  residentPeakMegabytes: peak() / MEGA,
};
console.log(JSON.stringify(report, null, 2));
if (peak() > allowed) {
  console.error(`the process held more than ${(allowed / MEGA).toFixed(0)} MB`);
  process.exitCode = 1;
}
