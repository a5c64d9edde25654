// Activations with a share a unit, y = x + (f(x) − x)·share, a dropout and a factor behind them, and their gradients,
// by the roundings of the operations.

// The elements at i of a row, `whole`: all of a register.
template <bool whole>
CARILLON_INLINE F parametric_load(const float* x, size_t i, size_t count) {
  return whole ? load(x + i) : load_part(x + i, count);
}
template <bool whole>
CARILLON_INLINE void parametric_store(float* y, size_t i, F value, size_t count) {
  if (whole) {
    store(y + i, value);
  } else {
    store_part(y + i, value, count);
  }
}

// y = keep ? x·scale : +0, the roundings of the dropout kernel.
CARILLON_INLINE F parametric_drop(F x, const ParametricBehind& behind, size_t i) {
  uint32_t word;
  __builtin_memcpy(&word, behind.keep + (behind.bit + i) / 8, sizeof word);
  const uint32_t lanes = word >> ((behind.bit + i) % 8) & ((1u << F::N) - 1u);
  return select(mask_of(lanes), mul(x, splat(behind.scale)), zero());
}

template <UnaryRule rule, bool dropped, bool whole>
CARILLON_INLINE void parametric_part(const float* x, const float* share, float* y, float* bend, size_t i, size_t count,
                                     const ParametricBehind& behind) {
  const F at = parametric_load<whole>(x, i, count);
  const F bent = sub(rule(at), at);
  if (bend != nullptr) parametric_store<whole>(bend, i, bent, count);
  F result = add(at, mul(bent, parametric_load<whole>(share, i, count)));
  if constexpr (dropped) result = parametric_drop(result, behind, i);
  parametric_store<whole>(y, i, mul(result, splat(behind.factor)), count);
}

template <UnaryRule rule, bool dropped>
CARILLON_INLINE void parametric_elements(const float* x, const float* share, float* y, float* bend, size_t columns,
                                         const ParametricBehind& behind) {
  size_t i = 0;
  for (; i + F::N <= columns; i += F::N) parametric_part<rule, dropped, true>(x, share, y, bend, i, F::N, behind);
  if (i < columns) parametric_part<rule, dropped, false>(x, share, y, bend, i, columns - i, behind);
}

// y and bend = f(x) − x, which may be absent, of one row.
template <UnaryRule rule>
void parametric_row(const float* x, const float* share, float* y, float* bend, size_t columns,
                    const ParametricBehind& behind) {
  if (behind.keep == nullptr) return parametric_elements<rule, false>(x, share, y, bend, columns, behind);
  parametric_elements<rule, true>(x, share, y, bend, columns, behind);
}

template <UnaryRule slope, bool dropped, bool whole>
CARILLON_INLINE void parametric_gradient_part(const float* g, const float* x, const float* share, const float* bend,
                                              float* dx, float* chain, size_t i, size_t count,
                                              const ParametricBehind& behind) {
  F flow = mul(parametric_load<whole>(g, i, count), splat(behind.factor));
  if constexpr (dropped) flow = parametric_drop(flow, behind, i);
  const F part = mul(flow, parametric_load<whole>(share, i, count));
  const F term = mul(flow, parametric_load<whole>(bend, i, count));
  parametric_store<whole>(chain, i, add(parametric_load<whole>(chain, i, count), term), count);
  const F straight = add(flow, negate(part));
  const F bent = mul(part, slope(parametric_load<whole>(x, i, count)));
  parametric_store<whole>(dx, i, add(straight, bent), count);
}

template <UnaryRule slope, bool dropped>
CARILLON_INLINE void parametric_gradient_elements(const float* g, const float* x, const float* share, const float* bend,
                                                  float* dx, float* chain, size_t columns,
                                                  const ParametricBehind& behind) {
  size_t i = 0;
  for (; i + F::N <= columns; i += F::N)
    parametric_gradient_part<slope, dropped, true>(g, x, share, bend, dx, chain, i, F::N, behind);
  if (i < columns)
    parametric_gradient_part<slope, dropped, false>(g, x, share, bend, dx, chain, i, columns - i, behind);
}

// dx = (flow − flow·share) + (flow·share)·f′(x) of one row, and the terms flow·bend of the shares, which are added to
// `chain`. dx may be any of the others.
template <UnaryRule slope>
void parametric_gradient_row(const float* g, const float* x, const float* share, const float* bend, float* dx,
                             float* chain, size_t columns, const ParametricBehind& behind) {
  if (behind.keep == nullptr)
    return parametric_gradient_elements<slope, false>(g, x, share, bend, dx, chain, columns, behind);
  parametric_gradient_elements<slope, true>(g, x, share, bend, dx, chain, columns, behind);
}
