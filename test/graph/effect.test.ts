// An effect needs no file but its own: those of this file are recorded, fused around, placed, emitted and run by a planner that
// has never heard of them.
import { describe, expect, test } from "vitest";
import { type NativeSlab, native } from "../../lib/binding/native.js";
import type { Effect } from "../../lib/graph/effect.js";
import { program, spec } from "../../lib/graph/program.js";
import { currentTrace } from "../../lib/graph/trace.js";
import * as ops from "../../lib/ops/index.js";
import { elements, extent } from "../../lib/tensor/shape.js";
import { tensor } from "../../lib/tensor/tensor.js";
import { Value } from "../../lib/tensor/value.js";
import { instructions, planned } from "./inspect.js";

const read = (slab: NativeSlab, count: number): number[] => {
  const data = new Float32Array(count);
  native.slabRead(slab, 0, data);
  return [...data];
};

/** Writes Σ x to a slab. */
const summing = (value: Value, slab: NativeSlab, barrier: boolean): Effect => ({
  reads: [value],
  barrier,
  emit: (emitter) =>
    emitter.emit(
      "sum",
      { x: emitter.placeOf(value), sum: emitter.memory(slab, "write", { count: 1, dtype: "f32" }) },
      { count: extent(value.shape) },
    ),
});

/** Computes a value that no operation does: x + x. */
const doubling = (value: Value, twice: Value): Effect => ({
  reads: [value],
  writes: [twice],
  barrier: false,
  claim: (memory) =>
    memory.behind(value, (emitter) => {
      const y = emitter.memory(seen, "write", { count: 2, dtype: "f32" });
      emitter.emit("copy", { x: emitter.placeOf(value), y }, { count: 2 });
    }),
  emit(emitter) {
    const count = elements(value.shape);
    emitter.emit("copy", { x: emitter.placeOf(value), y: emitter.placeOf(twice) }, { count });
  },
});
const seen = native.slabCreate(2, "f32");

describe("an effect of this file", () => {
  test("runs at its place in the source, and what it computes is a value like others", async () => {
    const slab = native.slabCreate(1, "f32");
    const step = program({
      inputs: { x: spec([2]) },
      body({ x }) {
        const y = ops.square(x);
        const twin = new Value([2], "f32", { kind: "input", name: "twin" });
        const trace = currentTrace("test");
        trace.add(summing(y, slab, false));
        trace.add(doubling(y, twin));
        return { z: ops.add(ops.negate(y), ops.multiply(twin, 3)) };
      },
    });
    for (const [a, b] of [
      [1, 2],
      [3, 5],
    ] as const) {
      const { z } = await step.run({ x: tensor([a, b]) });
      expect([...z.data]).toEqual([2 * a * a, 2 * b * b]);
      expect(read(slab, 1)).toEqual([a * a + b * b]);
      expect(read(seen, 2)).toEqual([a * a, b * b]);
    }
  });

  test.each([
    [false, ["gemm", "sum"]],
    [true, ["gemm", "sum", "unary"]],
  ])("nothing is fused across a barrier (%s)", (barrier, expected) => {
    const slab = native.slabCreate(1, "f32");
    const { code } = planned({ x: { shape: ["batch", 3] }, w: { shape: [4, 3] } }, ({ x, w }) => {
      const product = ops.linear(x, w);
      currentTrace("test").add(summing(x, slab, barrier));
      return [ops.relu(product)];
    });
    expect(instructions(code).sort()).toEqual(expected);
  });

  test("a value that effects alone compute stays for the whole step", () => {
    const sum = (): Value => new Value([4], "f32", { kind: "input", name: "sum" });
    const { arenaCount, code } = planned({ x: { shape: [4] } }, ({ x }) => {
      const kept = sum();
      const trace = currentTrace("test");
      trace.add({
        reads: [],
        barrier: true,
        claim: (memory) => memory.keep(kept),
        emit: (emitter) => emitter.emit("fill", { y: emitter.placeOf(kept) }, { count: 4, value: 1 }),
      });
      return [ops.add(ops.exp(ops.negate(x)), kept)];
    });
    expect(instructions(code)).toEqual(["fill", "unary", "unary", "binary"]);
    expect(arenaCount).toBe(2 * 16);
  });
});
