// How many threads a process has by default, and why.

/** Threads of a process at most. */
export const MOST_THREADS = 1024;

/** Text of a system file, or `undefined` where there is none. */
export type ReadText = (path: string) => string | undefined;

/** Bounds of the threads of this process on Linux. */
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

/** Where a hierarchy of cgroups is mounted, and which group is the root of what is seen there. */
interface Mount {
  readonly folder: string;
  readonly root: string;
}

/** A line of /proc/self/mountinfo: root, folder, then a dash, type, source and the options of the hierarchy. */
const MOUNT = /^\d+ \d+ \S+ (\S+) (\S+) .*? - (\S+) \S+ (\S+)$/;

/** Hierarchies of a controller (v1), or of all (v2: no controller); where the system tells of none, the usual place. */
function mountsOf(read: ReadText, controller: string | undefined, usual: string): readonly Mount[] {
  const lines = (read("/proc/self/mountinfo") ?? "").split("\n");
  const mounts = lines.flatMap((line): Mount[] => {
    const [, root = "/", folder = "", type = "", options = ""] = MOUNT.exec(line) ?? [];
    const fits =
      controller === undefined ? type === "cgroup2" : type === "cgroup" && options.split(",").includes(controller);
    return fits ? [{ folder, root }] : [];
  });
  return mounts.length > 0 ? mounts : [{ folder: usual, root: "/" }];
}

/** Group of the process in such a hierarchy, as /proc/self/cgroup has it: hierarchy, controllers, path. */
function groupOf(read: ReadText, controller: string | undefined): string {
  for (const line of (read("/proc/self/cgroup") ?? "").split("\n")) {
    const [, hierarchy, controllers = "", path = "/"] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    if (hierarchy === undefined) continue;
    if (controller === undefined ? hierarchy === "0" : controllers.split(",").includes(controller)) return path;
  }
  return "/";
}

/** Folders of the process's cgroup and those around it, innermost first, as far as they are seen here. */
function groupFolders(read: ReadText, controller: string | undefined, usual: string): readonly string[] {
  const group = groupOf(read, controller);
  return mountsOf(read, controller, usual).flatMap(({ folder, root }) => {
    const below = root === "/" ? group : `${group}/`.startsWith(`${root}/`) ? group.slice(root.length) : "";
    const parts = below.split("/").filter((part) => part !== "");
    // In a container without a namespace of its own the path is one of the host's: nothing is there, and the mount itself counts.
    return Array.from({ length: parts.length + 1 }, (_, index) =>
      [folder, ...parts.slice(0, parts.length - index)].join("/"),
    );
  });
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

/** The least of two limits. */
function least(a: Limit | undefined, b: Limit | undefined): Limit | undefined {
  return a === undefined || (b !== undefined && b.value < a.value) ? b : a;
}

function quotaOf(read: ReadText): Limit | undefined {
  const v2 = tightest(read, groupFolders(read, undefined, "/sys/fs/cgroup"), "cpu.max", (text) => {
    const [quota, period] = text.trim().split(" ").map(Number); // `max 100000` has no quota: NaN
    return (quota ?? Number.NaN) / (period ?? Number.NaN);
  });
  const v1 = tightest(
    read,
    groupFolders(read, "cpu", "/sys/fs/cgroup/cpu"),
    "cpu.cfs_quota_us",
    (text, folder) => Number(text) / Number(read(`${folder}/${V1_PERIOD}`)),
  );
  return least(v2, v1);
}

function memoryOf(read: ReadText): Limit | undefined {
  const v2 = tightest(read, groupFolders(read, undefined, "/sys/fs/cgroup"), "memory.max", Number);
  const v1 = tightest(read, groupFolders(read, "memory", "/sys/fs/cgroup/memory"), "memory.limit_in_bytes", Number);
  return least(v2, v1);
}

/** Processors of the affinity mask as a system file has them. */
function allowedProcessors(read: ReadText): readonly number[] | undefined {
  const allowed = /^Cpus_allowed_list:\s*(.*)$/m.exec(read("/proc/self/status") ?? "")?.[1];
  return allowed === undefined ? undefined : parseList(allowed);
}

/** A core counts at its first hyper-thread; where that is not ours, at the first that is. */
function physicalCores(read: ReadText, processors: readonly number[]): number {
  const ours = new Set(processors);
  const seen = new Set<number>();
  let cores = 0;
  for (const processor of processors) {
    if (seen.has(processor)) continue;
    cores += 1;
    const siblings = read(`/sys/devices/system/cpu/cpu${processor}/topology/thread_siblings_list`);
    for (const sibling of siblings === undefined ? [] : parseList(siblings)) if (ours.has(sibling)) seen.add(sibling);
  }
  return cores;
}

/**
 * Cores and memory by the system's files, given the `processors` of the affinity mask or reading them too. `undefined`
 * where there are no such files: not on Linux.
 */
export function readCores(read: ReadText, processors = allowedProcessors(read)): Cores | undefined {
  if (processors === undefined) return undefined;
  const quota = quotaOf(read);
  const memory = memoryOf(read);
  return {
    processors,
    physical: physicalCores(read, processors),
    quota: quota?.value ?? null,
    quotaFile: quota?.file ?? null,
    memory: memory?.value ?? null,
    memoryFile: memory?.file ?? null,
  };
}

/** Threads of a process with these bounds: its cores, or the whole ones that the quota allows; at least 1, at most 1,024. */
export function threadsOf(cores: Cores | undefined, processors: number): number {
  const { physical, quota } = cores ?? { physical: processors, quota: null };
  return Math.max(1, Math.min(physical, Math.floor(quota ?? physical), MOST_THREADS));
}

/** Why a process with these bounds gets so many threads; `given` is its CARILLON_THREADS, obeyed where it is such a number. */
export function reasonFor(threads: number, cores: Cores | undefined, given?: string | undefined): string {
  if (given === String(threads)) return "CARILLON_THREADS";
  if (cores === undefined) return "processors that the system reports";
  if (cores.quota !== null && threads < cores.physical) return `the cgroup's quota (${cores.quotaFile})`;
  if (cores.physical < cores.processors.length) return "physical cores of the processors that this process may use";
  return "processors that this process may use";
}
