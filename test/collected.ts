// Memory as it is after a collection, for programs that look for leaks.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Collects. Native objects are freed in turns of the event loop after that. */
export async function collected(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
