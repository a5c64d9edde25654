// A folder has one owner; where the file system has no locks, by a file that says who.
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { native } from "../../lib/binding/native.js";
import { FolderLock } from "../../lib/io/folder_lock.js";
import { thisProcess } from "../../lib/io/owner.js";

let folder = "";
const locks: FolderLock[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "carillon-lock-"));
});
afterEach(() => {
  vi.restoreAllMocks();
  for (const lock of locks.splice(0)) lock.release();
  return rm(folder, { recursive: true, force: true });
});

function lockOf(takeOver = false): FolderLock {
  const lock = new FolderLock(folder, { where: "here", called: "the folder", takeOver });
  locks.push(lock);
  return lock;
}

const busy = (says: string): object =>
  expect.objectContaining({ code: "ERR_BUSY", where: "here", message: expect.stringContaining(says) });
const HERE = `expected a folder of its own but another run has 'the folder': this process (${process.pid})`;

test("one at a time; the file stays", async () => {
  const [first, second] = [lockOf(), lockOf()];
  await first.take();
  await expect(second.take()).rejects.toEqual(busy(HERE));
  await expect(second.takeIfMarked()).rejects.toEqual(busy(HERE));
  await expect(lockOf(true).take()).rejects.toEqual(busy(HERE)); // who lives is not taken over
  await first.keep();
  first.release();
  expect(await readdir(folder)).toEqual([".carillon.lock"]);
  await second.take();
  expect([first.held, second.held]).toEqual([false, true]);
});

test("what is not marked is not touched", async () => {
  const lock = lockOf();
  await lock.takeIfMarked();
  expect(lock.held).toBe(false);
  expect(await readdir(folder)).toEqual([]);
  await writeFile(join(folder, ".carillon.lock"), "mine");
  await lock.takeIfMarked();
  expect(lock.held).toBe(true);
  expect(await readFile(join(folder, ".carillon.lock"), "utf8")).toBe("mine");
});

test("a lock file that is removed, or a folder that is: taken once more, unless somebody else has it", async () => {
  const [first, second] = [lockOf(), lockOf()];
  await first.take();
  await rm(join(folder, ".carillon.lock"));
  await first.keep();
  await expect(second.take()).rejects.toEqual(busy(HERE));
  await rm(folder, { recursive: true });
  await first.keep();
  await expect(second.take()).rejects.toEqual(busy(HERE));
  await rm(join(folder, ".carillon.lock"));
  await second.take();
  await expect(first.keep()).rejects.toEqual(busy(HERE));
  await second.keep();
});

test.skipIf(process.platform === "win32")("what is no file is no lock", async () => {
  const lock = join(folder, ".carillon.lock");
  await symlink(join(folder, "elsewhere"), lock);
  const refused = expect.objectContaining({ code: "ERR_FILE", where: "the folder" });
  await expect(lockOf().take()).rejects.toEqual(refused);
  expect(await readdir(folder)).toEqual([".carillon.lock"]);
  await rm(lock);
  await mkdir(lock);
  await expect(lockOf().take()).rejects.toEqual(refused);
  await rm(lock, { recursive: true });
  expect(spawnSync("mkfifo", [lock]).status).toBe(0);
  await expect(lockOf().takeIfMarked()).rejects.toEqual(refused);
  await expect(lockOf().take()).rejects.toEqual(refused); // and nobody waits for who writes into it
});

describe("where the file system has no locks", () => {
  const owner = (): string => join(folder, ".carillon.owner");
  beforeEach(() => {
    const { lockTake } = native;
    vi.spyOn(native, "lockTake").mockImplementation((path, text) =>
      text === null ? "unsupported" : lockTake(path, text),
    );
  });
  const written = (change: object): Promise<void> =>
    writeFile(owner(), JSON.stringify({ ...thisProcess(), ...change }));

  test("one at a time; its file goes with it", async () => {
    const [first, second] = [lockOf(), lockOf()];
    await first.take();
    expect(JSON.parse(await readFile(owner(), "utf8"))).toEqual(thisProcess());
    await expect(second.take()).rejects.toEqual(busy(HERE));
    await expect(second.takeIfMarked()).rejects.toEqual(busy(HERE));
    await first.keep();
    first.release();
    expect((await readdir(folder)).includes(".carillon.owner")).toBe(false);
    await second.take();
  });

  test("a file that cannot be looked at once it is made goes again", async () => {
    const files = process.getBuiltinModule("node:fs/promises");
    const { lstat } = files;
    vi.spyOn(files, "lstat").mockImplementationOnce(lstat).mockRejectedValueOnce(new Error("EIO: i/o error, lstat"));
    await expect(lockOf().take()).rejects.toMatchObject({ code: "ERR_FILE", message: expect.stringContaining("EIO") });
    expect(await readdir(folder)).toEqual([".carillon.lock"]);
  });

  test("one of this host that is over is taken over", async () => {
    await written({ process: spawnSync(process.execPath, ["-e", ""]).pid });
    const lock = lockOf();
    await lock.take();
    expect(JSON.parse(await readFile(owner(), "utf8"))).toEqual(thisProcess());
    expect((await readdir(folder)).sort()).toEqual([".carillon.lock", ".carillon.owner"]);
  });

  test.each<[string, () => Promise<void>, string]>([
    ["of another host", () => written({ host: "web-3", process: 4711 }), "process 4711 of web-3"],
    ["that nobody can read", () => writeFile(owner(), "{"), "another process"],
  ])("one %s is refused, unless takeOver says otherwise", async (_, write, says) => {
    await write();
    const before = await readFile(owner(), "utf8");
    await expect(lockOf().take()).rejects.toEqual(busy(says));
    await expect(lockOf().take()).rejects.toEqual(busy("takeOver: true"));
    expect(await readFile(owner(), "utf8")).toBe(before);
    await lockOf(true).take();
    expect(JSON.parse(await readFile(owner(), "utf8"))).toEqual(thisProcess());
  });

  test("one that somebody else has displaced meanwhile is left to who has the folder now", async () => {
    const [files, { renameSync }] = [process.getBuiltinModule("node:fs/promises"), process.getBuiltinModule("node:fs")];
    const { mkdtemp: make } = files;
    const renaming = vi.spyOn(process.getBuiltinModule("node:fs"), "renameSync").mockImplementation(renameSync);
    await written({ process: spawnSync(process.execPath, ["-e", ""]).pid });
    vi.spyOn(files, "mkdtemp").mockImplementationOnce(async (prefix) => {
      await rm(owner());
      await written({ process: process.ppid, started: "" });
      return await make(String(prefix));
    });
    await expect(lockOf().take()).rejects.toEqual(busy(`process ${process.ppid} of`));
    expect(renaming).not.toHaveBeenCalled();
    expect((await readdir(folder)).sort()).toEqual([".carillon.lock", ".carillon.owner"]);
  });

  test("who has been taken over notices before it writes", async () => {
    const first = lockOf();
    await first.take();
    await rm(owner());
    await written({ host: "web-3", process: 4711 }); // there, where this host is unknown
    await expect(first.keep()).rejects.toEqual(busy("process 4711 of web-3"));
    first.release();
    expect(JSON.parse(await readFile(owner(), "utf8"))).toMatchObject({ host: "web-3" });
  });

  test("it counts for those who have locks, too", async () => {
    await written({ host: "web-3", process: 4711 });
    vi.restoreAllMocks();
    await expect(lockOf().take()).rejects.toEqual(busy("process 4711 of web-3"));
    const lock = lockOf(true);
    await lock.take();
    expect(await readdir(folder)).toEqual([".carillon.lock"]);
  });
});
