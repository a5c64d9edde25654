// A process that ends is noticed by who waits for it, and none outlives the test that has started it.
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { Children, messageOf } from "./children.js";

const folder = mkdtempSync(join(tmpdir(), "carillon-children-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const program = join(folder, "child.mjs");
writeFileSync(
  program,
  `process.send(1);
   process.send(2);
   if (process.argv[2] === "ends") process.disconnect();
   else process.on("message", () => undefined);`,
);

test("messages are waited for as long as the process lives, and no longer", async () => {
  const children = new Children();
  try {
    const ending = children.start(program, ["ends"]);
    expect(await messageOf(ending, (message: number) => (message > 1 ? message : undefined))).toBe(2);
    await expect(messageOf(ending, () => undefined)).rejects.toThrow("has ended");
    const killed = children.start(program, ["lives"]);
    const waiting = messageOf(killed, () => undefined);
    killed.kill("SIGKILL");
    await expect(waiting).rejects.toThrow("has ended");
    await expect(messageOf(killed, () => undefined)).rejects.toThrow("has ended");
    const left = children.start(program, ["lives"]);
    await messageOf(left, (message: number) => message);
    const over = once(left, "exit");
    children.end();
    expect(await over).toEqual([null, "SIGKILL"]);
  } finally {
    children.end();
  }
});
