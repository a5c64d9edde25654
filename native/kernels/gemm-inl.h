// Products: tiles over a region of c, the walk over chunks of k, and what is done to a finished element. GemmTask
// (table.h) says what is computed.

// ---- Finished elements -------------------------------------------------------------------------------------

template <UnaryRule rule>
CARILLON_INLINE void gemm_activate_rows(float* c, size_t stride, size_t rows, size_t count) {
  for (size_t r = 0; r < rows; ++r, c += stride) unary_map<rule>(c, c, count);
}

// Applied to a tile while it is in L1; the very rounding of the unary kernel.
void gemm_activate(Activation activation, float* c, size_t stride, size_t rows, size_t count) {
  switch (activation) {
#define X(name)                                       \
  case Activation::name:                              \
    gemm_activate_rows<name>(c, stride, rows, count); \
    break;
#include "activations.def"
#undef X
    case Activation::count:
      break;
  }
}

// y = keep ? x·scale : +0, the roundings of the dropout kernel; the elements from bit `bit` of the mask on.
CARILLON_INLINE F gemm_drop(F x, const uint8_t* keep, size_t bit, F scale) {
  uint32_t word;
  __builtin_memcpy(&word, keep + bit / 8, sizeof word);
  return select(mask_of(word >> (bit % 8) & ((1u << F::N) - 1u)), mul(x, scale), zero());
}

// Bit of element (row, column) of c.
CARILLON_INLINE size_t gemm_keep_bit(const GemmTask& task, size_t row, size_t column) {
  return task.keep_offset + row * task.keep_stride + column;
}

// Without an activation of its own pass, elements are dropped as they are stored.
CARILLON_INLINE bool gemm_drops_at_store(const GemmTask& task) {
  return task.keep != nullptr && (task.activation == Activation::identity || task.activation == Activation::relu);
}

void gemm_drop_rows(const GemmTask& task, size_t row, size_t column, size_t rows, size_t count) {
  const F scale = splat(task.keep_scale);
  for (size_t r = row; r < row + rows; ++r) {
    float* c = task.c + r * task.c_stride + column;
    const size_t bit = gemm_keep_bit(task, r, column);
    for (size_t i = 0; i < count; i += F::N) {
      const size_t lanes = smaller_of(F::N, count - i);
      store_at_most(c + i, gemm_drop(load_at_most(c + i, lanes), task.keep, bit + i, scale), lanes);
    }
  }
}

CARILLON_INLINE F gate_positive(F x, F gate, F scale) { return select(less(zero(), gate), mul(x, scale), zero()); }
CARILLON_INLINE F gate_tanh(F x, F gate, F) { return tanh_gradient(x, gate); }
CARILLON_INLINE F gate_gelu(F x, F gate, F) { return mul(x, gelu_slope(gate)); }
CARILLON_INLINE F gate_silu(F x, F gate, F) { return mul(x, silu_slope(gate)); }

template <F (*rule)(F, F, F)>
CARILLON_INLINE void gemm_gate_rows(const GemmTask& task, size_t row, size_t column, size_t rows, size_t count) {
  const F scale = splat(task.gate_scale);
  for (size_t r = row; r < row + rows; ++r) {
    float* c = task.c + r * task.c_stride + column;
    const float* gate = task.gate_values + r * task.c_stride + column;
    size_t i = 0;
    for (; i + F::N <= count; i += F::N) store(c + i, rule(load(c + i), load(gate + i), scale));
    const size_t rest = count - i;
    if (rest != 0) store_part(c + i, rule(load_part(c + i, rest), load_part(gate + i, rest), scale), rest);
  }
}

// [row, row + rows) × [column, column + count) of c.
void gemm_finish(const GemmTask& task, size_t row, size_t column, size_t rows, size_t count) {
  if (task.activation != Activation::identity && task.activation != Activation::relu) {
    gemm_activate(task.activation, task.c + row * task.c_stride + column, task.c_stride, rows, count);
  }
  if (task.keep != nullptr && !gemm_drops_at_store(task)) gemm_drop_rows(task, row, column, rows, count);
  switch (task.backward) {
    case Backward::none:
      break;
    case Backward::positive:
      gemm_gate_rows<gate_positive>(task, row, column, rows, count);
      break;
    case Backward::tanh:
      gemm_gate_rows<gate_tanh>(task, row, column, rows, count);
      break;
    case Backward::gelu:
      gemm_gate_rows<gate_gelu>(task, row, column, rows, count);
      break;
    case Backward::silu:
      gemm_gate_rows<gate_silu>(task, row, column, rows, count);
      break;
    case Backward::count:
      break;
  }
}

// Which part of k a tile works on, and whether it is the first or the last.
struct GemmChunk {
  size_t begin;
  size_t depth;
  bool first;
  bool last;

  CARILLON_INLINE GemmChunk(size_t begin_, size_t k)
      : begin(begin_), depth(smaller_of(kDepthChunk, k - begin_)), first(begin_ == 0), last(begin_ + depth >= k) {}
};

// Where a tile's sums lie before they go to c, and which part of it they are: rows [row, row + mr) of `left`, columns
// [column, column + columns) of `right`.
struct GemmSums {
  const float* t;
  size_t stride;
  size_t row;
  size_t mr;
  size_t column;
  size_t columns;
};

// c = drop(relu(c + t + bias)), each only where wanted.
struct GemmStore {
  bool carry;
  const float* bias;
  bool rectified;
  const uint8_t* keep;
  F keep_scale;

  CARILLON_INLINE GemmStore(const GemmTask& task, const GemmChunk& chunk)
      : carry(task.accumulate || !chunk.first),
        bias(chunk.last ? task.bias : nullptr),
        rectified(chunk.last && task.activation == Activation::relu),
        keep(chunk.last && gemm_drops_at_store(task) ? task.keep : nullptr),
        keep_scale(splat(task.keep_scale)) {}
  CARILLON_INLINE bool plain() const { return !carry && bias == nullptr && !rectified && keep == nullptr; }
  // `whole`: count is F::N.
  template <bool whole>
  CARILLON_INLINE void store_element(float* c, F x, F shift, size_t count, size_t bit) const {
    if (carry) x = add(whole ? load(c) : load_part(c, count), x);
    if (bias != nullptr) x = add(x, shift);
    if (rectified) x = relu(x);
    if (keep != nullptr) x = gemm_drop(x, keep, bit, keep_scale);
    if constexpr (whole) {
      store(c, x);
    } else {
      store_part(c, x, count);
    }
  }
};

template <bool whole>
CARILLON_INLINE void gemm_store_column(const GemmTask& task, const GemmSums& sums, const GemmStore& put, size_t j,
                                       size_t count) {
  const size_t column = sums.column + j;
  const F shift = put.bias != nullptr ? load_part(put.bias + column, count) : zero();
  const size_t width = task.keep_stride;
  size_t bit = gemm_keep_bit(task, sums.row, column);
  float* c = task.c + sums.row * task.c_stride + column;
  for (size_t i = 0; i < sums.mr; ++i, c += task.c_stride, bit += width) {
    put.store_element<whole>(c, load(sums.t + i * sums.stride + j), shift, count, bit);
  }
}

void gemm_store_rows(const GemmTask& task, const GemmSums& sums, const GemmStore& put) {
  size_t j = 0;
  for (; j + F::N <= sums.columns; j += F::N) gemm_store_column<true>(task, sums, put, j, F::N);
  if (j < sums.columns) gemm_store_column<false>(task, sums, put, j, sums.columns - j);
}

// Chains that go on from c.
[[gnu::noinline]] void gemm_take_rows(const GemmTask& task, const GemmSums& sums, float* t) {
  for (size_t i = 0; i < sums.mr; ++i, t += sums.stride) {
    const float* c = task.c + (sums.row + i) * task.c_stride + sums.column;
    for (size_t j = 0; j < sums.columns; j += F::N) {
      store(t + j, load_at_most(c + j, smaller_of(F::N, sums.columns - j)));
    }
  }
}

// `as_is`: nothing is added to a sum, nothing done to it.
template <bool as_is>
CARILLON_INLINE void gemm_store_lines(const GemmTask& task, const GemmSums& sums, const GemmStore& put) {
  for (size_t i = 0; i < sums.mr; i += F::N) {
    const size_t count = smaller_of(F::N, sums.mr - i);
    const F shift = !as_is && put.bias != nullptr ? load_part(put.bias + sums.row + i, count) : zero();
    for (size_t j = 0; j < sums.columns; j += F::N) {
      F lines[F::N];
      CARILLON_UNROLL
      for (size_t l = 0; l < F::N; ++l) lines[l] = l < count ? load(sums.t + (i + l) * sums.stride + j) : zero();
      transpose(lines);
      float* c = task.c + (sums.column + j) * task.c_stride + sums.row + i;
      size_t bit = gemm_keep_bit(task, sums.column + j, sums.row + i);
      const size_t rows = smaller_of(F::N, sums.columns - j);
      for (size_t l = 0; l < rows; ++l, c += task.c_stride, bit += task.keep_stride) {
        if constexpr (as_is) {
          store_part(c, lines[l], count);
        } else {
          put.store_element<false>(c, lines[l], shift, count, bit);
        }
      }
    }
  }
}

void gemm_store_transposed(const GemmTask& task, const GemmSums& sums, const GemmStore& put) {
  if (put.plain()) {
    gemm_store_lines<true>(task, sums, put);
  } else {
    gemm_store_lines<false>(task, sums, put);
  }
}

// ---- Tiles -------------------------------------------------------------------------------------------------

// One chunk of k over a region of tiles and panels, of one line of the task after another.
class GemmWalk {
 public:
  CARILLON_INLINE GemmWalk(const GemmTask& task, const GemmChunk& chunk)
      : put_(task, chunk),
        task_(task),
        chunk_(chunk),
        mean_rows_(task.rows / tiles_of(task.rows, kGemmRows)),
        larger_(task.rows % tiles_of(task.rows, kGemmRows)) {
    tile_.k = chunk.depth;
    tile_.carried = task.carried;
    tile_.right_stride = packed() ? kGemmColumns : task.right_stride;
    tile_.right_gap = task.right_gap * kGemmColumns;
    panel_depth_ = task.right_depth != 0 ? task.right_depth : task.k;
    tile_.panel_stride = kGemmColumns * (task.block != nullptr ? chunk.depth : task.right_packed ? panel_depth_ : 1);
    left_ = task.left + (task.left_packed           ? gemm_left_chunk(task.rows, chunk.begin)
                         : task.segments != nullptr ? 0
                                                    : chunk.begin * task.left_depth_stride);
    tile_.segments = kGemmWhole;
    tile_.skipped = 0;
    tile_.first = tile_.length = chunk.depth;
    if (task.segments != nullptr) {
      const size_t begin = chunk.begin + task.segment_skip;
      const size_t skipped = begin % task.segment_length;
      tile_.segments = task.segments + begin / task.segment_length;
      tile_.length = task.segment_length;
      tile_.first = smaller_of(chunk.depth, task.segment_length - skipped);
      tile_.skipped = skipped * task.left_depth_stride;
    }
    interleaved_ = task.left_packed && task.left_depth_stride != 1;
    tile_.left_row_stride = task.left_packed && !interleaved_ ? chunk.depth + kLeftPadding : task.left_row_stride;
    tile_.left_depth_stride = task.left_depth_stride;
    unit_ = tile_.left_row_stride == 1 ? size_t{kGemmUnit} : 0;
    // Tiles differ by one row at most: all are walked as the largest needs it.
    at_once_ = task.transposed ? 1 : gemm_panels_at_once(mean_rows_ + (larger_ != 0 ? 1 : 0));
    finish_ = chunk.last && ((task.activation != Activation::identity && task.activation != Activation::relu) ||
                             task.backward != Backward::none);
  }

  void next_line() {
    left_ += task_.left_line_stride;
    task_.c += task_.c_line_stride;
    task_.keep_offset += task_.c_line_stride;
    if (task_.gate_values != nullptr) task_.gate_values += task_.c_line_stride;
  }

  // Panels [panel_begin, panel_end), packed first where there is room for it, times all tiles, a tile after another:
  // the panels stay in the second-level cache, what is walked of `left` in the first.
  void group(size_t tile_from, size_t tile_to, size_t panel_begin, size_t panel_end) {
    if (task_.block != nullptr) {
      const size_t skip = chunk_.begin * (task_.right_along_depth ? 1 : task_.right_stride);
      gemm_pack_panels(task_.right + skip, task_.right_stride, task_.right_along_depth, task_.columns, chunk_.depth,
                       panel_begin, panel_end, task_.block);
      right_ = task_.block;
    } else if (task_.right_packed) {
      right_ = task_.right + panel_begin * kGemmColumns * panel_depth_ + chunk_.begin * kGemmColumns;
    } else {
      right_ = task_.right + panel_begin * kGemmColumns + chunk_.begin * task_.right_stride;
    }
    for (size_t t = tile_from; t < tile_to; ++t) {
      take_tile(t);
      for (size_t panel = panel_begin; panel < panel_end;) panel += multiply(panel_begin, panel, panel_end);
    }
  }

 private:
  CARILLON_INLINE bool packed() const { return task_.right_packed || task_.block != nullptr; }

  CARILLON_INLINE void take_tile(size_t t) {
    row_ = t * mean_rows_ + smaller_of(t, larger_);
    mr_ = mean_rows_ + (t < larger_ ? 1 : 0);
    if (interleaved_) {
      tile_.left = left_ + row_ * chunk_.depth;
      tile_.left_depth_stride = mr_;
    } else {
      tile_.left = left_ + row_ * tile_.left_row_stride;
    }
    kernels_ = kGemmTiles.at[mr_ - 1];
  }

  // Computes the tile at `panel` and as many behind it as the kernel takes; returns how many panels that were.
  CARILLON_INLINE size_t multiply(size_t panel_begin, size_t panel, size_t panel_end) {
    const size_t column = panel * kGemmColumns;
    size_t taken = at_once_, columns = taken * kGemmColumns, vectors = taken * kGemmVectors, tail = F::N;
    if (panel + taken > panel_end || column + columns > task_.columns) {
      while (taken > 1 && (panel + taken > panel_end || column + taken * kGemmColumns > task_.columns)) taken /= 2;
      columns = smaller_of(taken * kGemmColumns, task_.columns - column);
      vectors = (columns + F::N - 1) / F::N;
      tail = columns - (vectors - 1) * F::N;
    }

    tile_.right = right_ + (panel - panel_begin) * tile_.panel_stride;
    tile_.right_tail = tail;
    if (finish_ && task_.backward != Backward::none) fetch_gate(column, columns);
    const bool partial = !packed() && tail != F::N;
    const GemmTileKernel kernel = kernels_[vectors - 1][unit_ | (partial ? size_t{kGemmPartial} : 0)];
    if (!task_.transposed && put_.plain() && tail == F::N) {
      tile_.t = task_.c + row_ * task_.c_stride + column;
      tile_.t_stride = task_.c_stride;
      kernel(tile_);
    } else {
      float buffer[kGemmRows * kGemmColumns];
      tile_.t = buffer;
      tile_.t_stride = vectors * F::N;
      const GemmSums sums{buffer, tile_.t_stride, row_, mr_, column, columns};
      if (task_.carried) gemm_take_rows(task_, sums, buffer);
      kernel(tile_);
      if (task_.transposed) {
        gemm_store_transposed(task_, sums, put_);
      } else {
        gemm_store_rows(task_, sums, put_);
      }
    }
    if (finish_ && task_.transposed) gemm_finish(task_, column, row_, columns, mr_);
    if (finish_ && !task_.transposed) gemm_finish(task_, row_, column, mr_, columns);
    return taken;
  }

  // Lines of the gate of a tile, which comes from far away: the tile's own walk is time to bring them.
  CARILLON_INLINE void fetch_gate(size_t column, size_t columns) const {
    const size_t row = task_.transposed ? column : row_, rows = task_.transposed ? columns : mr_;
    const float* gate = task_.gate_values + row * task_.c_stride + (task_.transposed ? row_ : column);
    const size_t count = task_.transposed ? mr_ : columns;
    for (size_t r = 0; r < rows; ++r, gate += task_.c_stride) {
      for (size_t i = 0; i < count; i += kLine) prefetch(gate, i);
    }
  }

  const GemmStore put_;
  GemmTask task_;  // of the line in hand
  const GemmChunk& chunk_;
  const float* left_;
  const float* right_ = nullptr;
  size_t panel_depth_;  // of packed panels
  size_t mean_rows_;    // of a tile; the first `larger_` have one more
  size_t larger_;
  size_t at_once_;
  size_t row_ = 0;  // of the tile in hand
  size_t mr_ = 0;
  size_t unit_ = 0;
  const GemmTileKernel (*kernels_)[kGemmForms] = nullptr;
  GemmTile tile_;
  bool interleaved_;
  bool finish_;
};

void gemm_f32(const GemmTask& task, size_t tile_from, size_t tile_to, size_t panel_begin, size_t panel_end) {
  if (tile_from >= tile_to || panel_begin >= panel_end) return;
  const size_t groups = tiles_of(panel_end - panel_begin, task.group);
  size_t begin = 0;
  do {
    const GemmChunk chunk(begin, task.k);
    GemmWalk walk(task, chunk);
    for (size_t line = 0;; ++line) {
      for (size_t g = 0; g < groups; ++g) {
        walk.group(tile_from, tile_to, panel_begin + tile_begin(panel_end - panel_begin, groups, g),
                   panel_begin + tile_begin(panel_end - panel_begin, groups, g + 1));
      }
      if (line == task.more_lines) break;
      walk.next_line();
    }
    begin += chunk.depth;
  } while (begin < task.k);
}
