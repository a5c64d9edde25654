// Elements moved along axes (join, cut, pad, transpose), and sums over axes in the middle. What is moved are words of
// four bytes: f32 or i32 alike.
#include <algorithm>
#include <cstring>

#include "axes.h"

namespace carillon {
namespace {

struct ConcatAt {
  static constexpr Operands all{"parts[7]:x? y:X", "outer:d parts*(columns)", ""};
  static constexpr size_t parts = all.view("parts"), y = all.view("y");
  static constexpr size_t outer = all.integer("outer");
};
struct SliceAt {
  static constexpr Operands all{"x:x y:X", "outer:d columns:i begin:i count:i", ""};
  static constexpr size_t x = all.view("x"), y = all.view("y");
  static constexpr size_t outer = all.integer("outer"), columns = all.integer("columns"), begin = all.integer("begin"),
                          count = all.integer("count");
};
struct PadAt {
  static constexpr Operands all{"x:x y:X", "outer:d columns:i before:i after:i", ""};
  static constexpr size_t x = all.view("x"), y = all.view("y");
  static constexpr size_t outer = all.integer("outer"), columns = all.integer("columns"),
                          before = all.integer("before"), after = all.integer("after");
};
struct TransposeAt {
  static constexpr Operands all{"x:x y:X", "outer:d axes*(size,stride)", ""};
  static constexpr size_t x = all.view("x"), y = all.view("y");
  static constexpr size_t outer = all.integer("outer");
};
struct AxisSumAt {
  static constexpr Operands all{"x:f y:F", "outer:d rows:d columns:d", ""};
  static constexpr size_t x = all.view("x"), y = all.view("y");
  static constexpr size_t outer = all.integer("outer"), rows = all.integer("rows"), columns = all.integer("columns");
};

constexpr size_t kWord = sizeof(uint32_t);

// Copies `columns` words of every row; rows begin `x_stride` and `y_stride` words apart.
void copy_rows(const uint32_t* x, size_t x_stride, uint32_t* y, size_t y_stride, size_t columns, size_t rows) {
  if (columns == 1) {  // a call of memcpy would cost more than the copy
    for (size_t row = 0; row < rows; ++row) std::memcpy(y + row * y_stride, x + row * x_stride, kWord);
    return;
  }
  for (size_t row = 0; row < rows; ++row) std::memcpy(y + row * y_stride, x + row * x_stride, columns * kWord);
}

// ---- concat: rows of y are the rows of all parts side by side

constexpr size_t kParts = ConcatAt::y - ConcatAt::parts;
constexpr size_t kPartColumns = ConcatAt::all.int_count;  // place of the first
static_assert(ConcatAt::parts == 0);

size_t parts_of(const Arguments& a) { return a.int_count - kPartColumns; }

void check_concat(const Arguments& a, Requirements& r) {
  const size_t parts = parts_of(a);
  if (parts == 0 || parts > kParts) {
    r.fail("bad number of parts");
    return;
  }
  size_t columns = 0;
  for (size_t part = 0; part < kParts; ++part) {
    if ((a.views[part] != nullptr) != (part < parts)) {
      r.fail("parts and their columns go together");
      return;
    }
    if (part >= parts) continue;
    if (a.ints[kPartColumns + part] < 0) r.fail("negative columns");
    r.need(part, a.size(ConcatAt::outer), a.size(kPartColumns + part));
    columns += a.size(kPartColumns + part);
  }
  r.need(ConcatAt::y, a.size(ConcatAt::outer), columns);
}

void run_concat(const Context& context, const Arguments& a) {
  const size_t parts = parts_of(a);
  size_t columns = 0;
  for (size_t part = 0; part < parts; ++part) columns += a.size(kPartColumns + part);
  auto* y = a.view<uint32_t>(ConcatAt::y);
  if (a.size(ConcatAt::outer) == 1) {  // a part is one run
    size_t begin = 0;
    for (size_t part = 0; part < parts; ++part) {
      const size_t count = a.size(kPartColumns + part);
      const auto* x = a.view<const uint32_t>(part);
      over_rows(context, count, 1,
                [&](size_t from, size_t to) { std::memcpy(y + begin + from, x + from, (to - from) * kWord); });
      begin += count;
    }
    return;
  }
  over_rows(context, a.size(ConcatAt::outer), columns, [&](size_t from, size_t to) {
    size_t begin = 0;
    for (size_t part = 0; part < parts; ++part) {
      const size_t count = a.size(kPartColumns + part);
      copy_rows(a.view<const uint32_t>(part) + from * count, count, y + from * columns + begin, columns, count,
                to - from);
      begin += count;
    }
  });
}

// ---- slice: y[r] = x[r, begin … begin + count)

void check_slice(const Arguments& a, Requirements& r) {
  if (a.ints[SliceAt::begin] < 0 || a.ints[SliceAt::count] < 0 ||
      a.ints[SliceAt::begin] + a.ints[SliceAt::count] > a.ints[SliceAt::columns])
    r.fail("a slice outside of its row");
  r.need(SliceAt::x, a.size(SliceAt::outer), a.size(SliceAt::columns));
  r.need(SliceAt::y, a.size(SliceAt::outer), a.size(SliceAt::count));
}

void run_slice(const Context& context, const Arguments& a) {
  const size_t columns = a.size(SliceAt::columns), begin = a.size(SliceAt::begin), count = a.size(SliceAt::count);
  const auto* x = a.view<const uint32_t>(SliceAt::x);
  auto* y = a.view<uint32_t>(SliceAt::y);
  over_rows(context, a.size(SliceAt::outer), count, [&](size_t from, size_t to) {
    copy_rows(x + from * columns + begin, columns, y + from * count, count, count, to - from);
  });
}

// ---- pad: y[r] = `before` zeros, x[r], `after` zeros

void check_pad(const Arguments& a, Requirements& r) {
  if (a.ints[PadAt::columns] < 0 || a.ints[PadAt::before] < 0 || a.ints[PadAt::after] < 0) r.fail("negative columns");
  r.need(PadAt::x, a.size(PadAt::outer), a.size(PadAt::columns));
  r.need(PadAt::y, a.size(PadAt::outer), a.size(PadAt::columns) + a.size(PadAt::before) + a.size(PadAt::after));
}

void run_pad(const Context& context, const Arguments& a) {
  const size_t columns = a.size(PadAt::columns), before = a.size(PadAt::before), after = a.size(PadAt::after);
  const size_t wide = columns + before + after;
  const auto* x = a.view<const uint32_t>(PadAt::x);
  auto* y = a.view<uint32_t>(PadAt::y);
  over_rows(context, a.size(PadAt::outer), wide, [&](size_t from, size_t to) {
    for (size_t row = from; row < to; ++row) {
      uint32_t* out = y + row * wide;
      std::memset(out, 0, before * kWord);
      std::memcpy(out + before, x + row * columns, columns * kWord);
      std::memset(out + before + columns, 0, after * kWord);
    }
  });
}

// ---- transpose: in every one of `outer` blocks the elements of x in the order of the axes of y.

constexpr size_t kFirstAxis = TransposeAt::all.int_count;
constexpr size_t kAxisWords = TransposeAt::all.int_item;

size_t axes_of(const Arguments& a) { return (a.int_count - kFirstAxis) / kAxisWords; }
size_t axis_size(const Arguments& a, size_t axis) { return a.size(kFirstAxis + kAxisWords * axis); }
size_t axis_stride(const Arguments& a, size_t axis) { return a.size(kFirstAxis + kAxisWords * axis + 1); }

void check_transpose(const Arguments& a, Requirements& r) {
  if (axes_of(a) > kMaxAxes) {
    r.fail("bad number of axes");
    return;
  }
  size_t count = 1, last = 0;
  for (size_t axis = 0; axis < axes_of(a); ++axis) {
    const int64_t size = a.ints[kFirstAxis + kAxisWords * axis];
    const int64_t stride = a.ints[kFirstAxis + kAxisWords * axis + 1];
    if (size < 1 || stride < 0 || !bounded_product(count, static_cast<size_t>(size))) {
      r.fail("bad axis");
      return;
    }
    count *= static_cast<size_t>(size);
    last += static_cast<size_t>(size - 1) * static_cast<size_t>(stride);
    if (last >= kMostElements) {
      r.fail("bad axis");
      return;
    }
  }
  if (last >= count) r.fail("an element outside of its block");
  r.need(TransposeAt::x, a.size(TransposeAt::outer), count);
  r.need(TransposeAt::y, a.size(TransposeAt::outer), count);
}

// Columns of x that a unit of work takes: whole lines of what is written.
constexpr size_t kTile = 64;

void run_transpose(const Context& context, const Arguments& a) {
  const size_t axes = axes_of(a);
  const auto* x = a.view<const float>(TransposeAt::x);
  auto* y = a.view<float>(TransposeAt::y);
  if (axes == 0) {
    over_rows(context, a.size(TransposeAt::outer), 1,
              [&](size_t from, size_t to) { std::memcpy(y + from, x + from, (to - from) * kWord); });
    return;
  }
  // Planes of two axes: the last one of y, and that whose elements lie side by side in x. The others are walked.
  const size_t columns = axis_size(a, axes - 1);
  const size_t x_stride = axis_stride(a, axes - 1);
  size_t side = axes - 1;
  for (size_t axis = 0; axis + 1 < axes; ++axis) {
    if (axis_stride(a, axis) == 1 && x_stride != 1) side = axis;
  }
  Odometer<2> planes;
  size_t block = 1, side_stride = 1;
  for (size_t axis = axes; axis-- > 0;) {
    if (axis == side) side_stride = block;
    block *= axis_size(a, axis);
  }
  planes.add(a.size(TransposeAt::outer), {block, block});
  size_t y_stride = block;
  for (size_t axis = 0; axis < axes; ++axis) {
    y_stride /= axis_size(a, axis);
    if (axis != side && axis + 1 != axes) planes.add(axis_size(a, axis), {axis_stride(a, axis), y_stride});
  }
  const bool runs = side == axes - 1;
  const size_t rows = runs ? 1 : axis_size(a, side);
  const size_t tiles = (rows + kTile - 1) / kTile;
  const size_t units = planes.count() * tiles;
  const size_t unit = columns * std::min(rows, kTile);
  over_rows(context, units, unit, [&](size_t from, size_t to) {
    planes.walk(from / tiles, (to + tiles - 1) / tiles, [&](size_t plane, const std::array<size_t, 2>& at) {
      const size_t first = plane * tiles < from ? from - plane * tiles : 0;
      const size_t end = std::min(tiles, to - plane * tiles);
      if (runs && x_stride == 1) {
        std::memcpy(y + at[1], x + at[0], columns * kWord);
      } else if (runs) {
        for (size_t column = 0; column < columns; ++column) {
          std::memcpy(y + at[1] + column, x + at[0] + column * x_stride, kWord);
        }
      } else {
        const size_t row = first * kTile;
        context.kernels.transpose_f32(x + at[0] + row, x_stride, y + at[1] + row * side_stride, side_stride,
                                      std::min(rows, end * kTile) - row, columns);
      }
    });
  });
}

// ---- axis_sum: y[o, c] = Σ_r x[o, r, c], the chains of column sums

void check_axis_sum(const Arguments& a, Requirements& r) {
  if (!bounded_product(a.size(AxisSumAt::outer), a.size(AxisSumAt::rows)) ||
      !bounded_product(a.size(AxisSumAt::outer), a.size(AxisSumAt::columns))) {
    r.fail("dimensions overflow");
    return;
  }
  r.need(AxisSumAt::x, a.size(AxisSumAt::outer) * a.size(AxisSumAt::rows), a.size(AxisSumAt::columns));
  r.need(AxisSumAt::y, a.size(AxisSumAt::outer), a.size(AxisSumAt::columns));
}

void run_axis_sum(const Context& context, const Arguments& a) {
  const size_t rows = a.size(AxisSumAt::rows), columns = a.size(AxisSumAt::columns);
  const auto* x = a.view<const float>(AxisSumAt::x);
  auto* y = a.view<float>(AxisSumAt::y);
  const size_t groups = (columns + 15) / 16;
  over_rows(context, a.size(AxisSumAt::outer) * groups, rows * std::min<size_t>(columns, 16),
            [&](size_t from, size_t to) {
              for (size_t unit = from; unit < to;) {
                const size_t outer = unit / groups;
                const size_t first = unit % groups;
                const size_t last = std::min(groups, first + (to - unit));
                context.kernels.column_sum_f32(x + outer * rows * columns, rows, columns, y + outer * columns,
                                               first * 16, std::min(columns, last * 16));
                unit += last - first;
              }
            });
}

}  // namespace

constinit const Operation op_concat{"concat", ConcatAt::all, false, check_concat, nullptr, run_concat};
constinit const Operation op_slice{"slice", SliceAt::all, false, check_slice, nullptr, run_slice};
constinit const Operation op_pad{"pad", PadAt::all, false, check_pad, nullptr, run_pad};
constinit const Operation op_transpose{"transpose", TransposeAt::all, false, check_transpose, nullptr, run_transpose};
constinit const Operation op_axis_sum{"axis_sum", AxisSumAt::all, false, check_axis_sum, nullptr, run_axis_sum};

}  // namespace carillon
