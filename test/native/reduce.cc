// Sums, column sums, softmax, cross entropy, argmax: against the contract written out plainly, and against double.
#include <algorithm>

#include "samples.h"

namespace carillon::test {
namespace {

// The order of NUMERICS written out: 16 lanes a block, the lane tree, equal runs of blocks merged pairwise.
float sum_by_contract(const float* x, size_t count, bool squares) {
  struct Run {
    size_t blocks;
    float sum;
  };
  std::vector<Run> runs;
  for (size_t begin = 0; begin < count; begin += kReduceBlock) {
    float lanes[16] = {};
    for (size_t i = begin; i < std::min(count, begin + kReduceBlock); ++i) {
      float& lane = lanes[i % 16];
      lane = squares ? std::fma(x[i], x[i], lane) : lane + x[i];
    }
    for (size_t step : {8u, 4u, 2u, 1u}) {
      for (size_t l = 0; l < step; ++l) lanes[l] += lanes[l + step];
    }
    runs.push_back({1, lanes[0]});
    while (runs.size() > 1 && runs[runs.size() - 2].blocks == runs.back().blocks) {
      const Run newer = runs.back();
      runs.pop_back();
      runs.back() = {2 * newer.blocks, runs.back().sum + newer.sum};
    }
  }
  if (runs.empty()) return 0.0f;
  float total = runs.back().sum;
  for (size_t i = runs.size() - 1; i > 0; --i) total = runs[i - 1].sum + total;
  return total;
}

std::vector<size_t> reduce_lengths() {
  std::vector<size_t> lengths = sweep_lengths();
  for (size_t n : {4095u, 4096u, 4097u, 5u * 1024u, 7u * 1024u + 13u, 100003u}) lengths.push_back(n);
  return lengths;
}

}  // namespace

TEST(sums_follow_the_contract) {
  Random random{20};
  for (const KernelTable* table : supported_tables()) {
    for (size_t count : reduce_lengths()) {
      Guarded x(count, random.below(5));
      for (bool wild : {false, true}) {
        // Wild: infinities and NaN must come out in the same places. Otherwise zeros of both signs among numbers.
        for (size_t i = 0; i < count; ++i)
          x[i] = wild ? random.mixed() : random.below(4) == 0 ? -0.0f : random.uniform();
        CHECK_AT(same(table->sum_f32(x.data(), count), sum_by_contract(x.data(), count, false)), "sum of %zu on %s",
                 count, table->name);
        CHECK_AT(same(table->sum_squares_f32(x.data(), count), sum_by_contract(x.data(), count, true)),
                 "sum of squares of %zu on %s", count, table->name);
      }
    }
    const float zeros[3] = {-0.0f, -0.0f, -0.0f};
    CHECK(same(table->sum_f32(zeros, 3), 0.0f));
    CHECK(same(table->sum_f32(zeros, 0), 0.0f));
  }
}

// Every element passes through at most 64 adds in a lane, 4 in the tree, log2(blocks) + 1 in the counter.
TEST(sum_is_accurate) {
  Random random{21};
  constexpr size_t count = 100003;
  std::vector<float> x(count);
  double exact = 0, magnitude = 0;
  for (float& value : x) {
    value = random.uniform();
    exact += static_cast<double>(value);
    magnitude += std::fabs(static_cast<double>(value));
  }
  const double bound = (64 + 4 + 8) * kRounding * 1.001 * magnitude;
  CHECK(std::fabs(static_cast<double>(default_table()->sum_f32(x.data(), count)) - exact) <= bound);
}

TEST(column_sums_follow_the_contract) {
  Random random{22};
  for (const KernelTable* table : supported_tables()) {
    for (size_t rows : {0u, 1u, 2u, 127u, 128u, 129u, 300u, 700u}) {
      for (size_t columns : {1u, 3u, 4u, 9u, 16u, 17u, 33u, 64u, 65u, 100u}) {
        Guarded x(rows * columns, random.below(4)), y(columns, random.below(4));
        for (size_t i = 0; i < rows * columns; ++i) x[i] = random.mixed();
        const size_t middle = random.below(columns + 1);
        table->column_sum_f32(x.data(), rows, columns, y.data(), 0, middle);
        table->column_sum_f32(x.data(), rows, columns, y.data(), middle, columns);
        Guarded blocks(tiles_of(rows, kColumnBlock) * columns, random.below(4));
        table->column_block_sums_f32(x.data(), rows, columns, blocks.data());
        for (size_t c = 0; c < columns; ++c) {
          float total = 0;
          for (size_t begin = 0; begin < rows; begin += kColumnBlock) {
            float chain = 0;
            for (size_t r = begin; r < std::min(rows, begin + kColumnBlock); ++r) chain += x[r * columns + c];
            CHECK_AT(same(blocks[begin / kColumnBlock * columns + c], chain),
                     "block %zu, column %zu of [%zu, %zu] on %s", begin / kColumnBlock, c, rows, columns, table->name);
            total += chain;
          }
          CHECK_AT(same(y[c], total), "column %zu of [%zu, %zu] on %s", c, rows, columns, table->name);
        }
        CHECK(y.intact());
        CHECK(blocks.intact());
      }
    }
  }
}

namespace {

struct SoftmaxCase {
  size_t rows, columns;
  Guarded x, y, expected, losses, scalar_losses;
  std::vector<int32_t> labels;
  SoftmaxCase(size_t rows_, size_t columns_, Random& random, bool wild)
      : rows(rows_),
        columns(columns_),
        x(rows * columns, random.below(4)),
        y(rows * columns, random.below(4)),
        expected(rows * columns, 0),
        losses(rows, random.below(3)),
        scalar_losses(rows, 0),
        labels(rows) {
    for (size_t i = 0; i < rows * columns; ++i) x[i] = wild ? random.mixed() : 10 * random.uniform();
    for (int32_t& label : labels) label = static_cast<int32_t>(random.below(columns));
  }
};

template <class Check>
void each_softmax_case(Check check) {
  Random random{23};
  for (const KernelTable* table : supported_tables()) {
    for (size_t columns : {1u, 2u, 3u, 5u, 8u, 10u, 15u, 16u, 17u, 31u, 33u, 48u, 100u, 1000u, 1024u, 1030u, 3000u}) {
      for (bool wild : {false, true}) {
        SoftmaxCase c(columns > 200 ? 2 : 1 + random.below(40), columns, random, wild);
        check(*table, c, wild);
      }
    }
  }
}

}  // namespace

// Against double: x − max is off by half an ulp of it, which moves exp by |x − max|·2^-24; exp 2 ulp (2·2^-23), the sum
// as in sum_is_accurate (68 roundings and its terms' errors), the division one rounding.
TEST(softmax_tables_agree) {
  each_softmax_case([](const KernelTable& table, SoftmaxCase& c, bool wild) {
    table.softmax_f32(c.x.data(), c.y.data(), c.rows, c.columns);
    scalar_table().softmax_f32(c.x.data(), c.expected.data(), c.rows, c.columns);
    CHECK(c.y.intact());
    for (size_t r = 0; r < c.rows; ++r) {
      const float* x = c.x.data() + r * c.columns;
      const double max = static_cast<double>(*std::max_element(x, x + c.columns));
      double sum = 0;
      for (size_t i = 0; i < c.columns; ++i) sum += std::exp(static_cast<double>(x[i]) - max);
      for (size_t i = 0; i < c.columns; ++i) {
        const float y = c.y[r * c.columns + i];
        CHECK_AT(same(y, c.expected[r * c.columns + i]), "softmax of %zu columns on %s", c.columns, table.name);
        if (wild) continue;
        const double exact = std::exp(static_cast<double>(x[i]) - max) / sum;
        const double bound = (2 * (20 + 4) + 68 + 2) * kRounding * exact;  // |x − max| <= 20
        CHECK(std::fabs(static_cast<double>(y) - exact) <= bound);
      }
    }
  });
}

// Each is one rounding of x − max, whose log Σ is off by the sum's relative error as below, the log's 2 ulp of at most
// 9, and one rounding of the difference, at most 20 + log(3000) < 29.
TEST(log_softmax_tables_agree) {
  each_softmax_case([](const KernelTable& table, SoftmaxCase& c, bool wild) {
    table.log_softmax_f32(c.x.data(), c.y.data(), c.rows, c.columns);
    scalar_table().log_softmax_f32(c.x.data(), c.expected.data(), c.rows, c.columns);
    CHECK(c.y.intact());
    for (size_t r = 0; r < c.rows; ++r) {
      const float* x = c.x.data() + r * c.columns;
      double sum = 0;
      for (size_t i = 0; i < c.columns; ++i) sum += std::exp(static_cast<double>(x[i]));
      for (size_t i = 0; i < c.columns; ++i) {
        const float y = c.y[r * c.columns + i];
        CHECK_AT(same(y, c.expected[r * c.columns + i]), "log-softmax of %zu columns on %s", c.columns, table.name);
        if (wild) continue;
        const double exact = static_cast<double>(x[i]) - std::log(sum);
        const double bound = (20 + (20 + 4 + 68) + 4 * 9 + 29) * kRounding;
        CHECK(std::fabs(static_cast<double>(y) - exact) <= bound);
      }
    }
    table.log_softmax_f32(c.x.data(), c.x.data(), c.rows, c.columns);
    for (size_t i = 0; i < c.rows * c.columns; ++i) CHECK(same(c.x[i], c.expected[i]));
  });
}

// The loss is the log of a sum (bound as above, relative, so absolute in the log), the log's 2 ulp, and two roundings
// of numbers at most 20 + log(3000) < 29.
TEST(cross_entropy_tables_agree) {
  each_softmax_case([](const KernelTable& table, SoftmaxCase& c, bool wild) {
    table.softmax_cross_entropy_f32(c.x.data(), c.labels.data(), c.losses.data(), c.rows, c.columns);
    scalar_table().softmax_cross_entropy_f32(c.x.data(), c.labels.data(), c.scalar_losses.data(), c.rows, c.columns);
    CHECK(c.losses.intact());
    for (size_t r = 0; r < c.rows; ++r) {
      CHECK_AT(same(c.losses[r], c.scalar_losses[r]), "loss of %zu columns on %s", c.columns, table.name);
      if (wild) continue;
      const float* x = c.x.data() + r * c.columns;
      double sum = 0;
      for (size_t i = 0; i < c.columns; ++i) sum += std::exp(static_cast<double>(x[i]));
      const double exact = std::log(sum) - static_cast<double>(x[static_cast<size_t>(c.labels[r])]);
      const double bound = (20 + 4 + 68 + 4 * 29 + 2 * 29) * kRounding;
      CHECK(std::fabs(static_cast<double>(c.losses[r]) - exact) <= bound);
    }
  });
}

// The gradient has the roundings of softmax, subtract, multiply, flush, each run as its own kernel.
TEST(cross_entropy_gradient_is_the_composition) {
  each_softmax_case([](const KernelTable& table, SoftmaxCase& c, bool) {
    for (size_t stride : {0u, 1u, 3u}) {
      std::vector<float> g((c.rows - 1) * stride + 1);
      Random random{c.columns};
      for (float& value : g) value = random.below(5) == 0 ? 0x1p-120f : random.uniform();
      table.softmax_cross_entropy_gradient_f32(c.x.data(), c.labels.data(), g.data(), stride, c.y.data(), c.rows,
                                               c.columns);
      CHECK(c.y.intact());
      const auto& scalar = scalar_table();
      float* e = c.expected.data();
      scalar.softmax_f32(c.x.data(), e, c.rows, c.columns);
      std::vector<float> onehot(c.rows * c.columns, 0.0f);
      for (size_t r = 0; r < c.rows; ++r) onehot[r * c.columns + static_cast<size_t>(c.labels[r])] = 1;
      scalar.binary[static_cast<size_t>(Binary::subtract)].vector_vector(e, onehot.data(), e, onehot.size());
      for (size_t r = 0; r < c.rows; ++r) {
        float* row = e + r * c.columns;
        scalar.binary[static_cast<size_t>(Binary::multiply)].vector_scalar(row, g[r * stride], row, c.columns);
      }
      scalar.unary[static_cast<size_t>(Unary::flush)](e, e, onehot.size());
      for (size_t i = 0; i < onehot.size(); ++i) {
        CHECK_AT(same(c.y[i], c.expected[i]), "gradient of %zu columns on %s: %a, expected %a", c.columns, table.name,
                 static_cast<double>(c.y[i]), static_cast<double>(c.expected[i]));
        CHECK(c.y[i] == 0 || std::isnan(c.y[i]) || std::fabs(c.y[i]) >= 0x1p-126f);
      }
    }
  });
}

// Both at once: the bits of each alone, also in place.
TEST(cross_entropy_both_is_each) {
  each_softmax_case([](const KernelTable& table, SoftmaxCase& c, bool) {
    const auto& scalar = scalar_table();
    std::vector<float> g(c.rows);
    for (size_t stride : {0u, 1u}) {
      Random random{c.columns};
      for (float& value : g) value = random.uniform();
      scalar.softmax_cross_entropy_f32(c.x.data(), c.labels.data(), c.scalar_losses.data(), c.rows, c.columns);
      scalar.softmax_cross_entropy_gradient_f32(c.x.data(), c.labels.data(), g.data(), stride, c.expected.data(),
                                                c.rows, c.columns);
      for (size_t i = 0; i < c.rows * c.columns; ++i) c.y[i] = c.x[i];
      table.softmax_cross_entropy_both_f32(c.y.data(), c.labels.data(), g.data(), stride, c.losses.data(), c.y.data(),
                                           c.rows, c.columns);
      CHECK(c.y.intact() && c.losses.intact());
      for (size_t r = 0; r < c.rows; ++r) CHECK(same(c.losses[r], c.scalar_losses[r]));
      for (size_t i = 0; i < c.rows * c.columns; ++i) {
        CHECK_AT(same(c.y[i], c.expected[i]), "gradient of %zu columns on %s", c.columns, table.name);
      }
    }
  });
}

TEST(argmax_finds_the_first) {
  Random random{24};
  for (const KernelTable* table : supported_tables()) {
    for (size_t columns : sweep_lengths()) {
      constexpr size_t rows = 21;
      Guarded x(rows * columns, random.below(4));
      // Few values, so that ties are common; sometimes a NaN, which counts as the maximum.
      for (size_t i = 0; i < rows * columns; ++i) x[i] = static_cast<float>(random.below(5)) - 4;
      if (columns > 2) x[columns + random.below(columns)] = std::numeric_limits<float>::quiet_NaN();
      int32_t y[rows];
      table->argmax_f32(x.data(), y, rows, columns);
      for (size_t r = 0; r < rows; ++r) {
        size_t best = 0;
        for (size_t i = 1; i < columns; ++i) {
          const float value = x[r * columns + i], held = x[r * columns + best];
          if (!std::isnan(held) && (std::isnan(value) || value > held)) best = i;
        }
        CHECK_AT(y[r] == static_cast<int32_t>(best), "argmax of %zu columns on %s", columns, table->name);
      }
    }
  }
}

}  // namespace carillon::test
