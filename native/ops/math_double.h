// Functions of double precision with the same bits everywhere: + − × ÷ √ only, never libm.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace carillon {

// IEEE-754 square root: exact on every platform, the one function of libm that is.
inline double exact_sqrt(double x) { return std::sqrt(x); }

// log x for normal x > 0: x = m·2^e with m in [√½, √2), log m = 2·artanh(s), s = (m − 1)/(m + 1), |s| < 0.172; the
// series to s^21 leaves less than 2^-56 of the sum. Below 2 ulp.
inline double log_double(double x) {
  auto bits = std::bit_cast<uint64_t>(x);
  auto exponent = static_cast<int64_t>(bits >> 52) - 1023;
  bits = (bits & 0xFFFFFFFFFFFFFu) | 0x3FF0000000000000u;
  auto m = std::bit_cast<double>(bits);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    exponent += 1;
  }
  const double s = (m - 1) / (m + 1);
  const double square = s * s;
  double sum = 0;
  for (int n = 21; n >= 3; n -= 2) sum = (sum + 1.0 / n) * square;
  return static_cast<double>(exponent) * 0.693147180559945309 + (2 * s + 2 * s * sum);
}

}  // namespace carillon
