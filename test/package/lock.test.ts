// The lock file: every package by its hash, and no address, which would be that of one machine.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

interface Locked {
  readonly link?: boolean;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly inBundle?: boolean;
}

const text = readFileSync(fileURLToPath(new URL("../../package-lock.json", import.meta.url)), "utf8");
const { packages } = JSON.parse(text) as { readonly packages: Readonly<Record<string, Locked>> };
const installed = Object.entries(packages).filter(([name]) => name !== "");

test("names every package by its hash", () => {
  const without = installed.filter(([, { integrity, inBundle }]) => !(inBundle || /^sha512-/.test(integrity ?? "")));
  expect(installed.length).toBeGreaterThan(50);
  expect(without.map(([name]) => name)).toEqual([]);
});

test("has no addresses", () => {
  expect(installed.filter(([, { resolved }]) => resolved !== undefined).map(([name]) => name)).toEqual([]);
});
