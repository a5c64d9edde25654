// The native tests (test/native), which walk every kernel table that this machine can run: once of the objects that the addon is made of,
// once with assertions under AddressSanitizer and UndefinedBehaviorSanitizer. Arguments are passed to the test program.
import { join } from "node:path";
import { buildOfAddon, cmakeBuild, mustRun, root } from "./tools.mjs";

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

for (const variant of variants) {
  const { name } = variant;
  const program = await variant.build();
  const started = performance.now();
  const output = await mustRun(name, program, process.argv.slice(2), { env: sanitizers });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${name}: ${output.trimEnd().split("\n").at(-1)} (${seconds} s)`);
}
