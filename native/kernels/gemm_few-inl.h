// Products t(o, i) = Σ_p weight[o, p]·x[i, p] with few rows o: rows of x become the lanes. N × N elements of x are
// transposed in registers and used at once, so that nothing is packed and no lane is idle. With few outputs x is the
// batch and c is transposed (as vectors of outputs, 10 of them would fill 10 of 16 lanes); with few examples x is the
// weight of a layer and `weight` the batch.

// Accumulators beside the N registers of x and a broadcast element.
constexpr size_t kGemmFew = kGemmRows;

struct GemmFewTile {
  const float* x;  // [rows, k], rows `x_stride` apart
  size_t x_stride;
  size_t rows;          // [1, N]
  const float* weight;  // element (o, p) at weight[o·row_stride + p·depth_stride]
  size_t row_stride;
  size_t depth_stride;
  size_t k;
  float* t;  // [outputs, N]
};

// The columns [p, p + rest) of x as `rest` vectors of rows, fewer than N: the same for every number of outputs.
[[gnu::noinline]] void gemm_few_rest(const GemmFewTile& tile, size_t p, size_t rest, F (&lines)[F::N]) {
  for (size_t l = 0; l < F::N; ++l) {
    lines[l] = l < tile.rows ? load_part(tile.x + l * tile.x_stride + p, rest) : zero();
  }
  transpose(lines);
}

template <size_t outputs>
void gemm_few_tile(const GemmFewTile& tile) {
  F chain[outputs];
  CARILLON_UNROLL
  for (size_t o = 0; o < outputs; ++o) chain[o] = zero();
  const float* weight = tile.weight;
  const size_t row_stride = tile.row_stride;
  const size_t depth_stride = tile.depth_stride;
  size_t p = 0;
  for (; p + F::N <= tile.k; p += F::N) {
    F lines[F::N];
    if (tile.rows == F::N) {
      CARILLON_UNROLL
      for (size_t l = 0; l < F::N; ++l) lines[l] = load(tile.x + l * tile.x_stride + p);
    } else {
      CARILLON_UNROLL
      for (size_t l = 0; l < F::N; ++l) lines[l] = l < tile.rows ? load(tile.x + l * tile.x_stride + p) : zero();
    }
    transpose(lines);
    CARILLON_UNROLL
    for (size_t q = 0; q < F::N; ++q) {
      CARILLON_UNROLL
      for (size_t o = 0; o < outputs; ++o) chain[o] = fma(splat(weight[o * row_stride]), lines[q], chain[o]);
      weight += depth_stride;
    }
  }
  if (const size_t rest = tile.k - p; rest != 0) {
    F lines[F::N];
    gemm_few_rest(tile, p, rest, lines);
    for (size_t q = 0; q < rest; ++q) {
      CARILLON_UNROLL
      for (size_t o = 0; o < outputs; ++o) chain[o] = fma(splat(weight[o * row_stride]), lines[q], chain[o]);
      weight += depth_stride;
    }
  }
  CARILLON_UNROLL
  for (size_t o = 0; o < outputs; ++o) store(tile.t + o * F::N, chain[o]);
}

struct GemmFewTable {
  void (*at[kGemmFew])(const GemmFewTile&);
};

template <size_t outputs>
constexpr void gemm_few_table_fill(GemmFewTable& table) {
  table.at[outputs - 1] = gemm_few_tile<outputs>;
  if constexpr (outputs > 1) gemm_few_table_fill<outputs - 1>(table);
}

constexpr GemmFewTable gemm_few_table() {
  GemmFewTable table{};
  gemm_few_table_fill<kGemmFew>(table);
  return table;
}

constexpr GemmFewTable kGemmFewTiles = gemm_few_table();

void gemm_few_f32(const GemmTask& task, size_t column_begin, size_t column_end) {
  float buffer[kGemmFew * F::N];
  GemmFewTile tile;
  tile.x_stride = task.right_stride;
  tile.t = buffer;
  size_t begin = 0;
  do {
    const GemmChunk chunk(begin, task.k);
    tile.k = chunk.depth;
    if (task.left_packed) {
      tile.weight = task.left + gemm_left_chunk(task.rows, begin);
      tile.row_stride = chunk.depth + kLeftPadding;
      tile.depth_stride = 1;
    } else {
      tile.weight = task.left + begin * task.left_depth_stride;
      tile.row_stride = task.left_row_stride;
      tile.depth_stride = task.left_depth_stride;
    }
    for (size_t row = column_begin; row < column_end; row += F::N) {
      tile.rows = smaller_of(F::N, column_end - row);
      tile.x = task.right + row * task.right_stride + begin;
      kGemmFewTiles.at[task.rows - 1](tile);
      const GemmSums sums{buffer, F::N, 0, task.rows, row, tile.rows};
      if (task.transposed) {
        gemm_store_transposed(task, sums, GemmStore(task, chunk));
        if (chunk.last) gemm_finish(task, row, 0, tile.rows, task.rows);
      } else {
        gemm_store_rows(task, sums, GemmStore(task, chunk));
        if (chunk.last) gemm_finish(task, 0, row, task.rows, tile.rows);
      }
    }
    begin += chunk.depth;
  } while (begin < task.k);
}
