// What the files of a Linux system say of cores and memory, in the layouts that the kernel's documentation describes
// (cgroup-v2.rst, cgroup-v1/memory.rst, sched-bwc.rst).
import { describe, expect, test } from "vitest";
import { parseList, readCores, reasonFor } from "../../lib/cli/cores.js";

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
