// The native tests (test/native), which walk every kernel table that this machine can run: once as released, with
// assertions, once under AddressSanitizer and UndefinedBehaviorSanitizer. Arguments are passed to the test program.
import { join } from "node:path";
import { cmakeBuild, mustRun, root } from "./tools.mjs";

const variants = [
  // The benchmarks are built with it, of the same objects: `npm run smoke` starts them.
  { name: "native tests", directory: "build/native-tests", options: ["-DCARILLON_BENCH=ON"] },
  {
    name: "native tests, ASan and UBSan",
    directory: "build/native-tests-sanitized",
    options: ["-DCARILLON_SANITIZE=address,undefined"],
  },
];
const sanitizers = {
  ASAN_OPTIONS: "detect_stack_use_after_return=1:strict_string_checks=1",
  UBSAN_OPTIONS: "print_stacktrace=1",
};

for (const { name, directory, options } of variants) {
  await cmakeBuild(name, directory, ["-DCARILLON_TESTS=ON", ...options]);
  const program = join(root, directory, "carillon_native_tests");
  const started = performance.now();
  const output = await mustRun(name, program, process.argv.slice(2), { env: sanitizers });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${name}: ${output.trimEnd().split("\n").at(-1)} (${seconds} s)`);
}
