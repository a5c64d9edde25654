// Why there are as many threads as there are: native/runtime/thread_pool.cc counts, this file tells.

/** Text of a system file, or `undefined` where there is none. */
export type ReadText = (path: string) => string | undefined;

/** What bounds the threads of this process on Linux. */
export interface Cores {
  /** Processors that the affinity mask allows. */
  readonly processors: readonly number[];
  /** Physical cores among them: hyper-threads of one core count once. */
  readonly physical: number;
  /** Cores that the cgroup's quota allows; `null`: no quota. */
  readonly quota: number | null;
  /** Bytes of memory that the cgroup allows; `null`: no limit. */
  readonly memory: number | null;
  /** The file that the quota stands in. */
  readonly quotaFile: string | null;
  readonly memoryFile: string | null;
}

/** `0-2,5` as numbers. */
export function parseList(text: string): readonly number[] {
  return text
    .trim()
    .split(",")
    .filter((part) => part !== "")
    .flatMap((part) => {
      const [first = "", last = first] = part.split("-");
      return Array.from({ length: Number(last) - Number(first) + 1 }, (_, index) => Number(first) + index);
    });
}

/** Folders of the process's cgroup and those around it, innermost first. */
function groupFolders(read: ReadText, mount: string, line: RegExp): readonly string[] {
  const path = line.exec(read("/proc/self/cgroup") ?? "")?.[1] ?? "/";
  const parts = path.split("/").filter((part) => part !== "");
  return Array.from({ length: parts.length + 1 }, (_, index) =>
    [mount, ...parts.slice(0, parts.length - index)].join("/"),
  );
}

interface Limit {
  readonly value: number;
  readonly file: string;
}

/** The least limit of the folders. */
function tightest(
  read: ReadText,
  folders: readonly string[],
  name: string,
  parse: (text: string, folder: string) => number,
): Limit | undefined {
  let least: Limit | undefined;
  for (const folder of folders) {
    const file = `${folder}/${name}`;
    const text = read(file);
    const value = text === undefined ? Number.NaN : parse(text, folder);
    if (value > 0 && value < Number.MAX_SAFE_INTEGER && !(value >= (least?.value ?? Number.POSITIVE_INFINITY))) {
      least = { value, file };
    }
  }
  return least;
}

const V1_PERIOD = "cpu.cfs_period_us";

function quotaOf(read: ReadText): Limit | undefined {
  const unified = groupFolders(read, "/sys/fs/cgroup", /^0::(.*)$/m);
  const v2 = tightest(read, unified, "cpu.max", (text) => {
    const [quota, period] = text.trim().split(" ").map(Number); // `max 100000` has no quota: NaN
    return (quota ?? Number.NaN) / (period ?? Number.NaN);
  });
  if (v2 !== undefined) return v2;
  const v1 = groupFolders(read, "/sys/fs/cgroup/cpu", /^\d+:(?:[\w,]*,)?cpu(?:,[\w,]*)?:(.*)$/m);
  return tightest(
    read,
    v1,
    "cpu.cfs_quota_us",
    (text, folder) => Number(text) / Number(read(`${folder}/${V1_PERIOD}`)),
  );
}

function memoryOf(read: ReadText): Limit | undefined {
  const unified = groupFolders(read, "/sys/fs/cgroup", /^0::(.*)$/m);
  const v2 = tightest(read, unified, "memory.max", Number);
  if (v2 !== undefined) return v2;
  const v1 = groupFolders(read, "/sys/fs/cgroup/memory", /^\d+:(?:[\w,]*,)?memory(?:,[\w,]*)?:(.*)$/m);
  return tightest(read, v1, "memory.limit_in_bytes", Number);
}

/** What the system's files say of cores and memory. `undefined` where there are no such files: not on Linux. */
export function readCores(read: ReadText): Cores | undefined {
  const allowed = /^Cpus_allowed_list:\s*(.*)$/m.exec(read("/proc/self/status") ?? "")?.[1];
  if (allowed === undefined) return undefined;
  const processors = parseList(allowed);
  const cores = processors.filter((processor) => {
    const siblings = read(`/sys/devices/system/cpu/cpu${processor}/topology/thread_siblings_list`);
    const first = siblings === undefined ? undefined : parseList(siblings)[0];
    // As native code has it: a core counts at its first sibling, or here when that one is not ours.
    return first === undefined || first === processor || !processors.includes(first);
  });
  const quota = quotaOf(read);
  const memory = memoryOf(read);
  return {
    processors,
    physical: cores.length,
    quota: quota?.value ?? null,
    quotaFile: quota?.file ?? null,
    memory: memory?.value ?? null,
    memoryFile: memory?.file ?? null,
  };
}

/** Why a process with these bounds gets so many threads; `given` is its CARILLON_THREADS, obeyed where it is such a number. */
export function reasonFor(threads: number, cores: Cores | undefined, given?: string | undefined): string {
  if (given === String(threads)) return "CARILLON_THREADS";
  if (cores === undefined) return "processors that the system reports";
  if (cores.quota !== null && threads < cores.physical) return `the cgroup's quota (${cores.quotaFile})`;
  if (cores.physical < cores.processors.length) return "physical cores of the processors that this process may use";
  return "processors that this process may use";
}
