// Sums, softmax, losses and counts over rows.
#include <algorithm>

#include "operation.h"

namespace carillon {
namespace {

// Of sum and sum_squares.
struct SumAt {
  static constexpr Operands all{"x:f sum:F", "count:d", ""};
  static constexpr size_t x = all.view("x"), sum = all.view("sum");
  static constexpr size_t count = all.integer("count");
};
// Of what makes numbers of rows: sums, softmax.
struct RowsAt {
  static constexpr Operands all{"x:f y:F", "rows:d columns:d", ""};
  static constexpr size_t x = all.view("x"), y = all.view("y");
  static constexpr size_t rows = all.integer("rows"), columns = all.integer("columns");
};
struct SoftmaxCrossEntropyAt {
  static constexpr Operands all{"logits:f labels:i losses:F", "rows:d columns:d", ""};
  static constexpr size_t logits = all.view("logits"), labels = all.view("labels"), losses = all.view("losses");
  static constexpr size_t rows = all.integer("rows"), columns = all.integer("columns");
};
struct SoftmaxCrossEntropyGradientAt {
  static constexpr Operands all{"logits:f labels:i loss_gradient:f logits_gradient:F", "rows:d columns:d same:b", ""};
  static constexpr size_t logits = all.view("logits"), labels = all.view("labels"),
                          loss_gradient = all.view("loss_gradient"), logits_gradient = all.view("logits_gradient");
  static constexpr size_t rows = all.integer("rows"), columns = all.integer("columns"), same = all.integer("same");
};
struct SoftmaxCrossEntropyBothAt {
  static constexpr Operands all{"logits:f labels:i loss_gradient:f logits_gradient:F losses:F",
                                "rows:d columns:d same:b", ""};
  static constexpr size_t logits = all.view("logits"), labels = all.view("labels"),
                          loss_gradient = all.view("loss_gradient"), losses = all.view("losses"),
                          logits_gradient = all.view("logits_gradient");
  static constexpr size_t rows = all.integer("rows"), columns = all.integer("columns"), same = all.integer("same");
};
struct OneHotAt {
  static constexpr Operands all{"labels:i y:F", "rows:d classes:d", ""};
  static constexpr size_t labels = all.view("labels"), y = all.view("y");
  static constexpr size_t rows = all.integer("rows"), classes = all.integer("classes");
};
struct ArgmaxAt {
  static constexpr Operands all{"x:f y:I", "rows:d columns:d", ""};
  static constexpr size_t x = all.view("x"), y = all.view("y");
  static constexpr size_t rows = all.integer("rows"), columns = all.integer("columns");
};
struct CountEqualAt {
  static constexpr Operands all{"a:i b:i equal:F", "count:d", ""};
  static constexpr size_t a = all.view("a"), b = all.view("b"), equal = all.view("equal");
  static constexpr size_t count = all.integer("count");
};

void check_sum(const Arguments& a, Requirements& r) {
  r.need(SumAt::x, a.size(SumAt::count));
  r.need(SumAt::sum, 1);
}

void run_sum(const Context& context, const Arguments& a) {
  *a.view<float>(SumAt::sum) = context.kernels.sum_f32(a.view<const float>(SumAt::x), a.size(SumAt::count));
}

void run_sum_squares(const Context& context, const Arguments& a) {
  *a.view<float>(SumAt::sum) = context.kernels.sum_squares_f32(a.view<const float>(SumAt::x), a.size(SumAt::count));
}

void check_row_sum(const Arguments& a, Requirements& r) {
  r.need(RowsAt::x, a.size(RowsAt::rows), a.size(RowsAt::columns));
  r.need(RowsAt::y, a.size(RowsAt::rows));
}

void run_row_sum(const Context& context, const Arguments& a) {
  const size_t columns = a.size(RowsAt::columns);
  const auto* x = a.view<const float>(RowsAt::x);
  auto* y = a.view<float>(RowsAt::y);
  over_rows(context, a.size(RowsAt::rows), columns, [&](size_t begin, size_t end) {
    // The sum of one element is that element, −0 as +0.
    if (columns == 1) {
      context.kernels.binary[static_cast<size_t>(Binary::add)].vector_scalar(x + begin, 0.0f, y + begin, end - begin);
      return;
    }
    for (size_t row = begin; row < end; ++row) y[row] = context.kernels.sum_f32(x + row * columns, columns);
  });
}

void check_column_sum(const Arguments& a, Requirements& r) {
  r.need(RowsAt::x, a.size(RowsAt::rows), a.size(RowsAt::columns));
  r.need(RowsAt::y, a.size(RowsAt::columns));
}

size_t column_blocks_of(const Arguments& a) { return tiles_of(a.size(RowsAt::rows), kColumnBlock); }

size_t scratch_column_sum(const Arguments& a, const KernelTable&) {
  const size_t blocks = column_blocks_of(a);
  return blocks < 2 ? 0 : blocks * a.size(RowsAt::columns) * sizeof(float);
}

// Threads have blocks of rows where there are enough of them, as they lie one behind the other; else strips of columns.
void run_column_sum(const Context& context, const Arguments& a) {
  const size_t rows = a.size(RowsAt::rows);
  const size_t columns = a.size(RowsAt::columns);
  const auto* x = a.view<const float>(RowsAt::x);
  auto* y = a.view<float>(RowsAt::y);
  const size_t wanted = context.parallel.chunks(rows * columns, kLeastElements);
  const size_t blocks = column_blocks_of(a);
  if (wanted > 1 && blocks >= wanted) {
    auto* const sums = static_cast<float*>(context.scratch);
    context.parallel.run(wanted, [&](size_t chunk) {
      const size_t first = blocks * chunk / wanted;
      const size_t begin = first * kColumnBlock, end = std::min(rows, blocks * (chunk + 1) / wanted * kColumnBlock);
      context.kernels.column_block_sums_f32(x + begin * columns, end - begin, columns, sums + first * columns);
    });
    std::fill_n(y, columns, 0.0f);
    for (size_t block = 0; block < blocks; ++block) {
      for (size_t c = 0; c < columns; ++c) y[c] += sums[block * columns + c];
    }
    return;
  }
  const size_t groups = (columns + 15) / 16;
  const size_t chunks = std::min(std::max<size_t>(groups, 1), wanted);
  context.parallel.run(chunks, [&](size_t chunk) {
    const size_t begin = groups * chunk / chunks * 16;
    const size_t end = std::min(columns, groups * (chunk + 1) / chunks * 16);
    if (begin < end) context.kernels.column_sum_f32(x, rows, columns, y, begin, end);
  });
}

void check_softmax(const Arguments& a, Requirements& r) {
  if (a.ints[RowsAt::columns] == 0) r.fail("softmax over no columns");
  r.need(RowsAt::x, a.size(RowsAt::rows), a.size(RowsAt::columns));
  r.need(RowsAt::y, a.size(RowsAt::rows), a.size(RowsAt::columns));
}

// y of x row by row, as many elements.
template <auto kernel>
void run_rows(const Context& context, const Arguments& a) {
  const size_t columns = a.size(RowsAt::columns);
  const auto* x = a.view<const float>(RowsAt::x);
  auto* y = a.view<float>(RowsAt::y);
  over_rows(context, a.size(RowsAt::rows), columns, [&](size_t begin, size_t end) {
    (context.kernels.*kernel)(x + begin * columns, y + begin * columns, end - begin, columns);
  });
}

// False, with the fault recorded, when a label is no class: the kernels would read outside their row.
bool labels_fit(const Context& context, const int32_t* labels, size_t rows, size_t classes) {
  for (size_t row = 0; row < rows; ++row) {
    if (labels[row] < 0 || static_cast<size_t>(labels[row]) >= classes) {
      if (context.fault.what == nullptr) {
        context.fault = {"label", row, labels[row], static_cast<int64_t>(classes)};
      }
      return false;
    }
  }
  return true;
}

void check_softmax_cross_entropy(const Arguments& a, Requirements& r) {
  if (a.ints[SoftmaxCrossEntropyAt::columns] == 0) r.fail("cross-entropy over no classes");
  r.need(SoftmaxCrossEntropyAt::logits, a.size(SoftmaxCrossEntropyAt::rows), a.size(SoftmaxCrossEntropyAt::columns));
  r.need(SoftmaxCrossEntropyAt::labels, a.size(SoftmaxCrossEntropyAt::rows));
  r.need(SoftmaxCrossEntropyAt::losses, a.size(SoftmaxCrossEntropyAt::rows));
}

void run_softmax_cross_entropy(const Context& context, const Arguments& a) {
  const size_t columns = a.size(SoftmaxCrossEntropyAt::columns);
  const auto* x = a.view<const float>(SoftmaxCrossEntropyAt::logits);
  const auto* labels = a.view<const int32_t>(SoftmaxCrossEntropyAt::labels);
  auto* losses = a.view<float>(SoftmaxCrossEntropyAt::losses);
  if (!labels_fit(context, labels, a.size(SoftmaxCrossEntropyAt::rows), columns)) return;
  over_rows(context, a.size(SoftmaxCrossEntropyAt::rows), columns, [&](size_t begin, size_t end) {
    context.kernels.softmax_cross_entropy_f32(x + begin * columns, labels + begin, losses + begin, end - begin,
                                              columns);
  });
}

// `same`: one gradient for all rows.
void check_softmax_cross_entropy_gradient(const Arguments& a, Requirements& r) {
  if (a.ints[SoftmaxCrossEntropyGradientAt::columns] == 0) r.fail("cross-entropy over no classes");
  r.need(SoftmaxCrossEntropyGradientAt::logits, a.size(SoftmaxCrossEntropyGradientAt::rows),
         a.size(SoftmaxCrossEntropyGradientAt::columns));
  r.need(SoftmaxCrossEntropyGradientAt::labels, a.size(SoftmaxCrossEntropyGradientAt::rows));
  r.need(SoftmaxCrossEntropyGradientAt::loss_gradient,
         a.ints[SoftmaxCrossEntropyGradientAt::same] != 0 ? 1 : a.size(SoftmaxCrossEntropyGradientAt::rows));
  r.need(SoftmaxCrossEntropyGradientAt::logits_gradient, a.size(SoftmaxCrossEntropyGradientAt::rows),
         a.size(SoftmaxCrossEntropyGradientAt::columns));
}

void run_softmax_cross_entropy_gradient(const Context& context, const Arguments& a) {
  const size_t columns = a.size(SoftmaxCrossEntropyGradientAt::columns);
  const size_t g_stride = a.ints[SoftmaxCrossEntropyGradientAt::same] != 0 ? 0 : 1;
  const auto* x = a.view<const float>(SoftmaxCrossEntropyGradientAt::logits);
  const auto* labels = a.view<const int32_t>(SoftmaxCrossEntropyGradientAt::labels);
  const auto* g = a.view<const float>(SoftmaxCrossEntropyGradientAt::loss_gradient);
  auto* y = a.view<float>(SoftmaxCrossEntropyGradientAt::logits_gradient);
  if (!labels_fit(context, labels, a.size(SoftmaxCrossEntropyGradientAt::rows), columns)) return;
  over_rows(context, a.size(SoftmaxCrossEntropyGradientAt::rows), columns, [&](size_t begin, size_t end) {
    context.kernels.softmax_cross_entropy_gradient_f32(x + begin * columns, labels + begin, g + begin * g_stride,
                                                       g_stride, y + begin * columns, end - begin, columns);
  });
}

// The two above as one.
void check_softmax_cross_entropy_both(const Arguments& a, Requirements& r) {
  if (a.ints[SoftmaxCrossEntropyBothAt::columns] == 0) r.fail("cross-entropy over no classes");
  r.need(SoftmaxCrossEntropyBothAt::logits, a.size(SoftmaxCrossEntropyBothAt::rows),
         a.size(SoftmaxCrossEntropyBothAt::columns));
  r.need(SoftmaxCrossEntropyBothAt::labels, a.size(SoftmaxCrossEntropyBothAt::rows));
  r.need(SoftmaxCrossEntropyBothAt::loss_gradient,
         a.ints[SoftmaxCrossEntropyBothAt::same] != 0 ? 1 : a.size(SoftmaxCrossEntropyBothAt::rows));
  r.need(SoftmaxCrossEntropyBothAt::losses, a.size(SoftmaxCrossEntropyBothAt::rows));
  r.need(SoftmaxCrossEntropyBothAt::logits_gradient, a.size(SoftmaxCrossEntropyBothAt::rows),
         a.size(SoftmaxCrossEntropyBothAt::columns));
}

void run_softmax_cross_entropy_both(const Context& context, const Arguments& a) {
  const size_t columns = a.size(SoftmaxCrossEntropyBothAt::columns);
  const size_t g_stride = a.ints[SoftmaxCrossEntropyBothAt::same] != 0 ? 0 : 1;
  const auto* x = a.view<const float>(SoftmaxCrossEntropyBothAt::logits);
  const auto* labels = a.view<const int32_t>(SoftmaxCrossEntropyBothAt::labels);
  const auto* g = a.view<const float>(SoftmaxCrossEntropyBothAt::loss_gradient);
  auto* losses = a.view<float>(SoftmaxCrossEntropyBothAt::losses);
  auto* y = a.view<float>(SoftmaxCrossEntropyBothAt::logits_gradient);
  if (!labels_fit(context, labels, a.size(SoftmaxCrossEntropyBothAt::rows), columns)) return;
  over_rows(context, a.size(SoftmaxCrossEntropyBothAt::rows), columns, [&](size_t begin, size_t end) {
    context.kernels.softmax_cross_entropy_both_f32(x + begin * columns, labels + begin, g + begin * g_stride, g_stride,
                                                   losses + begin, y + begin * columns, end - begin, columns);
  });
}

void check_one_hot(const Arguments& a, Requirements& r) {
  r.need(OneHotAt::labels, a.size(OneHotAt::rows));
  r.need(OneHotAt::y, a.size(OneHotAt::rows), a.size(OneHotAt::classes));
}

void run_one_hot(const Context& context, const Arguments& a) {
  const size_t columns = a.size(OneHotAt::classes);
  const auto* labels = a.view<const int32_t>(OneHotAt::labels);
  auto* y = a.view<float>(OneHotAt::y);
  if (!labels_fit(context, labels, a.size(OneHotAt::rows), columns)) return;
  context.kernels.fill_f32(y, 0.0f, a.size(OneHotAt::rows) * columns);
  for (size_t row = 0; row < a.size(OneHotAt::rows); ++row) y[row * columns + static_cast<size_t>(labels[row])] = 1.0f;
}

void check_argmax(const Arguments& a, Requirements& r) {
  if (a.ints[ArgmaxAt::columns] == 0) r.fail("argmax over no columns");
  r.need(ArgmaxAt::x, a.size(ArgmaxAt::rows), a.size(ArgmaxAt::columns));
  r.need(ArgmaxAt::y, a.size(ArgmaxAt::rows));
}

void run_argmax(const Context& context, const Arguments& a) {
  const size_t columns = a.size(ArgmaxAt::columns);
  const auto* x = a.view<const float>(ArgmaxAt::x);
  auto* y = a.view<int32_t>(ArgmaxAt::y);
  over_rows(context, a.size(ArgmaxAt::rows), columns, [&](size_t begin, size_t end) {
    context.kernels.argmax_f32(x + begin * columns, y + begin, end - begin, columns);
  });
}

void check_count_equal(const Arguments& a, Requirements& r) {
  r.need(CountEqualAt::a, a.size(CountEqualAt::count));
  r.need(CountEqualAt::b, a.size(CountEqualAt::count));
  r.need(CountEqualAt::equal, 1);
}

void run_count_equal(const Context& /*context*/, const Arguments& a) {
  const auto* x = a.view<const int32_t>(CountEqualAt::a);
  const auto* y = a.view<const int32_t>(CountEqualAt::b);
  size_t equal = 0;
  for (size_t i = 0; i < a.size(CountEqualAt::count); ++i) equal += x[i] == y[i] ? 1 : 0;
  *a.view<float>(CountEqualAt::equal) = static_cast<float>(equal);
}

}  // namespace

constinit const Operation op_sum{"sum", SumAt::all, false, check_sum, nullptr, run_sum};
constinit const Operation op_sum_squares{"sum_squares", SumAt::all, false, check_sum, nullptr, run_sum_squares};
constinit const Operation op_row_sum{"row_sum", RowsAt::all, false, check_row_sum, nullptr, run_row_sum};
constinit const Operation op_column_sum{"column_sum",     RowsAt::all,        false,
                                        check_column_sum, scratch_column_sum, run_column_sum};
constinit const Operation op_softmax{"softmax",     RowsAt::all, true,
                                     check_softmax, nullptr,     run_rows<&KernelTable::softmax_f32>};
constinit const Operation op_log_softmax{"log_softmax", RowsAt::all, true,
                                         check_softmax, nullptr,     run_rows<&KernelTable::log_softmax_f32>};
constinit const Operation op_softmax_cross_entropy{
    "softmax_cross_entropy",  SoftmaxCrossEntropyAt::all, false, check_softmax_cross_entropy, nullptr,
    run_softmax_cross_entropy};
constinit const Operation op_softmax_cross_entropy_gradient{"softmax_cross_entropy_gradient",
                                                            SoftmaxCrossEntropyGradientAt::all,
                                                            true,
                                                            check_softmax_cross_entropy_gradient,
                                                            nullptr,
                                                            run_softmax_cross_entropy_gradient};
constinit const Operation op_softmax_cross_entropy_both{
    "softmax_cross_entropy_both",  SoftmaxCrossEntropyBothAt::all, true, check_softmax_cross_entropy_both, nullptr,
    run_softmax_cross_entropy_both};
constinit const Operation op_one_hot{"one_hot", OneHotAt::all, false, check_one_hot, nullptr, run_one_hot};
constinit const Operation op_argmax{"argmax", ArgmaxAt::all, false, check_argmax, nullptr, run_argmax};
constinit const Operation op_count_equal{"count_equal",     CountEqualAt::all, false,
                                         check_count_equal, nullptr,           run_count_equal};

}  // namespace carillon
