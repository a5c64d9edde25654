import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { describePeers, environmentFor, findCandidates, peerArguments, peerDirectories } from "../../bench/peers.js";

const root = mkdtempSync(join(tmpdir(), "carillon-peers-"));
afterAll(() => rmSync(root, { recursive: true }));
mkdirSync(join(root, "deep/lib"), { recursive: true });
for (const file of ["libdnnl.so.3.2", "libopenblasp-r0.3.21.so", "libblas.so.3", "libdnnl.txt", "libmkl_rt.so.3"]) {
  writeFileSync(join(root, "deep/lib", file), "");
}
symlinkSync("libdnnl.so.3.2", join(root, "deep/lib/libdnnl.so.3"));

test.skipIf(process.platform === "win32")(
  "libraries are found below a directory, links once, usual names where no file has them",
  () => {
    const found = findCandidates([root, join(root, "absent")]);
    expect(found.map(({ library, path }) => [library, path.replace(root, "")])).toEqual([
      ["onednn", "/deep/lib/libdnnl.so.3.2"],
      ["onednn", "libdnnl.so.2"],
      ["openblas", "/deep/lib/libopenblasp-r0.3.21.so"],
      ["openblas", "libopenblas.so.0"],
      ["blis", "libblis.so.4"],
      ["mkl", "/deep/lib/libmkl_rt.so.3"],
      ["mkl", "libmkl_rt.so.2"],
    ]);
  },
);

test("directories are a list of the environment", () => {
  expect(peerDirectories("")).toEqual([]);
  expect(peerDirectories(["/a", "/b"].join(delimiter))).toEqual(["/a", "/b"]);
});

test("the environment of a run: no settings of others, the directories of the files to search", () => {
  const candidates = [
    { library: "mkl" as const, path: "/p/libmkl_rt.so.3" },
    { library: "blis" as const, path: "libblis.so.4" },
  ];
  const env = environmentFor(candidates, { OPENBLAS_CORETYPE: "Haswell", PATH: "/bin", LD_LIBRARY_PATH: "/q" });
  expect(env).toMatchObject({ OPENBLAS_CORETYPE: undefined, LD_LIBRARY_PATH: ["/p", "/q"].join(delimiter) });
  expect("OPENBLAS_CORETYPE" in env).toBe(true);
  expect("PATH" in env).toBe(false);
});

test("arguments of the native program", () => {
  expect(peerArguments({ library: "blis", path: "libblis.so.4", setting: "A=b" })).toEqual([
    "--peer",
    "blis",
    "libblis.so.4",
    "A=b",
  ]);
});

test("versions by library, with the setting that was chosen", () => {
  const loaded = [
    { library: "onednn", version: "oneDNN 2.6.3" },
    { library: "onednn", version: "oneDNN 3.2.0" },
    { library: "openblas", version: "OpenBLAS 0.3", setting: "A=b" },
  ];
  expect(describePeers(loaded)).toEqual({
    onednn: "oneDNN 2.6.3; oneDNN 3.2.0",
    openblas: "OpenBLAS 0.3 (A=b)",
    blis: null,
    mkl: null,
  });
});
