// Products: every table equals the contract written out as an fmaf chain, and lies within its bound of float64.
#include <algorithm>

#include "samples.h"

namespace carillon::test {
namespace {

// op(a) [m, k], op(b) [k, n]; stored transposed where asked, with leading dimensions larger than the rows.
struct Product {
  size_t m, n, k;
  bool a_transposed, b_transposed;
  size_t a_stride, b_stride, c_stride;
  Guarded a, b, c, bias;

  Product(size_t m_, size_t n_, size_t k_, bool a_transposed_, bool b_transposed_, Random& random)
      : m(m_),
        n(n_),
        k(k_),
        a_transposed(a_transposed_),
        b_transposed(b_transposed_),
        a_stride((a_transposed ? m : k) + random.below(3)),
        b_stride((b_transposed ? k : n) + random.below(3)),
        c_stride(n + random.below(3)),
        a(a_transposed ? extent(k, m, a_stride) : extent(m, k, a_stride), random.below(3)),
        b(b_transposed ? extent(n, k, b_stride) : extent(k, n, b_stride), random.below(3)),
        c(extent(m, n, c_stride), random.below(3)),
        bias(n, random.below(3)) {
    fill(a, a_transposed ? extent(k, m, a_stride) : extent(m, k, a_stride), random);
    fill(b, b_transposed ? extent(n, k, b_stride) : extent(k, n, b_stride), random);
    fill(c, extent(m, n, c_stride), random);
    fill(bias, n, random);
  }

  // Elements from the first to the last: nothing behind the last row's end belongs to the matrix.
  static size_t extent(size_t rows, size_t columns, size_t stride) {
    return rows == 0 || columns == 0 ? 0 : (rows - 1) * stride + columns;
  }
  static void fill(Guarded& x, size_t count, Random& random) {
    for (size_t i = 0; i < count; ++i) x[i] = random.uniform();
  }

  float left(size_t i, size_t p) { return a_transposed ? a[p * a_stride + i] : a[i * a_stride + p]; }
  float right(size_t p, size_t j) { return b_transposed ? b[j * b_stride + p] : b[p * b_stride + j]; }

  GemmArguments arguments(float* out) {
    GemmArguments g{};
    g.a = a.data();
    g.a_row_stride = a_transposed ? 1 : a_stride;
    g.a_depth_stride = a_transposed ? a_stride : 1;
    g.b = b.data();
    g.b_stride = b_stride;
    g.c = out;
    g.c_stride = c_stride;
    g.m = m;
    g.n = n;
    g.k = k;
    g.activation = Activation::identity;
    return g;
  }
};

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

std::vector<float> packed_by(const KernelTable& table, Product& x) {
  const size_t panels = (x.n + table.gemm_columns - 1) / table.gemm_columns;
  std::vector<float> packed(panels * table.gemm_columns * x.k, 7.0f);
  const size_t middle = panels / 2;
  table.gemm_pack_f32(x.b.data(), x.b_stride, x.n, x.k, middle, panels, packed.data());
  table.gemm_pack_f32(x.b.data(), x.b_stride, x.n, x.k, 0, middle, packed.data());
  return packed;
}

// c, bias and accumulation against the chain. The gaps between the rows of c stay what they were.
void check_product(Product& x, bool against_double) {
  const size_t extent = Product::extent(x.m, x.n, x.c_stride);
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
  for (const KernelTable* table : supported_tables()) {
    std::vector<float> packed;
    if (x.b_transposed) packed = packed_by(*table, x);
    for (int mode = 0; mode < 4; ++mode) {  // plain, bias, accumulate, bias and relu
      Guarded c(extent, static_cast<size_t>(mode % 3));
      for (size_t i = 0; i < extent; ++i) c[i] = x.c[i];
      GemmArguments g = x.arguments(c.data());
      if (x.b_transposed) {
        g.b = packed.data();
        g.b_packed = true;
      }
      if (mode == 1 || mode == 3) g.bias = x.bias.data();
      if (mode == 3) g.activation = Activation::relu;
      g.accumulate = mode == 2;
      table->gemm_f32(g, 0, x.m, 0, x.n);
      CHECK(c.intact());
      for (size_t at = 0; at < extent; ++at) {
        const size_t i = at / x.c_stride, j = at % x.c_stride;
        float value = x.c[at];
        if (j < x.n) {
          const float sum = expected[i * x.n + j];
          value = mode == 0 ? sum : mode == 2 ? value + sum : sum + x.bias[j];
          if (mode == 3 && value < 0) value = 0;
        }
        CHECK_AT(same(c[at], value), "[%zu, %zu, %zu] %d%d mode %d on %s: (%zu, %zu) is %a, expected %a", x.m, x.n, x.k,
                 x.a_transposed, x.b_transposed, mode, table->name, i, j, static_cast<double>(c[at]),
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
  for (const KernelTable* table : supported_tables()) {
    const std::pair<Activation, Unary> pairs[] = {{Activation::relu, Unary::relu}, {Activation::tanh, Unary::tanh}};
    for (const auto& [activation, unary] : pairs) {
      GemmArguments g = x.arguments(x.c.data());
      g.bias = x.bias.data();
      g.c_stride = x.n;
      std::vector<float> apart(x.m * x.n), fused(x.m * x.n);
      g.c = apart.data();
      table->gemm_f32(g, 0, x.m, 0, x.n);
      table->unary[static_cast<size_t>(unary)](apart.data(), apart.data(), apart.size());
      g.c = fused.data();
      g.activation = activation;
      table->gemm_f32(g, 0, x.m, 0, x.n);
      for (size_t i = 0; i < fused.size(); ++i) CHECK(same(fused[i], apart[i]));
    }
  }
}

// A row does not depend on the rest of the batch, nor an element on how the work was cut.
TEST(gemm_regions_do_not_change_bits) {
  Random random{43};
  for (const KernelTable* table : supported_tables()) {
    for (bool b_packed : {false, true}) {
      Product x(45, 3 * table->gemm_columns + 5, 1100, false, b_packed, random);
      x.c_stride = x.n;
      const std::vector<float> packed = b_packed ? packed_by(*table, x) : std::vector<float>{};
      std::vector<float> whole(x.m * x.n), pieces(x.m * x.n);
      GemmArguments g = x.arguments(whole.data());
      g.bias = x.bias.data();
      g.b_packed = b_packed;
      if (b_packed) g.b = packed.data();
      table->gemm_f32(g, 0, x.m, 0, x.n);
      g.c = pieces.data();
      for (size_t row = 0; row < x.m;) {
        const size_t row_end = std::min(x.m, row + 1 + random.below(20));
        for (size_t column = 0; column < x.n; column += table->gemm_columns) {
          table->gemm_f32(g, row, row_end, column, std::min(x.n, column + table->gemm_columns));
        }
        row = row_end;
      }
      for (size_t i = 0; i < whole.size(); ++i) CHECK(same(whole[i], pieces[i]));
      // One row alone, as a product with m = 1.
      GemmArguments row = g;
      std::vector<float> alone(x.n);
      row.a = x.a.data() + 17 * x.a_stride;
      row.c = alone.data();
      row.m = 1;
      table->gemm_f32(row, 0, 1, 0, x.n);
      for (size_t j = 0; j < x.n; ++j) CHECK(same(alone[j], whole[17 * x.n + j]));
    }
  }
}

}  // namespace carillon::test
