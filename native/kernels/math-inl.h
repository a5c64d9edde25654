// Transcendental functions over F: exp, log, tanh, sigmoid. Our own minimax polynomials (Remez exchange on the relative
// error, each coefficient rounded to float before the next is fitted), evaluated by FMA in Horner's order.
// Measured over every float of the ranges in test/native/math.cc (AVX-512 table, against the C library in double):
// exp 1.013, log 1.003, tanh 1.333, sigmoid 1.505 ulp. A strided sweep sees less, since the worst floats are rare.

constexpr float kInfinity = __builtin_inff();
constexpr float kMinNormal = 0x1p-126f;

// |x| < 2^-126 ? +0 : x; NaN passes. Denormal operands make an instruction 16 to 33 times slower, so what is written
// for later steps is freed of them here and nowhere else.
CARILLON_INLINE F flush(F x) { return select(less(abs(x), splat(kMinNormal)), zero(), x); }

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

// ln x: x = 2^e·m with m in [√½, √2), f = m − 1, ln m = f − f²/2 + f³·p(f), |relative error of p's part| < 2^-26.
// The order of the sums keeps the large terms last. Denormals are scaled by 2^23 first. log(±0) = −inf, log(x < 0) =
// NaN.
CARILLON_INLINE F log(F x) {
  const M tiny = less(x, splat(kMinNormal));
  const F scaled = select(tiny, mul(x, splat(0x1p23f)), x);
  // Subtracting the bits of √½ puts m into [√½, √2): the exponent field then counts from there.
  const U offset = sub(bits(scaled), splat_u(0x3f3504f3u));
  const U exponent = shift_right<23>(add(offset, splat_u(127u << 23)));
  const F m = from_bits(add(bit_and(offset, splat_u(0x007fffffu)), splat_u(0x3f3504f3u)));
  const F e = to_float(sub(as_i(exponent), select(tiny, splat_i(127 + 23), splat_i(127))));
  const F f = sub(m, splat(1.0f));
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
  y = fma(e, splat(0x1.62e43p-1f), y);
  y = select(less(x, splat(kInfinity)), y, x);  // +inf and NaN
  y = select(less(x, zero()), splat(__builtin_nanf("")), y);
  return select(equal(x, zero()), splat(-kInfinity), y);
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
