import { describe, expect, test } from "vitest";
import type { Features, Labels, Targets } from "../../lib/data/dataset.js";
import { bindLabels } from "../../lib/data/labels.js";
import { bytesOf, floatsOf, hasBytes, memberOf, rowForm } from "../../lib/data/member.js";

/** Inputs as a set in memory is read. */
function bindFeatures(where: string, x: Features, columns: number) {
  const member = memberOf(where, x, rowForm([columns]));
  const { rows } = member;
  if (hasBytes(member)) return { dtype: "u8", rows, columns, data: bytesOf(member, 0, rows) };
  return { dtype: "f32", rows, columns, data: floatsOf(member, 0, rows, undefined, new Float32Array(rows * columns)) };
}

/** Targets as the rows of a regression are read. */
function bindTargets(where: string, y: Targets, columns: number) {
  const member = memberOf(where, y, rowForm([columns]));
  const { rows } = member;
  return { rows, columns, data: floatsOf(member, 0, rows, undefined, new Float32Array(rows * columns)) };
}

/** An array whose memory went to someone else. */
function transferred<A extends Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>>(
  data: A,
): A {
  structuredClone(data, { transfer: [data.buffer] });
  return data;
}

const message = (text: string): unknown => expect.stringContaining(text);

describe("features", () => {
  test("typed arrays are passed on as they are", () => {
    const floats = Float32Array.of(1, 2, 3, 4, 5, 6);
    expect(bindFeatures("x", floats, 3)).toEqual({ dtype: "f32", rows: 2, columns: 3, data: floats });
    expect(bindFeatures("x", floats, 3).data.buffer).toBe(floats.buffer);
    const bytes = Uint8Array.of(0, 16, 255, 4);
    expect(bindFeatures("x", bytes, 2)).toEqual({ dtype: "u8", rows: 2, columns: 2, data: bytes });
    expect(bindFeatures("x", bytes, 2).data.buffer).toBe(bytes.buffer);
  });

  test("rows of numbers are copied to f32", () => {
    const rows = [
      [0.1, 2],
      [-3, 4],
    ];
    const expected = { dtype: "f32", rows: 2, columns: 2, data: Float32Array.of(0.1, 2, -3, 4) };
    expect(bindFeatures("x", rows, 2)).toEqual(expected);
    expect(
      bindFeatures(
        "x",
        rows.map((row) => Float32Array.from(row)),
        2,
      ),
    ).toEqual(expected);
  });

  test("a tensor has its shape checked", () => {
    const data = Float32Array.of(1, 2, 3, 4);
    expect(bindFeatures("x", { shape: [2, 2], data }, 2)).toEqual({ dtype: "f32", rows: 2, columns: 2, data });
    expect(bindFeatures("x", { shape: [4], data }, 1)).toEqual({ dtype: "f32", rows: 4, columns: 1, data });
    expect(bindFeatures("x", { shape: [2, 2], data: Uint8Array.of(1, 2, 3, 4) }, 2).dtype).toBe("u8");
    for (const shape of [[4, 1], [1, 4], [4], [2, 2, 1], [], [3, 2]]) {
      expect(() => bindFeatures("x", { shape, data }, 2)).toThrow(
        expect.objectContaining({ code: "ERR_SHAPE", message: message(`[${shape.join(", ")}]`) }),
      );
    }
  });

  const bad = (at: number, value: number): Float32Array => {
    const data = new Float32Array(12);
    data[at] = value;
    return data;
  };
  test.each<[unknown, string, string]>([
    [new Float32Array(0), "ERR_DATA", "at least one row"],
    [[], "ERR_DATA", "at least one row"],
    [{ shape: [0, 3], data: new Float32Array(0) }, "ERR_DATA", "at least one row"],
    [new Float32Array(10), "ERR_DATA", "a multiple of 3"],
    [new Uint8Array(10), "ERR_DATA", "a multiple of 3"],
    [bad(7, Number.NaN), "ERR_DATA", "a finite float32 in row 2, column 1 for 'x' but received NaN"],
    [bad(0, Number.POSITIVE_INFINITY), "ERR_DATA", "row 0, column 0 for 'x' but received Infinity"],
    [bad(11, Number.NEGATIVE_INFINITY), "ERR_DATA", "row 3, column 2"],
    [
      [
        [1, 2, 3],
        [4, 5],
      ],
      "ERR_DATA",
      "3 values in row 1 for 'x' but received array of 2",
    ],
    [
      [
        [1, 2, 3],
        [4, 5, 6, 7],
      ],
      "ERR_DATA",
      "3 values in row 1",
    ],
    [
      [
        [1, 2, 3],
        [4, Number.NaN, 6],
      ],
      "ERR_DATA",
      "row 1, column 1 for 'x' but received NaN",
    ],
    [[[1, 2, 1e39]], "ERR_DATA", "a finite float32 in row 0, column 2"],
    [[[1, 2, "3"]], "ERR_DATA", "row 0, column 2 for 'x' but received \"3\""],
    [
      [
        [1, 2, 3],
        [4, undefined, 6],
      ],
      "ERR_DATA",
      "row 1, column 1 for 'x' but received undefined",
    ],
    [[[1, 2, 3], null], "ERR_DATA", "row 1 for 'x' but received null"],
    [[1, 2, 3], "ERR_DATA", "an array of 3 numbers in row 0 for 'x' but received 1"],
    [
      new BigInt64Array(3),
      "ERR_DTYPE",
      "BigInt64Array(3), whose integers may not fit: convert it with Float64Array.from",
    ],
    [[new BigUint64Array(3)], "ERR_DTYPE", "BigUint64Array(3)"],
    [new DataView(new ArrayBuffer(12)), "ERR_DTYPE", "DataView(12)"],
    [new ArrayBuffer(12), "ERR_DTYPE", "an ArrayBuffer of 12 bytes"],
    [Promise.resolve([[1, 2, 3]]), "ERR_DTYPE", "a Promise (await it)"],
    ["text", "ERR_DTYPE", '"text"'],
    [undefined, "ERR_DTYPE", "undefined"],
    [transferred(new Float32Array(6)), "ERR_DETACHED", "transferred away"],
    [transferred(new Uint8Array(6)), "ERR_DETACHED", "transferred away"],
    [{ shape: [2, 3], data: transferred(new Float32Array(6)) }, "ERR_DETACHED", "transferred away"],
    [[transferred(new Float32Array(3))], "ERR_DETACHED", "transferred away"],
  ])("%# refuses %o with %s", (x, code, text) => {
    expect(() => bindFeatures("x", x as Features, 3)).toThrow(
      expect.objectContaining({ code, where: "x", message: message(text) }),
    );
  });
});

describe("labels", () => {
  test("integers of every form become Int32Array", () => {
    const ints = Int32Array.of(0, 2, 1);
    expect(bindLabels("y", ints, 3)).toEqual(ints);
    expect(bindLabels("y", Uint8Array.of(0, 2, 1), 3)).toEqual(ints);
    expect(bindLabels("y", [0, 2, 1], 3)).toEqual(ints);
    expect(bindLabels("y", { shape: [3], data: ints }, 3)).toEqual(ints);
  });

  test.each<[unknown, string, string]>([
    [[0, 1, 3], "ERR_LABEL", "expected an integer in [0, 2] for 'y' but received 3 in row 2"],
    [Int32Array.of(0, -1), "ERR_LABEL", "received -1 in row 1"],
    [Uint8Array.of(200), "ERR_LABEL", "received 200 in row 0"],
    [[0, 0.5], "ERR_LABEL", "received 0.5 in row 1"],
    [[Number.NaN], "ERR_LABEL", "received NaN in row 0"],
    [["1"], "ERR_LABEL", 'received "1" in row 0'],
    [[[0, 1]], "ERR_LABEL", "received array of 2 in row 0"],
    [{ shape: [1], data: Uint8Array.of(3) }, "ERR_LABEL", "received 3 in row 0"],
    [[], "ERR_DATA", "at least one row"],
    [new Int32Array(0), "ERR_DATA", "at least one row"],
    [transferred(Int32Array.of(1, 2)), "ERR_DETACHED", "transferred away"],
    [{ shape: [2], data: transferred(Int32Array.of(1, 2)) }, "ERR_DETACHED", "transferred away"],
    [{ shape: [2, 1], data: Int32Array.of(1, 2) }, "ERR_SHAPE", "[2, 1]"],
    [{ shape: [3], data: Int32Array.of(1, 2) }, "ERR_SHAPE", "[3]"],
    [{ shape: [2], data: Float32Array.of(1, 2.5) }, "ERR_LABEL", "received 2.5 in row 1"],
    [new DataView(new ArrayBuffer(4)), "ERR_DTYPE", "DataView"],
    [null, "ERR_DTYPE", "null"],
  ])("%# refuses %o with %s", (y, code, text) => {
    expect(() => bindLabels("y", y as Labels, 3)).toThrow(
      expect.objectContaining({ code, where: "y", message: message(text) }),
    );
  });
});

describe("targets", () => {
  test("become an f32 matrix", () => {
    const data = Float32Array.of(1.5, 2);
    expect(bindTargets("y", data, 1)).toEqual({ rows: 2, columns: 1, data });
    expect(bindTargets("y", data, 1).data.buffer).toBe(data.buffer);
    expect(bindTargets("y", [1.5, 2], 1)).toEqual({ rows: 2, columns: 1, data });
    expect(bindTargets("y", [[1.5], [2]], 1)).toEqual({ rows: 2, columns: 1, data });
    expect(bindTargets("y", [[1.5, 2]], 2)).toEqual({ rows: 1, columns: 2, data });
    expect(bindTargets("y", { shape: [2], data }, 1)).toEqual({ rows: 2, columns: 1, data });
    expect(bindTargets("y", Uint8Array.of(0, 1), 1).data).toEqual(Float32Array.of(0, 1));
    expect(bindTargets("y", Int32Array.of(-7, 1), 2).data).toEqual(Float32Array.of(-7, 1));
  });

  test.each<[unknown, number, string]>([
    [[1, 2], 2, "ERR_DATA"],
    [[1, Number.NaN], 1, "ERR_DATA"],
    [[1, "2"], 1, "ERR_DATA"],
    [[], 1, "ERR_DATA"],
    [Float32Array.of(1, 2, 3), 2, "ERR_DATA"],
    [Float32Array.of(Number.POSITIVE_INFINITY), 1, "ERR_DATA"],
    [{ shape: [2], data: new Float32Array(2) }, 2, "ERR_SHAPE"],
    [transferred(new Float32Array(2)), 1, "ERR_DETACHED"],
    [7, 1, "ERR_DTYPE"],
  ])("%# refuses %o in %d columns", (y, columns, code) => {
    expect(() => bindTargets("y", y as Targets, columns)).toThrow(expect.objectContaining({ code, where: "y" }));
  });
});
