import { setFlagsFromString } from "node:v8";
import { runInThisContext } from "node:vm";

setFlagsFromString("--allow-natives-syntax");
const look: unknown = runInThisContext("(array) => %HasDoubleElements(array)");

/** Whether V8 keeps the numbers of an array as doubles, not as objects. */
export function hasDoubles(array: readonly number[]): boolean {
  return typeof look === "function" && Reflect.apply(look, undefined, [array]) === true;
}
