// Training with half of the hidden units dead, whose momenta fall into the range of denormal numbers.
import type { StoredTensor } from "../../lib/io/element_types.js";
import { SEAL, sealedBytes, sealedParts } from "../../lib/io/seal.js";
import { decodeSafetensors } from "../../test/io/whole_file.js";
import { median } from "../report.js";
import type { Network } from "./networks.js";
import { type Checkpoint, checkpointAt, OurStep } from "./ours.js";

/** A little above 2⁻¹²⁶: below it after one decay of the first moment and after 20 of the second. */
const BARELY_NORMAL = 1.2e-38;

/** Steps from there until both moments have left the normal range. */
const SETTLE = 64;

/** No input brings a unit above this. */
const DEAD_BIAS = -1000;

/** The odd units: vectors hold living and dead ones side by side, as they do where units die of themselves. */
export function isDead(unit: number): boolean {
  return unit % 2 === 1;
}

/** Of element `index` of layer `layer` of `layers`: whether the unit that it feeds, or the one that it reads, is dead. */
function deadEnds(name: string, shape: readonly number[], layers: number, index: number) {
  const [, ordinal = "0", role = ""] = /linear(\d+)\.(\w+)$/.exec(name) ?? [];
  const layer = Number(ordinal);
  const columns = role === "weight" ? (shape[1] ?? 1) : 1;
  return {
    feeds: layer < layers && isDead(Math.floor(index / columns)),
    reads: layer > 1 && role === "weight" && isDead(index % columns),
    role,
  };
}

/**
 * A checkpoint of dense layers with the odd hidden units dead: incoming weights 0, biases far below 0, and the moments of all
 * weights into and out of them where some 70,000 steps without a gradient would have brought them.
 */
export function withDeadUnits({ step, bytes }: Checkpoint, layers: number): Checkpoint {
  const { tensors, metadata } = decodeSafetensors(bytes);
  const unsealed = [...tensors].filter(([name]) => name !== SEAL);
  const changed = new Map(
    unsealed.map(([name, tensor]): [string, StoredTensor] => {
      if (tensor.dtype !== "f32") return [name, tensor];
      const data = tensor.data.map((value, index) => {
        const { feeds, reads, role } = deadEnds(name, tensor.shape, layers, index);
        if (!name.startsWith("weights/")) return feeds || reads ? BARELY_NORMAL : value;
        if (!feeds) return value;
        return role === "bias" ? DEAD_BIAS : 0;
      });
      return [name, { ...tensor, data }];
    }),
  );
  return { step, bytes: sealedBytes(sealedParts(changed, metadata)) };
}

export interface DeadUnitsRow {
  readonly network: string;
  readonly batch: number;
  readonly threads: number;
  /** µs a step. */
  readonly normal: number;
  readonly dead: number;
  /** Median of dead / normal within a turn. */
  readonly ratio: number;
}

/** Both in turns, from the same checkpoint. */
export async function deadUnits(network: Network, threads: number, turns: number, seconds: number) {
  const checkpoint = await checkpointAt(network, 100);
  const normal = new OurStep(network, threads, checkpoint, SETTLE);
  const dead = new OurStep(network, threads, withDeadUnits(checkpoint, network.sizes.length - 1), SETTLE);
  const times: { normal: number; dead: number }[] = [];
  for (let turn = 0; turn < turns; turn++) {
    times.push({ normal: await normal.measure(seconds), dead: await dead.measure(seconds) });
  }
  return {
    normal: median(times.map((time) => time.normal)),
    dead: median(times.map((time) => time.dead)),
    ratio: median(times.map((time) => time.dead / time.normal)),
  };
}
