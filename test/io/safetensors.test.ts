import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { asFloat32, type StoredTensor } from "../../lib/io/element_types.js";
import { openSafetensors, readTensor } from "../../lib/io/safetensors.js";
import { bytesSource } from "../../lib/io/source.js";
import { encodeSafetensors, type WholeFile } from "./whole_file.js";

const fixture = (name: string): Promise<Buffer> => readFile(new URL(`./fixtures/${name}`, import.meta.url));

/** A file with this header text and these bytes of data. */
function file(header: string, data: readonly number[] = []): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

/** All that a file has, as the library reads it. */
async function read(bytes: Uint8Array, where: string): Promise<WholeFile> {
  const opened = await openSafetensors(bytesSource(bytes, where));
  const tensors = new Map<string, StoredTensor>();
  for (const [name, entry] of opened.entries) tensors.set(name, await readTensor(opened, entry));
  return { tensors, metadata: opened.metadata };
}

const bits = (data: ArrayBufferView): number[] =>
  Array.from(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));

/** What make_safetensors_fixture.py wrote, in the order of its file. */
const MIXED: [string, StoredTensor][] = [
  ["empty", { dtype: "f32", shape: [0, 4], data: new Float32Array(0) }],
  ["linear1.bias", { dtype: "f32", shape: [2], data: Float32Array.of(Number.NaN, -0) }],
  ["linear1.weight", { dtype: "f32", shape: [2, 3], data: Float32Array.of(-1, -0.75, -0.5, -0.25, 0, 0.25) }],
  ['name with "quotes" é', { dtype: "f32", shape: [1], data: Float32Array.of(3.25) }],
  ["scalar", { dtype: "f32", shape: [], data: Float32Array.of(1.5) }],
  ["labels", { dtype: "i32", shape: [2, 1], data: Int32Array.of(-(2 ** 31), 2 ** 31 - 1) }],
  ["pixels", { dtype: "u8", shape: [3], data: Uint8Array.of(0, 255, 7) }],
];

describe("files of the official package", () => {
  test("are read to the last bit", async () => {
    const { tensors, metadata } = await read(await fixture("mixed.safetensors"), "mixed");
    expect(metadata).toEqual({ format: "carillon" });
    expect([...tensors.keys()]).toEqual(MIXED.map(([name]) => name));
    for (const [name, { dtype, shape, data }] of MIXED) {
      const read = tensors.get(name);
      expect(read).toMatchObject({ dtype, shape });
      expect(read?.data.constructor).toBe(data.constructor);
      expect(read && bits(read.data)).toEqual(bits(data));
    }
  });

  test("are what we write, byte for byte", async () => {
    const ours = encodeSafetensors(new Map(MIXED), { format: "carillon" });
    expect(Buffer.from(ours).equals(await fixture("mixed.safetensors"))).toBe(true);
  });

  test("of every element type are read, and floats are those of PyTorch as float32", async () => {
    const { tensors } = await read(await fixture("types.safetensors"), "types");
    const data = (name: string): unknown => tensors.get(name)?.data;
    expect(data("int8")).toEqual(Int8Array.of(-128, 1, 127));
    expect(data("uint8")).toEqual(Uint8Array.of(0, 1, 255));
    expect(data("int16")).toEqual(Int16Array.of(-32768, 1, 32767));
    expect(data("uint16")).toEqual(Uint16Array.of(0, 1, 65535));
    expect(data("int32")).toEqual(Int32Array.of(-(2 ** 31), 1, 2 ** 31 - 1));
    expect(data("uint32")).toEqual(Uint32Array.of(0, 1, 2 ** 32 - 1));
    expect(data("int64")).toEqual(BigInt64Array.of(-(2n ** 63n), 1n, 2n ** 63n - 1n));
    expect(data("uint64")).toEqual(BigUint64Array.of(0n, 1n, 2n ** 64n - 1n));
    for (const name of ["float16", "bfloat16", "float64"]) {
      const [stored, expected] = [tensors.get(name), tensors.get(`${name} as float32`)];
      if (stored === undefined || expected?.dtype !== "f32") throw new Error(name);
      const floats = asFloat32(stored);
      expect(floats).toHaveLength(20);
      for (const [index, value] of expected.data.entries()) expect([index, floats?.[index]]).toEqual([index, value]);
      expect(floats && asFloat32({ dtype: "f32", shape: [20], data: floats })).toBe(floats);
    }
    const labels = tensors.get("int32");
    expect(labels && asFloat32(labels)).toBeUndefined();
  });

  test("every f16 is sign·2^(exponent − 15)·(1 + mantissa/1024)", () => {
    const halves = Uint16Array.from({ length: 65_536 }, (_, bits) => bits);
    const floats = asFloat32({ dtype: "f16", shape: [65_536], data: halves }) ?? new Float32Array();
    for (const bits of halves) {
      const [exponent, mantissa] = [(bits >> 10) & 31, bits & 1023];
      const size = exponent === 0 ? mantissa * 2 ** -24 : 2 ** (exponent - 15) * (1 + mantissa / 1024);
      const value = exponent < 31 ? size : mantissa === 0 ? Number.POSITIVE_INFINITY : Number.NaN;
      if (!Object.is(floats[bits], bits < 32_768 ? value : -value))
        throw new Error(`${bits}: ${floats[bits]}, not ${value}`);
    }
  });

  test("with booleans are refused by name", async () => {
    const bytes = await fixture("bool.safetensors");
    const types = "F64, I64, U64, F32, I32, U32, F16, BF16, I16, U16, I8, U8";
    await expect(read(bytes, "model.safetensors")).rejects.toThrow(
      expect.objectContaining({
        code: "ERR_FILE",
        where: "model.safetensors: flags.dtype",
        message: `expected one of ${types} for 'model.safetensors: flags.dtype' but received "BOOL"`,
      }),
    );
  });
});

describe("writing", () => {
  test("keeps the order of names, also of such that look like numbers, and aligns every tensor", async () => {
    const tensors = new Map<string, StoredTensor>([
      ["z", { dtype: "u8", shape: [3], data: Uint8Array.of(1, 2, 3) }],
      ["10", { dtype: "f32", shape: [1], data: Float32Array.of(4) }],
      ["9", { dtype: "i32", shape: [1], data: Int32Array.of(5) }],
    ]);
    const bytes = encodeSafetensors(tensors);
    const header = new TextDecoder().decode(bytes.subarray(8, bytes.length - 11));
    expect(header.trimEnd()).toBe(
      '{"z":{"dtype":"U8","shape":[3],"data_offsets":[8,11]},' +
        '"10":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"9":{"dtype":"I32","shape":[1],"data_offsets":[4,8]}}',
    );
    expect(header.length % 8).toBe(0);
    // A header of JSON.parse would start with 9 and 10; the map of the decoder has the order of Object.entries.
    expect((await read(bytes, "t")).tensors.get("z")).toEqual(tensors.get("z"));
    expect((await read(bytes, "t")).tensors.get("10")).toEqual(tensors.get("10"));
  });

  test("sorts metadata", async () => {
    const one = encodeSafetensors(new Map(), { b: "2", a: "1" });
    expect(Buffer.from(one).equals(encodeSafetensors(new Map(), { a: "1", b: "2" }))).toBe(true);
    expect(Object.keys((await read(one, "t")).metadata)).toEqual(["a", "b"]);
  });

  test("takes a view into a larger buffer", async () => {
    const data = Float32Array.of(1, 2, 3, 4).subarray(1, 3);
    const bytes = encodeSafetensors(new Map([["v", { dtype: "f32", shape: [2], data }]]));
    expect((await read(bytes, "t")).tensors.get("v")?.data).toEqual(Float32Array.of(2, 3));
  });

  test("without tensors gives an empty header", async () => {
    expect((await read(encodeSafetensors(new Map()), "t")).tensors.size).toBe(0);
  });

  test("refuses metadata that is not text", () => {
    expect(() => encodeSafetensors(new Map(), { epoch: 3 as unknown as string })).toThrow(
      expect.objectContaining({ code: "ERR_OPTION", where: "metadata.epoch" }),
    );
  });
});

describe("reading", () => {
  test("data that is not aligned, from a view into a larger buffer", async () => {
    const inner = file(
      '{"u":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"f":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}}',
      [9, 0, 0, 128, 63],
    );
    const outer = new Uint8Array(inner.length + 3);
    outer.set(inner, 3);
    const { tensors } = await read(outer.subarray(3), "t");
    expect(tensors.get("f")?.data).toEqual(Float32Array.of(1));
    expect(tensors.get("u")?.data).toEqual(Uint8Array.of(9));
  });

  test("copies, so that the bytes may be reused", async () => {
    const bytes = encodeSafetensors(new Map([["v", { dtype: "f32", shape: [1], data: Float32Array.of(2) }]]));
    const { tensors } = await read(bytes, "t");
    bytes.fill(0);
    expect(tensors.get("v")?.data).toEqual(Float32Array.of(2));
  });

  test("a tensor that no array can be as long as is refused by the file's name", async () => {
    const [size, read] = [2 ** 52, async () => undefined];
    const source = { where: "large.safetensors", size, read, close: read };
    const refused = { code: "ERR_FILE", where: "large.safetensors", message: expect.stringContaining(`${size} bytes`) };
    await expect(readTensor({ source }, { dtype: "u8", shape: [size], begin: 0, end: size })).rejects.toMatchObject(
      refused,
    );
  });

  test("names of Object.prototype are names", async () => {
    const header = '{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"__metadata__":{"__proto__":"a"}}';
    const { tensors, metadata } = await read(file(header, [3]), "t");
    expect(tensors.get("__proto__")?.data).toEqual(Uint8Array.of(3));
    expect(Object.entries(metadata)).toEqual([["__proto__", "a"]]);
  });

  const EMPTY = '{"dtype":"U8","shape":[0],"data_offsets":[0,0]}';
  const entry = (dtype: string, shape: string, offsets: string): string =>
    `{"w":{"dtype":${dtype},"shape":${shape},"data_offsets":${offsets}}}`;
  const two = (first: string, second: string): string =>
    `{"a":{"dtype":"U8","shape":[2],"data_offsets":${first}},"b":{"dtype":"U8","shape":[2],"data_offsets":${second}}}`;

  test.each<[string, Uint8Array, string]>([
    ["no length", new Uint8Array(7), "t"],
    ["a header longer than the file", file("{}").subarray(0, 9), "t"],
    ["a length of 2^63", Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 128, 123, 125), "t"],
    ["no JSON", file("{"), "t"],
    ["no UTF-8", Uint8Array.of(4, 0, 0, 0, 0, 0, 0, 0, 123, 34, 255, 125), "t"],
    ["an array as header", file("[]"), "t"],
    ["spaces before the header", file(" {}"), "t"],
    ["a byte order mark", file("\ufeff{}"), "t"],
    ["a name twice", file(`{"w":${EMPTY},"w":${EMPTY}}`), "t"],
    ["a name twice, one with escapes", file(`{"w":${EMPTY},"\\u0077":${EMPTY}}`), "t"],
    ["metadata twice", file(`{"__metadata__":{},"__metadata__":{}}`), "t"],
    ["a comma at the end", file(`{"w":${EMPTY},}`), "t"],
    ["a comma at the beginning", file(`{,"w":${EMPTY}}`), "t"],
    ["something behind its object", file(`{"w":${EMPTY}} 1`), "t"],
    ["the wrong bracket at its end", file(`{"w":${EMPTY}]`), "t"],
    ["the wrong bracket inside", file(`{"w":{"shape":[0}]}`), "t"],
    ["two members without a comma", file(`{"w":${EMPTY}"v":${EMPTY}}`), "t"],
    ["a key without a value", file(`{"w"}`), "t"],
    ["a key twice in an entry", file(`{"w":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}}`), "t"],
    ["a key of metadata twice", file(`{"__metadata__":{"a":"1","a":"1"}}`), "t"],
    ["metadata that is no text", file(`{"__metadata__":{"a":1}}`), "t: __metadata__.a"],
    ["metadata that is no object", file(`{"__metadata__":"a"}`), "t: __metadata__"],
    ["an entry that is no object", file(`{"w":[]}`), "t: w"],
    ["an unknown type", file(entry('"F7"', "[0]", "[0,0]")), "t: w.dtype"],
    ["a type of Object.prototype", file(entry('"toString"', "[0]", "[0,0]")), "t: w.dtype"],
    ["no type", file(`{"w":{"shape":[0],"data_offsets":[0,0]}}`), "t: w.dtype"],
    ["another key", file(`{"w":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1}}`), "t: w"],
    ["a negative size", file(entry('"U8"', "[-1]", "[0,0]")), "t: w.shape"],
    ["a size and a half", file(entry('"U8"', "[1.5]", "[0,0]")), "t: w.shape"],
    ["a size that is text", file(entry('"U8"', '["1"]', "[0,1]"), [1]), "t: w.shape"],
    ["no shape", file(`{"w":{"dtype":"U8","data_offsets":[0,0]}}`), "t: w.shape"],
    [
      "sizes that overflow",
      file(entry('"U8"', "[9007199254740991,9007199254740991]", "[0,1]"), [1]),
      "t: w.data_offsets",
    ],
    ["sizes that wrap to 0 in 64 bits", file(entry('"U8"', "[4294967296,4294967296]", "[0,0]")), "t: w.data_offsets"],
    ["more elements than bytes", file(entry('"F32"', "[2]", "[0,4]"), [0, 0, 0, 0]), "t: w.data_offsets"],
    ["offsets backwards", file(entry('"U8"', "[1]", "[1,0]"), [1]), "t: w.data_offsets"],
    ["three offsets", file(entry('"U8"', "[1]", "[0,1,2]"), [1]), "t: w.data_offsets"],
    ["one offset", file(entry('"U8"', "[1]", "[0]"), [1]), "t: w.data_offsets"],
    ["data past the end", file(entry('"U8"', "[2]", "[0,2]"), [1]), "t"],
    ["bytes behind the data", file(entry('"U8"', "[1]", "[0,1]"), [1, 2]), "t"],
    ["bytes without tensors", file("{}", [1]), "t"],
    ["a hole at the start", file(entry('"U8"', "[1]", "[1,2]"), [1, 2]), "t: w"],
    ["a hole", file(two("[0,2]", "[3,5]"), [1, 2, 3, 4, 5]), "t: b"],
    ["an overlap", file(two("[0,2]", "[1,3]"), [1, 2, 3]), "t: b"],
    ["the same data twice", file(two("[0,2]", "[0,2]"), [1, 2]), "t: b"],
  ])("refuses %s", async (_, bytes, where) => {
    await expect(read(bytes, "t")).rejects.toThrow(expect.objectContaining({ code: "ERR_FILE", where }));
  });

  // make_other_formats_fixture.py had PyTorch 2.13, Keras 3.15 and NumPy write them; each by its own name.
  test.each([
    ["model.pt", "a PyTorch file (.pt, .pth)"],
    ["old.pt", "a PyTorch file (.pt, .pth) of before version 1.6"],
    ["model.keras", "a Keras model (.keras)"],
    ["model.h5", "an HDF5 file (.h5), as Keras writes it"],
    ["model.onnx", "an ONNX model"],
    ["array.npy", "a NumPy array (.npy)"],
    ["arrays.npz", "a NumPy archive (.npz)"],
    ["forest.pkl", "a Python pickle (.pkl, .joblib)"],
    ["archive.zip", "a ZIP archive"],
  ])("a file of another format: %s", async (name, format) => {
    const files: unknown = JSON.parse(
      await readFile(new URL("./fixtures/other_formats.json", import.meta.url), "utf8"),
    );
    const text: unknown = Object(files)[name];
    const message = `expected a safetensors file for 't' but received ${format}`;
    await expect(read(Buffer.from(String(text), "base64"), "t")).rejects.toThrow(
      expect.objectContaining({ code: "ERR_FILE", message }),
    );
  });

  test.each<[string, Uint8Array, string]>([
    ["nothing", new Uint8Array(0), "an empty file"],
    ["three letters", new TextEncoder().encode("abc"), "text"],
    ["a package.json", new TextEncoder().encode('{\n  "name": "carillon",\n  "version": "0.1.0"\n}\n'), "JSON"],
    ["JSON whose ninth byte is a brace", new TextEncoder().encode('{"abcd":{"e":1}}'), "JSON"],
    ["a page of the web", new TextEncoder().encode("<!doctype html>\n<title>Not found</title>\n"), "text"],
    ["zeros", new Uint8Array(100), "something else"],
  ])("%s is told as such, whatever its first bytes would be as a length", async (_, bytes, format) => {
    const message = `expected a safetensors file for 't' but received ${format}`;
    await expect(read(bytes, "t")).rejects.toThrow(expect.objectContaining({ code: "ERR_FILE", message }));
  });

  test("every shortened file is refused, and told to be one", async () => {
    const whole = await fixture("mixed.safetensors");
    await expect(read(whole.subarray(0, 100), "t")).rejects.toThrow(/a header of \d+ bytes .* 92: the file was cut/);
    await expect(read(whole.subarray(0, -1), "t")).rejects.toThrow(/the file was cut/);
    for (let length = 0; length < whole.length; length++) {
      await expect(read(whole.subarray(0, length), "t")).rejects.toThrow(expect.objectContaining({ code: "ERR_FILE" }));
    }
  });

  test("long texts in metadata do not exhaust the stack", async () => {
    const long = `${"\\".repeat(999)}"`.repeat(2000);
    const { metadata } = await read(encodeSafetensors(new Map(), { long }), "t");
    expect(metadata.long).toBe(long);
  });
});
