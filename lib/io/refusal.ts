import { CarillonError, shortened } from "../errors.js";

/** Characters of what was received that {@link refuseFile} shows. */
const SHOWN = 200;

/** `ERR_FILE`: what a file, or a place in it, is not. */
export function broken(where: string, expected: string, received: string): CarillonError {
  return new CarillonError("ERR_FILE", where, `expected ${expected} for '${where}' but received ${received}`);
}

/** Throws {@link broken}, with what was received in brief. */
export function refuseFile(where: string, expected: string, received: string): never {
  throw broken(where, expected, shortened(received, SHOWN));
}
