import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readFileChecked, writeFileAtomic } from "../../lib/io/file.js";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "carillon-file-"));
});
afterEach(() => rm(folder, { recursive: true }));

test("writes and reads back, through missing folders, and leaves nothing beside", async () => {
  const path = join(folder, "runs/a/model.bin");
  await writeFileAtomic(path, Uint8Array.of(1, 2, 3));
  expect([...(await readFileChecked(path))]).toEqual([1, 2, 3]);
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

test("many writers at once leave one whole file", async () => {
  const path = join(folder, "model.bin");
  const written = Array.from({ length: 20 }, (_, value) => new Uint8Array(5000).fill(value));
  await Promise.all(written.map((bytes) => writeFileAtomic(path, bytes)));
  const read = await readFileChecked(path);
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
  await expect(readFileChecked(path)).rejects.toMatchObject({
    code: "ERR_FILE",
    where: path,
    message: expect.stringContaining("ENOENT"),
    cause: expect.objectContaining({ code: "ENOENT" }),
  });
  await expect(readFileChecked(folder)).rejects.toMatchObject({ code: "ERR_FILE" });
});
