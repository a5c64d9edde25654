// docs/files.md, held by a reader of its own: it knows what that page says, and nothing of lib/io and lib/nn.
import { createHash } from "node:crypto";
import {
  adam,
  type Callback,
  dropout,
  fit,
  linear,
  type Model,
  mse,
  relu,
  type State,
  sequential,
  standardize,
  tensor,
} from "carillon";
import { expect, test } from "vitest";

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** A file as the page describes it: floats by name, and the metadata. */
function read(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  expect(length % 8).toBe(0);
  const text = new TextDecoder().decode(bytes.subarray(8, 8 + length));
  const { __metadata__: metadata, ...entries } = JSON.parse(text) as Record<string, Entry> & {
    readonly __metadata__: Record<string, string>;
  };
  const raw = (name: string): Uint8Array => {
    const [begin, end] = entries[name]?.data_offsets ?? [0, 0];
    return bytes.subarray(8 + length + begin, 8 + length + end);
  };
  const floats = (name: string): number[] => {
    expect(entries[name]?.dtype).toBe("F32");
    const data = raw(name);
    const own = new DataView(data.buffer, data.byteOffset, data.byteLength);
    return Array.from({ length: data.length / 4 }, (_, index) => own.getFloat32(4 * index, true));
  };
  return { metadata, entries, raw, floats };
}

interface Units {
  readonly shift: readonly number[];
  readonly scale: readonly number[];
}

/** Rows of W as [outputs, inputs], times a row, plus b. */
function product(w: readonly number[], b: readonly number[], row: readonly number[]): number[] {
  return b.map((bias, output) =>
    row.reduce((sum, value, input) => sum + value * (w[output * row.length + input] ?? 0), bias),
  );
}

/** What the page's ten lines of Python compute. */
function predicted(
  about: Record<string, string>,
  weight: (name: string) => number[],
  row: readonly number[],
): number[] {
  const inputs = JSON.parse(about.inputs ?? "") as Units;
  const targets = JSON.parse(about.targets ?? "") as Units;
  const scaled = row.map((value, column) => (value - (inputs.shift[column] ?? 0)) / (inputs.scale[column] ?? 1));
  const hidden = product(weight("linear1.weight"), weight("linear1.bias"), scaled).map((value) => Math.max(value, 0));
  const outputs = product(weight("head.weight"), weight("head.bias"), hidden);
  return outputs.map((value, column) => value * (targets.scale[column] ?? 1) + (targets.shift[column] ?? 0));
}

const x = Array.from({ length: 64 }, (_, i) => [i / 32 - 1, (i * 7) % 5]);
const y = x.map(([a = 0, b = 0]) => [3 * a - b, a + b]);
const options = {
  data: { x, y },
  inputs: standardize(),
  targets: standardize(),
  loss: mse(),
  optimizer: adam(),
  batchSize: 16,
  epochs: 5,
} as const;
const make = (): Model<2, 2> => sequential(linear(2, 8), relu(), dropout(0.2), linear(8, 2, { name: "head" }));

function expectClose(values: readonly number[], expected: ArrayLike<number>): void {
  expect(values).toHaveLength(expected.length);
  // Numbers below 8, sums of 8 products: some roundings of 2⁻²².
  for (const [index, value] of values.entries())
    expect(Math.abs(value - (expected[index] ?? Number.NaN))).toBeLessThan(4e-6);
}

test("a model", async () => {
  const model = make();
  await fit(model, options);
  const { metadata, entries, floats } = read(model.bytes());
  expect(Object.entries(entries).map(([name, { dtype, shape }]) => ({ name, dtype, shape }))).toEqual(
    model.parameters.map(({ name, shape }) => ({ name, dtype: "F32", shape })),
  );
  const { format, version, layers, inputs, targets, loss, ...rest } = metadata;
  expect({ format, version, loss, rest }).toEqual({ format: "carillon.model", version: "1", loss: "mse", rest: {} });
  expect(JSON.parse(layers ?? "")).toEqual([
    { kind: "linear", name: null, config: { inputs: 2, outputs: 8, bias: true, dropConnect: 0 } },
    { kind: "relu", name: null, config: {} },
    { kind: "dropout", name: null, config: { keep: 0.8, scaling: "inverted" } },
    { kind: "linear", name: "head", config: { inputs: 8, outputs: 2, bias: true, dropConnect: 0 } },
  ]);
  expect(Object.keys(JSON.parse(inputs ?? ""))).toEqual(["kind", "shift", "scale"]);
  expect(Object.keys(JSON.parse(targets ?? ""))).toEqual(["kind", "shift", "scale"]);
  expectClose(predicted(metadata, floats, [0.5, 3]), model.predictSync([[0.5, 3]]).data);
});

/** JSON with what the page says of its marks. */
function stateOf(text: string, raw: (name: string) => Uint8Array): unknown {
  const made: unknown[] = [];
  const numbered = <T>(value: T): T => {
    made.push(value);
    return value;
  };
  const revive = (part: unknown): unknown => {
    if (typeof part !== "object" || part === null) return part;
    if (Array.isArray(part)) {
      const list = numbered<unknown[]>([]);
      for (const one of part) list.push(revive(one));
      return list;
    }
    const entries: [string, unknown][] = Object.entries(part);
    const [[key = "", value] = []] = entries;
    if (key === "$number") return Number(value);
    if (key === "$bigint") return BigInt(String(value));
    if (key === "$undefined") return undefined;
    if (key === "$same") return made[Number(value)];
    if (key === "$date") return numbered(new Date(Number(value)));
    if (key === "$array" || key === "$tensor") return numbered([...raw(String(value))]);
    if (key === "$map") {
      const map = numbered(new Map<unknown, unknown>());
      for (const [one, other] of value as [unknown, unknown][]) map.set(revive(one), revive(other));
      return map;
    }
    const object = numbered<Record<string, unknown>>({});
    for (const [name, one] of entries) object[name.replace(/^\$/, "")] = revive(one);
    return object;
  };
  return revive(JSON.parse(text));
}

test.each([
  ["plain", { decay: 0.9 }],
  ["bias-corrected", { decay: 0.9, biasCorrection: true }],
])("a checkpoint, with %s averages", async (_, averageWeights) => {
  const shared = { list: [1, Number.NaN] };
  const state: State = {
    $own: -0,
    big: 7n,
    none: undefined,
    at: new Date(5),
    bytes: Uint8Array.of(1, 2),
    map: new Map<State, State>([["a", shared]]),
    shared,
    tensor: tensor(Uint8Array.of(9)),
  };
  const keeping: Callback = { name: "keeping", decide: () => undefined, state: () => state };
  const model = make();
  const { checkpoint, averaged } = await fit(model, { ...options, averageWeights, callbacks: [keeping] });
  const bytes = checkpoint();
  const { metadata, raw, floats, entries } = read(bytes);
  expect(metadata).toMatchObject({ format: "carillon.checkpoint", version: "1", loss: "mse" });
  const digest = createHash("sha256").update(bytes.subarray(0, -32)).digest();
  expect(digest.equals(raw("sha256"))).toBe(true);
  expect(digest.equals(bytes.subarray(-32))).toBe(true);
  expect(Object.keys(entries)).toContain("firstMoment/head.weight");

  expectClose(
    predicted(metadata, (name) => floats(`weights/${name}`), [0.5, 3]),
    model.predictSync([[0.5, 3]]).data,
  );
  const { scale, except } = JSON.parse(metadata.averages ?? "") as { scale: number; except: string[] };
  expect(except).toEqual([]);
  const average = (name: string): number[] => floats(`average/${name}`).map((value) => Math.fround(value * scale));
  expect(average("head.bias")).toEqual([...(averaged()?.get("head.bias") ?? [])]);
  const served = make().setWeights(averaged() ?? {});
  await served.load(bytes);
  expectClose(predicted(metadata, average, [0.5, 3]), served.predictSync([[0.5, 3]]).data);

  const { step, callbacks } = stateOf(metadata.progress ?? "", raw) as {
    step: number;
    callbacks: { keeping: unknown };
  };
  expect(step).toBe(20);
  expect(callbacks.keeping).toEqual({ ...state, bytes: [1, 2], tensor: [9] });
  expect(JSON.parse(metadata.settings ?? "")).toMatchObject({
    loss: { kind: "mse" },
    optimizer: { kind: "adam", options: { beta1: 0.9 } },
  });
});
