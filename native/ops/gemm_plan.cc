#include "gemm_plan.h"

#include <algorithm>

namespace carillon {
namespace {

size_t left_floats_of(size_t rows, size_t k) {
  return round_up(rows * (k + (k + kDepthChunk - 1) / kDepthChunk * kLeftPadding), 16);
}

// Lines of a cache that lie a multiple of 4 KB apart share the 12 (or 8) places of one set of the first level.
constexpr size_t kConflictStride = 1024;
bool conflicting(size_t stride) { return stride % kConflictStride == 0; }

// Operands beyond this are packed: together they no longer fit the second-level cache.
constexpr size_t kPackBytes = 1 << 20;

// Rows and depth from which it pays to choose which operand is broadcast.
constexpr size_t kLeastSwapped = 32;

// Cycles of a transposing copy, of a plain copy and of a transposed store, an element, in units of one vector FMA pair.
constexpr double kTransposeCost = 0.35;

}  // namespace

GemmPlan plan_of(const GemmShape& shape, const KernelTable& kernels) {
  const auto [m, n, k, transpose_a, layout_b, accumulate] = shape;
  GemmPlan plan{};
  plan.apart = accumulate && k > kDepthChunk;
  const auto vectors = [&](size_t x) { return static_cast<double>(round_up(x, kernels.width)); };
  const double flops = 1.0 / (2.0 * static_cast<double>(kernels.width));
  if (layout_b == Layout::transposed) {
    if (transpose_a) {
      plan.swapped = true;  // aᵀ has its rows along m already
    } else if (n <= kernels.gemm_few && m >= kernels.width) {
      plan.swapped = plan.few = true;
    } else if (m <= kernels.gemm_few && n >= kernels.width) {
      plan.few = true;
    } else {
      const auto rows = static_cast<double>(m), columns = static_cast<double>(n);
      const double store = kTransposeCost * rows * columns / static_cast<double>(std::max<size_t>(k, 1));
      const double direct = rows * vectors(n) * flops + kTransposeCost * columns;
      const double swapped = columns * vectors(m) * flops + kTransposeCost * rows + store;
      plan.swapped = swapped < direct;
    }
  } else if (layout_b == Layout::plain && transpose_a) {
    // Both lie along their rows: what is broadcast is copied in pieces of a tile's rows, so that it is the smaller one.
    plan.swapped = m >= 2 * n && n >= kLeastSwapped && k >= kLeastSwapped && (m + n) * k * sizeof(float) > kPackBytes;
  }
  plan.rows = plan.swapped ? n : m;
  plan.columns = plan.swapped ? m : n;
  plan.left_along_rows = plan.swapped ? layout_b == Layout::plain : transpose_a;
  plan.right_along_depth = plan.swapped ? !transpose_a : layout_b == Layout::transposed;
  const size_t left_bytes = plan.rows * k * sizeof(float), right_bytes = plan.columns * k * sizeof(float);
  if (plan.few) {
    plan.left_pack = plan.swapped && conflicting(k) && m >= 64;
  } else {
    const size_t left_stride = plan.left_along_rows ? plan.rows : k;
    const size_t right_stride = plan.columns;
    plan.left_pack = plan.columns >= 128 && plan.rows >= 32 && k >= 32 &&
                     ((plan.left_along_rows && left_bytes + right_bytes > kPackBytes) || conflicting(left_stride));
    plan.right_pack = layout_b != Layout::packed &&
                      (plan.right_along_depth || (plan.rows >= 64 && k >= 32 && plan.columns >= 64 &&
                                                  (right_bytes > kPackBytes / 2 || conflicting(right_stride))));
  }
  if (plan.left_pack) plan.left_floats = left_floats_of(plan.rows, k);
  if (plan.right_pack) plan.right_floats = round_up(plan.columns, kernels.gemm_columns) * k;
  if (plan.apart) plan.apart_floats = round_up(m * n, 16);
  return plan;
}

// Each condition holds wherever that of plan_of() holds for fewer rows.
size_t most_floats(const GemmShape& shape, const KernelTable& kernels) {
  const auto [m, n, k, transpose_a, layout_b, accumulate] = shape;
  const bool turned = layout_b == Layout::transposed;
  const size_t bytes = (m + n) * k * sizeof(float);
  const bool spread = bytes > kPackBytes || k >= kConflictStride || m >= kConflictStride;
  const auto left = [k = k, spread](size_t rows, size_t columns) {
    return columns >= 128 && rows >= 32 && k >= 32 && spread ? left_floats_of(rows, k) : 0;
  };
  const auto right = [k = k, &kernels](size_t columns) { return round_up(columns, kernels.gemm_columns) * k; };
  const bool many = m >= 64 && k >= 32 && n >= 64;
  size_t floats = left(m, n);
  if (turned && !transpose_a) {
    floats = std::max({floats, left(n, m), n <= kernels.gemm_few ? left_floats_of(n, k) : 0});
    floats += std::max(right(n), right(m));
  } else if (turned) {
    floats = left(n, m) + (many ? right(m) : 0);
  } else if (layout_b == Layout::plain) {
    floats += many ? right(n) : 0;
    if (transpose_a) floats = std::max(floats, left(n, m) + (many ? right(m) : 0));
  }
  return floats + (accumulate && k > kDepthChunk ? round_up(m * n, 16) : 0);
}

}  // namespace carillon
