// c = activation(op(a)·op(b) + bias) or c += op(a)·op(b): register tiles over rows and columns of c, k walked in order.
// mr rows and nv vectors of N columns a tile; NR = kGemmVectors·N columns a packed panel; MR = kGemmRows rows at most.
// Two strides of a and row-major b (given or packed) cover all transposes with one template.

// Accumulators must fit the registers together with nv vectors of b and a broadcast element of a: AVX-512 14·2 + 3 of
// 32, AVX2 6·2 + 3 of 16, NEON 8·2 + 3 of 32 (GCC spills from 20 accumulators on). Scalar: 4·4, not tuned.
constexpr size_t kGemmRows = F::N == 16 ? 14 : F::N == 8 ? 6 : F::N == 4 ? 8 : 4;
constexpr size_t kGemmVectors = F::N == 1 ? 4 : 2;
constexpr size_t kGemmColumns = kGemmVectors * F::N;

struct GemmTile {
  const float* a;  // element (i, p) at a[i·a_row_stride + p·a_depth_stride]
  size_t a_row_stride;
  size_t a_depth_stride;
  const float* b;  // row p at b + p·b_stride
  size_t b_stride;
  size_t k;
  float* c;
  size_t c_stride;
  size_t tail;        // columns of the last vector, [1, N]
  const float* bias;  // of this tile's first column, or nullptr
  bool accumulate;
  float* total;  // [mr·nv·N], the sum of the chunks before the present one; the caller's, used where k > kDepthChunk
};

// c = sum + bias, or c + sum.
template <size_t mr, size_t nv>
CARILLON_INLINE void gemm_tile_store(const GemmTile& tile, const F (&sum)[mr][nv]) {
  CARILLON_UNROLL
  for (size_t j = 0; j < nv; ++j) {
    const size_t column = j * F::N;
    const size_t count = j + 1 < nv ? F::N : tile.tail;
    const F bias = tile.bias != nullptr ? load_part(tile.bias + column, count) : zero();
    CARILLON_UNROLL
    for (size_t i = 0; i < mr; ++i) {
      float* c = tile.c + i * tile.c_stride + column;
      F x = sum[i][j];
      if (tile.accumulate) {
        x = add(load_part(c, count), x);
      } else if (tile.bias != nullptr) {
        x = add(x, bias);
      }
      store_part(c, x, count);
    }
  }
}

// partial: the last vector of b is loaded by `tail` lanes, since b is not padded there.
template <size_t mr, size_t nv, bool partial>
void gemm_tile(const GemmTile& tile) {
  F sum[mr][nv];
  const float* a = tile.a;
  const float* b = tile.b;
  for (size_t done = 0;;) {
    // Apart from `sum`, whose address the store takes: GCC for AArch64 would write it back at every step.
    F chain[mr][nv];
    CARILLON_UNROLL
    for (size_t i = 0; i < mr; ++i) {
      CARILLON_UNROLL
      for (size_t j = 0; j < nv; ++j) chain[i][j] = zero();
    }
    const size_t length = smaller_of(tile.k - done, kDepthChunk);
    for (size_t p = 0; p < length; ++p) {
      F right[nv];
      CARILLON_UNROLL
      for (size_t j = 0; j < nv; ++j) {
        right[j] = partial && j + 1 == nv ? load_part(b + j * F::N, tile.tail) : load(b + j * F::N);
      }
      CARILLON_UNROLL
      for (size_t i = 0; i < mr; ++i) {
        const F left = splat(a[i * tile.a_row_stride]);
        CARILLON_UNROLL
        for (size_t j = 0; j < nv; ++j) chain[i][j] = fma(left, right[j], chain[i][j]);
      }
      a += tile.a_depth_stride;
      b += tile.b_stride;
    }
    CARILLON_UNROLL
    for (size_t i = 0; i < mr; ++i) {
      CARILLON_UNROLL
      for (size_t j = 0; j < nv; ++j) sum[i][j] = chain[i][j];
    }
    if (done != 0) {
      CARILLON_UNROLL
      for (size_t i = 0; i < mr; ++i) {
        CARILLON_UNROLL
        for (size_t j = 0; j < nv; ++j) sum[i][j] = add(load(tile.total + (i * nv + j) * F::N), sum[i][j]);
      }
    }
    done += length;
    if (done == tile.k) break;
    CARILLON_UNROLL
    for (size_t i = 0; i < mr; ++i) {
      CARILLON_UNROLL
      for (size_t j = 0; j < nv; ++j) store(tile.total + (i * nv + j) * F::N, sum[i][j]);
    }
  }
  gemm_tile_store<mr, nv>(tile, sum);
}

using GemmTileKernel = void (*)(const GemmTile&);

struct GemmTileTable {
  GemmTileKernel at[kGemmRows][kGemmVectors][2];  // [mr − 1][nv − 1][partial]
};

template <size_t mr, size_t nv>
constexpr void gemm_tile_table_fill(GemmTileTable& table) {
  table.at[mr - 1][nv - 1][0] = gemm_tile<mr, nv, false>;
  table.at[mr - 1][nv - 1][1] = gemm_tile<mr, nv, true>;
  if constexpr (nv > 1) {
    gemm_tile_table_fill<mr, nv - 1>(table);
  } else if constexpr (mr > 1) {
    gemm_tile_table_fill<mr - 1, kGemmVectors>(table);
  }
}

constexpr GemmTileTable gemm_tile_table() {
  GemmTileTable table{};
  gemm_tile_table_fill<kGemmRows, kGemmVectors>(table);
  return table;
}

constexpr GemmTileTable kGemmTiles = gemm_tile_table();

// Applied to a row of the tile while it is in L1; the very rounding of the unary kernel.
CARILLON_INLINE void gemm_activate(Activation activation, float* c, size_t count) {
  switch (activation) {
#define X(name)                   \
  case Activation::name:          \
    unary_map<name>(c, c, count); \
    break;
#include "activations.def"
#undef X
    case Activation::count:
      break;
  }
}

// Rows of one column panel, cut evenly: 32 = 11 + 11 + 10, never 14 + 14 + 4.
CARILLON_INLINE void gemm_panel(const GemmArguments& arguments, size_t row_begin, size_t row_end, size_t column,
                                size_t columns) {
  GemmTile tile;
  tile.a_row_stride = arguments.a_row_stride;
  tile.a_depth_stride = arguments.a_depth_stride;
  tile.b = arguments.b_packed ? arguments.b + column * arguments.k : arguments.b + column;
  tile.b_stride = arguments.b_packed ? kGemmColumns : arguments.b_stride;
  tile.k = arguments.k;
  tile.c_stride = arguments.c_stride;
  tile.bias = arguments.bias != nullptr ? arguments.bias + column : nullptr;
  tile.accumulate = arguments.accumulate;
  float total[kGemmRows * kGemmColumns];
  tile.total = total;
  const size_t vectors = (columns + F::N - 1) / F::N;
  tile.tail = columns - (vectors - 1) * F::N;
  const bool partial = !arguments.b_packed && tile.tail != F::N;

  const size_t rows = row_end - row_begin;
  const size_t tiles = (rows + kGemmRows - 1) / kGemmRows;
  size_t row = row_begin;
  for (size_t t = 0; t < tiles; ++t) {
    const size_t mr = rows / tiles + (t < rows % tiles ? 1 : 0);
    tile.a = arguments.a + row * arguments.a_row_stride;
    tile.c = arguments.c + row * arguments.c_stride + column;
    kGemmTiles.at[mr - 1][vectors - 1][partial](tile);
    if (arguments.activation != Activation::identity) {
      for (size_t i = 0; i < mr; ++i) gemm_activate(arguments.activation, tile.c + i * tile.c_stride, columns);
    }
    row += mr;
  }
}

void gemm_f32(const GemmArguments& arguments, size_t row_begin, size_t row_end, size_t column_begin,
              size_t column_end) {
  if (row_begin >= row_end) return;
  for (size_t column = column_begin; column < column_end; column += kGemmColumns) {
    gemm_panel(arguments, row_begin, row_end, column, smaller_of(kGemmColumns, column_end - column));
  }
}

// Transposes b [n, k] into panels of k rows of NR floats, N × N elements at a time; columns past n become +0.
void gemm_pack_f32(const float* b, size_t b_stride, size_t n, size_t k, size_t panel_begin, size_t panel_end,
                   float* packed) {
  for (size_t panel = panel_begin; panel < panel_end; ++panel) {
    float* out = packed + panel * kGemmColumns * k;
    for (size_t p = 0; p < k; p += F::N) {
      const size_t depth = smaller_of(F::N, k - p);
      for (size_t v = 0; v < kGemmVectors; ++v) {
        const size_t column = panel * kGemmColumns + v * F::N;
        F rows[F::N];
        for (size_t i = 0; i < F::N; ++i) {
          rows[i] = column + i < n ? load_part(b + (column + i) * b_stride + p, depth) : zero();
        }
        transpose(rows);
        for (size_t i = 0; i < depth; ++i) store(out + (p + i) * kGemmColumns + v * F::N, rows[i]);
      }
    }
  }
}
