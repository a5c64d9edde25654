/** The C library of this process on Linux, such as `glibc 2.36`. Takes milliseconds: for errors and reports. */
export function libc(): string | undefined {
  if (process.platform !== "linux") return undefined;
  const report: unknown = process.report.getReport();
  const header: unknown = typeof report === "object" && report !== null && "header" in report ? report.header : {};
  const version: unknown = typeof header === "object" && header !== null && Reflect.get(header, "glibcVersionRuntime");
  return typeof version === "string" ? `glibc ${version}` : "musl";
}

/** `linux-x64 (glibc 2.36)`. */
export function platform(): string {
  const library = libc();
  return `${process.platform}-${process.arch}${library === undefined ? "" : ` (${library})`}`;
}
