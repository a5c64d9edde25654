// Optimizer rules: each turns the gradient g into a direction d and replaces its states. The driver (optimizers-inl.h)
// makes g, then θ = fma(minus_rate, d, θ), minus_rate = −η unless said otherwise.
//
// What UpdateArguments.rule holds, the step's scalars behind the bar (floats, made by the caller in double without
// libm); `inside` etc. are 0 or 1:
//   sgd                        –
//   momentum                   β, 1 − τ, Nesterov, accumulating (of no use here) | first: velocity = g (step 1 of that)
//   adagrad                    ε, inside
//   rmsprop, rmsprop_centered  ρ, 1 − ρ, ε, inside
//   …_momentum                 ρ, 1 − ρ, ε, inside, μ, rate inside
//   adam, amsgrad              β₁, 1 − β₁, β₂, 1 − β₂, ε, inside | c₁ = 1/(1 − β₁ᵗ), c₂ = 1/(1 − β₂ᵗ)
//   nadam                      β₁, 1 − β₁, β₂, 1 − β₂, ε, inside | a, b, c₂
//   radam                      β₁, 1 − β₁, β₂, 1 − β₂, ε, inside | k, adaptive
//   adamax                     β₁, 1 − β₁, β₂, ε, inside the maximum | c₁
//   adadelta                   ρ, 1 − ρ, ε
//   lion                       β₁, 1 − β₁, β₂, 1 − β₂
// States are written flushed (math-inl.h): a dead unit's velocity shrinks by β each step and would stay denormal. What
// a step computes from a state it takes before the flush.
//
// A direction comes with its denominator, the metric of the proximal step: what the rule divided by, 1 where it did
// not.

struct Direction {
  F d, denominator;
};

// ε inside the root or behind it: √(v + ε) + 0 or √(v + 0) + ε. Adding +0 changes no bit of a root or of a v that is
// not −0, whose root plus ε is ε all the same; and a sum is cheaper than a branch.
struct Epsilon {
  F inside, behind;
  CARILLON_INLINE Epsilon(float value, float placement)
      : inside(splat(placement != 0.0f ? value : 0.0f)), behind(splat(placement != 0.0f ? 0.0f : value)) {}
  CARILLON_INLINE F root(F v) const { return add(sqrt(add(v, inside)), behind); }
};

// A decaying mean: keep·state + take·x.
struct Mean {
  F keep, take;
  CARILLON_INLINE Mean(float keep_, float take_) : keep(splat(keep_)), take(splat(take_)) {}
  CARILLON_INLINE F of(F state, F x) const { return fma(keep, state, mul(take, x)); }
  CARILLON_INLINE F of_squares(F state, F x) const { return fma(keep, state, mul(mul(take, x), x)); }
};

// d = g
struct SgdRule {
  F minus_rate;
  CARILLON_INLINE explicit SgdRule(const UpdateArguments& u) : minus_rate(splat(-u.rate)) {}
  CARILLON_INLINE Direction step(F g, F*) const { return {g, splat(1.0f)}; }
};

// velocity = fma(β, velocity, (1 − τ)·g), or g in the first step where asked (the accumulating form of PyTorch);
// d = Nesterov ? fma(β, velocity, g) : velocity. Polyak 1964; Sutskever et al. 2013 for Nesterov's form.
struct MomentumRule {
  F minus_rate;
  Mean velocity;
  bool nesterov, first;
  CARILLON_INLINE explicit MomentumRule(const UpdateArguments& u)
      : minus_rate(splat(-u.rate)),
        velocity(u.rule[0], u.rule[1]),
        nesterov(u.rule[2] != 0.0f),
        first(u.rule[4] != 0.0f) {}
  CARILLON_INLINE Direction step(F g, F* state) const {
    const F v = first ? g : velocity.of(state[0], g);
    state[0] = flush(v);
    return {nesterov ? fma(velocity.keep, v, g) : v, splat(1.0f)};
  }
};

// s = fma(g, g, s), d = g / (√s + ε) or g / √(s + ε). Duchi, Hazan and Singer 2011.
struct AdagradRule {
  F minus_rate;
  Epsilon epsilon;
  CARILLON_INLINE explicit AdagradRule(const UpdateArguments& u)
      : minus_rate(splat(-u.rate)), epsilon(u.rule[0], u.rule[1]) {}
  CARILLON_INLINE Direction step(F g, F* state) const {
    const F sum = fma(g, g, state[0]);
    state[0] = flush(sum);
    const F denominator = epsilon.root(sum);
    return {div(g, denominator), denominator};
  }
};

// s = fma(ρ, s, ((1 − ρ)·g)·g), denominator = √s + ε or √(s + ε). Tieleman and Hinton 2012.
// centered: m = fma(ρ, m, (1 − ρ)·g), and the variance max(fma(−m, m, s), 0) stands for s under the root: a constant
// gradient makes the difference negative by rounding, whose root would be NaN. Graves 2013.
// momentum: velocity = fma(μ, velocity, g / denominator), d = velocity (PyTorch); with the rate inside
// velocity = fma(μ, velocity, η·g / denominator), θ = θ − velocity (Keras). Otherwise d = g / denominator.
// States: secondMoment, mean where centered, velocity where there is momentum.
template <bool centered, bool momentum>
struct RmspropRule {
  F minus_rate, rate;
  Mean mean;
  Epsilon epsilon;
  F decay;
  bool rate_inside;
  CARILLON_INLINE explicit RmspropRule(const UpdateArguments& u)
      : minus_rate(splat(momentum && u.rule[5] != 0.0f ? -1.0f : -u.rate)),
        rate(splat(u.rate)),
        mean(u.rule[0], u.rule[1]),
        epsilon(u.rule[2], u.rule[3]),
        decay(splat(u.rule[4])),
        rate_inside(u.rule[5] != 0.0f) {}
  CARILLON_INLINE Direction step(F g, F* state) const {
    const F second_moment = mean.of_squares(state[0], g);
    state[0] = flush(second_moment);
    F variance = second_moment;
    if constexpr (centered) {
      const F m = mean.of(state[1], g);
      state[1] = flush(m);
      variance = relu(fnma(m, m, second_moment));
    }
    const F denominator = epsilon.root(variance);
    if constexpr (!momentum) return {div(g, denominator), denominator};
    constexpr size_t last = centered ? 2 : 1;
    const F velocity = fma(decay, state[last], div(rate_inside ? mul(rate, g) : g, denominator));
    state[last] = flush(velocity);
    return {velocity, denominator};
  }
};

// The two moments of Adam and its kin: m = fma(β₁, m, (1 − β₁)·g), v = fma(β₂, v, ((1 − β₂)·g)·g).
struct Moments {
  Mean first, second;
  CARILLON_INLINE explicit Moments(const UpdateArguments& u)
      : first(u.rule[0], u.rule[1]), second(u.rule[2], u.rule[3]) {}
  CARILLON_INLINE void step(F g, F* state, F& m, F& v) const {
    m = first.of(state[0], g);
    v = second.of_squares(state[1], g);
    state[0] = flush(m);
    state[1] = flush(v);
  }
};

// d = (m·c₁) / (√(v·c₂) + ε) or / √(v·c₂ + ε). Kingma and Ba 2015 (ε outside).
// amsgrad: the maximum of all v, uncorrected, stands for v. Reddi, Kale and Kumar 2018.
template <bool maximal>
struct AdamRule {
  F minus_rate;
  Moments moments;
  Epsilon epsilon;
  F correction1, correction2;
  CARILLON_INLINE explicit AdamRule(const UpdateArguments& u)
      : minus_rate(splat(-u.rate)),
        moments(u),
        epsilon(u.rule[4], u.rule[5]),
        correction1(splat(u.rule[6])),
        correction2(splat(u.rule[7])) {}
  CARILLON_INLINE Direction step(F g, F* state) const {
    F m, v;
    moments.step(g, state, m, v);
    if constexpr (maximal) {
      v = maximum(state[2], v);
      state[2] = flush(v);
    }
    const F denominator = epsilon.root(mul(v, correction2));
    return {div(mul(m, correction1), denominator), denominator};
  }
};

// d = fma(a, m, b·g) / (√(v·c₂) + ε), or with ε inside; a = μₜ₊₁/(1 − Πμ up to t + 1), b = (1 − μₜ)/(1 − Πμ up to t).
// Dozat 2016.
struct NadamRule {
  F minus_rate;
  Moments moments;
  Epsilon epsilon;
  F of_moment, of_gradient, correction2;
  CARILLON_INLINE explicit NadamRule(const UpdateArguments& u)
      : minus_rate(splat(-u.rate)),
        moments(u),
        epsilon(u.rule[4], u.rule[5]),
        of_moment(splat(u.rule[6])),
        of_gradient(splat(u.rule[7])),
        correction2(splat(u.rule[8])) {}
  CARILLON_INLINE Direction step(F g, F* state) const {
    F m, v;
    moments.step(g, state, m, v);
    const F denominator = epsilon.root(mul(v, correction2));
    return {div(fma(of_moment, m, mul(of_gradient, g)), denominator), denominator};
  }
};

// adaptive: d = (k·m) / (√v + ε), or with ε inside; otherwise d = k·m. k holds both bias corrections and the
// rectification, so the denominator is that of the uncorrected v. Liu et al. 2020.
struct RadamRule {
  F minus_rate;
  Moments moments;
  Epsilon epsilon;
  F factor;
  bool adaptive;
  CARILLON_INLINE explicit RadamRule(const UpdateArguments& u)
      : minus_rate(splat(-u.rate)),
        moments(u),
        epsilon(u.rule[4], u.rule[5]),
        factor(splat(u.rule[6])),
        adaptive(u.rule[7] != 0.0f) {}
  CARILLON_INLINE Direction step(F g, F* state) const {
    F m, v;
    moments.step(g, state, m, v);
    const F d = mul(factor, m);
    if (!adaptive) return {d, splat(1.0f)};
    const F denominator = epsilon.root(v);
    return {div(d, denominator), denominator};
  }
};

// m as in Adam, u = max(β₂·u, |g|); d = (c₁·m) / (u + ε); ε inside the maximum: u = max(β₂·u, |g| + ε), d = (c₁·m) / u.
// Kingma and Ba 2015, algorithm 2. No gradient gives 0 / ε = 0.
struct AdamaxRule {
  F minus_rate;
  Mean first;
  F decay, epsilon;
  bool inside;
  F correction1;
  CARILLON_INLINE explicit AdamaxRule(const UpdateArguments& u)
      : minus_rate(splat(-u.rate)),
        first(u.rule[0], u.rule[1]),
        decay(splat(u.rule[2])),
        epsilon(splat(u.rule[3])),
        inside(u.rule[4] != 0.0f),
        correction1(splat(u.rule[5])) {}
  CARILLON_INLINE Direction step(F g, F* state) const {
    const F m = first.of(state[0], g);
    const F magnitude = inside ? add(abs(g), epsilon) : abs(g);
    const F norm = maximum(mul(decay, state[1]), magnitude);
    state[0] = flush(m);
    state[1] = flush(norm);
    const F denominator = inside ? norm : add(norm, epsilon);
    return {div(mul(correction1, m), denominator), denominator};
  }
};

// s = fma(ρ, s, ((1 − ρ)·g)·g), d = (√(D + ε) / √(s + ε))·g with the new s and the old D, then
// D = fma(ρ, D, ((1 − ρ)·d)·d). Zeiler 2012. States: secondMoment (s), deltaMoment (D). Denominator √(s + ε) / √(D +
// ε).
struct AdadeltaRule {
  F minus_rate;
  Mean mean;
  F epsilon;
  CARILLON_INLINE explicit AdadeltaRule(const UpdateArguments& u)
      : minus_rate(splat(-u.rate)), mean(u.rule[0], u.rule[1]), epsilon(splat(u.rule[2])) {}
  CARILLON_INLINE Direction step(F g, F* state) const {
    const F second_moment = mean.of_squares(state[0], g);
    const F below = sqrt(add(second_moment, epsilon));
    const F above = sqrt(add(state[1], epsilon));
    const F delta = mul(div(above, below), g);
    state[0] = flush(second_moment);
    state[1] = flush(mean.of_squares(state[1], delta));
    return {delta, div(below, above)};
  }
};

// d = sign(fma(β₁, V, (1 − β₁)·g)), then V = fma(β₂, V, (1 − β₂)·g). Chen et al. 2023.
struct LionRule {
  F minus_rate;
  Mean look, mean;
  CARILLON_INLINE explicit LionRule(const UpdateArguments& u)
      : minus_rate(splat(-u.rate)), look(u.rule[0], u.rule[1]), mean(u.rule[2], u.rule[3]) {}
  CARILLON_INLINE Direction step(F g, F* state) const {
    const F d = sign(look.of(state[0], g));
    state[0] = flush(mean.of(state[0], g));
    return {d, splat(1.0f)};
  }
};

// The names of optimizers.def.
namespace optimizer_rules {
using sgd = SgdRule;
using momentum = MomentumRule;
using adagrad = AdagradRule;
using rmsprop = RmspropRule<false, false>;
using rmsprop_momentum = RmspropRule<false, true>;
using rmsprop_centered = RmspropRule<true, false>;
using rmsprop_centered_momentum = RmspropRule<true, true>;
using adam = AdamRule<false>;
using amsgrad = AdamRule<true>;
using nadam = NadamRule;
using radam = RadamRule;
using adamax = AdamaxRule;
using adadelta = AdadeltaRule;
using lion = LionRule;
}  // namespace optimizer_rules
