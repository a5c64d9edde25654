// The `carillon` command as it is built, in processes of their own.
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { atLeast, type DoctorReport } from "../../lib/cli/doctor.js";
import { EXPECTED_BITS } from "../../lib/cli/expected.js";
import { runtime } from "../../lib/index.js";
import { root } from "../../scripts/tools.mjs";
import { command, carillon as run } from "./carillon.js";

const work = mkdtempSync(join(tmpdir(), "carillon-cli-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

beforeEach((context) => {
  if (!existsSync(command)) context.skip("nothing is built: npm run build:js");
});

function carillon(args: readonly string[], env: Record<string, string> = {}) {
  return run(args, { cwd: work, env });
}

function doctor(env: Readonly<Record<string, string>> = {}) {
  const { status, stdout, stderr } = carillon(["doctor", "--json"], env);
  expect(stderr).toBe("");
  return { status, report: JSON.parse(stdout) as DoctorReport };
}

describe("arguments", () => {
  test.each([
    [[], "a command is wanted"],
    [["docter"], "there is no command 'docter'. Did you mean 'doctor'?"],
    [["docter", "--json"], "there is no command 'docter'. Did you mean 'doctor'?"],
    [["biuld"], "there is no command 'biuld'. Did you mean 'build'?"],
    [["constructor"], "there is no command 'constructor'. Known: 'inspect',"],
    [["doctor", "now"], "'carillon doctor' takes no 'now'"],
    [["doctor", "--verbose"], "'carillon doctor' takes no '--verbose'. Known: '--json', '--version', '--help'"],
    [["doctor", "--bogus"], "'carillon doctor' takes no '--bogus'. Known: '--json', '--version', '--help'"],
    [["doctor", "--jsno"], "'carillon doctor' takes no '--jsno'. Did you mean '--json'?"],
    [["build", "--verbos"], "'carillon build' takes no '--verbos'. Did you mean '--verbose'?"],
    [["build", "--ouut=x"], "'carillon build' takes no '--ouut'. Did you mean '--out'?"],
    [["build", "--jason"], "'carillon build' takes no '--jason'. Known: '--out', '--verbose', '--version', '--help'"],
    [["--bogus"], "'carillon' takes no '--bogus'. Known: '--version', '--help'"],
    [["--versoin"], "'carillon' takes no '--versoin'. Did you mean '--version'?"],
    [["doctor", "-x"], "'carillon doctor' takes no '-x'. Known:"],
    [["build", "--out"], "--out"],
    [["doctor", "--json=yes"], "--json"],
  ])("%j make no sense", (args, message) => {
    const { status, stderr, stdout } = carillon(args);
    expect(status).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain(message);
    expect(stderr.toLowerCase()).toContain("usage: carillon");
  });

  test("--version and --help", () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    expect(carillon(["--version"])).toMatchObject({ status: 0, stdout: `${version}\n` });
    const help = carillon(["--help"]);
    expect(help.status).toBe(0);
    expect(help.stdout).toContain("doctor");
  });
});

describe("doctor", () => {
  test("finds nothing wrong here, and says what there is", () => {
    const { status, report } = doctor();
    expect(report.problems).toEqual([]);
    expect(status).toBe(0);
    const { binary, kernels, threads, selfCheck } = report;
    const bytes = readFileSync(binary?.path ?? "");
    expect(binary?.sha256).toBe(createHash("sha256").update(bytes).digest("hex"));
    expect(kernels?.present).toEqual(runtime.isas);
    expect(threads?.count).toBe(runtime.threads);
    // Every table of this processor, with one thread and with two.
    expect(Object.keys(selfCheck?.bits ?? {}).sort()).toEqual([...runtime.isas].sort());
    const { sha256, numericsVersion } = EXPECTED_BITS;
    for (const hashes of Object.values(selfCheck?.bits ?? {})) expect(hashes).toEqual([sha256, sha256]);
    expect(numericsVersion).toBe(runtime.numericsVersion);
    for (const { gflops } of selfCheck?.gemm ?? []) expect(gflops).toBeGreaterThan(0);
    // Threads as native code counts them.
    const { cores } = report;
    if (cores === null) return expect(process.platform).not.toBe("linux");
    const quota = Math.max(1, Math.floor(cores.quota ?? cores.physical));
    expect(threads?.count).toBe(Math.min(cores.physical, quota));
  });

  test("the text has every finding", () => {
    const { status, stdout } = carillon(["doctor"], { CARILLON_ISA: "scalar" });
    expect(status).toBe(0);
    for (const text of ["platform", "sha256", "scalar (CARILLON_ISA)", "threads", "GFLOP/s", "all is well"]) {
      expect(stdout).toContain(text);
    }
  });

  test("a binary that is none", () => {
    const file = join(work, "none.node");
    writeFileSync(file, "this is text");
    const { status, report } = doctor({ CARILLON_BINARY: file });
    expect(status).toBe(1);
    expect(report.binary).toMatchObject({ path: file, from: "CARILLON_BINARY" });
    expect(report.selfCheck).toBeNull();
    expect(report.problems).toEqual([expect.stringContaining("does not load")]);
  });

  test("a binary that is not there", () => {
    const { status, report } = doctor({ CARILLON_BINARY: join(work, "absent.node") });
    expect(status).toBe(1);
    expect(report.binary?.sha256).toBeNull();
    expect(report.problems).toEqual([expect.stringContaining("cannot be read")]);
  });

  test("an instruction set that is not there", () => {
    const { status, report } = doctor({ CARILLON_ISA: "abacus" });
    expect(status).toBe(1);
    expect(report.problems).toEqual([expect.stringContaining("CARILLON_ISA")]);
  });

  test.each([
    ["20.19.0", true],
    ["20.19.1", true],
    ["20.20.0", true],
    ["22.0.0", true],
    ["20.18.9", false],
    ["18.99.99", false],
  ])("Node.js %s is enough: %s", (version, enough) => {
    expect(atLeast(version, ">=20.19.0")).toBe(enough);
  });
});

describe("build", () => {
  test.runIf(process.platform === "win32")("says that it does not know Windows", () => {
    const { status, stderr } = carillon(["build", "--out", join(work, "built.node")]);
    expect(status).toBe(1);
    expect(stderr).toContain("does not know Windows");
  });

  test.skipIf(process.platform === "win32")("says what is missing", () => {
    const { status, stdout, stderr } = carillon(["build", "--out", join(work, "built.node")], { PATH: work });
    expect(status).toBe(1);
    expect(stdout).toContain("compiling carillon");
    expect(stderr).toContain("CMake >= 3.20");
    expect(existsSync(join(work, "built.node"))).toBe(false);
  });
});
