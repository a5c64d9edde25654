import { expect, test } from "vitest";
import { readShapes, summarize } from "../../bench/gemm.js";

const shapes = readShapes();
const layout = ({ transA, transB }: { transA: boolean; transB: boolean }): string =>
  `${transA ? "T" : "N"}${transB ? "T" : "N"}`;

test("the list of shapes is a training's", () => {
  expect(shapes.length).toBeGreaterThanOrEqual(30);
  expect(new Set(shapes.map(layout))).toEqual(new Set(["NT", "NN", "TN"]));
  expect(new Set(shapes.map(({ name }) => name)).size).toBe(shapes.length);
  for (const { name, m, n, k } of shapes) {
    for (const size of [m, n, k]) expect(Number.isInteger(size) && size >= 1 && size <= 4096, name).toBe(true);
  }
});

test("the name of a shape says what it multiplies", () => {
  for (const shape of shapes) {
    const [, pass, batch, inputs, outputs] = /^(forward|dX|dW) (\d+): (\d+)-(\d+)$/.exec(shape.name) ?? [];
    const sizes = { b: Number(batch), i: Number(inputs), o: Number(outputs) };
    const wanted = {
      forward: { m: sizes.b, n: sizes.o, k: sizes.i, op: "NT" },
      dX: { m: sizes.b, n: sizes.i, k: sizes.o, op: "NN" },
      dW: { m: sizes.o, n: sizes.i, k: sizes.b, op: "TN" },
    }[pass ?? ""];
    expect({ m: shape.m, n: shape.n, k: shape.k, op: layout(shape) }, shape.name).toEqual(wanted);
  }
});

test("products with at most four rows, and only they, are prepacked", () => {
  for (const { name, m, transB, prepacked } of shapes) expect(prepacked, name).toBe(transB && m <= 4);
});

const row = (name: string, onednn: number | null, openblas: number | null, m = 8, shareOfPeak = 0.5) => {
  const given = [onednn, openblas].filter((ratio) => ratio !== null);
  return {
    name,
    m,
    n: m,
    k: m,
    ratios: { onednn, openblas, blis: null, mkl: null },
    ratioToBest: given.length === 0 ? null : Math.min(...given),
    shareOfPeak,
  };
};

test("the best library is one for all shapes, the best per shape may change", () => {
  const summary = summarize([row("a", 0.5, 4), row("b", 2, 1), row("c", 1, 2, 1024, 0.9), row("d", 1, 1, 1024, 0.8)]);
  expect(summary.bestLibrary).toBe("onednn");
  expect(summary.geomeanToBestLibrary).toBeCloseTo(1, 12);
  expect(summary.geomeanToBestPerShape).toBeCloseTo(0.5 ** 0.25, 12);
  expect([summary.minimum, summary.minimumName]).toEqual([0.5, "a"]);
  expect(summary.shareOfPeakAt1024).toBe(0.8);
});

test("no peer, no ratio", () => {
  expect(summarize([row("a", null, null)])).toEqual({
    rows: 1,
    bestLibrary: null,
    geomeanToBestLibrary: null,
    geomeanToBestPerShape: null,
    minimum: null,
    minimumName: null,
    shareOfPeakAt1024: null,
  });
});
