// What the settings of a checkpoint may be: values that no option takes are refused by their place.
import { reading } from "../../described.js";
import type { Part } from "../../io/part.js";
import { losses } from "../../nn/kinds/losses.js";
import type { InWords } from "../../nn/meaning/meaning_words.js";
import { optimizers, schedules } from "../../optim/kinds.js";
import { A_SCHEDULE } from "../../optim/words.js";
import { regularizers } from "../../regularizers/kinds.js";
import { matchesPattern } from "../../words.js";
import { COMPARED, IN_MEMORY } from "./settings.js";

/** The settings of a checkpoint that the rest of it has to agree with. */
export interface StoredSettings {
  readonly batchSize: number;
  readonly shuffle: boolean;
  /** `null` for data in memory. */
  readonly shuffleBuffer: number | null;
  /** Kinds of the losses, by name where the outputs have names. */
  readonly loss: InWords<string>;
  readonly average: StoredAverage | undefined;
  /** The states that a parameter has, as its optimizer. */
  statesOf(parameter: string): readonly StoredState[];
}

/** A state of a parameter, and whether its elements are sums of squares or sizes. */
export interface StoredState {
  readonly name: string;
  readonly isPositive: boolean;
}

interface StoredAverage {
  readonly decay: number;
  readonly biasCorrection: boolean;
}

/** States of the native rules that are never negative. */
const POSITIVE_STATES = ["secondMoment", "maxSecondMoment", "sumOfSquares", "infinityNorm", "deltaMoment"];

/** Reads the settings of a checkpoint; `ERR_FILE` names the first that no run has. */
export function checkSettingsPart(settings: Part): StoredSettings {
  for (const name of COMPARED)
    settings.at(name).expect(name === "batchBy" || settings.at(name).value !== undefined, "a setting or null");
  checkBatchBy(settings.at("batchBy"));
  const telling = settings.at("telling");
  if (telling.value !== undefined) telling.equal("descriptions");
  checkLayers(settings.at("layers"));
  const loss = lossesOf(settings.at("loss"));
  checkRates(settings.at("lr"));
  checkPenalties(settings.at("regularizer"), settings.at("biasRegularizer"));
  checkClip(settings.at("clip"));
  settings.at("accumulate").count(1);
  checkClassWeights(settings.at("classWeights"));
  checkValidate(settings.at("validate"));
  const buffer = settings.at("shuffleBuffer");
  return {
    batchSize: settings.at("batchSize").count(1),
    shuffle: settings.at("shuffle").flag(),
    shuffleBuffer: buffer.value === IN_MEMORY ? null : buffer.count(1),
    loss,
    average: averageOf(settings.at("averageWeights")),
    statesOf: statesOf(settings.at("optimizer")),
  };
}

/** Whether it is the description of a built-in thing; one of the user's own is told in words, as all are in the first files. */
function isDescription(part: Part): boolean {
  return part.at("options").value !== undefined;
}

function checkLayers(layers: Part): void {
  for (const layer of layers.list()) layer.at("kind").text();
}

/** The kind of the loss; of named outputs, those of each. */
function lossesOf(loss: Part): StoredSettings["loss"] {
  if (typeof loss.at("kind").value === "string") return lossOf(loss);
  const ofOutputs = [...loss.members()].map(([name, own]) => {
    own.at("weight").number({ min: 0 });
    return [name, lossOf(own.at("loss"))] as const;
  });
  loss.expect(ofOutputs.length > 0, "a loss");
  return Object.fromEntries(ofOutputs);
}

function lossOf(loss: Part): string {
  if (isDescription(loss)) loss.made((where, given) => losses.make(where, given, reading(true)));
  return loss.at("kind").text();
}

/** A rate, what a schedule gives at some places, or either by the patterns of a partition. */
function checkRates(lr: Part): void {
  if (typeof lr.value === "number") {
    lr.number({ min: 0 });
    return;
  }
  if (isDescription(lr)) lr.made((where, given) => schedules.make(where, given, reading(true)));
  else if (lr.at("kind").value === A_SCHEDULE) checkSchedule(lr);
  else for (const rate of lr.members().values()) checkRates(rate);
}

/** Numbers, and `null` where it gives none: it may be one of a shorter run. */
function checkSchedule(schedule: Part): void {
  for (const [key, rate] of schedule.members()) if (key !== "kind" && rate.value !== null) rate.number();
}

function checkPenalties(...penalties: readonly Part[]): void {
  for (const penalty of penalties) {
    if (penalty.isNothing) continue;
    if (!Array.isArray(penalty.value) && isDescription(penalty)) {
      penalty.made((where, given) => regularizers.make(where, given, reading(true)));
      continue;
    }
    const parts = Array.isArray(penalty.value) ? penalty.list() : [...penalty.members().values()];
    for (const part of parts) {
      if (typeof part.value === "number") part.number({ min: 0 });
      else if (typeof part.value === "object") checkPenalties(part);
    }
  }
}

function checkClip(clip: Part): void {
  if (clip.isNothing) return;
  const bounds = [...clip.members().values()];
  clip.expect(bounds.length === 1, "a norm or a value");
  for (const bound of bounds) bound.number({ above: 0 });
}

function checkClassWeights(weights: Part): void {
  if (weights.isNothing || weights.value === "balanced") return;
  if (!Array.isArray(weights.value)) {
    for (const own of weights.members().values()) checkClassWeights(own);
    return;
  }
  for (const weight of weights.list()) weight.number({ min: 0 });
}

function checkBatchBy(batchBy: Part): void {
  if (batchBy.value === undefined) return; // of a run whose rows have any order
  batchBy.at("lengths").text();
  batchBy.at("pool").count(1);
}

function checkValidate(validate: Part): void {
  if (validate.isNothing) return;
  const periods = [...validate.members().values()];
  validate.expect(periods.length === 1, "steps or epochs");
  for (const period of periods) period.count(1);
}

function averageOf(average: Part): StoredAverage | undefined {
  if (average.isNothing) return undefined;
  const biasCorrection = average.at("biasCorrection");
  return {
    decay: average.at("decay").number({ min: 0, below: 1 }),
    biasCorrection: !biasCorrection.isNothing && biasCorrection.flag(),
  };
}

const FROZEN = "frozen";

/** States of one optimizer, none where it leaves parameters as they are. */
function statesIn(optimizer: Part): readonly StoredState[] {
  if (optimizer.value === FROZEN) return [];
  if (isDescription(optimizer)) return statesMade(optimizer);
  optimizer.at("kind").text();
  const states = optimizer.at("states, as they begin").members();
  for (const initial of states.values()) initial.number();
  const isNative = optimizer.at("rule").value !== null;
  return [...states.keys()].map((name) => ({ name, isPositive: isNative && POSITIVE_STATES.includes(name) }));
}

/** Those of a built-in optimizer, whose rate stands elsewhere, and a schedule of one's own in words. */
function statesMade(optimizer: Part): readonly StoredState[] {
  const options = Object.fromEntries([...optimizer.at("options").members()].map(([name, { value }]) => [name, value]));
  const decay = optimizer.at("options").at("weightDecay");
  const isOwn = typeof decay.value === "object" && !decay.isNothing && decay.at("kind").value === A_SCHEDULE;
  if (isOwn) checkSchedule(decay);
  const replaced = isOwn ? { lr: 0, weightDecay: 0 } : { lr: 0 };
  const description = { kind: optimizer.at("kind").value, options: { ...options, ...replaced } };
  const made = optimizer.made((where) => optimizers.make(where, description, reading(true)));
  if ("groups" in made) return optimizer.refuse("an optimizer of its own", "a partition");
  return made.states.map(({ name }) => ({ name, isPositive: made.rule !== null && POSITIVE_STATES.includes(name) }));
}

/** Patterns of a partition and what trains what matches. */
function groupsIn(optimizer: Part): readonly (readonly [pattern: string, words: Part])[] {
  if (!isDescription(optimizer)) return [...optimizer.members()].filter(([pattern]) => pattern !== "kind");
  return optimizer
    .at("options")
    .at("groups")
    .list()
    .map((group) => {
      const [pattern, words] = group.list(2);
      return pattern === undefined || words === undefined ? group.refuse("a list of 2") : [pattern.text(), words];
    });
}

function unmatched(optimizer: Part, parameter: string): never {
  return optimizer.refuse(`a pattern that matches ${parameter}`);
}

function statesOf(optimizer: Part): StoredSettings["statesOf"] {
  if (optimizer.value === FROZEN || optimizer.at("kind").value !== "partition") {
    const states = statesIn(optimizer);
    return () => states;
  }
  const groups = groupsIn(optimizer);
  const states = groups.map(([, words]) => statesIn(words));
  const patterns = groups.map(([pattern]) => pattern);
  return (parameter) =>
    states[patterns.findIndex((pattern) => matchesPattern(pattern, parameter))] ?? unmatched(optimizer, parameter);
}
