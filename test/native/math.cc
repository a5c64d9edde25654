// exp, expm1, log, log1p, tanh, sigmoid, erf, sin and cos against the C library in double, whose own error (below
// 2^-50) does not count: at most 2 ulp.
#include <cmath>

#include "sweep.h"

namespace carillon::test {
namespace {

// The error in ulp against reference(x).
template <class Reference>
auto ulps(Reference reference) {
  return [reference](double x, float y) { return ulps_between(y, reference(x)); };
}

constexpr float kMax = std::numeric_limits<float>::max();

// The last arguments whose exp is normal and finite.
constexpr float kExpLow = -0x1.5d589ep+6f;
constexpr float kExpHigh = 0x1.62e42ep+6f;

}  // namespace

TEST(exp_within_two_ulps) {
  Worst worst;
  const auto error = ulps([](double x) { return std::exp(x); });
  sweep(Unary::exp, 0.0f, kExpHigh, error, worst);
  sweep(Unary::exp, -0.0f, kExpLow, error, worst);
  report("exp", worst, 2);
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
  sweep(Unary::log, 0x1p-149f, kMax, ulps([](double x) { return std::log(x); }), worst);
  report("log", worst, 2);
}

TEST(log1p_within_two_ulps) {
  Worst worst;
  const auto error = ulps([](double x) { return std::log1p(x); });
  sweep(Unary::log1p, 0x1p-149f, kMax, error, worst);
  sweep(Unary::log1p, -0x1p-149f, -0x1.fffffep-1f, error, worst);
  report("log1p", worst, 2);
}

// Up to the last float whose result is finite.
TEST(expm1_within_two_ulps) {
  Worst worst;
  const auto error = ulps([](double x) { return std::expm1(x); });
  sweep(Unary::expm1, 0x1p-149f, kExpHigh, error, worst);
  sweep(Unary::expm1, -0x1p-149f, -kMax, error, worst);
  report("expm1", worst, 2);
}

TEST(erf_within_two_ulps) {
  Worst worst;
  const auto error = ulps([](double x) { return std::erf(x); });
  sweep(Unary::erf, 0x1p-149f, kMax, error, worst);
  sweep(Unary::erf, -0x1p-149f, -kMax, error, worst);
  report("erf", worst, 2);
}

// Where they have values.
TEST(sin_within_two_ulps) {
  Worst worst;
  const auto error = ulps([](double x) { return std::sin(x); });
  sweep(Unary::sin, 0x1p-149f, 0x1p20f, error, worst);
  sweep(Unary::sin, -0x1p-149f, -0x1p20f, error, worst);
  report("sin", worst, 2);
}

TEST(cos_within_two_ulps) {
  Worst worst;
  const auto error = ulps([](double x) { return std::cos(x); });
  sweep(Unary::cos, 0x1p-149f, 0x1p20f, error, worst);
  sweep(Unary::cos, -0x1p-149f, -0x1p20f, error, worst);
  report("cos", worst, 2);
}

TEST(tanh_within_two_ulps) {
  Worst worst;
  const auto error = ulps([](double x) { return std::tanh(x); });
  sweep(Unary::tanh, 0.0f, 20.0f, error, worst);
  sweep(Unary::tanh, -0.0f, -20.0f, error, worst);
  report("tanh", worst, 2);
}

// Below −87.33 the result is flushed like exp's.
TEST(sigmoid_within_two_ulps) {
  Worst worst;
  const auto error = ulps([](double x) { return 1 / (1 + std::exp(-x)); });
  sweep(Unary::sigmoid, 0.0f, 100.0f, error, worst);
  sweep(Unary::sigmoid, -0.0f, -87.33f, error, worst);
  report("sigmoid", worst, 2);
}

}  // namespace carillon::test
