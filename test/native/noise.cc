// Gaussian noise: against its definition in double, independent of how a range is cut, and as a normal distribution.
#include <algorithm>

#include "ops/philox.h"
#include "samples.h"

namespace carillon::test {
namespace {

// The definition in noise-inl.h; `radius` bounds the error.
double reference_normal(uint64_t element, const NoiseArguments& a, double& radius) {
  const uint64_t place = element % 64;
  const uint64_t index = element / 64 * 16 + place % 16;
  const PhiloxBlock block = philox({static_cast<uint32_t>(index), a.step, a.site,
                                    static_cast<uint32_t>(Purpose::noise) | static_cast<uint32_t>(index >> 32) << 8},
                                   a.seed);
  const size_t pair = place / 32 * 2;
  const float u = static_cast<float>((static_cast<double>(block[pair]) + 1) * 0x1p-32);
  const double turn = 2 * 3.14159265358979323846 * (static_cast<double>(block[pair + 1]) * 0x1p-32);
  radius = std::sqrt(-2 * std::log(static_cast<double>(u)));
  return radius * (place / 16 % 2 == 0 ? std::cos(turn) : std::sin(turn));
}

// The normals themselves, by a deviation that makes the 1 vanish.
std::vector<double> normals(size_t count, const NoiseArguments& arguments) {
  NoiseArguments a = arguments;
  a.deviation = 0x1p30f;
  std::vector<float> y(count, 1.0f);
  default_table()->noise_f32(y.data(), y.data(), count, 0, a);
  std::vector<double> n(count);
  for (size_t i = 0; i < count; ++i) n[i] = static_cast<double>(y[i]) * 0x1p-30;
  return n;
}

double correlation(const std::vector<double>& a, size_t lag, bool squares) {
  double sum = 0;
  for (size_t i = 0; i + lag < a.size(); ++i) {
    sum += squares ? (a[i] * a[i] - 1) * (a[i + lag] * a[i + lag] - 1) / 2 : a[i] * a[i + lag];
  }
  return sum / static_cast<double>(a.size() - lag);
}

}  // namespace

// r: 1.003 ulp of the log halved by the root, and one rounding, below 2^-22.9; cos and sin: 2^-23 of 1; their product
// one rounding: 2^-21.9·r in all, then two roundings of y.
TEST(noise_follows_its_definition) {
  Random random{70};
  const uint64_t firsts[] = {0, 1, 15, 16, 63, 64, 1000003, 0x3ffffffff0, 0x1234567890123};
  for (const KernelTable* table : supported_tables()) {
    for (uint64_t first : firsts) {
      const size_t count = random.below(700);
      const NoiseArguments arguments{random.next(), static_cast<uint32_t>(random.next()),
                                     static_cast<uint32_t>(random.next()), 0.5f};
      Guarded x(count, random.below(4)), y(count, random.below(4)), scalar(count, 0);
      for (size_t i = 0; i < count; ++i) x[i] = random.uniform();
      table->noise_f32(x.data(), y.data(), count, first, arguments);
      scalar_table().noise_f32(x.data(), scalar.data(), count, first, arguments);
      CHECK(y.intact());
      for (size_t i = 0; i < count; ++i) {
        CHECK_AT(same(y[i], scalar[i]), "element %zu of %zu from %llu on %s", i, count,
                 static_cast<unsigned long long>(first), table->name);
        double radius;
        const double factor = 1 + 0.5 * reference_normal(first + i, arguments, radius);
        const double exact = static_cast<double>(x[i]) * factor;
        const double bound =
            std::fabs(static_cast<double>(x[i])) * (0.5 * radius * 0x1.12p-22 + 2.1 * kRounding * std::fabs(factor));
        CHECK_AT(std::fabs(static_cast<double>(y[i]) - exact) <= bound, "element %zu: %g, expected %g", i,
                 static_cast<double>(y[i]), exact);
      }
      table->noise_f32(x.data(), x.data(), count, first, arguments);
      for (size_t i = 0; i < count; ++i) CHECK(same(x[i], y[i]));
    }
  }
}

// An element's noise does not depend on where the range begins or ends.
TEST(noise_is_a_function_of_the_element) {
  Random random{71};
  const NoiseArguments arguments{5, 6, 7, 0.25f};
  std::vector<float> x(3000, 1.0f), all(3000), part(3000);
  default_table()->noise_f32(x.data(), all.data(), 3000, 40, arguments);
  for (int i = 0; i < 100; ++i) {
    const size_t begin = random.below(3000), count = random.below(3000 - begin + 1);
    default_table()->noise_f32(x.data(), part.data(), count, 40 + begin, arguments);
    for (size_t k = 0; k < count; ++k) CHECK(same(part[k], all[begin + k]));
  }
}

// Five standard deviations of each statistic of n draws: mean 1/n, variance 2/n, third moment 15/n, fourth 96/n.
TEST(noise_has_normal_moments) {
  const size_t count = 4000000 / slowness();
  const std::vector<double> normal = normals(count, {42, 1, 2, 0});
  double moments[5] = {};
  size_t beyond = 0;
  for (double x : normal) {
    const double square = x * x;
    moments[1] += x;
    moments[2] += square;
    moments[3] += square * x;
    moments[4] += square * square;
    if (std::fabs(x) > 4) ++beyond;
  }
  const double n = static_cast<double>(count);
  CHECK(std::fabs(moments[1] / n) <= 5 * std::sqrt(1 / n));
  CHECK(std::fabs(moments[2] / n - 1) <= 5 * std::sqrt(2 / n));
  CHECK(std::fabs(moments[3] / n) <= 5 * std::sqrt(15 / n));
  CHECK(std::fabs(moments[4] / n - 3) <= 5 * std::sqrt(96 / n));
  const double tail = std::erfc(4 / std::sqrt(2.0));
  CHECK(std::fabs(static_cast<double>(beyond) - n * tail) <= 5 * std::sqrt(n * tail) + 1);
}

// Kolmogorov and Smirnov: √n·D exceeds 2.2 once in 8,000 runs (2·e^(−2·2.2²)); the draws are fixed.
TEST(noise_is_normally_distributed) {
  std::vector<double> normal = normals(1000000 / slowness(), {43, 9, 3, 0});
  std::sort(normal.begin(), normal.end());
  const double n = static_cast<double>(normal.size());
  double distance = 0;
  for (size_t i = 0; i < normal.size(); ++i) {
    const double below = 0.5 * std::erfc(-normal[i] / std::sqrt(2.0));
    const double rank = static_cast<double>(i);
    distance = std::max({distance, below - rank / n, (rank + 1) / n - below});
  }
  CHECK(distance * std::sqrt(n) <= 2.2);
}

// Neighbours, the two normals of a pair (16 apart) and of two pairs of a block (32, 48) do not know of each other, nor
// do their squares, which share a radius.
TEST(noise_is_uncorrelated) {
  const std::vector<double> normal = normals(2000000 / slowness(), {44, 5, 8, 0});
  const double bound = 5 / std::sqrt(static_cast<double>(normal.size()));
  for (size_t lag : {1u, 2u, 15u, 16u, 17u, 32u, 48u, 64u}) {
    CHECK_AT(std::fabs(correlation(normal, lag, false)) <= bound, "lag %zu", lag);
    CHECK_AT(std::fabs(correlation(normal, lag, true)) <= bound, "squares, lag %zu", lag);
  }
}

}  // namespace carillon::test
