#include "convolution_walk.h"

#include <utility>

#include "gemm_run.h"

namespace carillon {
namespace {

// Packed panels that are walked at once, with their whole depth: they stay in the second-level cache.
size_t group_of(size_t depth, const KernelTable& kernels) {
  const size_t panel_bytes = kernels.gemm_columns * depth * sizeof(float);
  return std::max<size_t>(kBlockBytes / std::max<size_t>(panel_bytes, 1), 1);
}

// What all products of a walk have.
GemmTask product_of(const KernelTable& kernels, const Walk& walk, const GemmTask& whole) {
  GemmTask task = whole;
  task.left_depth_stride = 1;
  task.segments = walk.segments;
  task.segment_length = std::max<size_t>(walk.segment_length, 1);
  task.right_packed = true;
  task.k = task.right_depth = walk.depth();
  task.group = group_of(walk.depth(), kernels);
  return task;
}

// Moves what belongs to c by so many elements.
void move_target(const GemmTask& whole, size_t place, GemmTask& task) {
  task.c = whole.c + place;
  task.keep_offset = whole.keep_offset + place;
  if (whole.gate_values != nullptr) task.gate_values = whole.gate_values + place;
}

// Places [begin, end) of an axis that the same taps reach, all inside of the source: `count` of them from `tap` on, the
// first at place `source` of the source.
struct Span {
  size_t begin, end;
  size_t tap, count, source;

  // From place `begin_` on, as far as `most`; `step`: of the source from one place to the next.
  Span(const Taps& taps, size_t size, size_t step, size_t begin_, size_t most) : begin(begin_), end(begin_ + 1) {
    const auto inside = [&](size_t place) {
      size_t from = 0, to = taps.count;
      const auto at = [&](size_t each) { return taps.first + static_cast<ptrdiff_t>(place * step + each * taps.step); };
      while (from < to && at(from) < 0) ++from;
      while (from < to && at(to - 1) >= static_cast<ptrdiff_t>(size)) --to;
      return std::pair{from, to};
    };
    const auto [from, to] = inside(begin);
    tap = from;
    count = to - from;
    source = count == 0 ? 0 : static_cast<size_t>(taps.first + static_cast<ptrdiff_t>(begin * step + from * taps.step));
    while (end < most && inside(end) == std::pair{from, to}) ++end;
  }
  size_t places() const { return end - begin; }
};

// An axis of places that a product has as its rows or as its lines.
struct Along {
  size_t count, left_stride, c_stride;
};

// Places rows × columns of images, the panels [panel, panel_end): the longer axis of places is the rows of a product,
// unless several images are.
void walk_region(const KernelTable& kernels, const Sides& sides, const Walk& walk, const GemmTask& whole,
                 const float* source, size_t images, const Span& rows, const Span& columns, size_t panel,
                 size_t panel_end) {
  const size_t pitch = sides.source_width * sides.source_channels;
  const size_t line = sides.target_width * sides.target_channels;
  GemmTask task = product_of(kernels, walk, whole);
  task.segment_length = std::max<size_t>(columns.count * sides.source_channels, 1);
  task.k = rows.count * columns.count * sides.source_channels;
  const size_t skipped = rows.tap * walk.column_taps.count + columns.tap;
  task.right = walk.packed + skipped * sides.source_channels * kernels.gemm_columns;
  task.right_gap = (walk.column_taps.count - columns.count) * sides.source_channels;
  task.columns = sides.target_channels;
  const Along along_rows{rows.places(), walk.source_rows * pitch, walk.target_rows * line};
  const Along along_columns{columns.places(), walk.source_columns * sides.source_channels,
                            walk.target_columns * sides.target_channels};
  Along tile = along_columns, lines = along_rows;
  size_t repeats = 1;
  if (images > 1) {
    tile = {images, sides.source_size(), sides.target_size()};
    lines = along_columns;
    repeats = along_rows.count;
  } else if (along_rows.count > along_columns.count) {
    std::swap(tile, lines);
  }
  task.rows = tile.count;
  task.left_row_stride = tile.left_stride;
  task.c_stride = task.keep_stride = tile.c_stride;
  task.more_lines = lines.count - 1;
  task.left_line_stride = lines.left_stride;
  task.c_line_stride = lines.c_stride;
  const float* const first = source + rows.source * pitch + columns.source * sides.source_channels;
  const size_t place = (walk.first_row + rows.begin * walk.target_rows) * line +
                       (walk.first_column + columns.begin * walk.target_columns) * sides.target_channels;
  for (size_t repeat = 0; repeat < repeats; ++repeat) {
    task.left = first + repeat * along_rows.left_stride;
    move_target(whole, place + repeat * along_rows.c_stride, task);
    kernels.gemm_f32(task, 0, tiles_of(task.rows, kernels.gemm_rows), panel, panel_end);
  }
}

}  // namespace

void walk_rows(const KernelTable& kernels, const Sides& sides, const Walk& walk, const GemmTask& whole,
               const float* source, size_t pitch, size_t source_row, size_t begin, size_t end) {
  if (begin >= end) return;
  const size_t outer = sides.depthwise ? sides.target_channels : sides.outer();
  const size_t panels = tiles_of(outer, kernels.gemm_columns);
  GemmTask task = product_of(kernels, walk, whole);
  task.left_row_stride = walk.source_columns * sides.source_channels;
  task.rows = walk.columns;
  task.columns = outer;
  task.c_stride = task.keep_stride = walk.target_columns * sides.target_channels;
  task.right_stride = panels * kernels.gemm_columns;
  task.left_line_stride = walk.source_rows * pitch;
  task.c_line_stride = walk.target_rows * sides.target_width * sides.target_channels;
  for (size_t group = 0; group < (sides.depthwise ? 1 : sides.groups); ++group) {
    task.right = walk.packed + group * panels * kernels.gemm_columns * walk.depth();
    if (whole.bias != nullptr) task.bias = whole.bias + group * outer;
    const auto take_row = [&](size_t row) {
      const size_t target_row = walk.first_row + row * walk.target_rows;
      task.left = source + (row * walk.source_rows - source_row) * pitch + group * sides.inner();
      move_target(whole, (target_row * sides.target_width + walk.first_column) * sides.target_channels + group * outer,
                  task);
    };
    if (sides.depthwise) {
      for (size_t row = begin; row < end; ++row) {
        take_row(row);
        kernels.depthwise_f32(task);
      }
      continue;
    }
    take_row(begin);
    task.more_lines = end - begin - 1;
    for (size_t panel = 0; panel < panels; panel += task.group) {
      kernels.gemm_f32(task, 0, tiles_of(task.rows, kernels.gemm_rows), panel, std::min(panels, panel + task.group));
    }
  }
}

void walk_images(const KernelTable& kernels, const Sides& sides, const Walk& walk, const GemmTask& whole,
                 const float* source, size_t images, size_t begin, size_t end) {
  const size_t panels = tiles_of(sides.target_channels, kernels.gemm_columns);
  const size_t group = group_of(walk.depth(), kernels);
  for (size_t panel = 0; panel < panels; panel += group) {
    for (size_t row = begin; row < end;) {
      const Span rows(walk.row_taps, sides.source_height, walk.source_rows, row, end);
      for (size_t column = 0; column < walk.columns;) {
        const Span columns(walk.column_taps, sides.source_width, walk.source_columns, column, walk.columns);
        walk_region(kernels, sides, walk, whole, source, images, rows, columns, panel, std::min(panels, panel + group));
        column = columns.end;
      }
      row = rows.end;
    }
  }
}

}  // namespace carillon
