// What a recurrence and its gradient share: cells, packed weights of the state, and examples with the longest first.
#pragma once

#include <algorithm>

#include "../runtime/memory.h"
#include "lengths.h"
#include "operation.h"
#include "strided_product.h"

namespace carillon {

// ---- What a cell is

constexpr bool is_gru(Cell cell) { return cell == Cell::gru || cell == Cell::gru_before; }
// Rows of W and R, in units of `hidden`.
constexpr size_t stacked_of(Cell cell) { return cell == Cell::lstm ? 4 : is_gru(cell) ? 3 : 1; }
// What is kept of a step, beside the cell of an LSTM.
inline constexpr size_t kept_of(Cell cell) { return cell == Cell::lstm || is_gru(cell) ? 4 : 1; }

// Floats between rows that products read, more than they are long: rows of 4 KB would share a set of the cache.
inline constexpr size_t kApart = 16;
// Examples that a thread takes through all steps at once, at most: three tiles of AVX-512.
inline constexpr size_t kMostTogether = 32;

struct Sizes {
  Cell cell;
  size_t rows, steps, inputs, hidden;
  bool backward;      // from the last step to the first
  bool update_first;  // of the gates of a GRU
  bool stepwise;      // whether each step has a mask of its own

  size_t stacked() const { return stacked_of(cell) * hidden; }
  size_t kept() const { return kept_of(cell) * hidden; }
  size_t reset() const { return update_first ? hidden : 0; }
  size_t update() const { return update_first ? 0 : hidden; }
  // Rows of R whose product is taken of the state; the others are of r·state.
  size_t first() const { return cell == Cell::gru_before ? 2 * hidden : stacked(); }
};

template <typename At>
Sizes sizes_of(const Arguments& a) {
  return {static_cast<Cell>(a.ints[At::cell]),
          a.size(At::rows),
          a.size(At::steps),
          a.size(At::inputs),
          a.size(At::hidden),
          a.ints[At::reverse] != 0,
          a.ints[At::update_first] != 0,
          a.ints[At::stepwise] != 0};
}

// Rows of the mask.
inline size_t mask_rows(const Sizes& s) { return s.stepwise ? s.rows * s.steps : s.rows; }

// The factors of the state in the product of a step, which is the `step`-th of an example of this length; of one behind
// the last the last.
inline const float* mask_at(const float* mask, const Sizes& s, size_t row, size_t step, size_t length) {
  if (mask == nullptr) return nullptr;
  if (!s.stepwise || length == 0) return mask + row * (s.stepwise ? s.steps : 1) * s.hidden;
  const size_t known = std::min(step, length - 1);
  return mask + (row * s.steps + (s.backward ? length - 1 - known : known)) * s.hidden;
}

template <typename At>
bool check_sizes(const Arguments& a, Requirements& r) {
  if (a.ints[At::cell] < 0 || a.ints[At::cell] >= static_cast<int64_t>(Cell::count)) {
    r.fail("no such cell");
    return false;
  }
  for (const size_t i : {At::steps, At::inputs, At::hidden}) {
    if (a.ints[i] < 1 || a.ints[i] > (int64_t{1} << 26)) {
      r.fail("a recurrence of nothing");
      return false;
    }
  }
  if (a.size(At::rows) > (size_t{1} << 40) / a.size(At::steps) / a.size(At::hidden)) {
    r.fail("dimensions overflow");
    return false;
  }
  return true;
}

// The weight of the state as the products of all steps take it.
struct Packed {
  float* panels;
  size_t columns, k;
  const float* rows = nullptr;  // as it lies, [columns, k]: a few products of a few examples are quicker than to pack
};

// Steps of so few examples that are computed without panels, at most.
inline constexpr size_t kUnpackedSteps = 4;

inline size_t packed_floats(size_t columns, size_t k) { return round_up(columns, kPackedColumns) * k; }

// The panels of `columns` rows of R from `first` on, `along_depth`: R[column][k]; otherwise of all columns of R, rows
// [first, first + k).
inline void pack(const Context& context, const float* matrix, size_t stride, bool along_depth, const Packed& packed) {
  const size_t panels = tiles_of(packed.columns, context.kernels.gemm_columns);
  const size_t chunks = std::min(panels, context.parallel.chunks(packed.columns * packed.k, kLeastElements));
  context.parallel.run(chunks, [&](size_t chunk) {
    context.kernels.gemm_pack_right_f32(matrix, stride, along_depth, packed.columns, packed.k, panels * chunk / chunks,
                                        panels * (chunk + 1) / chunks, packed.panels);
  });
}

// c[rows, columns] = left·packed; rows of left `stride` apart.
inline void multiply_packed(const KernelTable& kernels, const float* left, size_t stride, size_t rows,
                            const Packed& packed, float* c, size_t c_stride) {
  GemmTask task{};
  task.left = left;
  task.left_row_stride = stride;
  task.left_depth_stride = 1;
  if (packed.rows == nullptr) {
    task.right = packed.panels;
    task.right_packed = true;
  } else {
    task.right = packed.rows;
    task.right_stride = packed.k;
    task.right_along_depth = true;
  }
  task.rows = rows;
  task.columns = packed.columns;
  task.k = packed.k;
  task.c = c;
  task.c_stride = c_stride;
  task.group = 1;
  if (packed.rows != nullptr) return kernels.gemm_few_f32(task, 0, packed.columns);
  kernels.gemm_f32(task, 0, tiles_of(rows, kernels.gemm_rows), 0, tiles_of(packed.columns, kernels.gemm_columns));
}

// ---- Examples, the longest first

class Lengths {
 public:
  static size_t order_words(const Sizes& sizes) { return sizes.rows + sizes.steps + 2; }

  // `order`: room for order_words(), where there are lengths.
  Lengths(const Context& context, const int32_t* lengths, const Sizes& sizes, int32_t* order)
      : lengths_(lengths), steps_(sizes.steps), order_(lengths == nullptr ? nullptr : order) {
    threads_ = context.parallel.chunks(sizes.rows * sizes.steps * sizes.hidden * sizes.stacked(), kLeastFlops) < 2
                   ? 1
                   : context.parallel.threads();
    const size_t parts = threads_ * tiles_of(sizes.rows, threads_ * kMostTogether);
    parts_ = std::min(parts, std::max<size_t>(sizes.rows, 1));
    if (lengths == nullptr) return;
    // Sorted by counting: `ends` has where the examples of a length begin, the longest first.
    int32_t* const ends = order_ + sizes.rows;
    std::fill_n(ends, sizes.steps + 2, 0);
    for (size_t row = 0; row < sizes.rows; ++row) ++ends[sizes.steps - of(row) + 1];
    for (size_t length = 0; length <= sizes.steps; ++length) ends[length + 1] += ends[length];
    // Example s of the sorted ones is the (s / parts)-th of part s % parts, so that all have about as much to do.
    for (size_t row = 0; row < sizes.rows; ++row) {
      const auto s = static_cast<size_t>(ends[sizes.steps - of(row)]++);
      order_[tile_begin(sizes.rows, parts_, s % parts_) + s / parts_] = static_cast<int32_t>(row);
    }
  }

  size_t parts() const { return parts_; }
  size_t row(size_t place) const { return order_ == nullptr ? place : static_cast<size_t>(order_[place]); }
  size_t of(size_t row) const { return lengths_ == nullptr ? steps_ : static_cast<size_t>(lengths_[row]); }

 private:
  const int32_t* lengths_;
  size_t steps_;
  int32_t* order_;
  size_t threads_;
  size_t parts_;
};

// Parts of scratch, one behind the other; without memory it tells how much they take.
class Room {
 public:
  explicit Room(void* scratch) : at_(static_cast<std::byte*>(scratch)) {}
  template <typename T = float>
  T* take(size_t count) {
    T* const given = at_ == nullptr ? nullptr : reinterpret_cast<T*>(at_ + bytes_);
    bytes_ += round_up(count * sizeof(T), kAlignment);
    return given;
  }
  size_t bytes() const { return bytes_; }
  void* rest() const { return at_ == nullptr ? nullptr : at_ + bytes_; }

 private:
  std::byte* at_;
  size_t bytes_ = 0;
};

}  // namespace carillon
