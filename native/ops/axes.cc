// Elements moved along axes (join, cut, pad, transpose), and sums over axes in the middle. What is moved are words of
// four bytes: f32 or i32 alike.
#include <algorithm>
#include <cstring>

#include "axes.h"

namespace carillon {
namespace {

constexpr Operands kConcat{"parts[7]:x? y:X", "outer:d parts*(columns)", ""};
constexpr Operands kSlice{"x:x y:X", "outer:d columns:i begin:i count:i", ""};
constexpr Operands kPad{"x:x y:X", "outer:d columns:i before:i after:i", ""};
constexpr Operands kTranspose{"x:x y:X", "outer:d axes*(size,stride)", ""};
constexpr Operands kAxisSum{"x:f y:F", "outer:d rows:d columns:d", ""};

constexpr size_t kWord = sizeof(uint32_t);

// Copies `columns` words of every row; rows begin `x_stride` and `y_stride` words apart.
void copy_rows(const uint32_t* x, size_t x_stride, uint32_t* y, size_t y_stride, size_t columns, size_t rows) {
  if (columns == 1) {  // a call of memcpy would cost more than the copy
    for (size_t row = 0; row < rows; ++row) std::memcpy(y + row * y_stride, x + row * x_stride, kWord);
    return;
  }
  for (size_t row = 0; row < rows; ++row) std::memcpy(y + row * y_stride, x + row * x_stride, columns * kWord);
}

// ---- concat: rows of y are the rows of all parts side by side. ints: outer, then the columns of each part

constexpr size_t kParts = 7;
constexpr size_t kPartColumns = 1;  // place of the first

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
    r.need(part, a.size(0), a.size(kPartColumns + part));
    columns += a.size(kPartColumns + part);
  }
  r.need(kParts, a.size(0), columns);
}

void run_concat(const Context& context, const Arguments& a) {
  const size_t parts = parts_of(a);
  size_t columns = 0;
  for (size_t part = 0; part < parts; ++part) columns += a.size(kPartColumns + part);
  auto* y = a.view<uint32_t>(kParts);
  if (a.size(0) == 1) {  // a part is one run
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
  over_rows(context, a.size(0), columns, [&](size_t from, size_t to) {
    size_t begin = 0;
    for (size_t part = 0; part < parts; ++part) {
      const size_t count = a.size(kPartColumns + part);
      copy_rows(a.view<const uint32_t>(part) + from * count, count, y + from * columns + begin, columns, count,
                to - from);
      begin += count;
    }
  });
}

// ---- slice: y[r] = x[r, begin … begin + count). ints: outer, columns of x, begin, count

void check_slice(const Arguments& a, Requirements& r) {
  if (a.ints[2] < 0 || a.ints[3] < 0 || a.ints[2] + a.ints[3] > a.ints[1]) r.fail("a slice outside of its row");
  r.need(0, a.size(0), a.size(1));
  r.need(1, a.size(0), a.size(3));
}

void run_slice(const Context& context, const Arguments& a) {
  const size_t columns = a.size(1), begin = a.size(2), count = a.size(3);
  const auto* x = a.view<const uint32_t>(0);
  auto* y = a.view<uint32_t>(1);
  over_rows(context, a.size(0), count, [&](size_t from, size_t to) {
    copy_rows(x + from * columns + begin, columns, y + from * count, count, count, to - from);
  });
}

// ---- pad: y[r] = `before` zeros, x[r], `after` zeros. ints: outer, columns of x, before, after

void check_pad(const Arguments& a, Requirements& r) {
  if (a.ints[1] < 0 || a.ints[2] < 0 || a.ints[3] < 0) r.fail("negative columns");
  r.need(0, a.size(0), a.size(1));
  r.need(1, a.size(0), a.size(1) + a.size(2) + a.size(3));
}

void run_pad(const Context& context, const Arguments& a) {
  const size_t columns = a.size(1), before = a.size(2), after = a.size(3);
  const size_t wide = columns + before + after;
  const auto* x = a.view<const uint32_t>(0);
  auto* y = a.view<uint32_t>(1);
  over_rows(context, a.size(0), wide, [&](size_t from, size_t to) {
    for (size_t row = from; row < to; ++row) {
      uint32_t* out = y + row * wide;
      std::memset(out, 0, before * kWord);
      std::memcpy(out + before, x + row * columns, columns * kWord);
      std::memset(out + before + columns, 0, after * kWord);
    }
  });
}

// ---- transpose: in every one of `outer` blocks the elements of x in the order of the axes of y.
// ints: outer, then size and stride in x of every axis of y

constexpr size_t kFirstAxis = 1;
constexpr size_t kAxisWords = 2;

size_t axes_of(const Arguments& a) { return (a.int_count - kFirstAxis) / kAxisWords; }
size_t axis_size(const Arguments& a, size_t axis) { return a.size(kFirstAxis + kAxisWords * axis); }
size_t axis_stride(const Arguments& a, size_t axis) { return a.size(kFirstAxis + kAxisWords * axis + 1); }

void check_transpose(const Arguments& a, Requirements& r) {
  if ((a.int_count - kFirstAxis) % kAxisWords != 0 || axes_of(a) > kMaxAxes) {
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
  r.need(0, a.size(0), count);
  r.need(1, a.size(0), count);
}

// Columns of x that a unit of work takes: whole lines of what is written.
constexpr size_t kTile = 64;

void run_transpose(const Context& context, const Arguments& a) {
  const size_t axes = axes_of(a);
  const auto* x = a.view<const float>(0);
  auto* y = a.view<float>(1);
  if (axes == 0) {
    over_rows(context, a.size(0), 1,
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
  planes.add(a.size(0), {block, block});
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

// ---- axis_sum: y[o, c] = Σ_r x[o, r, c], the chains of column sums. ints: outer, rows, columns

void check_axis_sum(const Arguments& a, Requirements& r) {
  if (!bounded_product(a.size(0), a.size(1)) || !bounded_product(a.size(0), a.size(2))) {
    r.fail("dimensions overflow");
    return;
  }
  r.need(0, a.size(0) * a.size(1), a.size(2));
  r.need(1, a.size(0), a.size(2));
}

void run_axis_sum(const Context& context, const Arguments& a) {
  const size_t rows = a.size(1), columns = a.size(2);
  const auto* x = a.view<const float>(0);
  auto* y = a.view<float>(1);
  const size_t groups = (columns + 15) / 16;
  over_rows(context, a.size(0) * groups, rows * std::min<size_t>(columns, 16), [&](size_t from, size_t to) {
    for (size_t unit = from; unit < to;) {
      const size_t outer = unit / groups;
      const size_t first = unit % groups;
      const size_t last = std::min(groups, first + (to - unit));
      context.kernels.column_sum_f32(x + outer * rows * columns, rows, columns, y + outer * columns, first * 16,
                                     std::min(columns, last * 16));
      unit += last - first;
    }
  });
}

}  // namespace

constinit const Operation op_concat{"concat", kConcat, false, check_concat, nullptr, run_concat};
constinit const Operation op_slice{"slice", kSlice, false, check_slice, nullptr, run_slice};
constinit const Operation op_pad{"pad", kPad, false, check_pad, nullptr, run_pad};
constinit const Operation op_transpose{"transpose", kTranspose, false, check_transpose, nullptr, run_transpose};
constinit const Operation op_axis_sum{"axis_sum", kAxisSum, false, check_axis_sum, nullptr, run_axis_sum};

}  // namespace carillon
