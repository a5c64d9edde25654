// Products of packed weights: every table and every form equals the contract written out as an fmaf chain over weights
// that are narrowed here by definition, whatever the batch and the threads, and lies within its bound of float64.
#include <algorithm>
#include <cstring>

#include "products.h"

namespace carillon::test {
namespace {

constexpr int64_t kNoUnary = -1;

// The bfloat16 nearest to w, ties to even, from its two neighbours.
float nearest_bf16(float w) {
  if (std::isnan(w)) return w;
  const float low = std::bit_cast<float>(bits(w) & 0xffff0000u);
  const float high = std::bit_cast<float>((bits(w) & 0xffff0000u) + 0x10000u);
  if (std::isinf(w)) return w;
  const double from_low = std::fabs(static_cast<double>(w) - static_cast<double>(low));
  // Above the largest finite one infinity stands for 2^128.
  const double top = std::isinf(high) ? std::copysign(0x1p128, static_cast<double>(high)) : static_cast<double>(high);
  const double to_high = std::fabs(top - static_cast<double>(w));
  if (from_low != to_high) return from_low < to_high ? low : high;
  return (bits(w) >> 16) % 2 == 0 ? low : high;
}

// Weights of a product as the kernels should see them: w(p, j) exactly, and the scale of each output (1 where there is
// none).
struct Narrowed {
  std::vector<float> weights;  // [n, k]
  std::vector<float> scales;
};

Narrowed narrowed(Product& x, WeightForm form) {
  Narrowed result{std::vector<float>(x.n * x.k), std::vector<float>(x.n, 1.0f)};
  for (size_t j = 0; j < x.n; ++j) {
    float most = 0;
    bool finite = true;
    for (size_t p = 0; p < x.k; ++p) {
      const float w = x.right(p, j);
      finite = finite && std::isfinite(w);
      most = std::max(most, std::fabs(w));
    }
    if (form == WeightForm::int8) result.scales[j] = finite ? most / 127.0f : std::numeric_limits<float>::quiet_NaN();
    for (size_t p = 0; p < x.k; ++p) {
      float w = x.right(p, j);
      if (form == WeightForm::bf16) w = nearest_bf16(w);
      if (form == WeightForm::int8) {
        const float scaled = std::nearbyint(w / result.scales[j]);
        w = std::isnan(scaled) ? 0.0f : std::clamp(scaled, -127.0f, 127.0f);
      }
      result.weights[j * x.k + p] = w;
    }
  }
  return result;
}

float chain(Product& x, const Narrowed& w, size_t i, size_t j) {
  float total = 0;
  for (size_t begin = 0; begin < x.k; begin += kDepthChunk) {
    float sum = 0;
    for (size_t p = begin; p < std::min(x.k, begin + kDepthChunk); ++p)
      sum = std::fma(x.left(i, p), w.weights[j * x.k + p], sum);
    total = begin == 0 ? sum : total + sum;
  }
  return total;
}

struct Finish {
  bool bias = false;
  int64_t unary = kNoUnary;
};

float finished(float sum, Product& x, const Narrowed& w, WeightForm form, size_t j, const Finish& finish) {
  if (form == WeightForm::int8) sum *= w.scales[j];
  if (finish.bias) sum += x.bias[j];
  if (finish.unary == kNoUnary) return sum;
  float y;
  scalar_table().unary[static_cast<size_t>(finish.unary)](&sum, &y, 1);
  return y;
}

AlignedBuffer packed(Product& x, WeightForm form, const KernelTable& table, unsigned threads) {
  const size_t room = tiles_of(x.n, kPackedColumns) * kPackedColumns;
  AlignedBuffer buffer(room * sizeof(float) + room * x.k * sizeof(float));
  void* views[] = {x.b.data(), buffer.data()};
  const int64_t ints[] = {dimension(x.n), dimension(x.k), x.b_transposed ? 1 : 0, static_cast<int64_t>(form)};
  run_operation(op_frozen_pack, {views, ints}, table, threads);
  return buffer;
}

// Rows [begin, begin + rows) of the product.
void answer(Product& x, const AlignedBuffer& weights, WeightForm form, const Finish& finish, size_t begin, size_t rows,
            float* c, const KernelTable& table, unsigned threads) {
  void* views[] = {
      x.a.data() + begin * x.k, weights.data(), finish.bias ? x.bias.data() : nullptr, nullptr, nullptr, c};
  const int64_t ints[] = {dimension(rows), dimension(x.n), dimension(x.k), static_cast<int64_t>(form), finish.unary};
  run_operation(op_frozen_product, {views, ints}, table, threads);
}

constexpr WeightForm kForms[] = {WeightForm::f32, WeightForm::bf16, WeightForm::int8};

// Largest error of a narrowed weight: half a unit of a significand of 8 bits, or half a step of its scale and the
// roundings of both.
double weight_error(Product& x, const Narrowed& w, WeightForm form, size_t p, size_t j) {
  const double weight = std::fabs(static_cast<double>(x.right(p, j)));
  if (form == WeightForm::f32) return 0;
  if (form == WeightForm::bf16) return weight * 0x1p-8;
  return static_cast<double>(w.scales[j]) * (0.5 + 127 * 2 * kRounding);
}

void check_against_double(Product& x, const Narrowed& w, WeightForm form, const std::vector<float>& sums) {
  for (size_t i = 0; i < x.m; ++i) {
    for (size_t j = 0; j < x.n; ++j) {
      double exact = 0, magnitude = 0, moved = 0;
      for (size_t p = 0; p < x.k; ++p) {
        const auto left = static_cast<double>(x.left(i, p));
        const auto right = static_cast<double>(x.right(p, j));
        exact += left * right;
        const double error = weight_error(x, w, form, p, j);
        moved += std::fabs(left) * error;
        magnitude += std::fabs(left) * (std::fabs(right) + error);
      }
      const float y = form == WeightForm::int8 ? sums[i * x.n + j] * w.scales[j] : sums[i * x.n + j];
      // As of a product of f32 (gemm.cc), and the rounding of the scale's multiplication.
      const double bound = moved + static_cast<double>(x.k + 2) * kRounding * 1.001 * magnitude;
      CHECK_AT(std::fabs(static_cast<double>(y) - exact) <= bound, "[%zu, %zu, %zu] form %d: %a, exactly %a, bound %a",
               x.m, x.n, x.k, static_cast<int>(form), static_cast<double>(y), exact, bound);
    }
  }
}

void check_frozen(Product& x, bool against_double) {
  static constexpr Finish finishes[] = {{},
                                        {.bias = true},
                                        {.bias = true, .unary = static_cast<int64_t>(Unary::relu)},
                                        {.bias = true, .unary = static_cast<int64_t>(Unary::gelu)}};
  for (const WeightForm form : kForms) {
    const Narrowed w = narrowed(x, form);
    std::vector<float> sums(x.m * x.n);
    for (size_t i = 0; i < x.m; ++i) {
      for (size_t j = 0; j < x.n; ++j) sums[i * x.n + j] = chain(x, w, i, j);
    }
    if (against_double) check_against_double(x, w, form, sums);
    for (const KernelTable* table : supported_tables()) {
      const AlignedBuffer weights = packed(x, form, *table, 1 + static_cast<unsigned>(x.n % 2));
      for (size_t way = 0; way < std::size(finishes); ++way) {
        Guarded c(x.m * x.n, way % 3);
        answer(x, weights, form, finishes[way], 0, x.m, c.data(), *table, 1 + static_cast<unsigned>(way));
        CHECK(c.intact());
        for (size_t at = 0; at < x.m * x.n; ++at) {
          const float value = finished(sums[at], x, w, form, at % x.n, finishes[way]);
          CHECK_AT(same(c[at], value), "[%zu, %zu, %zu] form %d way %zu on %s: %zu is %a, expected %a", x.m, x.n, x.k,
                   static_cast<int>(form), way, table->name, at, static_cast<double>(c[at]),
                   static_cast<double>(value));
        }
      }
    }
  }
}

}  // namespace

TEST(frozen_small_shapes) {
  Random random{50};
  for (size_t m : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u, 12u, 13u, 15u}) {
    for (size_t n : {1u, 2u, 3u, 7u, 8u, 9u, 15u, 16u, 17u, 31u, 32u, 33u, 63u, 65u}) {
      for (size_t k : {0u, 1u, 2u, 7u, 16u, 19u}) {
        if (random.below(slowness() > 1 ? 4 * slowness() : 2) != 0) continue;
        Product x(m, n, k, false, random.below(2) == 0, random);
        check_frozen(x, true);
      }
    }
  }
}

TEST(frozen_every_length) {
  Random random{51};
  for (size_t length = 1; length <= 70; ++length) {
    if (slowness() > 1 && length % 7 != 3) continue;
    Product wide(1 + length % 3, length, 5, false, true, random);
    check_frozen(wide, true);
    Product deep(1 + length % 16, 5, length, false, true, random);
    check_frozen(deep, true);
  }
}

// Past the slices of packing, a chunk of k, a tile's panels, what is widened at once and what one thread takes.
TEST(frozen_large_shapes) {
  Random random{52};
  const size_t shapes[][3] = {{1, 130, 1023},  {2, 129, 1024}, {3, 40, 1025}, {13, 34, 2100},
                              {20, 600, 1030}, {40, 10, 300},  {64, 300, 700}};
  for (const auto& [m, n, k] : shapes) {
    if (slowness() > 1 && m * n * k > 2'000'000) continue;
    Product x(m, n, k, false, m % 2 == 0, random);
    check_frozen(x, true);
  }
}

// A row alone has the bits that it has in any batch.
TEST(frozen_rows_do_not_depend_on_their_batch) {
  Random random{53};
  Product x(40, 150, 1100, false, true, random);
  const Finish finish{.bias = true, .unary = static_cast<int64_t>(Unary::tanh)};
  for (const KernelTable* table : supported_tables()) {
    for (const WeightForm form : kForms) {
      const AlignedBuffer weights = packed(x, form, *table, 1);
      std::vector<float> alone(x.m * x.n), together(x.m * x.n);
      for (size_t i = 0; i < x.m; ++i) answer(x, weights, form, finish, i, 1, &alone[i * x.n], *table, 1);
      for (const size_t rows : {2u, 6u, 7u, 12u, 13u, 40u}) {
        for (const unsigned threads : {1u, 2u, 4u}) {
          answer(x, weights, form, finish, 0, rows, together.data(), *table, threads);
          CHECK_AT(std::memcmp(alone.data(), together.data(), rows * x.n * sizeof(float)) == 0,
                   "form %d, %zu rows, %u threads on %s", static_cast<int>(form), rows, threads, table->name);
        }
      }
    }
  }
}

// Weights that are no ordinary numbers: they poison their own output and no other.
TEST(frozen_special_weights) {
  Random random{54};
  for (size_t n : {1u, 5u, 40u}) {
    for (const size_t m : {1u, 14u}) {
      Product x(m, n, 70, false, true, random);
      for (size_t i = 0; i < n * 70; ++i) {
        if (random.below(40) == 0) x.b[i] = random.mixed();
      }
      for (size_t p = 0; p < 70; ++p) x.b[p] = 0;  // an output whose scale is 0
      check_frozen(x, false);
    }
  }
}

// bf16 rounds to nearest, ties to even, over all bit patterns of a stride.
TEST(frozen_bf16_rounding) {
  Random random{55};
  constexpr size_t kColumns = 64, kDepth = 8;
  const uint64_t stride = full_sweep() ? 512 : uint64_t{512} * 997 * slowness();
  for (uint64_t first = 0; first < (uint64_t{1} << 32); first += stride) {
    Product x(1, kColumns, kDepth, false, true, random);
    for (size_t i = 0; i < kColumns * kDepth; ++i) {
      x.b[i] = std::bit_cast<float>(static_cast<uint32_t>(i < 4 ? (first << 8) + 0x8000 * i : first + i));
    }
    for (const KernelTable* table : supported_tables()) {
      const AlignedBuffer weights = packed(x, WeightForm::bf16, *table, 1);
      std::vector<float> widened(kColumns * kDepth);
      const size_t panels = tiles_of(kColumns, table->gemm_columns);
      table->frozen_widen[static_cast<size_t>(WeightForm::bf16)](reinterpret_cast<const unsigned char*>(weights.data()),
                                                                 panels * kDepth, widened.data());
      for (size_t j = 0; j < kColumns; ++j) {
        for (size_t p = 0; p < kDepth; ++p) {
          const size_t nr = table->gemm_columns;
          const float y = widened[(j / nr * kDepth + p) * nr + j % nr];
          CHECK_AT(same(y, nearest_bf16(x.right(p, j))), "%a becomes %a on %s", static_cast<double>(x.right(p, j)),
                   static_cast<double>(y), table->name);
        }
      }
    }
  }
}

}  // namespace carillon::test
