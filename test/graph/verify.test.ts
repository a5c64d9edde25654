import { describe, expect, test } from "vitest";
import {
  type NativeArray,
  type NativeRegisters,
  type NativeRunRequest,
  type NativeSlab,
  native,
  nativeInfo,
} from "../../lib/binding/native.js";
import { numberOf } from "../../lib/ops/native_table.js";
import { INT_MAX, INT_MIN, operation, refused, registers, valid, words } from "./handmade.js";

/*
 * The native verifier, fed by hand (layout: native/program/decode.h). lib/graph never writes such code; that nothing written
 * by anybody can crash the process is the verifier's promise.
 */

function run(code: readonly number[], views: readonly NativeArray[], changed: Partial<NativeRegisters> = {}): unknown {
  return native.execute(Int32Array.from(code), views, { ...registers, ...changed });
}

describe("one instruction", () => {
  const x = Float32Array.of(1, 2, 3, 4);
  const y = new Float32Array(4);
  const good = words("unary", [0, 1], [4, numberOf("unary", "negate")]);

  test("the good one runs", () => {
    expect(run(good, [x, y])).toBeNull();
    expect(Array.from(y)).toEqual([-1, -2, -3, -4]);
  });

  test.each(Array.from({ length: good.length }, (_, length) => length))("cut to %i words", (length) => {
    expect(() => run(good.slice(0, length), [x, y])).toThrow(refused(""));
  });

  test.each<[string, readonly number[], string]>([
    ["a negative number of an operation", [-1, ...good.slice(1)], "no operation"],
    ["too large a number", [nativeInfo.operations.length, ...good.slice(1)], "no operation"],
    ["a huge number", [INT_MAX, ...good.slice(1)], "no operation"],
    ["two instructions", [...good, ...good], "one instruction is wanted"],
    ["a word too many", [...good, 0], ""],
    ["a negative count of views", [operation("unary"), -1, 2, 0, 0, 1, 4, 0], "bad counts"],
    ["a huge count of views", [operation("unary"), INT_MAX, 2, 0, 0, 1, 4, 0], "bad counts"],
    ["a count past the end", [operation("unary"), 1 << 24, 2, 0, 0, 1, 4, 0], "code ends inside"],
    ["a huge count of doubles", [operation("unary"), 2, 2, INT_MAX, 0, 1, 4, 0], "bad counts"],
    ["one view", words("unary", [0], [4, 0]), "wrong number of views"],
    ["three views", words("unary", [0, 1, 1], [4, 0]), "wrong number of views"],
    ["one integer", words("unary", [0, 1], [4]), "wrong number of integers"],
    ["three integers", words("unary", [0, 1], [4, 0, 0]), "wrong number of integers"],
    ["a constant", words("unary", [0, 1], [4, 0], [1]), "wrong number of constants"],
    ["an absent view that is not optional", words("unary", [-1, 1], [4, 0]), "no such view"],
    ["a view that is not there", words("unary", [0, 2], [4, 0]), "no such view"],
    ["a view far away", words("unary", [0, INT_MAX], [4, 0]), "no such view"],
    ["a negative view", words("unary", [INT_MIN, 1], [4, 0]), "no such view"],
    ["a function that is not there", words("unary", [0, 1], [4, nativeInfo.unary.length]), "no such function"],
    ["a negative function", words("unary", [0, 1], [4, -1]), "no such function"],
    ["five elements of four", words("unary", [0, 1], [5, 0]), "5 are needed"],
    ["five rows of a batch of one", words("unary", [0, 1], [-5, 0]), "5 are needed"],
    ["2³¹ rows", words("unary", [0, 1], [INT_MIN, 0]), "are needed"],
    ["a spread that is not there", words("binary", [0, 0, 1], [1, 4, 0, 4, 0]), "no such spread"],
    ["a negative spread", words("binary", [0, 0, 1], [1, 4, 0, 0, -1]), "no such spread"],
    ["a product of sizes past 2⁶⁰", words("binary", [0, 0, 1], [INT_MIN, INT_MIN, 0, 0, 0]), "dimensions overflow"],
    ["a row longer than its operand", words("binary", [0, 1, 1], [1, 5, 0, 0, 2]), "are needed"],
    ["an activation that is not there", words("gemm", [0, 0, -1, 1], [2, 2, 2, 0, 0, 9, 0]), "no such activation"],
    ["a negative activation", words("gemm", [0, 0, -1, 1], [2, 2, 2, 0, 0, -1, 0]), "no such activation"],
    [
      "accumulation with an activation",
      words("gemm", [0, 0, -1, 1], [2, 2, 2, 0, 0, numberOf("activations", "relu"), 1]),
      "accumulation",
    ],
    ["a product that needs more than a", words("gemm", [0, 0, -1, 1], [2, 2, 3, 0, 0, 0, 0]), "are needed"],
    [
      "a product of nothing but size",
      words("gemm", [0, 0, -1, 1], [INT_MIN, INT_MIN, INT_MIN, 0, 0, 0, 0]),
      "overflow",
    ],
    ["a part without columns", words("concat", [0, 0, -1, -1, -1, -1, -1, 1], [1, 2]), "go together"],
    ["columns without a part", words("concat", [0, -1, -1, -1, -1, -1, -1, 1], [1, 2, 2]), "go together"],
    ["parts that begin with none", words("concat", [-1, 0, -1, -1, -1, -1, -1, 1], [1, 2]), "go together"],
    ["no parts", words("concat", [-1, -1, -1, -1, -1, -1, -1, 1], [1]), "bad number of parts"],
    ["eight parts", words("concat", [0, 0, 0, 0, 0, 0, 0, 1], [1, 1, 1, 1, 1, 1, 1, 1, 1]), "bad number of parts"],
    ["a part of negative columns", words("concat", [0, -1, -1, -1, -1, -1, -1, 1], [1, -4]), "negative columns"],
    ["a slice behind its row", words("slice", [0, 1], [1, 4, 3, 2]), "outside of its row"],
    ["a slice before its row", words("slice", [0, 1], [1, 4, -1, 2]), "outside of its row"],
    ["a pad of less than nothing", words("pad", [0, 1], [1, 4, -1, 0]), "negative columns"],
    ["half an axis", words("transpose", [0, 1], [1, 2]), "wrong number of integers"],
    ["an axis of nothing", words("transpose", [0, 1], [1, 0, 1]), "bad axis"],
    ["an axis that leaves its block", words("transpose", [0, 1], [1, 2, 3]), "outside of its block"],
    ["axes past 2⁶⁰", words("transpose", [0, 1], [1, INT_MAX, 1, INT_MAX, 1, INT_MAX, 1]), "bad axis"],
    ["a sum past 2⁶⁰", words("axis_sum", [0, 1], [INT_MIN, INT_MIN, INT_MIN]), "overflow"],
    ["a negative stride", words("binary_spread", [0, 0, 1], [2, 0, 1, 0, 2, -1, 1]), "bad stride"],
    ["a last axis in steps", words("binary_spread", [0, 0, 1], [2, 0, 2, 1]), "bad stride"],
    ["strides behind the operand", words("binary_spread", [0, 0, 1], [2, 0, 100, 0, 2, 1, 1]), "102 are needed"],
    ["a spread function that is not there", words("binary_spread", [0, 0, 1], [4, -1, 1, 1]), "no such function"],
    ["an axis cut short", words("where", [0, 0, 0, 1], [2, 1, 1, 1, 2, 1, 1]), "wrong number of integers"],
    ["an axis of no elements", words("where", [0, 0, 0, 1], [2, 1, 1, 1, 0, 1, 1, 1]), "dimensions overflow"],
    ["products of nothing", words("gemm_batch", [0, 0, 1], [1, 0, 2, 2, 0, 0]), "a product of nothing"],
    ["more products than operands", words("gemm_batch", [0, 0, 1], [2, 2, 2, 2, 0, 0]), "are needed"],
    ["softmax over no columns", words("softmax", [0, 1], [4, 0]), "no columns"],
    ["dropout that keeps more than all", words("dropout", [0, 1], [1, 4, 0, 1, 0, 0], [1.5, 1, 0, 0]), "keep outside"],
    ["dropout that keeps NaN", words("dropout", [0, 1], [1, 4, 0, 1, 0, 0], [Number.NaN, 1, 0, 0]), "keep outside"],
    ["dropout at a negative site", words("dropout", [0, 1], [1, 4, -1, 1, 0, 0], [0.5, 1, 0, 0]), "negative site"],
    [
      "an optimizer that is not there",
      words(
        "update",
        [0, 1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1],
        [0, 0, 99, 0, 0, 0, 0, 0, 0, 0, 0, -1, 0, 0, 0, 1, 4, 0],
        new Array(18).fill(0),
      ),
      "no such rule",
    ],
    [
      "an average that is neither fixed nor in a lane",
      words(
        "update",
        [0, 1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1],
        [0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, -1, 0, 0, 0, 1, 4, 0],
        new Array(18).fill(0),
      ),
      "decay of the average",
    ],
    [
      "a segment past the end",
      words(
        "update",
        [0, 1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 0, 0, 2, 1, 4, 0],
        new Array(18).fill(0),
      ),
      "are needed",
    ],
    [
      "a huge segment",
      words(
        "update",
        [0, 1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 0, 0, INT_MAX, 1, INT_MAX, 0],
        new Array(18).fill(0),
      ),
      "are needed",
    ],
    [
      "a negative segment",
      words(
        "update",
        [0, 1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 0, 0, -1, 1, 4, 0],
        new Array(18).fill(0),
      ),
      "negative segment",
    ],
    [
      "overlapping segments",
      words(
        "update",
        [0, 1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 0, 0, 0, 1, 3, 0, 2, 1, 1, 0],
        new Array(26).fill(0),
      ),
      "overlap",
    ],
    [
      "a segment without its two numbers",
      words(
        "update",
        [0, 1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 0, 0, 0, 1, 4, 0],
        new Array(16).fill(0),
      ),
      "wrong number of constants",
    ],
    [
      "Adam without states",
      words(
        "update",
        [0, 1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1],
        [0, 0, numberOf("optimizers", "adam"), 0, 0, 0, 0, 0, 0, 0, 0, -1, 0, 0, 0, 1, 4, 0],
        new Array(18).fill(0),
      ),
      "states",
    ],
    [
      "a negative schedule",
      words(
        "update",
        [0, 1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1],
        [0, 0, 0, -1, 0, 0, 0, 0, 0, 0, 0, -1, 0, 0, 0, 1, 4, 0],
        new Array(18).fill(0),
      ),
      "no such schedule",
    ],
    ["a gather of a dtype that is none", words("gather", [0, 0, 1], [1, 1, 4, 7], [1]), "dtype"],
    ["an order in floats", words("gather", [0, 0, 1], [1, 1, 4, 0], [1]), "another dtype"],
    ["labels in floats", words("one_hot", [0, 1], [2, 2]), "another dtype"],
    ["a result in place where the kernel cannot", words("copy", [0, 0], [4]), "overlaps"],
    ["a product into its operand", words("gemm", [0, 1, -1, 1], [2, 2, 2, 0, 0, 0, 0]), "overlaps"],
  ])("%s", (_name, code, message) => {
    expect(() => run(code, [x, y])).toThrow(refused(message));
  });

  test("overlap is that of memory, not of arrays", () => {
    const whole = new Float32Array(8);
    const [low, high] = [whole.subarray(0, 4), whole.subarray(2, 6)];
    expect(() => run(good, [low, high])).toThrow(refused("overlaps"));
    expect(run(good, [low, whole.subarray(0, 4)])).toBeNull();
    expect(run(good, [low, whole.subarray(4)])).toBeNull();
  });

  test("a row may not be the matrix that is written in place", () => {
    const matrix = new Float32Array(8);
    const row = words("binary", [0, 1, 0], [2, 4, numberOf("binary", "add"), 0, 2]);
    expect(() => run(row, [matrix, matrix.subarray(0, 4)])).toThrow(refused("overlaps"));
    expect(run(row, [matrix, new Float32Array(4)])).toBeNull();
  });

  test("labels outside are a fault with row, value and limit; nothing is written", () => {
    const out = new Float32Array(6).fill(7);
    for (const bad of [-1, 3, INT_MAX, INT_MIN]) {
      const fault = run(words("one_hot", [0, 1], [2, 3]), [Int32Array.of(0, bad), out]);
      expect(fault).toMatchObject({ what: "label", row: 1, value: bad, limit: 3 });
      expect(Array.from(out)).toEqual(new Array(6).fill(7));
    }
    const order = Int32Array.of(4);
    expect(run(words("gather", [0, 1, 2], [1, 1, 4, 0], [1]), [x, order, y])).toMatchObject({
      what: "index",
      value: 4,
    });
  });

  test("detached arrays have no elements", () => {
    const gone = new Float32Array(4);
    structuredClone(gone, { transfer: [gone.buffer] });
    expect(() => run(good, [gone, y])).toThrow(refused("has 0 elements"));
    expect(() => run(good, [x, gone])).toThrow(refused("has 0 elements"));
    const code = Int32Array.from(good);
    structuredClone(code, { transfer: [code.buffer] });
    expect(() => native.execute(code, [x, y], registers)).toThrow(refused("code ends"));
  });

  test.each<[string, readonly unknown[]]>([
    ["no arguments", []],
    ["code as an array", [good, [x, y], registers]],
    ["code as floats", [Float32Array.from(good), [x, y], registers]],
    ["views as an object", [Int32Array.from(good), { 0: x, 1: y, length: 2 }, registers]],
    ["a view of doubles", [Int32Array.from(good), [x, new Float64Array(4)], registers]],
    ["a view of big integers", [Int32Array.from(good), [x, new BigInt64Array(4)], registers]],
    ["a view that is a DataView", [Int32Array.from(good), [x, new DataView(new ArrayBuffer(16))], registers]],
    ["a view that is null", [Int32Array.from(good), [x, null], registers]],
    ["a hole for a view", [Int32Array.from(good), new Array(2), registers]],
    ["no registers", [Int32Array.from(good), [x, y]]],
    ["registers without a seed", [Int32Array.from(good), [x, y], { ...registers, seed: undefined }]],
    ["a fraction of a step", [Int32Array.from(good), [x, y], { ...registers, step: 1.5 }]],
    ["negative rows", [Int32Array.from(good), [x, y], { ...registers, rows: -1 }]],
    ["NaN rows", [Int32Array.from(good), [x, y], { ...registers, rows: Number.NaN }]],
    ["infinitely many rows", [Int32Array.from(good), [x, y], { ...registers, rows: Number.POSITIVE_INFINITY }]],
    ["a rate in letters", [Int32Array.from(good), [x, y], { ...registers, rate: "0.1" }]],
  ])("%s is an error", (_name, args) => {
    expect(() => Reflect.apply(native.execute, native, args)).toThrow(refused("expected"));
  });

  test("what a getter throws is passed on as it is", () => {
    const thrown = new Error("from the getter");
    const trap = Object.defineProperty({ ...registers }, "seed", {
      get() {
        throw thrown;
      },
    });
    expect(() => native.execute(Int32Array.from(good), [x, y], trap)).toThrow("from the getter");
  });
});

describe("a fused product", () => {
  const x = Float32Array.of(1, 2, 3, 4);
  const y = new Float32Array(4);
  const gate = Float32Array.of(1, 0, -1, 2);
  const [NONE, POSITIVE] = [0, 1];
  /** x·x with some of its operands replaced; views: x, y, gate. */
  const fused = (
    views: readonly number[],
    { site = -1, exampleRows = 0, backward = NONE, keep = 1, m = 2, n = 2, k = 2, form = 0, more = [0, 0] } = {},
    doubles = [keep, 2, 3],
  ): number[] => words("gemm_fused", views, [m, n, k, 0, form, ...more, site, exampleRows, backward], doubles);
  const PLAIN = [0, 0, -1, 1, -1];
  const GATED = [0, 0, -1, 1, 2];

  test("the good ones run", () => {
    expect(run(fused(PLAIN), [x, y, gate])).toBeNull();
    expect(Array.from(y)).toEqual([7, 10, 15, 22]);
    expect(run(fused(GATED, { backward: POSITIVE }), [x, y, gate])).toBeNull();
    expect(Array.from(y)).toEqual([21, 0, 0, 66]);
    expect(run(fused(PLAIN, { site: 0 }), [x, y, gate])).toBeNull();
    expect(Array.from(y)).toEqual([14, 20, 30, 44]);
    expect(run(fused(PLAIN, { site: INT_MAX, exampleRows: 1, keep: 0 }), [x, y, gate])).toBeNull();
    expect(Array.from(y)).toEqual([0, 0, 0, 0]);
    expect(run(fused([0, 0, -1, 1, 0], { backward: POSITIVE }), [x, y, gate])).toBeNull();
    expect(Array.from(y)).toEqual([21, 30, 45, 66]);
  });

  test.each<[string, readonly number[], string]>([
    ["a site below −1", fused(PLAIN, { site: -2 }), "place of a mask"],
    ["the lowest site", fused(PLAIN, { site: INT_MIN }), "place of a mask"],
    ["negative rows an example", fused(PLAIN, { site: 0, exampleRows: -1 }), "place of a mask"],
    ["keep above 1", fused(PLAIN, { site: 0, keep: 1.5 }), "keep outside"],
    ["a negative keep", fused(PLAIN, { site: 0, keep: -0.5 }), "keep outside"],
    ["keep of NaN", fused(PLAIN, { keep: Number.NaN }), "keep outside"],
    ["a gate that is not there", fused(GATED, { backward: nativeInfo.gates.length }), "no such gate"],
    ["a negative gate", fused(GATED, { backward: -1 }), "no such gate"],
    ["a gate without values", fused(PLAIN, { backward: POSITIVE }), "go together"],
    ["values without a gate", fused(GATED), "go together"],
    ["accumulation", fused(PLAIN, { more: [0, 1] }), "does not accumulate"],
    ["an activation that is not there", fused(PLAIN, { more: [9, 0] }), "no such activation"],
    ["a form of b that is not there", fused(PLAIN, { form: 3 }), "no such form of b"],
    ["more rows than a has", fused(PLAIN, { m: 3 }), "are needed"],
    ["more columns than its gate", fused([0, 0, -1, 1, 3], { backward: POSITIVE }), "are needed"],
    ["a bias that is too short", fused([0, 0, 4, 1, -1]), "are needed"],
    ["nothing but size", fused(PLAIN, { m: INT_MIN, n: INT_MIN, k: INT_MIN }), "overflow"],
    ["a result over its gate", fused([0, 0, -1, 1, 1], { backward: POSITIVE }), "overlaps"],
    ["a result over its operand", fused([0, 1, -1, 1, -1]), "overlaps"],
    ["no place for the gate", fused([0, 0, -1, 1]), "wrong number of views"],
    ["a plain product's integers", words("gemm_fused", PLAIN, [2, 2, 2, 0, 0, 0, 0], [1, 1, 1]), "number of integers"],
    ["two constants", fused(PLAIN, {}, [1, 1]), "wrong number of constants"],
    ["packed b that is too short", fused(PLAIN, { form: 2 }), "are needed"],
  ])("with %s is refused", (_name, code, message) => {
    const before = Array.from(y);
    expect(() => run(code, [x, y, gate, new Float32Array(3), new Float32Array(1)])).toThrow(refused(message));
    expect(Array.from(y)).toEqual(before);
  });
});

describe("a normalization", () => {
  /** Nothing follows it. */
  const none = [-1, -1, 0];
  /** Two rows of two; one row of four; two numbers; three. */
  const [x, g, two, y] = [0, 1, 2, 3];
  const views = () => [
    Float32Array.of(1, 3, 2, 6),
    Float32Array.of(1, 0, 2, 1),
    Float32Array.of(1, 1),
    ...Array.from({ length: 4 }, () => new Float32Array(4)),
    Float32Array.of(1),
  ];
  const [inverse, mean, more, one] = [4, 5, 6, 7];

  test("the good ones run, and may have their result in the place of x, or of what flows in", () => {
    for (const result of [y, x]) {
      const own = views();
      expect(
        run(words("row_norm", [x, -1, -1, result, inverse, mean], [2, 2, 1, ...none], [1e-5, 1, 1]), own),
      ).toBeNull();
      expect(Array.from(own[mean] ?? []).slice(0, 2)).toEqual([2, 4]);
      const columns = [x, -1, -1, -1, -1, result, inverse, mean];
      expect(run(words("column_norm", columns, [2, 2, ...none], [1e-5, 1, 1]), views())).toBeNull();
    }
    for (const result of [y, g]) {
      const rows = [x, g, two, inverse, mean, result, more, -1];
      expect(run(words("row_norm_gradient", rows, [2, 2, 1]), views())).toBeNull();
      const columns = [x, g, -1, two, two, result, more, -1];
      expect(run(words("column_norm_gradient", columns, [2, 2, 0], [1e-5]), views())).toBeNull();
    }
  });

  test.each<[string, readonly number[], string]>([
    ["of no columns", words("row_norm", [x, -1, -1, y, inverse, mean], [2, 0, 1, ...none], [1, 1, 1]), "no columns"],
    ["in no groups", words("row_norm", [x, -1, -1, y, inverse, mean], [2, 2, 0, ...none], [1, 1, 1]), "groups"],
    [
      "in groups that are not equal",
      words("row_norm", [x, -1, -1, y, inverse, mean], [1, 4, 3, ...none], [1, 1, 1]),
      "groups",
    ],
    [
      "of more than there is",
      words("row_norm", [x, -1, -1, y, inverse, mean], [3, 2, 1, ...none], [1, 1, 1]),
      "are needed",
    ],
    [
      "of nothing but size",
      words("row_norm", [x, -1, -1, y, inverse, mean], [INT_MIN, INT_MAX, 1, ...none], [1, 1, 1]),
      "overflow",
    ],
    [
      "with too short a scale",
      words("row_norm", [x, two, -1, y, inverse, mean], [1, 4, 1, ...none], [1, 1, 1]),
      "are needed",
    ],
    ["with too few roots", words("row_norm", [x, -1, -1, y, one, mean], [2, 2, 1, ...none], [1, 1, 1]), "are needed"],
    ["whose roots are x", words("row_norm", [x, -1, -1, y, x, mean], [4, 1, 1, ...none], [1, 1, 1]), "overlaps"],
    ["whose means are x", words("row_norm", [x, -1, -1, y, inverse, x], [4, 1, 1, ...none], [1, 1, 1]), "overlaps"],
    [
      "whose means are its roots",
      words("row_norm", [x, -1, -1, y, mean, mean], [2, 2, 1, ...none], [1, 1, 1]),
      "overlaps",
    ],
    [
      "whose gradient of the scale is what flows in",
      words("row_norm_gradient", [x, g, -1, one, one, y, g, -1], [1, 4, 1]),
      "overlaps",
    ],
    [
      "whose gradient of the scale is that of x",
      words("row_norm_gradient", [x, g, -1, one, one, y, y, -1], [1, 4, 1]),
      "overlaps",
    ],
    [
      "with the gradient of a shift alone",
      words("row_norm_gradient", [x, g, -1, inverse, mean, y, -1, more], [2, 2, 1]),
      "without a scale",
    ],
    [
      "by columns, of none",
      words("column_norm", [x, -1, -1, -1, -1, y, inverse, mean], [2, 0, ...none], [1, 1, 1]),
      "no columns",
    ],
    [
      "by columns, with a running mean alone",
      words("column_norm", [x, -1, -1, two, -1, y, inverse, mean], [2, 2, ...none], [1, 1, 1]),
      "go together",
    ],
    [
      "by columns, whose variance is x",
      words("column_norm", [x, -1, -1, -1, -1, y, mean, x], [1, 4, ...none], [1, 1, 1]),
      "overlaps",
    ],
    [
      "by columns, whose gradient of the shift is what flows in",
      words("column_norm_gradient", [x, g, -1, inverse, mean, y, more, g], [1, 4, 0], [1]),
      "overlaps",
    ],
    [
      "of a scale and a shift that are too short",
      words("scale_shift", [x, two, two, y], [1, 4, ...none], [1, 1]),
      "are needed",
    ],
  ])("%s is refused", (_name, code, message) => {
    expect(() => run(code, views())).toThrow(refused(message));
  });
});

describe("rows of a table", () => {
  /** A table of 4 rows of 2, its gradient in rows 1 and 3, and room for the rows of two look-ups. */
  const views = () => ({
    table: new Float32Array(8).fill(1),
    indices: Int32Array.of(3, 1, 3),
    flows: Float32Array.of(1, 2, 3, 4, 5, 6),
    count: Int32Array.of(2),
    rows: Int32Array.of(1, 3, 0),
    sums: Float32Array.of(3, 4, 6, 8, 0, 0),
    totalCount: Int32Array.of(1),
    totalRows: Int32Array.of(3, 0, 0),
    totalSums: Float32Array.of(10, 20, 0, 0, 0, 0),
    weights: Float32Array.of(1, 1, 1),
    ends: Int32Array.of(1, 3),
    four: new Float32Array(4),
    penalty: new Float32Array(1),
  });
  type Views = ReturnType<typeof views>;
  const names = Object.keys(views());
  /** The number of a view of that name, −1 of none. */
  const at = (...wanted: readonly (keyof Views | "")[]) =>
    wanted.map((name) => (name === "" ? -1 : names.indexOf(name)));
  const execute = (code: readonly number[], changed: Partial<Views> = {}) => {
    const own = { ...views(), ...changed };
    return { own, fault: run(code, Object.values(own), { rate: 0.5 }) };
  };

  /** SGD with rate 0.5 of the table, [4, 2], by the rows that reach says. */
  const update = (
    { reach = numberOf("reaches", "touched"), room = 3, segment = [0, 4, 2, 0], lookUps = [0, 0, 0, -1, 0, 0] } = {},
    operands = at("table", "sums", "", "", "", "", "", "penalty", "count", "rows", "", "", "", ""),
  ) => {
    const [count = 0, lists = 0, ...own] = lookUps;
    const head = [count, lists, numberOf("optimizers", "sgd"), 0, 0, 0, 0, 0, reach, room, ...own];
    const doubles = new Array(10).fill(0).with(8, Number.POSITIVE_INFINITY);
    return words("update", operands, [...head, ...segment], [...doubles, ...new Array(8).fill(0)]);
  };
  /** The same update by three look-ups and what flows back from them. */
  const updateFrom = (
    lookUps: readonly number[] = [3, 0, 1, -1, 0, 0],
    segment = [0, 4, 2, 0],
    lists: readonly (keyof Views | "")[] = ["indices", "", ""],
  ) =>
    update(
      { room: 0, segment, lookUps: [...lookUps] },
      at("table", "flows", "", "", "", "", "", "penalty", "", "", ...lists, ""),
    );
  /** By the three in two lists. */
  const updateFromLists = (changed: readonly number[] = []) => {
    const sizes = [3, 2, 3, -1, numberOf("bags", "sum"), 0].map((value, index) => changed[index] ?? value);
    return updateFrom(sizes, undefined, ["indices", "", "ends"]);
  };
  const scatter = (
    operands = at("flows", "indices", "", "", "count", "rows", "sums"),
    changed: readonly number[] = [],
  ) =>
    words(
      "scatter_rows",
      operands,
      [3, 0, 4, 2, 1, -1, 0, 0].map((value, index) => changed[index] ?? value),
    );
  /** Two lists in the place of the indices one by one. */
  const listed = (bags = numberOf("bags", "sum"), changed: readonly number[] = []) => {
    const sizes = [3, 2, 4, 2, 3, -1, bags, 0].map((value, index) => changed[index] ?? value);
    return words("scatter_rows", at("flows", "indices", "", "ends", "count", "rows", "sums"), sizes);
  };
  const bag = (operands = at("table", "indices", "", "ends", "four"), sizes = [2, 4, 2, 3, -1]) =>
    words("bag", operands, [...sizes, numberOf("bags", "sum")]);
  const merge = (sizes = [3, 3, 4, 2], total = at("totalCount", "totalRows", "totalSums")) =>
    words("merge_rows", [...at("count", "rows", "sums"), ...total], sizes);
  const squares = (sizes = [3, 4, 2]) => words("rows_squares", at("count", "rows", "sums", "penalty"), sizes);

  test("the good ones run", () => {
    const scattered = execute(scatter(), { count: new Int32Array(1), rows: new Int32Array(3) });
    expect(scattered.fault).toBeNull();
    expect(Array.from(scattered.own.rows.slice(0, 2))).toEqual([1, 3]);
    expect(Array.from(scattered.own.sums.slice(0, 4))).toEqual([3, 4, 6, 8]);
    const lists = execute(listed(), { count: new Int32Array(1), rows: new Int32Array(3) });
    expect(lists.fault).toBeNull();
    expect(Array.from(lists.own.sums.slice(0, 4))).toEqual([3, 4, 4, 6]);
    const bags = execute(bag(), { table: Float32Array.of(0, 1, 2, 3, 4, 5, 6, 7) });
    expect(bags.fault).toBeNull();
    expect(Array.from(bags.own.four)).toEqual([6, 7, 8, 10]);
    const merged = execute(merge());
    expect(merged.fault).toBeNull();
    expect(Array.from(merged.own.totalSums.slice(0, 4))).toEqual([3, 4, 16, 28]);
    const summed = execute(squares());
    expect(summed.fault).toBeNull();
    expect(summed.own.penalty[0]).toBe(9 + 16 + 36 + 64);
    const updated = execute(update());
    expect(updated.fault).toBeNull();
    expect(Array.from(updated.own.table)).toEqual([1, 1, -0.5, -1, 1, 1, -2, -3]);
    const from = execute(updateFrom());
    expect(from.fault).toBeNull();
    expect(Array.from(from.own.table)).toEqual([1, 1, -0.5, -1, 1, 1, -2, -3]);
    const fromLists = execute(updateFromLists());
    expect(fromLists.fault).toBeNull();
    expect(Array.from(fromLists.own.table)).toEqual([1, 1, -0.5, -1, 1, 1, -1, -2]);
  });

  test.each<[string, readonly number[], string]>([
    ["more indices than there are", scatter(undefined, [4]), "are needed"],
    ["no place for all rows", scatter(at("flows", "indices", "", "", "count", "totalCount", "sums")), "are needed"],
    ["sums over what flows in", scatter(at("flows", "indices", "", "", "count", "rows", "flows")), "overlaps"],
    ["rows over the indices", scatter(at("flows", "indices", "", "", "count", "indices", "sums")), "overlaps"],
    ["bags of no kind", scatter(undefined, [3, 0, 4, 2, 1, -1, nativeInfo.bags.length]), "no such bags"],
    ["half a bag", scatter(undefined, [3, 0, 4, 2, 2, -1, 1]), "not whole"],
    ["half a row of indices", scatter(undefined, [3, 0, 4, 2, 2, -1, 0]), "not whole"],
    [
      "a weighted mean",
      scatter(at("flows", "indices", "weights", "", "count", "rows", "sums"), [
        ...[3, 0, 4, 2, 1, -1],
        numberOf("bags", "mean"),
      ]),
      "no weights",
    ],
    ["a total that is its part", merge(undefined, at("count", "rows", "sums")), "overlaps"],
    ["a total without room", merge([3, 4, 4, 2]), "are needed"],
    ["a part without room", merge([-1, 3, -4, 2]), "negative size"],
    ["squares of more rows than there are", squares([4, 4, 2]), "are needed"],
    ["squares of a negative table", squares([3, -4, 2]), "negative size"],
    ["a reach that is none", update({ reach: 9 }), "no such reach"],
    ["negative room", update({ room: -1 }), "negative size"],
    ["room for more rows than there are", update({ room: 4 }), "are needed"],
    ["a table that is too long", update({ segment: [0, 5, 2, 0] }), "are needed"],
    ["two tables", update({ segment: [0, 2, 2, 0, 4, 2, 2, 0] }), "eight numbers"],
    ["look-ups of no width", updateFrom([3, 0, 0, -1, 0, 0]), "bad columns"],
    ["look-ups of no such bags", updateFrom([3, 0, 1, -1, 9, 0]), "no such bags"],
    ["more look-ups than there are", updateFrom([4, 0, 1, -1, 0, 0]), "are needed"],
    ["less than a row flows back", updateFrom(undefined, [0, 2, 4, 0]), "are needed"],
    ["look-ups in two tables", updateFrom(undefined, [0, 2, 2, 0, 4, 2, 2, 0]), "eight numbers"],
    [
      "rows beside look-ups",
      update({}, at("table", "sums", "", "", "", "", "", "penalty", "count", "rows", "indices", "", "", "")),
      "rows or look-ups",
    ],
    [
      "rows without their count",
      update({}, at("table", "sums", "", "", "", "", "", "penalty", "", "rows", "", "", "", "")),
      "go together",
    ],
    [
      "a count without its rows",
      update({}, at("table", "table", "", "", "", "", "", "penalty", "count", "", "", "", "", "")),
      "go together",
    ],
    [
      "a gradient that is the table",
      update({}, at("table", "table", "", "", "", "", "", "penalty", "count", "rows", "", "", "", "")),
      "overlaps",
    ],
    [
      "bags of a mean with weights",
      words("bag", at("table", "indices", "weights", "", "four"), [1, 4, 2, 3, -1, numberOf("bags", "mean")]),
      "no weights",
    ],
    ["bags that are too long", words("bag", at("table", "indices", "", "", "four"), [1, 4, 2, 4, -1, 1]), "are needed"],
    ["lists that are no bags", listed(numberOf("bags", "none")), "no bags"],
    ["more lists than there are ends", listed(undefined, [3, 3]), "are needed"],
    ["more lists than flow in", listed(undefined, [3, 4]), "are needed"],
    ["room for more ids than there are", listed(undefined, [4]), "are needed"],
    ["an update by lists that are no bags", updateFromLists([3, 2, 3, -1, 0]), "no bags"],
    ["an update by more lists than flow in", updateFromLists([3, 4]), "are needed"],
    ["bags of more ids than there are", bag(undefined, [2, 4, 2, 4, -1]), "are needed"],
    ["bags of more lists than there are ends", bag(undefined, [3, 4, 1, 3, -1]), "are needed"],
  ])("%s is refused", (_name, code, message) => {
    expect(() => execute(code)).toThrow(refused(message));
  });

  test.each<[string, Partial<Views>]>([
    ["a row twice", { rows: Int32Array.of(1, 1, 0) }],
    ["rows that fall", { rows: Int32Array.of(3, 1, 0) }],
    ["a row behind the table", { rows: Int32Array.of(1, 4, 0) }],
    ["a negative row", { rows: Int32Array.of(-1, 1, 0) }],
    ["more rows than there is room for", { count: Int32Array.of(4) }],
    ["fewer than none", { count: Int32Array.of(-1) }],
    ["the most negative count", { count: Int32Array.of(INT_MIN) }],
  ])("%s is a fault, and nothing is written", (_name, changed) => {
    for (const code of [update(), update({ reach: numberOf("reaches", "all") }), merge()]) {
      const { own, fault } = execute(code, changed);
      expect(fault).toMatchObject({ what: "index" });
      expect(own.table).toEqual(views().table);
      expect(own.totalSums).toEqual(views().totalSums);
    }
    expect(execute(squares(), changed).fault).toMatchObject({ what: "index" });
  });

  test("a total that has not enough room for both is a fault", () => {
    const { own, fault } = execute(merge([3, 2, 4, 2]), { rows: Int32Array.of(0, 1, 0) });
    expect(fault).toMatchObject({ what: "index", value: 3, limit: 3 });
    expect(own.totalSums).toEqual(views().totalSums);
  });

  test("an index outside of the table is a fault", () => {
    for (const code of [scatter(), updateFrom()]) {
      const { own, fault } = execute(code, { indices: Int32Array.of(3, 4, 0) });
      expect(fault).toMatchObject({ what: "index", row: 1, value: 4, limit: 4 });
      expect(own.table).toEqual(views().table);
    }
    for (const code of [listed(), bag(), updateFromLists()]) {
      const { own, fault: within } = execute(code, { indices: Int32Array.of(3, 1, 4) });
      expect(within).toMatchObject({ what: "index", row: 1, column: 1, value: 4, limit: 4 });
      expect(own.table).toEqual(views().table);
      expect(execute(code, { indices: Int32Array.of(3, -1, 1) }).fault).toMatchObject({ row: 1, column: 0, value: -1 });
    }
  });

  test.each<[string, Int32Array<ArrayBuffer>]>([
    ["fall", Int32Array.of(2, 1)],
    ["are negative", Int32Array.of(-1, 1)],
    ["reach behind the ids", Int32Array.of(1, 4)],
    ["are as large as they can be", Int32Array.of(INT_MAX, INT_MAX)],
  ])("ends that %s are a fault, and nothing is written", (_name, ends) => {
    for (const code of [listed(), bag(), updateFromLists()]) {
      const { own, fault } = execute(code, { ends });
      expect(own.table).toEqual(views().table);
      expect(fault).toMatchObject({ what: "index", limit: 4 });
      expect(own.four).toEqual(views().four);
      expect(own.sums).toEqual(views().sums);
    }
  });
});

describe("a normalization and what follows it", () => {
  const x = Float32Array.of(1, 2, 3, 4);
  const [y, mean, inverse] = [new Float32Array(4), new Float32Array(2), new Float32Array(2)];
  const shift = Float32Array.of(1, -3);
  /** By the views x, y, inverse, mean and shift; `function` is that of a native list, −1 none. */
  const forms = (finish: readonly number[], [keep, scale]: readonly [number, number] = [1, 2]) => ({
    row_norm: words("row_norm", [0, -1, 4, 1, 2, 3], [2, 2, 1, ...finish], [1, keep, scale]),
    column_norm: words("column_norm", [0, 4, 4, -1, -1, 1, 2, 3], [2, 2, ...finish], [1, keep, scale]),
    scale_shift: words("scale_shift", [0, 4, 4, 1], [2, 2, ...finish], [keep, scale]),
  });
  const arrays = [x, y, inverse, mean, shift];
  const relu = nativeInfo.unary.indexOf("relu");

  test("the good ones run", () => {
    expect(run(forms([-1, -1, 0]).scale_shift, arrays)).toBeNull();
    expect(Array.from(y)).toEqual([2, -9, 4, -15]);
    expect(run(forms([relu, -1, 0]).scale_shift, arrays)).toBeNull();
    expect(Array.from(y)).toEqual([2, 0, 4, 0]);
    expect(run(forms([relu, INT_MAX, 1]).scale_shift, arrays)).toBeNull();
    expect(Array.from(y)).toEqual([4, 0, 8, 0]);
    expect(run(words("scale_shift", [0, 4, 4, 1], [2, 0, relu, 0, 1], [1, 2]), arrays)).toBeNull(); // no columns
    for (const name of ["row_norm", "column_norm"] as const) {
      expect(run(forms([relu, 0, 0], [0, 2])[name], arrays)).toBeNull();
      expect(Array.from(y)).toEqual([0, 0, 0, 0]);
    }
  });

  test.each<[string, ReturnType<typeof forms>, string]>([
    ["a function that is not there", forms([nativeInfo.unary.length, -1, 0]), "no such function"],
    ["a function below −1", forms([-2, -1, 0]), "no such function"],
    ["the lowest function", forms([INT_MIN, -1, 0]), "no such function"],
    ["a site below −1", forms([-1, -2, 0]), "place of a mask"],
    ["negative rows an example", forms([-1, 0, -1]), "place of a mask"],
    ["keep above 1", forms([-1, 0, 0], [1.5, 1]), "keep outside"],
    ["keep of NaN", forms([-1, 0, 0], [Number.NaN, 1]), "keep outside"],
    ["no place for a mask", forms([-1]), "number of integers"],
  ])("with %s is refused", (_name, code, message) => {
    const before = Array.from(y);
    for (const words_ of Object.values(code)) expect(() => run(words_, arrays)).toThrow(refused(message));
    expect(Array.from(y)).toEqual(before);
  });
});

describe("a periodic embedding", () => {
  // Two columns, one frequency, two sums a column.
  const [two, four] = [Float32Array.of(0, 0), Float32Array.of(1, 2, 3, 4)];
  const outs = (): readonly NativeArray[] => [new Float32Array(4), new Float32Array(2), new Float32Array(2)];
  const views = (): readonly NativeArray[] => [two, four, ...outs()];
  const [x, w, y, p, q] = [0, 1, 2, 3, 4];
  const sizes = [1, 2, 1, 2];
  const forward = [x, x, x, w, w, y];
  const backward = [x, x, x, w, w, y, p, q];

  test("the good ones run", () => {
    const own = views();
    expect(run(words("periodic", forward, sizes, [1]), own)).toBeNull();
    expect(Array.from(own[y] ?? [])).toEqual([2, 4, 6, 8]); // cos 0 = 1, by weights, and biases that are the same
    expect(run(words("periodic_gradient", backward, sizes, [1]), own)).toBeNull();
    expect(own.slice(y).map((each) => Array.from(each))).toEqual([
      [1, 2, 3, 4],
      [0, 0],
      [0, 0],
    ]);
  });

  test.each<[string, readonly number[], string]>([
    ["of no columns", words("periodic", forward, [1, 0, 1, 2], [1]), "of nothing"],
    ["of no frequencies", words("periodic", forward, [1, 2, 0, 2], [1]), "of nothing"],
    ["of no sums", words("periodic", forward, [1, 2, 1, 0], [1]), "of nothing"],
    ["of too many frequencies", words("periodic", forward, [1, 1, 257, 1], [1]), "too many"],
    ["of more than there is", words("periodic", forward, [2, 2, 1, 2], [1]), "are needed"],
    ["of nothing but size", words("periodic", forward, [INT_MIN, INT_MAX, 1, INT_MAX], [1]), "overflow"],
    ["over its own weights", words("periodic", [x, x, x, w, w, w], sizes, [1]), ""],
    ["of gradients of no columns", words("periodic_gradient", backward, [1, 0, 1, 2], [1]), "of nothing"],
    ["of gradients on one another", words("periodic_gradient", [x, x, x, w, w, y, p, p], sizes, [1]), "overlaps"],
    ["of gradients that are too short", words("periodic_gradient", [x, x, x, w, w, p, p, q], sizes, [1]), "needed"],
    ["of gradients of huge sizes", words("periodic_gradient", backward, [1, INT_MAX, 256, INT_MAX], [1]), "overflow"],
  ])("%s is refused", (_name, code, message) => {
    expect(() => run(code, views())).toThrow(refused(message));
  });
});

describe("an activation with shares", () => {
  const x = Float32Array.of(1, 2, 3, 4);
  const two = Float32Array.of(1, 2);
  const views = (): readonly NativeArray[] => [x, two, new Float32Array(4), new Float32Array(4), new Float32Array(2)];
  const [y, bend, sums] = [2, 3, 4];
  const mish = numberOf("unary", "mish");
  const plain = [-1, 0, 0];
  const forward = (ints: readonly number[], doubles: readonly number[], of = [0, 1, y, bend, -1]) =>
    words("parametric", of, ints, doubles);
  const backward = (ints: readonly number[], doubles: readonly number[], of = [0, 0, 1, 0, -1, y, sums]) =>
    words("parametric_gradient", of, ints, doubles);

  test("the good ones run", () => {
    const own = views();
    expect(run(forward([2, 2, numberOf("unary", "selu"), ...plain], [1, 1, 2]), own)).toBeNull();
    const by = Math.fround(Math.fround(1.0507009873554805) - 1);
    expect(own[bend]?.[0]).toBe(by);
    expect(own[y]?.[0]).toBe(2 * Math.fround(1 + by));
    expect(run(forward([2, 2, mish, ...plain], [1, 1, 1], [0, 1, y, -1, -1]), own)).toBeNull();
    expect(run(forward([2, 2, mish, 0, 2, 0], [0, 1, 1]), own)).toBeNull(); // keeps nothing
    expect(Array.from(own[y] ?? [])).toEqual([0, 0, 0, 0]);
    // dshare = Σ over rows of g·bend, by g and bend that are x.
    expect(run(backward([2, 2, mish, ...plain], [1, 1, 1]), own)).toBeNull();
    expect(Array.from(own[sums] ?? [])).toEqual([10, 20]);
    expect(run(backward([0, 2, mish, ...plain], [1, 1, 1]), own)).toBeNull();
    expect(Array.from(own[sums] ?? [])).toEqual([0, 0]);
  });

  test.each<[string, readonly number[], string]>([
    ["another function", [2, 2, numberOf("unary", "gelu"), ...plain], "no such function"],
    ["a function that is not there", [2, 2, nativeInfo.unary.length, ...plain], "no such function"],
    ["a negative function", [2, 2, INT_MIN, ...plain], "no such function"],
    ["a site below −1", [2, 2, mish, -2, 0, 0], "place of a mask"],
    ["negative rows an example", [2, 2, mish, 0, -1, 0], "place of a mask"],
    ["a negative lane", [2, 2, mish, 0, 0, -1], "no such schedule"],
    ["more rows than there are", [3, 2, mish, ...plain], "are needed"],
    ["nothing but size", [INT_MIN, INT_MAX, mish, ...plain], "overflow"],
  ])("%s is refused", (_name, ints, message) => {
    for (const code of [forward(ints, [1, 1, 1]), backward(ints, [1, 1, 1])])
      expect(() => run(code, views())).toThrow(refused(message));
  });

  test("a share of keeping that is none, and results on one another, are refused", () => {
    for (const code of [
      forward([2, 2, mish, ...plain], [1.5, 1, 1]),
      backward([2, 2, mish, ...plain], [Number.NaN, 1, 1]),
    ])
      expect(() => run(code, views())).toThrow(refused("keep outside"));
    expect(() => run(forward([2, 2, mish, ...plain], [1, 1, 1], [0, 1, y, y, -1]), views())).toThrow(
      refused("overlaps"),
    );
    expect(() => run(backward([1, 2, mish, ...plain], [1, 1, 1], [0, 0, 1, 0, -1, y, y]), views())).toThrow(
      refused("overlaps"),
    );
  });
});

describe("packing for a product", () => {
  const b = Float32Array.of(1, 2, 3, 4, 5, 6);
  /** Panels of 32 columns at most, whatever the kernels are. */
  const packed = new Float32Array(32 * 2);

  test("the good one gives a product its b", () => {
    const [x, y] = [Float32Array.of(1, 10), new Float32Array(3)];
    for (const alongDepth of [0, 1]) {
      expect(run(words("gemm_pack", [0, 1], [3, 2, alongDepth]), [b, packed])).toBeNull();
      expect(run(words("gemm", [0, 1, -1, 2], [1, 3, 2, 0, 2, 0, 0]), [x, packed, y])).toBeNull();
      expect(Array.from(y)).toEqual(alongDepth === 1 ? [21, 43, 65] : [41, 52, 63]);
    }
  });

  test.each<[string, readonly number[], string]>([
    ["too little room", words("gemm_pack", [0, 2], [3, 2, 0]), "are needed"],
    ["more than b has", words("gemm_pack", [0, 1], [4, 2, 0]), "are needed"],
    ["nothing but size", words("gemm_pack", [0, 1], [INT_MIN, INT_MIN, 0]), "overflow"],
    ["itself for its target", words("gemm_pack", [1, 1], [3, 2, 0]), "overlaps"],
    ["no target", words("gemm_pack", [0, -1], [3, 2, 0]), "no such view"],
    ["two integers", words("gemm_pack", [0, 1], [3, 2]), "wrong number of integers"],
  ])("with %s is refused", (_name, code, message) => {
    const before = Array.from(packed);
    expect(() => run(code, [b, packed, new Float32Array(63)])).toThrow(refused(message));
    expect(Array.from(packed)).toEqual(before);
  });
});

describe("handles", () => {
  const slab = native.slabCreate(4, "f32");
  const program = native.programCreate(valid().spec);
  const request: NativeRunRequest = {
    firstStep: 1,
    steps: 1,
    rows: 1,
    lanes: Float64Array.of(0.1),
    threads: 1,
    waits: false,
    background: false,
  };

  test.each<[string, unknown]>([
    ["an object", {}],
    ["null", null],
    ["a number", 5],
    ["a function", () => 5],
    ["an heir of a slab", Object.create(slab)],
    ["a copy of a slab", { ...slab }],
    ["a proxy of a slab", new Proxy(slab, {})],
    ["a program for a slab", program],
  ])("%s is no slab", (_name, foreign) => {
    const fake = foreign as NativeSlab;
    expect(() => native.slabRead(fake, 0, new Float32Array(1))).toThrow(refused("expected a slab"));
    expect(() => native.slabWrite(fake, 0, new Float32Array(1))).toThrow(refused("expected a slab"));
    expect(() => native.slabCopy(slab, fake)).toThrow(refused("expected a slab"));
    const slabs = [{ slab: fake, writable: true }];
    expect(() => native.programCreate({ ...valid().spec, slabs })).toThrow(refused("expected a slab"));
  });

  test.each<[string, unknown]>([
    ["a slab", slab],
    ["an object", {}],
    ["undefined", undefined],
  ])("%s is no program", (_name, foreign) => {
    const fake = foreign as typeof program;
    expect(() => native.programRunSync(fake, request)).toThrow(refused("expected a program"));
    expect(() => native.programRun(fake, request)).toThrow(refused("expected a program"));
    expect(() => native.programStop(fake)).toThrow(refused("expected a program"));
    expect(() => native.programFinished(fake)).toThrow(refused("expected a program"));
    expect(() => native.programLog(fake, 0, new Float32Array(1))).toThrow(refused("expected a program"));
  });

  test("ranges of a slab are checked, also where their sum overflows", () => {
    for (const [offset, count] of [
      [4, 1],
      [1, 4],
      [5, 0],
      [2 ** 52, 1],
      [2 ** 53 - 1, 4],
    ] as const) {
      expect(() => native.slabRead(slab, offset, new Float32Array(count))).toThrow(refused("past the end"));
      expect(() => native.slabWrite(slab, offset, new Float32Array(count))).toThrow(refused("past the end"));
    }
    expect(() => native.slabRead(slab, -1, new Float32Array(1))).toThrow(refused("offset"));
    expect(() => native.slabRead(slab, 0, new Int32Array(1))).toThrow(refused("dtypes"));
    expect(() => native.slabCopy(slab, native.slabCreate(5, "f32"))).toThrow(refused("sizes"));
    expect(() => native.slabCreate(2 ** 41, "f32")).toThrow(refused("2^40"));
    expect(() => native.slabCreate(1, "f64" as "f32")).toThrow(refused("'f32', 'i32' or 'u8'"));
  });

  test.each<[string, Partial<Record<keyof NativeRunRequest, unknown>>, string]>([
    ["step 0", { firstStep: 0 }, "steps out of range"],
    ["steps past 2³²", { firstStep: 2 ** 32 - 1, steps: 2, lanes: new Float64Array(2) }, "steps out of range"],
    ["no rows", { rows: 0 }, "rows"],
    ["more rows than planned", { rows: 5 }, "rows"],
    ["no threads", { threads: 0 }, "threads"],
    ["2,000 threads", { threads: 2000 }, "threads"],
    ["too few schedule values", { lanes: new Float64Array(0) }, "lanes"],
    ["too many schedule values", { lanes: new Float64Array(2) }, "lanes"],
    ["schedule values in floats", { lanes: Float32Array.of(1) }, "Float64Array"],
  ])("a run with %s", (_name, changed, message) => {
    const wrong = { ...request, ...changed } as NativeRunRequest;
    expect(() => native.programRunSync(program, wrong)).toThrow(refused(message));
    expect(() => native.programRun(program, wrong)).toThrow(refused(message));
  });

  test("a log is read within what has been run", () => {
    expect(native.programRunSync(program, request).steps).toBe(1);
    native.programLog(program, 0, new Float32Array(1));
    for (const [begin, count] of [
      [0, 2],
      [1, 1],
      [2, 0],
      [2 ** 53 - 1, 1],
    ] as const) {
      expect(() => native.programLog(program, begin, new Float32Array(count))).toThrow(refused("not finished"));
    }
  });
});
