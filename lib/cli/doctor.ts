import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { accessSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { type Cores, readCores, reasonFor } from "../binding/cores.js";
import { type Binary, findBinary } from "../binding/load.js";
import { libc } from "../binding/platform.js";
import { messageOf } from "../errors.js";
import { EXPECTED_BITS } from "./expected.js";
import { manifest, ownFolder } from "./package.js";
import type { SelfCheck } from "./self_check.js";

/** The report that `carillon doctor --json` prints. */
export interface DoctorReport {
  readonly version: string;
  readonly folder: string;
  readonly platform: {
    readonly os: string;
    readonly arch: string;
    readonly release: string;
    readonly libc: string | null;
  };
  readonly node: { readonly version: string; readonly needs: string; readonly napi: string };
  readonly binary: (Binary & { readonly sha256: string | null }) | null;
  /** `chosen` is what an import uses, `present` what this processor has, best first. */
  readonly kernels: {
    readonly chosen: string;
    readonly present: readonly string[];
    readonly forced: string | null;
  } | null;
  readonly threads: { readonly count: number; readonly reason: string } | null;
  /** Affinity and cgroup limits; `null` where the system has none. */
  readonly cores: Cores | null;
  readonly selfCheck: {
    readonly numericsVersion: number;
    readonly expected: string;
    /** By instruction set: hashes of the run with one thread and with two. */
    readonly bits: Readonly<Record<string, readonly string[]>>;
    readonly gemm: SelfCheck["gemm"];
  } | null;
  /** Faults that were found. */
  readonly problems: readonly string[];
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** The SHA-256 of a file; `null` if it cannot be read. */
function hashOf(path: string): string | null {
  try {
    accessSync(path);
    return createHash("sha256").update(readFileSync(path)).digest("hex");
  } catch {
    return null;
  }
}

/** Whether `version` (20.19.1) is at least that of `>=20.19.0`. */
export function atLeast(version: string, range: string): boolean {
  const parts = (text: string): number[] => text.replace(/^\D*/, "").split(".").map(Number);
  const [have, want] = [parts(version), parts(range)];
  const index = want.findIndex((part, place) => part !== have[place]);
  return index < 0 || (have[index] ?? 0) > (want[index] ?? 0);
}

/** As long as the slowest kernels may take on a machine with much else to do; longer means that it hangs. */
const SECONDS = 120;

/** Runs self_check.js in a process of its own, with the kernels `isa`, or those that an import takes. */
function checkItself(args: readonly string[], isa?: string): SelfCheck | string {
  const program = join(ownFolder(), "dist/cli/self_check.js");
  const { status, signal, stdout, stderr, error } = spawnSync(process.execPath, [program, ...args], {
    encoding: "utf8",
    timeout: SECONDS * 1000,
    env: isa === undefined ? process.env : { ...process.env, CARILLON_ISA: isa },
  });
  if (status === 0) return JSON.parse(stdout) as SelfCheck; // what our own program prints
  if (error !== undefined && signal === null) return error.message;
  if (signal !== null) return `ended by ${signal}`;
  return /^\w*Error(?: \[\w+\])?: (.*)$/m.exec(stderr)?.[1] ?? (stderr.trim() || `status ${status}`);
}

interface Examined {
  readonly check: SelfCheck | undefined;
  readonly bits: Readonly<Record<string, readonly string[]>>;
}

/** The self-check with the kernels in use, which is also timed, then with all others that the processor has. */
function examineKernels(problems: string[]): Examined {
  const check = checkItself(["--speed"]);
  if (typeof check === "string") {
    problems.push(`the self-check failed: ${check}`);
    return { check: undefined, bits: {} };
  }
  const others = check.isas.filter((isa) => isa !== check.isa);
  const all = [[check.isa, check] as const, ...others.map((isa) => [isa, checkItself([], isa)] as const)];
  const bits: Record<string, readonly string[]> = {};
  for (const [isa, result] of all) {
    if (typeof result === "string") problems.push(`the self-check failed with CARILLON_ISA=${isa}: ${result}`);
    else bits[isa] = result.bits;
  }
  if (check.numericsVersion !== EXPECTED_BITS.numericsVersion) {
    problems.push(
      `the binary has numericsVersion ${check.numericsVersion}, this package is of ${EXPECTED_BITS.numericsVersion}`,
    );
  }
  for (const [isa, hashes] of Object.entries(bits)) {
    if (hashes.some((hash) => hash !== EXPECTED_BITS.sha256)) problems.push(`${isa} computes other bits than expected`);
  }
  return { check, bits };
}

function examineBinary(problems: string[]): DoctorReport["binary"] {
  try {
    const binary = findBinary();
    const sha256 = hashOf(binary.path);
    if (sha256 === null) problems.push(`${binary.path} (${binary.from}) cannot be read`);
    return { ...binary, sha256 };
  } catch (error) {
    problems.push(messageOf(error));
    return null;
  }
}

/** Looks at the machine and the package, and lets Carillon compute; takes seconds. */
export function examine(): DoctorReport {
  const { version, engines } = manifest();
  const problems: string[] = [];
  if (!atLeast(process.versions.node, engines.node)) {
    problems.push(`Node.js ${engines.node} is wanted, this is ${process.versions.node}`);
  }
  const binary = examineBinary(problems);
  const { check, bits } =
    binary?.sha256 === undefined || binary.sha256 === null ? { check: undefined, bits: {} } : examineKernels(problems);
  const cores = readCores(readText) ?? null;
  const reason = (threads: number): string => reasonFor(threads, cores ?? undefined, process.env.CARILLON_THREADS);
  return {
    version,
    folder: ownFolder(),
    platform: { os: process.platform, arch: process.arch, release: release(), libc: libc() ?? null },
    node: { version: process.version, needs: engines.node, napi: process.versions.napi ?? "none" },
    binary,
    kernels:
      check === undefined ? null : { chosen: check.isa, present: check.isas, forced: process.env.CARILLON_ISA || null },
    threads: check === undefined ? null : { count: check.threads, reason: reason(check.threads) },
    cores,
    selfCheck:
      check === undefined
        ? null
        : { numericsVersion: check.numericsVersion, expected: EXPECTED_BITS.sha256, bits, gemm: check.gemm },
    problems,
  };
}

const MEBIBYTE = 1024 * 1024;

function limitsText({ processors, physical, quota, memory }: Cores): string {
  const cpus = `${processors.length} processors, ${physical} physical cores`;
  const share = quota === null ? "no quota of the cgroup" : `the cgroup's quota is ${quota} cores`;
  const bytes = memory === null ? "no limit of memory" : `${Math.floor(memory / MEBIBYTE)} MiB of memory`;
  return `${cpus}; ${share}; ${bytes}`;
}

/** The report for people. */
export function reportText(report: DoctorReport): string {
  const { platform, node, binary, kernels, threads, cores, selfCheck, problems } = report;
  const rows: readonly (readonly [string, string | undefined])[] = [
    ["carillon", `${report.version}, ${report.folder}`],
    ["platform", [`${platform.os}-${platform.arch}`, platform.libc, platform.release].filter(Boolean).join(", ")],
    ["Node.js", `${node.version} (${node.needs} is wanted), Node-API ${node.napi}`],
    ["binary", binary === null ? undefined : `${binary.path} (${binary.from})`],
    ["", binary?.sha256 === undefined ? undefined : `sha256 ${binary.sha256}`],
    [
      "kernels",
      kernels === null
        ? undefined
        : `${kernels.chosen}${kernels.forced === null ? "" : " (CARILLON_ISA)"} of ${kernels.present.join(", ")}`,
    ],
    ["threads", threads === null ? undefined : `${threads.count}: ${threads.reason}`],
    ["", cores === null ? undefined : limitsText(cores)],
    ["self-check", selfCheck === null ? undefined : bitsText(selfCheck)],
    ["", selfCheck === null ? undefined : speedText(selfCheck.gemm)],
  ];
  const lines = rows.flatMap(([title, text]) => (text === undefined ? [] : [`${title.padEnd(12)}${text}`]));
  const verdict = problems.length === 0 ? "all is well" : ["what is wrong:", ...problems].join("\n  - ");
  return [...lines, "", verdict].join("\n");
}

function bitsText({ numericsVersion, bits, expected }: NonNullable<DoctorReport["selfCheck"]>): string {
  const right = Object.entries(bits).map(([isa, hashes]) => {
    return hashes.every((hash) => hash === expected) ? isa : `${isa} DIFFERS`;
  });
  return `a training run has the bits of numericsVersion ${numericsVersion}: ${right.join(", ")}`;
}

function speedText(speeds: SelfCheck["gemm"]): string {
  const texts = speeds.map(({ threads, gflops }) => `${gflops.toFixed(0)} GFLOP/s with ${threads}`);
  return `products of 512 × 512: ${texts.join(", ")} (threads)`;
}
