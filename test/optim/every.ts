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
  radam,
  rmsprop,
  type SgdMomentumOptions,
  type SgdOptions,
  sgd,
  sgdMomentum,
} from "carillon";

/** Options as a caller without types may pass them. */
export type Options = Readonly<Record<string, unknown>>;

/** Those with a native rule. */
export const NATIVE = {
  sgd: (options: Options) => sgd(options as unknown as SgdOptions),
  sgdMomentum: (options: Options) => sgdMomentum(options as unknown as SgdMomentumOptions),
  adagrad: (options: Options) => adagrad(options),
  rmsprop: (options: Options) => rmsprop(options),
  adam: (options: Options) => adam(options),
  adamw: (options: Options) => adamw(options),
  amsgrad: (options: Options) => amsgrad(options),
  nadam: (options: Options) => nadam(options),
  radam: (options: Options) => radam(options),
  adamax: (options: Options) => adamax(options),
  adadelta: (options: Options) => adadelta(options),
  lion: (options: Options) => lion(options),
} as const;

/** Every optimizer by the name of its export. */
export const OPTIMIZERS: Readonly<Record<string, (options: Options) => Optimizer>> = { ...NATIVE, muon };
