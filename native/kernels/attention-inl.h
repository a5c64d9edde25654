// Attention: rows of scores to probabilities and back, and products whose rows take a part of the steps alone.

// Columns of row r: what it may look at.
CARILLON_INLINE size_t attention_count(const AttentionRows& rows, size_t r) {
  return smaller_of(rows.most, rows.ahead + r);
}

CARILLON_INLINE void attention_clear(float* s, size_t from, size_t to) {
  if (from < to) __builtin_memset(s + from, 0, (to - from) * sizeof(float));
}

CARILLON_INLINE void attention_divide(float* s, size_t count, F sum) {
  size_t i = 0;
  for (; i + F::N <= count; i += F::N) store(s + i, div(load(s + i), sum));
  if (i < count) store_part(s + i, div(load_part(s + i, count - i), sum), count - i);
}

// s becomes the softmax of what each row looks at, and 0 behind it; a row that looks at nothing is 0.
void attention_softmax_f32(float* s, const AttentionRows& rows, float* maxima, float* sums) {
  for (size_t r = 0; r < rows.rows; ++r, s += rows.stride) {
    const size_t count = attention_count(rows, r);
    attention_clear(s, count, rows.width);
    float max = 0.0f, sum = 0.0f;
    if (count != 0) {
      max = row_maximum(s, count);
      sum = reduce(ExpTerm<true>{s, s, splat(max)}, count);
      attention_divide(s, count, splat(sum));
    }
    if (maxima != nullptr) {
      maxima[r * rows.kept_stride] = max;
      sums[r * rows.kept_stride] = sum;
    }
  }
}

// The same from the maxima and sums that were kept.
void attention_again_f32(float* s, const AttentionRows& rows, const float* maxima, const float* sums) {
  for (size_t r = 0; r < rows.rows; ++r, s += rows.stride) {
    const size_t count = attention_count(rows, r);
    const F max = splat(maxima[r * rows.kept_stride]);
    const F sum = splat(sums[r * rows.kept_stride]);
    size_t i = 0;
    for (; i + F::N <= count; i += F::N) store(s + i, div(exp(sub(load(s + i), max)), sum));
    const size_t rest = count - i;
    if (rest != 0) store_part(s + i, div(exp(sub(load_part(s + i, rest), max)), sum), rest);
    attention_clear(s, count, rows.width);
  }
}

// Sums p·g, which it writes to g.
struct AttentionFlowTerm {
  const float* p;
  float* g;
  CARILLON_INLINE F whole(F lane, size_t i) const {
    const F flow = mul(load(g + i), load(p + i));
    store(g + i, flow);
    return add(lane, flow);
  }
  CARILLON_INLINE F part(F lane, size_t i, size_t count) const {
    const F flow = mul(load_part(g + i, count), load_part(p + i, count));
    store_part(g + i, flow, count);
    return add(lane, flow);
  }
};

// g becomes p·g − p·Σ(p·g), the gradient of a softmax p.
void attention_back_f32(const float* p, float* g, const AttentionRows& rows) {
  for (size_t r = 0; r < rows.rows; ++r, p += rows.stride, g += rows.stride) {
    const size_t count = attention_count(rows, r);
    const F sum = splat(reduce(AttentionFlowTerm{p, g}, count));
    size_t i = 0;
    for (; i + F::N <= count; i += F::N) store(g + i, sub(load(g + i), mul(load(p + i), sum)));
    const size_t rest = count - i;
    if (rest != 0) {
      const F flow = sub(load_part(g + i, rest), mul(load_part(p + i, rest), sum));
      store_part(g + i, flow, rest);
    }
    attention_clear(g, count, rows.width);
  }
}

// ---- Products ----------------------------------------------------------------------------------------------

CARILLON_INLINE size_t attention_place(ptrdiff_t place, size_t most) {
  return place <= 0 ? 0 : smaller_of(static_cast<size_t>(place), most);
}

// Steps [from, to) of one row and of `vectors` registers from a column on, the last of `tail` columns. Rows of c are
// whole vectors.
template <size_t vectors>
CARILLON_INLINE void attention_row(const AttentionProduct& task, size_t row, size_t from, size_t to, size_t column,
                                   size_t tail) {
  float* const c = task.c + row * task.c_stride + column;
  const float* left = task.left + row * task.left_row_stride + from * task.left_step_stride;
  const float* right = task.right + from * task.right_stride + column;
  F chain[vectors];
  CARILLON_UNROLL
  for (size_t j = 0; j < vectors; ++j) chain[j] = load(c + j * F::N);
  for (size_t s = from; s < to; ++s, left += task.left_step_stride, right += task.right_stride) {
    const F a = splat(*left);
    CARILLON_UNROLL
    for (size_t j = 0; j < vectors; ++j) {
      const float* at = right + j * F::N;
      chain[j] = fma(a, j + 1 < vectors || tail == F::N ? load(at) : load_part(at, tail), chain[j]);
    }
  }
  CARILLON_UNROLL
  for (size_t j = 0; j < vectors; ++j) store(c + j * F::N, chain[j]);
}

// Steps [from, to) of rows [row, row + mr) of which each takes its own.
CARILLON_INLINE void attention_edge(const AttentionProduct& task, size_t row, size_t mr, size_t from, size_t to) {
  constexpr size_t wide = 4 * F::N;
  for (size_t r = row; r < row + mr; ++r) {
    const auto place = static_cast<ptrdiff_t>(r);
    const size_t first = attention_place(place + task.delay, to);
    const size_t begin = first < from ? from : first;
    const size_t end = attention_place(place + task.ahead, to);
    if (begin >= end) continue;
    size_t j = 0;
    for (; j + wide <= task.columns; j += wide) attention_row<4>(task, r, begin, end, j, F::N);
    for (; j < task.columns; j += F::N) {
      attention_row<1>(task, r, begin, end, j, smaller_of(F::N, task.columns - j));
    }
  }
}

// Steps [from, to), which all rows take, by tiles in registers.
CARILLON_INLINE void attention_middle(const AttentionProduct& task, size_t row, size_t mr, size_t from, size_t to) {
  GemmTile tile;
  tile.left = task.left + row * task.left_row_stride + from * task.left_step_stride;
  tile.segments = kGemmWhole;
  tile.skipped = 0;
  tile.first = tile.length = tile.k = to - from;
  tile.left_row_stride = task.left_row_stride;
  tile.left_depth_stride = task.left_step_stride;
  tile.right_stride = task.right_stride;
  tile.panel_stride = kGemmColumns;
  tile.right_gap = 0;
  tile.t_stride = task.c_stride;
  tile.carried = true;
  const size_t unit = task.left_row_stride == 1 ? size_t{kGemmUnit} : 0;
  const size_t at_once = gemm_panels_at_once(mr);
  for (size_t column = 0; column < task.columns;) {
    size_t taken = at_once;
    while (taken > 1 && column + taken * kGemmColumns > task.columns) taken /= 2;
    const size_t columns = smaller_of(taken * kGemmColumns, task.columns - column);
    const size_t vectors = (columns + F::N - 1) / F::N;
    tile.right_tail = columns - (vectors - 1) * F::N;
    tile.right = task.right + from * task.right_stride + column;
    tile.t = task.c + row * task.c_stride + column;
    kGemmTiles.at[mr - 1][vectors - 1][unit | (tile.right_tail == F::N ? 0 : size_t{kGemmPartial})](tile);
    column += columns;
  }
}

void attention_product_f32(const AttentionProduct& task) {
  const size_t tiles = tiles_of(task.rows, kGemmRows);
  for (size_t t = 0; t < tiles; ++t) {
    const size_t row = tile_begin(task.rows, tiles, t);
    const size_t mr = tile_begin(task.rows, tiles, t + 1) - row;
    if (!task.carried) {
      for (size_t r = row; r < row + mr; ++r) attention_clear(task.c + r * task.c_stride, 0, task.c_stride);
    }
    const auto first = static_cast<ptrdiff_t>(row), last = static_cast<ptrdiff_t>(row + mr - 1);
    const size_t begin = attention_place(first + task.delay, task.steps);  // of the row that begins first
    const size_t all = attention_place(last + task.delay, task.steps);     // from here on all of them
    const size_t until = attention_place(first + task.ahead, task.steps);  // up to here
    const size_t end = attention_place(last + task.ahead, task.steps);
    if (all >= until) {
      attention_edge(task, row, mr, begin, end);
      continue;
    }
    attention_edge(task, row, mr, begin, all);
    attention_middle(task, row, mr, all, until);
    attention_edge(task, row, mr, until, end);
  }
}
