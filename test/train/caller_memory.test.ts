// What a caller does with its memory once a call has returned: it is read at the call, or its loss is noticed.
import {
  type Callback,
  dataset,
  type FitOptions,
  fit,
  linear,
  type Model,
  mse,
  ops,
  program,
  rmsprop,
  type StreamExample,
  sequential,
  sgd,
  spec,
  standardize,
  tensor,
} from "carillon";
import { describe, expect, test } from "vitest";
import { bitsOf } from "./synthetic.js";

/** y = x, of `size` columns. */
function identityOf(size: number): Model {
  const weight = Float32Array.from({ length: size * size }, (_, at) => (at % (size + 1) === 0 ? 1 : 0));
  const layer = linear(size, size, { bias: false });
  return sequential(layer).setWeights(new Map([["linear1.weight", weight]]));
}

/** The error of a call, with the code and the place. */
async function refused(call: Promise<unknown>): Promise<object> {
  return await call.then(
    () => ({ code: "nothing" }),
    ({ code, where, message }: { code: string; where: string; message: string }) => ({ code, where, message }),
  );
}

/** Each kind of input of two values, and what writes others into it. */
const inputs: readonly (readonly [name: string, make: () => readonly [x: never, write: () => void]])[] = [
  ["a Float32Array", () => kind(Float32Array.of(1, 2))],
  ["a Uint8Array", () => kind(Uint8Array.of(1, 2))],
  ["a Buffer", () => kind(Buffer.from([1, 2]))],
  [
    "a view of shared memory",
    () => kind(new Float32Array(new SharedArrayBuffer(8)).fill(1).map((one, at) => one + at)),
  ],
  [
    "a tensor",
    () => {
      const x = tensor(Float32Array.of(1, 2), [1, 2]);
      return [x as never, () => x.data.set([3, 4])];
    },
  ],
  [
    "rows",
    () => {
      const x = [[1, 2]];
      return [x as never, () => x[0]?.splice(0, 2, 3, 4)];
    },
  ],
  [
    "other rows in the array",
    () => {
      const x = [[1, 2]];
      return [x as never, () => x.splice(0, 1, [3, 4])];
    },
  ],
  [
    "typed rows",
    () => {
      const x = [Float32Array.of(1, 2)];
      return [x as never, () => x[0]?.set([3, 4])];
    },
  ],
];

function kind(x: Float32Array | Uint8Array): readonly [never, () => void] {
  return [x as never, () => x.set([3, 4])];
}

/** Memory of another size than it was made with. */
interface Resizable {
  resize(bytes: number): void;
}

/** A copy of `values` whose memory can grow and shrink. */
function resizable(values: ArrayLike<number>): readonly [Float32Array, Resizable] {
  const bytes = 4 * values.length;
  // Node.js 20 has it, the library of the compiler's target has not.
  const buffer: ArrayBuffer = Reflect.construct(ArrayBuffer, [bytes, { maxByteLength: 2 * bytes }]);
  const x = new Float32Array(buffer);
  x.set(values);
  return [x, buffer as unknown as Resizable];
}

describe("predict reads its input at the call", () => {
  test("the case of the report: [1, 2], not [3, 4]", async () => {
    const b = Float32Array.of(1, 2);
    const p = identityOf(2).predict(b);
    b.set([3, 4]);
    expect([...(await p).data]).toEqual([1, 2]);
  });

  test.each(inputs)("%s, alone and in the queue", async (_name, make) => {
    const model = identityOf(2);
    const [x, write] = make();
    const first = model.predict(x);
    const second = model.predict(x);
    const third = model.predictProbabilities(x);
    write();
    const fourth = model.predict(x);
    const [one, two, , four] = await Promise.all([first, second, third, fourth]);
    expect([...one.data]).toEqual([1, 2]);
    expect([...two.data]).toEqual([1, 2]);
    expect((await third).data[0]).toBeCloseTo(1 / (1 + Math.E), 6);
    expect([...four.data]).toEqual([3, 4]);
  });

  test.each([1, 256, 257, 1000])("%i rows of one buffer", async (rows) => {
    const model = identityOf(2);
    const b = Float32Array.from({ length: 2 * rows }, (_, at) => at);
    const expected = [...b];
    const calls = [0, 1, 2].map(async (add) => {
      b.forEach((_, at) => {
        b[at] = at + add;
      });
      return await model.predict(b);
    });
    b.fill(-1);
    const done = await Promise.all(calls);
    expect(done.map(({ data }) => [...data])).toEqual([0, 1, 2].map((add) => expected.map((one) => one + add)));
  });

  test.each([2, 600])("a buffer of %i elements that is transferred or resized afterwards", async (length) => {
    const model = identityOf(2);
    const expected = Array.from({ length }, (_, at) => at);
    for (const queued of [false, true]) {
      const moved = Float32Array.from(expected);
      const [cut, memory] = resizable(expected);
      const before = queued ? model.predict(Float32Array.of(1, 2)) : undefined;
      const calls = [model.predict(moved), model.predict(cut)];
      structuredClone(moved.buffer, { transfer: [moved.buffer] });
      memory.resize(4);
      memory.resize(4 * length);
      expect((await Promise.all(calls)).map(({ data }) => [...data])).toEqual([expected, expected]);
      await before;
    }
  });

  test("with units, numbers in an array keep what float32 would lose, in the queue too", async () => {
    const model = sequential(linear(1, 1, { init: 1, bias: false }));
    const x = [1.7e9, 1.7e9 + 9, 1.7e9 + 20, 1.7e9 + 28].map((one) => [one]);
    const data = { x, y: [0, 0, 0, 0] };
    await fit(model, { data, inputs: standardize(), loss: mse(), optimizer: sgd({ lr: 0 }), epochs: 1 });
    const alone = await model.predict(x);
    const calls = [model.predict(x), model.predict(x)];
    for (const row of x) row[0] = 0;
    expect((await Promise.all(calls)).map(({ data }) => [...data])).toEqual([[...alone.data], [...alone.data]]);
    expect(new Set(alone.data).size).toBe(4);
  });
});

describe("run of a program reads its inputs at the call", () => {
  const sum = () =>
    program({
      inputs: { a: spec(["batch", 2]), b: spec([2]), n: spec(["batch"], "i32") },
      maxBatch: 4,
      body: ({ a, b, n }) => ({ y: ops.add(a, b), n: ops.softmaxCrossEntropy(a, n) }),
    });

  test("all of them, alone and in the queue", async () => {
    const step = sum();
    const a = Float32Array.of(1, 2);
    const b = tensor([10, 20]);
    const n = [1];
    const calls = [1, 2, 3].map(async () => await step.run({ a, b, n }));
    a.set([7, 7]);
    b.data.set([70, 70]);
    n[0] = 0;
    const last = step.run({ a, b, n });
    for (const { y, n: given } of await Promise.all(calls)) {
      expect([...y.data]).toEqual([11, 22]);
      expect(given.item()).toBeCloseTo(Math.log1p(Math.exp(-1)), 6);
    }
    const { y, n: given } = await last;
    expect([...y.data]).toEqual([77, 77]);
    expect(given.item()).toBeCloseTo(Math.log(2), 6);
  });

  test("memory that is transferred afterwards, and memory that was before", async () => {
    const step = sum();
    const make = () => ({ a: Float32Array.of(1, 2), b: Float32Array.of(10, 20), n: Int32Array.of(1) });
    const [first, second] = [make(), make()];
    const calls = [step.run(first), step.run(second)];
    for (const { a, b, n } of [first, second]) {
      structuredClone(0, { transfer: [a.buffer, b.buffer, n.buffer] });
    }
    expect((await Promise.all(calls)).map(({ y }) => [...y.data])).toEqual([
      [11, 22],
      [11, 22],
    ]);
    expect(await refused(step.run(first))).toMatchObject({ code: "ERR_DETACHED" });
    expect([...(await step.run(make())).y.data]).toEqual([11, 22]);
  });
});

const ROWS = 40;
const INPUTS = 2;
/** y = x₀ − x₁, and weights of the examples. */
const numbers = (rows = ROWS, inputs = INPUTS) => {
  const x = Float32Array.from({ length: rows * inputs }, (_, at) => ((at * 37) % 101) / 50 - 1);
  const y = Float32Array.from({ length: rows }, (_, row) => (x[row * inputs] ?? 0) - (x[row * inputs + 1] ?? 0));
  const weight = Float32Array.from({ length: rows }, (_, row) => 1 + (row % 3));
  return { x, y, weight };
};
const network = (inputs = INPUTS): Model => sequential(linear(inputs, 1));
const options = { loss: mse(), optimizer: rmsprop({ lr: 0.01 }), epochs: 2, batchSize: 8, seed: 3 } as const;

/** The same numbers in each kind of memory, and what overwrites all of them. */
const sets = [
  ["typed arrays", (rows?: number) => numbers(rows)],
  ["rows", (rows?: number) => asRows(numbers(rows), (row) => [...row])],
  ["typed rows", (rows?: number) => asRows(numbers(rows), (row) => row.slice())],
  ["tensors", (rows?: number) => asTensors(numbers(rows))],
] as const;

function asRows({ x, y, weight }: ReturnType<typeof numbers>, row: (values: Float32Array) => number[] | Float32Array) {
  const rows = Array.from(y, (_, at) => row(x.subarray(at * INPUTS, (at + 1) * INPUTS)));
  return { x: rows as number[][], y: [...y], weight: [...weight] };
}

function asTensors({ x, y, weight }: ReturnType<typeof numbers>) {
  return { x: tensor(x, [y.length, INPUTS]), y: tensor(y, [y.length, 1]), weight };
}

function overwrite(set: object): void {
  for (const member of Object.values(set)) {
    const values: unknown = "data" in member ? member.data : member;
    const fill = (list: unknown): void => {
      if (Array.isArray(list) && typeof list[0] === "object") for (const row of list) fill(row);
      else if (Array.isArray(list) || list instanceof Float32Array) list.fill(7);
    };
    fill(values);
  }
}

describe("fit and evaluate read small data at the call", () => {
  const undisturbed = async (): Promise<string> => {
    const model = network();
    await fit(model, { ...options, data: numbers(), validation: numbers() });
    return bitsOf(model);
  };

  test.each(sets)("%s", async (_name, make) => {
    const model = network();
    const [data, validation] = [make(), make()];
    const run = fit(model, { ...options, data, validation });
    overwrite(data);
    overwrite(validation);
    const { history } = await run;
    expect(bitsOf(model)).toBe(await undisturbed());
    const set = make();
    const expected = (await model.evaluate(numbers(), { loss: mse() })).loss;
    expect(history.at(-1)?.validation?.loss).toBe(expected);
    const evaluating = model.evaluate(set, { loss: mse() });
    overwrite(set);
    expect((await evaluating).loss).toBe(expected);
  });

  test("memory that is transferred afterwards, with units", async () => {
    const whole = { ...options, inputs: standardize(), targets: standardize() };
    const [model, other] = [network(), network()];
    await fit(other, { ...whole, data: numbers() });
    const { x, y, weight } = numbers();
    const run = fit(model, { ...whole, data: { x, y, weight } });
    structuredClone(0, { transfer: [x.buffer, y.buffer, weight.buffer] });
    await run;
    expect(bitsOf(model)).toBe(bitsOf(other));
    expect(model.transforms).toEqual(other.transforms);
  });

  test("options: what is changed after the call is not seen", async () => {
    const callbacks: Callback[] = [];
    const set = numbers();
    const given: { -readonly [K in keyof FitOptions<readonly [], undefined>]: FitOptions<readonly [], undefined>[K] } =
      {
        ...options,
        data: set,
        callbacks,
        clip: { norm: 1 },
        averageWeights: { decay: 0.5 },
        regularizer: [],
      };
    const clip = given.clip as { norm: number };
    const average = given.averageWeights as { decay: number };
    const [model, other] = [network(), network()];
    const first = await fit(other, { ...given });
    const run = fit(model, given);
    callbacks.push({ name: "late", every: { steps: 1 }, decide: ({ stop }) => stop() });
    clip.norm = 1e-9;
    average.decay = 0.9;
    given.epochs = 50;
    given.data = numbers(8);
    const { averaged, step } = await run;
    expect(step).toBe(first.step);
    expect(bitsOf(model)).toBe(bitsOf(other));
    expect(averaged()).toEqual(first.averaged());
  });

  test("the bytes of a checkpoint to resume", async () => {
    const model = network();
    const { checkpoint } = await fit(model, { ...options, data: numbers() });
    const bytes = checkpoint();
    checkpoint().fill(0); // what is given out is the caller's alone
    const resume = bytes.slice();
    const other = network();
    const run = fit(other, { ...options, data: numbers(), resume, epochs: 3 });
    resume.fill(0);
    await run;
    const third = network();
    await fit(third, { ...options, data: numbers(), epochs: 3 });
    expect(bitsOf(other)).toBe(bitsOf(third));
    const moved = bytes.slice();
    structuredClone(0, { transfer: [moved.buffer] });
    expect(await refused(fit(other, { ...options, data: numbers(), resume: moved }))).toMatchObject({
      code: "ERR_DETACHED",
      where: "fit.resume",
    });
  });
});

describe("large data is copied in turns", () => {
  const LARGE = 100_000;
  const WIDE = 12;
  const wide = () => numbers(LARGE, WIDE); // 4.8 MB of inputs
  const large = { ...options, epochs: 1, batchSize: 4096 } as const;
  /** Sets of which one is large in itself, or in all. */
  const sizes = [
    ["x", () => wide()],
    ["rows", () => ({ ...wide(), x: Array.from({ length: LARGE }, (_, row) => numbers(1, WIDE).x.fill(row)) })],
  ] as const;

  test.each(["x", "y", "weight"] as const)(
    "%s transferred meanwhile is ERR_DETACHED, and nothing was changed",
    async (name) => {
      for (const units of [{}, { inputs: standardize(), targets: standardize() }]) {
        const model = network(WIDE).initialize(1);
        const before = bitsOf(model);
        const set = wide();
        const run = fit(model, { ...large, ...units, data: set });
        structuredClone(0, { transfer: [set[name].buffer] });
        const error = await refused(run);
        expect(error).toMatchObject({ code: "ERR_DETACHED", where: `fit.data.${name}` });
        expect(error).toMatchObject({ message: expect.stringContaining("transferred or resized") });
        expect(bitsOf(model)).toBe(before);
        expect(model.transforms).toEqual({});
        const other = wide();
        const evaluating = model.evaluate(other, { loss: mse() });
        structuredClone(0, { transfer: [other[name].buffer] });
        expect(await refused(evaluating)).toMatchObject({ code: "ERR_DETACHED", where: `evaluate.data.${name}` });
      }
    },
  );

  test.each([0, 4, 8 * LARGE * WIDE])("a buffer resized to %i bytes", async (bytes) => {
    const { x, y } = wide();
    const [cut, memory] = resizable(x);
    const run = fit(network(WIDE), { ...large, data: { x: cut, y } });
    memory.resize(bytes);
    expect(await refused(run)).toMatchObject({ code: "ERR_DETACHED", where: "fit.data.x" });
  });

  test.each(sizes)("%s: rows that are taken away, in the middle of the copying", async (_name, make) => {
    const set = make();
    const { y } = set;
    const labels = [...y];
    const run = fit(network(WIDE), { ...large, data: { ...set, y: labels } });
    await new Promise((resolve) => setImmediate(resolve));
    labels.pop();
    expect(await refused(run)).toMatchObject({ code: "ERR_DETACHED", where: "fit.data.y" });
  });

  test("the validation set counts, and is watched", async () => {
    const validation = wide();
    const data = numbers(LARGE, WIDE);
    const run = fit(network(WIDE), { ...large, data, validation });
    structuredClone(0, { transfer: [validation.y.buffer] });
    expect(await refused(run)).toMatchObject({ code: "ERR_DETACHED", where: "fit.validation.y" });
  });

  test("a write meanwhile gives old or new values", async () => {
    const set = wide();
    const model = network(WIDE).setWeights(
      new Map([
        ["linear1.weight", new Float32Array(WIDE)],
        ["linear1.bias", new Float32Array(1)],
      ]),
    );
    const { length } = set.y;
    const y = new Float32Array(length).fill(1); // squares of 1 or 4: the loss tells how many are new
    const evaluating = model.evaluate({ x: set.x, y }, { loss: mse() });
    await new Promise((resolve) => setImmediate(resolve));
    y.fill(2);
    const { loss } = await evaluating;
    const fresh = ((loss - 1) / 3) * length;
    expect(Math.abs(fresh - Math.round(fresh))).toBeLessThan(1e-2);
    expect(fresh).toBeGreaterThanOrEqual(-1e-2);
    expect(fresh).toBeLessThanOrEqual(length + 1e-2);
  });
});

describe("an item of a stream is read when it is given", () => {
  test.each([1, 7])("%i examples an item, in one buffer that somebody fills all the time", async (rows) => {
    const { x, y } = numbers(ROWS * 7);
    const expected = network();
    await fit(expected, { ...options, data: { x, y }, shuffle: false });
    const buffer = { x: new Float32Array(rows * INPUTS), y: new Float32Array(rows) };
    async function* source(): AsyncGenerator<StreamExample> {
      for (let row = 0; row < y.length; row += rows) {
        buffer.x.set(x.subarray(row * INPUTS, (row + rows) * INPUTS));
        buffer.y.set(y.subarray(row, row + rows));
        setImmediate(() => {
          buffer.x.fill(9);
          buffer.y.fill(9);
        });
        yield { x: buffer.x, y: buffer.y };
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    const model = network();
    await fit(model, { ...options, data: dataset(source) });
    expect(bitsOf(model)).toBe(bitsOf(expected));
  });
});
