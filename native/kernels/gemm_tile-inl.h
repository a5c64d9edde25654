// The register tile of a product: mr rows of `left` times nv vectors of `right`, k walked in order. Two strides of
// `left` and row-major or packed `right` cover all transposes with one template.

// Accumulators must fit the registers together with nv vectors of `right` and a broadcast element of `left`: AVX-512
// 14·2 + 3 of 32, AVX2 6·2 + 3 of 16, NEON 8·2 + 3 of 32 (GCC spills from 20 accumulators on). Scalar: 4·2, not tuned.
constexpr size_t kGemmRows = F::N == 16 ? 14 : F::N == 8 ? 6 : F::N == 4 ? 8 : 4;
constexpr size_t kGemmVectors = 2;
constexpr size_t kGemmColumns = kGemmVectors * F::N;

// Few rows take two or four panels at once: their chains alone would not hide the latency of an FMA (4 cycles, 2 a
// cycle), nor pay for the loads of `right`.
constexpr size_t kGemmRowsOfTwo = F::N == 16 ? 6 : F::N == 8 ? 2 : F::N == 4 ? 4 : 0;
constexpr size_t kGemmRowsOfFour = F::N == 1 ? 0 : F::N == 8 ? 1 : 2;

// Element (i, p) of `left` at left[i·left_row_stride + p·left_depth_stride]. In segments: the first `first` steps of k
// begin at left + segments[0] + skipped, `length` of them at left + segments[1], …; otherwise segments is {0} and first
// is k.
struct GemmTile {
  const float* left;
  const ptrdiff_t* segments;
  size_t skipped;
  size_t first;
  size_t length;
  size_t left_row_stride;
  size_t left_depth_stride;
  const float* right;  // row p at right + p·right_stride, the panels panel_stride apart
  size_t right_stride;
  size_t panel_stride;
  size_t right_gap;   // floats from the end of a segment of k to the next
  size_t right_tail;  // columns of the last vector that `right` has, [1, N]
  size_t k;
  float* t;  // mr rows of nv whole vectors, t_stride apart
  size_t t_stride;
  bool carried;  // chains go on from t
};

// The one segment of a `left` that is in none.
constexpr ptrdiff_t kGemmWhole[1] = {0};

// How a kernel walks: `unit`, left_row_stride is 1; `partial`, the last vector of `right` is loaded by right_tail
// lanes, since nothing is padded there.
enum GemmForm : size_t { kGemmUnit = 1, kGemmPartial = 2, kGemmForms = 4 };

// Depth from which c is fetched ahead.
constexpr size_t kGemmFetched = 64;

// Three rows share a pointer, so that the addresses of all rows fit the integer registers.
constexpr size_t kGemmRowsAPointer = 3;

template <size_t mr, size_t nv, size_t form>
void gemm_tile(const GemmTile& tile) {
  constexpr bool unit = (form & kGemmUnit) != 0;
  constexpr bool partial = (form & kGemmPartial) != 0;
  constexpr size_t pointers = unit ? 1 : (mr + kGemmRowsAPointer - 1) / kGemmRowsAPointer;
  F chain[mr][nv];
  CARILLON_UNROLL
  for (size_t i = 0; i < mr; ++i) {
    CARILLON_UNROLL
    for (size_t j = 0; j < nv; ++j) chain[i][j] = zero();
  }
  if (tile.carried) {
    CARILLON_UNROLL
    for (size_t i = 0; i < mr; ++i) {
      CARILLON_UNROLL
      for (size_t j = 0; j < nv; ++j) chain[i][j] = load(tile.t + i * tile.t_stride + j * F::N);
    }
  }
  const size_t row_stride = tile.left_row_stride;
  const size_t depth_stride = tile.left_depth_stride;
  const size_t right_stride = tile.right_stride;
  const size_t panel_stride = tile.panel_stride;
  const float* right = tile.right;
  // The stores would otherwise wait for lines of c one after another; a short walk over k is no time to fetch them in.
  if (tile.k >= kGemmFetched) {
    CARILLON_UNROLL
    for (size_t i = 0; i < mr; ++i) {
      CARILLON_UNROLL
      for (size_t j = 0; j < nv; ++j) __builtin_prefetch(tile.t + i * tile.t_stride + j * F::N, 1);
    }
  }
  const ptrdiff_t* segment = tile.segments;
  const float* from = tile.left + tile.skipped;
  size_t steps = tile.first;
  for (size_t rest = tile.k; rest != 0; from = tile.left) {
    const float* left[pointers];
    for (size_t r = 0; r < pointers; ++r) left[r] = from + *segment + r * kGemmRowsAPointer * row_stride;
    ++segment;
    rest -= steps;
    for (size_t p = steps; p != 0; --p) {
      F b[nv];
      CARILLON_UNROLL
      for (size_t j = 0; j < nv; ++j) {
        const float* at = right + j / kGemmVectors * panel_stride + j % kGemmVectors * F::N;
        b[j] = partial && j + 1 == nv ? load_part(at, tile.right_tail) : load(at);
      }
      CARILLON_UNROLL
      for (size_t i = 0; i < mr; ++i) {
        const F a = splat(unit ? left[0][i] : left[i / kGemmRowsAPointer][i % kGemmRowsAPointer * row_stride]);
        CARILLON_UNROLL
        for (size_t j = 0; j < nv; ++j) chain[i][j] = fma(a, b[j], chain[i][j]);
      }
      CARILLON_UNROLL
      for (size_t r = 0; r < pointers; ++r) left[r] += depth_stride;
      right += right_stride;
    }
    steps = smaller_of(rest, tile.length);
    right += tile.right_gap;
  }
  float* t = tile.t;
  const size_t t_stride = tile.t_stride;
  CARILLON_UNROLL
  for (size_t i = 0; i < mr; ++i, t += t_stride) {
    CARILLON_UNROLL
    for (size_t j = 0; j < nv; ++j) store(t + j * F::N, chain[i][j]);
  }
}

using GemmTileKernel = void (*)(const GemmTile&);

// Kernels by (mr − 1, nv − 1, form); nv beyond a panel only as the two constants above allow, nullptr elsewhere.
constexpr size_t kGemmMostVectors = 4 * kGemmVectors;

struct GemmTileTable {
  GemmTileKernel at[kGemmRows][kGemmMostVectors][kGemmForms];
};

template <size_t mr, size_t nv>
constexpr void gemm_tile_table_fill(GemmTileTable& table) {
  table.at[mr - 1][nv - 1][0] = gemm_tile<mr, nv, 0>;
  table.at[mr - 1][nv - 1][kGemmUnit] = gemm_tile<mr, nv, kGemmUnit>;
  table.at[mr - 1][nv - 1][kGemmPartial] = gemm_tile<mr, nv, kGemmPartial>;
  table.at[mr - 1][nv - 1][kGemmUnit | kGemmPartial] = gemm_tile<mr, nv, kGemmUnit | kGemmPartial>;
  if constexpr (nv > 1) {
    gemm_tile_table_fill<mr, nv - 1>(table);
  } else if constexpr (mr > 1) {
    gemm_tile_table_fill<mr - 1, kGemmVectors>(table);
  }
}

template <size_t mr, size_t panels>
constexpr void gemm_tile_table_widen(GemmTileTable& table) {
  if constexpr (mr > 0) {
    table.at[mr - 1][panels * kGemmVectors - 1][0] = gemm_tile<mr, panels * kGemmVectors, 0>;
    table.at[mr - 1][panels * kGemmVectors - 1][kGemmUnit] = gemm_tile<mr, panels * kGemmVectors, kGemmUnit>;
    gemm_tile_table_widen<mr - 1, panels>(table);
  }
}

constexpr GemmTileTable gemm_tile_table() {
  GemmTileTable table{};
  gemm_tile_table_fill<kGemmRows, kGemmVectors>(table);
  gemm_tile_table_widen<kGemmRowsOfTwo, 2>(table);
  gemm_tile_table_widen<kGemmRowsOfFour, 4>(table);
  return table;
}

constexpr GemmTileTable kGemmTiles = gemm_tile_table();

// Panels that a tile of mr rows takes at once.
constexpr size_t gemm_panels_at_once(size_t mr) { return mr <= kGemmRowsOfFour ? 4 : mr <= kGemmRowsOfTwo ? 2 : 1; }
