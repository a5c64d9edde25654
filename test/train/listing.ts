import { readdirSync } from "node:fs";

/** What a folder of checkpoints has beside the lock, which stays; in the order of the names. */
export function listing(dir: string): string[] {
  return readdirSync(dir)
    .filter((name) => name !== ".carillon.lock")
    .sort();
}
