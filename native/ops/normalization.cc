// Normalization of rows (layer, group and RMS norm) and of columns (batch norm), and their gradients.
#include <algorithm>
#include <cstring>

#include "operation.h"

namespace carillon {
namespace {

// ---- Sums over rows, a chain a column

// Rows of x and of g that a piece of work takes at once, so that what the second kernel reads is still in the first
// cache.
size_t rows_in_cache(size_t columns) {
  constexpr size_t kElements = 2048, kLeast = 4;
  return std::max(kLeast, kElements / columns / kLeast * kLeast);
}

// Columns of a strip at least: whole lines.
constexpr size_t kLeastStrip = 64;

// Room for the sums of every block of rows, where there are several.
size_t block_sums_bytes(size_t rows, size_t columns, size_t kinds) {
  const size_t blocks = (rows + kColumnBlock - 1) / kColumnBlock;
  return blocks <= 1 ? 0 : blocks * kinds * columns * sizeof(float);
}

// sums[k][c] = Σ over rows, in the order of column sums: chains of kColumnBlock rows from +0, blocks added in order.
// part(row_begin, row_end, column_begin, column_end, chains) adds the rows of one block to chains[k], which point at
// column_begin. `scratch`: block_sums_bytes. Work on blocks and strips of columns is split over threads.
template <size_t kinds, typename Part>
void sum_blocks(const Context& context, size_t rows, size_t columns, float* const (&sums)[kinds], float* scratch,
                bool strips_allowed, const Part& part) {
  const size_t blocks = std::max<size_t>(1, (rows + kColumnBlock - 1) / kColumnBlock);
  const size_t chunks = context.parallel.chunks(rows * columns, kLeastElements);
  const size_t most = strips_allowed ? (columns + kLeastStrip - 1) / kLeastStrip : 1;
  const size_t strips = std::max<size_t>(1, std::min(most, (chunks + blocks - 1) / blocks));
  const size_t units = blocks * strips;
  const size_t pieces = std::min(units, chunks);
  context.parallel.run(pieces, [&](size_t piece) {
    for (size_t unit = units * piece / pieces; unit < units * (piece + 1) / pieces; ++unit) {
      const size_t block = unit / strips, strip = unit % strips;
      const size_t begin = columns * strip / strips, end = columns * (strip + 1) / strips;
      float* chains[kinds];
      for (size_t k = 0; k < kinds; ++k) {
        chains[k] = (blocks == 1 ? sums[k] : scratch + (block * kinds + k) * columns) + begin;
        std::memset(chains[k], 0, (end - begin) * sizeof(float));
      }
      part(block * kColumnBlock, std::min(rows, (block + 1) * kColumnBlock), begin, end, chains);
    }
  });
  if (blocks == 1) return;
  over_rows(context, columns, blocks * kinds, [&](size_t begin, size_t end) {
    for (size_t k = 0; k < kinds; ++k) {
      std::memset(sums[k] + begin, 0, (end - begin) * sizeof(float));
      for (size_t block = 0; block < blocks; ++block) {
        const float* chain = scratch + (block * kinds + k) * columns;
        for (size_t c = begin; c < end; ++c) sums[k][c] += chain[c];
      }
    }
  });
}

// ---- row_norm: rows of x are `groups` rows of columns/groups elements, which are normalized one by one

struct RowNormAt {
  static constexpr Operands all{"x:f scale:f? shift:f? y:F inverse:F mean:F?", "rows:d columns:d groups:i", "epsilon"};
  static constexpr size_t x = all.view("x"), scale = all.view("scale"), shift = all.view("shift"), y = all.view("y"),
                          inverse = all.view("inverse"), mean = all.view("mean");
  static constexpr size_t rows = all.integer("rows"), columns = all.integer("columns"), groups = all.integer("groups");
};

// Of whole groups: False, and says so, where the columns are none.
bool check_groups(const Arguments& a, size_t columns, size_t groups, Requirements& r) {
  if (a.ints[columns] > 0 && a.ints[groups] > 0 && a.ints[columns] % a.ints[groups] == 0) return true;
  r.fail("normalization over no columns, or groups that are not equal");
  return false;
}

void check_row_norm(const Arguments& a, Requirements& r) {
  using At = RowNormAt;
  if (!check_groups(a, At::columns, At::groups, r)) return;
  const size_t rows = a.size(At::rows), columns = a.size(At::columns), groups = a.size(At::groups);
  r.need(At::x, rows, columns);
  r.need(At::y, rows, columns);
  r.need(At::scale, columns);
  r.need(At::shift, columns);
  r.need(At::inverse, rows, groups);
  r.need(At::mean, rows, groups);
}

void run_row_norm(const Context& context, const Arguments& a) {
  using At = RowNormAt;
  const size_t groups = a.size(At::groups), columns = a.size(At::columns) / groups;
  const RowNorm task{a.view<const float>(At::x),
                     a.view<const float>(At::scale),
                     a.view<const float>(At::shift),
                     a.view<float>(At::y),
                     a.view<float>(At::mean),
                     a.view<float>(At::inverse),
                     columns,
                     groups,
                     static_cast<float>(a.doubles[0])};
  over_rows(context, a.size(At::rows) * groups, columns,
            [&](size_t begin, size_t end) { context.kernels.row_norm_f32(task, begin, end); });
}

// ---- row_norm_gradient: dx, and where wanted dscale[c] = Σ g·n and dshift[c] = Σ g over rows

struct RowNormGradientAt {
  static constexpr Operands all{"x:f g:f scale:f? inverse:f mean:f? dx:F dscale:F? dshift:F?",
                                "rows:d columns:d groups:i", ""};
  static constexpr size_t x = all.view("x"), g = all.view("g"), scale = all.view("scale"),
                          inverse = all.view("inverse"), mean = all.view("mean"), dx = all.view("dx"),
                          dscale = all.view("dscale"), dshift = all.view("dshift");
  static constexpr size_t rows = all.integer("rows"), columns = all.integer("columns"), groups = all.integer("groups");
};

void check_row_norm_gradient(const Arguments& a, Requirements& r) {
  using At = RowNormGradientAt;
  if (!check_groups(a, At::columns, At::groups, r)) return;
  const size_t rows = a.size(At::rows), columns = a.size(At::columns), groups = a.size(At::groups);
  for (const size_t view : {At::x, At::g, At::dx}) r.need(view, rows, columns);
  for (const size_t view : {At::scale, At::dscale, At::dshift}) r.need(view, columns);
  for (const size_t view : {At::inverse, At::mean}) r.need(view, rows, groups);
  if (a.views[At::dscale] == nullptr && a.views[At::dshift] != nullptr) r.fail("a shift without a scale");
}

// Sums of blocks, then of the flows where nobody wants them: there is no shift then.
size_t scratch_row_norm_gradient(const Arguments& a, const KernelTable& /*kernels*/) {
  using At = RowNormGradientAt;
  if (a.views[At::dscale] == nullptr) return 0;
  const size_t columns = a.size(At::columns);
  return block_sums_bytes(a.size(At::rows), columns, 2) + columns * sizeof(float);
}

void run_row_norm_gradient(const Context& context, const Arguments& a) {
  using At = RowNormGradientAt;
  const size_t rows = a.size(At::rows), width = a.size(At::columns), groups = a.size(At::groups);
  const size_t columns = width / groups;
  // The rows that are next: those of the next piece where sums and gradient go piece by piece.
  const bool far = prefetch_distance(3 * rows * width * sizeof(float), 3) != 0;
  const RowNormGradient task{a.view<const float>(At::x),
                             a.view<const float>(At::g),
                             a.view<const float>(At::scale),
                             a.view<const float>(At::mean),
                             a.view<const float>(At::inverse),
                             a.view<float>(At::dx),
                             columns,
                             groups,
                             far ? rows_in_cache(width) * width : 0};
  const auto gradient = [&](size_t begin, size_t end) {
    context.kernels.row_norm_gradient_f32(task, begin * groups, end * groups);
  };
  if (a.views[At::dscale] == nullptr) {
    over_rows(context, rows, width, gradient);
    return;
  }
  auto* scratch = static_cast<float*>(context.scratch);
  float* const flows = a.views[At::dshift] != nullptr ? a.view<float>(At::dshift)
                                                      : scratch + block_sums_bytes(rows, width, 2) / sizeof(float);
  float* const sums[2] = {flows, a.view<float>(At::dscale)};
  // Columns [begin, end) of rows [from, to), group by group.
  const auto add = [&](size_t from, size_t to, size_t begin, size_t end, float* const(&chains)[2]) {
    for (size_t at = begin; at < end;) {
      const size_t group = at / columns;
      const size_t until = std::min(end, (group + 1) * columns);
      const float* mean = task.mean == nullptr ? nullptr : task.mean + from * groups + group;
      const NormSums part{task.x + from * width + at,
                          task.g + from * width + at,
                          width,
                          mean,
                          task.inverse + from * groups + group,
                          groups,
                          chains[0] + (at - begin),
                          chains[1] + (at - begin)};
      context.kernels.norm_sums_f32(part, to - from, until - at);
      at = until;
    }
  };
  // Both in one pass where blocks of rows are enough work for all threads.
  const size_t blocks = (rows + kColumnBlock - 1) / kColumnBlock;
  const bool together = blocks >= context.parallel.chunks(rows * width, kLeastElements);
  sum_blocks(context, rows, width, sums, scratch, !together,
             [&](size_t from, size_t to, size_t begin, size_t end, float* const(&chains)[2]) {
               if (!together) return add(from, to, begin, end, chains);
               for (size_t row = from; row < to; row += rows_in_cache(width)) {
                 const size_t until = std::min(to, row + rows_in_cache(width));
                 add(row, until, begin, end, chains);
                 gradient(row, until);
               }
             });
  if (!together) over_rows(context, rows, width, gradient);
}

// ---- column_norm: columns of x over all rows. Where there are running values, a lone row is normalized by them.

struct ColumnNormAt {
  static constexpr Operands all{"x:f scale:f? shift:f? running_mean:f? running_variance:f? y:F mean:F variance:F",
                                "rows:d columns:d", "epsilon"};
  static constexpr size_t x = all.view("x"), scale = all.view("scale"), shift = all.view("shift"),
                          running_mean = all.view("running_mean"), running_variance = all.view("running_variance"),
                          y = all.view("y"), mean = all.view("mean"), variance = all.view("variance");
  static constexpr size_t rows = all.integer("rows"), columns = all.integer("columns");
};

void check_column_norm(const Arguments& a, Requirements& r) {
  using At = ColumnNormAt;
  const size_t rows = a.size(At::rows), columns = a.size(At::columns);
  if (columns == 0) r.fail("normalization over no columns");
  if ((a.views[At::running_mean] == nullptr) != (a.views[At::running_variance] == nullptr)) {
    r.fail("a running mean and a running variance go together");
  }
  for (const size_t view : {At::x, At::y}) r.need(view, rows, columns);
  for (const size_t view : {At::scale, At::shift, At::running_mean, At::running_variance, At::mean, At::variance}) {
    r.need(view, columns);
  }
}

size_t scratch_column_norm(const Arguments& a, const KernelTable& /*kernels*/) {
  const size_t columns = a.size(ColumnNormAt::columns);
  return block_sums_bytes(a.size(ColumnNormAt::rows), columns, 1) + columns * sizeof(float);
}

// inverse[c] = 1/√(variance[c] + ε)
void invert(const Context& context, const float* variance, double epsilon, float* inverse, size_t columns) {
  const KernelTable& kernels = context.kernels;
  const auto binary = [&](Binary function) -> const BinaryKernels& {
    return kernels.binary[static_cast<size_t>(function)];
  };
  binary(Binary::add).vector_scalar(variance, static_cast<float>(epsilon), inverse, columns);
  kernels.unary[static_cast<size_t>(Unary::sqrt)](inverse, inverse, columns);
  binary(Binary::divide).scalar_vector(1.0f, inverse, inverse, columns);
}

void run_column_norm(const Context& context, const Arguments& a) {
  using At = ColumnNormAt;
  const size_t rows = a.size(At::rows), columns = a.size(At::columns);
  const auto* x = a.view<const float>(At::x);
  auto* mean = a.view<float>(At::mean);
  auto* variance = a.view<float>(At::variance);
  auto* scratch = static_cast<float*>(context.scratch);
  const KernelTable& kernels = context.kernels;
  const BinaryKernels& divide = kernels.binary[static_cast<size_t>(Binary::divide)];
  const BinaryKernels& multiply = kernels.binary[static_cast<size_t>(Binary::multiply)];
  if (a.views[At::running_mean] != nullptr && rows == 1) {
    std::memcpy(mean, a.view<const float>(At::running_mean), columns * sizeof(float));
    std::memcpy(variance, a.view<const float>(At::running_variance), columns * sizeof(float));
  } else {
    const auto deviations = [&](float* to, const float* center, bool squared) {
      float* const sums[1] = {to};
      sum_blocks(context, rows, columns, sums, scratch, true,
                 [&](size_t from, size_t until, size_t begin, size_t end, float* const(&chains)[1]) {
                   kernels.column_deviations_f32(x + from * columns + begin, columns, until - from, end - begin,
                                                 center + begin, squared, chains[0]);
                 });
      divide.vector_scalar(to, static_cast<float>(rows), to, columns);
    };
    if (rows != 0) {
      deviations(mean, x, false);
      kernels.binary[static_cast<size_t>(Binary::add)].vector_vector(mean, x, mean, columns);
    }
    deviations(variance, mean, true);
  }
  float* factor = scratch + block_sums_bytes(rows, columns, 1) / sizeof(float);
  invert(context, variance, a.doubles[0], factor, columns);
  if (a.views[At::scale] != nullptr) multiply.vector_vector(factor, a.view<const float>(At::scale), factor, columns);
  const auto* shift = a.view<const float>(At::shift);
  auto* y = a.view<float>(At::y);
  over_rows(context, rows, columns, [&](size_t begin, size_t end) {
    kernels.column_norm_f32(x + begin * columns, end - begin, columns, mean, factor, shift, y + begin * columns);
  });
}

// ---- column_norm_gradient. `running`: a lone row was normalized by running values, which do not depend on it.

struct ColumnNormGradientAt {
  static constexpr Operands all{"x:f g:f scale:f? mean:f variance:f dx:F dscale:F? dshift:F?",
                                "rows:d columns:d running:b", "epsilon"};
  static constexpr size_t x = all.view("x"), g = all.view("g"), scale = all.view("scale"), mean = all.view("mean"),
                          variance = all.view("variance"), dx = all.view("dx"), dscale = all.view("dscale"),
                          dshift = all.view("dshift");
  static constexpr size_t rows = all.integer("rows"), columns = all.integer("columns"),
                          running = all.integer("running");
};

void check_column_norm_gradient(const Arguments& a, Requirements& r) {
  using At = ColumnNormGradientAt;
  const size_t rows = a.size(At::rows), columns = a.size(At::columns);
  if (columns == 0) r.fail("normalization over no columns");
  for (const size_t view : {At::x, At::g, At::dx}) r.need(view, rows, columns);
  for (const size_t view : {At::scale, At::mean, At::variance, At::dscale, At::dshift}) r.need(view, columns);
}

// Vectors of a column beside the sums of blocks: Σg, Σ g·n, offset, slope, factor.
constexpr size_t kColumnVectors = 5;

size_t scratch_column_norm_gradient(const Arguments& a, const KernelTable& /*kernels*/) {
  const size_t columns = a.size(ColumnNormGradientAt::columns);
  return block_sums_bytes(a.size(ColumnNormGradientAt::rows), columns, 2) + kColumnVectors * columns * sizeof(float);
}

void run_column_norm_gradient(const Context& context, const Arguments& a) {
  using At = ColumnNormGradientAt;
  const size_t rows = a.size(At::rows), columns = a.size(At::columns);
  const auto* x = a.view<const float>(At::x);
  const auto* g = a.view<const float>(At::g);
  const auto* mean = a.view<const float>(At::mean);
  auto* scratch = static_cast<float*>(context.scratch);
  float* vectors = scratch + block_sums_bytes(rows, columns, 2) / sizeof(float);
  float* flows = a.views[At::dshift] != nullptr ? a.view<float>(At::dshift) : vectors;
  float* products = a.views[At::dscale] != nullptr ? a.view<float>(At::dscale) : vectors + columns;
  float* offset = vectors + 2 * columns;
  float* slope = vectors + 3 * columns;
  float* factor = vectors + 4 * columns;
  float* const sums[2] = {flows, products};
  sum_blocks(context, rows, columns, sums, scratch, true,
             [&](size_t from, size_t until, size_t begin, size_t end, float* const(&chains)[2]) {
               const NormSums part{x + from * columns + begin,
                                   g + from * columns + begin,
                                   columns,
                                   mean + begin,
                                   nullptr,
                                   0,
                                   chains[0],
                                   chains[1]};
               context.kernels.norm_sums_f32(part, until - from, end - begin);
             });
  const KernelTable& kernels = context.kernels;
  const BinaryKernels& divide = kernels.binary[static_cast<size_t>(Binary::divide)];
  const BinaryKernels& multiply = kernels.binary[static_cast<size_t>(Binary::multiply)];
  invert(context, a.view<const float>(At::variance), a.doubles[0], factor, columns);
  multiply.vector_vector(products, factor, products, columns);
  if (a.ints[At::running] != 0 && rows == 1) {
    std::memset(offset, 0, 2 * columns * sizeof(float));
  } else {
    const auto count = static_cast<float>(rows);
    divide.vector_scalar(flows, count, offset, columns);
    multiply.vector_vector(products, factor, slope, columns);
    divide.vector_scalar(slope, count, slope, columns);
  }
  if (a.views[At::scale] != nullptr) multiply.vector_vector(factor, a.view<const float>(At::scale), factor, columns);
  const ColumnNormGradient task{x, g, mean, offset, slope, factor, a.view<float>(At::dx), columns};
  over_rows(context, rows, columns,
            [&](size_t begin, size_t end) { kernels.column_norm_gradient_f32(task, begin, end); });
}

// ---- scale_shift: y[r, c] = fma(x[r, c], scale[c], shift[c])

struct ScaleShiftAt {
  static constexpr Operands all{"x:f scale:f shift:f y:F", "rows:d columns:d", ""};
  static constexpr size_t x = all.view("x"), scale = all.view("scale"), shift = all.view("shift"), y = all.view("y");
  static constexpr size_t rows = all.integer("rows"), columns = all.integer("columns");
};

void check_scale_shift(const Arguments& a, Requirements& r) {
  using At = ScaleShiftAt;
  for (const size_t view : {At::x, At::y}) r.need(view, a.size(At::rows), a.size(At::columns));
  for (const size_t view : {At::scale, At::shift}) r.need(view, a.size(At::columns));
}

void run_scale_shift(const Context& context, const Arguments& a) {
  using At = ScaleShiftAt;
  const size_t columns = a.size(At::columns);
  const auto* x = a.view<const float>(At::x);
  auto* y = a.view<float>(At::y);
  over_rows(context, a.size(At::rows), columns, [&](size_t begin, size_t end) {
    context.kernels.column_norm_f32(x + begin * columns, end - begin, columns, nullptr, a.view<const float>(At::scale),
                                    a.view<const float>(At::shift), y + begin * columns);
  });
}

}  // namespace

constinit const Operation op_row_norm{"row_norm", RowNormAt::all, true, check_row_norm, nullptr, run_row_norm};
constinit const Operation op_row_norm_gradient{
    "row_norm_gradient",     RowNormGradientAt::all,    true,
    check_row_norm_gradient, scratch_row_norm_gradient, run_row_norm_gradient};
constinit const Operation op_column_norm{"column_norm",     ColumnNormAt::all,   true,
                                         check_column_norm, scratch_column_norm, run_column_norm};
constinit const Operation op_column_norm_gradient{
    "column_norm_gradient",     ColumnNormGradientAt::all,    true,
    check_column_norm_gradient, scratch_column_norm_gradient, run_column_norm_gradient};
constinit const Operation op_scale_shift{"scale_shift",     ScaleShiftAt::all, true,
                                         check_scale_shift, nullptr,           run_scale_shift};

}  // namespace carillon
