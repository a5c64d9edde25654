// The scalar table's fused multiply-add, against fmaf of the C library.
#include <cmath>

#include "isa/tables.h"
#include "samples.h"

namespace carillon::test {
namespace {
#include "simd/scalar.h"

void check_fma(float a, float b, float c) {
  const float ours = fused_multiply_add(a, b, c);
  const float theirs = std::fma(a, b, c);
  CHECK_AT(same(ours, theirs), "fma(%a, %a, %a) = %a, expected %a", static_cast<double>(a), static_cast<double>(b),
           static_cast<double>(c), static_cast<double>(ours), static_cast<double>(theirs));
}

}  // namespace

TEST(scalar_fma_of_any_bits) {
  Random random{1};
  for (size_t i = 0; i < 4000000 / slowness(); ++i) check_fma(random.any(), random.any(), random.any());
}

TEST(scalar_fma_near_cancellation) {
  Random random{2};
  for (size_t i = 0; i < 4000000 / slowness(); ++i) {
    const float a = random.uniform(), b = random.uniform();
    const int shift = static_cast<int>(random.below(60)) - 30;
    check_fma(a, b, std::ldexp(random.uniform(), shift));
    check_fma(a, b, -(a * b));
    // A product that lies next to the middle between two floats, pushed by a tiny addend.
    const float near = std::bit_cast<float>(0x3f800001u + static_cast<uint32_t>(random.below(4096)));
    check_fma(near, near, std::ldexp(a, -60));
    check_fma(1.0f, near, std::ldexp(a < 0 ? -1.0f : 1.0f, -24 - static_cast<int>(random.below(40))));
  }
}

TEST(scalar_fma_denormal_and_overflow) {
  Random random{3};
  for (size_t i = 0; i < 2000000 / slowness(); ++i) {
    const float a = random.uniform(), b = random.uniform(), c = random.uniform();
    check_fma(std::ldexp(a, -70), std::ldexp(b, -70), std::ldexp(c, -140));
    check_fma(std::ldexp(a, -60), std::ldexp(b, -66), std::ldexp(c, -126));
    check_fma(std::ldexp(a, 64), std::ldexp(b, 64), std::ldexp(c, 104));
    check_fma(std::ldexp(a, 64), std::ldexp(b, 65), std::ldexp(c, 128));
  }
}

}  // namespace carillon::test
