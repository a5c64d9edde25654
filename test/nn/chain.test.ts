import { expect, test } from "vitest";
import { ANY_SIZE, checkChain, type Sized } from "../../lib/nn/structure/chain.js";

const linear = (inputs: number, outputs: number): Sized => ({ kind: "linear", inputs, outputs });
const relu: Sized = { kind: "relu", inputs: ANY_SIZE, outputs: "same" };
const batchNorm = (size: number): Sized => ({ kind: "batchNorm", inputs: size, outputs: "same" });

// The same chains stand in test/types/chain.test-d.ts.
/** What a chain takes and gives of a row. */
function sizesOf(layers: readonly Sized[]): readonly [unknown, unknown] {
  const { input, outputs } = checkChain(layers);
  return [input?.shape.slice(1), outputs.at(-1)?.shape.slice(1)];
}

test("a chain that fits tells its sizes", () => {
  const net = [linear(64, 128), relu, linear(128, 10)];
  expect(sizesOf(net)).toEqual([[64], [10]]);
  const nested = [relu, linear(64, 10), relu, batchNorm(10), linear(10, 3), relu];
  expect(sizesOf(nested)).toEqual([[64], [3]]);
  expect(sizesOf([relu, relu])).toEqual([undefined, undefined]);
  expect(sizesOf([batchNorm(7), relu])).toEqual([[7], [7]]);
  expect(sizesOf([])).toEqual([undefined, undefined]);
});

test.each<[string, Sized[], string]>([
  ["through relu", [linear(64, 256), relu, linear(128, 10)], "layer 3 takes 128 features, but layer 1 gives 256"],
  [
    "a pass-through of its own size",
    [linear(64, 256), relu, batchNorm(128)],
    "layer 3 takes 128 features, but layer 1 gives 256",
  ],
  ["after a pass-through", [batchNorm(7), relu, linear(8, 2)], "layer 3 takes 8 features, but layer 1 gives 7"],
  ["next to each other", [linear(64, 32), linear(64, 10)], "layer 2 takes 64 features, but layer 1 gives 32"],
])("%s: the sentence of the compiler", (_, layers, message) => {
  expect(() => checkChain(layers)).toThrow(expect.objectContaining({ code: "ERR_SHAPE", message }));
});

test("only the first misfit is told", () => {
  expect(() => checkChain([linear(1, 2), linear(3, 4), linear(5, 6)])).toThrow(
    expect.objectContaining({ where: "layer 2 (linear)" }),
  );
});
