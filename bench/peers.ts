// Libraries to compare products with: where they are, and their best setting.
import { existsSync, readdirSync, realpathSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";
import { type Environment, runNative } from "./native.js";
import type { Peers } from "./report.js";

export const LIBRARIES = ["onednn", "openblas", "blis", "mkl"] as const;
export type LibraryName = (typeof LIBRARIES)[number];

interface Library {
  /** What the loader may find by itself. */
  readonly names: readonly string[];
  readonly file: RegExp;
  /** A setting that is tried, in the environment at the time of loading. */
  readonly setting?: string;
}

// Both settings name Intel's AVX-512 kernels to libraries that do not know a newer processor.
const KNOWN: Readonly<Record<LibraryName, Library>> = {
  onednn: { names: ["libdnnl.so.3", "libdnnl.so.2"], file: /^libdnnl[.\d]*\.(so|dylib)[.\d]*$/ },
  openblas: {
    names: ["libopenblas.so.0"],
    file: /^lib(scipy_)?openblas[^/]*\.(so|dylib)[.\d]*$/,
    setting: "OPENBLAS_CORETYPE=SkylakeX",
  },
  blis: { names: ["libblis.so.4"], file: /^libblis[^/]*\.(so|dylib)[.\d]*$/, setting: "BLIS_ARCH_TYPE=skx" },
  mkl: { names: ["libmkl_rt.so.3", "libmkl_rt.so.2"], file: /^libmkl_rt[.\d]*\.(so|dylib)[.\d]*$/ },
};

export interface Candidate {
  readonly library: LibraryName;
  readonly path: string;
  readonly setting?: string;
}

/** Files of the libraries below the directories, one for each that differs, then the usual names not among them. */
export function findCandidates(directories: readonly string[]): Candidate[] {
  const files = directories
    .filter((directory) => existsSync(directory))
    .flatMap((directory) =>
      readdirSync(directory, { recursive: true, encoding: "utf8" }).map((name) => join(directory, name)),
    );
  return LIBRARIES.flatMap((library) => {
    const { names, file } = KNOWN[library];
    const found = files.filter((path) => file.test(basename(path)) && existsSync(path));
    const seen = new Set(found.map((path) => basename(path)));
    const paths = [...new Set(found.map((path) => realpathSync(path))), ...names.filter((name) => !seen.has(name))];
    return paths.map((path) => ({ library, path }));
  });
}

/** The directories of CARILLON_PEERS. */
export function peerDirectories(value = process.env.CARILLON_PEERS): string[] {
  return (value ?? "").split(delimiter).filter((directory) => directory !== "");
}

/**
 * The environment of a run beside others: nothing set for OpenBLAS that its own choice would not be, threads that fall
 * asleep within a millisecond behind a product so that they do not disturb the next turn, and libraries that find what
 * lies beside them.
 */
export function environmentFor(candidates: readonly Candidate[], own: Environment = process.env): Environment {
  const cleared = Object.keys(own).filter((name) => /^(OPENBLAS|BLIS|GOTO|OMP|MKL|KMP|GOMP)_/.test(name));
  const directories = new Set(candidates.map(({ path }) => dirname(path)).filter((directory) => directory !== "."));
  const search = [...directories, own.LD_LIBRARY_PATH ?? ""].filter((directory) => directory !== "");
  return {
    ...Object.fromEntries(cleared.map((name) => [name, undefined])),
    LD_LIBRARY_PATH: search.length > 0 ? search.join(delimiter) : undefined,
    ONEDNN_VERBOSE: "none",
    KMP_BLOCKTIME: "1",
    KMP_DUPLICATE_LIB_OK: "TRUE",
    GOMP_SPINCOUNT: "30000",
    OPENBLAS_THREAD_TIMEOUT: "20",
  };
}

/** Arguments of carillon_bench that name a library. */
export function peerArguments({ library, path, setting }: Candidate): string[] {
  return ["--peer", library, path, ...(setting === undefined ? [] : [setting])];
}

/** GFLOP/s of one library alone, in a process of its own; 0 where it does not load. */
async function speedOf(candidate: Candidate, env: Environment): Promise<number> {
  let gflops = 0;
  await runNative<{ readonly gflops?: number }>(
    ["probe", ...peerArguments(candidate)],
    (row) => {
      gflops = row.gflops ?? gflops;
    },
    { env },
  );
  return gflops;
}

/** What a setting must bring to be chosen: more than two runs differ by. */
const WORTH = 1.05;

/** The candidates that load, each at its best setting. */
export async function choosePeers(candidates: readonly Candidate[]): Promise<Candidate[]> {
  const env = environmentFor(candidates);
  const chosen: Candidate[] = [];
  for (const candidate of candidates) {
    const own = await speedOf(candidate, env);
    if (own === 0) continue;
    const { setting } = KNOWN[candidate.library];
    const told = setting === undefined ? 0 : await speedOf({ ...candidate, setting }, env);
    chosen.push(setting !== undefined && told > WORTH * own ? { ...candidate, setting } : candidate);
  }
  return chosen;
}

/** Versions by library, several where several were found; null where there is none. */
export function describePeers(
  loaded: readonly { readonly library: string; readonly version: string; readonly setting?: string | undefined }[],
): Peers {
  const of = (name: string): string | null => {
    const texts = loaded
      .filter(({ library }) => library === name)
      .map(({ version, setting }) => (setting === undefined ? version : `${version} (${setting})`));
    return texts.length === 0 ? null : [...new Set(texts)].join("; ");
  };
  return Object.fromEntries(LIBRARIES.map((name) => [name, of(name)]));
}
