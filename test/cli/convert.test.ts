// `carillon convert`, and `carillon inspect` of files of other frameworks.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { linear, loadModel, relu, sequential } from "carillon";
import { modelToJson } from "carillon/exchange";
import { afterAll, beforeEach, expect, test } from "vitest";
import { carillon, isBuilt } from "./carillon.js";

const cwd = mkdtempSync(join(tmpdir(), "carillon-convert-"));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));
beforeEach((context) => {
  if (!isBuilt) context.skip("nothing is built: npm run prepare");
});

const fixture = (name: string): string => fileURLToPath(new URL(`../exchange/fixtures/${name}`, import.meta.url));

test("a model of Keras becomes one of ours, and tells what was left out", async () => {
  const { status, stdout, stderr } = carillon(["convert", fixture("dense.keras"), "m.safetensors"], { cwd });
  expect(stderr).toBe("left out, as it changes no answer: dense_1.kernel_regularizer\n");
  expect([status, stdout]).toEqual([0, `${fixture("dense.keras")}: Keras model → m.safetensors: Carillon model\n`]);
  expect((await loadModel(join(cwd, "m.safetensors"))).parameters.length).toBe(6);
  const inspected = carillon(["inspect", "m.safetensors"], { cwd });
  expect(inspected.stdout).toContain("batch_normalization");
});

test("weights of PyTorch go into a model by a map", async () => {
  const model = sequential(linear(4, 6), relu(), linear(6, 3));
  writeFileSync(join(cwd, "layers.json"), JSON.stringify(modelToJson(model)));
  writeFileSync(join(cwd, "map.json"), JSON.stringify({ linear1: "0", linear2: "4" }));
  const made = carillon(["convert", "layers.json", "m.npz", "--names", "pytorch"], { cwd });
  expect([made.status, made.stderr]).toEqual([0, ""]);
  const args = ["convert", "m.npz", "w.safetensors", "--model", "layers.json"];
  expect(carillon(args, { cwd })).toMatchObject({ status: 0, stderr: "" });
  expect((await loadModel(join(cwd, "w.safetensors"))).parameters.length).toBe(4);
  const refused = carillon([...args, "--map", "map.json"], { cwd });
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain("4.weight [3, 6]");
  expect(carillon([...args, "--map", "none.json"], { cwd })).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("--map"),
  });
  expect(carillon([...args, "--names", "keras"], { cwd }).status).toBe(2);
});

test("what a file of somebody else holds is told as text and as JSON", () => {
  const text = carillon(["inspect", fixture("types.pt")], { cwd });
  expect(text.stdout).toContain("PyTorch, ");
  expect(text.stdout).toMatch(/ {2}float16 +f16 +\[2, 3\]/);
  const json = carillon(["inspect", fixture("dense.keras"), "--json"], { cwd });
  expect(JSON.parse(json.stdout)).toMatchObject({ format: "Keras model", elements: 75 });
  const hard = carillon(["inspect", fixture("tfjs/hard/model.json")], { cwd });
  expect(hard.stdout).toContain("does not become a model: ");
  const plain = carillon(["inspect", fixture("types.safetensors")], { cwd });
  expect(plain.stdout).toContain("safetensors, ");
  expect(carillon(["inspect", fixture("other.pt")], { cwd })).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("nothing of a file is executed"),
  });
});
