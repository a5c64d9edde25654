// Which processes live: of this host, of another start of it, of another host; and what stands in names of files.
import { spawn, spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import {
  describeOwner,
  lifeByMark,
  lifeOf,
  nameBeforeMark,
  type Owner,
  ownMark,
  parseOwner,
  thisProcess,
} from "../../lib/io/owner.js";

/** Number of a process that is over. */
function overProcess(): number {
  return spawnSync(process.execPath, ["-e", ""]).pid;
}

const linux = process.platform === "linux";

test("this process lives", () => {
  expect(lifeOf(thisProcess())).toBe("alive");
  expect(lifeByMark(`.model.safetensors-${ownMark()}-a1B2c3`)).toBe("alive");
  expect(describeOwner(thisProcess())).toBe(`this process (${process.pid})`);
  expect(describeOwner(undefined)).toBe("another process");
});

test("one that is over does not, nor does one from before the host was started", () => {
  const own = thisProcess();
  expect(lifeOf({ ...own, process: overProcess() })).toBe("dead");
  if (!linux) return;
  expect(lifeOf({ ...own, boot: "another" })).toBe("dead");
  expect(lifeOf({ ...own, started: "1" })).toBe("dead"); // its number is another's now
});

test("a child that was killed and that nobody has asked after is over", async () => {
  if (!linux) return;
  const program =
    "const c = require('node:child_process').spawn('sleep', ['9']); console.log(c.pid); c.kill('SIGKILL'); for (;;);";
  const parent = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "ignore"] });
  const zombie = await new Promise<number>((resolve) =>
    parent.stdout.once("data", (text: Buffer) => resolve(Number(text))),
  );
  await expect.poll(() => lifeOf({ ...thisProcess(), process: zombie, started: "" })).toBe("dead");
  parent.kill("SIGKILL");
});

test("of another host, and of another container, nobody knows", () => {
  const own = thisProcess();
  expect(lifeOf({ ...own, host: "elsewhere" })).toBe("unknown");
  expect(lifeOf({ ...own, host: "" })).toBe("unknown");
  expect(lifeOf({ ...own, space: "pid:[1]" })).toBe("unknown");
  expect(describeOwner({ ...own, host: "elsewhere", process: 7 })).toBe("process 7 of elsewhere");
});

describe("an owner in a file", () => {
  test("comes back", () => {
    expect(parseOwner(JSON.stringify(thisProcess()))).toEqual(thisProcess());
  });

  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["null", null],
    ["a list", [1]],
    ["no number", { process: "7" }],
    ["the number of a group", { process: -1 }],
    ["of all", { process: 0 }],
    ["half a number", { process: 1.5 }],
    ["a large one", { process: 2 ** 40 }],
    ["no host", { host: undefined }],
    ["a start that is a number", { started: 7 }],
  ])("is none with %s", (_, change) => {
    const isChange = typeof change === "object" && change !== null && !Array.isArray(change);
    const given: unknown = isChange ? { ...thisProcess(), ...change } : change;
    expect(parseOwner(`${JSON.stringify(given)}`)).toBeUndefined();
  });

  test("is none in what is no JSON", () => {
    for (const text of ["", "{", "\0\0\0", "7"]) expect(parseOwner(text)).toBeUndefined();
  });
});

test.each([
  [`step-000000001.safetensors-${ownMark()}-a1B2c3`, "step-000000001.safetensors"],
  [`a-b-${ownMark()}-a1B2c3`, "a-b"],
  ["step-000000001.safetensors-a1B2c3", "step-000000001.safetensors"],
  ["step-000000001.safetensors-a1B2c", undefined],
  ["step-000000001.safetensors", undefined],
])("of %s the name is %s", (name, expected) => {
  expect(nameBeforeMark(name)).toBe(expected);
});

describe("a mark in a name", () => {
  const [host = "", boot = "", space = "", , started = ""] = ownMark().split("-");
  const named = (...parts: readonly (number | string)[]): string => `.a-b.bin-${parts.join("-")}-a1B2c3`;

  test.each<[string, () => string, Owner | string | undefined]>([
    ["of a process that is over", () => named(host, boot, space, overProcess(), started), "dead"],
    ["of another host", () => named("00000000", boot, space, 1, 1), "elsewhere"],
    ["of another start of this host", () => named(host, "00000000", space, 1, 1), "unknown"],
    ["of another container", () => named(host, boot, "00000000", 1, 1), "unknown"],
    ["that is none", () => ".model.bin-a1B2c3", undefined],
    ["of no process", () => named(host, boot, space, 0, started), undefined],
    ["of too large a number", () => named(host, boot, space, 9_999_999_999, started), undefined],
  ])("%s", (_, name, life) => {
    expect(lifeByMark(name())).toBe(life);
  });
});
