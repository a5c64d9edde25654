import { once } from "node:events";
import { countText } from "../counts.js";
import { tableBlocks } from "../index.js";
import { type AnswerForm, answerColumns, headOf, linesOf } from "../job/answers.js";
import { writeWhole } from "../job/files.js";
import { type PredictFlags, sourceOf } from "./flags.js";
import { type Interruption, interruptible } from "./interruption.js";
import { openModel, readingFor, withItsColumns } from "./model.js";
import { complain, type Status, UsageError } from "./terms.js";

/** Names that say of a file what answers are not. */
const OTHER_FORMS = /\.(gz|zst|zip|tsv|json|parquet|arrow|feather|npy|npz|xlsx)$/i;

function formOf({ as, out = "" }: PredictFlags): AnswerForm {
  if (as === "csv" || as === "jsonl") return as;
  if (as !== undefined) throw new UsageError(`expected 'csv' or 'jsonl' for '--as' but received '${as}'`);
  const [, other] = OTHER_FORMS.exec(out) ?? [];
  if (other !== undefined)
    throw new UsageError(`answers are CSV or JSON lines, and '${out}' says ${other}: name it .csv or .jsonl`);
  return /\.(?:jsonl|ndjson)$/i.test(out) ? "jsonl" : "csv";
}

/** Answers to the rows of tables, block by block: into a file, or to standard output. */
export async function predict(path: string, files: readonly string[], flags: PredictFlags): Promise<Status> {
  const form = formOf(flags);
  const source = sourceOf("predict", files, flags);
  const model = await openModel(path);
  const unseen = new Map<string, number>();
  let rows = 0;
  let isBegun = false;
  async function* pieces(signal: AbortSignal): AsyncGenerator<string> {
    for await (const block of tableBlocks(source, { ...readingFor(model, flags, source), signal })) {
      const kept = [...new Set(flags.keep)].map((name) => {
        block.column(name);
        return { name, at: (row: number): unknown => block.at(row, name) };
      });
      const answers = await model.predict(block);
      const taken = new Set(kept.map(({ name }) => name));
      const given = answerColumns(model, answers).map((one) =>
        taken.has(one.name) ? { ...one, name: `predicted ${one.name}` } : one,
      );
      const columns = [...kept, ...given];
      if (!isBegun) yield headOf(columns, form);
      isBegun = true;
      rows += block.rows;
      for (const [name, times] of Object.entries(answers.unseen)) unseen.set(name, (unseen.get(name) ?? 0) + times);
      yield linesOf(columns, block.rows, form);
      signal.throwIfAborted();
    }
  }
  const { out } = flags;
  const work = async ({ signal }: Interruption): Promise<Status> => {
    await withItsColumns(model, async () => {
      if (out !== undefined) return await writeWhole(out, pieces(signal));
      for await (const piece of pieces(signal))
        if (!process.stdout.write(piece)) await once(process.stdout, "drain", { signal });
    });
    if (out !== undefined) complain(`${out}: ${countText(rows, "row")}`);
    for (const [name, times] of unseen)
      complain(
        `note: ${countText(times, "row")} with a '${name}' that no training row had: answered as if it were missing`,
      );
    return 0;
  };
  const left = async (stopped: boolean): Promise<string | undefined> =>
    stopped
      ? `stopped after ${countText(rows, "row")}${out === undefined ? "" : `: '${out}' is as it was`}`
      : undefined;
  return await interruptible(work, left, complain);
}
