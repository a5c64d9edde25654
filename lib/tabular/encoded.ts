// Rows as networks are given them, wherever they lie.
import type { PackedInputs, WrittenInputs } from "../data/packed.js";
import type { AnyData } from "../train/options.js";

/** What networks are given of all rows, wherever it lies. */
export interface EncodedRows {
  readonly rows: number;
  /** Whether texts are written as lists of any length, and networks that are trained read them so. */
  readonly takesLists: boolean;
  /** Writes inputs of the rows from `begin` on: of all rows, in their order. */
  write(begin: number, x: WrittenInputs): void | Promise<void>;
  /** Writes targets of the rows from `begin` on. */
  writeTargets(begin: number, y: Float32Array | Int32Array): void;
  /** Some rows as examples of a run of a model with these inputs. */
  take(rows: Uint32Array, use: "training" | "validation", names: readonly string[]): AnyData;
  /** These inputs of some rows, in their order. */
  pick(rows: Uint32Array, names: readonly string[]): PackedInputs | Promise<PackedInputs>;
  close(): Promise<void>;
}
