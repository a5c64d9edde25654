import { Family, type Form, isNull, kind, listOf, orPlain, plain } from "../described.js";
import {
  elasticNet,
  isRegularizer,
  l1,
  l2,
  maxNorm,
  type ProximalOptions,
  type Regularizer,
  weightDecay,
} from "./index.js";

const LASSO = { proximal: plain, metric: plain };

/** Regularizers by kind. They say themselves what they are, as anybody may write one down. */
export const regularizers = new Family<Regularizer>(
  "regularizer",
  {
    l1: kind(({ lambda, ...options }: ProximalOptions & { readonly lambda: number }) => l1(lambda, options), {
      lambda: plain,
      ...LASSO,
    }),
    l2: kind(({ lambda }: { readonly lambda: number }) => l2(lambda), { lambda: plain }),
    elasticNet: kind(elasticNet, { l1: plain, l2: plain, ...LASSO }),
    weightDecay: kind(({ lambda }: { readonly lambda: number }) => weightDecay(lambda), { lambda: plain }),
    maxNorm: kind(({ bound }: { readonly bound: number }) => maxNorm(bound), { bound: plain }),
  },
  (thing) => {
    if (!isRegularizer(thing)) return undefined;
    const { kind: name, ...options } = thing;
    return {
      kind: name,
      options: { ...options, metric: "proximal" in thing && thing.proximal ? thing.metric : undefined },
    };
  },
);

const list = listOf(regularizers, "regularizers");

/** One regularizer, several, or none. */
export const penalties: Form = orPlain(isNull, () => ({
  describe: (where, given, met) => (Array.isArray(given) ? list : regularizers).describe(where, given, met),
  make: (where, given, how) => (Array.isArray(given) ? list : regularizers).make(where, given, how),
}));
