import {
  adadelta,
  adagrad,
  adam,
  adamax,
  adamw,
  amsgrad,
  lion,
  muon,
  nadam,
  type Optimizer,
  type Partition,
  partition,
  polynomialDecay,
  radam,
  rmsprop,
  type Schedule,
  sgd,
  sgdMomentum,
} from "carillon";

/** What the contestants of one panel of a picture have in common. */
export const FAMILIES = [
  "one rate for all",
  "a rate for each weight",
  "momentum and a rate for each",
  "sign, matrix",
] as const;
export type Family = (typeof FAMILIES)[number];

/** An optimizer that takes part. */
export interface Contestant {
  readonly name: string;
  readonly family: Family;
  /**
   * The optimizer at rate η.
   * @param matrices Names of the parameters that an optimizer for matrices is to train.
   */
  make(lr: Schedule, matrices: readonly string[]): Optimizer | Partition;
  /** It is made for matrices. */
  readonly matrix?: true;
}

/** AdamW's share of the rate beside muon, whose steps are longer: each of its matrices moves by a norm of about η·√n. */
const BESIDE_MUON = 0.1;

function scaled(schedule: Schedule, factor: number): Schedule {
  return (at) => factor * schedule(at);
}

export const CONTESTANTS: readonly Contestant[] = [
  { name: "sgd", family: FAMILIES[0], make: (lr) => sgd({ lr }) },
  { name: "sgd, momentum 0.9", family: FAMILIES[0], make: (lr) => sgd({ lr, momentum: 0.9 }) },
  { name: "sgd, Nesterov 0.9", family: FAMILIES[0], make: (lr) => sgd({ lr, momentum: 0.9, nesterov: true }) },
  { name: "sgdMomentum", family: FAMILIES[0], make: (lr) => sgdMomentum({ lr }) },
  { name: "adagrad", family: FAMILIES[1], make: (lr) => adagrad({ lr }) },
  { name: "rmsprop", family: FAMILIES[1], make: (lr) => rmsprop({ lr }) },
  { name: "adadelta", family: FAMILIES[1], make: (lr) => adadelta({ lr }) },
  { name: "adam", family: FAMILIES[2], make: (lr) => adam({ lr }) },
  { name: "adamw", family: FAMILIES[2], make: (lr) => adamw({ lr }) },
  { name: "amsgrad", family: FAMILIES[2], make: (lr) => amsgrad({ lr }) },
  { name: "nadam", family: FAMILIES[2], make: (lr) => nadam({ lr }) },
  { name: "radam", family: FAMILIES[2], make: (lr) => radam({ lr }) },
  { name: "adamax", family: FAMILIES[2], make: (lr) => adamax({ lr }) },
  { name: "lion", family: FAMILIES[3], make: (lr) => lion({ lr }) },
  {
    name: "muon with adamw",
    family: FAMILIES[3],
    make: (lr, matrices) => {
      const hidden = matrices.map((name) => [name, muon({ lr })] as const);
      return partition([...hidden, ["*", adamw({ lr: scaled(lr, BESIDE_MUON) })]]);
    },
    matrix: true,
  },
];

/** The rates that every contestant is tried with, two a decade. */
export const RATES: readonly number[] = [3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1, 3, 10, 30];

/** The same for all: from η down to 0 in a straight line. */
export function rateFrom(lr: number): Schedule {
  return polynomialDecay({ lr });
}
