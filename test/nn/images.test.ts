// Images of bytes: torchvision's windows and normalization, the same draws however a set is given, files, errors.
import { readFileSync } from "node:fs";
import {
  type AnyModel,
  adam,
  bytes,
  type Callback,
  CarillonError,
  conv2d,
  crossEntropy,
  dataset,
  fit,
  flatten,
  globalAveragePool,
  type ImagesOptions,
  images,
  type Layer,
  linear,
  loadModel,
  type Model,
  mse,
  network,
  ops,
  program,
  relu,
  sequential,
  sgd,
  spec,
  standardize,
  tensor,
  towers,
  zeros,
} from "carillon";
import { describe, expect, test } from "vitest";
import { native } from "../../lib/binding/native.js";
import { bindExamples } from "../../lib/data/bind.js";
import { bitsOf } from "../train/synthetic.js";

interface Case {
  readonly options: ImagesOptions;
  readonly seen: readonly number[];
  readonly x: readonly number[];
  readonly training: readonly number[];
  readonly inference: readonly number[];
}

const fixture = JSON.parse(readFileSync(new URL("fixtures/images.json", import.meta.url), "utf8")) as {
  readonly seed: number;
  readonly steps: number;
  readonly images: number;
  readonly cases: readonly Case[];
};

const U = 2 ** -24;
const layer = images as (options: ImagesOptions) => Layer;
const chain = sequential as (...layers: readonly unknown[]) => Model;

/** Options of a channel. */
const at = (given: number | readonly number[] | undefined, channel: number, standard: number): number =>
  (typeof given === "number" ? given : given?.[channel]) ?? standard;

/** How far y = fma(byte, fl(scale/std), fl(−mean/std)) may be from the quotient: a rounding of each of the two and of y. */
function expectNear(y: ArrayLike<number>, expected: readonly number[], { options, seen }: Case): void {
  const channels = seen.at(-1) ?? 1;
  const { mean, std } = options.normalize ?? {};
  expect(y).toHaveLength(expected.length);
  const worst = expected.reduce((most, value, index) => {
    const [m, s] = [at(mean, index % channels, 0), at(std, index % channels, 1)];
    // 9 digits of the fixture are half a unit of the ninth more.
    const bound = U * (1 / s + m / s + Math.abs(value)) * 1.01 + 5e-10 * Math.max(1, Math.abs(value));
    return Math.max(most, Math.abs((y[index] ?? Number.NaN) - value) / bound);
  }, 0);
  expect(worst).toBeLessThanOrEqual(1);
}

describe("torchvision's windows", () => {
  test.each(fixture.cases.map((one, index) => [index, one] as const))("case %i", async (_, one) => {
    const { height, width, channels } = one.options;
    const rows = { x: tensor(Float32Array.from(one.x), [fixture.images, height, width, channels]) };
    const model = chain(layer(one.options));
    const outputs = async (training: boolean, threads: number) => {
      const step = program({
        inputs: { x: spec(["batch", height, width, channels]) },
        ...{ maxBatch: fixture.images, training, seed: fixture.seed, threads },
        body: ({ x }) => ({ y: model.forward(x) }),
      });
      const steps: number[] = [];
      for (let at = 0; at < fixture.steps; at++) steps.push(...(await step.run(rows)).y.data);
      return steps;
    };
    const drawn = await outputs(true, 1);
    expectNear(drawn, one.training, one);
    expect(await outputs(true, 3)).toEqual(drawn);
    expectNear((await outputs(false, 1)).slice(0, one.inference.length), one.inference, one);
    const predicted = await model.predict(Uint8Array.from(one.x) as never);
    expectNear(predicted.data, one.inference, one);
    expect(predicted.shape).toEqual([fixture.images, ...one.seen]);
  });
});

const ROWS = 45;
const X = Uint8Array.from({ length: ROWS * 48 }, (_, place) => (place * 89 + (place >> 4) * 31) % 256);
const Y = Int32Array.from({ length: ROWS }, (_, row) => row % 3);
const AUGMENT = { flip: "both", shift: 1, crop: 3, fill: 9 } as const;
const NORMALIZE = { mean: [0.5, 0.4, 0.3], std: 0.25 };

/** Images of 4 × 4 × 3 in three classes. */
const network3 = () =>
  sequential(
    images({ height: 4, width: 4, channels: 3, augment: AUGMENT, normalize: NORMALIZE }),
    conv2d(3, 6, { kernel: 2 }),
    relu(),
    globalAveragePool(),
    linear(6, 3),
  );

const HOW = { loss: crossEntropy(), optimizer: adam({ lr: 0.01 }), batchSize: 8, seed: 5, epochs: 2 } as const;
const SET = { x: X, y: Y };

async function trained(options: object): Promise<string> {
  const model = network3();
  await fit(model, { ...HOW, data: SET, validation: SET, ...options } as Parameters<typeof fit>[1]);
  return bitsOf(model);
}

const image = (row: number): Uint8Array => X.subarray(row * 48, (row + 1) * 48);
const nested = (row: number): number[][][] =>
  Array.from({ length: 4 }, (_, y) =>
    Array.from({ length: 4 }, (_, x) => Array.from({ length: 3 }, (_, c) => image(row)[(y * 4 + x) * 3 + c] ?? 0)),
  );
const rows = Array.from({ length: ROWS }, (_, row) => row);

describe("the same draws", () => {
  test("whatever holds the bytes, on any threads, beside a validation, from a stream", async () => {
    const whole = await trained({});
    expect(await trained({ threads: 3 })).toBe(whole);
    expect(await trained({ validation: undefined })).toBe(whole);
    expect(await trained({ data: { x: new Uint8ClampedArray(X), y: Y } })).toBe(whole);
    expect(await trained({ data: { x: tensor(X, [ROWS, 4, 4, 3]), y: Y } })).toBe(whole);
    expect(await trained({ data: { x: rows.map(image), y: Y } })).toBe(whole);
    expect(await trained({ data: { x: rows.map(nested), y: Y } })).toBe(whole);
    const inOrder = await trained({ shuffle: false });
    expect(inOrder).not.toBe(whole);
    const one = dataset(() => rows.map((row) => ({ x: row % 2 === 0 ? image(row) : nested(row), y: Y[row] ?? 0 })));
    expect(await trained({ data: one, validation: undefined })).toBe(inOrder);
    const block = dataset(() => [{ x: rows.map(nested), y: Y }]);
    expect(await trained({ data: block, validation: undefined })).toBe(inOrder);
    expect(await trained({ seed: 6 })).not.toBe(whole);
  });

  test("in parts of a batch, whose sums are exact here", async () => {
    const moved = async (accumulate: number): Promise<string> => {
      const model = chain(
        layer({ height: 4, width: 4, channels: 3, augment: AUGMENT, normalize: { scale: 1 } }),
        flatten(),
        linear(27, 1, { init: zeros(), bias: false }),
      );
      const data = { x: X.map((value) => value & 7), y: rows.map((row) => row % 4) };
      await fit(model, { data, batchSize: 16, steps: 1, accumulate, loss: mse(), optimizer: sgd({ lr: 1 }), seed: 3 });
      return bitsOf(model);
    };
    const whole = await moved(1);
    for (const parts of [2, 3, 16]) expect(await moved(parts)).toBe(whole);
  });

  test("after a resume", async () => {
    const whole = await trained({});
    const stop: Callback = {
      name: "stop",
      every: { steps: 1 },
      decide: (now) => (now.step === 4 ? now.stop() : undefined),
    };
    const first = await fit(network3(), { ...HOW, data: SET, validation: SET, callbacks: [stop] });
    expect(first.step).toBe(4);
    expect(await trained({ resume: first.checkpoint() })).toBe(whole);
  });
});

test("bytes stay bytes in native memory, from typed arrays and from plain ones", async () => {
  const shape = { inputs: network3().rows.inputs, targets: [] };
  for (const x of [X, rows.map(image), rows.map(nested)]) {
    const { bindings } = await bindExamples("data", { x } as never, shape);
    const binding = bindings.get("x");
    if (binding?.kind !== "feed") throw new Error("no x");
    const held = new Uint8Array(X.length);
    native.slabRead(binding.slab, 0, held);
    expect([binding.dtype, Buffer.from(held).equals(X)]).toEqual(["u8", true]);
  }
});

test("what the network sees of bytes is the same when it is asked, from a file, frozen, and by rows that are plain arrays", async () => {
  const model = network3();
  await fit(model, { ...HOW, data: SET });
  const { data } = await model.predict(X);
  const same = ({ data: other }: { readonly data: Float32Array }): void => expect(other).toEqual(data);
  const loaded = await loadModel(model.bytes());
  same(await loaded.predict(X as never));
  expect(loaded.rows.inputs).toEqual([{ name: "x", shape: [4, 4, 3], dtype: "f32", bytes: true }]);
  expect(loaded.summary()).toContain("u8 [4, 4, 3]");
  same(await model.predict(rows.map(image)));
  same(await model.predict(rows.map(nested)));
  same(await model.predict(tensor(X, [ROWS, 4, 4, 3])));
  const predictor = await model.predictor();
  same(predictor.run(X));
  same(await predictor.submit(X));
  same(await predictor.submit(rows.map(nested)));
  const one = predictor.run(nested(7));
  expect([...one.data]).toEqual([...data.subarray(21, 24)]);
  await predictor.close();
  const figures = await model.evaluate(SET, { loss: crossEntropy() });
  expect(Number.isFinite(figures.loss)).toBe(true);
});

test("named inputs: a photo beside numbers, in a network and in towers, which a file describes", async () => {
  const photo = () =>
    sequential(images({ height: 4, width: 4, channels: 3, augment: { flip: true } }), flatten(), linear(48, 4));
  const data = { x: { photo: X, price: Float32Array.from(rows, (row) => row / 45) }, y: Float32Array.from(rows) };
  const how = { data, loss: mse(), optimizer: adam(), batchSize: 9, epochs: 2, seed: 2 } as const;
  const own = network({
    inputs: { photo: bytes([4, 4, 3]), price: spec(["batch", 1]) },
    layers: { photo: photo(), head: linear(5, 1) },
    forward: (given, layers) => layers.head(ops.concat([layers.photo(given.photo), given.price])),
  });
  await fit(own, how);
  const described = towers({
    inputs: { photo: bytes([4, 4, 3]), price: spec(["batch", 1]) },
    layers: { photo: photo() },
    head: linear(5, 1),
  });
  await fit(described, how);
  const loaded = (await loadModel(described.bytes())) as AnyModel;
  expect((await loaded.predict(data.x)).data).toEqual((await described.predict(data.x)).data);
  await expect(
    fit(own, { ...how, data: { ...data, x: { ...data.x, photo: Float32Array.from(X) as never } } }),
  ).rejects.toThrow(
    "expected bytes (a Uint8Array) of images of 4 × 4 × 3 for 'fit.data.x.photo' but received Float32Array",
  );
});

function failing(run: () => unknown): CarillonError {
  try {
    run();
  } catch (error) {
    if (error instanceof CarillonError) return error;
  }
  throw new Error("nothing was refused");
}

describe("what is refused", () => {
  const size = { height: 4, width: 4, channels: 3 };
  test.each<[string, object, string, string]>([
    ["no options", {}, "ERR_OPTION", "images.height"],
    ["no channels", { height: 4, width: 4 }, "ERR_OPTION", "images.channels"],
    ["an unknown option", { ...size, flip: true }, "ERR_UNKNOWN_OPTION", "images.flip"],
    ["half a row", { ...size, width: 4.5 }, "ERR_OPTION", "images.width"],
    ["a flip by number", { ...size, augment: { flip: 1 } }, "ERR_OPTION", "images.augment.flip"],
    ["an unknown augmentation", { ...size, augment: { rotate: 3 } }, "ERR_UNKNOWN_OPTION", "images.augment.rotate"],
    ["a shift below 0", { ...size, augment: { shift: -1 } }, "ERR_OPTION", "images.augment.shift"],
    ["three shifts", { ...size, augment: { shift: [1, 2, 3] } }, "ERR_OPTION", "images.augment.shift"],
    ["a crop of nothing", { ...size, augment: { crop: 0 } }, "ERR_OPTION", "images.augment.crop"],
    ["a crop larger than the image", { ...size, augment: { crop: [5, 4] } }, "ERR_SHAPE", "images"],
    ["means of other channels", { ...size, normalize: { mean: [1, 2] } }, "ERR_OPTION", "images.normalize.mean"],
    ["a deviation of 0", { ...size, normalize: { std: [1, 0, 1] } }, "ERR_OPTION", "images.normalize.std"],
    ["a quotient beyond float32", { ...size, normalize: { std: 1e-300 } }, "ERR_OPTION", "images.normalize.std"],
    ["no scale", { ...size, normalize: { scale: 0 } }, "ERR_OPTION", "images.normalize.scale"],
  ])("%s", (_, options, code, where) => {
    expect(failing(() => layer(options as ImagesOptions))).toMatchObject({ code, where });
  });

  test("a crop that is too large tells both sizes", () => {
    const { message } = failing(() => layer({ ...size, augment: { crop: [5, 4] } }));
    expect(message).toBe("expected images of 5 × 4 or more, as 'crop' says, for 'images' but received 4 × 4");
  });

  const refused = async (x: unknown, options: object = {}): Promise<string> => {
    const model = network3();
    const run = fit(model, { ...HOW, data: { x, y: Y } as never, ...options });
    return await run.then(
      () => "nothing",
      (error: CarillonError) => `${error.code}: ${error.message}`,
    );
  };

  test.each<[string, unknown, string]>([
    [
      "floats",
      Float32Array.from(X),
      "ERR_DTYPE: expected bytes (a Uint8Array) of images of 4 × 4 × 3 for 'fit.data.x' but received Float32Array",
    ],
    [
      "a tensor of integers",
      tensor(Int32Array.from(X), [ROWS, 4, 4, 3]),
      "ERR_DTYPE: expected bytes (a Uint8Array) of images of 4 × 4 × 3 for 'fit.data.x' but received Int32Array",
    ],
    [
      "a tensor of other images",
      tensor(X.slice(0, ROWS * 32), [ROWS, 4, 4, 2]),
      `ERR_SHAPE: expected a tensor of shape [rows, 4, 4, 3] for 'fit.data.x' but received [${ROWS}, 4, 4, 2]`,
    ],
    [
      "a part of an image",
      X.slice(1),
      "ERR_DATA: expected images of 4 × 4 × 3 (a multiple of 48) for 'fit.data.x' but received Uint8Array(2159)",
    ],
    [
      "halves",
      rows.map((row) => Float32Array.from(image(row), (value) => value / 255)),
      "ERR_DATA: expected a byte (an integer of 0 to 255) in row 0, element [0, 0, 1] for 'fit.data.x' but received 0.3490196",
    ],
    [
      "256",
      rows.map((row) =>
        Array.from(nested(row), (line, y) => (y === 1 && row === 2 ? line.map(() => [256, 0, 0]) : line)),
      ),
      "ERR_DATA: expected a byte (an integer of 0 to 255) in row 2, element [1, 0, 0] for 'fit.data.x' but received 256",
    ],
  ])("data: %s", async (_, x, message) => {
    expect(await refused(x)).toContain(message);
  });

  test("units beside the layer's own", async () => {
    expect(await refused(X, { inputs: standardize() })).toContain("bytes that 'images' normalizes");
  });

  test("a stream and calls as strictly", async () => {
    const halves = dataset(() => [{ x: Array.from(image(0), (value) => value / 2), y: 0 }]) as never;
    await expect(fit(network3(), { ...HOW, data: halves })).rejects.toThrow("expected a byte");
    const floats = dataset(() => [{ x: Float32Array.from(image(0)), y: 0 }]) as never;
    await expect(fit(network3(), { ...HOW, data: floats })).rejects.toThrow("expected bytes (a Uint8Array)");
    const model = network3();
    model.initialize(1);
    for (const x of [Float32Array.from(image(0)), tensor(Float32Array.from(image(0)), [1, 4, 4, 3])]) {
      await expect(model.predict(x as never)).rejects.toThrow(
        "expected bytes (a Uint8Array) of images of 4 × 4 × 3 for 'predict.x'",
      );
    }
    await expect(model.predict([nested(0).map((line) => line.map(([r = 0, g = 0]) => [r, g, -1]))])).rejects.toThrow(
      "expected a byte (an integer of 0 to 255) in row 0, element [0, 0, 2] for 'predict.x' but received -1",
    );
    const predictor = await model.predictor();
    for (const x of [Float32Array.from(image(0)), nested(0).map((line) => line.map(() => [0.5, 0, 0]))]) {
      expect(failing(() => predictor.run(x as never)).message).toMatch(/^expected (bytes|a byte) \(/);
      await expect(predictor.submit(x as never)).rejects.toThrow(/^expected (bytes|a byte) \(/);
    }
    await predictor.close();
  });

  test("elements behind other layers and other inputs", () => {
    expect(failing(() => chain({ input: [4, 4, 3] }, layer(size)))).toMatchObject({
      code: "ERR_DTYPE",
      message: "layer 1 takes u8, but the input has f32",
    });
    expect(failing(() => chain(layer(size), layer(size)))).toMatchObject({
      code: "ERR_DTYPE",
      message: "layer 2 takes u8, but layer 1 gives f32",
    });
  });
});
