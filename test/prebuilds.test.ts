// What the binaries ask of the machine that loads them, and what they give: the one that is built here, and those of
// prebuilds/ (npm run prebuild:all) that there are.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const ENTRIES = ["napi_register_module_v1", "node_api_module_get_api_version_v1"];

/** Files below prebuilds/, or build/Release, relative to the root. */
function binariesIn(folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
    .filter((name) => name.endsWith(".node"))
    .sort();
}

const prebuilds = binariesIn("prebuilds");
const binaries = [...binariesIn("build/Release"), ...prebuilds];

const bytesOf = (file: string): Buffer => readFileSync(join(root, file));

function formatOf(file: string): "ELF" | "PE" | "Mach-O" {
  const begin = bytesOf(file).toString("latin1", 0, 4);
  if (begin === "\x7fELF") return "ELF";
  return begin.startsWith("MZ") ? "PE" : "Mach-O";
}

/** Made by prebuild:all. */
const portable = (file: string): boolean => file.startsWith("prebuilds/") && !/\.(glibc|musl)\./.test(file);

const filesOf = (format: string): string[] => binaries.filter((file) => formatOf(file) === format);

/** Whether a program is on this machine; tests that need a missing one are skipped, and say so. */
const has = (program: string): boolean => spawnSync(program, ["--version"]).status === 0;

/** The lines that a program prints about a binary. */
function lines(program: string, args: readonly string[], file: string): string[] {
  const { status, stdout, stderr } = spawnSync(program, [...args, join(root, file)], { encoding: "utf8" });
  expect(status, `${program} ${args.join(" ")} ${file}: ${stderr}`).toBe(0);
  return stdout.split("\n");
}

/** The first groups of the lines that match. */
function found(text: readonly string[], pattern: RegExp): string[] {
  return text.flatMap((line) => pattern.exec(line)?.[1] ?? []);
}

/** "2.28" as a number that can be compared. */
function versionNumber(version: string): number {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  return major * 1e6 + minor * 1e3 + patch;
}

test("what the addon calls of Node-API is what the binary for Windows asks its host for", (context) => {
  const file =
    filesOf("ELF").find((one) => one.startsWith("build/Release")) ?? context.skip("no ELF binary is built here");
  const listed = readFileSync(join(root, "native/napi/host_functions.def"), "utf8").matchAll(/^X\((\w+)\)$/gm);
  const known = new Set(Array.from(listed, ([, name = ""]) => name));
  const called = new Set(
    Array.from(
      bytesOf(file)
        .toString("latin1")
        .matchAll(/\0(napi_\w+)(?=\0)/g),
      ([, name = ""]) => name,
    ),
  );
  expect(called.size).toBeGreaterThan(50);
  // Of classes of node-addon-api that nothing makes: linkers that look at every function leave them out.
  const unused = ["napi_async_destroy", "napi_close_callback_scope", "napi_register_module_v1"];
  expect([...called].filter((name) => !known.has(name) && !unused.includes(name))).toEqual([]);
});

test("there is a binary to look at", () => {
  expect(binaries.length).toBeGreaterThan(0);
});

test("prebuilds/ has names that node-gyp-build looks for", (context) => {
  if (prebuilds.length === 0) context.skip("there are no prebuilds: npm run prebuild:all");
  // `npm run prebuild` (prebuildify) tags the C library; the binaries of prebuild:all run with both.
  const names =
    /^prebuilds\/(linux-(x64|arm64)\/carillon(\.glibc|\.musl)?|(win32-x64|darwin-(x64|arm64))\/carillon)\.node$/;
  for (const file of prebuilds) expect(file).toMatch(names);
});

describe.skipIf(!has("readelf"))("ELF binaries, by readelf (Debian: binutils)", () => {
  describe.each(filesOf("ELF"))("%s", (file) => {
    test("needs only the C library", () => {
      const needed = found(lines("readelf", ["-dW"], file), /\(NEEDED\).*\[(.*)\]/);
      expect(needed.length).toBeGreaterThan(0);
      // musl's loader takes these for itself, but not ld-linux, which a binary for one C library may need.
      const allowed = /^lib(c|m|pthread|dl)\.so\.\d$/;
      const besides = portable(file) ? /^$/ : /^ld-linux-[\w-]+\.so\.[12]$/;
      expect(needed.filter((name) => !allowed.test(name) && !besides.test(name))).toEqual([]);
    });

    test("stays in memory when the last worker that has loaded it ends", () => {
      expect(lines("readelf", ["-dW"], file).some((line) => /\(FLAGS_1\).*\bNODELETE\b/.test(line))).toBe(true);
    });

    test("has no search path of its own", () => {
      expect(found(lines("readelf", ["-dW"], file), /\((RPATH|RUNPATH)\)/)).toEqual([]);
    });

    test("asks for no newer C library than glibc 2.28, and for no C++ library", () => {
      const versions = found(lines("readelf", ["-VW"], file), /Name: (\w+_[\w.]+)\s/);
      expect(versions.filter((name) => !name.startsWith("GLIBC_"))).toEqual([]);
      if (!portable(file)) return; // what is built here may need the glibc that is here
      const newer = versions.filter((name) => versionNumber(name.slice("GLIBC_".length)) > versionNumber("2.28"));
      expect(newer).toEqual([]);
    });

    test("exports the entry points of Node-API alone, and imports no C++", () => {
      // Num: Value Size Type Bind Vis Ndx Name[@Version]
      const symbols = lines("readelf", ["--dyn-syms", "-W"], file)
        .map((line) => line.trim().split(/\s+/))
        .filter(([number = "", , , , bind = ""]) => /^\d+:$/.test(number) && /^(GLOBAL|WEAK)$/.test(bind))
        .map((fields) => ({ bind: fields[4], defined: fields[6] !== "UND", name: fields[7] ?? "" }));
      expect(
        symbols
          .filter(({ defined }) => defined)
          .map(({ name }) => name)
          .sort(),
      ).toEqual(ENTRIES);
      // What is weak may be missing.
      const imported = symbols.filter(({ bind, defined }) => bind === "GLOBAL" && !defined).map(({ name }) => name);
      expect(imported).toContain("napi_create_function");
      expect(imported.filter((name) => /^_Z|^__cxa_(throw|begin_catch)/.test(name))).toEqual([]);
      // What musl has not, or not with the same meaning.
      const strange =
        /^(__tls_get_addr|strerror_r|__isoc\d+_\w+|\w+_chk|__x?stat\w*|\w+64|gnu_\w+|__cxa_thread_atexit_impl)(@|$)/;
      if (portable(file)) expect(imported.filter((name) => strange.test(name))).toEqual([]);
    });
  });
});

test("Windows binaries import from Windows alone, whatever the name of the program that is Node.js", (context) => {
  if (!has("objdump")) context.skip("there is no objdump on this machine (Debian: binutils)");
  const files = filesOf("PE");
  if (files.length === 0) context.skip("there is no Windows binary: npm run prebuild:all");
  for (const file of files) {
    const text = lines("objdump", ["-p"], file);
    const libraries = found(text, /DLL Name: (\S+)/).map((name) => name.toLowerCase());
    expect(libraries).toContain("kernel32.dll");
    const system = /^((kernel32|ntdll|ucrtbase|msvcrt)\.dll|api-ms-win-(crt|core)-[\w-]+\.dll)$/;
    expect(libraries.filter((name) => !system.test(name))).toEqual([]);
    const names = text.slice(text.findIndex((line) => line.includes("[Ordinal/Name Pointer]")));
    expect(found(names, /^\s+\[\s*\d+\](?: \+base\[\s*\d+\])?\s+(?:[\da-f]+ )?([a-z_]\w+)$/)).toEqual(ENTRIES);
  }
});

/** What Zig's linker for macOS exports too: names of its own, and the replaceable operators of C++. */
const LINKER_EXPORTS = /^(__dso_handle|_mh_dylib_header|_Z(na|nw|da|dl)\w+)$/;

test("macOS binaries need libSystem and macOS 11 alone", (context) => {
  if (!has("llvm-objdump") || !has("llvm-nm")) context.skip("there is no llvm-objdump on this machine (Debian: llvm)");
  const files = filesOf("Mach-O");
  if (files.length === 0) context.skip("there is no macOS binary: npm run prebuild:all");
  for (const file of files) {
    const libraries = found(lines("llvm-objdump", ["--macho", "--dylibs-used"], file), /^\s+(\S+) \(compatibility/);
    // The first is its own name.
    expect(libraries.slice(1), file).toEqual(["/usr/lib/libSystem.B.dylib"]);
    expect(found(lines("llvm-objdump", ["--macho", "--private-headers"], file), /^\s*minos (\S+)/)).toEqual(["11.0"]);
    const names = (args: readonly string[]): string[] => found(lines("llvm-nm", ["-j", ...args], file), /^_(\S+)$/);
    const exported = names(["--defined-only", "--extern-only"]).filter((name) => !LINKER_EXPORTS.test(name));
    expect(exported.sort(), file).toEqual(ENTRIES);
    expect(names(["--undefined-only"]), file).toContain("napi_create_function");
  }
});

test.each(prebuilds)("%s names no folder of the machine that built it", (file) => {
  const text = bytesOf(file).toString("latin1");
  expect(text.includes(root.slice(0, -1))).toBe(false);
  expect(text).not.toMatch(/\/(?:home|Users|root|build)\/[\w.-]+\//);
});
