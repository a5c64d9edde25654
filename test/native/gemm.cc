// Products: every table equals the contract written out as an fmaf chain, and lies within its bound of float64.
#include <algorithm>
#include <array>
#include <memory>

#include "products.h"

namespace carillon::test {
namespace {

// One element's sequence: FMA chains of kDepthChunk from +0, added in order.
float chain(Product& x, size_t i, size_t j) {
  float total = 0;
  for (size_t begin = 0; begin < x.k; begin += kDepthChunk) {
    float sum = 0;
    for (size_t p = begin; p < std::min(x.k, begin + kDepthChunk); ++p)
      sum = std::fma(x.left(i, p), x.right(p, j), sum);
    total = begin == 0 ? sum : total + sum;
  }
  return total;
}

// c, bias and accumulation against the chain; nothing is written past the end.
void check_product(Product& x, bool against_double) {
  std::vector<float> expected(x.m * x.n);
  for (size_t i = 0; i < x.m; ++i) {
    for (size_t j = 0; j < x.n; ++j) {
      expected[i * x.n + j] = chain(x, i, j);
      if (!against_double) continue;
      double exact = 0, magnitude = 0;
      for (size_t p = 0; p < x.k; ++p) {
        const double product = static_cast<double>(x.left(i, p)) * static_cast<double>(x.right(p, j));
        exact += product;
        magnitude += std::fabs(product);
      }
      // Each product passes at most min(k, 1024) roundings of its chain and one a later chunk: fewer than k + 1.
      const double bound = static_cast<double>(x.k + 1) * kRounding * 1.001 * magnitude;
      CHECK(std::fabs(static_cast<double>(expected[i * x.n + j]) - exact) <= bound);
    }
  }
  const Ways ways[] = {{},
                       {.bias = true},
                       {.accumulate = true},
                       {.bias = true, .activation = Activation::relu},
                       {.bias = true, .packed = true}};
  for (const KernelTable* table : supported_tables()) {
    for (size_t way = 0; way < std::size(ways); ++way) {
      Guarded c(x.m * x.n, way % 3);
      for (size_t i = 0; i < x.m * x.n; ++i) c[i] = x.c[i];
      multiply(x, c.data(), ways[way], *table);
      CHECK(c.intact());
      for (size_t at = 0; at < x.m * x.n; ++at) {
        float value = expected[at];
        if (ways[way].accumulate) value = x.c[at] + value;
        if (ways[way].bias) value += x.bias[at % x.n];
        if (ways[way].activation == Activation::relu && value < 0) value = 0;
        CHECK_AT(same(c[at], value), "[%zu, %zu, %zu] %d%d way %zu on %s: %zu is %a, expected %a", x.m, x.n, x.k,
                 x.a_transposed, x.b_transposed, way, table->name, at, static_cast<double>(c[at]),
                 static_cast<double>(value));
      }
    }
  }
}

}  // namespace

TEST(gemm_small_shapes) {
  Random random{40};
  for (size_t m : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 13u, 14u, 15u, 20u}) {
    for (size_t n : {1u, 3u, 4u, 5u, 8u, 9u, 15u, 16u, 17u, 20u}) {
      for (size_t k : {0u, 1u, 2u, 7u, 16u, 19u}) {
        if (slowness() > 1 && random.below(slowness()) != 0) continue;
        for (int transposes = 0; transposes < 4; ++transposes) {
          Product x(m, n, k, (transposes & 1) != 0, (transposes & 2) != 0, random);
          check_product(x, true);
        }
      }
    }
  }
}

TEST(gemm_large_shapes) {
  Random random{41};
  const size_t shapes[][3] = {{37, 70, 1025}, {29, 33, 2048}, {15, 40, 2500}, {64, 100, 300},
                              {1, 200, 784},  {5, 10, 1024},  {43, 97, 128},  {128, 47, 64}};
  for (const auto& shape : shapes) {
    for (int transposes = 0; transposes < 4; ++transposes) {
      if (slowness() > 1 && random.below(4) != 0) continue;
      Product x(shape[0], shape[1], shape[2], (transposes & 1) != 0, (transposes & 2) != 0, random);
      check_product(x, true);
    }
  }
}

TEST(gemm_activations_are_the_unary_kernels) {
  Random random{42};
  Product x(19, 37, 11, false, false, random);
  const std::pair<Activation, Unary> pairs[] = {{Activation::relu, Unary::relu}, {Activation::tanh, Unary::tanh}};
  for (const KernelTable* table : supported_tables()) {
    for (const auto& [activation, unary] : pairs) {
      std::vector<float> apart(x.m * x.n), fused(x.m * x.n);
      multiply(x, apart.data(), {.bias = true}, *table);
      table->unary[static_cast<size_t>(unary)](apart.data(), apart.data(), apart.size());
      multiply(x, fused.data(), {.bias = true, .activation = activation}, *table);
      for (size_t i = 0; i < fused.size(); ++i) CHECK(same(fused[i], apart[i]));
    }
  }
}

// Every path of the planner, by shapes that take it: tables and thread counts give the bits of the scalar table.
TEST(gemm_paths_and_threads_do_not_change_bits) {
  Random random{43};
  const size_t shapes[][3] = {{128, 10, 256},   {130, 14, 1024},  {100, 6, 1030}, {33, 300, 129},
                              {256, 130, 1024}, {130, 256, 1024}, {97, 513, 640}, {3, 515, 70},
                              {1, 4096, 33},    {600, 40, 512},   {512, 512, 40}, {72, 1024, 2100}};
  for (const auto& [m, n, k] : shapes) {
    for (int transposes = 0; transposes < 4; ++transposes) {
      if (slowness() > 1 && random.below(8) != 0) continue;
      Product x(m, n, k, (transposes & 1) != 0, (transposes & 2) != 0, random);
      std::vector<float> expected(m * n), c(m * n);
      multiply(x, expected.data(), {.bias = true}, scalar_table());
      for (const KernelTable* table : supported_tables()) {
        for (unsigned threads = 1; threads <= 4; ++threads) {
          if (table == &scalar_table() && threads == 2) break;
          const bool packed = threads % 2 == 0;
          std::fill(c.begin(), c.end(), 7.0f);
          multiply(x, c.data(), {.bias = true, .packed = packed}, *table, threads);
          for (size_t i = 0; i < c.size(); ++i) {
            CHECK_AT(same(c[i], expected[i]), "[%zu, %zu, %zu] %d on %s, %u threads: %zu", m, n, k, transposes,
                     table->name, threads, i);
          }
        }
      }
    }
  }
}

// A program has the scratch of its largest batch for all: AddressSanitizer sees what reaches past it.
TEST(gemm_scratch_of_the_largest_batch_serves_smaller_ones) {
  const size_t shapes[][3] = {{300, 130, 1024}, {130, 400, 64}, {200, 9, 2048}, {140, 1024, 300}};
  for (const KernelTable* table : supported_tables()) {
    if (table == &scalar_table()) continue;
    for (const auto& shape : shapes) {
      const size_t rows = shape[0], columns = shape[1], other = shape[2];
      for (int form = 0; form < 6; ++form) {
        const bool batch_is_k = form >= 3;
        const auto ints_of = [&](size_t batch) {
          const auto m = static_cast<int64_t>(batch_is_k ? other : batch);
          const auto k = static_cast<int64_t>(batch_is_k ? batch : other);
          return std::array<int64_t, 7>{
              m, static_cast<int64_t>(columns), k, form % 3 == 1 ? 1 : 0, form % 3 == 2 ? 1 : 0, 0, 0};
        };
        std::vector<float> a(rows * other, 1.0f), b(columns * std::max(rows, other), 1.0f);
        std::vector<float> c(columns * std::max(rows, other));
        void* views[] = {a.data(), b.data(), nullptr, c.data()};
        const auto largest = ints_of(rows);
        CHECK(refusal(op_gemm, views, largest, {}).empty());
        const size_t bytes = op_gemm.scratch(Given{views, largest}.arguments(), *table);
        std::vector<std::byte> scratch(bytes + 64);
        void* aligned = scratch.data();
        size_t space = scratch.size();
        CHECK(std::align(64, bytes, aligned, space) != nullptr);
        for (size_t batch = 1; batch <= rows; batch += 1 + batch / 3) {
          const auto ints = ints_of(batch);
          const Parallel alone;
          const Registers registers;
          Fault fault;
          op_gemm.run({*table, alone, registers, aligned, fault}, Given{views, ints}.arguments());
          CHECK(c[0] == static_cast<float>(ints[2]));
        }
      }
    }
  }
}

// Few panels and several threads: every thread has a block of its own in the scratch, and nothing reaches past it.
TEST(gemm_blocks_of_threads_fit_the_scratch) {
  for (const KernelTable* table : supported_tables()) {
    const size_t m = 200, k = 300;
    for (unsigned threads : {2u, 3u, 4u, 7u}) {
      for (size_t panels = 1; panels <= 9; ++panels) {
        const size_t n = panels * table->gemm_columns;
        const std::vector<float> a(m * k, 1.0f), b(n * k, 1.0f);
        std::vector<float> c(m * n);
        void* views[] = {const_cast<float*>(a.data()), const_cast<float*>(b.data()), nullptr, c.data()};
        const int64_t ints[] = {static_cast<int64_t>(m), static_cast<int64_t>(n), static_cast<int64_t>(k), 0, 1, 0, 0};
        run_operation(op_gemm, {views, ints}, *table, threads);
        for (const float x : c)
          CHECK_AT(x == static_cast<float>(k), "%s, %u threads, %zu panels", table->name, threads, panels);
      }
    }
  }
}

// What tests and benchmarks write by hand fails a check where an operation has come to want something else.
TEST(operands_by_hand_are_compared_with_the_words) {
  float x = 1;
  void* const views[] = {&x, &x, nullptr, &x};
  void* const missing[] = {&x, nullptr, nullptr, &x};
  const int64_t ints[] = {1, 1, 1, 0, 0, 0, 0};
  const double doubles[] = {1};
  const std::span<const double> none;
  CHECK(refusal(op_gemm, views, ints, none).empty());
  CHECK(refusal(op_gemm, std::span(views).first(3), ints, none) == "wrong number of views");
  CHECK(refusal(op_gemm, missing, ints, none) == "view 1 is missing");
  CHECK(refusal(op_gemm, views, std::span(ints).first(6), none) == "wrong number of integers");
  CHECK(refusal(op_gemm, views, ints, doubles) == "wrong number of constants");
  const int64_t half_an_axis[] = {1, 2};
  CHECK(refusal(op_transpose, std::span(views).first(2), half_an_axis, none) == "wrong number of integers");
  const int64_t negative[] = {1, 1, 1, 0, 0, -1, 0};
  CHECK(refusal(op_gemm, views, negative, none) == "no such activation");
}

// A row does not depend on the rest of the batch.
TEST(gemm_row_alone) {
  Random random{44};
  for (const KernelTable* table : supported_tables()) {
    for (size_t n : {10u, 70u}) {
      Product x(45, n, 1100, false, true, random);
      std::vector<float> whole(x.m * x.n), alone(x.n);
      multiply(x, whole.data(), {.bias = true}, *table);
      for (size_t row : {0u, 17u, 44u}) {
        Product one(1, n, x.k, false, true, random);
        for (size_t p = 0; p < x.k; ++p) one.a[p] = x.a[row * x.k + p];
        for (size_t i = 0; i < n * x.k; ++i) one.b[i] = x.b[i];
        for (size_t i = 0; i < n; ++i) one.bias[i] = x.bias[i];
        for (bool packed : {false, true}) {
          multiply(one, alone.data(), {.bias = true, .packed = packed}, *table);
          for (size_t j = 0; j < n; ++j) CHECK(same(alone[j], whole[row * n + j]));
        }
      }
    }
  }
}

// Every shape up to 40 cubed, every transposition, against the scalar table.
TEST(gemm_all_small_shapes_alike_in_all_tables) {
  Random random{45};
  constexpr size_t kMost = 40;
  std::vector<float> expected(kMost * kMost), c(kMost * kMost);
  for (size_t m = 1; m <= kMost; ++m) {
    for (size_t n = 1; n <= kMost; ++n) {
      for (size_t k = 1; k <= kMost; ++k) {
        if (random.below(full_sweep() ? 1 : 8 * slowness()) != 0) continue;
        const size_t transposes = random.below(4);
        Product x(m, n, k, (transposes & 1) != 0, (transposes & 2) != 0, random);
        const Ways ways{.bias = (m & 1) != 0, .packed = (k & 1) != 0};
        multiply(x, expected.data(), ways, scalar_table());
        for (const KernelTable* table : supported_tables()) {
          multiply(x, c.data(), ways, *table);
          for (size_t i = 0; i < m * n; ++i) CHECK(same(c[i], expected[i]));
        }
      }
    }
  }
}

}  // namespace carillon::test
