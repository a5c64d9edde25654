import { figureText } from "../train/progress/line.js";
import { type EvaluateFlags, sourceOf } from "./flags.js";
import { openModel, readingFor, withItsColumns } from "./model.js";
import { columnsText, print, type Status } from "./terms.js";

/** How good a model's answers are to rows whose target is known. */
export async function evaluate(path: string, files: readonly string[], flags: EvaluateFlags): Promise<Status> {
  const source = sourceOf("evaluate", files, flags);
  const model = await openModel(path);
  const measures = await withItsColumns(model, () => model.evaluate(source, readingFor(model, flags, source)));
  if (flags.json === true) print(JSON.stringify(measures));
  else print(columnsText(Object.entries(measures).map(([name, value]) => [name, figureText(value)])));
  return 0;
}
