// A run of an estimator: reads, prepares, trains the members, and makes one model of them.
import { after, now } from "../binding/clock.js";
import { CarillonError } from "../errors.js";
import type { TableSource } from "../table/api.js";
import { Progress } from "../train/progress/show.js";
import type { RunContext } from "../train/run/run.js";
import { bagged } from "./bag.js";
import type { TabularEvent } from "./events.js";
import type { CheckedTabular, TabularFitOptions } from "./options.js";
import { prepareTable } from "./prepared.js";
import { TabularStanding } from "./standing.js";
import type { TabularModel } from "./tabular_model.js";
import { Training } from "./training.js";

type Context = RunContext<TabularEvent>;

/** {@link Tabular.fit} */
export async function fitTabular(
  settings: CheckedTabular,
  source: TableSource,
  options: TabularFitOptions,
  context: Context,
): Promise<TabularModel> {
  const began = now();
  const { signal, onEvent } = options;
  const { control } = context;
  const seconds = (): number => (now() - began) / 1000;
  const line = new Progress(options.progress ?? false);
  const standing = new TabularStanding();
  line.follow(() => standing.state);
  const emit = (event: TabularEvent): void => {
    standing.take(event);
    context.emit(event);
    onEvent?.(event);
  };
  control.watch(signal);
  try {
    const prepared = await prepareTable(settings, source, options, { emit, seconds });
    if (!(await control.passable())) return refuseStopped();
    const training = new Training(settings, prepared, options, { emit, seconds, control });
    const deadline =
      settings.minutes === undefined ? undefined : after(settings.minutes * 66_000, () => control.stop());
    const trained = await training.run().finally(() => deadline?.());
    if (trained.length === 0) return refuseStopped();
    const { model, step, score } = await bagged(settings, prepared, trained);
    const reason = control.ended ? "stopped" : "finished";
    emit({ kind: "end", step, reason, score, seconds: seconds() });
    line.end({ figures: standing.figures, place: reason, seconds: seconds() });
    return model;
  } finally {
    control.release();
    line.end();
  }
}

function refuseStopped(): never {
  throw new CarillonError(
    "ERR_STATE",
    "fit",
    "expected a run with an epoch or more for a model but it was stopped before",
  );
}
