import { Family, type Form, isNull, isNumber, kind, listOf, orPlain, plain } from "../described.js";
import { fail } from "../errors.js";
import { checkString } from "../options.js";
import { adadelta } from "./adadelta.js";
import { adagrad } from "./adagrad.js";
import { adam } from "./adam.js";
import { adamax } from "./adamax.js";
import { adamw } from "./adamw.js";
import { amsgrad } from "./amsgrad.js";
import { lion } from "./lion.js";
import { muon } from "./muon.js";
import { nadam } from "./nadam.js";
import type { Optimizer } from "./optimizer.js";
import { type Group, type Partition, partition } from "./partition.js";
import { radam } from "./radam.js";
import { rmsprop } from "./rmsprop.js";
import type { Schedule } from "./schedule.js";
import { cosineDecay, flatCosine, logCosine, oneCycle } from "./schedules/cosine.js";
import { exponentialDecay, polynomialDecay, stepDecay } from "./schedules/decay.js";
import { type WarmupOptions, warmup } from "./schedules/warmup.js";
import { sgd, sgdMomentum } from "./sgd.js";

/** A learning rate: a number, or a schedule. */
export const rate: Form = orPlain(isNumber, () => schedules);

/** Schedules by kind. */
export const schedules: Family<Schedule> = new Family<Schedule>("schedule", {
  cosineDecay: kind(cosineDecay, { lr: plain, end: plain, steps: plain, restarts: plain }),
  oneCycle: kind(oneCycle, { max: plain, steps: plain, warmup: plain, startDivisor: plain, endDivisor: plain }),
  flatCosine: kind(flatCosine, { value: plain, flat: plain, end: plain, steps: plain }),
  logCosine: kind(logCosine, { lr: plain, cycles: plain, steps: plain }),
  stepDecay: kind(stepDecay, { lr: plain, every: plain, factor: plain }),
  exponentialDecay: kind(exponentialDecay, { lr: plain, rate: plain, every: plain, staircase: plain }),
  polynomialDecay: kind(polynomialDecay, { lr: plain, end: plain, steps: plain, power: plain }),
  warmup: kind(
    ({ schedule, ...options }: WarmupOptions & { readonly schedule: Schedule | number }) => warmup(schedule, options),
    { schedule: rate, steps: plain, from: plain },
  ),
});

const FRAMEWORK = { lr: rate, compat: plain, weightDecay: plain };
const MOMENTS = { lr: rate, beta1: plain, beta2: plain, epsilon: plain, compat: plain };

const trained: Form = orPlain(isNull, () => optimizers);

/** [pattern, optimizer or `null`]. */
const group: Form = {
  describe: (where, given, met) => {
    const { pattern, optimizer } = given as Group; // as partition() has noted it
    return [pattern, trained.describe(where, optimizer, met)];
  },
  make: (where, given, how) => {
    if (!Array.isArray(given) || given.length !== 2) return fail("ERR_OPTION", where, "[pattern, optimizer]", given);
    const [pattern, optimizer]: readonly unknown[] = given;
    checkString(`${where}[0]`, pattern);
    return [pattern, trained.make(`${where}[1]`, optimizer, how)];
  },
};

/** Optimizers by kind, and their partitions. */
export const optimizers: Family<Optimizer | Partition> = new Family<Optimizer | Partition>("optimizer", {
  sgd: kind(sgd, { ...FRAMEWORK, momentum: plain, dampening: plain, nesterov: plain, rateInside: plain }),
  sgdMomentum: kind(sgdMomentum, { lr: rate, beta: plain }),
  adagrad: kind(adagrad, { ...FRAMEWORK, epsilon: plain, initialAccumulator: plain }),
  adadelta: kind(adadelta, { ...FRAMEWORK, rho: plain, epsilon: plain }),
  rmsprop: kind(rmsprop, {
    ...FRAMEWORK,
    rho: plain,
    epsilon: plain,
    centered: plain,
    momentum: plain,
    rateInside: plain,
  }),
  adam: kind(adam, { ...MOMENTS, weightDecay: plain }),
  adamw: kind(adamw, { ...MOMENTS, weightDecay: rate }),
  adamax: kind(adamax, { ...MOMENTS, weightDecay: plain }),
  amsgrad: kind(amsgrad, { ...MOMENTS, weightDecay: plain }),
  nadam: kind(nadam, { ...MOMENTS, weightDecay: plain, momentumDecay: plain }),
  radam: kind(radam, MOMENTS),
  lion: kind(lion, { ...FRAMEWORK, weightDecay: rate, beta1: plain, beta2: plain }),
  muon: kind(muon, { lr: rate, momentum: plain, nesterov: plain, weightDecay: rate }),
  partition: kind(
    ({ groups: given }: { readonly groups: Parameters<typeof partition>[0] }): Optimizer | Partition => {
      return partition(given);
    },
    { groups: listOf(group, "[pattern, optimizer]") },
  ),
});
