// Some rows of a source that is too large to be held.

import { Turns } from "../data/turns.js";
import { drawBelow } from "../tensor/draw_below.js";
import { seedKey } from "../tensor/philox.js";
import type { LargeSource } from "./large.js";
import type { TableOptions } from "./options.js";
import { joinedBlocks, readBlocks } from "./read.js";
import type { Table } from "./table.js";

/** Keeps these draws apart from those of other uses of a seed: ARCHITECTURE.md, Random streams. */
const PURPOSE = 19;

const TWO_32 = 4_294_967_296;

/** Rows between two looks at the clock. */
const PIECE = { least: 256, most: 4096 };

/** Rows of a source, in its order. */
export interface SampledRows {
  readonly table: Table;
  /** Their numbers in the source. */
  readonly rows: Uint32Array;
  /** Rows of the source. */
  readonly all: number;
}

interface Kept {
  readonly table: Table;
  readonly rows: readonly number[];
  readonly draws: readonly number[];
}

/**
 * A sample of `most` rows at most, and of half as many at least where there are more than `most`: every row has a draw of the seed and of its number, and those are taken whose draws are
 * below a bound, which is halved as often as they are too many.
 */
export async function sampleOf(
  { source }: LargeSource,
  options: TableOptions,
  most: number,
  seed: number,
): Promise<SampledRows> {
  const key = seedKey("sample.seed", seed);
  const turns = new Turns(options.signal);
  let [bound, all, count] = [TWO_32, 0, 0];
  let blocks: Kept[] = [];
  for await (const block of readBlocks(source, options)) {
    const first = all;
    const [places, draws]: [number[], number[]] = [[], []];
    await turns.inPieces(block.rows, PIECE, (begin, end) => {
      for (let row = begin; row < end; row++) {
        const draw = drawBelow(TWO_32, first + row, PURPOSE, key);
        if (draw >= bound) continue;
        places.push(row);
        draws.push(draw);
      }
    });
    all += block.rows;
    count += places.length;
    blocks.push({ table: block.pick(places), rows: places.map((row) => first + row), draws });
    while (count > most) {
      bound /= 2;
      blocks = blocks.map((one) => below(one, bound));
      count = blocks.reduce((sum, { rows }) => sum + rows.length, 0);
    }
  }
  const rows = Uint32Array.from(blocks.flatMap((one) => one.rows));
  return { table: joinedBlocks(blocks.map(({ table }) => table)), rows, all };
}

function below({ table, rows, draws }: Kept, bound: number): Kept {
  const places = draws.flatMap((draw, at) => (draw < bound ? [at] : []));
  return {
    table: table.pick(places),
    rows: places.map((at) => rows[at] ?? 0),
    draws: places.map((at) => draws[at] ?? 0),
  };
}
