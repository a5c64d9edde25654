// Products with what follows them in one operation: the very bits of the operations one after another.
#include <algorithm>
#include <vector>

#include "products.h"

namespace carillon::test {
namespace {

// What follows a product, in this order.
struct Chain {
  bool bias;
  Activation activation;
  double keep;  // below 0: nothing drops
  Backward backward;
  double gate_scale;
};

constexpr int64_t kSite = 5;
constexpr int64_t kExampleRows = 1;

int64_t masked_site(const Chain& chain) { return chain.keep < 0 ? -1 : kSite; }
double keep_of(const Chain& chain) { return chain.keep < 0 ? 1 : chain.keep; }
double scale_of(const Chain& chain) { return 1 / keep_of(chain); }

void unary(Unary function, float* x, size_t count, const KernelTable& table) {
  void* views[] = {x, x};
  const int64_t ints[] = {dimension(count), static_cast<int64_t>(function)};
  run_operation(op_unary, {views, ints}, table, 1);
}

// x = function(x, y); y: [count], or [1] where `spread` says so (1: a scalar).
void binary(Binary function, float* x, float* y, size_t count, int64_t spread, const KernelTable& table) {
  void* views[] = {x, y, x};
  const int64_t ints[] = {1, dimension(count), static_cast<int64_t>(function), 0, spread};
  run_operation(op_binary, {views, ints}, table, 1);
}

// c by one operation a link of the chain.
void apart(Product& x, float* c, float* gate, const Chain& chain, const KernelTable& table,
           const Registers& registers) {
  const size_t count = x.m * x.n;
  multiply(x, c, {.bias = chain.bias}, table);
  if (chain.activation == Activation::relu) unary(Unary::relu, c, count, table);
  if (chain.activation == Activation::tanh) unary(Unary::tanh, c, count, table);
  if (chain.keep >= 0) {
    void* views[] = {c, c};
    const int64_t ints[] = {dimension(x.m), dimension(x.n), kSite, 1, kExampleRows, 0};
    const double doubles[] = {keep_of(chain), scale_of(chain), 0, 0};
    run_operation(op_dropout, {views, ints, doubles}, table, 1, registers);
  }
  switch (chain.backward) {
    case Backward::none:
      break;
    case Backward::positive: {
      // Gradient of a dropout first, whose scale the gate has.
      auto scale = static_cast<float>(chain.gate_scale);
      binary(Binary::multiply, c, &scale, count, 1, table);
      binary(Binary::relu_gradient, c, gate, count, 0, table);
      break;
    }
    case Backward::tanh:
      binary(Binary::tanh_gradient, c, gate, count, 0, table);
      break;
    case Backward::count:
      break;
  }
}

void fused(Product& x, float* c, float* gate, const Chain& chain, bool packed, const KernelTable& table,
           unsigned threads, const Registers& registers) {
  const RightOperand b(x, packed, table, threads);
  void* views[] = {x.a.data(), b.data(), chain.bias ? x.bias.data() : nullptr, c,
                   chain.backward == Backward::none ? nullptr : gate};
  const int64_t ints[] = {dimension(x.m),
                          dimension(x.n),
                          dimension(x.k),
                          x.a_transposed ? 1 : 0,
                          b.form(),
                          static_cast<int64_t>(chain.activation),
                          0,
                          masked_site(chain),
                          kExampleRows,
                          static_cast<int64_t>(chain.backward)};
  const double doubles[] = {keep_of(chain), scale_of(chain), chain.gate_scale};
  run_operation(op_gemm_fused, {views, ints, doubles}, table, threads, registers);
}

constexpr Chain kChains[] = {
    {true, Activation::relu, 0.5, Backward::none, 1},
    {true, Activation::tanh, 0.8, Backward::none, 1},
    {false, Activation::identity, 1, Backward::none, 1},
    {false, Activation::identity, -1, Backward::positive, 1.25},
    {false, Activation::identity, 1.0 / 3, Backward::positive, 1},
    {true, Activation::identity, -1, Backward::tanh, 1},
    {false, Activation::relu, 0.8, Backward::tanh, 1},
    {true, Activation::tanh, 0.5, Backward::tanh, 1},
};

// Batch offsets whose first element is at a multiple of 256 (0), and, for most n, at none of 16.
constexpr size_t kOffsets[] = {0, 1, 37, 4099};

// Half of the outputs of a relu are 0; some are −0 and NaN.
float gate_value(Random& random) {
  const size_t draw = random.below(16);
  if (draw == 0) return -0.0f;
  if (draw == 1) return std::numeric_limits<float>::quiet_NaN();
  return draw < 8 ? 0.0f : random.uniform();
}

void check_chain(Product& x, const Chain& chain, size_t offset, Random& random) {
  const size_t count = x.m * x.n;
  Guarded gate(count, random.below(3));
  for (size_t i = 0; i < count; ++i) gate[i] = gate_value(random);
  Registers registers;
  registers.seed = 0x123456789abcdef0u;
  registers.step = 3;
  registers.batch_offset = offset;
  std::vector<float> expected(count);
  apart(x, expected.data(), gate.data(), chain, scalar_table(), registers);
  for (const KernelTable* table : supported_tables()) {
    for (unsigned threads = 1; threads <= 4; ++threads) {
      if (table == &scalar_table() && threads == 3) break;
      const bool packed = threads % 2 == 0;
      Guarded c(count, random.below(3));
      fused(x, c.data(), gate.data(), chain, packed, *table, threads, registers);
      CHECK(c.intact());
      for (size_t i = 0; i < count; ++i) {
        CHECK_AT(same(c[i], expected[i]), "[%zu, %zu, %zu] %d%d chain %td offset %zu on %s, %u threads: %zu", x.m, x.n,
                 x.k, x.a_transposed, x.b_transposed, &chain - kChains, offset, table->name, threads, i);
      }
    }
  }
}

}  // namespace

TEST(gemm_fused_is_its_links_one_after_another) {
  Random random{50};
  for (size_t n : {1u, 2u, 10u, 15u, 16u, 17u, 33u, 100u}) {
    for (size_t m : {1u, 3u, 20u, 65u}) {
      for (int transposes = 0; transposes < 4; ++transposes) {
        if (slowness() > 1 && random.below(4) != 0) continue;
        Product x(m, n, 1 + random.below(40), (transposes & 1) != 0, (transposes & 2) != 0, random);
        for (const Chain& chain : kChains) check_chain(x, chain, kOffsets[random.below(4)], random);
      }
    }
  }
}

// As in gemm_paths_and_threads_do_not_change_bits: every path of the planner.
TEST(gemm_fused_on_every_path) {
  Random random{51};
  const size_t shapes[][3] = {{128, 10, 256},  {130, 14, 1024}, {100, 6, 1030}, {33, 300, 129},
                              {130, 256, 260}, {97, 513, 64},   {600, 40, 100}, {300, 300, 40},
                              {72, 130, 2100}, {64, 100, 1024}, {70, 1, 1025},  {5, 17, 0}};
  size_t next = 0;
  for (const auto& [m, n, k] : shapes) {
    for (int transposes = 0; transposes < 4; ++transposes) {
      if (slowness() > 1 && random.below(8) != 0) continue;
      Product x(m, n, k, (transposes & 1) != 0, (transposes & 2) != 0, random);
      for (int i = 0; i < 2; ++i) {
        check_chain(x, kChains[next % std::size(kChains)], kOffsets[next % std::size(kOffsets)], random);
        next += 3;
      }
    }
  }
}

// A batch in parts has the masks of the whole.
TEST(gemm_fused_masks_count_from_the_whole_batch) {
  Random random{52};
  for (const KernelTable* table : supported_tables()) {
    for (size_t n : {10u, 17u, 100u}) {
      constexpr size_t kRows = 45;
      Product whole(kRows, n, 30, false, true, random);
      std::vector<float> expected(kRows * n), c(kRows * n);
      fused(whole, expected.data(), nullptr, kChains[0], false, *table, 1, {});
      size_t dropped = 0;
      for (const float value : expected) dropped += value == 0 ? 1 : 0;
      CHECK(dropped > kRows * n / 2 && dropped < kRows * n);
      for (size_t from = 0, rows = 7; from < kRows; from += rows) {
        const size_t count = std::min(rows, kRows - from);
        Product part(count, n, whole.k, false, true, random);
        for (size_t i = 0; i < count * whole.k; ++i) part.a[i] = whole.a[from * whole.k + i];
        for (size_t i = 0; i < n * whole.k; ++i) part.b[i] = whole.b[i];
        for (size_t i = 0; i < n; ++i) part.bias[i] = whole.bias[i];
        Registers registers;
        registers.batch_offset = from;
        fused(part, c.data() + from * n, nullptr, kChains[0], false, *table, 1, registers);
      }
      for (size_t i = 0; i < c.size(); ++i) CHECK(same(c[i], expected[i]));
    }
  }
}

}  // namespace carillon::test
