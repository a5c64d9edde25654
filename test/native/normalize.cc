// Normalizations of rows and columns: every table has the bits of the scalar one, rows that are cut anywhere too, and
// of equal elements the deviations are 0.
#include <algorithm>

#include "products.h"
#include "samples.h"

namespace carillon::test {
namespace {

constexpr float kEpsilon = 1e-5f;

// Rows and columns around the widths of vectors, of groups of rows and of blocks.
constexpr size_t kRows[] = {1, 2, 3, 4, 5, 9, 18, 131};
constexpr size_t kColumns[] = {1, 3, 15, 16, 17, 33, 70, 1025, 2100};

void fill(Random& random, Guarded& x, bool wild) {
  for (size_t i = 0; i < x.size(); ++i) x[i] = wild ? random.mixed() : random.uniform();
}

bool same_all(Guarded& a, Guarded& b) {
  if (!a.intact() || a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!same(a[i], b[i])) return false;
  }
  return true;
}

template <typename Body>
void each_case(uint64_t seed, const Body& body) {
  Random random{seed};
  for (const KernelTable* table : supported_tables()) {
    for (size_t rows : kRows) {
      for (size_t columns : kColumns) {
        if (rows * columns > 40000) continue;
        for (bool wild : {false, true}) body(*table, random, rows, columns, wild);
      }
    }
  }
}

// Columns [begin, begin + columns) of a matrix.
std::vector<float> columns_of(const std::vector<float>& x, size_t width, size_t begin, size_t columns) {
  std::vector<float> part;
  for (size_t at = begin; at < x.size(); at += width) {
    part.insert(part.end(), x.begin() + static_cast<ptrdiff_t>(at), x.begin() + static_cast<ptrdiff_t>(at + columns));
  }
  return part;
}

struct NormResults {
  std::vector<float> y, inverse, mean, dx, dscale, dshift;
};

NormResults normalize(std::vector<float> x, std::vector<float> g, std::vector<float> scale, size_t width, size_t groups,
                      const KernelTable& table, unsigned threads) {
  const size_t rows = x.size() / width;
  std::vector<float> shift(width, 0.25f);
  NormResults to{std::vector<float>(x.size()), std::vector<float>(rows * groups), std::vector<float>(rows * groups),
                 std::vector<float>(x.size()), std::vector<float>(width),         std::vector<float>(width)};
  void* forward[] = {x.data(), scale.data(), shift.data(), to.y.data(), to.inverse.data(), to.mean.data()};
  const int64_t sizes[] = {dimension(rows), dimension(width), dimension(groups), -1, -1, 0};
  const double constants[] = {kEpsilon, 1, 1};
  run_operation(op_row_norm, {forward, sizes, constants}, table, threads);
  void* backward[] = {x.data(),       g.data(),     scale.data(),     to.inverse.data(),
                      to.mean.data(), to.dx.data(), to.dscale.data(), to.dshift.data()};
  run_operation(op_row_norm_gradient, {backward, std::span(sizes).first(3)}, table, threads);
  return to;
}

}  // namespace

TEST(row_norm_tables_agree) {
  each_case(81, [](const KernelTable& table, Random& random, size_t rows, size_t columns, bool wild) {
    Guarded x(rows * columns, random.below(5)), g(rows * columns, random.below(5));
    Guarded scale(columns, random.below(5)), shift(columns, 0);
    fill(random, x, wild);
    fill(random, g, wild);
    fill(random, scale, wild);
    fill(random, shift, wild);
    const bool centered = random.below(2) == 0, scaled = random.below(2) == 0;
    struct Results {
      Guarded y, mean, inverse, dx, flows, products;
      Results(size_t count, size_t rows_of, size_t columns_of)
          : y(count, 1),
            mean(rows_of, 0),
            inverse(rows_of, 0),
            dx(count, 2),
            flows(columns_of, 0),
            products(columns_of, 1) {}
    };
    const auto run = [&](const KernelTable& kernels, Results& to, size_t cut, bool together) {
      const RowNorm task{x.data(),
                         scaled ? scale.data() : nullptr,
                         scaled ? shift.data() : nullptr,
                         to.y.data(),
                         centered ? to.mean.data() : nullptr,
                         to.inverse.data(),
                         columns,
                         1,
                         kEpsilon,
                         0};
      kernels.row_norm_f32(task, 0, cut);
      if (cut < rows) kernels.row_norm_f32(task, cut, rows);
      for (size_t c = 0; c < columns; ++c) to.flows[c] = to.products[c] = 0.0f;
      for (size_t begin : {size_t{0}, cut}) {
        const size_t end = begin == 0 ? cut : rows;
        if (begin == end) continue;
        const float* mean = task.mean == nullptr ? nullptr : task.mean + begin;
        const size_t at = begin * columns;
        const NormSums sums{x.data() + at,   g.data() + at,     columns, mean, task.inverse + begin, 1,
                            to.flows.data(), to.products.data()};
        const RowNormGradient gradient{x.data() + at,
                                       g.data() + at,
                                       task.scale,
                                       mean,
                                       task.inverse + begin,
                                       to.dx.data() + at,
                                       together ? to.flows.data() : nullptr,
                                       together ? to.products.data() : nullptr,
                                       columns,
                                       columns,
                                       1,
                                       0};
        kernels.row_norm_gradient_f32(gradient, end - begin);
        if (together) continue;
        kernels.norm_sums_f32(sums, end - begin, columns);
      }
    };
    Results expected(rows * columns, rows, columns), actual(rows * columns, rows, columns);
    run(scalar_table(), expected, rows, false);
    run(table, actual, 1 + random.below(rows), random.below(2) == 0);
    const bool equal = same_all(actual.y, expected.y) && same_all(actual.inverse, expected.inverse) &&
                       same_all(actual.dx, expected.dx) && same_all(actual.flows, expected.flows) &&
                       same_all(actual.products, expected.products) &&
                       (!centered || same_all(actual.mean, expected.mean));
    CHECK_AT(equal, "normalization of %zu rows of %zu on %s", rows, columns, table.name);
  });
}

TEST(column_norm_tables_agree) {
  each_case(82, [](const KernelTable& table, Random& random, size_t rows, size_t columns, bool wild) {
    Guarded x(rows * columns, random.below(5)), g(rows * columns, random.below(5));
    Guarded center(columns, random.below(5)), factor(columns, 1), slope(columns, 0);
    for (Guarded* each : {&x, &g, &center, &factor, &slope}) fill(random, *each, wild);
    struct Results {
      Guarded sums, squares, flows, products, y, dx;
      Results(size_t count, size_t columns_of)
          : sums(columns_of, 0),
            squares(columns_of, 1),
            flows(columns_of, 0),
            products(columns_of, 0),
            y(count, 1),
            dx(count, 0) {}
    };
    const bool shifted = random.below(2) == 0;
    const auto run = [&](const KernelTable& kernels, Results& to, size_t cut) {
      for (Guarded* each : {&to.sums, &to.squares, &to.flows, &to.products}) {
        for (size_t c = 0; c < columns; ++c) (*each)[c] = 0.0f;
      }
      for (size_t begin : {size_t{0}, cut}) {
        const size_t end = begin == 0 ? cut : rows;
        if (begin == end) continue;
        const float* from = x.data() + begin * columns;
        kernels.column_deviations_f32(from, columns, end - begin, columns, center.data(), false, to.sums.data());
        kernels.column_deviations_f32(from, columns, end - begin, columns, center.data(), true, to.squares.data());
        const NormSums sums{
            from, g.data() + begin * columns, columns, center.data(), nullptr, 0, to.flows.data(), to.products.data()};
        kernels.norm_sums_f32(sums, end - begin, columns);
      }
      kernels.column_norm_f32(x.data(), columns, rows, columns, shifted ? center.data() : nullptr, factor.data(),
                              shifted ? slope.data() : nullptr, to.y.data());
      const ColumnNormGradient task{x.data(),      g.data(),      columns,      center.data(), slope.data(),
                                    factor.data(), factor.data(), to.dx.data(), columns};
      kernels.column_norm_gradient_f32(task, 0, cut);
      if (cut < rows) kernels.column_norm_gradient_f32(task, cut, rows);
    };
    Results expected(rows * columns, columns), actual(rows * columns, columns);
    run(scalar_table(), expected, rows);
    run(table, actual, 1 + random.below(rows));
    const bool equal = same_all(actual.sums, expected.sums) && same_all(actual.squares, expected.squares) &&
                       same_all(actual.flows, expected.flows) && same_all(actual.products, expected.products) &&
                       same_all(actual.y, expected.y) && same_all(actual.dx, expected.dx);
    CHECK_AT(equal, "columns of %zu rows of %zu on %s", rows, columns, table.name);
  });
}

// 0.1 is no multiple of what its sum of 37 rounds to.
TEST(equal_elements_give_the_shift) {
  for (const KernelTable* table : supported_tables()) {
    std::vector<float> x(size_t{3} * 37, 0.1f), y(x.size()), mean(3), inverse(3), scale(37, 3.0f), shift(37, 0.7f);
    table->row_norm_f32(
        {x.data(), scale.data(), shift.data(), y.data(), mean.data(), inverse.data(), 37, 1, kEpsilon, 0}, 0, 3);
    for (const float value : y) CHECK(same(value, 0.7f));
    for (const float value : mean) CHECK(same(value, 0.1f));
  }
}

// A group of columns is normalized as if it were alone, whatever the threads, and so are its sums over rows.
TEST(groups_of_columns_are_normalized_alone) {
  Random random{83};
  const auto noise = [&](size_t count) {
    std::vector<float> x(count);
    for (float& value : x) value = random.uniform();
    return x;
  };
  constexpr size_t kGroups = 3, kMatrixRows = 700;
  for (const size_t columns : {size_t{4}, size_t{16}, size_t{30}}) {
    const size_t width = kGroups * columns;
    const std::vector<float> x = noise(kMatrixRows * width), g = noise(x.size()), scale = noise(width);
    for (const KernelTable* table : supported_tables()) {
      for (const unsigned threads : {1u, 8u}) {
        const NormResults whole = normalize(x, g, scale, width, kGroups, *table, threads);
        for (size_t begin = 0; begin < width; begin += columns) {
          const NormResults alone =
              normalize(columns_of(x, width, begin, columns), columns_of(g, width, begin, columns),
                        columns_of(scale, width, begin, columns), columns, 1, *table, 1);
          const bool equal = columns_of(whole.y, width, begin, columns) == alone.y &&
                             columns_of(whole.dx, width, begin, columns) == alone.dx &&
                             columns_of(whole.inverse, kGroups, begin / columns, 1) == alone.inverse &&
                             columns_of(whole.mean, kGroups, begin / columns, 1) == alone.mean &&
                             columns_of(whole.dscale, width, begin, columns) == alone.dscale &&
                             columns_of(whole.dshift, width, begin, columns) == alone.dshift;
          CHECK_AT(equal, "columns %zu to %zu, %u threads, %s", begin, begin + columns, threads, table->name);
        }
      }
    }
  }
}

}  // namespace carillon::test
