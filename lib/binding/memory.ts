const GIGABYTE = 1e9;

/** Bytes that are not worth to look for a limit, which may mean reading files. */
const LITTLE = 67_108_864;

/** Whether there is so much memory at all. */
export function fitsMemory(bytes: number): boolean {
  return bytes <= LITTLE || bytes <= memoryLimit();
}

/** Bytes that this process may have: those of the machine, or of its container if that has fewer. */
export function memoryLimit(): number {
  const machine = process.getBuiltinModule("node:os").totalmem();
  const container = process.constrainedMemory(); // 0 or more than there is, where nothing is constrained
  return container > 0 ? Math.min(machine, container) : machine;
}

/** `1.5 GB` */
export function gigabytes(bytes: number): string {
  return `${(bytes / GIGABYTE).toFixed(1)} GB`;
}
