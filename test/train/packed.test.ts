// Rows of memory that several runs share, beside the same rows as sets of their own.
import { expect, test } from "vitest";
import { Packed } from "../../lib/data/packed.js";
import { crossEntropy, type FitResult, linear, mse, relu, sequential, sgd } from "../../lib/index.js";
import type { AnyModel } from "../../lib/nn/model/model.js";
import { fitAny } from "../../lib/train/fit.js";
import type { AnyData } from "../../lib/train/options.js";

const ROWS = 103;
const COLUMNS = 3;
const x = Float32Array.from({ length: ROWS * COLUMNS }, (_, at) => ((at * 37) % 101) / 50 - 1);
const labels = Int32Array.from({ length: ROWS }, (_, row) => (row * 7) % 3);
const values = Float32Array.from({ length: ROWS * 2 }, (_, at) => ((at * 13) % 29) / 10);
const train = Uint32Array.from({ length: 61 }, (_, at) => (at * 5 + 2) % ROWS);
const validation = Uint32Array.from({ length: 30 }, (_, at) => (at * 3 + 1) % ROWS);

const input = { name: "x", shape: [COLUMNS], dtype: "f32" } as const;

function numbersOf(all: Float32Array | Int32Array, rows: Uint32Array, columns: number): readonly number[] {
  return Array.from(rows).flatMap((row) => Array.from(all.subarray(row * columns, (row + 1) * columns)));
}

function network(outputs: number): AnyModel {
  return sequential(linear(COLUMNS, 8), relu(), linear(8, outputs)).initialize(3);
}

async function trained(model: AnyModel, data: AnyData, held: AnyData, classes: boolean): Promise<FitResult> {
  return await fitAny(model, {
    data,
    validation: held,
    loss: classes ? crossEntropy() : mse(),
    optimizer: sgd({ lr: 0.1 }),
    epochs: 3,
    batchSize: 16,
    seed: 5,
  });
}

test.each([true, false])(
  "a run over some of its rows has the bits of one over a set of these (classes %s)",
  async (classes) => {
    const columns = classes ? 1 : 2;
    const y = classes ? labels : values;
    const packed = await Packed.make(ROWS, [input], { name: "y", shape: [columns], dtype: classes ? "i32" : "f32" });
    for (let begin = 0; begin < ROWS; begin += 40) {
      const end = Math.min(ROWS, begin + 40);
      packed.write(begin, { x: { shape: [end - begin, COLUMNS], data: x.subarray(begin * COLUMNS, end * COLUMNS) } });
      packed.writeTargets(begin, y.subarray(begin * columns, end * columns));
    }
    const setOf = (rows: Uint32Array): AnyData => ({
      x: Float32Array.from(numbersOf(x, rows, COLUMNS)),
      y: classes
        ? Int32Array.from(numbersOf(labels, rows, 1))
        : { shape: [rows.length, 2], data: Float32Array.from(numbersOf(values, rows, 2)) },
    });
    const [shared, own] = [network(classes ? 3 : 2), network(classes ? 3 : 2)];
    const first = await trained(shared, packed.take(train), packed.take(validation), classes);
    const second = await trained(own, setOf(train), setOf(validation), classes);
    expect([...shared.weights()].map(([, { data }]) => [...data])).toEqual(
      [...own.weights()].map(([, { data }]) => [...data]),
    );
    expect(first.history.map((one) => [one.loss, one.validation?.loss])).toEqual(
      second.history.map((one) => [one.loss, one.validation?.loss]),
    );
    expect(packed.bytes).toBe(ROWS * (COLUMNS + columns) * 4);
  },
);

test("rows are read back in any order, few or many of them", async () => {
  const packed = await Packed.make(ROWS, [input], { name: "y", shape: [1], dtype: "i32" });
  packed.write(0, { x: { shape: [ROWS, COLUMNS], data: x } });
  for (const rows of [Uint32Array.of(99, 0, 99), train])
    expect([...(packed.pick(rows, ["x"]).x?.data ?? [])]).toEqual(numbersOf(x, rows, COLUMNS));
});

test("what is not of the rows of a network, or no rows at all, is refused", async () => {
  const packed = await Packed.make(ROWS, [{ ...input, shape: [2] }], { name: "y", shape: [1], dtype: "i32" });
  const refused = { code: "ERR_SHAPE", message: "expected rows of 3 numbers for 'fit.data.x' but received 2" };
  await expect(trained(network(3), packed.take(train), packed.take(validation), true)).rejects.toMatchObject(refused);
  const none = packed.take(new Uint32Array());
  await expect(trained(network(3), none, none, true)).rejects.toMatchObject({ code: "ERR_DATA" });
  const outside = await Packed.make(4, [input], { name: "y", shape: [1], dtype: "i32" });
  const far = outside.take(Uint32Array.of(1, 9));
  await expect(trained(network(3), far, far, true)).rejects.toMatchObject({ name: "CarillonError" });
});
