// Sums of rows that lie anywhere, against the chains that they are, and look-ups by rows, against a stable sort.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/scatter.h"
#include "samples.h"

namespace carillon::test {
namespace {

constexpr size_t kRows = 20;

std::vector<float> noise(size_t count, Random& random) {
  std::vector<float> x(count);
  for (float& value : x) value = random.uniform();
  return x;
}

TEST(row_sums_are_chains) {
  Random random{25};
  const std::vector<int32_t> rows{3, 0, -1, 19, 7, 7, 7, 4, 12, 3, 5, 0};
  const std::vector<int32_t> begins{0, 0, 3, 4, 12};
  constexpr int32_t kSkipped = 4;
  for (const KernelTable* table : supported_tables()) {
    for (const size_t columns : {1, 16, 37, 64, 130}) {
      const size_t stride = columns + 3;
      const std::vector<float> x = noise(kRows * stride, random), factors = noise(rows.size(), random);
      for (const bool factored : {false, true}) {
        for (const bool even : {false, true}) {
          const size_t sums = begins.size() - 1;
          std::vector<float> y(sums * columns + 1, 7.0f);
          RowsTask task{x.data(),      stride,   rows.data(), factored ? factors.data() : nullptr,
                        begins.data(), 0,        sums,        rows.size(),
                        kSkipped,      y.data(), columns};
          if (even) {
            task.begins = nullptr;
            task.width = rows.size() / sums;
          }
          table->rows_sum_f32(task);
          for (size_t s = 0; s < sums; ++s) {
            const size_t begin = even ? s * task.width : static_cast<size_t>(begins[s]);
            const size_t end = even ? begin + task.width : static_cast<size_t>(begins[s + 1]);
            for (size_t c = 0; c < columns; ++c) {
              float sum = 0;
              for (size_t i = begin; i < end; ++i) {
                if (rows[i] < 0 || rows[i] == kSkipped) continue;
                sum = std::fma(factored ? factors[i] : 1.0f, x[static_cast<size_t>(rows[i]) * stride + c], sum);
              }
              CHECK_AT(same(y[s * columns + c], sum), "%s: sum %zu, column %zu of %zu", table->name, s, c, columns);
            }
          }
          CHECK_AT(same(y.back(), 7.0f), "%s: written behind the end", table->name);
        }
      }
    }
  }
}

TEST(row_squares_see_every_element) {
  Random random{25};
  const std::vector<int32_t> rows{3, 0, 19, 7};
  for (const KernelTable* table : supported_tables()) {
    for (const size_t columns : {1, 16, 37, 64, 130}) {
      std::vector<float> x = noise(kRows * columns, random);
      double sum = 0;
      for (const int32_t row : rows) {
        for (size_t c = 0; c < columns; ++c) sum += std::pow(x[static_cast<size_t>(row) * columns + c], 2.0);
      }
      const auto squares = [&] { return table->rows_squares_f32(x.data(), rows.data(), rows.size(), columns); };
      // Of so many terms a sum in any order is off by as many roundings at most.
      CHECK_AT(std::fabs(squares() - sum) <= sum * static_cast<double>(rows.size() * columns) * 0x1p-24,
               "%s: %zu columns", table->name, columns);
      for (const int32_t row : rows) {
        for (size_t c = 0; c < columns; ++c) {
          float& element = x[static_cast<size_t>(row) * columns + c];
          const float kept = element;
          for (const float bad : {std::nanf(""), -HUGE_VALF}) {
            element = bad;
            CHECK_AT(!std::isfinite(squares()), "%s: row %d, column %zu", table->name, row, c);
          }
          element = kept;
        }
      }
    }
  }
}

struct Lookups {
  const char* name;
  size_t count;
  size_t table_rows;
  Bags bags;
  bool listed;
  bool weighted;
  bool skewed;  // most of them name few rows
};

// What scatter() gives with so many threads is what a stable sort gives.
void check_scatter_of(const Lookups& given, unsigned threads) {
  constexpr size_t kWidth = 5;
  constexpr int32_t kPadding = 3;
  Random random{given.count};
  std::vector<int32_t> indices(given.count), ends;
  for (int32_t& index : indices) {
    const double u = (static_cast<double>(random.uniform()) + 1) / 2;
    const double rows = static_cast<double>(given.table_rows - 1);
    index = static_cast<int32_t>(given.skewed ? std::pow(u, 12.0) * rows : u * rows);
    if (!given.listed && given.bags != Bags::none && u < 0.05) index = -1;
  }
  for (size_t end = 0, i = 0; given.listed && end < given.count; ++i) {
    end = std::min(given.count, end + i % 9);
    ends.push_back(static_cast<int32_t>(end));
  }
  const std::vector<float> weights = noise(given.count, random);
  const LookUps of{nullptr,
                   indices.data(),
                   given.weighted ? weights.data() : nullptr,
                   given.count,
                   given.table_rows,
                   1,
                   kWidth,
                   kPadding,
                   given.bags,
                   !given.listed && given.bags != Bags::none,
                   given.listed ? ends.data() : nullptr,
                   ends.size()};
  ThreadPool pool;
  const Parallel parallel(pool, threads);
  Fault fault;
  const Registers registers;
  AlignedBuffer memory(scatter_bytes(given.count, ends.size()));
  const Context context{scalar_table(), parallel, registers, memory.data(), fault};
  const Scattered made = scatter(context, of, memory.data());
  CHECK_AT(fault.what == nullptr, "%s: a fault", given.name);

  const auto bag_of = [&](size_t i) {
    if (given.bags == Bags::none) return i;
    if (!given.listed) return i / kWidth;
    return static_cast<size_t>(std::upper_bound(ends.begin(), ends.end(), static_cast<int32_t>(i)) - ends.begin());
  };
  std::vector<size_t> order(given.count);
  std::iota(order.begin(), order.end(), size_t{0});
  std::erase_if(order, [&](size_t i) { return indices[i] < 0 || indices[i] == kPadding; });
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return indices[a] < indices[b]; });
  std::vector<size_t> sizes(given.count + 1);
  for (const size_t i : order) ++sizes[bag_of(i)];
  CHECK_AT(made.entries == order.size(), "%s: %zu entries with %u threads", given.name, made.entries, threads);
  size_t row = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || indices[order[i]] != indices[order[i - 1]]) {
      CHECK_AT(row < made.touched && made.rows[row] == indices[order[i]] && made.begins[row] == static_cast<int32_t>(i),
               "%s: row %zu with %u threads", given.name, row, threads);
      ++row;
    }
    const size_t bag = bag_of(order[i]);
    CHECK_AT(made.places[i] == static_cast<int32_t>(bag), "%s: place %zu with %u threads", given.name, i, threads);
    const float share = given.weighted ? weights[order[i]] : 1.0f / static_cast<float>(sizes[bag]);
    const bool factored = given.weighted || given.bags == Bags::mean;
    CHECK_AT((made.factors != nullptr) == factored, "%s: factors", given.name);
    CHECK_AT(!factored || same(made.factors[i], share), "%s: factor %zu with %u threads", given.name, i, threads);
  }
  CHECK_AT(made.touched == row && made.begins[row] == static_cast<int32_t>(order.size()), "%s: the end", given.name);
}

TEST(look_ups_are_put_together_in_the_order_of_the_batch) {
  constexpr Lookups kGiven[] = {
      {"few", 20, 50, Bags::sum, false, false, false},
      {"one row", 10'000, 1, Bags::sum, false, false, false},
      {"one by one", 20'000, 1000, Bags::none, false, false, false},
      {"bags", 20'000, 262'144, Bags::sum, false, false, false},
      {"skewed bags", 20'000, 262'144, Bags::sum, false, false, true},
      {"means", 20'000, 5000, Bags::mean, false, false, true},
      {"weighted bags", 20'000, 5000, Bags::sum, false, true, false},
      {"lists", 20'000, 262'144, Bags::sum, true, false, false},
      {"means of lists", 9000, 300, Bags::mean, true, false, true},
      {"weighted lists", 20'000, 262'144, Bags::sum, true, true, false},
      {"a large table", 20'000, size_t{1} << 31, Bags::sum, true, true, false},
  };
  for (const Lookups& given : kGiven) {
    for (const unsigned threads : {1u, 2u, 3u, 6u}) check_scatter_of(given, threads);
  }
}

}  // namespace
}  // namespace carillon::test
