// Sums, softmax, losses and counts over rows.
#include <algorithm>

#include "operation.h"

namespace carillon {
namespace {

constexpr Operands kSum{"x:f sum:F", "count:d", ""};
constexpr Operands kSumSquares{"x:f sum:F", "count:d", ""};
constexpr Operands kRowSum{"x:f y:F", "rows:d columns:d", ""};
constexpr Operands kColumnSum{"x:f y:F", "rows:d columns:d", ""};
constexpr Operands kSoftmax{"x:f y:F", "rows:d columns:d", ""};
constexpr Operands kLogSoftmax{"x:f y:F", "rows:d columns:d", ""};
constexpr Operands kSoftmaxCrossEntropy{"logits:f labels:i losses:F", "rows:d columns:d", ""};
constexpr Operands kSoftmaxCrossEntropyGradient{"logits:f labels:i loss_gradient:f logits_gradient:F",
                                                "rows:d columns:d same:b", ""};
constexpr Operands kSoftmaxCrossEntropyBoth{"logits:f labels:i loss_gradient:f losses:F logits_gradient:F",
                                            "rows:d columns:d same:b", ""};
constexpr Operands kOneHot{"labels:i y:F", "rows:d classes:d", ""};
constexpr Operands kArgmax{"x:f y:I", "rows:d columns:d", ""};
constexpr Operands kCountEqual{"a:i b:i equal:F", "count:d", ""};

// Calls part(begin, end) over rows, in pieces worth a thread.
template <typename Part>
void over_rows(const Context& context, size_t rows, size_t columns, const Part& part) {
  const size_t least = columns == 0 ? std::max<size_t>(rows, 1) : (kLeastElements + columns - 1) / columns;
  const size_t chunks = context.parallel.chunks(rows, least);
  context.parallel.run(chunks, [&](size_t chunk) {
    const size_t begin = rows * chunk / chunks;
    const size_t end = rows * (chunk + 1) / chunks;
    if (begin < end) part(begin, end);
  });
}

void check_sum(const Arguments& a, Requirements& r) {
  r.need(0, a.size(0));
  r.need(1, 1);
}

void run_sum(const Context& context, const Arguments& a) {
  *a.view<float>(1) = context.kernels.sum_f32(a.view<const float>(0), a.size(0));
}

void run_sum_squares(const Context& context, const Arguments& a) {
  *a.view<float>(1) = context.kernels.sum_squares_f32(a.view<const float>(0), a.size(0));
}

void check_row_sum(const Arguments& a, Requirements& r) {
  r.need(0, a.size(0), a.size(1));
  r.need(1, a.size(0));
}

void run_row_sum(const Context& context, const Arguments& a) {
  const size_t columns = a.size(1);
  const auto* x = a.view<const float>(0);
  auto* y = a.view<float>(1);
  over_rows(context, a.size(0), columns, [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) y[row] = context.kernels.sum_f32(x + row * columns, columns);
  });
}

void check_column_sum(const Arguments& a, Requirements& r) {
  r.need(0, a.size(0), a.size(1));
  r.need(1, a.size(1));
}

void run_column_sum(const Context& context, const Arguments& a) {
  const size_t rows = a.size(0);
  const size_t columns = a.size(1);
  const auto* x = a.view<const float>(0);
  auto* y = a.view<float>(1);
  const size_t groups = (columns + 15) / 16;
  const size_t chunks = std::min(std::max<size_t>(groups, 1), context.parallel.chunks(rows * columns, kLeastElements));
  context.parallel.run(chunks, [&](size_t chunk) {
    const size_t begin = groups * chunk / chunks * 16;
    const size_t end = std::min(columns, groups * (chunk + 1) / chunks * 16);
    if (begin < end) context.kernels.column_sum_f32(x, rows, columns, y, begin, end);
  });
}

void check_softmax(const Arguments& a, Requirements& r) {
  if (a.ints[1] == 0) r.fail("softmax over no columns");
  r.need(0, a.size(0), a.size(1));
  r.need(1, a.size(0), a.size(1));
}

void run_softmax(const Context& context, const Arguments& a) {
  const size_t columns = a.size(1);
  const auto* x = a.view<const float>(0);
  auto* y = a.view<float>(1);
  over_rows(context, a.size(0), columns, [&](size_t begin, size_t end) {
    context.kernels.softmax_f32(x + begin * columns, y + begin * columns, end - begin, columns);
  });
}

void run_log_softmax(const Context& context, const Arguments& a) {
  const size_t columns = a.size(1);
  const auto* x = a.view<const float>(0);
  auto* y = a.view<float>(1);
  over_rows(context, a.size(0), columns, [&](size_t begin, size_t end) {
    context.kernels.log_softmax_f32(x + begin * columns, y + begin * columns, end - begin, columns);
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

// views: logits, labels, losses
void check_softmax_cross_entropy(const Arguments& a, Requirements& r) {
  if (a.ints[1] == 0) r.fail("cross-entropy over no classes");
  r.need(0, a.size(0), a.size(1));
  r.need(1, a.size(0));
  r.need(2, a.size(0));
}

void run_softmax_cross_entropy(const Context& context, const Arguments& a) {
  const size_t columns = a.size(1);
  const auto* x = a.view<const float>(0);
  const auto* labels = a.view<const int32_t>(1);
  auto* losses = a.view<float>(2);
  if (!labels_fit(context, labels, a.size(0), columns)) return;
  over_rows(context, a.size(0), columns, [&](size_t begin, size_t end) {
    context.kernels.softmax_cross_entropy_f32(x + begin * columns, labels + begin, losses + begin, end - begin,
                                              columns);
  });
}

// views: logits, labels, gradient of the losses, gradient of the logits; ints: rows, columns, one gradient for all rows
void check_softmax_cross_entropy_gradient(const Arguments& a, Requirements& r) {
  if (a.ints[1] == 0) r.fail("cross-entropy over no classes");
  r.need(0, a.size(0), a.size(1));
  r.need(1, a.size(0));
  r.need(2, a.ints[2] != 0 ? 1 : a.size(0));
  r.need(3, a.size(0), a.size(1));
}

void run_softmax_cross_entropy_gradient(const Context& context, const Arguments& a) {
  const size_t columns = a.size(1);
  const size_t g_stride = a.ints[2] != 0 ? 0 : 1;
  const auto* x = a.view<const float>(0);
  const auto* labels = a.view<const int32_t>(1);
  const auto* g = a.view<const float>(2);
  auto* y = a.view<float>(3);
  if (!labels_fit(context, labels, a.size(0), columns)) return;
  over_rows(context, a.size(0), columns, [&](size_t begin, size_t end) {
    context.kernels.softmax_cross_entropy_gradient_f32(x + begin * columns, labels + begin, g + begin * g_stride,
                                                       g_stride, y + begin * columns, end - begin, columns);
  });
}

// views: logits, labels, gradient of the losses, losses, gradient of the logits; ints as above. The two above as one.
void check_softmax_cross_entropy_both(const Arguments& a, Requirements& r) {
  if (a.ints[1] == 0) r.fail("cross-entropy over no classes");
  r.need(0, a.size(0), a.size(1));
  r.need(1, a.size(0));
  r.need(2, a.ints[2] != 0 ? 1 : a.size(0));
  r.need(3, a.size(0));
  r.need(4, a.size(0), a.size(1));
}

void run_softmax_cross_entropy_both(const Context& context, const Arguments& a) {
  const size_t columns = a.size(1);
  const size_t g_stride = a.ints[2] != 0 ? 0 : 1;
  const auto* x = a.view<const float>(0);
  const auto* labels = a.view<const int32_t>(1);
  const auto* g = a.view<const float>(2);
  auto* losses = a.view<float>(3);
  auto* y = a.view<float>(4);
  if (!labels_fit(context, labels, a.size(0), columns)) return;
  over_rows(context, a.size(0), columns, [&](size_t begin, size_t end) {
    context.kernels.softmax_cross_entropy_both_f32(x + begin * columns, labels + begin, g + begin * g_stride, g_stride,
                                                   losses + begin, y + begin * columns, end - begin, columns);
  });
}

// views: labels, y
void check_one_hot(const Arguments& a, Requirements& r) {
  r.need(0, a.size(0));
  r.need(1, a.size(0), a.size(1));
}

void run_one_hot(const Context& context, const Arguments& a) {
  const size_t columns = a.size(1);
  const auto* labels = a.view<const int32_t>(0);
  auto* y = a.view<float>(1);
  if (!labels_fit(context, labels, a.size(0), columns)) return;
  context.kernels.fill_f32(y, 0.0f, a.size(0) * columns);
  for (size_t row = 0; row < a.size(0); ++row) y[row * columns + static_cast<size_t>(labels[row])] = 1.0f;
}

void check_argmax(const Arguments& a, Requirements& r) {
  if (a.ints[1] == 0) r.fail("argmax over no columns");
  r.need(0, a.size(0), a.size(1));
  r.need(1, a.size(0));
}

void run_argmax(const Context& context, const Arguments& a) {
  const size_t columns = a.size(1);
  const auto* x = a.view<const float>(0);
  auto* y = a.view<int32_t>(1);
  over_rows(context, a.size(0), columns, [&](size_t begin, size_t end) {
    context.kernels.argmax_f32(x + begin * columns, y + begin, end - begin, columns);
  });
}

void check_count_equal(const Arguments& a, Requirements& r) {
  r.need(0, a.size(0));
  r.need(1, a.size(0));
  r.need(2, 1);
}

void run_count_equal(const Context& /*context*/, const Arguments& a) {
  const auto* x = a.view<const int32_t>(0);
  const auto* y = a.view<const int32_t>(1);
  size_t equal = 0;
  for (size_t i = 0; i < a.size(0); ++i) equal += x[i] == y[i] ? 1 : 0;
  *a.view<float>(2) = static_cast<float>(equal);
}

}  // namespace

constinit const Operation op_sum{"sum", kSum, false, check_sum, nullptr, run_sum};
constinit const Operation op_sum_squares{"sum_squares", kSumSquares, false, check_sum, nullptr, run_sum_squares};
constinit const Operation op_row_sum{"row_sum", kRowSum, false, check_row_sum, nullptr, run_row_sum};
constinit const Operation op_column_sum{"column_sum", kColumnSum, false, check_column_sum, nullptr, run_column_sum};
constinit const Operation op_softmax{"softmax", kSoftmax, true, check_softmax, nullptr, run_softmax};
constinit const Operation op_log_softmax{"log_softmax", kLogSoftmax, true, check_softmax, nullptr, run_log_softmax};
constinit const Operation op_softmax_cross_entropy{
    "softmax_cross_entropy",  kSoftmaxCrossEntropy, false, check_softmax_cross_entropy, nullptr,
    run_softmax_cross_entropy};
constinit const Operation op_softmax_cross_entropy_gradient{"softmax_cross_entropy_gradient",
                                                            kSoftmaxCrossEntropyGradient,
                                                            true,
                                                            check_softmax_cross_entropy_gradient,
                                                            nullptr,
                                                            run_softmax_cross_entropy_gradient};
constinit const Operation op_softmax_cross_entropy_both{
    "softmax_cross_entropy_both",  kSoftmaxCrossEntropyBoth, true, check_softmax_cross_entropy_both, nullptr,
    run_softmax_cross_entropy_both};
constinit const Operation op_one_hot{"one_hot", kOneHot, false, check_one_hot, nullptr, run_one_hot};
constinit const Operation op_argmax{"argmax", kArgmax, false, check_argmax, nullptr, run_argmax};
constinit const Operation op_count_equal{"count_equal",     kCountEqual, false,
                                         check_count_equal, nullptr,     run_count_equal};

}  // namespace carillon
