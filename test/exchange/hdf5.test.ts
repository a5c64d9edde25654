// HDF5 files of h5py with what h5wasm has trouble with (make_hdf5_fixture.py).
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openHdf5 } from "../../lib/exchange/hdf5/hdf5.js";
import { checkExchangeLimits } from "../../lib/exchange/reading/tensor_file.js";

const open = async (name: string) => {
  const bytes = readFileSync(fileURLToPath(new URL(`fixtures/hdf5/${name}.h5`, import.meta.url)));
  return await openHdf5(name, Uint8Array.from(bytes), checkExchangeLimits("limits"));
};

test("every type has NumPy's values, half floats too, and so have deflated chunks", async () => {
  const file = await open("types");
  const expected = [0, 1.5, -2, 100, 0.125, 6.1e-5];
  for (const name of ["float64", "float32"]) {
    expect([...(await file.read(`a/${name}`)).data]).toEqual(expected.map(Math.fround));
  }
  const halves = (await file.read("a/float16")).data;
  expect([...halves].slice(0, 5)).toEqual(expected.slice(0, 5));
  expect(Math.abs((halves[5] ?? 0) - 6.1e-5)).toBeLessThan(2 ** -24);
  for (const name of ["int64", "int32", "int16", "int8"])
    expect([...(await file.read(`a/${name}`)).data], name).toEqual([0, 1, -2, 100, 0, 0]);
  for (const name of ["uint8", "uint16"])
    expect([...(await file.read(`a/${name}`)).data]).toEqual([0, 1, 2, 100, 0, 0]);
  expect([...(await file.read("a/bool")).data]).toEqual([0, 1, 1, 1, 1, 1]);
  expect([...(await file.read("b/deflated")).data]).toEqual(expected.map(Math.fround));
  expect((await file.read("scalar")).shape).toEqual([]);
  expect([...(await file.read("scalar")).data]).toEqual([3]);
  expect(await file.read("none")).toMatchObject({ shape: [0, 2] });
  await file.close();
});

test.each([
  ["lzf", "the filter 32000"],
  ["big", "little-endian"],
  ["text", "numbers or truth values"],
  ["outside", "ExternalLink"],
  ["circle", "32 deep"],
  ["wide", "limits.bytes"],
  ["chunk", "chunks of about its size"],
])("%s.h5 is refused by what it holds", async (name, told) => {
  await expect(open(name)).rejects.toThrow(told);
});
