// A unary kernel over the floats of a range, against a reference in double.
#pragma once

#include <algorithm>

#include "samples.h"

namespace carillon::test {

struct Worst {
  double error = 0;
  float at = 0;
};

// Distance in units of the last place of a float near the reference, a unit being `least` where the place is smaller.
inline double ulps_between(float y, double reference, double least = 0x1p-149) {
  if (reference == 0) return y == 0 ? 0 : 1e9;
  const int exponent = std::max(std::ilogb(reference), -126);
  return std::fabs(static_cast<double>(y) - reference) / std::max(std::ldexp(1.0, exponent - 23), least);
}

// Walks the bit patterns of [from, to] (both of one sign, |from| <= |to|), by a prime stride unless the sweep is full;
// 10,007 where the machine is slow.
// The tables must agree; error(x, y) tells how far y is off.
template <class Error>
void sweep(Unary f, float from, float to, const Error& error, Worst& worst, uint32_t sample = 199) {
  const uint32_t stride = full_sweep() ? 1 : slowness() > 1 ? 10007 : sample;
  constexpr size_t kBatch = 4096;
  std::vector<float> x, y(kBatch), check(kBatch);
  const auto kernel = default_table()->unary[static_cast<size_t>(f)];
  for (uint64_t pattern = bits(from); pattern <= bits(to);) {
    x.clear();
    for (; pattern <= bits(to) && x.size() < kBatch; pattern += stride) {
      x.push_back(std::bit_cast<float>(static_cast<uint32_t>(pattern)));
    }
    kernel(x.data(), y.data(), x.size());
    scalar_table().unary[static_cast<size_t>(f)](x.data(), check.data(), x.size());
    for (size_t i = 0; i < x.size(); ++i) {
      const double off = error(static_cast<double>(x[i]), y[i]);
      if (!(off <= worst.error)) worst = {off, x[i]};
      CHECK_AT(same(y[i], check[i]), "tables differ at %a", static_cast<double>(x[i]));
    }
  }
}

inline void report(const char* name, const Worst& worst, double bound) {
  std::printf("  %s: worst of the %s %.3f ulp, at %a\n", name, full_sweep() ? "floats" : "sample", worst.error,
              static_cast<double>(worst.at));
  CHECK(worst.error <= bound);
}

}  // namespace carillon::test
