// Matrix products with bias and activation.
#include <algorithm>

#include "operation.h"

namespace carillon {
namespace {

// Floating-point operations below which a second thread costs more than it brings.
constexpr size_t kLeastFlops = 1 << 19;

size_t panels_of(const KernelTable& kernels, size_t n) { return (n + kernels.gemm_columns - 1) / kernels.gemm_columns; }

// ints: m, n, k, transpose a, transpose b, activation, accumulate
void check_gemm(const Arguments& a, Requirements& r) {
  if (a.ints[5] < 0 || a.ints[5] >= static_cast<int64_t>(Activation::count)) r.fail("no such activation");
  if (a.ints[6] != 0 && (a.views[2] != nullptr || a.ints[5] != 0)) r.fail("accumulation takes no bias or activation");
  r.need(0, a.size(0), a.size(2));
  r.need(1, a.size(2), a.size(1));
  r.need(2, a.size(1));
  r.need(3, a.size(0), a.size(1));
}

// The second operand is packed only where its rows are not contiguous along n.
size_t scratch_gemm(const Arguments& a, const KernelTable& kernels) {
  if (a.ints[4] == 0) return 0;
  return panels_of(kernels, a.size(1)) * kernels.gemm_columns * a.size(2) * sizeof(float);
}

void run_gemm(const Context& context, const Arguments& a) {
  const size_t m = a.size(0);
  const size_t n = a.size(1);
  const size_t k = a.size(2);
  if (m == 0 || n == 0) return;
  const KernelTable& kernels = context.kernels;
  const bool transpose_a = a.ints[3] != 0;
  const bool transpose_b = a.ints[4] != 0;
  GemmArguments g{};
  g.a = a.view<const float>(0);
  g.a_row_stride = transpose_a ? 1 : k;
  g.a_depth_stride = transpose_a ? m : 1;
  g.b = a.view<const float>(1);
  g.b_stride = n;
  g.c = a.view<float>(3);
  g.c_stride = n;
  g.m = m;
  g.n = n;
  g.k = k;
  g.bias = a.view<const float>(2);
  g.activation = static_cast<Activation>(a.ints[5]);
  g.accumulate = a.ints[6] != 0;

  const size_t panels = panels_of(kernels, n);
  if (transpose_b) {
    auto* packed = static_cast<float*>(context.scratch);
    const float* source = g.b;
    const size_t chunks = std::min(panels, context.parallel.chunks(n * k, kLeastElements));
    context.parallel.run(chunks, [&](size_t chunk) {
      kernels.gemm_pack_f32(source, k, n, k, panels * chunk / chunks, panels * (chunk + 1) / chunks, packed);
    });
    g.b = packed;
    g.b_packed = true;
  }

  const size_t chunks = context.parallel.chunks(2 * m * n * k, kLeastFlops);
  const size_t column_groups = std::min(panels, chunks);
  const size_t row_groups =
      std::min((m + kernels.gemm_rows - 1) / kernels.gemm_rows, (chunks + column_groups - 1) / column_groups);
  context.parallel.run(column_groups * row_groups, [&](size_t chunk) {
    const size_t column_group = chunk / row_groups;
    const size_t row_group = chunk % row_groups;
    const size_t begin = panels * column_group / column_groups * kernels.gemm_columns;
    const size_t end = std::min(n, panels * (column_group + 1) / column_groups * kernels.gemm_columns);
    kernels.gemm_f32(g, m * row_group / row_groups, m * (row_group + 1) / row_groups, begin, end);
  });
}

}  // namespace

constinit const Operation op_gemm{"gemm", "fff?F", "dddiiii", 0, false, check_gemm, scratch_gemm, run_gemm};

}  // namespace carillon
