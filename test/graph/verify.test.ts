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
    ["dropout that keeps more than all", words("dropout", [0, 1], [1, 4, 0, 1, 0], [1.5, 1, 0, 0]), "keep outside"],
    ["dropout that keeps NaN", words("dropout", [0, 1], [1, 4, 0, 1, 0], [Number.NaN, 1, 0, 0]), "keep outside"],
    ["dropout at a negative site", words("dropout", [0, 1], [1, 4, -1, 1, 0], [0.5, 1, 0, 0]), "negative site"],
    [
      "an optimizer that is not there",
      words(
        "update",
        [0, 1, -1, -1, -1, -1, -1, -1, -1, -1],
        [99, 0, 0, 0, 0, 0, 0, 0, 1, 4, 0],
        new Array(17).fill(0),
      ),
      "no such rule",
    ],
    [
      "an average that is neither fixed nor in a lane",
      words("update", [0, 1, -1, -1, -1, -1, -1, -1, -1, -1], [0, 0, 0, 0, 2, 0, 0, 0, 1, 4, 0], new Array(17).fill(0)),
      "decay of the average",
    ],
    [
      "a segment past the end",
      words("update", [0, 1, -1, -1, -1, -1, -1, -1, -1, -1], [0, 0, 0, 0, 0, 0, 0, 2, 1, 4, 0], new Array(17).fill(0)),
      "are needed",
    ],
    [
      "a huge segment",
      words(
        "update",
        [0, 1, -1, -1, -1, -1, -1, -1, -1, -1],
        [0, 0, 0, 0, 0, 0, 0, INT_MAX, 1, INT_MAX, 0],
        new Array(17).fill(0),
      ),
      "are needed",
    ],
    [
      "a negative segment",
      words(
        "update",
        [0, 1, -1, -1, -1, -1, -1, -1, -1, -1],
        [0, 0, 0, 0, 0, 0, 0, -1, 1, 4, 0],
        new Array(17).fill(0),
      ),
      "negative segment",
    ],
    [
      "overlapping segments",
      words(
        "update",
        [0, 1, -1, -1, -1, -1, -1, -1, -1, -1],
        [0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 0, 2, 1, 1, 0],
        new Array(24).fill(0),
      ),
      "overlap",
    ],
    [
      "a segment without its two numbers",
      words("update", [0, 1, -1, -1, -1, -1, -1, -1, -1, -1], [0, 0, 0, 0, 0, 0, 0, 0, 1, 4, 0], new Array(16).fill(0)),
      "wrong number of constants",
    ],
    [
      "Adam without states",
      words(
        "update",
        [0, 1, -1, -1, -1, -1, -1, -1, -1, -1],
        [numberOf("optimizers", "adam"), 0, 0, 0, 0, 0, 0, 0, 1, 4, 0],
        new Array(17).fill(0),
      ),
      "states",
    ],
    [
      "a negative schedule",
      words(
        "update",
        [0, 1, -1, -1, -1, -1, -1, -1, -1, -1],
        [0, -1, 0, 0, 0, 0, 0, 0, 1, 4, 0],
        new Array(17).fill(0),
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
    ["a gate that is not there", fused(GATED, { backward: 4 }), "no such gate"],
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
