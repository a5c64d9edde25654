// The native tests (test/native), which walk every kernel table that this machine can run: once of the objects that the addon is made of,
// once with assertions under AddressSanitizer and UndefinedBehaviorSanitizer. Arguments are passed to the test program.
import { join } from "node:path";
import { buildOfAddon, cmakeBuild, jobs, mustRun, root } from "./tools.mjs";

const SANITIZED = "build/native-tests-sanitized";

const variants = [
  { name: "native tests", build: () => buildOfAddon("carillon_native_tests") },
  {
    name: "native tests, ASan and UBSan",
    async build() {
      await cmakeBuild(this.name, SANITIZED, ["-DCARILLON_TESTS=ON", "-DCARILLON_SANITIZE=address,undefined"]);
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
