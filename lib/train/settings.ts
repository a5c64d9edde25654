import type { Loss } from "../nn/losses/loss.js";
import type { Model } from "../nn/model.js";
import { describeLayers } from "../nn/saved.js";
import type { Minimizer } from "../optim/minimizer.js";
import type { Clip } from "../optim/minimizer_options.js";
import type { Schedule, ScheduleAt } from "../optim/schedule.js";
import type { Regularizers } from "../regularizers/index.js";
import { tensor } from "../tensor/tensor.js";

/** What a resumed run must have in common with the one that it continues, besides its data and states. */
export const SETTINGS = ["layers", "loss", "regularizer", "clip", "accumulate", "lr"] as const;

/** A setting that a resumed run has in common with the one that it continues, unless it says that it was changed. */
export type Setting = (typeof SETTINGS)[number];

/** Each setting as text. Equal texts are equal settings, as far as functions can be told apart by what they give. */
export type Settings = Readonly<Record<Setting, string>>;

/** What the settings of a run are told from. */
export interface SettingsSource {
  readonly loss: Loss;
  readonly regularizer: Regularizers;
  readonly biasRegularizer?: Regularizers | undefined;
  readonly clip: Clip | undefined;
  readonly accumulate: number;
}

export function settingsOf(model: Model, minimizer: Minimizer, source: SettingsSource): Settings {
  const { loss, regularizer, biasRegularizer, clip, accumulate } = source;
  const own = model.segments.flatMap(({ name, spec }) =>
    spec.regularizer === undefined ? [] : [[name, spec.regularizer] as const],
  );
  return {
    layers: JSON.stringify(describeLayers(model.layers)),
    loss: lossText(loss, model.outputs),
    regularizer: JSON.stringify({ model: regularizer, biases: biasRegularizer, parameters: Object.fromEntries(own) }),
    clip: JSON.stringify(clip ?? null),
    accumulate: String(accumulate),
    lr: JSON.stringify(minimizer.rates.map(([pattern, lr]) => [pattern, rateText(lr)])),
  };
}

/** A loss is told by its name and by what it gives for three examples. */
function lossText(loss: Loss, outputs: number): string {
  const ROWS = 3;
  const count = ROWS * outputs;
  const output = tensor(
    Float32Array.from({ length: count }, (_, index) => ((index * 37) % 23) / 8 - 1),
    [ROWS, outputs],
  );
  const name = loss.kind ?? (loss.name === "" ? "a function" : loss.name);
  const target =
    loss.target === "classes"
      ? tensor(Int32Array.from({ length: ROWS }, (_, row) => (row * 2) % outputs))
      : tensor(
          Float32Array.from({ length: count }, (_, index) => ((index * 13) % 7) / 8),
          [ROWS, outputs],
        );
  try {
    const losses: unknown = loss(output, target);
    const data = typeof losses === "object" && losses !== null && "data" in losses ? losses.data : undefined;
    return JSON.stringify({ name, gives: data instanceof Float32Array ? [...data] : null });
  } catch {
    return JSON.stringify({ name, gives: null }); // one that works inside of a program only
  }
}

/** Places at which a schedule is asked: of a run of 1,000 steps, so that longer runs of one schedule are told the same. */
const ASKED: readonly ScheduleAt[] = [1, 2, 3, 10, 50, 100, 101, 250, 500, 900, 999, 1000].map((step) => ({
  step,
  steps: 1000,
  epoch: Math.ceil(step / 100),
}));

/** A rate, or what a schedule gives at some places. */
function rateText(lr: number | Schedule): unknown {
  if (typeof lr === "number") return lr;
  try {
    return ASKED.map((at) => lr(at));
  } catch {
    return null; // a schedule that knows runs of its own length only
  }
}

/** The first setting that differs, except those of `changed`, with both texts. */
export function differing(
  now: Settings,
  then: Readonly<Record<string, string>>,
  changed: readonly Setting[],
): readonly [setting: Setting, now: string, then: string] | undefined {
  const setting = SETTINGS.find((name) => now[name] !== then[name] && !changed.includes(name));
  return setting === undefined ? undefined : [setting, ...apart(now[setting], then[setting] ?? "nothing")];
}

/** Characters that a message shows of a long text. */
const SHOWN = 60;

/** Two texts from a little before the place where they part. */
function apart(first: string, second: string): readonly [string, string] {
  let at = 0;
  while (at < first.length && first[at] === second[at]) at += 1;
  const begin = first.length > SHOWN || second.length > SHOWN ? Math.max(0, at - SHOWN / 2) : 0;
  const show = (text: string): string =>
    `${begin > 0 ? "…" : ""}${text.slice(begin, begin + SHOWN)}${text.length > begin + SHOWN ? "…" : ""}`;
  return [show(first), show(second)];
}
