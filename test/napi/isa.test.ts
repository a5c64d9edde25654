// CARILLON_ISA chooses the kernels of a process.
import { runtime } from "carillon";
import { beforeAll, describe, expect, test } from "vitest";
import { bundle, runChild } from "../train/child.js";

let program = "";
beforeAll(async () => {
  program = await bundle("print-isa");
});

test.each([...runtime.isas])("%s can be asked for, and gives the same bits", async (isa) => {
  const { code, stdout, stderr } = await runChild(program, { env: { CARILLON_ISA: isa } });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const best = await runChild(program, { env: { CARILLON_ISA: "" } });
  const [chosen, bits] = stdout.trim().split(" ");
  expect([chosen, bits]).toEqual([isa, best.stdout.trim().split(" ")[1]]);
});

describe("a name that is none", () => {
  test.each(["nonsense", "AVX2", "avx2 "])("'%s' is an error that names the choices", async (isa) => {
    const { code, signal, stderr, stdout } = await runChild(program, { env: { CARILLON_ISA: isa } });
    expect({ code, signal, stdout }).toEqual({ code: 1, signal: null, stdout: "" });
    expect(stderr).toContain("CarillonError");
    expect(stderr).toContain("CARILLON_ISA");
    expect(stderr).toContain("ERR_OPTION");
    for (const choice of runtime.isas) expect(stderr).toContain(choice);
  });
});
