// What the files of a Linux system say of cores and memory, in the layouts that the kernel's documentation describes
// (cgroup-v2.rst, cgroup-v1/memory.rst, sched-bwc.rst).
import { describe, expect, test } from "vitest";
import { parseList, readCores, reasonFor, threadsOf } from "../../lib/binding/cores.js";

/** Two hyper-threads a core: 0 and 4, 1 and 5, 2 and 6, 3 and 7. */
const TOPOLOGY = Object.fromEntries(
  Array.from({ length: 8 }, (_, cpu) => [
    `/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`,
    `${cpu % 4},${(cpu % 4) + 4}\n`,
  ]),
);

function coresOf(files: Readonly<Record<string, string>>, allowed = "0-7") {
  const all: Readonly<Record<string, string>> = {
    ...TOPOLOGY,
    "/proc/self/status": `Name:\tnode\nCpus_allowed:\tff\nCpus_allowed_list:\t${allowed}\nMems_allowed:\t1\n`,
    ...files,
  };
  return readCores((path) => all[path]);
}

test.each([
  ["0", [0]],
  ["0-2,5\n", [0, 1, 2, 5]],
  ["", []],
] as const)("the list %j", (text, numbers) => {
  expect(parseList(text)).toEqual(numbers);
});

describe("cores", () => {
  test("hyper-threads of one core count once", () => {
    expect(coresOf({})).toMatchObject({ physical: 4, quota: null, memory: null });
    expect(coresOf({}, "0-1,4-5")).toMatchObject({ processors: [0, 1, 4, 5], physical: 2 });
  });

  test("of a core of four hyper-threads, the first of which belongs to others, three are one", () => {
    const siblings = Object.fromEntries(
      [1, 2, 3].map((cpu) => [`/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`, "0-3\n"]),
    );
    expect(coresOf(siblings, "1-3")).toMatchObject({ physical: 1 });
  });

  test("the mask of the thread that asks counts before that of the process", () => {
    expect(
      readCores((path) => ({ ...TOPOLOGY, "/proc/self/status": "Cpus_allowed_list:\t0-7\n" })[path], [1, 2]),
    ).toMatchObject({
      processors: [1, 2],
      physical: 2,
    });
  });

  test("a core whose first hyper-thread belongs to others counts", () => {
    expect(coresOf({}, "4-7")).toMatchObject({ physical: 4 });
  });

  test("without topology every processor is a core", () => {
    const status = "Cpus_allowed_list:\t0-2\n";
    expect(readCores((path) => (path === "/proc/self/status" ? status : undefined))).toMatchObject({ physical: 3 });
  });

  test("no /proc: no answer", () => {
    expect(readCores(() => undefined)).toBeUndefined();
  });
});

describe("limits of cgroup v2", () => {
  test("in a container, whose own group is the root", () => {
    const files = {
      "/proc/self/cgroup": "0::/\n",
      "/sys/fs/cgroup/cpu.max": "150000 100000\n",
      "/sys/fs/cgroup/memory.max": "536870912\n",
    };
    expect(coresOf(files)).toMatchObject({ quota: 1.5, memory: 536_870_912, quotaFile: "/sys/fs/cgroup/cpu.max" });
  });

  test("the tightest group around the process counts", () => {
    const files = {
      "/proc/self/cgroup": "0::/a.slice/b.service\n",
      "/sys/fs/cgroup/a.slice/cpu.max": "200000 100000\n",
      "/sys/fs/cgroup/a.slice/b.service/cpu.max": "max 100000\n",
      "/sys/fs/cgroup/a.slice/memory.max": "max\n",
      "/sys/fs/cgroup/a.slice/b.service/memory.max": "1024\n",
    };
    expect(coresOf(files)).toMatchObject({
      quota: 2,
      quotaFile: "/sys/fs/cgroup/a.slice/cpu.max",
      memory: 1024,
    });
  });

  test("max is no limit", () => {
    const files = {
      "/proc/self/cgroup": "0::/\n",
      "/sys/fs/cgroup/cpu.max": "max 100000\n",
      "/sys/fs/cgroup/memory.max": "max\n",
    };
    expect(coresOf(files)).toMatchObject({ quota: null, memory: null });
  });
});

/** As mountinfo has them: number, parent, device, root, folder, options, a dash, type, source, options of the hierarchy. */
const MOUNTS = {
  v2: (root: string, folder: string) =>
    `30 23 0:26 ${root} ${folder} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate`,
  v1: (root: string, folder: string, controllers: string) =>
    `31 24 0:27 ${root} ${folder} rw,nosuid shared:9 - cgroup cgroup rw,${controllers}`,
};

describe("half a core is one thread", () => {
  test.each([
    ["v2, its own group", { "/proc/self/cgroup": "0::/job\n", "/sys/fs/cgroup/job/cpu.max": "50000 100000\n" }],
    [
      "v2, a group around it",
      {
        "/proc/self/cgroup": "0::/a/b\n",
        "/sys/fs/cgroup/a/cpu.max": "50000 100000\n",
        "/sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
      },
    ],
    [
      "v2, mounted elsewhere",
      {
        "/proc/self/cgroup": "0::/a\n",
        "/proc/self/mountinfo": MOUNTS.v2("/", "/groups"),
        "/groups/a/cpu.max": "50000 100000\n",
      },
    ],
    [
      "v2, seen from a container whose mount begins at its group",
      {
        "/proc/self/cgroup": "0::/docker/1/job\n",
        "/proc/self/mountinfo": MOUNTS.v2("/docker/1", "/sys/fs/cgroup"),
        "/sys/fs/cgroup/job/cpu.max": "50000 100000\n",
      },
    ],
    [
      "v1, its own group",
      {
        "/proc/self/cgroup": "4:cpu,cpuacct:/job\n",
        "/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us": "50000\n",
        "/sys/fs/cgroup/cpu/job/cpu.cfs_period_us": "100000\n",
      },
    ],
    [
      "v1, beside an empty v2, under the name of two controllers",
      {
        "/proc/self/cgroup": "4:cpuacct,cpu:/a/b\n0::/\n",
        "/proc/self/mountinfo": [
          MOUNTS.v1("/", "/sys/fs/cgroup/cpuset", "cpuset"),
          MOUNTS.v1("/", "/sys/fs/cgroup/cpu,cpuacct", "cpu,cpuacct"),
          MOUNTS.v2("/", "/sys/fs/cgroup/unified"),
        ].join("\n"),
        "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "50000\n",
        "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000\n",
      },
    ],
  ])("%s", (_, files) => {
    const cores = coresOf(files as Readonly<Record<string, string>>);
    expect(cores?.quota).toBe(0.5);
    expect(threadsOf(cores, 8)).toBe(1);
    expect(reasonFor(1, cores)).toContain("quota");
  });
});

test.each([
  [{}, "0-7", 4],
  [{ "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "250000 100000\n" }, "0-7", 2],
  [{ "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "250000 100000\n" }, "3", 1],
  [{ "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "900000 100000\n" }, "0-3", 4],
] as const)("whole cores of the quota, and never more than there are: %j, processors %s", (files, allowed, threads) => {
  expect(threadsOf(coresOf(files, allowed), Number.NaN)).toBe(threads);
});

test("a system without such files has a thread a processor", () => {
  expect(threadsOf(undefined, 6)).toBe(6);
  expect(threadsOf(undefined, 4096)).toBe(1024);
});

test("limits of cgroup v1", () => {
  const files = {
    "/proc/self/cgroup": "5:memory:/docker/1\n4:cpu,cpuacct:/docker/1\n",
    "/sys/fs/cgroup/cpu/docker/1/cpu.cfs_quota_us": "300000\n",
    "/sys/fs/cgroup/cpu/docker/1/cpu.cfs_period_us": "100000\n",
    "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
    "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    "/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes": "4096\n",
    // What v1 has for no limit.
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
  };
  expect(coresOf(files)).toMatchObject({ quota: 3, memory: 4096 });
});

test("the reason is what bounds the threads", () => {
  const quota = coresOf({ "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "200000 100000\n" });
  expect(reasonFor(2, quota)).toContain("quota");
  expect(reasonFor(4, coresOf({}))).toContain("physical");
  expect(reasonFor(2, coresOf({}, "0-1"))).toBe("processors that this process may use");
  expect(reasonFor(8, undefined)).toContain("system");
  expect(reasonFor(3, quota, "3")).toBe("CARILLON_THREADS");
  expect(reasonFor(2, quota, "many")).toContain("quota"); // not obeyed
});
