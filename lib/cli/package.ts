import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageFolder } from "../binding/load.js";
import { CarillonError } from "../errors.js";

/** The part of this package's package.json that the command reads. */
export interface Manifest {
  readonly version: string;
  readonly engines: { readonly node: string };
  readonly devDependencies: Readonly<Record<string, string>>;
}

/** The folder of this package. `ERR_NATIVE` where the command was torn out of it. */
export function ownFolder(): string {
  const folder = packageFolder();
  if (folder !== undefined) return folder;
  throw new CarillonError("ERR_NATIVE", "carillon", "the command does not find the package that it belongs to");
}

export function manifest(): Manifest {
  return JSON.parse(readFileSync(join(ownFolder(), "package.json"), "utf8")) as Manifest; // our own file
}

export function packageVersion(): string {
  return manifest().version;
}
