// Sums of rows that lie anywhere: bags of a table, and what flows back into it.

// y of `vectors` registers of columns, the last of `tail` columns, from entries [begin, end). The lines of a row are
// asked for a few rows before.
template <size_t vectors, bool factored>
CARILLON_INLINE void rows_sum_tile(const RowsTask& task, size_t begin, size_t end, size_t column, size_t tail,
                                   float* y) {
  F sum[vectors];
  for (size_t v = 0; v < vectors; ++v) sum[v] = zero();
  const float* const x = task.x + column;
  const int32_t* const rows = task.rows;
  const size_t stride = task.stride, known = task.known;
  const int32_t skipped = task.skipped;
  for (size_t i = begin; i < end; ++i) {
    if (i + kRowsFetched < known) {
      const int32_t next = rows[i + kRowsFetched];
      if (next >= 0) {
        const float* const ahead = x + static_cast<size_t>(next) * stride;
        CARILLON_UNROLL
        for (size_t line = 0; line < vectors * F::N; line += kLine) prefetch(ahead, line);
      }
    }
    const int32_t row = rows[i];
    if (row < 0 || row == skipped) continue;
    const float* const from = x + static_cast<size_t>(row) * stride;
    const F factor = splat(factored ? task.factors[i] : 1.0f);
    CARILLON_UNROLL
    for (size_t v = 0; v < vectors; ++v) {
      const F value = v + 1 < vectors || tail == F::N ? load(from + v * F::N) : load_part(from + v * F::N, tail);
      sum[v] = fma(factor, value, sum[v]);
    }
  }
  for (size_t v = 0; v < vectors; ++v) {
    if (v + 1 < vectors || tail == F::N) {
      store(y + column + v * F::N, sum[v]);
    } else {
      store_part(y + column + v * F::N, sum[v], tail);
    }
  }
}

template <bool factored>
CARILLON_INLINE void rows_sum(const RowsTask& task, size_t begin, size_t end, float* y) {
  constexpr size_t wide = 4 * F::N;
  size_t c = 0;
  for (; c + wide <= task.columns; c += wide) rows_sum_tile<4, factored>(task, begin, end, c, F::N, y);
  for (; c < task.columns; c += F::N) {
    rows_sum_tile<1, factored>(task, begin, end, c, smaller_of(F::N, task.columns - c), y);
  }
}

// The s-th of the sums, to y.
void rows_sum_one(const RowsTask& task, size_t s, float* y) {
  const size_t begin = task.begins == nullptr ? s * task.width : static_cast<size_t>(task.begins[s]);
  const size_t end = task.begins == nullptr ? begin + task.width : static_cast<size_t>(task.begins[s + 1]);
  if (task.factors == nullptr) {
    rows_sum<false>(task, begin, end, y);
  } else {
    rows_sum<true>(task, begin, end, y);
  }
}

void rows_sum_f32(const RowsTask& task) {
  for (size_t s = 0; s < task.sums; ++s) rows_sum_one(task, s, task.y + s * task.columns);
}

// Σ of squares in lanes of their own.
struct SquareLanes {
  static constexpr size_t vectors = 4;
  F sum[vectors];

  CARILLON_INLINE SquareLanes() {
    for (size_t v = 0; v < vectors; ++v) sum[v] = zero();
  }
  CARILLON_INLINE void add_row(const float* row, size_t columns) {
    size_t c = 0;
    for (; c + vectors * F::N <= columns; c += vectors * F::N) {
      CARILLON_UNROLL
      for (size_t v = 0; v < vectors; ++v) {
        const F value = load(row + c + v * F::N);
        sum[v] = fma(value, value, sum[v]);
      }
    }
    for (; c < columns; c += F::N) {
      const F value = load_part(row + c, smaller_of(F::N, columns - c));
      sum[0] = fma(value, value, sum[0]);
    }
  }
  CARILLON_INLINE float total() const {
    float lanes[F::N];
    store(lanes, add(add(sum[0], sum[1]), add(sum[2], sum[3])));
    float total = 0;
    for (const float lane : lanes) total += lane;
    return total;
  }
};

float rows_squares_f32(const float* x, const int32_t* rows, size_t count, size_t columns) {
  SquareLanes lanes;
  for (size_t i = 0; i < count; ++i) lanes.add_row(x + static_cast<size_t>(rows[i]) * columns, columns);
  return lanes.total();
}
