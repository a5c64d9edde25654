// A run of an estimator: reads, prepares, trains the members, and makes one model of them.
import { now, repeat } from "../binding/clock.js";
import { CarillonError } from "../errors.js";
import type { RunControl } from "../nn/evaluation/run_control.js";
import type { TableSource } from "../table/api.js";
import { Progress } from "../train/progress/show.js";
import { Preparation } from "../train/run/preparation.js";
import type { RunContext } from "../train/run/run.js";
import { bagged } from "./bag.js";
import type { TabularEvent } from "./events.js";
import type { CheckedTabular, TabularFitOptions } from "./options.js";
import type { Prepared } from "./prepared.js";
import { prepareSource } from "./preparing.js";
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
  let prepared: Prepared | undefined;
  try {
    prepared = await new Preparation(control, signal).unlessStopped((ended) =>
      prepareSource(settings, source, { ...options, signal: ended }, { emit, seconds }),
    );
    if (prepared === undefined || !(await control.passable())) return refuseStopped();
    const training = new Training(settings, prepared, options, { emit, seconds, control });
    const off = settings.minutes === undefined ? undefined : stopAfter(settings.minutes * 66_000, control);
    const trained = await training.run().finally(() => off?.());
    if (trained.length === 0) return refuseStopped();
    const { model, step, score } = await bagged(settings, prepared, trained);
    const reason = control.ended ? "stopped" : "finished";
    emit({ kind: "end", step, reason, score, seconds: seconds() });
    line.end({ figures: standing.figures, place: reason, seconds: seconds() });
    return model;
  } finally {
    control.release();
    line.end();
    await prepared?.encoded.close();
  }
}

/** Milliseconds between two looks at a deadline. */
const LOOK = 100;

/** Stops a run after so many milliseconds of work: pauses are none. */
function stopAfter(milliseconds: number, control: RunControl): () => void {
  let [worked, last] = [0, now()];
  return repeat(LOOK, () => {
    const time = now();
    if (!control.paused) worked += time - last;
    last = time;
    if (worked >= milliseconds) control.stop();
  });
}

function refuseStopped(): never {
  throw new CarillonError(
    "ERR_STATE",
    "fit",
    "expected a run with an epoch or more for a model but it was stopped before",
  );
}
