import { CarillonError, shortened } from "../errors.js";

/** Characters of what was received that {@link refuseData} shows. */
const SHOWN = 200;

/** `ERR_DATA`: what a source is not; `received` in words. */
export function refuseData(where: string, expected: string, received: string): never {
  const problem = `expected ${expected} for '${where}' but received ${shortened(received, SHOWN)}`;
  throw new CarillonError("ERR_DATA", where, problem);
}
