// Files that were damaged at random: each is read, or refused by name. CARILLON_MUTATIONS says how many a format; 1000 take some seconds.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CarillonError, linear, sequential } from "carillon";
import { importKeras, importTfjs, inspectFile, loadKerasWeights, readTensors } from "carillon/exchange";
import { afterAll, expect, test } from "vitest";

const COUNT = Number(process.env.CARILLON_MUTATIONS ?? 250);

/** Milliseconds that one file may take, with the beginning of a thread or two for HDF5, and bytes beyond what its shapes justify. */
const [PATIENCE, WITH_THREADS, ROOM] = [1000, 4000, 64 * 2 ** 20];

const fixture = (name: string): Uint8Array => readFileSync(fileURLToPath(new URL(`fixtures/${name}`, import.meta.url)));

/** A generator of whole numbers below a bound (mulberry32). */
function draws(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t ^= t + Math.imul(t ^ (t >>> 7), 61 | t);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** Numbers that sizes and places are replaced by. */
const EXTREMES = [
  0n,
  1n,
  0xffn,
  0xffffn,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x7fffffffffffffffn,
  0xffffffffffffffffn,
];

type Change = (bytes: Uint8Array, draw: (below: number) => number) => Uint8Array;

const CHANGES: readonly Change[] = [
  (bytes, draw) => bytes.with(draw(bytes.length), draw(256)),
  (bytes, draw) => {
    const at = draw(bytes.length);
    return bytes.with(at, (bytes[at] ?? 0) ^ (1 << draw(8)));
  },
  (bytes, draw) => bytes.slice(0, draw(bytes.length)),
  (bytes, draw) => bytes.slice(draw(Math.min(bytes.length, 64))),
  (bytes, draw) => {
    const [at, count] = [draw(bytes.length), draw(64)];
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + count)]);
  },
  (bytes, draw) => {
    const [at, from] = [draw(bytes.length), draw(bytes.length)];
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(from, from + draw(200)), bytes.subarray(at)]);
  },
  (bytes, draw) => {
    const changed = Uint8Array.from(bytes);
    const width = [2, 4, 8][draw(3)] ?? 4;
    const at = draw(Math.max(1, bytes.length - 8));
    const value = EXTREMES[draw(EXTREMES.length)] ?? 0n;
    const wide = new Uint8Array(8);
    new DataView(wide.buffer).setBigUint64(0, value, true);
    changed.set(wide.subarray(0, width), at);
    return changed;
  },
  (bytes, draw) => {
    // The directory of an archive, or the header of what has one, stands at an end.
    const changed = Uint8Array.from(bytes);
    const span = Math.min(bytes.length, 400);
    const at = draw(2) === 0 ? draw(span) : bytes.length - 1 - draw(span);
    changed[at] = draw(256);
    return changed;
  },
];

/** What reads a file, and the bytes of memory that what it gives takes. */
type Reader = (bytes: Uint8Array) => Promise<number>;

const tensors: Reader = async (bytes) =>
  [...(await readTensors(bytes)).values()].reduce((sum, { data }) => sum + data.byteLength, 0);

const sizeOf = (model: { readonly parameters: readonly { readonly shape: readonly number[] }[] }): number =>
  model.parameters.reduce((sum, { shape }) => sum + 4 * shape.reduce((product, size) => product * size, 1), 0);

const folder = mkdtempSync(join(tmpdir(), "carillon-mutations-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A model of TensorFlow.js with another model.json. */
const tfjs: Reader = async (bytes) => {
  cpSync(fileURLToPath(new URL("fixtures/tfjs/dense/weights.bin", import.meta.url)), join(folder, "weights.bin"));
  writeFileSync(join(folder, "model.json"), bytes);
  return sizeOf((await importTfjs(join(folder, "model.json"))).model);
};

const keras: Reader = async (bytes) => {
  await inspectFile(bytes).catch(() => undefined);
  return sizeOf((await importKeras(bytes)).model);
};

const weights: Reader = async (bytes) => {
  const model = sequential(linear(4, 6), linear(6, 3));
  await inspectFile(bytes);
  await loadKerasWeights(model, bytes).catch((error: unknown) => {
    // Another network than the file's, whose names are told.
    if (!(error instanceof CarillonError)) throw error;
  });
  return 1000;
};

/** Files, what reads them, and which share of {@link COUNT} is tried: HDF5 is read by a thread, which a fault ends. */
const FILES: readonly (readonly [string, Reader, number])[] = [
  ["types.pt", tensors, 1],
  ["old.pt", tensors, 1],
  ["types.safetensors", tensors, 1],
  ["arrays.npz", tensors, 1],
  ["deflated.npz", tensors, 1],
  ["columns.npy", tensors, 1],
  ["tfjs/dense/model.json", tfjs, 1],
  ["chained.keras", keras, 0.06],
  ["dense.weights.h5", weights, 0.1],
];

test.each(FILES)("%s", async (name, read, share) => {
  const whole = Uint8Array.from(fixture(name));
  const draw = draws(name.length);
  const count = Math.ceil(COUNT * share);
  const patience = share === 1 ? PATIENCE : WITH_THREADS;
  let [taken, refused] = [0, 0];
  for (let at = 0; at < count; at++) {
    const change = CHANGES[at % CHANGES.length] ?? CHANGES[0];
    let bytes = change?.(whole, draw) ?? whole;
    if (draw(4) === 0) bytes = CHANGES[draw(CHANGES.length)]?.(bytes.length === 0 ? whole : bytes, draw) ?? bytes;
    const before = process.memoryUsage().arrayBuffers;
    const begin = performance.now();
    try {
      const declared = await read(Uint8Array.from(bytes));
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(ROOM + 3 * declared);
      taken += 1;
    } catch (error) {
      if (!(error instanceof CarillonError))
        throw new Error(`mutation ${at} of ${name}: ${String(error)}`, { cause: error });
      expect(error.code, error.message).toBe("ERR_FILE");
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(ROOM);
      refused += 1;
    }
    expect(performance.now() - begin, `mutation ${at} of ${name}`).toBeLessThan(patience);
  }
  expect(refused).toBeGreaterThan(count / 10);
  expect(taken + refused).toBe(count);
});
