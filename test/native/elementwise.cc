// Every line of unary.def and binary.def, fill and convert: all tables equal the scalar one bit for bit, nothing is
// written outside, results in place are the same.
#include <cstring>

#include "samples.h"

namespace carillon::test {
namespace {

const char* const unary_names[] = {
#define X(name) #name,
#include "kernels/unary.def"
#undef X
};
const char* const binary_names[] = {
#define X(name) #name,
#include "kernels/binary.def"
#undef X
};

constexpr size_t kUnary = static_cast<size_t>(Unary::count);
constexpr size_t kBinary = static_cast<size_t>(Binary::count);

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

void check_equal(Guarded& y, Guarded& expected, size_t count, const char* name, const char* table) {
  for (size_t i = 0; i < count; ++i) {
    CHECK_AT(same(y[i], expected[i]), "%s on %s: element %zu of %zu is %a, expected %a", name, table, i, count,
             static_cast<double>(y[i]), static_cast<double>(expected[i]));
  }
  CHECK_AT(y.intact(), "%s on %s: %zu elements, wrote outside", name, table, count);
}

}  // namespace

TEST(unary_tables_agree) {
  Random random{10};
  for (const KernelTable* table : supported_tables()) {
    for (size_t f = 0; f < kUnary; ++f) {
      for (size_t count : sweep_lengths()) {
        const size_t misalignment = random.below(5);
        Guarded x(count, misalignment), y(count, random.below(3)), expected(count, 0);
        for (size_t i = 0; i < count; ++i) x[i] = random.mixed();
        scalar_table().unary[f](x.data(), expected.data(), count);
        table->unary[f](x.data(), y.data(), count);
        check_equal(y, expected, count, unary_names[f], table->name);
        table->unary[f](x.data(), x.data(), count);
        check_equal(x, expected, count, unary_names[f], table->name);
      }
    }
  }
}

TEST(binary_tables_agree) {
  Random random{11};
  for (const KernelTable* table : supported_tables()) {
    for (size_t f = 0; f < kBinary; ++f) {
      const BinaryKernels& ours = table->binary[f];
      const BinaryKernels& scalar = scalar_table().binary[f];
      for (size_t count : sweep_lengths()) {
        const size_t misalignment = random.below(5);
        Guarded a(count, misalignment), b(count, random.below(4)), y(count, random.below(3)), expected(count, 0);
        for (size_t i = 0; i < count; ++i) {
          a[i] = random.mixed();
          b[i] = random.mixed();
        }
        const float other = random.mixed();
        ours.vector_scalar(a.data(), other, y.data(), count);
        scalar.vector_scalar(a.data(), other, expected.data(), count);
        check_equal(y, expected, count, binary_names[f], table->name);
        ours.scalar_vector(other, b.data(), y.data(), count);
        scalar.scalar_vector(other, b.data(), expected.data(), count);
        check_equal(y, expected, count, binary_names[f], table->name);
        scalar.vector_vector(a.data(), b.data(), expected.data(), count);
        ours.vector_vector(a.data(), b.data(), y.data(), count);
        check_equal(y, expected, count, binary_names[f], table->name);
        ours.vector_vector(a.data(), b.data(), b.data(), count);
        check_equal(b, expected, count, binary_names[f], table->name);
      }
    }
  }
}

TEST(unary_special_values) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  for (size_t f = 0; f < kUnary; ++f)
    CHECK_AT(std::isnan(unary_of(static_cast<Unary>(f), nan)), "%s(NaN)", unary_names[f]);
  CHECK(same(unary_of(Unary::relu, -3), 0.0f));
  CHECK(same(unary_of(Unary::relu, 3), 3.0f));
  CHECK(same(unary_of(Unary::relu, -inf), 0.0f));
  CHECK(same(unary_of(Unary::negate, 0.0f), -0.0f));
  CHECK(same(unary_of(Unary::absolute, -0.0f), 0.0f));
  CHECK(same(unary_of(Unary::sign, -7), -1.0f));
  CHECK(same(unary_of(Unary::sign, 0x1p-149f), 1.0f));
  CHECK(same(unary_of(Unary::sign, -0.0f), -0.0f));
  CHECK(same(unary_of(Unary::sqrt, -0.0f), -0.0f));
  CHECK(std::isnan(unary_of(Unary::sqrt, -1)));
  CHECK(same(unary_of(Unary::reciprocal, -0.0f), -inf));
  CHECK(same(unary_of(Unary::exp, 0.0f), 1.0f));
  CHECK(same(unary_of(Unary::exp, -inf), 0.0f));
  CHECK(same(unary_of(Unary::exp, inf), inf));
  CHECK(same(unary_of(Unary::exp, 1e30f), inf));
  CHECK(same(unary_of(Unary::exp, -1e30f), 0.0f));
  CHECK(same(unary_of(Unary::exp, -88.0f), 0.0f));
  CHECK(same(unary_of(Unary::log, 0.0f), -inf));
  CHECK(same(unary_of(Unary::log, -0.0f), -inf));
  CHECK(same(unary_of(Unary::log, 1.0f), 0.0f));
  CHECK(same(unary_of(Unary::log, inf), inf));
  CHECK(std::isnan(unary_of(Unary::log, -1)));
  CHECK(std::isnan(unary_of(Unary::log, -inf)));
  CHECK(same(unary_of(Unary::tanh, -0.0f), -0.0f));
  CHECK(same(unary_of(Unary::tanh, inf), 1.0f));
  CHECK(same(unary_of(Unary::tanh, -inf), -1.0f));
  CHECK(same(unary_of(Unary::tanh, 0x1p-149f), 0x1p-149f));
  CHECK(same(unary_of(Unary::sigmoid, 0.0f), 0.5f));
  CHECK(same(unary_of(Unary::sigmoid, inf), 1.0f));
  CHECK(same(unary_of(Unary::sigmoid, -inf), 0.0f));
  CHECK(same(unary_of(Unary::flush, -0x1.fffffcp-127f), 0.0f));
  CHECK(same(unary_of(Unary::flush, -0.0f), 0.0f));
  CHECK(same(unary_of(Unary::flush, -0x1p-126f), -0x1p-126f));
}

TEST(binary_special_values) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (Binary f : {Binary::minimum, Binary::maximum}) {
    CHECK(std::isnan(binary_of(f, nan, 1)));
    CHECK(std::isnan(binary_of(f, 1, nan)));
  }
  CHECK(same(binary_of(Binary::minimum, 1, 2), 1.0f));
  CHECK(same(binary_of(Binary::maximum, 1, 2), 2.0f));
  CHECK(same(binary_of(Binary::subtract, 1, 2), -1.0f));
  CHECK(same(binary_of(Binary::divide, 1, 2), 0.5f));
  CHECK(same(binary_of(Binary::relu_gradient, 5, 0.5f), 5.0f));
  CHECK(same(binary_of(Binary::relu_gradient, 5, 0.0f), 0.0f));
  CHECK(same(binary_of(Binary::relu_gradient, nan, 0.0f), 0.0f));
  CHECK(std::isnan(binary_of(Binary::relu_gradient, nan, 1)));
  CHECK(same(binary_of(Binary::tanh_gradient, 4, 0.5f), 3.0f));
}

TEST(fill_and_convert) {
  Random random{12};
  for (const KernelTable* table : supported_tables()) {
    for (size_t count : sweep_lengths()) {
      Guarded y(count, random.below(4));
      table->fill_f32(y.data(), 2.5f, count);
      for (size_t i = 0; i < count; ++i) CHECK(y[i] == 2.5f);
      CHECK(y.intact());
      std::vector<uint8_t> x(count);
      for (uint8_t& byte : x) byte = static_cast<uint8_t>(random.next());
      table->convert_u8_f32(x.data(), 1.0f / 255, y.data(), count);
      for (size_t i = 0; i < count; ++i) CHECK(same(y[i], static_cast<float>(x[i]) * (1.0f / 255)));
      CHECK(y.intact());
    }
  }
}

}  // namespace carillon::test
