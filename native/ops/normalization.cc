// Normalization of rows (layer, group and RMS norm) and of columns (batch norm), and their gradients.
#include <algorithm>
#include <cstring>

#include "operation.h"
#include "philox.h"

namespace carillon {
namespace {

// ---- Sums over rows, a chain a column

// Rows of x and of g that a piece of work takes at once, so that what the second kernel reads is still in the first
// cache.
size_t rows_in_cache(size_t columns) {
  constexpr size_t kElements = 2048, kLeast = 4;
  return std::max(kLeast, kElements / std::max<size_t>(columns, 1) / kLeast * kLeast);
}

// Rows of a piece whose sums a kernel has in one register.
constexpr size_t kRowsTogether = 16;

// How many floats ahead a pass over `bytes` bytes of rows asks for its lines, where they are more than the first cache
// holds: the rows of the next piece at least. Of wide rows, of which that would be too much, what the hardware has not
// brought yet (rows of 4,096 at 64 MB: 0.69 of the pattern a piece ahead).
size_t ahead_of_rows(size_t columns, size_t bytes) {
  constexpr size_t kFirstCache = size_t{32} << 10, kLeast = 1024, kWide = 256;
  if (bytes <= kFirstCache) return 0;
  if (columns > kReduceBlock) return kWide;
  return std::max(kLeast, std::min(kRowsTogether, rows_in_cache(columns)) * columns);
}

// Columns of a strip at least: whole lines.
constexpr size_t kLeastStrip = 64;

// Strips begin at whole lines.
size_t strip_begin(size_t columns, size_t strips, size_t strip) {
  constexpr size_t kLine = 16;
  return strip == strips ? columns : columns * strip / strips / kLine * kLine;
}

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
      const size_t begin = strip_begin(columns, strips, strip), end = strip_begin(columns, strips, strip + 1);
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

// ---- What follows the result of a normalization: a function of one argument, then a mask, as the operations alone

// Operands of a normalization: what its result becomes. `function`: −1 none; `site`: the place that drops, −1 none;
// `example_rows`: rows an example (0: not an array of the batch); kept elements are multiplied by keep_scale, others 0.
struct Finishing {
  size_t function, site, example_rows;
  size_t keep, keep_scale;
};

void check_finish(const Arguments& a, const Finishing& at, Requirements& r) {
  if (a.ints[at.function] < -1 || a.ints[at.function] >= static_cast<int64_t>(Unary::count)) {
    r.fail("no such function");
  }
  if (a.ints[at.site] < -1 || a.ints[at.example_rows] < 0) r.fail("bad place of a mask");
  if (!(a.doubles[at.keep] >= 0 && a.doubles[at.keep] <= 1)) r.fail("keep outside [0, 1]");
}

class Finish {
 public:
  Finish(const Context& context, const Arguments& a, const Finishing& at, size_t columns)
      : kernels_(context.kernels),
        function_(a.ints[at.function] < 0 ? nullptr : kernels_.unary[a.size(at.function)]),
        masked_(a.ints[at.site] >= 0),
        first_(static_cast<uint64_t>(context.registers.batch_offset) * a.size(at.example_rows) * columns) {
    mask_.seed = context.registers.seed;
    mask_.step = context.registers.step;
    mask_.site = static_cast<uint32_t>(a.ints[at.site]);
    mask_.threshold = dropout_threshold(a.doubles[at.keep]);
    mask_.scale = static_cast<float>(a.doubles[at.keep_scale]);
  }

  bool masked() const { return masked_; }

  // Rows [begin, end) of y, each of which normalize(begin, end) computes, a few at a time while they are in cache.
  template <typename Normalize>
  void over(float* y, size_t begin, size_t end, size_t columns, const Normalize& normalize) const {
    if (function_ == nullptr && !masked_) return normalize(begin, end);
    const size_t together = rows_in_cache(columns);
    for (size_t row = begin; row < end; row += together) {
      const size_t until = std::min(end, row + together);
      float* const at = y + row * columns;
      const size_t count = (until - row) * columns;
      normalize(row, until);
      if (function_ != nullptr) function_(at, at, count);
      if (masked_) kernels_.dropout_f32(at, at, count, first_ + row * columns, mask_);
    }
  }

  // Likewise the columns [begin, end) of `rows` rows; there is no mask.
  template <typename Normalize>
  void over_strip(float* y, size_t rows, size_t columns, size_t begin, size_t end, const Normalize& normalize) const {
    if (function_ == nullptr || end - begin == columns) return over(y, 0, rows, columns, normalize);
    const size_t together = rows_in_cache(end - begin);
    for (size_t row = 0; row < rows; row += together) {
      const size_t until = std::min(rows, row + together);
      normalize(row, until);
      for (size_t r = row; r < until; ++r) {
        function_(y + r * columns + begin, y + r * columns + begin, end - begin);
      }
    }
  }

 private:
  const KernelTable& kernels_;
  UnaryKernel function_;
  bool masked_;
  uint64_t first_;  // index of the first element of y in the mask
  DropoutArguments mask_{};
};

// ---- row_norm: rows of x are `groups` rows of columns/groups elements, which are normalized one by one

struct RowNormAt {
  static constexpr Operands all{"x:f scale:f? shift:f? y:F inverse:F mean:F?",
                                "rows:d columns:d groups:i function:unary?-1 site:i?-1 example_rows:i?",
                                "epsilon keep?1 keep_scale?1"};
  static constexpr size_t x = all.view("x"), scale = all.view("scale"), shift = all.view("shift"), y = all.view("y"),
                          inverse = all.view("inverse"), mean = all.view("mean");
  static constexpr size_t rows = all.integer("rows"), columns = all.integer("columns"), groups = all.integer("groups");
  static constexpr size_t epsilon = all.number("epsilon");
  static constexpr Finishing finish{all.integer("function"), all.integer("site"), all.integer("example_rows"),
                                    all.number("keep"), all.number("keep_scale")};
};

// Of whole groups: False, and says so, where the columns are none.
bool check_groups(const Arguments& a, size_t columns, size_t groups, Requirements& r) {
  if (a.ints[columns] > 0 && a.ints[groups] > 0 && a.ints[columns] % a.ints[groups] == 0) return true;
  r.fail("normalization over no columns, or groups that are not equal");
  return false;
}

void check_row_norm(const Arguments& a, Requirements& r) {
  using At = RowNormAt;
  check_finish(a, At::finish, r);
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
  const size_t rows = a.size(At::rows), width = a.size(At::columns);
  const size_t groups = a.size(At::groups), columns = width / groups;
  const RowNorm task{a.view<const float>(At::x),
                     a.view<const float>(At::scale),
                     a.view<const float>(At::shift),
                     a.view<float>(At::y),
                     a.view<float>(At::mean),
                     a.view<float>(At::inverse),
                     columns,
                     groups,
                     static_cast<float>(a.doubles[At::epsilon]),
                     prefetch_distance(2 * rows * width * sizeof(float), 2) == 0
                         ? 0
                         : ahead_of_rows(columns, 2 * rows * width * sizeof(float))};
  const Finish finish(context, a, At::finish, width);
  over_rows(context, rows * groups, columns, [&](size_t begin, size_t end) {
    finish.over(task.y, begin, end, columns,
                [&](size_t from, size_t until) { context.kernels.row_norm_f32(task, from, until); });
  });
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
  const auto* x = a.view<const float>(At::x);
  const auto* g = a.view<const float>(At::g);
  const auto* scale = a.view<const float>(At::scale);
  const auto* mean = a.view<const float>(At::mean);
  const auto* inverse = a.view<const float>(At::inverse);
  auto* dx = a.view<float>(At::dx);
  const size_t most = groups == 1 ? rows : std::max(kRowsTogether, rows_in_cache(width));
  const size_t ahead = groups == 1 ? ahead_of_rows(width, 3 * rows * width * sizeof(float)) : most * width;
  // dx of rows [from, to), and their part of the chains where there are any: group by group of rows that stay in cache.
  const auto gradient = [&](size_t from, size_t to, float* flows, float* products) {
    for (size_t row = from; row < to; row += most) {
      for (size_t group = 0; group < groups; ++group) {
        const size_t column = group * columns, at = row * width + column, of_row = row * groups + group;
        const RowNormGradient task{x + at,
                                   g + at,
                                   scale == nullptr ? nullptr : scale + column,
                                   mean == nullptr ? nullptr : mean + of_row,
                                   inverse + of_row,
                                   dx + at,
                                   flows == nullptr ? nullptr : flows + column,
                                   products == nullptr ? nullptr : products + column,
                                   columns,
                                   width,
                                   groups,
                                   ahead};
        context.kernels.row_norm_gradient_f32(task, std::min(most, to - row));
      }
    }
  };
  const auto gradient_alone = [&](size_t from, size_t to) { gradient(from, to, nullptr, nullptr); };
  if (a.views[At::dscale] == nullptr) {
    over_rows(context, rows, width, gradient_alone);
    return;
  }
  auto* scratch = static_cast<float*>(context.scratch);
  float* const flows = a.views[At::dshift] != nullptr ? a.view<float>(At::dshift)
                                                      : scratch + block_sums_bytes(rows, width, 2) / sizeof(float);
  float* const sums[2] = {flows, a.view<float>(At::dscale)};
  // Both in one pass where blocks of rows are enough work for all threads.
  const size_t blocks = (rows + kColumnBlock - 1) / kColumnBlock;
  if (blocks >= context.parallel.chunks(rows * width, kLeastElements)) {
    sum_blocks(context, rows, width, sums, scratch, false,
               [&](size_t from, size_t to, size_t /*begin*/, size_t /*end*/, float* const(&chains)[2]) {
                 gradient(from, to, chains[0], chains[1]);
               });
    return;
  }
  // Columns [begin, end) of rows [from, to), group by group.
  sum_blocks(context, rows, width, sums, scratch, true,
             [&](size_t from, size_t to, size_t begin, size_t end, float* const(&chains)[2]) {
               for (size_t at = begin; at < end;) {
                 const size_t group = at / columns;
                 const size_t until = std::min(end, (group + 1) * columns);
                 const NormSums part{x + from * width + at,
                                     g + from * width + at,
                                     width,
                                     mean == nullptr ? nullptr : mean + from * groups + group,
                                     inverse + from * groups + group,
                                     groups,
                                     chains[0] + (at - begin),
                                     chains[1] + (at - begin)};
                 context.kernels.norm_sums_f32(part, to - from, until - at);
                 at = until;
               }
             });
  over_rows(context, rows, width, gradient_alone);
}

// ---- column_norm: columns of x over all rows. Where there are running values, a lone row is normalized by them.

struct ColumnNormAt {
  static constexpr Operands all{"x:f scale:f? shift:f? running_mean:f? running_variance:f? y:F mean:F variance:F",
                                "rows:d columns:d function:unary?-1 site:i?-1 example_rows:i?",
                                "epsilon keep?1 keep_scale?1"};
  static constexpr size_t x = all.view("x"), scale = all.view("scale"), shift = all.view("shift"),
                          running_mean = all.view("running_mean"), running_variance = all.view("running_variance"),
                          y = all.view("y"), mean = all.view("mean"), variance = all.view("variance");
  static constexpr size_t rows = all.integer("rows"), columns = all.integer("columns");
  static constexpr size_t epsilon = all.number("epsilon");
  static constexpr Finishing finish{all.integer("function"), all.integer("site"), all.integer("example_rows"),
                                    all.number("keep"), all.number("keep_scale")};
};

void check_column_norm(const Arguments& a, Requirements& r) {
  using At = ColumnNormAt;
  check_finish(a, At::finish, r);
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

// Mean and variance of the columns of x: two sums, of which the second needs the whole of the first. A single block of
// rows has both strip by strip; then(begin, end) goes on with the columns [begin, end) of such a strip.
template <typename Then>
void column_moments(const Context& context, const float* x, size_t rows, size_t columns, float* scratch, float* mean,
                    float* variance, const Then& then) {
  const KernelTable& kernels = context.kernels;
  const auto count = static_cast<float>(rows);
  const auto& divide = kernels.binary[static_cast<size_t>(Binary::divide)].vector_scalar;
  const auto& add = kernels.binary[static_cast<size_t>(Binary::add)].vector_vector;
  const auto finish_mean = [&](size_t begin, size_t end) {
    if (rows == 0) return;  // there is no first element
    divide(mean + begin, count, mean + begin, end - begin);
    add(mean + begin, x + begin, mean + begin, end - begin);
  };
  const auto deviations = [&](size_t from, size_t until, size_t begin, size_t end, const float* center, bool squared,
                              float* sums) {
    kernels.column_deviations_f32(x + from * columns + begin, columns, until - from, end - begin, center + begin,
                                  squared, sums);
  };
  const bool whole = rows <= kColumnBlock;
  float* const means[1] = {mean};
  sum_blocks(context, rows, columns, means, scratch, true,
             [&](size_t from, size_t until, size_t begin, size_t end, float* const(&chains)[1]) {
               deviations(from, until, begin, end, x, false, chains[0]);
               if (!whole) return;
               finish_mean(begin, end);
               std::memset(variance + begin, 0, (end - begin) * sizeof(float));
               deviations(from, until, begin, end, mean, true, variance + begin);
               divide(variance + begin, count, variance + begin, end - begin);
               then(begin, end);
             });
  if (whole) return;
  finish_mean(0, columns);
  float* const variances[1] = {variance};
  sum_blocks(context, rows, columns, variances, scratch, true,
             [&](size_t from, size_t until, size_t begin, size_t end, float* const(&chains)[1]) {
               deviations(from, until, begin, end, mean, true, chains[0]);
             });
  divide(variance, count, variance, columns);
}

void run_column_norm(const Context& context, const Arguments& a) {
  using At = ColumnNormAt;
  const size_t rows = a.size(At::rows), columns = a.size(At::columns);
  const auto* x = a.view<const float>(At::x);
  const auto* scale = a.view<const float>(At::scale);
  const auto* shift = a.view<const float>(At::shift);
  auto* y = a.view<float>(At::y);
  auto* mean = a.view<float>(At::mean);
  auto* variance = a.view<float>(At::variance);
  auto* scratch = static_cast<float*>(context.scratch);
  float* factor = scratch + block_sums_bytes(rows, columns, 1) / sizeof(float);
  const KernelTable& kernels = context.kernels;
  const BinaryKernels& multiply = kernels.binary[static_cast<size_t>(Binary::multiply)];
  const Finish finish(context, a, At::finish, columns);
  const auto find_factor = [&](size_t begin, size_t end) {
    invert(context, variance + begin, a.doubles[At::epsilon], factor + begin, end - begin);
    if (scale != nullptr) multiply.vector_vector(factor + begin, scale + begin, factor + begin, end - begin);
  };
  const auto normalize = [&](size_t from, size_t until, size_t begin, size_t end) {
    const size_t at = from * columns + begin;
    kernels.column_norm_f32(x + at, columns, until - from, end - begin, mean + begin, factor + begin,
                            shift == nullptr ? nullptr : shift + begin, y + at);
  };
  const bool lone = a.views[At::running_mean] != nullptr && rows == 1;
  if (lone) {
    std::memcpy(mean, a.view<const float>(At::running_mean), columns * sizeof(float));
    std::memcpy(variance, a.view<const float>(At::running_variance), columns * sizeof(float));
  } else {
    // A strip whose moments are there is normalized where it is in cache; masks are drawn for whole rows.
    const bool whole = rows <= kColumnBlock && !finish.masked();
    column_moments(context, x, rows, columns, scratch, mean, variance, [&](size_t begin, size_t end) {
      if (!whole) return;
      find_factor(begin, end);
      finish.over_strip(y, rows, columns, begin, end,
                        [&](size_t from, size_t until) { normalize(from, until, begin, end); });
    });
    if (whole) return;
  }
  find_factor(0, columns);
  over_rows(context, rows, columns, [&](size_t begin, size_t end) {
    finish.over(y, begin, end, columns, [&](size_t from, size_t until) { normalize(from, until, 0, columns); });
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
  const KernelTable& kernels = context.kernels;
  const BinaryKernels& divide = kernels.binary[static_cast<size_t>(Binary::divide)];
  const BinaryKernels& multiply = kernels.binary[static_cast<size_t>(Binary::multiply)];
  const auto* variance = a.view<const float>(At::variance);
  const auto* scale = a.view<const float>(At::scale);
  // What the sums of the columns [begin, end) come to.
  const auto finish = [&](size_t begin, size_t end) {
    const size_t count = end - begin;
    float* const r = factor + begin;
    invert(context, variance + begin, a.doubles[0], r, count);
    multiply.vector_vector(products + begin, r, products + begin, count);
    if (a.ints[At::running] != 0 && rows == 1) {
      std::memset(offset + begin, 0, count * sizeof(float));
      std::memset(slope + begin, 0, count * sizeof(float));
    } else {
      const auto all = static_cast<float>(rows);
      divide.vector_scalar(flows + begin, all, offset + begin, count);
      multiply.vector_vector(products + begin, r, slope + begin, count);
      divide.vector_scalar(slope + begin, all, slope + begin, count);
    }
    if (scale != nullptr) multiply.vector_vector(r, scale + begin, r, count);
  };
  auto* const dx = a.view<float>(At::dx);
  const auto gradient = [&](size_t from, size_t until, size_t begin, size_t end) {
    kernels.column_norm_gradient_f32({x + begin, g + begin, columns, mean + begin, offset + begin, slope + begin,
                                      factor + begin, dx + begin, end - begin},
                                     from, until);
  };
  const bool whole = rows <= kColumnBlock;  // a strip of columns has its sums at once
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
               kernels.norm_sums_f32(part, until - from, end - begin);
               if (!whole) return;
               finish(begin, end);
               gradient(0, rows, begin, end);
             });
  if (whole) return;
  finish(0, columns);
  over_rows(context, rows, columns, [&](size_t begin, size_t end) { gradient(begin, end, 0, columns); });
}

// ---- scale_shift: y[r, c] = fma(x[r, c], scale[c], shift[c])

struct ScaleShiftAt {
  static constexpr Operands all{"x:f scale:f shift:f y:F",
                                "rows:d columns:d function:unary?-1 site:i?-1 example_rows:i?", "keep?1 keep_scale?1"};
  static constexpr size_t x = all.view("x"), scale = all.view("scale"), shift = all.view("shift"), y = all.view("y");
  static constexpr size_t rows = all.integer("rows"), columns = all.integer("columns");
  static constexpr Finishing finish{all.integer("function"), all.integer("site"), all.integer("example_rows"),
                                    all.number("keep"), all.number("keep_scale")};
};

void check_scale_shift(const Arguments& a, Requirements& r) {
  using At = ScaleShiftAt;
  check_finish(a, At::finish, r);
  for (const size_t view : {At::x, At::y}) r.need(view, a.size(At::rows), a.size(At::columns));
  for (const size_t view : {At::scale, At::shift}) r.need(view, a.size(At::columns));
}

void run_scale_shift(const Context& context, const Arguments& a) {
  using At = ScaleShiftAt;
  const size_t columns = a.size(At::columns);
  const auto* x = a.view<const float>(At::x);
  auto* y = a.view<float>(At::y);
  const Finish finish(context, a, At::finish, columns);
  over_rows(context, a.size(At::rows), columns, [&](size_t begin, size_t end) {
    finish.over(y, begin, end, columns, [&](size_t from, size_t until) {
      context.kernels.column_norm_f32(x + from * columns, columns, until - from, columns, nullptr,
                                      a.view<const float>(At::scale), a.view<const float>(At::shift),
                                      y + from * columns);
    });
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
