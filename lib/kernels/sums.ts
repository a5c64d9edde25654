import { checkKeys } from "../options.js";
import { checkCount, checkFloats, checkThreads, lengthOf, type ThreadOptions } from "./arguments.js";
import { atFirstUse, Call } from "./call.js";

const THREADS_ONLY = ["threads"] as const;

const total = new Float32Array(1);

function reduction(
  where: string,
  operation: "sum" | "sum_squares",
): (x: Float32Array, options?: ThreadOptions) => number {
  const [atX, atThreads] = [`${where}.x`, `${where}.threads`];
  const made = atFirstUse(() => new Call(where, operation, ["x", "sum"]));
  return (x, options) => {
    if (options !== undefined) checkKeys(where, options, THREADS_ONLY);
    const threads = checkThreads(atThreads, options?.threads);
    const call = made();
    call.set(call.at.count, lengthOf(atX, x));
    call.run(threads, [x, total]);
    return total[0] ?? 0;
  };
}

/**
 * Σ x in float32. x: [count], count ≥ 0. 16 lanes, lane i takes the elements i, i + 16, …, in blocks of 1,024; lanes,
 * then blocks, combine in a fixed tree, so that the error is at most γ_d·Σ|x|, d = 68 + log₂(count/1024).
 *
 * @returns A float32 number.
 */
export const sum = reduction("sum", "sum");

/** Σ x² in float32: the order of {@link sum}, one fused multiply-add a term. */
export const sumSquares = reduction("sumSquares", "sum_squares");

/** Options of {@link rowSum} and {@link columnSum}. */
export interface MatrixSumOptions extends ThreadOptions {
  /** ≥ 0. */
  readonly rows: number;
  /** ≥ 0. */
  readonly columns: number;
  /** [rows, columns], row-major. */
  readonly x: Float32Array;
  /** [rows] of `rowSum`, [columns] of `columnSum`; written. */
  readonly y: Float32Array;
}

const KEYS = ["rows", "columns", "x", "y", "threads"] as const satisfies readonly (keyof MatrixSumOptions)[];

function matrixSum(where: string, operation: "row_sum" | "column_sum"): (options: MatrixSumOptions) => void {
  const [atX, atY, atThreads] = [`${where}.x`, `${where}.y`, `${where}.threads`];
  const [atRows, atColumns] = [`${where}.rows`, `${where}.columns`];
  const made = atFirstUse(() => new Call(where, operation, ["x", "y"]));
  return (options) => {
    checkKeys(where, options, KEYS);
    const rows = checkCount(atRows, options.rows);
    const columns = checkCount(atColumns, options.columns);
    const x = checkFloats(atX, options.x, rows * columns);
    const y = checkFloats(atY, options.y, operation === "row_sum" ? rows : columns);
    const call = made();
    call.set(call.at.rows, rows);
    call.set(call.at.columns, columns);
    call.run(checkThreads(atThreads, options.threads), [x, y]);
  };
}

/** y[r] = Σ_c x[r, c], each as {@link sum}. Errors as everywhere: `ERR_SHAPE`, `ERR_DTYPE`, `ERR_DATA`, `ERR_DETACHED`. */
export const rowSum = matrixSum("rowSum", "row_sum");

/**
 * y[c] = Σ_r x[r, c]: one chain of additions a column, rows in order, restarted every 128 rows, the blocks added in order.
 */
export const columnSum = matrixSum("columnSum", "column_sum");
