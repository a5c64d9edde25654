import { optimizers } from "./kinds.js";
import type { Optimizer } from "./optimizer.js";
import type { Group } from "./partition.js";

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
  return kind === undefined ? wordsOf(optimizer) : optimizers.describe(kind, optimizer, [], ["lr"]);
}

/** The options of an optimizer by their names, and whatever else its updates depend on. */
function wordsOf(optimizer: Optimizer): unknown {
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
    weightDecay: decay?.lambda ?? null,
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
