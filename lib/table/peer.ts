// Optional packages, which are loaded by the first who needs them.
import { CarillonError, codeOf, messageOf } from "../errors.js";

/** The package `name`, or an `entry` of it, of which `what` is read with; where it is not installed `ERR_STATE` says how it is. */
export async function peer(name: string, what: string, entry = name): Promise<unknown> {
  try {
    // By a name that bundlers cannot follow: nobody has to have it.
    return await import(/* webpackIgnore: true */ /* @vite-ignore */ entry);
  } catch (cause) {
    const missing = codeOf(cause) === "ERR_MODULE_NOT_FOUND" || codeOf(cause) === "MODULE_NOT_FOUND";
    const received = missing ? "none" : messageOf(cause);
    const problem = `expected the package '${name}', which ${what} is read with, but received ${received}. Install it: npm install ${name}`;
    throw new CarillonError("ERR_STATE", name, problem, { cause });
  }
}
