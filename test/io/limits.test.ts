// Small legal headers that ask for much: what they cost, and what is told of them.
import { linear, loadModel, relu, sequential } from "carillon";
import { describe, expect, test } from "vitest";
import { checkLimits, type FileLimits } from "../../lib/io/limits.js";
import { openSafetensors } from "../../lib/io/safetensors.js";
import { type ByteSource, bytesSource } from "../../lib/io/source.js";
import { encodeSafetensors } from "./whole_file.js";

interface Generated {
  readonly source: ByteSource;
  /** Bytes that were read. */
  readonly read: () => number;
}

/** A file of `count` members, which are made as they are read. Each has the same length. */
function generated(count: number, member: (index: number) => string, data = 0): Generated {
  const width = member(0).length + 1;
  const header = count * width + 1;
  const prefix = new Uint8Array(8);
  new DataView(prefix.buffer).setBigUint64(0, BigInt(header), true);
  const last = count - 1;
  let [begin, piece] = [0, new Uint8Array()];
  const byteAt = (at: number): number => {
    if (at < 8) return prefix[at] ?? 0;
    const place = at - 9; // behind the brace
    if (place < 0) return 0x7b;
    if (place >= header - 1) return 0;
    if (place < begin || place >= begin + piece.length) {
      const first = Math.floor(place / width);
      const members = Array.from({ length: Math.min(5000, count - first) }, (_, index) => {
        return member(first + index) + (first + index === last ? "}" : ",");
      });
      [begin, piece] = [first * width, Buffer.from(members.join(""), "latin1")];
    }
    return piece[place - begin] ?? 0;
  };
  let bytes = 0;
  const source: ByteSource = {
    where: "t",
    size: 8 + header + data,
    read(target, at) {
      bytes += target.length;
      for (let index = 0; index < target.length; index++) target[index] = byteAt(at + index);
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
  return { source, read: () => bytes };
}

const name = (index: number): string => String(index).padStart(7, "0");
const empty = (index: number): string => `"${name(index)}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`;

const opened = (file: Generated, limits?: FileLimits) => openSafetensors(file.source, checkLimits("limits", limits));

async function failureOf(work: Promise<unknown>): Promise<{ code?: string; message: string }> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("it did not fail");
}

describe("a header is refused where its members become too many", () => {
  test.each<[string, () => Generated]>([
    ["a million keys", () => generated(1_000_000, (index) => `"${name(index)}":1`)],
    ["a million empty tensors", () => generated(1_000_000, empty)],
    ["95 MB of keys", () => generated(1_700_000, empty)],
    ["a million keys of metadata", () => generated(1, () => `"__metadata__":{${'"a":"",'.repeat(999_999)}"b":""}`)],
  ])("%s", async (_, make) => {
    const file = make();
    const { code, message } = await failureOf(opened(file));
    expect(code).toBe("ERR_FILE");
    expect(message.length).toBeLessThan(300);
    expect(file.read()).toBeLessThan(8_000_000);
  });

  test("as their limit says", async () => {
    await expect(opened(generated(101, empty), { tensors: 100 })).rejects.toThrow(
      "at most 100 tensors (limits.tensors)",
    );
    expect((await opened(generated(100, empty), { tensors: 100 })).entries.size).toBe(100);
  });

  test("100,000 are read in a second", async () => {
    const file = generated(100_000, empty);
    const { source } = file;
    const all = new Uint8Array(source.size);
    await source.read(all, 0);
    const bytes = bytesSource(all, "t");
    const began = process.cpuUsage();
    const { entries } = await openSafetensors(bytes);
    const { user } = process.cpuUsage(began);
    expect([...entries.keys()].at(-1)).toBe("0099999");
    expect(user).toBeLessThan(1_000_000);
  });
});

describe("messages are short", () => {
  test.each<[string, string]>([
    ["four megabytes of dimensions", `"w":{"dtype":"F32","shape":[${"1,".repeat(2_000_000)}1],"data_offsets":[0,4]}`],
    ["65 dimensions", `"w":{"dtype":"F32","shape":[${"1,".repeat(64)}1],"data_offsets":[0,4]}`],
    ["dimensions that are text", `"w":{"dtype":"F32","shape":["${"1".repeat(60_000)}"],"data_offsets":[0,4]}`],
    ["a long name", `"${"w".repeat(60_000)}":{"dtype":"F9","shape":[1],"data_offsets":[0,4]}`],
    ["a longer name", `"${"w".repeat(600_000)}":{"dtype":"F9","shape":[1],"data_offsets":[0,4]}`],
    ["a long key of an entry", `"w":{"${"w".repeat(60_000)}":1}`],
    ["a long key twice", `"w":{"${"w".repeat(30_000)}":1,"${"w".repeat(30_000)}":1}`],
    ["a long type", `"w":{"dtype":"${"F".repeat(60_000)}","shape":[1],"data_offsets":[0,4]}`],
    ["brackets 20,000 deep", `"w":${"[".repeat(20_000)}${"]".repeat(20_000)}`],
    ["a long key of metadata", `"__metadata__":{"${"k".repeat(600_000)}":1}`],
    ["a long text that is no JSON", `"__metadata__":{"k":"${"k".repeat(600_000)}}`],
  ])("of %s", async (_, member) => {
    const { code, message } = await failureOf(opened(generated(1, () => member, 4)));
    expect(code).toBe("ERR_FILE");
    expect(message.length).toBeLessThan(500);
  });
});

describe("what a file asks for", () => {
  const network = () => sequential(linear(4, 8), relu(), linear(8, 3));
  const description = (layers: readonly object[]): Uint8Array =>
    encodeSafetensors(new Map(), { format: "carillon.model", layers: JSON.stringify(layers) });
  const dense = (inputs: number, outputs: number) => {
    return { kind: "linear", name: null, config: { inputs, outputs, bias: true, dropConnect: 0 } };
  };

  test.each([2 ** 20, 2 ** 31, 2 ** 40, 2 ** 53 - 1])(
    "a layer of %d units without the weights for it",
    async (units) => {
      const { rss } = process.memoryUsage();
      await expect(loadModel(description([dense(units, 1)]))).rejects.toMatchObject({ code: "ERR_FILE" });
      await expect(loadModel(description([dense(units, units)]))).rejects.toMatchObject({ code: "ERR_FILE" });
      expect(process.memoryUsage().rss - rss).toBeLessThan(50e6);
    },
  );

  test("more layers than 10,000, or than its limit", async () => {
    const one = { kind: "relu", name: null, config: {} };
    const many = description([dense(1, 1), ...Array.from({ length: 10_000 }, () => one)]);
    await expect(loadModel(many)).rejects.toThrow("at most 10000 layers (limits.layers)");
    const most = description([dense(1, 1), ...Array.from({ length: 200_000 }, () => one)]);
    await expect(loadModel(most)).rejects.toThrow("at most 10000 layers (limits.layers)");
    await expect(loadModel(network().bytes(), { limits: { layers: 2 } })).rejects.toThrow("at most 2 layers");
  });

  test("more tensors, or bytes of them, than its limits", async () => {
    const bytes = network().bytes();
    await expect(loadModel(bytes, { limits: { tensors: 3 } })).rejects.toThrow("at most 3 tensors");
    await expect(loadModel(bytes, { limits: { bytes: 200 } })).rejects.toThrow(/at most 200 bytes \(limits.bytes\)/);
    const limits = { tensors: 4, layers: 3, bytes: 1000 };
    expect((await loadModel(bytes, { limits })).parameters).toHaveLength(4);
    await expect(network().load(bytes, { limits: { bytes: 200 } })).rejects.toMatchObject({ code: "ERR_FILE" });
  });

  test.each<[unknown, string]>([
    [{ tensors: -1 }, "loadModel.limits.tensors"],
    [{ layers: 1.5 }, "loadModel.limits.layers"],
    [{ bytes: Number.NaN }, "loadModel.limits.bytes"],
    [{ megabytes: 3 }, "loadModel.limits.megabytes"],
    [3, "loadModel.limits"],
  ])("limits that are none: %o", async (limits, where) => {
    await expect(loadModel(network().bytes(), { limits: limits as FileLimits })).rejects.toMatchObject({ where });
  });
});
