// Files of tensors: every type that PyTorch 2.13 and safetensors write (make_pytorch_fixture.py), and NumPy's (make_numpy_fixture.py).
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CarillonError, linear, relu, sequential, tensor } from "carillon";
import { readTensors, saveStateDict, stateDict, writeTensors } from "carillon/exchange";
import { afterAll, beforeAll, expect, test } from "vitest";

const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "carillon-exchange-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Told {
  readonly shape: readonly number[];
  readonly data: readonly (number | null)[];
}

const toldOf = (name: string) =>
  JSON.parse(readFileSync(fixture(name), "utf8").replaceAll("NaN", "null")) as Readonly<Record<string, Told>>;

/** Python writes NaN, JSON has none. */
const plain = (values: ArrayLike<number>): readonly (number | null)[] =>
  Array.from(values, (value) => (Number.isNaN(value) ? null : value));

test.each(["types.pt", "old.pt", "types.safetensors"])("%s: every type has PyTorch's values", async (name) => {
  const found = await readTensors(fixture(name));
  const told = toldOf("types.json");
  expect(found.size).toBeGreaterThan(10);
  for (const [key, { shape, data }] of Object.entries(told)) {
    const one = found.get(key);
    if (one === undefined && name !== "types.pt") continue; // safetensors has no views, older files no such types
    expect(one?.shape, key).toEqual(shape);
    expect(plain(one?.data ?? []), key).toEqual(data.map((value) => (value === 0 ? 0 : value)));
  }
  expect(found.get("bool")?.dtype).toBe("u8");
  expect(found.get("int64")?.dtype).toBe("i32");
  if (name !== "old.pt") expect(found.get("float8_e4m3fnuz")).toMatchObject({ dtype: "f32", stored: "f8_e4m3fnuz" });
});

test.each(["arrays.npz", "deflated.npz"])("%s: every type has NumPy's values", async (name) => {
  const found = await readTensors(fixture(name));
  for (const [key, { shape, data }] of Object.entries(toldOf("arrays.json"))) {
    expect(found.get(key)?.shape, key).toEqual(shape);
    expect(plain(found.get(key)?.data ?? []), key).toEqual(data);
  }
});

test("an array whose columns come first, and one of the other byte order, are read in rows", async () => {
  for (const name of ["columns.npy", "big.npy"]) {
    const found = await readTensors(fixture(name));
    expect([...(found.get("array")?.data ?? [])], name).toEqual([0, 1, 2, 3, 4, 5]);
    expect(found.get("array")?.shape).toEqual([2, 3]);
  }
});

test("tensors come back from every file that is written", async () => {
  const given = {
    a: tensor(Float32Array.of(1.5, -0, Number.NaN, 4), [2, 2]),
    "b.é": tensor(Int32Array.of(-7, 8), [2]),
    c: tensor(Uint8Array.of(255), [1]),
  };
  for (const ending of ["safetensors", "npz"]) {
    const path = join(folder, `t.${ending}`);
    await writeTensors(path, given);
    const found = await readTensors(path);
    expect([...found.keys()]).toEqual(Object.keys(given));
    for (const [name, { data, shape }] of Object.entries(given)) {
      expect(found.get(name)?.shape).toEqual(shape);
      expect(found.get(name)?.data).toEqual(data);
    }
  }
  await writeTensors(join(folder, "one.npy"), { one: tensor(Float32Array.of(1, 2, 3), [3]) });
  expect([...((await readTensors(join(folder, "one.npy"))).get("array")?.data ?? [])]).toEqual([1, 2, 3]);
  await expect(writeTensors(join(folder, "two.npy"), given)).rejects.toThrow("one tensor");
  await expect(writeTensors(join(folder, "two.bin"), given)).rejects.toThrow(".safetensors, .npz or .npy");
  await expect(writeTensors(join(folder, "x.npz"), { a: { shape: [3], data: [1] } })).rejects.toThrow("3 elements");
});

test("shards of an index are one file, and lie in its folder", async () => {
  const model = sequential(linear(3, 4), relu(), linear(4, 2)).initialize(1);
  const all = [...stateDict(model)];
  const sharded = join(folder, "sharded");
  mkdirSync(sharded);
  const map: Record<string, string> = {};
  for (const [at, part] of [all.slice(0, 2), all.slice(2)].entries()) {
    const name = `model-0000${at + 1}-of-00002.safetensors`;
    await writeTensors(join(sharded, name), new Map(part));
    for (const [key] of part) map[key] = name;
  }
  const index = join(sharded, "model.safetensors.index.json");
  const write = (weights: object): void =>
    writeFileSync(index, JSON.stringify({ metadata: { total_size: 1 }, weight_map: weights }));
  write(map);
  const found = await readTensors(index);
  for (const [name, { data }] of all) expect(found.get(name)?.data).toEqual(data);
  for (const name of ["../model.safetensors", "/etc/passwd", "a/../../b", "C:x", ""]) {
    write({ ...map, "0.weight": name });
    await expect(readTensors(index), name).rejects.toThrow("the name of a file beside the index");
  }
  write({ ...map, extra: "model-00001-of-00002.safetensors" });
  await expect(readTensors(index)).rejects.toThrow("a tensor of model-00001");
  await saveStateDict(model, join(folder, "outside.safetensors"));
  symlinkSync(join(folder, "outside.safetensors"), join(sharded, "link.safetensors"));
  write({ "0.weight": "link.safetensors" });
  await expect(readTensors(index)).rejects.toThrow("and no link");
  write({ "0.weight": "none.safetensors" });
  await expect(readTensors(index)).rejects.toThrow("a file beside its index");
});

test("limits bound what a file may ask for", async () => {
  await expect(readTensors(fixture("types.pt"), { limits: { tensors: 3 } })).rejects.toThrow("limits.tensors");
  await expect(readTensors(fixture("types.safetensors"), { limits: { bytes: 10 } })).rejects.toThrow("limits.bytes");
  await expect(readTensors(fixture("arrays.npz"), { limits: { bytes: 10 } })).rejects.toThrow("limits.bytes");
});

test("a pickle that names anything but tensors is refused, and nothing is executed", async () => {
  const found = readTensors(fixture("other.pt")).catch((error: unknown) => error);
  const error = await found;
  expect(error).toBeInstanceOf(CarillonError);
  expect(String(error)).toContain("nothing of a file is executed");
  await expect(readTensors(fixture("module.pt"))).rejects.toThrow("save model.state_dict()");
});
