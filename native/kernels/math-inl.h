// Transcendental functions over F: exp, expm1, log, log1p, tanh, sigmoid, erf, sin, cos. Our own minimax polynomials
// (Remez exchange on the relative error, each coefficient rounded to float before the next is fitted), evaluated by FMA
// in Horner's order. Measured over every float of the ranges in test/native/math.cc (AVX-512 table, against the C
// library in double): exp 1.013, expm1 1.517, log 1.003, log1p 1.436, tanh 1.333, sigmoid 1.505, erf 1.082, sin 1.669,
// cos 1.807 ulp. A strided sweep sees less, since the worst floats are rare.

constexpr float kInfinity = __builtin_inff();
constexpr float kMinNormal = 0x1p-126f;

// |x| < 2^-126 ? +0 : x; NaN passes. Denormal operands make an instruction 16 to 33 times slower, so what is written
// for later steps is freed of them here and nowhere else.
CARILLON_INLINE F flush(F x) { return select(below_normal(x), zero(), x); }

// exp without the select for NaN and the range: right for x in [-87.4, 88.73], bits without meaning outside.
// n = round(x / ln 2), r = x − n·ln 2 in two FMAs (Cody and Waite 1980; the first is exact: hi has 24 bits with the
// last at 2^-24, |n| ≤ 128 and |r| < 1/2), e^r = 1 + (r + r²·q(r)), |relative error of the polynomial| < 2^-28 for |r|
// ≤ 0.3467; then n is added to the exponent. Adding 1.5·2^23 rounds to an integer and leaves it in the low bits.
CARILLON_INLINE F exp_in_range(F x) {
  const F magic = splat(0x1.8p23f);
  const F shifted = fma(x, splat(0x1.715476p+0f), magic);
  const F n = sub(shifted, magic);
  F r = fnma(n, splat(0x1.62e43p-1f), x);
  r = fma(n, splat(0x1.05c61p-29f), r);
  F q = splat(0x1.6ac144p-10f);
  q = fma(q, r, splat(0x1.123da6p-7f));
  q = fma(q, r, splat(0x1.555858p-5f));
  q = fma(q, r, splat(0x1.55548cp-3f));
  q = fma(q, r, splat(0x1.fffffcp-2f));
  const F y = add(splat(1.0f), fma(mul(r, r), q, r));
  return from_bits(add(bits(y), shift_left<23>(bits(shifted))));
}

// e^x; +0 where that is below 2^-126, +inf from 88.72284 on.
CARILLON_INLINE F exp(F x) {
  F y = exp_in_range(x);
  y = select(less(splat(0x1.62e42ep+6f), x), splat(kInfinity), y);
  y = select(less(x, splat(-0x1.5d58ap+6f)), zero(), y);
  y = flush(y);
  return select(unordered(x, x), x, y);
}

// e^x − 1 = 2^n·p + (2^n − 1), p = e^r − 1 = r + (r²·q(r) + what r lost), |relative error of p's polynomial| < 2^-26.5;
// n and r as in exp. Halved until the end, since 2^128 is no float; n = 0 stands apart, where halving would cost
// denormals a bit. Clamped to where the result is −1 and to where it is +inf; the sign of zero is put back by its bit.
CARILLON_INLINE F expm1(F x) {
  F t = select(less(x, splat(-18.0f)), splat(-18.0f), x);
  t = select(less(splat(88.8f), t), splat(88.8f), t);
  const F magic = splat(0x1.8p23f);
  const F shifted = fma(t, splat(0x1.715476p+0f), magic);
  const F n = sub(shifted, magic);
  const F near = fnma(n, splat(0x1.62e43p-1f), t);
  const F r = fma(n, splat(0x1.05c61p-29f), near);
  const F lost = fma(n, splat(0x1.05c61p-29f), sub(near, r));
  F q = splat(0x1.9b758cp-13f);
  q = fma(q, r, splat(0x1.6c7854p-10f));
  q = fma(q, r, splat(0x1.111342p-7f));
  q = fma(q, r, splat(0x1.55552ep-5f));
  q = fma(q, r, splat(0x1.555554p-3f));
  q = fma(q, r, splat(0.5f));
  const F p = add(r, fma(mul(r, r), q, lost));
  const F half = from_bits(add(shift_left<23>(bits(shifted)), splat_u(126u << 23)));  // 2^(n − 1)
  F y = fma(half, p, sub(half, splat(0.5f)));
  y = select(equal(n, zero()), p, add(y, y));
  return from_bits(bit_or(bits(y), bit_and(bits(x), splat_u(0x80000000u))));
}

// x = 2^e·m with m in [√½, √2), for positive normal x. Subtracting the bits of √½ makes the exponent field count from
// there.
struct Mantissa {
  U exponent;  // e + 127
  F m;
};
CARILLON_INLINE Mantissa split_mantissa(F x) {
  const U offset = sub(bits(x), splat_u(0x3f3504f3u));
  return {shift_right<23>(add(offset, splat_u(127u << 23))),
          from_bits(add(bit_and(offset, splat_u(0x007fffffu)), splat_u(0x3f3504f3u)))};
}

// e·ln 2 + ln(1 + f) for f in [√½ − 1, √2 − 1): ln(1 + f) = f − f²/2 + f³·p(f), |relative error of p's part| < 2^-26.
// The order of the sums keeps the large terms last.
CARILLON_INLINE F log_of_parts(F e, F f) {
  F p = splat(-0x1.429e22p-4f);
  p = fma(p, f, splat(0x1.07daacp-3f));
  p = fma(p, f, splat(-0x1.0cd59ep-3f));
  p = fma(p, f, splat(0x1.226c68p-3f));
  p = fma(p, f, splat(-0x1.547862p-3f));
  p = fma(p, f, splat(0x1.99a5b4p-3f));
  p = fma(p, f, splat(-0x1.000220p-2f));
  p = fma(p, f, splat(0x1.55554ap-2f));
  const F square = mul(f, f);
  F y = mul(mul(square, f), p);
  y = fma(e, splat(-0x1.05c61p-29f), y);
  y = fma(square, splat(-0.5f), y);
  y = add(f, y);
  return fma(e, splat(0x1.62e43p-1f), y);
}

// ln x. Denormals are scaled by 2^23 first. log(±0) = −inf, log(x < 0) = NaN.
CARILLON_INLINE F log(F x) {
  const M tiny = less(x, splat(kMinNormal));
  const Mantissa parts = split_mantissa(select(tiny, mul(x, splat(0x1p23f)), x));
  const F e = to_float(sub(as_i(parts.exponent), select(tiny, splat_i(127 + 23), splat_i(127))));
  F y = log_of_parts(e, sub(parts.m, splat(1.0f)));
  y = select(less(x, splat(kInfinity)), y, x);  // +inf and NaN
  y = select(less(x, zero()), splat(__builtin_nanf("")), y);
  return select(equal(x, zero()), splat(-kInfinity), y);
}

// ln(1 + x): 2^e·m = 1 + x rounded chooses e; then f = 2^-e·(1 + x) − 1 = x·2^-e + (2^-e − 1), the second term exact
// and one rounding in all, so nothing of x is lost (f = x where e = 0). From 2^24 on 1 counts for half an ulp at most,
// and 2^-e might be denormal: f = m − 1. log1p(−1) = −inf, log1p(x < −1) = NaN.
CARILLON_INLINE F log1p(F x) {
  const Mantissa parts = split_mantissa(add(splat(1.0f), x));
  const F scale = from_bits(shift_left<23>(sub(splat_u(254), parts.exponent)));
  const F near = fma(x, scale, sub(scale, splat(1.0f)));
  const F f = select(less(x, splat(0x1p24f)), near, sub(parts.m, splat(1.0f)));
  F y = log_of_parts(to_float(sub(as_i(parts.exponent), splat_i(127))), f);
  y = select(less(x, splat(kInfinity)), y, x);  // +inf and NaN
  y = select(less(x, splat(-1.0f)), splat(__builtin_nanf("")), y);
  y = select(equal(x, splat(-1.0f)), splat(-kInfinity), y);
  return select(equal(x, zero()), x, y);  // −0
}

// tanh x: below 0.625 x + x³·p(x²), |relative error of p's part| < 2^-27; above 1 − 2/(e^2|x| + 1). The sign is put
// back by its bit, so tanh(−x) = −tanh(x) and tanh(−0) = −0.
CARILLON_INLINE F tanh(F x) {
  const U sign = bit_and(bits(x), splat_u(0x80000000u));
  const F a = abs(x);
  const F square = mul(a, a);
  F p = splat(-0x1.767a14p-8f);
  p = fma(p, square, splat(0x1.524c4p-6f));
  p = fma(p, square, splat(-0x1.b842c4p-5f));
  p = fma(p, square, splat(0x1.11075ep-3f));
  p = fma(p, square, splat(-0x1.555534p-2f));
  const F near = fma(mul(square, a), p, a);
  const F far = sub(splat(1.0f), div(splat(2.0f), add(exp(add(a, a)), splat(1.0f))));
  const F y = select(less(a, splat(0.625f)), near, far);
  return from_bits(bit_or(bits(y), sign));
}

// 1 / (1 + e^−x); +0 where that is below 2^-126. The quotient q = 1/d with d = 1 + e alone is up to 2.49 ulp off
// (measured): one Newton step with the residual 1 − d·q − (what the sum d lost)·q takes both roundings back.
CARILLON_INLINE F sigmoid(F x) {
  // Clamped to where e is finite; NaN fails both compares and passes.
  F t = select(less(x, splat(-88.0f)), splat(-88.0f), x);
  t = select(less(splat(88.0f), t), splat(88.0f), t);
  const F e = exp(negate(t));
  const F d = add(splat(1.0f), e);
  // Dekker's FastTwoSum with the larger operand first.
  const M small = less(e, splat(1.0f));
  const F larger = select(small, splat(1.0f), e);
  const F smaller = select(small, e, splat(1.0f));
  const F lost = sub(smaller, sub(d, larger));
  const F q = div(splat(1.0f), d);
  const F residual = fnma(lost, q, fnma(d, q, splat(1.0f)));
  return flush(fma(q, residual, q));
}

// x = n·π/2 + r, |r| ≤ π/4: n rounded by adding 1.5·2^23, r = x − n·π/2 in three FMAs (Cody and Waite 1980). The first
// is exact, as n·hi and x end at 2^-23 or above and their difference is below 1; what the three constants leave of π/2
// is 2^-76.
struct Reduced {
  F r;
  U n;  // in its low bits
};
CARILLON_INLINE Reduced reduced(F x) {
  const F magic = splat(0x1.8p23f);
  const F shifted = fma(x, splat(0x1.45f306p-1f), magic);
  const F n = sub(shifted, magic);
  F r = fnma(n, splat(0x1.921fb6p+0f), x);
  r = fma(n, splat(0x1.777a5cp-25f), r);
  r = fma(n, splat(0x1.ee59dap-50f), r);
  return {r, bits(shifted)};
}

// sin x of n quarters of a turn more: even n from sin r = r + r³·s(r²), |relative error| < 2^-27.9, odd n from cos r =
// 1 − r²/2 + r⁴·c(r²), |relative error| < 2^-32.9; the sign turns with the next bit of n. |x| ≤ 2^20, beyond which it
// is NaN: there n is no longer near enough.
CARILLON_INLINE F sin_of_reduced(F x, const Reduced& part, U n) {
  const F square = mul(part.r, part.r);
  F s = splat(-0x1.9953p-13f);
  s = fma(s, square, splat(0x1.110776p-7f));
  s = fma(s, square, splat(-0x1.555546p-3f));
  s = fma(mul(square, part.r), s, part.r);
  F c = splat(0x1.99e904p-16f);
  c = fma(c, square, splat(-0x1.6c0c2ap-10f));
  c = fma(c, square, splat(0x1.55554ap-5f));
  c = fma(square, fma(square, c, splat(-0.5f)), splat(1.0f));
  const M even = equal(to_float(as_i(bit_and(n, splat_u(1u)))), zero());
  const F y = from_bits(bit_xor(bits(select(even, s, c)), shift_left<30>(bit_and(n, splat_u(2u)))));
  return select(less_equal(abs(x), splat(0x1p20f)), y, splat(__builtin_nanf("")));
}

CARILLON_INLINE F sin(F x) {
  const Reduced part = reduced(x);
  return select(equal(x, zero()), x, sin_of_reduced(x, part, part.n));  // −0
}

CARILLON_INLINE F cos(F x) {
  const Reduced part = reduced(x);
  return sin_of_reduced(x, part, add(part.n, splat_u(1u)));
}

// erf x: below 1 x + x·p(x²), |relative error of p's part| < 2^-29; above 1 − e^q(|x|), q = ln erfc, whose error counts
// for 2^-29.6 of the result at most. From 3.92 on the result is 1. The sign is put back by its bit, as in tanh.
CARILLON_INLINE F erf(F x) {
  const U sign = bit_and(bits(x), splat_u(0x80000000u));
  const F a = abs(x);
  const F square = mul(a, a);
  F p = splat(0x1.4771fcp-14f);
  p = fma(p, square, splat(-0x1.a3515ep-11f));
  p = fma(p, square, splat(0x1.53f224p-8f));
  p = fma(p, square, splat(-0x1.b7f71ap-6f));
  p = fma(p, square, splat(0x1.ce2ce6p-4f));
  p = fma(p, square, splat(-0x1.81273ep-2f));
  p = fma(p, square, splat(0x1.06eba8p-3f));
  const F near = fma(a, p, a);
  const F b = select(less(a, splat(4.0f)), a, splat(4.0f));
  F q = splat(0x1.86db32p-13f);
  q = fma(q, b, splat(-0x1.8259f6p-9f));
  q = fma(q, b, splat(0x1.65cb10p-6f));
  q = fma(q, b, splat(-0x1.a65318p-4f));
  q = fma(q, b, splat(-0x1.46baf0p-1f));
  q = fma(q, b, splat(-0x1.2088eap+0f));
  q = fma(q, b, splat(-0x1.661dcap-12f));
  const F far = sub(splat(1.0f), exp_in_range(q));
  const F y = select(less_equal(splat(1.0f), a), far, near);  // NaN: near
  return from_bits(bit_or(bits(y), sign));
}
