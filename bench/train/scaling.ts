// npm run bench -- scaling: how a step's cost grows with batch, width, depth and threads, drawn into docs/.
import { fixed, median, type Report, type SuiteOptions, Table } from "../report.js";
import { rooflineMicroseconds } from "../roofline.js";
import { limitsOf } from "./limits.js";
import { nameOf, titleOf } from "./networks.js";
import { OurStep } from "./ours.js";
import { drawScaling } from "./picture.js";
import { type Point, points, type ScalingRow } from "./points.js";
import type { Limits } from "./rows.js";

export const PICTURE = "docs/performance-scaling.svg";

/** Where a picture goes that shows nothing. */
const QUICK_PICTURE = "build/bench/performance-scaling.svg";

const turnsOf = ({ quick }: SuiteOptions): number => (quick ? 1 : 3);

/** Seconds of measuring a row, all turns together. */
const SECONDS = 0.6;

const COLUMNS = new Table<ScalingRow>([
  { title: "of", width: 5, align: "left", text: ({ series }) => series },
  { title: "value", width: 5, text: ({ value }) => String(value) },
  { title: "threads", width: 7, text: ({ threads }) => String(threads) },
  { title: "µs", width: 9, text: ({ microseconds }) => fixed(microseconds, 1) },
  { title: "limit", width: 9, text: (row) => fixed(row.rooflineMicroseconds, 1) },
  {
    title: "× limit",
    width: 7,
    text: ({ microseconds, rooflineMicroseconds: limit }) => fixed(microseconds / limit, 2),
  },
]);

/** A row for each number of threads, measured in turns. */
async function measurePoint(
  { series, value, network }: Point,
  threads: readonly number[],
  seconds: number,
  turns: number,
) {
  const entrants = threads.map((count) => ({
    count,
    step: new OurStep(network, count),
    times: [] as number[],
    limits: [] as Limits[],
  }));
  for (let turn = 0; turn < turns; turn++) {
    for (const { count, step, times, limits } of turn % 2 === 1 ? entrants.toReversed() : entrants) {
      times.push(await step.measure(seconds / turns));
      limits.push(await limitsOf(network, count));
    }
  }
  return entrants.map(({ count, times, limits }): ScalingRow => {
    const { sizes, batch } = network;
    const limit = median(limits.map((each) => rooflineMicroseconds({ sizes, batch, ...each })));
    const microseconds = median(times);
    return {
      series,
      value,
      network: nameOf(network),
      batch,
      threads: count,
      microseconds,
      rooflineMicroseconds: limit,
    };
  });
}

export async function run(options: SuiteOptions): Promise<Report<ScalingRow>> {
  const { machine, threads, only, quick, print, seconds = SECONDS } = options;
  const turns = turnsOf(options);
  print(COLUMNS.header());
  const rows: ScalingRow[] = [];
  const ends = points().filter((point, index, all) => point.series !== all[index - 1]?.series);
  for (const point of quick ? ends : points()) {
    if (only?.test(titleOf(point.network)) === false) continue;
    const measured = await measurePoint(point, threads, seconds, turns);
    rows.push(...measured);
    for (const row of measured) print(COLUMNS.line(row));
  }
  // A part of the points is no picture.
  if (only === undefined) {
    const picture = quick ? QUICK_PICTURE : PICTURE;
    await drawScaling(picture, rows, machine);
    print(`picture: ${picture}`);
  }
  return { suite: "scaling", machine, peers: {}, rows, summary: { turns } };
}
