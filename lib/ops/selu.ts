/** λ and α of SELU (Klambauer et al. 2017): mean 0 and variance 1 are a fixed point. */
export const SELU = { scale: 1.0507009873554805, alpha: 1.6732632423543772 } as const;
