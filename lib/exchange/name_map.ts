// What is what, as a table for people.
import type { AnyModel } from "../index.js";
import { INSPECT } from "../tensor/inspect.js";
import type { Crossing } from "./crossing.js";
import { type Entry, pytorchEntries, type StateDictOptions } from "./pytorch_walk.js";

/** A tensor of the other side, and what it is here. */
export interface NamePair {
  /** Its name there. */
  readonly theirs: string;
  /** Its shape there. */
  readonly shape: readonly number[];
  /** What it is there, such as `nn.Linear`. */
  readonly module: string;
  /** Names of our weights that it holds; none where it is nothing of ours. */
  readonly ours: readonly string[];
  /** What changes on the way; empty where nothing does. */
  readonly change: string;
}

/** Names of a model there and here, in the order of the other side; `console.log` shows a table. */
export class NameMap {
  readonly pairs: readonly NamePair[];

  /** @internal */
  constructor(pairs: readonly NamePair[]) {
    this.pairs = pairs;
  }

  /** A line a tensor: name and shape there, what it is here, what changes. */
  toString(): string {
    const rows = this.pairs.map(({ theirs, shape, module, ours, change }) => [
      theirs,
      `[${shape.join(", ")}]`,
      module,
      ours.length === 0 ? "–" : ours.join(" + "),
      change,
    ]);
    const widths = [0, 1, 2, 3].map((column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)));
    return rows
      .map((row) =>
        row
          .map((text, column) => text.padEnd(widths[column] ?? 0))
          .join("  ")
          .trimEnd(),
      )
      .join("\n");
  }

  /** @internal */
  [INSPECT](): string {
    return this.toString();
  }
}

/** The pair of a crossing. */
export function pairOf({ theirs, shape, ours, change }: Crossing, module: string): NamePair {
  return { theirs, shape, module, ours, change };
}

/**
 * How a model's weights are called in PyTorch, with their shapes there and what changes on the way: what {@link stateDict} writes and {@link loadStateDict} reads.
 *
 * @example
 * console.log(nameMap(sequential(linear(4, 8), relu(), linear(8, 2))));
 * // 0.weight  [8, 4]  nn.Linear  linear1.weight
 * // 0.bias    [8]     nn.Linear  linear1.bias
 * // 2.weight  [2, 8]  nn.Linear  linear2.weight
 * // 2.bias    [2]     nn.Linear  linear2.bias
 */
export function nameMap(model: AnyModel, options: StateDictOptions = {}): NameMap {
  return new NameMap(
    pytorchEntries("nameMap", model, options).map(({ crossing, module }: Entry) => pairOf(crossing, module)),
  );
}
