// Bad data and bad options of fit: refused with a code and a name, and nothing is changed.
import {
  adam,
  crossEntropy,
  defineLayer,
  dropout,
  type ErrorCode,
  fit,
  linear,
  type Model,
  mse,
  ops,
  relu,
  sequential,
  sgd,
  tensor,
  type Value,
} from "carillon";
import { describe, expect, test } from "vitest";
import { bitsOf, clusters } from "./synthetic.js";
import { type Anything, expectRefusal, fitAnything } from "./wrong.js";

const DATA = clusters(30, 4, 3);
const GOOD = { data: DATA, loss: crossEntropy(), optimizer: adam(), epochs: 2 } as const;

function network(): Model<4, 3> {
  return sequential(linear(4, 8), relu(), linear(8, 3));
}

async function refuses(wrong: Anything, code: ErrorCode, where: string, says?: string | RegExp): Promise<void> {
  await expectRefusal(network().initialize(1), { ...GOOD, ...wrong }, code, where, says);
  await expectRefusal(network(), { ...GOOD, ...wrong }, code, where, says);
}

function detached<T extends Float32Array | Int32Array | Uint8Array>(data: T): T {
  structuredClone(data.buffer, { transfer: [data.buffer as ArrayBuffer] });
  return data;
}

/** DATA with one element of x changed. */
function withX(index: number, value: number): Anything {
  const x = DATA.x.slice();
  x[index] = value;
  return { data: { x, y: DATA.y } };
}

function withLabel(value: number): Anything {
  return { data: { x: DATA.x, y: Array.from(DATA.y, (label, row) => (row === 7 ? value : label)) } };
}

describe("data", () => {
  test.each<[string, Anything, ErrorCode, string, (string | RegExp)?]>([
    ["x of another width", { data: { x: DATA.x.subarray(0, 31), y: DATA.y } }, "ERR_DATA", "fit.data.x"],
    ["rows of another width", { data: { x: [[1, 2, 3]], y: [0] } }, "ERR_DATA", "fit.data.x", "row 0"],
    ["a tensor of another width", { data: { x: tensor(DATA.x, [40, 3]), y: DATA.y } }, "ERR_SHAPE", "fit.data.x"],
    ["y of another length", { data: { x: DATA.x, y: DATA.y.subarray(1) } }, "ERR_DATA", "fit.data.y", "29"],
    ["NaN in x", withX(4 * 11 + 2, Number.NaN), "ERR_DATA", "fit.data.x", /NaN.*|row 11, column 2/],
    ["infinity in x", withX(0, Number.POSITIVE_INFINITY), "ERR_DATA", "fit.data.x", "row 0, column 0"],
    ["a label too large", withLabel(3), "ERR_LABEL", "fit.data.y", /received 3 in row 7/],
    ["a negative label", withLabel(-1), "ERR_LABEL", "fit.data.y", /received -1 in row 7/],
    ["a label between two", withLabel(0.5), "ERR_LABEL", "fit.data.y", /received 0.5 in row 7/],
    ["a label that is NaN", withLabel(Number.NaN), "ERR_LABEL", "fit.data.y", /received NaN in row 7/],
    ["names without classes", { data: { x: DATA.x, y: new Array(30).fill("a") } }, "ERR_LABEL", "fit.data.y"],
    ["no examples", { data: { x: new Float32Array(0), y: new Int32Array(0) } }, "ERR_DATA", "fit.data.x", "one row"],
    ["no examples, in arrays", { data: { x: [], y: [] } }, "ERR_DATA", "fit.data.x"],
    ["no y", { data: { x: DATA.x } }, "ERR_DATA", "fit.data"],
    ["no data", { data: undefined }, "ERR_OPTION", "fit.data"],
    ["null for data", { data: null }, "ERR_OPTION", "fit.data"],
    ["text in x", { data: { x: "1,2,3,4", y: [0] } }, "ERR_DTYPE", "fit.data.x"],
    ["text in a row", { data: { x: [[1, 2, "3", 4]], y: [0] } }, "ERR_DATA", "fit.data.x", "column 2"],
    ["bigints in x", { data: { x: new BigInt64Array(4), y: [0] } }, "ERR_DTYPE", "fit.data.x", "Float64Array.from"],
    [
      "another key",
      { data: { x: DATA.x, y: DATA.y, weights: [1] } },
      "ERR_UNKNOWN_OPTION",
      "fit.data.weights",
      "'weight'",
    ],
    ["too few weights", { data: { ...DATA, weight: [1] } }, "ERR_DATA", "fit.data.weight"],
    ["a negative weight", { data: { ...DATA, weight: new Array(30).fill(-1) } }, "ERR_DATA", "fit.data.weight"],
    ["only weights of 0", { data: { ...DATA, weight: new Float32Array(30) } }, "ERR_DATA", "fit.data.weight"],
    ["validation of another width", { validation: { x: [[1]], y: [0] } }, "ERR_DATA", "fit.validation.x"],
    [
      "a label of the validation",
      { validation: { x: DATA.x, y: new Int32Array(30).fill(9) } },
      "ERR_LABEL",
      "fit.validation.y",
    ],
    ["null for validation", { validation: null }, "ERR_OPTION", "fit.validation"],
  ])("%s", async (_, wrong, code, where, says) => {
    await refuses(wrong, code, where, says);
  });

  test("memory that was transferred away", async () => {
    const { y } = DATA;
    for (const [data, where] of [
      [{ x: detached(DATA.x.slice()), y }, "fit.data.x"],
      [{ x: DATA.x, y: detached(y.slice()) }, "fit.data.y"],
      [{ x: detached(new Uint8Array(120)), y }, "fit.data.x"],
      [{ x: { shape: [30, 4], data: detached(DATA.x.slice()) }, y }, "fit.data.x"],
    ] as const) {
      await refuses({ data }, "ERR_DETACHED", where);
    }
  });

  test("data that is transferred away behind the start event is no longer needed", async () => {
    const x = DATA.x.slice();
    const model = network();
    for await (const event of fit(model, { ...GOOD, data: { x, y: DATA.y } })) if (event.kind === "start") detached(x);
    const other = network();
    await fit(other, GOOD);
    expect(bitsOf(model)).toBe(bitsOf(other));
  });
});

describe("options", () => {
  const never = { decide: () => undefined };
  test.each<[string, unknown, ErrorCode, string, (string | RegExp)?]>([
    ["epochs", undefined, "ERR_OPTION", "fit.epochs"],
    ["epochs", 0, "ERR_OPTION", "fit.epochs"],
    ["epochs", 1.5, "ERR_OPTION", "fit.epochs", "1.5"],
    ["epochs", -1, "ERR_OPTION", "fit.epochs"],
    ["epochs", "3", "ERR_OPTION", "fit.epochs"],
    ["epochs", Number.POSITIVE_INFINITY, "ERR_OPTION", "fit.epochs"],
    ["epochs", null, "ERR_OPTION", "fit.epochs"],
    ["steps", 0, "ERR_OPTION", "fit.steps"],
    ["steps", 2.5, "ERR_OPTION", "fit.steps"],
    ["batchSize", 0, "ERR_OPTION", "fit.batchSize"],
    ["batchSize", -8, "ERR_OPTION", "fit.batchSize"],
    ["batchSize", "32", "ERR_OPTION", "fit.batchSize"],
    ["seed", -1, "ERR_OPTION", "fit.seed"],
    ["seed", 0.5, "ERR_OPTION", "fit.seed"],
    ["seed", 2 ** 53, "ERR_OPTION", "fit.seed"],
    ["seed", "0", "ERR_OPTION", "fit.seed"],
    ["threads", 0, "ERR_OPTION", "fit.threads"],
    ["threads", 1.5, "ERR_OPTION", "fit.threads"],
    ["threads", 5000, "ERR_OPTION", "fit.threads"],
    ["reportEvery", 0, "ERR_OPTION", "fit.reportEvery"],
    ["shuffle", 1, "ERR_OPTION", "fit.shuffle"],
    ["shuffle", "false", "ERR_OPTION", "fit.shuffle"],
    ["loss", undefined, "ERR_OPTION", "fit.loss"],
    ["loss", "crossEntropy", "ERR_OPTION", "fit.loss"],
    ["optimizer", undefined, "ERR_OPTION", "fit.optimizer"],
    ["optimizer", adam, "ERR_OPTION", "fit.optimizer", "function adam"],
    ["optimizer", "adam", "ERR_OPTION", "fit.optimizer"],
    ["optimizer", { rule: "adam" }, "ERR_OPTION", "fit.optimizer.kind"],
    ["optimizer", { ...adam(), rule: "nothing" }, "ERR_OPTION", "fit.optimizer.rule", "'adam'"],
    ["optimizer", { ...adam(), states: undefined }, "ERR_OPTION", "fit.optimizer.states"],
    ["optimizer", { ...adam(), constants: ["0.9"] }, "ERR_OPTION", "fit.optimizer.constants"],
    ["optimizer", { ...adam(), states: [] }, "ERR_NATIVE", "programCreate", "wrong number of states"],
    ["optimizer", { ...adam(), lr: Number.NaN }, "ERR_OPTION", "adam.lr"],
    ["optimizer", { ...adam(), lr: "0.1" }, "ERR_OPTION", "adam.lr"],
    ["regularizer", 0.01, "ERR_OPTION", "fit.regularizer"],
    ["regularizer", { kind: "l2", lambda: -1 }, "ERR_OPTION", "fit.regularizer.lambda"],
    ["regularizer", { kind: "l3", lambda: 1 }, "ERR_OPTION", "fit.regularizer"],
    ["regularizer", { kind: "l2" }, "ERR_OPTION", "fit.regularizer.lambda"],
    ["metrics", "accuracy", "ERR_OPTION", "fit.metrics"],
    ["metrics", ["acuracy"], "ERR_OPTION", "fit.metrics", "acuracy"],
    ["metrics", [undefined], "ERR_OPTION", "fit.metrics"],
    ["metrics", ["accuracy", "accuracy"], "ERR_OPTION", "fit.metrics"],
    ["callbacks", never, "ERR_OPTION", "fit.callbacks"],
    ["callbacks", [null], "ERR_OPTION", "fit.callbacks[0]"],
    ["callbacks", [never], "ERR_OPTION", "fit.callbacks[0].name"],
    ["callbacks", [{ name: "a" }], "ERR_OPTION", "fit.callbacks[0].decide"],
    ["callbacks", [{ name: "a", ...never, every: { steps: 0 } }], "ERR_OPTION", "fit.callbacks[0].every"],
    ["callbacks", [{ name: "a", ...never, every: { steps: 1, epochs: 1 } }], "ERR_OPTION", "fit.callbacks[0].every"],
    ["callbacks", [{ name: "a", ...never, every: {} }], "ERR_OPTION", "fit.callbacks[0].every"],
    [
      "callbacks",
      [{ name: "a", ...never, every: { step: 1 } }],
      "ERR_UNKNOWN_OPTION",
      "fit.callbacks[0].every.step",
      "Did you mean 'steps'?",
    ],
    ["callbacks", [{ name: "a", ...never, state: 5 }], "ERR_OPTION", "fit.callbacks[0].state"],
    ["callbacks", [{ name: "a", ...never, restore: {} }], "ERR_OPTION", "fit.callbacks[0].restore"],
    ["callbacks", [1, 2].map(() => ({ name: "twice", ...never })), "ERR_OPTION", "fit.callbacks[1].name", "twice"],
    ["signal", {}, "ERR_OPTION", "fit.signal"],
    ["signal", new AbortController(), "ERR_OPTION", "fit.signal"],
    ["resume", 5, "ERR_OPTION", "fit.resume"],
    ["resume", {}, "ERR_OPTION", "fit.resume"],
    ["resume", new Float32Array(4), "ERR_OPTION", "fit.resume"],
    ["resume", "", "ERR_OPTION", "fit.resume"],
    ["epoch", 3, "ERR_UNKNOWN_OPTION", "fit.epoch", "Did you mean 'epochs'?"],
    ["batch_size", 3, "ERR_UNKNOWN_OPTION", "fit.batch_size", "Did you mean 'batchSize'?"],
    ["zzz", 3, "ERR_UNKNOWN_OPTION", "fit.zzz", "Known: 'data'"],
  ])("%s: %o", async (key, value, code, where, says) => {
    await refuses({ [key]: value }, code, where, says);
  });

  test.each([[null], [undefined], [5], [[]], ["fit"]])("%o in the place of options", async (options) => {
    const run = fitAnything(network(), options as unknown as Anything);
    await expect(run).rejects.toMatchObject({ name: "CarillonError", code: "ERR_OPTION", where: "fit" });
  });

  test("something else in the place of a model", async () => {
    for (const model of [undefined, null, {}, [linear(2, 2)]]) {
      const run = fitAnything(model as unknown as Model, GOOD);
      await expect(run).rejects.toMatchObject({ name: "CarillonError", code: "ERR_OPTION", where: "fit.model" });
    }
  });

  test("accuracy needs classes", async () => {
    const data = { x: DATA.x, y: new Float32Array(90) };
    await refuses({ data, loss: mse(), metrics: ["accuracy"] }, "ERR_OPTION", "fit.metrics", "accuracy");
  });

  test("a schedule that returns NaN at step 5 says so, and no weight is NaN", async () => {
    const lr = ({ step }: { readonly step: number }): number => (step === 5 ? Number.NaN : 0.1);
    const model = network().initialize(1);
    const before = bitsOf(model);
    const run = fit(model, { ...GOOD, optimizer: sgd({ lr }), epochs: 10 });
    await expect(run).rejects.toMatchObject({ code: "ERR_OPTION", where: "sgd.lr", message: /step 5/ });
    expect(bitsOf(model)).toBe(before);
    await fit(model, { ...GOOD, optimizer: sgd({ lr }), steps: 4 });
  });

  test("a schedule that throws rejects with its error", async () => {
    const lr = (): number => {
      throw new Error("mine");
    };
    await expect(fit(network(), { ...GOOD, optimizer: sgd({ lr }) })).rejects.toThrow("mine");
  });
});

describe("losses and layers", () => {
  const softmax = defineLayer({ kind: "softmax", outputs: "same", forward: (x) => ops.softmax(x) });

  test("cross-entropy after a softmax", async () => {
    const model = sequential(linear(4, 3), softmax);
    await expectRefusal(model, GOOD, "ERR_OPTION", "crossEntropy", "softmax");
    await expectRefusal(sequential(linear(4, 3), softmax, dropout(0)), GOOD, "ERR_OPTION", "crossEntropy", "softmax");
  });

  test.each<[string, unknown]>([
    ["a number", () => 1],
    ["nothing", () => undefined],
    ["a promise", () => Promise.resolve(1)],
    ["a scalar", (output: Value) => ops.mean(output)],
    ["one number an output", (output: unknown) => output],
    ["a tensor", () => tensor([1, 2, 3])],
  ])("a loss that gives %s", async (_, loss) => {
    const data = { x: DATA.x, y: new Float32Array(90) };
    await refuses({ data, loss }, "ERR_SHAPE", "loss", "[batch]");
  });

  test("a loss that does not depend on the weights", async () => {
    const loss = (_: unknown, target: Value) => ops.sum(target, { axis: "last" });
    await refuses({ data: { x: DATA.x, y: new Float32Array(90) }, loss }, "ERR_TRACE", "linear1.weight");
  });

  test.each<[string, (x: Value) => unknown]>([
    ["too few", (x) => ops.reshape(ops.sum(x, { axis: "last" }), ["batch", 1])],
    ["no features", (x) => ops.sum(x, { axis: "last" })],
    ["a number", () => 5],
    ["nothing", () => undefined],
  ])("a layer that gives %s", async (_, forward) => {
    const broken = defineLayer({ kind: "broken", inputs: 4, outputs: 4, forward: forward as (x: Value) => Value });
    const model = sequential(broken, linear(4, 3));
    await expectRefusal(model, GOOD, "ERR_SHAPE", "broken1", /expected \[batch, 4\]/);
    await expect(model.predict(DATA.x)).rejects.toMatchObject({ code: "ERR_SHAPE", where: "broken1" });
    expect(() => model.predictSync(DATA.x)).toThrow(expect.objectContaining({ code: "ERR_SHAPE", where: "broken1" }));
  });
});
