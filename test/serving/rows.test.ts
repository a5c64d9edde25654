// What is wrong with a row of one call, and networks whose rows depend on each other: nobody else's answer has a part in it.
import {
  defineLayer,
  type Model,
  ops,
  parameter,
  sequential,
  softmax,
  type Tensor,
  tensor,
  type Value,
} from "carillon";
import { describe, expect, test } from "vitest";

/** Weights that nothing reads: work by which a batch is long enough for native threads. */
const BALLAST = 900_000;

/** [batch, 3] to two ones; a row whose third number (and a half) is the largest looks behind the table. */
function looking(ballast: number, index = (x: Value): Value => ops.argmax(x)): Model {
  const parameters = { w: parameter([2, 2], { init: 1 }), ballast: parameter([ballast], { init: 0 }) };
  const forward = (x: Value, { w }: { readonly w: Value }): Value => ops.take(w, index(x));
  return sequential(defineLayer({ kind: "look", inputs: 3, outputs: 2, parameters, forward })).initialize(1);
}

/** One answer a call: its numbers, or what was wrong. */
async function outcomes(calls: readonly Promise<Tensor>[]): Promise<unknown[]> {
  const settled = await Promise.allSettled(calls);
  return settled.map((each) => {
    return each.status === "fulfilled" ? [...each.value.data] : [Reflect.get(each.reason, "code"), String(each.reason)];
  });
}

const first = [9, 0, 0];
const second = [0, 9, 0];
const wrong = [0, 0, 9];

function outOfRange(row: number): unknown {
  return ["ERR_DATA", expect.stringContaining(`[0, 2) for the index of row ${row} of the call but received 2`)];
}

describe.each([
  ["on the calling thread", 1],
  ["on native threads", BALLAST],
])("an index out of range, computed %s", (_name, ballast) => {
  const model = looking(ballast);
  const predictor = model.predictor();
  test.each([
    ["submit", (x: readonly (readonly number[])[]) => predictor.submit(x)],
    ["predict", (x: readonly (readonly number[])[]) => model.predict(x)],
  ])("%s: only its call fails, and names its own row", async (_call, predict) => {
    const calls = [[first], [wrong], [first, second], [first, first, wrong, wrong], [second], [wrong]];
    const answers = await outcomes(calls.map((x) => predict(x)));
    const [one, two] = [
      [1, 1],
      [1, 1, 1, 1],
    ];
    expect(answers).toEqual([one, outOfRange(0), two, outOfRange(2), one, outOfRange(0)]);
    expect(await outcomes([predict([wrong])])).toEqual([outOfRange(0)]);
  });

  test("of a call that is cut into parts the row counts from its beginning", async () => {
    const rows = Array.from({ length: 600 }, (_, row) => (row === 300 ? wrong : first));
    expect(await outcomes([model.predict(rows), model.predict([first])])).toEqual([outOfRange(300), [1, 1]]);
    expect(() => model.predictSync(rows)).toThrow("row 300 of the call");
  });
});

test("a row whose value does not fit is replaced by none that is impossible", async () => {
  const shift = tensor([0, 0, 0.5]);
  const predictor = looking(1, (x) => ops.argmax(ops.add(x, shift))).predictor();
  const answers = await outcomes([first, [1e300, 0, 0], second].map((x) => predictor.submit(x)));
  expect(answers).toEqual([
    [1, 1],
    ["ERR_DATA", expect.stringContaining("row 0, column 0")],
    [1, 1],
  ]);
});

test("a label out of range fails alone, too", async () => {
  const forward = (x: Value): Value => ops.oneHot(ops.argmax(x), 2);
  const model = sequential(defineLayer({ kind: "hot", inputs: 3, outputs: 2, forward })).initialize(1);
  const answers = await outcomes([first, wrong, second].map((x) => model.predict(x)));
  expect(answers).toEqual([
    [1, 0],
    ["ERR_LABEL", expect.stringContaining("label of row 0 of the call")],
    [0, 1],
  ]);
});

describe.each<[string, (x: Value) => Value]>([
  ["the mean over the batch", (x) => ops.subtract(x, ops.mean(x, { axis: 0 }))],
  ["a table of the batch", (x) => ops.add(x, ops.take(x, tensor(Int32Array.of(0))))],
  ["the number of rows", (x) => ops.divide(x, ops.rowCount())],
  ["a draw", (x) => ops.dropout(x, { rate: 0.5, site: 0 })],
  ["a gradient over the batch", (x) => ops.matmul(x, ops.matmul(x, x, { transposeA: true }))],
])("a layer that works along the batch: %s", (_name, forward) => {
  const model = sequential(defineLayer({ kind: "along", inputs: 2, outputs: 2, forward }), softmax()).initialize(1);
  const calls = [
    [[1, 2]],
    [[3, -3]],
    [
      [1, 2],
      [5, 5],
    ],
  ];

  test("calls are not gathered", async () => {
    const alone = calls.map((x) => [...model.predictSync(x).data]);
    expect(await outcomes(calls.map((x) => model.predict(x)))).toEqual(alone);
  });

  test("no predictor, and no call that would be cut into parts", async () => {
    expect(() => model.predictor()).toThrow(expect.objectContaining({ code: "ERR_STATE" }));
    const rows = new Float32Array(2 * 257);
    const refusal = { code: "ERR_SHAPE", message: expect.stringContaining("works along the batch") };
    await expect(model.predict(rows)).rejects.toMatchObject(refusal);
    expect(() => model.predictSync(rows)).toThrow(expect.objectContaining({ code: "ERR_SHAPE" }));
    expect(model.predictSync(rows.subarray(2)).shape).toEqual([256, 2]);
  });
});

test("a layer that sums over its weights serves", async () => {
  const parameters = { w: parameter([2, 2], { init: 2 }) };
  const forward = (x: Value, { w }: { readonly w: Value }): Value => ops.divide(ops.matmul(x, w), ops.sum(w));
  const model = sequential(defineLayer({ kind: "normed", inputs: 2, outputs: 2, parameters, forward })).initialize(1);
  expect([...(await model.predictor().submit([1, 3])).data]).toEqual([1, 1]);
});
