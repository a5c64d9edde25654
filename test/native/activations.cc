// Activations and slopes against double: sweeps with the bounds measured over every float, then kinks and limits.
#include "sweep.h"

namespace carillon::test {
namespace {

constexpr float kMax = std::numeric_limits<float>::max();
constexpr float kHigh = 0x1.e7p127f;  // selu of more is infinite
constexpr uint32_t kSample = 1999;
constexpr double kGeluTanh = 1.5957691216057308;  // 2·√(2/π)

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }
double normal_below(double x) { return 0.5 * std::erfc(-x * std::sqrt(0.5)); }
double normal_density(double x) { return std::exp(-0.5 * x * x) / std::sqrt(2 * 3.14159265358979323846); }
double gelu_tanh_argument(double x) { return kGeluTanh * (x + 0.044715 * x * x * x); }
double softplus_of(double x) { return std::fmax(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }
// 1 − tanh²(softplus(x)), without the difference where it cancels.
double mish_rest(double x) {
  const double cosh = std::cosh(std::fmin(softplus_of(x), 300.0));
  return 1 / (cosh * cosh);
}

using Function = double (*)(double);

// Bounds are a little above the worst errors that activations-inl.h states.
// [0, kHigh] and [−0, low]; in units of the last place, but no smaller ones than `least`.
struct Curve {
  Unary f;
  const char* name;
  Function reference;
  double low;
  double least;
  double bound;
};

// The slopes cross 0: there 2^-24, half an ulp of 1, is the least unit. Others are relative down to where their factor
// that vanishes exponentially becomes 0.
constexpr Curve curves[] = {
    {Unary::softplus, "softplus", softplus_of, -87.33f, 0, 2},
    {Unary::gelu, "gelu", [](double x) { return x * normal_below(x); }, -12.9f, 0x1p-149, 6},
    {Unary::gelu_slope, "gelu_slope", [](double x) { return normal_below(x) + x * normal_density(x); }, -kMax, 0x1p-24,
     1.5},
    {Unary::gelu_tanh_slope, "gelu_tanh_slope",
     [](double x) {
       const double v = gelu_tanh_argument(x);
       if (std::fabs(x) > 30) return x > 0 ? 1.0 : 0.0;
       return sigmoid_of(v) * (1 + sigmoid_of(-v) * x * kGeluTanh * (1 + 3 * 0.044715 * x * x));
     },
     -kMax, 0x1p-24, 4},
    {Unary::silu, "silu", [](double x) { return x * sigmoid_of(x); }, -87.33f, 0x1p-149, 2.5},
    {Unary::silu_slope, "silu_slope",
     [](double x) {
       if (std::fabs(x) > 700) return x > 0 ? 1.0 : 0.0;
       return sigmoid_of(x) * (1 + x * sigmoid_of(-x));
     },
     -kMax, 0x1p-24, 4},
    {Unary::mish, "mish", [](double x) { return x * std::tanh(softplus_of(x)); }, -87.33f, 0x1p-149, 5},
    {Unary::mish_slope, "mish_slope",
     [](double x) {
       if (std::fabs(x) > 700) return x > 0 ? 1.0 : 0.0;
       return std::tanh(softplus_of(x)) + x * mish_rest(x) * sigmoid_of(x);
     },
     -kMax, 0x1p-24, 4.5},
    {Unary::selu, "selu",
     [](double x) { return x < 0 ? 1.0507009873554805 * 1.6732632423543772 * std::expm1(x) : 1.0507009873554805 * x; },
     -kMax, 0x1p-149, 2.5},
    {Unary::selu_slope, "selu_slope",
     [](double x) { return 1.0507009873554805 * (x < 0 ? 1.6732632423543772 * std::exp(x) : 1); }, -87.33f, 0, 2},
    {Unary::hard_sigmoid, "hard_sigmoid", [](double x) { return std::fmin(std::fmax(x + 3, 0.0), 6.0) / 6; }, -kMax, 0,
     2},
    {Unary::hard_silu, "hard_silu", [](double x) { return x * std::fmin(std::fmax(x + 3, 0.0), 6.0) / 6; }, -kMax,
     0x1p-149, 3},
    {Unary::hard_silu_slope, "hard_silu_slope", [](double x) { return x <= -3  ? 0.0
                                                                      : x >= 3 ? 1.0
                                                                               : x / 3 + 0.5; },
     -kMax, 0x1p-24, 1},
    {Unary::relu6, "relu6", [](double x) { return std::fmin(std::fmax(x, 0.0), 6.0); }, -kMax, 0, 0},
    {Unary::hard_tanh, "hard_tanh", [](double x) { return std::fmin(std::fmax(x, -1.0), 1.0); }, -kMax, 0, 0},
};

float unary_of(Unary f, float x) {
  float y;
  scalar_table().unary[static_cast<size_t>(f)](&x, &y, 1);
  return y;
}
float binary_of(Binary f, float a, float b) {
  float y;
  scalar_table().binary[static_cast<size_t>(f)].vector_vector(&a, &b, &y, 1);
  return y;
}

const float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();

}  // namespace

TEST(activations_within_their_bounds) {
  for (const Curve& curve : curves) {
    Worst worst;
    const auto error = [&curve](double x, float y) { return ulps_between(y, curve.reference(x), curve.least); };
    sweep(curve.f, 0.0f, kHigh, error, worst, kSample);
    sweep(curve.f, -0.0f, static_cast<float>(curve.low), error, worst, kSample);
    report(curve.name, worst, curve.bound);
  }
}

// v = 2u has three roundings and two rounded constants: e^v is off by 4·|v|·2^-24 at most, 4·|v| ulp of the result; for
// x > 0 that is an error of what is below 1.
TEST(gelu_tanh_within_its_bound) {
  Worst worst;
  const auto error = [](double x, float y) {
    const double v = gelu_tanh_argument(x);
    return ulps_between(y, x * sigmoid_of(v)) / (x < 0 ? 1 + 4 / 2.5 * std::fabs(v) : 1);
  };
  sweep(Unary::gelu_tanh, 0.0f, kHigh, error, worst, kSample);
  sweep(Unary::gelu_tanh, -0.0f, -9.98f, error, worst, kSample);
  report("gelu_tanh", worst, 2.5);
}

// Beyond the sweeps' ends the value is 0 or its magnitude no larger than there.
TEST(activations_vanish_in_the_tail) {
  for (const Curve& curve : curves) {
    if (!(curve.low > -kMax)) continue;
    for (int i = 0; curve.low - 0.0371 * i > -200; ++i) {
      const auto x = static_cast<float>(curve.low - 0.0371 * i);
      const float y = unary_of(curve.f, x);
      CHECK_AT(std::fabs(y) <= 0x1.1p-119f, "%s(%a) = %a", curve.name, static_cast<double>(x), static_cast<double>(y));
      CHECK_AT(y == 0 || std::fabs(y) >= 0x1p-126f, "%s(%a) is denormal", curve.name, static_cast<double>(x));
    }
  }
}

TEST(activation_limits) {
  for (Unary f : {Unary::softplus, Unary::gelu, Unary::gelu_tanh, Unary::silu, Unary::mish, Unary::relu6,
                  Unary::hard_sigmoid, Unary::hard_silu, Unary::gelu_slope, Unary::gelu_tanh_slope, Unary::silu_slope,
                  Unary::mish_slope, Unary::selu_slope, Unary::relu6_slope, Unary::hard_tanh_slope,
                  Unary::hard_sigmoid_slope, Unary::hard_silu_slope}) {
    CHECK_AT(unary_of(f, -kInf) == 0, "function %d at -inf", static_cast<int>(f));
    CHECK_AT(unary_of(f, -1e30f) == 0, "function %d at -1e30", static_cast<int>(f));
  }
  for (Unary f : {Unary::softplus, Unary::gelu, Unary::gelu_tanh, Unary::silu, Unary::mish, Unary::selu,
                  Unary::hard_silu, Unary::log1p, Unary::expm1}) {
    CHECK_AT(same(unary_of(f, kInf), kInf), "function %d at inf", static_cast<int>(f));
  }
  for (Unary f : {Unary::gelu_slope, Unary::gelu_tanh_slope, Unary::silu_slope, Unary::mish_slope,
                  Unary::hard_silu_slope, Unary::erf, Unary::hard_tanh, Unary::hard_sigmoid}) {
    CHECK_AT(same(unary_of(f, kInf), 1.0f), "function %d at inf", static_cast<int>(f));
    CHECK_AT(same(unary_of(f, 1e30f), 1.0f), "function %d at 1e30", static_cast<int>(f));
  }
  for (Unary f : {Unary::log1p, Unary::expm1, Unary::erf, Unary::gelu, Unary::gelu_tanh, Unary::silu, Unary::mish,
                  Unary::selu, Unary::relu6, Unary::hard_tanh, Unary::hard_silu}) {
    CHECK_AT(same(unary_of(f, -0.0f), -0.0f), "function %d at -0", static_cast<int>(f));
    CHECK_AT(same(unary_of(f, 0.0f), 0.0f), "function %d at 0", static_cast<int>(f));
  }
  CHECK(same(unary_of(Unary::log1p, -1), -kInf));
  CHECK(std::isnan(unary_of(Unary::log1p, -1.5f)));
  CHECK(std::isnan(unary_of(Unary::log1p, -kInf)));
  CHECK(same(unary_of(Unary::expm1, -kInf), -1.0f));
  CHECK(same(unary_of(Unary::expm1, 88.73f), kInf));
  CHECK(same(unary_of(Unary::expm1, 1e30f), kInf));
  CHECK(same(unary_of(Unary::expm1, 0x1p-149f), 0x1p-149f));
  CHECK(same(unary_of(Unary::erf, -kInf), -1.0f));
}

// The slope at a kink is PyTorch's: 0 at the ends of a clamp, 1 at 3 for hard_silu.
TEST(slopes_at_the_kinks) {
  const float third = 1.0f / 3, sixth = 1.0f / 6;
  struct Point {
    Unary f;
    float x, slope;
  };
  const Point points[] = {
      {Unary::relu6_slope, 0, 0},
      {Unary::relu6_slope, 0x1p-149f, 1},
      {Unary::relu6_slope, std::nextafter(6.0f, 0.0f), 1},
      {Unary::relu6_slope, 6, 0},
      {Unary::hard_tanh_slope, -1, 0},
      {Unary::hard_tanh_slope, std::nextafter(-1.0f, 0.0f), 1},
      {Unary::hard_tanh_slope, 1, 0},
      {Unary::hard_sigmoid_slope, -3, 0},
      {Unary::hard_sigmoid_slope, 0, sixth},
      {Unary::hard_sigmoid_slope, 3, 0},
      {Unary::hard_silu_slope, -3, 0},
      {Unary::hard_silu_slope, 1, std::fma(1.0f, third, 0.5f)},
      {Unary::hard_silu_slope, 3, 1},
      {Unary::selu_slope, 2, 1.0507009873554805f},
      {Unary::selu_slope, 0, 1.0507009873554805f},
      {Unary::selu_slope, -0.0f, 1.0507009873554805f},
      {Unary::selu_slope, -0.5f, 1.7580993408473766f * unary_of(Unary::exp, -0.5f)},
      {Unary::gelu_slope, 0, 0.5f},
      {Unary::gelu_tanh_slope, 0, 0.5f},
      {Unary::silu_slope, 0, 0.5f},
  };
  for (const Point& p : points) {
    CHECK_AT(same(unary_of(p.f, p.x), p.slope), "function %d at %a", static_cast<int>(p.f), static_cast<double>(p.x));
  }
}

TEST(units_with_a_parameter) {
  Random random{60};
  for (size_t i = 0; i < 20000 / slowness(); ++i) {
    const float x = random.mixed(), p = random.uniform();
    if (std::isnan(x)) continue;
    CHECK(same(binary_of(Binary::leaky_relu, x, p), x < 0 ? p * x : x));
    CHECK(same(binary_of(Binary::leaky_relu_slope, x, p), x < 0 ? p : 1.0f));
    CHECK(same(binary_of(Binary::elu, x, p), x < 0 ? p * unary_of(Unary::expm1, x) : x));
    CHECK(same(binary_of(Binary::elu_slope, x, p), x < 0 ? p * unary_of(Unary::exp, x) : 1.0f));
  }
  for (Binary f : {Binary::leaky_relu, Binary::leaky_relu_slope, Binary::elu, Binary::elu_slope}) {
    CHECK(std::isnan(binary_of(f, kNan, 0.5f)));
  }
}

}  // namespace carillon::test
