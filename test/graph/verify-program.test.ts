import { describe, expect, test } from "vitest";
import { type NativeProgramSpec, native, nativeInfo } from "../../lib/binding/native.js";
import { OPERANDS as STATED } from "../../lib/binding/operations.js";
import { integers, uniforms } from "../ops/sample.js";
import { INT_MAX, INT_MIN, outcome, ROWS, refused, valid, words } from "./handmade.js";

/** The spec of {@link valid} with some of it replaced. */
function changed(change: Partial<Record<keyof NativeProgramSpec, unknown>>): NativeProgramSpec {
  return { ...valid().spec, ...change } as NativeProgramSpec;
}

/** The view table with one word replaced. */
function withView(view: number, word: number, value: number): NativeProgramSpec {
  const { spec } = valid();
  return { ...spec, views: spec.views.with(view * 5 + word, value) };
}

/** Only these instructions. */
function withCode(...code: readonly (readonly number[])[]): NativeProgramSpec {
  return changed({ code: Int32Array.from(code.flat()) });
}

test("the program by hand is a good one, for every number of rows", () => {
  for (let rows = 1; rows <= ROWS; rows++) expect(outcome(valid().spec, rows)).toBe("clean 1");
});

describe("a program is refused", () => {
  const [SLOT, DTYPE, OFFSET, COUNT] = [0, 1, 2, 3];
  test.each<[string, NativeProgramSpec, string]>([
    ["with a view table of an odd length", changed({ views: valid().spec.views.slice(1) }), "odd length"],
    ["with a slot that is not there", withView(0, SLOT, 5), "no such slot"],
    ["with a negative slot", withView(0, SLOT, -1), "no such slot"],
    ["with a huge slot", withView(0, SLOT, INT_MAX), "no such slot"],
    ["with a dtype that is none", withView(0, DTYPE, 3), "no such dtype"],
    ["with a negative dtype", withView(0, DTYPE, -1), "no such dtype"],
    ["with labels in floats", withView(1, DTYPE, 0), "another dtype than its slab"],
    ["with bytes in the arena", withView(3, DTYPE, 2), "the arena holds no u8"],
    ["with a negative offset", withView(3, OFFSET, -1), "negative offset"],
    ["with a negative count", withView(3, COUNT, INT_MIN), "negative offset or count"],
    ["with a view past the end of the arena", withView(3, OFFSET, 96), "past the end"],
    ["with a view past the end of a slab", withView(2, OFFSET, 1), "past the end"],
    ["with a batch past the end of a slab", withView(0, COUNT, 4), "past the end"],
    ["with a view of 2³¹ elements a row", withView(0, COUNT, INT_MAX), "past the end"],
    ["with a larger batch than its slabs", changed({ maxRows: ROWS + 1 }), "past the end"],
    ["with no rows", changed({ maxRows: 0 }), "at least one row"],
    ["with more rows than words count", changed({ maxRows: 2 ** 31 + 1 }), "out of range"],
    ["with a huge arena", changed({ arenaCount: 2 ** 40 }), "out of range"],
    ["with a huge log", changed({ logRows: 2 ** 40 }), "out of range"],
    ["with a smaller arena than its views", changed({ arenaCount: 64 }), "past the end"],
    ["with one operand over another in the arena", withView(6, OFFSET, 8), "overlaps"],
    ["with too short a view", withView(3, COUNT, 4), "are needed"],
    ["that writes what it may only read", withCode(words("unary", [3, 0], [-3, 0])), "may not be written"],
    ["that logs past the last column", withCode(words("log_scalar", [5], [1])), "log column"],
    ["that logs a negative column", withCode(words("log_scalar", [5], [-1])), "no such column"],
    ["with a schedule that is not there", withCode(words("schedule_value", [5], [1])), "schedule out of range"],
    ["without schedules for its update", changed({ lanes: 0 }), "schedule out of range"],
    [
      "that drops out by a schedule that is not there",
      withCode(words("dropout", [3, 3], [-1, 5, 0, 1, 1, 1], [1, 1, 0, 0])),
      "schedule out of range",
    ],
    ["that gathers without a feed", withCode(words("gather", [2, 1, 6], [1, 3, 5, 0], [1])), "gather needs a feed"],
    ["cut inside its last instruction", changed({ code: valid().spec.code.slice(0, -1) }), "code ends"],
    ["with no slabs", changed({ slabs: [] }), "no such slot"],
    ["with slabs that are none", changed({ slabs: [1] }), "{ slab, writable }"],
    ["with slabs in an object", changed({ slabs: {} }), "expected an array"],
    ["with code in an array", changed({ code: [1, 2, 3] }), "expected an Int32Array"],
    ["with a negative seed", changed({ seed: -1 }), "seed"],
    ["with a fraction of a row", changed({ maxRows: 1.5 }), "maxRows"],
    ["with a number for a truth", changed({ shuffle: 1 }), "expected a boolean"],
    ["with something missing", changed({ lanes: undefined }), "expected a value for 'lanes'"],
  ])("%s", (_name, spec, message) => {
    expect(() => native.programCreate(spec)).toThrow(refused(message));
  });

  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["null", null],
    ["a number", 1],
    ["an empty object", {}],
  ])("that is %s", (_name, spec) => {
    expect(() => native.programCreate(spec as NativeProgramSpec)).toThrow(refused("expected"));
  });

  test("that has more than its input to answer from", () => {
    for (const end of ["inputSlot", "outputSlot"]) {
      const spec = changed({ [end]: 1 }); // with a schedule
      expect(() => native.programCreate(spec)).toThrow(refused("more than their input"));
    }
  });

  test("that reads between steps what it has otherwise", () => {
    const { slabs } = valid().spec;
    const gated = slabs.map((each) => ({ ...each, gated: true }));
    expect(() => native.programCreate(changed({ slabs: gated }))).toThrow(refused("is written"));
    const [first] = gated;
    for (const twice of [
      [first, ...slabs.slice(1), first],
      [first, ...slabs.slice(1), { ...first, writable: true, gated: false }],
    ]) {
      expect(() => native.programCreate(changed({ slabs: twice }))).toThrow(refused("two slots"));
    }
  });

  test("whose feed does not fit", () => {
    const order = native.slabCreate(6, "i32");
    const feed = {
      samples: 6,
      batch: ROWS,
      orderSlot: 5,
      slabs: [...valid().spec.slabs, { slab: order, writable: true }],
    };
    expect(outcome(changed(feed), 1)).toBe("clean 1");
    for (const [wrong, message] of [
      [{ batch: 0 }, "batch out of range"],
      [{ batch: ROWS + 1 }, "batch out of range"],
      [{ samples: 7 }, "order is too short"],
      [{ samples: 2 ** 31 }, "too many examples"],
      [{ orderSlot: 0 }, "no such order slot"],
      [{ orderSlot: 6 }, "no such order slot"],
      [{ orderSlot: 2 ** 40 }, "no such order slot"],
      [{ orderSlot: 1 }, "order is too short"],
    ] as const) {
      expect(() => native.programCreate(changed({ ...feed, ...wrong }))).toThrow(refused(message));
    }
  });
});

test("a label outside is a fault of the step, and the next run is clean", () => {
  const { spec, slabs } = valid();
  const program = native.programCreate(spec);
  const [, labels] = slabs;
  if (labels === undefined) throw new Error("there are labels");
  const run = () =>
    native.programRunSync(program, {
      firstStep: 1,
      steps: 3,
      rows: 2,
      lanes: new Float64Array(3),
      threads: 2,
      waits: false,
      background: false,
    });
  native.slabWrite(labels, 1, Int32Array.of(5));
  expect(run()).toMatchObject({ steps: 0, fault: { what: "label", row: 1, value: 5, limit: 5 } });
  native.slabWrite(labels, 1, Int32Array.of(4));
  expect(run()).toEqual({ steps: 3, stopped: false, fault: null });
});

/** Words that break most: small numbers, ends of ranges, counts of what is there. */
const WORDS = [
  0,
  1,
  -1,
  2,
  3,
  4,
  5,
  8,
  -2,
  -5,
  15,
  16,
  60,
  95,
  96,
  1 << 20,
  1 << 24,
  1 << 30,
  INT_MAX,
  INT_MIN,
] as const;

/** Views in the table of the random instructions. */
const VIEWS = 11;

/** Sizes that fit now and then; what stands behind them is one of WORDS. */
const SIZES = [-1, -1, 0, 0, 1, 1, 2, 3, 4, 5, undefined] as const;

const DOUBLES = [0, 0.5, 1, -1, Number.NaN, 1e300, Number.POSITIVE_INFINITY] as const;

/** How many views, integers and doubles an operation takes; of others those in front of their lists. */
const OPERANDS = new Map<string, readonly [views: number, ints: number, doubles: number]>([
  ["unary", [2, 2, 0]],
  ["binary", [3, 5, 0]],
  ["fill", [1, 1, 1]],
  ["copy", [2, 1, 0]],
  ["gemm", [4, 7, 0]],
  ["gemm_fused", [5, 10, 3]],
  ["gemm_pack", [2, 3, 0]],
  ["sum", [2, 1, 0]],
  ["sum_squares", [2, 1, 0]],
  ["row_sum", [2, 2, 0]],
  ["column_sum", [2, 2, 0]],
  ["softmax", [2, 2, 0]],
  ["log_softmax", [2, 2, 0]],
  ["softmax_cross_entropy", [3, 2, 0]],
  ["softmax_cross_entropy_gradient", [4, 3, 0]],
  ["softmax_cross_entropy_both", [5, 3, 0]],
  ["one_hot", [2, 2, 0]],
  ["argmax", [2, 2, 0]],
  ["count_equal", [3, 1, 0]],
  ["dropout", [2, 6, 4]],
  ["noise", [2, 5, 1]],
  ["gather", [3, 4, 1]],
  ["expect_finite", [8, 15, 0]],
  ["collect", [2, 4, 0]],
  ["convert", [2, 1, 1]],
  ["row_count", [1, 0, 0]],
  ["schedule_value", [1, 1, 0]],
  ["uniform", [1, 3, 2]],
  ["normal", [1, 3, 2]],
  ["permutation", [1, 2, 0]],
  ["update", [14, 18, 18]],
  ["log_scalar", [1, 1, 0]],
]);

function headOf(name: string): readonly [views: number, ints: number, doubles: number] {
  const words = new Map<string, string>(Object.entries(STATED)).get(name) ?? "";
  const [views = 0, ints = 0, doubles = 0] = words.split(";").map((list) => {
    const single = list.split(" ").filter((word) => word !== "" && !word.includes("*"));
    return single.reduce((count, word) => count + Number(/\[(\d)\]/.exec(word)?.[1] ?? 1), 0);
  });
  return [views, ints, doubles];
}

describe("random mutations end in an error or a clean run", () => {
  /** Bits of the memory that no writable view may change: inputs and labels. */
  const readable = (slabs: ReturnType<typeof valid>["slabs"]): readonly number[] => {
    const [x, labels] = slabs;
    if (x === undefined || labels === undefined) throw new Error("there are inputs and labels");
    const [floats, integers_] = [new Float32Array(ROWS * 3), new Int32Array(ROWS)];
    native.slabRead(x, 0, floats);
    native.slabRead(labels, 0, integers_);
    return [...floats, ...integers_];
  };

  test.each([11, 12, 13, 14])("of words of the code and the view table (seed %i)", (seed) => {
    const next = uniforms(seed);
    const pick = (count: number): number => integers(count)(next());
    const seen = new Map<string, number>();
    for (let round = 0; round < 1500; round++) {
      const { spec, slabs } = valid();
      const before = readable(slabs);
      const code = Array.from(spec.code);
      const views = Array.from(spec.views);
      for (let left = 1 + pick(3); left > 0; left--) {
        const target = next() < 0.7 ? code : views;
        const at = pick(target.length);
        const word = next() < 0.3 ? (target[at] ?? 0) + pick(5) - 2 : (WORDS[pick(WORDS.length)] ?? 0);
        if (next() < 0.85) target[at] = word;
        else if (next() < 0.5) target.splice(at, 1 + pick(4));
        else target.splice(at, 0, word);
      }
      const mutated = { ...spec, code: Int32Array.from(code), views: Float64Array.from(views) };
      const result = outcome(mutated, 1 + pick(ROWS));
      seen.set(result, (seen.get(result) ?? 0) + 1);
      expect(readable(slabs)).toEqual(before);
    }
    // Both ends are reached, or the mutations would test nothing.
    expect(seen.get("error")).toBeGreaterThan(500);
    expect(seen.get("clean 1")).toBeGreaterThan(50);
  });

  test("of whole instructions with operands from the table", () => {
    const next = uniforms(21);
    const pick = (count: number): number => integers(count)(next());
    const list = (count: number, make: () => number): number[] => Array.from({ length: count }, make);
    const { operations } = nativeInfo;
    const seen = new Set<string>();
    for (let round = 0; round < 300 * operations.length; round++) {
      const { spec } = valid();
      const name = operations[pick(operations.length)] ?? "unary";
      const [views, ints, doubles] = next() < 0.9 ? (OPERANDS.get(name) ?? headOf(name)) : [pick(7), pick(9), pick(3)];
      const size = (): number => SIZES[pick(SIZES.length)] ?? WORDS[pick(WORDS.length)] ?? 0;
      const code = words(
        name,
        list(views, () => pick(VIEWS + 2) - 1),
        list(ints, size),
        list(doubles, () => DOUBLES[pick(DOUBLES.length)] ?? 0),
      );
      const more = [0, 1, 80, 4, 0, 5, 2, 0, 16, 0];
      const slabs = [...spec.slabs, { slab: native.slabCreate(16, "u8"), writable: false }];
      const table = Float64Array.of(...spec.views, ...more);
      const result = outcome({ ...spec, slabs, views: table, code: Int32Array.from(code) }, 1 + pick(ROWS));
      seen.add(`${name}: ${result}`);
    }
    const accepted = operations.filter((name) => seen.has(`${name}: clean 1`));
    expect(accepted.length).toBeGreaterThan(operations.length / 2);
  });
});
