// Sums of rows that lie anywhere, against the chains that they are.
#include <cmath>

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

}  // namespace
}  // namespace carillon::test
