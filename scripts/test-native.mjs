// The native tests (test/native), which walk every kernel table that this machine can run: once of the objects that the addon is made of,
// once with assertions under AddressSanitizer and UndefinedBehaviorSanitizer. Arguments are passed to the test program.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { buildOfAddon, cmakeBuild, jobs, mustRun, root } from "./tools.mjs";

const SANITIZED = "build/native-tests-sanitized";

/** Whether this machine may run the kernels for AVX-512; only Linux says so in a file. */
function mayHaveAvx512() {
  const told = "/proc/cpuinfo";
  return !existsSync(told) || /\bavx512vl\b/.test(readFileSync(told, "utf8"));
}

const variants = [
  { name: "native tests", build: () => buildOfAddon("carillon_native_tests") },
  {
    name: "native tests, ASan and UBSan",
    async build() {
      // A table that nothing here could run takes a minute to compile with sanitizers.
      const tables = `-DCARILLON_AVX512=${mayHaveAvx512() ? "ON" : "OFF"}`;
      const options = ["-DCARILLON_TESTS=ON", "-DCARILLON_SANITIZE=address,undefined", tables];
      await cmakeBuild(this.name, SANITIZED, options);
      return join(root, SANITIZED, "carillon_native_tests");
    },
  },
];
const sanitizers = {
  ASAN_OPTIONS: "detect_stack_use_after_return=1:strict_string_checks=1",
  UBSAN_OPTIONS: "print_stacktrace=1",
};

/**
 * How many cases of an output have passed; all that it says where one failed, or none was run.
 *
 * @param {string} output
 */
function passedOf(output) {
  const [, passed, failed] = /(\d+) passed, (\d+) failed/.exec(output) ?? [];
  if (passed === undefined || failed !== "0") throw new Error(output);
  return Number(passed);
}

for (const variant of variants) {
  const { name } = variant;
  const program = await variant.build();
  const started = performance.now();
  // Most cases have one thread: a process a core.
  const shares = Array.from({ length: Number(jobs) }, (_, own) => {
    return mustRun(name, program, process.argv.slice(2), {
      env: { ...sanitizers, CARILLON_TEST_SHARE: `${own}/${jobs}` },
    });
  });
  const passed = (await Promise.all(shares)).map(passedOf).reduce((sum, count) => sum + count, 0);
  if (passed === 0) throw new Error(`${name}: no case has that name`);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${name}: ${passed} passed, 0 failed (${seconds} s)`);
}
