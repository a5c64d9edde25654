// The one driver of the optimizer rules (optimizer_rules-inl.h): the order of operations stands at UpdateArguments in
// table.h. Two instantiations a rule: the plain one knows gradient scale and L2 alone, which is what most steps need.

struct UpdateSpan {
  float* parameters;
  const float* gradients;
  float* const* states;
  float* average;  // or nullptr
};

template <bool whole>
CARILLON_INLINE F load_lanes(const float* p, size_t count) {
  if constexpr (whole) return load(p);
  return load_part(p, count);
}
template <bool whole>
CARILLON_INLINE void store_lanes(float* p, F x, size_t count) {
  if constexpr (whole) {
    store(p, x);
  } else {
    store_part(p, x, count);
  }
}

// What stands around the rule, splatted once.
struct UpdateFactors {
  F scale, l2, clip_low, clip_high, l1, decay, shrink, average_keep, average_take;
  bool has_l2, has_clip, has_l1, has_decay, has_shrink, metric;

  CARILLON_INLINE explicit UpdateFactors(const UpdateArguments& u)
      : scale(splat(u.gradient_scale)),
        l2(splat(u.l2)),
        clip_low(splat(-u.clip_value)),
        clip_high(splat(u.clip_value)),
        l1(splat(u.l1)),
        decay(splat(u.decay)),
        shrink(splat(u.shrink)),
        average_keep(splat(u.average_keep)),
        average_take(splat(u.average_take)),
        has_l2(u.l2 != 0.0f),
        has_clip(u.clip_value < kInfinity),
        has_l1(u.l1 != 0.0f),
        has_decay(u.decay != 0.0f),
        has_shrink(u.shrink != 0.0f),
        metric(u.metric) {}
};

// sign(θ)·max(|θ| − threshold, 0); NaN passes, a zero keeps the sign of θ.
CARILLON_INLINE F shrink_towards_zero(F theta, F threshold) {
  const F rest = relu(sub(abs(theta), threshold));
  return from_bits(bit_or(bits(rest), bit_and(bits(theta), splat_u(0x80000000u))));
}

// Updates N elements from i on, or the first `count` of them.
template <class Rule, size_t states, bool plain, bool whole>
CARILLON_INLINE void update_vector(const Rule& rule, const UpdateFactors& factors, const UpdateSpan& span, size_t i,
                                   size_t count) {
  F theta = load_lanes<whole>(span.parameters + i, count);
  F g = mul(load_lanes<whole>(span.gradients + i, count), factors.scale);
  F state[states + 1];
  CARILLON_UNROLL
  for (size_t s = 0; s < states; ++s) state[s] = load_lanes<whole>(span.states[s] + i, count);

  if (!plain && factors.has_clip) {
    g = select(less(g, factors.clip_low), factors.clip_low, g);
    g = select(less(factors.clip_high, g), factors.clip_high, g);
  }
  if (factors.has_l2) g = fma(factors.l2, theta, g);
  if (!plain && factors.has_l1) g = fma(factors.l1, sign(theta), g);
  if (!plain && factors.has_decay) theta = fnma(factors.decay, theta, theta);
  const Direction direction = rule.step(g, state);
  theta = fma(rule.minus_rate, direction.d, theta);
  if (!plain && factors.has_shrink) {
    const F threshold = factors.metric ? div(factors.shrink, direction.denominator) : factors.shrink;
    theta = shrink_towards_zero(theta, threshold);
  }

  CARILLON_UNROLL
  for (size_t s = 0; s < states; ++s) store_lanes<whole>(span.states[s] + i, state[s], count);
  store_lanes<whole>(span.parameters + i, theta, count);
  if (!plain && span.average != nullptr) {
    const F average = load_lanes<whole>(span.average + i, count);
    const F next = fma(factors.average_keep, average, mul(factors.average_take, theta));
    store_lanes<whole>(span.average + i, flush(next), count);
  }
}

template <class Rule, size_t states, bool plain>
void update_span(const UpdateSpan& span, size_t count, const UpdateArguments& arguments) {
  const Rule rule(arguments);
  const UpdateFactors factors(arguments);
  size_t i = 0;
  for (; i + F::N <= count; i += F::N) update_vector<Rule, states, plain, true>(rule, factors, span, i, F::N);
  if (i < count) update_vector<Rule, states, plain, false>(rule, factors, span, i, count - i);
}

// The sums are taken first: a block is at most 16 KB, so this reads it from memory and the update from L1.
template <class Rule, size_t states>
UpdateSums update(float* parameters, const float* gradients, float* const* state_arrays, float* average, size_t count,
                  const UpdateArguments& u) {
  const UpdateSums sums{u.squares ? reduce(SquareTerm{parameters}, count) : 0.0f,
                        u.absolutes ? reduce(AbsoluteTerm{parameters}, count) : 0.0f};
  const UpdateSpan span{parameters, gradients, state_arrays, average};
  const bool bare = !(u.clip_value < kInfinity) && u.l1 == 0.0f && u.decay == 0.0f && u.shrink == 0.0f;
  if (bare && average == nullptr) {
    update_span<Rule, states, true>(span, count, u);
  } else {
    update_span<Rule, states, false>(span, count, u);
  }
  return sums;
}
