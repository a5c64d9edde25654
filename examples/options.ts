// The options that every example has which takes long or writes files.
import { parseArgs } from "node:util";

/** How an example was asked. */
export interface ExampleOptions {
  /** `--quick`: a short form that shows nothing but that the example comes to its end. */
  readonly quick: boolean;
  /** `--out FOLDER`: where files go. */
  readonly out: string;
}

/** Reads `--quick` and `--out`; without the latter files go to `runs/` and the example's name. */
export function exampleOptions(name: string): ExampleOptions {
  const { values } = parseArgs({ options: { quick: { type: "boolean" }, out: { type: "string" } } });
  return { quick: values.quick === true, out: values.out ?? `runs/${name}` };
}
