// Sums of rows that lie anywhere: bags of a table, and what flows back into it.

// y of `vectors` registers of columns, the last of `tail` columns. The lines of a row are asked for a few rows before.
template <size_t vectors>
CARILLON_INLINE void rows_sum_tile(const RowsTask& task, size_t column, size_t tail) {
  F sum[vectors];
  for (size_t v = 0; v < vectors; ++v) sum[v] = zero();
  const float* x = task.x + column;
  for (size_t i = 0; i < task.count; ++i) {
    const int32_t row = task.rows[i];
    if (i + kRowsFetched < task.known) {
      const int32_t next = task.rows[i + kRowsFetched];
      if (next >= 0) {
        for (size_t line = 0; line < vectors * F::N; line += kLine)
          prefetch(x, static_cast<size_t>(next) * task.columns + line);
      }
    }
    if (row < 0 || row == task.skipped) continue;
    const float* from = x + static_cast<size_t>(row) * task.columns;
    const F factor = splat(task.factors == nullptr ? 1.0f : task.factors[i]);
    CARILLON_UNROLL
    for (size_t v = 0; v < vectors; ++v) {
      const F value = v + 1 < vectors || tail == F::N ? load(from + v * F::N) : load_part(from + v * F::N, tail);
      sum[v] = fma(factor, value, sum[v]);
    }
  }
  for (size_t v = 0; v < vectors; ++v) {
    if (v + 1 < vectors || tail == F::N) {
      store(task.y + column + v * F::N, sum[v]);
    } else {
      store_part(task.y + column + v * F::N, sum[v], tail);
    }
  }
}

void rows_sum_f32(const RowsTask& task) {
  constexpr size_t wide = 4 * F::N;
  size_t c = 0;
  for (; c + wide <= task.columns; c += wide) rows_sum_tile<4>(task, c, F::N);
  for (; c < task.columns; c += F::N) rows_sum_tile<1>(task, c, smaller_of(F::N, task.columns - c));
}
