// Which processor this is, by a name that people know: what a virtual machine shows as its model is often no name.
import { existsSync, readFileSync } from "node:fs";
import { cpus } from "node:os";

/** Family and models of x86 processors, as CPUID counts them. */
const X86: readonly { readonly name: string; readonly family: number; readonly models: readonly number[] }[] = [
  { name: "Haswell", family: 6, models: [0x3c, 0x3f, 0x45, 0x46] },
  { name: "Broadwell", family: 6, models: [0x3d, 0x47, 0x4f, 0x56] },
  { name: "Skylake", family: 6, models: [0x4e, 0x5e] },
  { name: "Skylake-SP or Cascade Lake", family: 6, models: [0x55] },
  { name: "Ice Lake-SP", family: 6, models: [0x6a, 0x6c] },
  { name: "Sapphire Rapids", family: 6, models: [0x8f] },
  { name: "Emerald Rapids", family: 6, models: [0xcf] },
  { name: "Granite Rapids", family: 6, models: [0xad, 0xae] },
  { name: "Alder Lake", family: 6, models: [0x97, 0x9a] },
  { name: "Raptor Lake", family: 6, models: [0xb7, 0xba, 0xbf] },
  { name: "Zen 1 or 2", family: 0x17, models: [] },
  { name: "Zen 3", family: 0x19, models: [0x00, 0x01, 0x08, 0x21, 0x40, 0x44, 0x50] },
  { name: "Zen 4", family: 0x19, models: [] },
  { name: "Zen 5", family: 0x1a, models: [] },
];

export interface Processor {
  /** As the system calls it. */
  readonly cpu: string;
  /** Its kind: `Zen 5`, `Emerald Rapids`; the system's name where that is not known. */
  readonly kind: string;
}

/** @param cpuinfo What /proc/cpuinfo says; undefined where there is none. */
export function processorOf(cpu: string, cpuinfo: string | undefined): Processor {
  const value = (key: string): string => cpuinfo?.match(new RegExp(`^${key}\\s*: (.*)$`, "m"))?.[1] ?? "";
  const [family, model] = [Number(value("cpu family")), Number(value("model"))];
  const known = X86.find((each) => each.family === family && (each.models.length === 0 || each.models.includes(model)));
  return { cpu, kind: known?.name ?? cpu };
}

export function thisProcessor(): Processor {
  const file = "/proc/cpuinfo";
  const cpu = cpus()[0]?.model.trim() ?? "unknown";
  return processorOf(cpu, existsSync(file) ? readFileSync(file, "utf8") : undefined);
}

/** A name for a folder. */
export function slugOf(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "");
}
