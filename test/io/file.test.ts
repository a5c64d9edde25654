import { spawn, spawnSync } from "node:child_process";
import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { realFolder, writeFileAtomic } from "../../lib/io/file.js";
import { lifeByMark, ownMark } from "../../lib/io/owner.js";
import { openFile } from "../../lib/io/source.js";
import { bundle } from "../train/child.js";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "carillon-file-"));
});
afterEach(() => rm(folder, { recursive: true }));

test("writes and reads back, through missing folders, and leaves nothing beside", async () => {
  const path = join(folder, "runs/a/model.bin");
  await writeFileAtomic(path, Uint8Array.of(1, 2, 3));
  expect([...(await readFile(path))]).toEqual([1, 2, 3]);
  expect(await readdir(join(folder, "runs/a"))).toEqual(["model.bin"]);
});

test("replaces a file as a whole: the old one is another file, not overwritten", async () => {
  const path = join(folder, "model.bin");
  await writeFile(path, "a longer old content");
  const before = await stat(path);
  await writeFileAtomic(path, Uint8Array.of(65));
  expect(await readFile(path, "utf8")).toBe("A");
  expect((await stat(path)).ino).not.toBe(before.ino);
});

test.skipIf(process.platform === "win32")(
  "a file that is replaced hands on its permissions, a new one has the usual",
  async () => {
    const path = join(folder, "model.bin");
    const mode = async (): Promise<number> => (await stat(path)).mode & 0o777;
    await writeFile(path, "old");
    const usual = await mode();
    await rm(path);
    await writeFileAtomic(path, Uint8Array.of(1));
    expect(await mode()).toBe(usual);
    for (const wanted of [0o600, 0o666, 0o640]) {
      await chmod(path, wanted);
      await writeFileAtomic(path, Uint8Array.of(2));
      expect(await mode()).toBe(wanted);
    }
  },
);

test.skipIf(process.getuid?.() !== 0)("and its owner and group, where they may be given", async () => {
  const path = join(folder, "model.bin");
  await writeFile(path, "old");
  await chown(path, 1234, 5678);
  await chmod(path, 0o640);
  await writeFileAtomic(path, Uint8Array.of(1));
  const { uid, gid, mode } = await stat(path);
  expect([uid, gid, mode & 0o777]).toEqual([1234, 5678, 0o640]);
});

test.skipIf(process.getuid?.() !== 0)("where they may not, the file is who writes it", async () => {
  const path = join(folder, "model.bin");
  await chmod(folder, 0o777);
  await writeFile(path, "old");
  await chmod(path, 0o644);
  const program = await bundle("save-bytes", "test/io/programs");
  const { status, stderr } = spawnSync(process.execPath, [program, path], {
    encoding: "utf8",
    uid: 65_534,
    gid: 65_534,
  });
  expect([status, stderr]).toEqual([0, ""]);
  const { uid, gid, mode } = await stat(path);
  expect([uid, gid, mode & 0o777]).toEqual([65_534, 65_534, 0o644]);
});

describe("what killed processes have left", () => {
  const [host = "", boot = "", space = "", pid = "", started = ""] = ownMark().split("-");
  const over = spawnSync(process.execPath, ["-e", ""]).pid;

  async function leave(name: string, daysAgo = 0): Promise<void> {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, "model.bin"), "half");
    const then = (await stat(join(folder, name))).mtimeMs / 1000 - daysAgo * 24 * 60 * 60;
    await utimes(join(folder, name), then, then);
  }

  test("is removed by the next who saves there, and nothing that anybody may still need", async () => {
    const gone = [
      `.model.bin-${[host, boot, space, over, 1].join("-")}-a1B2c3`,
      `.other-model.bin-${[host, boot, space, over, started].join("-")}-a1B2c3`,
      `.older.bin-${[host, "00000000", space, pid, 1].join("-")}-a1B2c3`,
      `.container.bin-${[host, boot, "00000000", 1, 1].join("-")}-a1B2c3`,
    ];
    const stays = [
      `.model.bin-${ownMark()}-a1B2c3`,
      `.model.bin-${[host, "00000000", space, pid, 1].join("-")}-b1B2c3`,
      `.model.bin-${["00000000", boot, space, 1, 1].join("-")}-a1B2c3`,
      ".model.bin-a1B2c3",
      `model.bin-${[host, boot, space, over, 1].join("-")}-a1B2c3`,
    ];
    for (const name of gone) await leave(name, /older|container/.test(name) ? 2 : 0);
    for (const name of stays) await leave(name, name.includes("-00000000-") && name.endsWith("a1B2c3") ? 2 : 0);
    await writeFileAtomic(join(folder, "model.bin"), Uint8Array.of(1));
    expect((await readdir(folder)).sort()).toEqual([...stays, "model.bin"].sort());
  });

  test("by SIGKILL in a save", async () => {
    const program = await bundle("save-slowly", "test/io/programs");
    const child = spawn(process.execPath, [program, join(folder, "model.bin")], { stdio: "ignore" });
    await expect.poll(() => readdir(folder), { timeout: 10_000 }).toHaveLength(1);
    const dead = new Promise((resolve) => child.on("close", resolve));
    child.kill("SIGKILL");
    await dead;
    expect((await readdir(folder)).map((name) => lifeByMark(name))).toEqual(["dead"]);
    await writeFileAtomic(join(folder, "another.bin"), Uint8Array.of(1));
    expect(await readdir(folder)).toEqual(["another.bin"]);
  });

  test("a name may be as long as the system lets it be", async () => {
    const name = "ä".repeat(125);
    await writeFileAtomic(join(folder, name), Uint8Array.of(1));
    expect(await readdir(folder)).toEqual([name]);
  });
});

test("a relative path is that of the call", async () => {
  const program = await bundle("save-elsewhere", "test/io/programs");
  const { status, stderr } = spawnSync(process.execPath, [program], { cwd: folder, encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
  expect((await readdir(folder)).sort()).toEqual([
    ".carillon.lock",
    "first.bin",
    "second.bin",
    "step-000000001.safetensors",
    "step-000000002.safetensors",
  ]);
});

test("many writers at once leave one whole file", async () => {
  const path = join(folder, "model.bin");
  const written = Array.from({ length: 20 }, (_, value) => new Uint8Array(5000).fill(value));
  await Promise.all(written.map((bytes) => writeFileAtomic(path, bytes)));
  const read = await readFile(path);
  expect(read.length).toBe(5000);
  expect(new Set(read).size).toBe(1);
  expect(await readdir(folder)).toEqual(["model.bin"]);
});

test("a failure keeps what was there and removes the temporary file", async () => {
  const path = join(folder, "taken");
  await mkdir(join(path, "full"), { recursive: true });
  await expect(writeFileAtomic(path, Uint8Array.of(1))).rejects.toMatchObject({
    name: "CarillonError",
    code: "ERR_FILE",
    where: path,
    cause: expect.any(Error),
  });
  expect(await readdir(folder)).toEqual(["taken"]);
  expect(await readdir(path)).toEqual(["full"]);
});

test("a path through a file is refused", async () => {
  await writeFile(join(folder, "plain"), "x");
  await expect(writeFileAtomic(join(folder, "plain/model.bin"), Uint8Array.of(1))).rejects.toMatchObject({
    code: "ERR_FILE",
  });
});

test("a missing file is ERR_FILE with its path and cause", async () => {
  const path = join(folder, "none.bin");
  await expect(openFile(path)).rejects.toMatchObject({
    code: "ERR_FILE",
    where: path,
    message: expect.stringContaining("ENOENT"),
    cause: expect.objectContaining({ code: "ENOENT" }),
  });
  await expect(openFile(folder)).rejects.toMatchObject({ code: "ERR_FILE" });
});

test("a folder is told as such", async () => {
  const message = expect.stringContaining("a folder");
  await expect(openFile(folder)).rejects.toMatchObject({ code: "ERR_FILE", message });
  await expect(writeFileAtomic(folder, Uint8Array.of(1))).rejects.toMatchObject({ code: "ERR_FILE", message });
});

test.skipIf(process.platform === "win32")("nobody waits for who writes into a pipe", async () => {
  const pipe = join(folder, "pipe");
  expect(spawnSync("mkfifo", [pipe]).status).toBe(0);
  const message = expect.stringContaining("a device, a pipe or a socket");
  await expect(openFile(pipe)).rejects.toMatchObject({ code: "ERR_FILE", message });
});

test("what is open is closed where its size cannot be told", async () => {
  const path = join(folder, "file");
  await writeFile(path, "bytes");
  const { open } = process.getBuiltinModule("node:fs/promises");
  const opened: Awaited<ReturnType<typeof open>>[] = [];
  vi.spyOn(process.getBuiltinModule("node:fs/promises"), "open").mockImplementation(async (...given) => {
    const file = await open(...given);
    vi.spyOn(file, "stat").mockRejectedValue(new Error("EIO: i/o error, fstat"));
    opened.push(file);
    return file;
  });
  await expect(openFile(path)).rejects.toMatchObject({ code: "ERR_FILE", message: expect.stringContaining("EIO") });
  vi.restoreAllMocks();
  expect(opened.map(({ fd }) => fd)).toEqual([-1]);
});

describe("what cannot be forced to the disk", () => {
  const fs = process.getBuiltinModule("node:fs");
  afterEach(() => {
    vi.restoreAllMocks();
  });
  const save = (): Promise<void> => writeFileAtomic(join(folder, "model.bin"), Uint8Array.of(67));
  const refusing = (code: string): NodeJS.ErrnoException => Object.assign(new Error(`${code}: fsync`), { code });

  test.each(["EINVAL", "ENOTSUP", "ENOSYS", "ERR_ACCESS_DENIED"])(
    "is saved all the same where it is no matter of the disk: %s",
    async (code) => {
      const fsync = vi.spyOn(fs, "fsync").mockImplementation((_, done) => done(refusing(code)));
      await save();
      expect(fsync).toHaveBeenCalled();
      expect(await readFile(join(folder, "model.bin"), "utf8")).toBe("C");
    },
  );

  test.each(["EIO", "ENOSPC", "EDQUOT"])("is not saved where the disk fails: %s", async (code) => {
    vi.spyOn(fs, "fsync").mockImplementation((_, done) => done(refusing(code)));
    await expect(save()).rejects.toMatchObject({ code: "ERR_FILE", message: expect.stringContaining(code) });
    expect(await readdir(folder)).toEqual([]);
  });

  test.skipIf(process.platform === "win32")(
    "a folder that one may write into but not look into is no obstacle",
    async () => {
      await chmod(folder, 0o733);
      const name = join(folder, "closed");
      await mkdir(name);
      const owner = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}; // modes do not bind root
      if (owner.uid !== undefined) await chown(name, owner.uid, owner.gid);
      await chmod(name, 0o300);
      const program = await bundle("save-bytes", "test/io/programs");
      const { status, stderr } = spawnSync(process.execPath, [program, join(name, "model.bin")], {
        encoding: "utf8",
        ...owner,
      });
      expect(stderr).toBe("");
      expect(status).toBe(0);
      await chmod(name, 0o700);
      expect(await readdir(name)).toEqual(["model.bin"]);
    },
  );
});

describe.skipIf(process.platform === "win32")("symbolic links", () => {
  const write = (name: string): Promise<void> => writeFileAtomic(join(folder, name), Uint8Array.of(66));

  test.each<[string, readonly (readonly [path: string, to: string])[], string]>([
    ["to a file", [["link", "releases/v2"]], "releases/v2"],
    [
      "to a link, each told from its own folder",
      [
        ["link", "current/latest"],
        ["current/latest", "../releases/v2"],
      ],
      "releases/v2",
    ],
    [
      "in a folder that is a link, upwards from the real one",
      [
        ["short", "deep/er"],
        ["deep/er/link", "../v3"],
      ],
      "deep/v3",
    ],
    ["to a file that is not there", [["link", "releases/v9"]], "releases/v9"],
    ["to a file in a folder that is not there", [["link", "gone/away/v1"]], "gone/away/v1"],
  ])("%s: the link stays and what it leads to is replaced", async (_, links, target) => {
    for (const name of ["releases", "current", "deep/er"]) await mkdir(join(folder, name), { recursive: true });
    await writeFile(join(folder, "releases/v2"), "old");
    for (const [path, to] of links) await symlink(to, join(folder, path));
    const first = links.some(([path]) => path === "short") ? "short/link" : "link";
    await write(first);
    expect(await readFile(join(folder, target), "utf8")).toBe("B");
    expect(await readFile(join(folder, first), "utf8")).toBe("B");
    for (const [path, to] of links) expect(await readlink(join(folder, path))).toBe(to);
    expect((await lstat(join(folder, target))).isFile()).toBe(true);
  });

  test("in a circle", async () => {
    await symlink("b", join(folder, "a"));
    await symlink("a", join(folder, "b"));
    await expect(write("a")).rejects.toMatchObject({ code: "ERR_FILE", message: expect.stringContaining("ELOOP") });
    expect((await readdir(folder)).sort()).toEqual(["a", "b"]);
  });

  test("to a device, which stays one", async () => {
    await symlink("/dev/null", join(folder, "none"));
    await expect(write("none")).rejects.toMatchObject({ code: "ERR_FILE" });
    expect((await stat("/dev/null")).isCharacterDevice()).toBe(true);
  });

  test("every path of a folder, also of one that is still to be made, has one real path", async () => {
    await mkdir(join(folder, "real"));
    await symlink("real", join(folder, "link"));
    await symlink("link", join(folder, "again"));
    const real = realFolder(join(folder, "real/runs/a"));
    for (const path of ["link/runs/a", "again/runs/a", "again/runs/b/../a/", "./link/./runs/a"]) {
      expect(realFolder(join(folder, path))).toBe(real);
    }
    expect(realFolder(join(folder, "link"))).toBe(realFolder(join(folder, "real")));
    await mkdir(real, { recursive: true });
    expect(realFolder(join(folder, "again/runs/a"))).toBe(real);
  });
});
