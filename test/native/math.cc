// exp, log, tanh and sigmoid against the C library in double, whose own error (below 2^-50) does not count: at most 2
// ulp.
#include <cmath>

#include "samples.h"

namespace carillon::test {
namespace {

struct Worst {
  double ulps = 0;
  float at = 0;
};

// Distance in units of the last place of a float near the reference.
double ulps_between(float y, double reference) {
  if (reference == 0) return y == 0 ? 0 : 1e9;
  const int exponent = std::max(std::ilogb(reference), -126);
  return std::fabs(static_cast<double>(y) - reference) / std::ldexp(1.0, exponent - 23);
}

// Walks the bit patterns of [from, to] (both of one sign, |from| <= |to|) by a prime stride.
template <class Reference>
void sweep(Unary f, float from, float to, Reference reference, Worst& worst) {
  const uint32_t stride = full_sweep() ? 1 : static_cast<uint32_t>(slowness() > 1 ? 10007 : 199);
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
      const double expected = reference(static_cast<double>(x[i]));
      const double error = ulps_between(y[i], expected);
      if (error > worst.ulps) worst = {error, x[i]};
      CHECK_AT(same(y[i], check[i]), "tables differ at %a", static_cast<double>(x[i]));
    }
  }
}

void report(const char* name, const Worst& worst) {
  std::printf("  %s: worst of the %s %.3f ulp, at %a\n", name, full_sweep() ? "floats" : "sample", worst.ulps,
              static_cast<double>(worst.at));
  CHECK(worst.ulps <= 2);
}

// The last arguments whose exp is normal and finite.
constexpr float kExpLow = -0x1.5d589ep+6f;
constexpr float kExpHigh = 0x1.62e42ep+6f;

}  // namespace

TEST(exp_within_two_ulps) {
  Worst worst;
  const auto reference = [](double x) { return std::exp(x); };
  sweep(Unary::exp, 0.0f, kExpHigh, reference, worst);
  sweep(Unary::exp, -0.0f, kExpLow, reference, worst);
  report("exp", worst);
}

// Around both ends every float: no denormal, no early infinity.
TEST(exp_at_the_ends) {
  const auto kernel = default_table()->unary[static_cast<size_t>(Unary::exp)];
  for (uint32_t pattern = bits(kExpLow) - 20000; pattern < bits(kExpLow) + 20000; ++pattern) {
    const float x = std::bit_cast<float>(pattern);
    float y;
    kernel(&x, &y, 1);
    const double reference = std::exp(static_cast<double>(x));
    CHECK_AT(y == 0 || y >= 0x1p-126f, "exp(%a) is denormal", static_cast<double>(x));
    CHECK_AT(y == 0 ? reference < 0x1.000002p-126 : ulps_between(y, reference) <= 2, "exp(%a)", static_cast<double>(x));
  }
  for (uint32_t pattern = bits(kExpHigh) - 20000; pattern < bits(kExpHigh) + 20000; ++pattern) {
    const float x = std::bit_cast<float>(pattern);
    float y;
    kernel(&x, &y, 1);
    const double reference = std::exp(static_cast<double>(x));
    CHECK_AT(std::isinf(y) ? reference > 0x1.fffffep+127 : ulps_between(y, reference) <= 2, "exp(%a)",
             static_cast<double>(x));
  }
}

TEST(log_within_two_ulps) {
  Worst worst;
  sweep(
      Unary::log, 0x1p-149f, std::numeric_limits<float>::max(), [](double x) { return std::log(x); }, worst);
  report("log", worst);
}

TEST(tanh_within_two_ulps) {
  Worst worst;
  const auto reference = [](double x) { return std::tanh(x); };
  sweep(Unary::tanh, 0.0f, 20.0f, reference, worst);
  sweep(Unary::tanh, -0.0f, -20.0f, reference, worst);
  report("tanh", worst);
}

// Below −87.33 the result is flushed like exp's.
TEST(sigmoid_within_two_ulps) {
  Worst worst;
  const auto reference = [](double x) { return 1 / (1 + std::exp(-x)); };
  sweep(Unary::sigmoid, 0.0f, 100.0f, reference, worst);
  sweep(Unary::sigmoid, -0.0f, -87.33f, reference, worst);
  report("sigmoid", worst);
}

}  // namespace carillon::test
