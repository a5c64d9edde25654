// Activations and their slopes: the rest of the rules of unary.def and binary.def. A slope is the derivative at x. NaN
// passes everywhere; at ±inf each gives its limit. Errors in brackets, in ulp, are the worst found against double
// (test/native/activations.cc): over every float for softplus, gelu, gelu_slope and mish, over one in 31 (mish_slope:
// every one above 0) for the others. Slopes cross zero: below 1/2 their unit is 2^-24. The error of the others stays
// relative down the whole tail, to where the result becomes 0 (below 2^-119).

// x, clamped to [low, high]; NaN passes.
CARILLON_INLINE F clamp(F x, float low, float high) {
  const F y = select(less(x, splat(low)), splat(low), x);
  return select(less(splat(high), y), splat(high), y);
}
// y, but x where it is NaN.
CARILLON_INLINE F or_nan(F x, F y) { return select(unordered(x, x), x, y); }
// low < x < high ? y : 0
CARILLON_INLINE F slope_between(F x, float low, float high, F y) {
  return or_nan(x, select(both(less(splat(low), x), less(x, splat(high))), y, zero()));
}
// x·s for a gate s in [0, 1], 0 where s = 0: the limit at −inf.
CARILLON_INLINE F gated(F x, F s) { return select(equal(s, zero()), zero(), mul(x, s)); }

// ---- Clamps

CARILLON_INLINE F relu6(F x) { return clamp(x, 0.0f, 6.0f); }
CARILLON_INLINE F relu6_slope(F x) { return slope_between(x, 0.0f, 6.0f, splat(1.0f)); }
CARILLON_INLINE F hard_tanh(F x) { return clamp(x, -1.0f, 1.0f); }
CARILLON_INLINE F hard_tanh_slope(F x) { return slope_between(x, -1.0f, 1.0f, splat(1.0f)); }
// clamp(x + 3, 0, 6)·(1/6): the clamp of x/6 + 1/2, right also next to −3. [1.34]
CARILLON_INLINE F hard_sigmoid(F x) { return mul(clamp(add(x, splat(3.0f)), 0.0f, 6.0f), splat(1.0f / 6.0f)); }
CARILLON_INLINE F hard_sigmoid_slope(F x) { return slope_between(x, -3.0f, 3.0f, splat(1.0f / 6.0f)); }
// x·hard_sigmoid(x) [2.5]
CARILLON_INLINE F hard_silu(F x) { return gated(x, hard_sigmoid(x)); }
// 0 up to −3, x/3 + 1/2, 1 from 3 on. [0.67]
CARILLON_INLINE F hard_silu_slope(F x) {
  const F y = select(less_equal(x, splat(-3.0f)), zero(), fma(x, splat(1.0f / 3.0f), splat(0.5f)));
  return select(less_equal(splat(3.0f), x), splat(1.0f), y);
}

// ---- Sigmoid: silu (Elfwing et al. 2017), softplus, mish (Misra 2019)

// σ(x) and 1 − σ(x) = σ(−x), neither by a difference: with e = e^−|x| they are 1/(1 + e) and e/(1 + e).
struct Gate {
  F open, closed;
};
CARILLON_INLINE Gate gate(F x) {
  const F e = exp(negate(abs(x)));
  const F larger = div(splat(1.0f), add(splat(1.0f), e));
  const F smaller = mul(e, larger);
  const M negative = less(x, zero());
  return {select(negative, smaller, larger), select(negative, larger, smaller)};
}

// x·σ(x) [2.34]
CARILLON_INLINE F silu(F x) { return gated(x, sigmoid(x)); }
// σ·(1 + x·(1 − σ)); clamped to where e is not 0, so that no infinity meets it. [3.0]
CARILLON_INLINE F silu_slope(F x) {
  const F b = clamp(x, -88.0f, 88.0f);
  const Gate g = gate(b);
  return mul(g.open, fma(b, g.closed, splat(1.0f)));
}
// max(x, 0) + log1p(e^−|x|) [1.72]
CARILLON_INLINE F softplus(F x) { return add(relu(x), log1p(exp(negate(abs(x))))); }

// tanh(softplus(x)) = n / d, with e = e^−|x|:
//   x <= 0: n = e² + 2e, d = n + 2     x > 0, both times e²: n = 1 + 2e, d = n + 2e²
struct MishGate {
  F e, n, d;
  M positive;
};
CARILLON_INLINE MishGate mish_gate(F x) {
  const F e = exp(negate(abs(x)));
  const F twice = add(e, e);
  const M positive = less(zero(), x);
  const F n = select(positive, add(twice, splat(1.0f)), fma(e, e, twice));
  return {e, n, add(n, select(positive, mul(twice, e), splat(2.0f))), positive};
}
// x·tanh(softplus(x)) [3.93]
CARILLON_INLINE F mish(F x) {
  const MishGate g = mish_gate(x);
  return gated(x, div(g.n, g.d));
}
// tanh(softplus) + x·(1 − tanh²(softplus))·σ = (n·d + 4x·w) / d², w = e·(1 + e) for x <= 0, e²·(1 + e) for x > 0.
// [3.71]
CARILLON_INLINE F mish_slope(F x) {
  const F b = clamp(x, -88.0f, 88.0f);
  const MishGate g = mish_gate(b);
  const F w = mul(select(g.positive, mul(g.e, g.e), g.e), add(g.e, splat(1.0f)));
  return div(fma(mul(b, splat(4.0f)), w, mul(g.n, g.d)), mul(g.d, g.d));
}

// ---- GELU (Hendrycks and Gimpel 2016)

// The tail of the normal distribution, for a = |x| from 1 to kGaussianEnd, where e^(−a²/2) becomes 0:
//   density = e^(−a²/2), a² as its rounding and what that lost, else the error would grow with a²
//   ratio = e^(a²/2)·(1 − Φ(a)) = t·p(t), t = 1/(1 + 0.375a), |relative error of p| < 2^-28: Mills' ratio by √(2π)
// so 1 − Φ(a) = density·ratio has a relative error in all of it.
constexpr float kGaussianEnd = 13.2f;
struct Gaussian {
  F a, density, ratio;
};
CARILLON_INLINE Gaussian gaussian(F x) {
  const F magnitude = abs(x);
  const M beyond = less(splat(kGaussianEnd), magnitude);
  const F a = select(beyond, splat(kGaussianEnd), magnitude);
  const F square = mul(a, a);
  const F lost = fma(a, a, negate(square));
  const F e = exp_in_range(mul(square, splat(-0.5f)));
  const F density = select(beyond, zero(), fma(e, mul(lost, splat(-0.5f)), e));
  const F t = div(splat(1.0f), fma(a, splat(0.375f), splat(1.0f)));
  F p = splat(-0x1.7f3bb4p-5f);
  p = fma(p, t, splat(0x1.8054e0p-3f));
  p = fma(p, t, splat(-0x1.0e4fa0p-2f));
  p = fma(p, t, splat(0x1.d4a940p-4f));
  p = fma(p, t, splat(-0x1.effac8p-7f));
  p = fma(p, t, splat(0x1.8f35d4p-4f));
  p = fma(p, t, splat(0x1.041010p-3f));
  p = fma(p, t, splat(0x1.32a6fap-3f));
  p = fma(p, t, splat(0x1.3260dap-3f));
  return {a, density, mul(p, t)};
}

// x·Φ(x): below 1 Φ(x) = ½ + x·p(x²), |relative error of p's part| < 2^-28; above x·Φ(x) = max(x, 0) − a·(1 − Φ(a)).
// [1.50 for x > 0, 5.91 in the negative tail]
CARILLON_INLINE F gelu(F x) {
  const F square = mul(x, x);
  F p = splat(-0x1.122eb4p-17f);
  p = fma(p, square, splat(0x1.e26eb4p-14f));
  p = fma(p, square, splat(-0x1.376eb2p-10f));
  p = fma(p, square, splat(0x1.46d558p-7f));
  p = fma(p, square, splat(-0x1.105862p-4f));
  p = fma(p, square, splat(0x1.988454p-2f));
  const F near = mul(x, fma(x, p, splat(0.5f)));
  const Gaussian g = gaussian(x);
  const F far = fnma(g.a, flush(mul(g.density, g.ratio)), relu(x));
  return select(less(g.a, splat(1.0f)), near, far);
}
// Φ(x) + x·φ(x): below 1 ½ + x·p(x²), |error of p| < 2^-28; above x < 0 ? s : 1 − s with s = density·(ratio − a/√(2π)).
// [1.02]
CARILLON_INLINE F gelu_slope(F x) {
  const F square = mul(x, x);
  F p = splat(-0x1.640be2p-14f);
  p = fma(p, square, splat(0x1.24f628p-10f));
  p = fma(p, square, splat(-0x1.367becp-7f));
  p = fma(p, square, splat(0x1.ea2916p-5f));
  p = fma(p, square, splat(-0x1.1057f6p-2f));
  p = fma(p, square, splat(0x1.988452p-1f));
  const F near = fma(x, p, splat(0.5f));
  const Gaussian g = gaussian(x);
  const F s = mul(g.density, fnma(g.a, splat(0x1.988454p-2f), g.ratio));
  const F far = select(less(x, zero()), s, sub(splat(1.0f), s));
  return select(less(g.a, splat(1.0f)), near, far);
}

// ½x·(1 + tanh u) = x·σ(2u), u = √(2/π)·(x + 0.044715x³); 2u = x·(c₁ + c₃x²). [1.9 for x > 0]
// For x < 0 the error of 2u grows with it: [2.5 + 2.3·|2u|].
constexpr float kGeluTanh1 = 1.5957691216057308f;
constexpr float kGeluTanh3 = 0.07135481627159845f;
CARILLON_INLINE F gelu_tanh(F x) {
  return gated(x, sigmoid(mul(x, fma(mul(x, x), splat(kGeluTanh3), splat(kGeluTanh1)))));
}
// σ(v)·(1 + (1 − σ(v))·x·v′), v = 2u; clamped to where e^−|v| is 0. [3.4]
CARILLON_INLINE F gelu_tanh_slope(F x) {
  const F b = clamp(x, -11.0f, 11.0f);
  const F square = mul(b, b);
  const Gate g = gate(mul(b, fma(square, splat(kGeluTanh3), splat(kGeluTanh1))));
  const F steepness = mul(b, fma(square, splat(3 * kGeluTanh3), splat(kGeluTanh1)));
  return mul(g.open, fma(g.closed, steepness, splat(1.0f)));
}

// ---- Exponential units: elu (Clevert et al. 2015), selu (Klambauer et al. 2017)

// x < 0 ? α·(eˣ − 1) : x
CARILLON_INLINE F elu(F x, F alpha) { return select(less(x, zero()), mul(alpha, expm1(x)), x); }
// x < 0 ? α·eˣ : 1; the output's output + α would lose all of it below −17. [1.46 with α = 1.5]
CARILLON_INLINE F elu_slope(F x, F alpha) {
  return or_nan(x, select(less(x, zero()), mul(alpha, exp(x)), splat(1.0f)));
}

constexpr float kSeluScale = 1.0507009873554805f;
constexpr float kSeluScaleAlpha = 1.7580993408473766f;  // 1.0507009873554805·1.6732632423543772
// x < 0 ? scale·α·(eˣ − 1) : scale·x [1.76]
CARILLON_INLINE F selu(F x) {
  return select(less(x, zero()), mul(splat(kSeluScaleAlpha), expm1(x)), mul(splat(kSeluScale), x));
}
// x < 0 ? scale·α·eˣ : scale [1.5]
CARILLON_INLINE F selu_slope(F x) {
  return or_nan(x, select(less(x, zero()), mul(splat(kSeluScaleAlpha), exp(x)), splat(kSeluScale)));
}

// x < 0 ? slope·x : x
CARILLON_INLINE F leaky_relu(F x, F slope) { return select(less(x, zero()), mul(slope, x), x); }
CARILLON_INLINE F leaky_relu_slope(F x, F slope) { return or_nan(x, select(less(x, zero()), slope, splat(1.0f))); }
