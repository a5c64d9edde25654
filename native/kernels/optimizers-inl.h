// Optimizer rules and their one driver.
//
// First, for every rule: g = gradient·gradient_scale; then, where l2 != 0, g = fma(l2, θ, g).
// What UpdateArguments.rule holds (float, made by the caller in double without libm):
//   sgd       nothing
//   momentum  0 β   1 1 − dampening   2 Nesterov (0 or 1)   3 first step sets velocity = g (0 or 1)
//   adam      0 β₁  1 1 − β₁  2 β₂  3 1 − β₂  4 1/(1 − β₁ᵗ)  5 1/(1 − β₂ᵗ)  6 ε  7 ε inside the root (0 or 1)
// States are written flushed (math-inl.h): a dead unit's velocity shrinks by β each step and would stay denormal.

// θ −= η·g
struct SgdRule {
  F minus_rate;
  CARILLON_INLINE explicit SgdRule(const UpdateArguments& arguments) : minus_rate(splat(-arguments.rate)) {}
  CARILLON_INLINE F step(F theta, F g, F*) const { return fma(minus_rate, g, theta); }
};

// velocity = fma(β, velocity, (1 − τ)·g), or g in the first step where asked (the accumulating form of PyTorch);
// θ −= η·(Nesterov ? fma(β, velocity, g) : velocity). Polyak 1964; Sutskever et al. 2013 for Nesterov's form.
struct MomentumRule {
  F minus_rate, beta, intake;
  bool nesterov, first;
  CARILLON_INLINE explicit MomentumRule(const UpdateArguments& arguments)
      : minus_rate(splat(-arguments.rate)),
        beta(splat(arguments.rule[0])),
        intake(splat(arguments.rule[1])),
        nesterov(arguments.rule[2] != 0.0f),
        first(arguments.rule[3] != 0.0f) {}
  CARILLON_INLINE F step(F theta, F g, F* state) const {
    const F velocity = first ? g : fma(beta, state[0], mul(intake, g));
    state[0] = flush(velocity);
    const F direction = nesterov ? fma(beta, velocity, g) : velocity;
    return fma(minus_rate, direction, theta);
  }
};

// m = fma(β₁, m, (1 − β₁)·g), v = fma(β₂, v, ((1 − β₂)·g)·g), θ −= η·(m·c₁ / d) with c₁, c₂ the bias corrections and
// d = √(v·c₂) + ε, or √(v·c₂ + ε) with ε inside. Kingma and Ba 2015 (ε outside).
struct AdamRule {
  F minus_rate, beta1, intake1, beta2, intake2, correction1, correction2, epsilon;
  bool inside;
  CARILLON_INLINE explicit AdamRule(const UpdateArguments& arguments)
      : minus_rate(splat(-arguments.rate)),
        beta1(splat(arguments.rule[0])),
        intake1(splat(arguments.rule[1])),
        beta2(splat(arguments.rule[2])),
        intake2(splat(arguments.rule[3])),
        correction1(splat(arguments.rule[4])),
        correction2(splat(arguments.rule[5])),
        epsilon(splat(arguments.rule[6])),
        inside(arguments.rule[7] != 0.0f) {}
  CARILLON_INLINE F step(F theta, F g, F* state) const {
    const F first_moment = fma(beta1, state[0], mul(intake1, g));
    const F second_moment = fma(beta2, state[1], mul(mul(intake2, g), g));
    state[0] = flush(first_moment);
    state[1] = flush(second_moment);
    const F m = mul(first_moment, correction1);
    const F v = mul(second_moment, correction2);
    const F denominator = inside ? sqrt(add(v, epsilon)) : add(sqrt(v), epsilon);
    return fma(minus_rate, div(m, denominator), theta);
  }
};

// ---- Driver ------------------------------------------------------------------------------------------------

struct UpdateSpan {
  float* parameters;
  const float* gradients;
  float* const* states;
};

// Updates N elements from i on, or the first `count` of them; returns the old θ.
template <class Rule, size_t states, bool penalized, bool whole>
CARILLON_INLINE F update_vector(const Rule& rule, const UpdateSpan& span, size_t i, size_t count, F scale, F l2) {
  const F theta = whole ? load(span.parameters + i) : load_part(span.parameters + i, count);
  F g = whole ? load(span.gradients + i) : load_part(span.gradients + i, count);
  F state[states + 1];
  CARILLON_UNROLL
  for (size_t s = 0; s < states; ++s) {
    state[s] = whole ? load(span.states[s] + i) : load_part(span.states[s] + i, count);
  }
  g = mul(g, scale);
  if constexpr (penalized) g = fma(l2, theta, g);
  const F next = rule.step(theta, g, state);
  CARILLON_UNROLL
  for (size_t s = 0; s < states; ++s) {
    if constexpr (whole) {
      store(span.states[s] + i, state[s]);
    } else {
      store_part(span.states[s] + i, state[s], count);
    }
  }
  if constexpr (whole) {
    store(span.parameters + i, next);
  } else {
    store_part(span.parameters + i, next, count);
  }
  return theta;
}

// The update as a term of a reduction: the sum of θ² comes out in the order of reduce-inl.h.
template <class Rule, size_t states, bool penalized>
struct UpdateTerm {
  const Rule& rule;
  UpdateSpan span;
  F scale, l2;
  CARILLON_INLINE F whole(F lane, size_t i) const {
    const F theta = update_vector<Rule, states, penalized, true>(rule, span, i, F::N, scale, l2);
    return penalized ? fma(theta, theta, lane) : lane;
  }
  CARILLON_INLINE F part(F lane, size_t i, size_t count) const {
    const F theta = update_vector<Rule, states, penalized, false>(rule, span, i, count, scale, l2);
    return penalized ? fma(theta, theta, lane) : lane;
  }
};

template <class Rule, size_t states>
float update(float* parameters, const float* gradients, float* const* state_arrays, size_t count,
             const UpdateArguments& arguments) {
  const Rule rule(arguments);
  const UpdateSpan span{parameters, gradients, state_arrays};
  const F scale = splat(arguments.gradient_scale);
  const F l2 = splat(arguments.l2);
  if (arguments.l2 != 0.0f) return reduce(UpdateTerm<Rule, states, true>{rule, span, scale, l2}, count);
  const UpdateTerm<Rule, states, false> term{rule, span, scale, l2};
  size_t i = 0;
  for (; i + F::N <= count; i += F::N) term.whole(zero(), i);
  if (i < count) term.part(zero(), i, count - i);
  return 0.0f;
}

// The names of optimizers.def.
namespace optimizer_rules {
using sgd = SgdRule;
using momentum = MomentumRule;
using adam = AdamRule;
}  // namespace optimizer_rules
