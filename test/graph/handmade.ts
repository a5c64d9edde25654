import { expect } from "vitest";
import {
  type NativeProgramSpec,
  type NativeRegisters,
  type NativeSlab,
  native,
  nativeInfo,
} from "../../lib/binding/native.js";
import { numberOf } from "../../lib/ops/native_table.js";

/** Number of an operation. */
export const operation = (name: string): number => nativeInfo.operations.indexOf(name);
export const INT_MAX = 2_147_483_647;
export const INT_MIN = -2_147_483_648;
/** Of an instruction that is run alone. */
export const registers: NativeRegisters = { seed: 0, step: 1, epoch: 0, rows: 1, batchOffset: 0, rate: 0.1 };

/** Words of one instruction. */
export function words(
  name: string,
  views: readonly number[],
  ints: readonly number[],
  doubles: readonly number[] = [],
): number[] {
  const halves = new Int32Array(Float64Array.from(doubles).buffer);
  return [operation(name), views.length, ints.length, doubles.length, ...views, ...ints, ...halves];
}

/** The error of the verifier, whose message has `message` in it. */
export const refused = (message: string) =>
  expect.objectContaining({ name: "CarillonError", code: "ERR_NATIVE", message: expect.stringContaining(message) });

/** Rows of the largest batch, features and classes of {@link valid}. */
export const ROWS = 4;
const IN = 3;
const OUT = 5;

/** Room for 8 constants of the rule, value to clip at, decay of the average; then of the segment: L2 and penalty 0.1. */
const UPDATE_DOUBLES = [...new Array<number>(8).fill(0), Number.POSITIVE_INFINITY, 0, 0.1, 0, 0, 0, 0, 0, 0.1, 0];

/** One training step by hand: a product, a loss, its gradient, an update, a log. */
export function valid(): { readonly spec: NativeProgramSpec; readonly slabs: readonly NativeSlab[] } {
  const slabs = [
    native.slabCreate(ROWS * IN, "f32"),
    native.slabCreate(ROWS, "i32"),
    native.slabCreate(OUT * IN, "f32"),
    native.slabCreate(ROWS, "f32"),
  ];
  const [F32, I32] = [0, 1];
  const region = 64;
  // slot, dtype, offset, count, batched
  const views = [
    [1, F32, 0, IN, 1], // x
    [2, I32, 0, 1, 1], // labels
    [3, F32, 0, OUT * IN, 0], // weights
    [0, F32, 0, OUT, 1], // logits
    [4, F32, 0, 1, 1], // losses
    [0, F32, 32, 1, 0], // their sum
    [0, F32, region, OUT * IN, 0], // gradient of the weights
    [0, F32, 40, 1, 0], // 1
    [0, F32, 44, 1, 0], // penalty
  ].flat();
  const code = [
    words("gemm", [0, 2, -1, 3], [-1, OUT, IN, 0, 1, 0, 0]),
    words("softmax_cross_entropy", [3, 1, 4], [-1, OUT]),
    words("sum", [4, 5], [-1]),
    words("fill", [7], [1], [1]),
    words("softmax_cross_entropy_gradient", [3, 1, 7, 3], [-1, OUT, 1]),
    words("gemm_fused", [3, 0, -1, 6, 2], [OUT, IN, -1, 1, 0, 0, 0, -1, 0, 1], [1, 1, 2]),
    words("gemm", [3, 0, -1, 6], [OUT, IN, -1, 1, 0, 0, 0]),
    words(
      "update",
      [2, 6, -1, -1, -1, -1, -1, 8, -1, -1, -1, -1, -1, -1],
      [0, 0, numberOf("optimizers", "sgd"), 0, 0, 0, 0, 0, 0, 0, 0, -1, 0, 0, 0, OUT, IN, 0],
      UPDATE_DOUBLES,
    ),
    words("dropout", [3, 3], [-1, OUT, 0, 1, 1, 0], [0.5, 2, 0, 0]),
    words("gemm_fused", [0, 2, -1, 3, -1], [-1, OUT, IN, 0, 1, 1, 0, 1, 1, 0], [0.5, 2, 1]),
    words("log_scalar", [5], [0]),
  ].flat();
  const spec: NativeProgramSpec = {
    code: Int32Array.from(code),
    views: Float64Array.from(views),
    slabs: slabs.map((slab, index) => ({ slab, writable: index >= 2 })),
    arenaCount: 96,
    maxRows: ROWS,
    logColumns: 1,
    logRows: 1,
    lanes: 1,
    seed: 7,
    samples: 0,
    batch: 0,
    shuffle: false,
    orderSlot: 0,
    microBegin: 0,
    microEnd: 0,
  };
  return { spec, slabs };
}

/** What becomes of a program: an error at creation, a fault, or a clean run. */
export function outcome(spec: NativeProgramSpec, rows: number): string {
  try {
    const program = native.programCreate(spec);
    const lanes = new Float64Array(spec.lanes).fill(0.1);
    const { fault, steps } = native.programRunSync(program, {
      firstStep: 1,
      steps: 1,
      rows,
      lanes,
      threads: 1,
      waits: false,
      background: false,
    });
    return fault === null ? `clean ${steps}` : "fault";
  } catch (error) {
    expect(error).toMatchObject({ name: "CarillonError", code: "ERR_NATIVE" });
    return "error";
  }
}
