// Optimizer rules: each turns the gradient g into a direction d and replaces its states. The driver (optimizers-inl.h)
// makes g, then θ = fma(minus_rate, d, θ), minus_rate = −η unless said otherwise.
//
// A rule works in stages, so that the driver can take each of them for several vectors in a row: begin() up to what
// stands under the root, root(), divide(), and end(), which changes the last `late` states by the direction. Roots next
// to roots and quotients next to quotients are spread evenly over a core's two dividers; taken in turns, all roots fall
// on one and all quotients on the other (7.0 against 9.1 cycles a pair of AVX-512 vectors on Zen 5).
//
// What a rule's flags decide is decided without a jump, which would stand between the vectors: by a neutral number (·1,
// +0 where no −0 comes) or by a mask.
//
// What UpdateArguments.rule holds is named beside each rule: its constants, then the scalars of the step (floats, made
// by the caller in double without libm). What is `take` is 1 − `keep`; what tells a form is 0 or 1. States are written
// flushed (math-inl.h): a dead unit's velocity shrinks by β each step and would stay denormal. What a step computes
// from a state it takes before the flush.
//
// A direction comes with its metric, that of the proximal step: what the rule divided by, 1 where it did not.

// One vector on its way. begin() finds θ and g.
struct Step {
  F theta, g;
  F above, below;  // numerator; what stands under the root, then the denominator
  F d;
};

// The stages of a rule without a root and a quotient: begin() gives d.
struct PlainStages {
  static constexpr size_t late = 0;
  // Whether there is a loop without clipping, L1, decay, bounds and average besides the one that asks for them.
  static constexpr bool bare = true;
  CARILLON_INLINE void root(Step&) const {}
  CARILLON_INLINE void divide(Step&) const {}
  CARILLON_INLINE void end(Step&, F*) const {}
  CARILLON_INLINE F metric(const Step&) const { return splat(1.0f); }
};

// d = above / below, begin() gives both.
struct QuotientStages : PlainStages {
  // Root and quotient hide the questions (0.5% in the second-level cache), and such a loop is 2 KB a rule in every
  // table.
  static constexpr bool bare = false;
  CARILLON_INLINE void divide(Step& s) const { s.d = div(s.above, s.below); }
  CARILLON_INLINE F metric(const Step& s) const { return s.below; }
};

CARILLON_INLINE M all_or_none(float flag) { return first_lanes(flag != 0.0f ? F::N : 0); }

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
struct SgdRule : PlainStages {
  F minus_rate;
  CARILLON_INLINE explicit SgdRule(const UpdateArguments& u) : minus_rate(splat(-u.rate)) {}
  CARILLON_INLINE void begin(Step& s, F*) const { s.d = s.g; }
};

// velocity = fma(β, velocity, (1 − τ)·g), or g in the first step where asked (the accumulating form of PyTorch);
// d = Nesterov ? fma(β, velocity, g) : velocity. Polyak 1964; Sutskever et al. 2013 for Nesterov's form.
// With the rate inside η·g stands for g, and θ = θ − d (Keras).
struct MomentumRule : PlainStages {
  F minus_rate, rate_inside;
  Mean velocity;
  M nesterov, first;
  // β, 1 − τ, …; accumulating is of no use here; in the first step of the accumulating form velocity = g.
  enum Number : size_t { kKeep, kTake, kNesterov, kAccumulating, kRateInside, kFirst };
  CARILLON_INLINE explicit MomentumRule(const UpdateArguments& u)
      : minus_rate(splat(u.rule[kRateInside] != 0.0f ? -1.0f : -u.rate)),
        rate_inside(splat(u.rule[kRateInside] != 0.0f ? u.rate : 1.0f)),
        velocity(u.rule[kKeep], u.rule[kTake]),
        nesterov(all_or_none(u.rule[kNesterov])),
        first(all_or_none(u.rule[kFirst])) {}
  CARILLON_INLINE void begin(Step& s, F* state) const {
    const F g = mul(rate_inside, s.g);
    const F v = select(first, g, velocity.of(state[0], g));
    state[0] = flush(v);
    s.d = select(nesterov, fma(velocity.keep, v, g), v);
  }
};

// s = fma(g, g, s), d = g / (√s + ε) or g / √(s + ε). Duchi, Hazan and Singer 2011.
struct AdagradRule : QuotientStages {
  F minus_rate;
  Epsilon epsilon;
  enum Number : size_t { kEpsilon, kInside };
  CARILLON_INLINE explicit AdagradRule(const UpdateArguments& u)
      : minus_rate(splat(-u.rate)), epsilon(u.rule[kEpsilon], u.rule[kInside]) {}
  CARILLON_INLINE void begin(Step& s, F* state) const {
    s.above = s.g;
    s.below = fma(s.g, s.g, state[0]);
    state[0] = flush(s.below);
  }
  CARILLON_INLINE void root(Step& s) const { s.below = epsilon.root(s.below); }
};

// s = fma(ρ, s, ((1 − ρ)·g)·g), denominator = √s + ε or √(s + ε). Tieleman and Hinton 2012.
// centered: m = fma(ρ, m, (1 − ρ)·g), and the variance max(fma(−m, m, s), 0) stands for s under the root: a constant
// gradient makes the difference negative by rounding, whose root would be NaN. Graves 2013.
// momentum: velocity = fma(μ, velocity, g / denominator), d = velocity (PyTorch); with the rate inside
// velocity = fma(μ, velocity, η·g / denominator), θ = θ − velocity (Keras). Otherwise d = g / denominator.
// States: secondMoment, mean where centered, velocity where there is momentum.
template <bool centered, bool momentum>
struct RmspropRule : QuotientStages {
  static constexpr size_t late = momentum ? 1 : 0;
  F minus_rate, rate_inside;
  Mean mean;
  Epsilon epsilon;
  F decay;
  enum Number : size_t { kKeep, kTake, kEpsilon, kInside, kDecay, kRateInside };  // the last two with momentum alone
  CARILLON_INLINE explicit RmspropRule(const UpdateArguments& u)
      : minus_rate(splat(momentum && u.rule[kRateInside] != 0.0f ? -1.0f : -u.rate)),
        rate_inside(splat(u.rule[kRateInside] != 0.0f ? u.rate : 1.0f)),
        mean(u.rule[kKeep], u.rule[kTake]),
        epsilon(u.rule[kEpsilon], u.rule[kInside]),
        decay(splat(u.rule[kDecay])) {}
  CARILLON_INLINE void begin(Step& s, F* state) const {
    const F second_moment = mean.of_squares(state[0], s.g);
    state[0] = flush(second_moment);
    s.below = second_moment;
    if constexpr (centered) {
      const F m = mean.of(state[1], s.g);
      state[1] = flush(m);
      s.below = relu(fnma(m, m, second_moment));
    }
    s.above = momentum ? mul(rate_inside, s.g) : s.g;
  }
  CARILLON_INLINE void root(Step& s) const { s.below = epsilon.root(s.below); }
  CARILLON_INLINE void end(Step& s, F* state) const {
    if constexpr (momentum) {
      constexpr size_t last = centered ? 2 : 1;
      s.d = fma(decay, state[last], s.d);
      state[last] = flush(s.d);
    }
  }
};

// Constants of Adam and its kin; behind them stand the scalars of each.
enum AdamNumber : size_t { kBeta1, kTake1, kBeta2, kTake2, kAdamEpsilon, kAdamInside, kAdamScalars };

// The two moments of Adam and its kin: m = fma(β₁, m, (1 − β₁)·g), v = fma(β₂, v, ((1 − β₂)·g)·g).
struct Moments {
  Mean first, second;
  CARILLON_INLINE explicit Moments(const UpdateArguments& u)
      : first(u.rule[kBeta1], u.rule[kTake1]), second(u.rule[kBeta2], u.rule[kTake2]) {}
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
struct AdamRule : QuotientStages {
  F minus_rate;
  Moments moments;
  Epsilon epsilon;
  F correction1, correction2;
  enum Number : size_t { kCorrection1 = kAdamScalars, kCorrection2 };  // c₁ = 1/(1 − β₁ᵗ), c₂ = 1/(1 − β₂ᵗ)
  CARILLON_INLINE explicit AdamRule(const UpdateArguments& u)
      : minus_rate(splat(-u.rate)),
        moments(u),
        epsilon(u.rule[kAdamEpsilon], u.rule[kAdamInside]),
        correction1(splat(u.rule[kCorrection1])),
        correction2(splat(u.rule[kCorrection2])) {}
  CARILLON_INLINE void begin(Step& s, F* state) const {
    F m, v;
    moments.step(s.g, state, m, v);
    if constexpr (maximal) {
      v = maximum(state[2], v);
      state[2] = flush(v);
    }
    s.above = mul(m, correction1);
    s.below = mul(v, correction2);
  }
  CARILLON_INLINE void root(Step& s) const { s.below = epsilon.root(s.below); }
};

// d = fma(a, m, b·g) / (√(v·c₂) + ε), or with ε inside; a = μₜ₊₁/(1 − Πμ up to t + 1), b = (1 − μₜ)/(1 − Πμ up to t).
// Dozat 2016.
struct NadamRule : QuotientStages {
  F minus_rate;
  Moments moments;
  Epsilon epsilon;
  F of_moment, of_gradient, correction2;
  enum Number : size_t { kOfMoment = kAdamScalars, kOfGradient, kCorrection2 };  // a, b, c₂
  CARILLON_INLINE explicit NadamRule(const UpdateArguments& u)
      : minus_rate(splat(-u.rate)),
        moments(u),
        epsilon(u.rule[kAdamEpsilon], u.rule[kAdamInside]),
        of_moment(splat(u.rule[kOfMoment])),
        of_gradient(splat(u.rule[kOfGradient])),
        correction2(splat(u.rule[kCorrection2])) {}
  CARILLON_INLINE void begin(Step& s, F* state) const {
    F m, v;
    moments.step(s.g, state, m, v);
    s.above = fma(of_moment, m, mul(of_gradient, s.g));
    s.below = mul(v, correction2);
  }
  CARILLON_INLINE void root(Step& s) const { s.below = epsilon.root(s.below); }
};

// adaptive: d = (k·m) / (√v + ε), or with ε inside; otherwise d = k·m. k holds both bias corrections and the
// rectification, so the denominator is that of the uncorrected v. Liu et al. 2020.
struct RadamRule : QuotientStages {
  F minus_rate;
  Moments moments;
  Epsilon epsilon;
  F factor;
  M adaptive;
  enum Number : size_t { kFactor = kAdamScalars, kAdaptive };
  CARILLON_INLINE explicit RadamRule(const UpdateArguments& u)
      : minus_rate(splat(-u.rate)),
        moments(u),
        epsilon(u.rule[kAdamEpsilon], u.rule[kAdamInside]),
        factor(splat(u.rule[kFactor])),
        adaptive(all_or_none(u.rule[kAdaptive])) {}
  CARILLON_INLINE void begin(Step& s, F* state) const {
    F m;
    moments.step(s.g, state, m, s.below);
    s.above = mul(factor, m);
  }
  CARILLON_INLINE void root(Step& s) const { s.below = select(adaptive, epsilon.root(s.below), splat(1.0f)); }
};

// m as in Adam, u = max(β₂·u, |g|); d = (c₁·m) / (u + ε); ε inside the maximum: u = max(β₂·u, |g| + ε), d = (c₁·m) / u.
// Kingma and Ba 2015, algorithm 2. No gradient gives 0 / ε = 0.
struct AdamaxRule : QuotientStages {
  F minus_rate;
  Mean first;
  F decay, inside, behind;  // ε as in Epsilon
  F correction1;
  enum Number : size_t { kKeep1, kTake1, kKeep2, kEpsilon, kInside, kCorrection1 };  // inside the maximum
  CARILLON_INLINE explicit AdamaxRule(const UpdateArguments& u)
      : minus_rate(splat(-u.rate)),
        first(u.rule[kKeep1], u.rule[kTake1]),
        decay(splat(u.rule[kKeep2])),
        inside(splat(u.rule[kInside] != 0.0f ? u.rule[kEpsilon] : 0.0f)),
        behind(splat(u.rule[kInside] != 0.0f ? 0.0f : u.rule[kEpsilon])),
        correction1(splat(u.rule[kCorrection1])) {}
  CARILLON_INLINE void begin(Step& s, F* state) const {
    const F m = first.of(state[0], s.g);
    const F norm = maximum(mul(decay, state[1]), add(abs(s.g), inside));
    state[0] = flush(m);
    state[1] = flush(norm);
    s.above = mul(correction1, m);
    s.below = add(norm, behind);
  }
};

// s = fma(ρ, s, ((1 − ρ)·g)·g), d = (√(D + ε) / √(s + ε))·g with the new s and the old D, then
// D = fma(ρ, D, ((1 − ρ)·d)·d). Zeiler 2012. States: secondMoment (s), deltaMoment (D). Metric √(s + ε) / √(D + ε).
struct AdadeltaRule : QuotientStages {
  static constexpr size_t late = 1;
  F minus_rate;
  Mean mean;
  F epsilon;
  enum Number : size_t { kKeep, kTake, kEpsilon };
  CARILLON_INLINE explicit AdadeltaRule(const UpdateArguments& u)
      : minus_rate(splat(-u.rate)), mean(u.rule[kKeep], u.rule[kTake]), epsilon(splat(u.rule[kEpsilon])) {}
  CARILLON_INLINE void begin(Step& s, F* state) const {
    const F second_moment = mean.of_squares(state[0], s.g);
    s.above = add(state[1], epsilon);
    s.below = add(second_moment, epsilon);
    state[0] = flush(second_moment);
  }
  // Two roots and a quotient are more than any other rule asks of their unit.
  CARILLON_INLINE void root(Step& s) const {
    s.above = sqrt_beside(s.above);
    s.below = sqrt(s.below);
  }
  CARILLON_INLINE void end(Step& s, F* state) const {
    s.d = mul(s.d, s.g);
    state[1] = flush(mean.of_squares(state[1], s.d));
  }
  CARILLON_INLINE F metric(const Step& s) const { return div(s.below, s.above); }
};

// d = sign(fma(β₁, V, (1 − β₁)·g)), then V = fma(β₂, V, (1 − β₂)·g). Chen et al. 2023.
struct LionRule : PlainStages {
  F minus_rate;
  Mean look, mean;
  enum Number : size_t { kKeepLook, kTakeLook, kKeep, kTake };
  CARILLON_INLINE explicit LionRule(const UpdateArguments& u)
      : minus_rate(splat(-u.rate)), look(u.rule[kKeepLook], u.rule[kTakeLook]), mean(u.rule[kKeep], u.rule[kTake]) {}
  CARILLON_INLINE void begin(Step& s, F* state) const {
    s.d = sign(look.of(state[0], s.g));
    state[0] = flush(mean.of(state[0], s.g));
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
