import { describedOr } from "../described.js";
import type { ScheduleAt } from "../graph/lane.js";
import { optimizers, schedules } from "./kinds.js";
import type { Optimizer } from "./optimizer.js";
import type { Group } from "./partition.js";
import type { Schedule } from "./schedule.js";

/** The option that a constant of a rule is made of, and what it was; `null` for a constant that follows from another. */
type Word = readonly [option: string, tell?: (constant: number) => unknown] | null;

/** τ of 1 − τ, without the error of the subtraction. */
const complement = (rest: number): number => Number((1 - rest).toPrecision(15));
const flag = (constant: number): boolean => constant === 1;
const placement = (inside: number): string => (inside === 1 ? "inside" : "outside");

const EPSILON: readonly Word[] = [["epsilon"], ["epsilon.placement", placement]];
const MOMENTS: readonly Word[] = [["beta1"], null, ["beta2"], null, ...EPSILON];
const RMSPROP: readonly Word[] = [["rho"], null, ...EPSILON, ["momentum"], ["rateInside", flag]];

/** Constants of the rules that a user's call has made, by its name, in the order of the rule. */
const CONSTANTS: Readonly<Record<string, readonly Word[]>> = {
  sgd: [["momentum"], ["dampening", complement], ["nesterov", flag], null, ["rateInside", flag]],
  sgdMomentum: [["beta"], null, null, null, null],
  adagrad: EPSILON,
  rmsprop: RMSPROP,
  adam: MOMENTS,
  adamw: MOMENTS,
  amsgrad: MOMENTS,
  nadam: MOMENTS,
  radam: MOMENTS,
  adamax: [["beta1"], null, ["beta2"], ...EPSILON],
  adadelta: [["rho"], null, ...EPSILON],
  lion: [["beta1"], null, ["beta2"], null],
  muon: [["momentum"], ["nesterov", flag]],
};

/** Steps whose scalars tell one form of a rule from another. */
const TOLD_STEPS = [1, 2, 100] as const;

/**
 * How a checkpoint tells what a run is made of: by descriptions, and what has none in words. The first files, which knew no
 * descriptions, have words alone.
 */
export type Telling = "descriptions" | "words";

/** An optimizer as plain data, without its rate. */
function toldOf(optimizer: Optimizer | null, telling: Telling): unknown {
  if (optimizer === null) return "frozen";
  const kind = telling === "words" ? undefined : optimizers.kindOf(optimizer);
  if (kind === undefined) return wordsOf(optimizer, telling);
  const decay = optimizer.decay?.lambda;
  if (typeof decay !== "function") return optimizers.describe(kind, optimizer, [], ["lr"]);
  const { options, ...named } = optimizers.describe(kind, optimizer, [], ["lr", "weightDecay"]);
  return { ...named, options: { ...options, weightDecay: rateTold(decay, telling) } };
}

/** The options of an optimizer by their names, and whatever else its updates depend on. */
function wordsOf(optimizer: Optimizer, telling: Telling): unknown {
  const { kind, rule, states, constants, scalars, decay, clipsSum } = optimizer;
  const names = CONSTANTS[kind] ?? [];
  const options = constants.map((constant, index): readonly [string, unknown] => {
    const word = names[index];
    if (word === undefined) return [`constant ${index + 1}`, constant];
    return word === null ? ["", undefined] : [word[0], word[1]?.(constant) ?? constant];
  });
  return {
    kind,
    rule,
    ...Object.fromEntries(options.filter(([option]) => option !== "")),
    weightDecay: decay === null ? null : rateTold(decay.lambda, telling),
    "weightDecay of biases": decay?.everywhere ?? null,
    compat: clipsSum ? "keras" : null,
    "states, as they begin": Object.fromEntries(states.map(({ name, initial }) => [name, initial])),
    ...Object.fromEntries(
      TOLD_STEPS.map((step) => [`corrections at step ${step}`, scalars === null ? null : [...scalars(step)]]),
    ),
  };
}

/** The optimizers of all parameters as plain data: a single one by itself, otherwise by patterns. */
export function groupsTold(groups: readonly Group[], telling: Telling): unknown {
  const [first] = groups;
  if (groups.length === 1 && first?.pattern === "*") return toldOf(first.optimizer, telling);
  const told = groups.map(({ pattern, optimizer }) => [pattern, toldOf(optimizer, telling)]);
  if (telling === "words") return { kind: "partition", ...Object.fromEntries(told) };
  return { kind: "partition", options: { groups: told } };
}

/** Places at which a schedule is asked: of a run of 1,000 steps, so that longer runs of one schedule are told the same. */
const ASKED: readonly ScheduleAt[] = [1, 2, 3, 10, 50, 100, 101, 250, 500, 900, 999, 1000].map((step) => ({
  step,
  steps: 1000,
  epoch: Math.ceil(step / 100),
}));

/** Kind of a rate that is a function. */
export const A_SCHEDULE = "a schedule";

/** A rate as plain data: what describes its schedule, or what one without a description gives at some places. */
export function rateTold(lr: number | Schedule, telling: Telling): unknown {
  if (typeof lr === "number") return lr;
  return telling === "words"
    ? scheduleWords(lr)
    : describedOr(
        () => schedules.describe("lr", lr),
        () => scheduleWords(lr),
      );
}

/** What a schedule gives at some places. */
function scheduleWords(lr: Schedule): unknown {
  try {
    return { kind: A_SCHEDULE, ...Object.fromEntries(ASKED.map((at) => [`at step ${at.step} of 1000`, lr(at)])) };
  } catch {
    return { kind: A_SCHEDULE }; // one that knows runs of its own length only
  }
}
