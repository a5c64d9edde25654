// Products c = x·Wᵀ of weights that were packed once: panels of kGemmColumns outputs, one row of them a p, as
// gemm_pack_right_f32 makes them, in three forms. Every element is the sequence of gemm_f32 over the widened weights.
//   f32:  as they are
//   bf16: the upper halves of the floats, rounded to nearest even. A 32-bit lane of a row holds two outputs, lane l in
//         its low half and lane N + l in its high half, so that a shift and an and widen them
//   int8: integers q in [−127, 127] with a scale an output; the chain runs over float(q), its sum is multiplied

static_assert(kGemmVectors == 2, "a lane of bf16 holds two outputs");

// One row of a panel.
template <WeightForm form>
CARILLON_INLINE void frozen_load(const unsigned char* at, F* w) {
  if constexpr (form == WeightForm::f32) {
    const float* row = reinterpret_cast<const float*>(at);
    w[0] = load(row);
    w[1] = load(row + F::N);
  } else if constexpr (form == WeightForm::bf16) {
    const U pair = load_u(reinterpret_cast<const uint32_t*>(at));
    w[0] = from_bits(shift_left<16>(pair));
    w[1] = from_bits(bit_and(pair, splat_u(0xffff0000u)));
  } else {
    w[0] = load_i8(reinterpret_cast<const signed char*>(at));
    w[1] = load_i8(reinterpret_cast<const signed char*>(at) + F::N);
  }
}

// ---- A few rows --------------------------------------------------------------------------------------------

// Rows of a tile at most, and the panels that it takes at once: chains that hide the latency of an FMA, in the
// registers that the widening leaves.
constexpr size_t kFrozenRows = F::N == 16 ? 6 : F::N == 1 ? 1 : 4;
constexpr size_t frozen_panels_at_once(size_t rows) {
  if (F::N == 1) return 1;
  if (F::N == 8) return rows == 1 ? 4 : rows == 2 ? 2 : 1;
  return rows <= 2 ? 4 : 2;
}

struct FrozenTile {
  const float* x;  // [rows, depth], rows x_stride apart
  size_t x_stride;
  const unsigned char* weights;
  size_t panel_stride;  // bytes
  size_t depth;
  float* sums;  // [rows, panels·kGemmColumns]
  bool carry;   // added to what is there
};

// Bytes ahead of the walk that are asked for: a page, as the hardware foresees nothing beyond the border of one. 8 MB
// from the third level pass in 221 to 260 µs so and in 290 µs without (Sapphire Rapids); 256 to 2048 bytes change
// nothing, nor does a second line a row.
constexpr size_t kFrozenAhead = 4096;

template <WeightForm form, size_t rows, size_t panels>
void frozen_tile(const FrozenTile& tile) {
  constexpr size_t row_bytes = kGemmColumns * form_bytes(form).weight;
  constexpr size_t nv = panels * kGemmVectors;
  F chain[rows][nv];
  CARILLON_UNROLL
  for (size_t i = 0; i < rows; ++i) {
    CARILLON_UNROLL
    for (size_t j = 0; j < nv; ++j) chain[i][j] = zero();
  }
  const unsigned char* weights = tile.weights;
  const size_t panel_stride = tile.panel_stride;
  const size_t x_stride = tile.x_stride;
  const float* x = tile.x;
  for (size_t p = tile.depth; p != 0; --p, ++x, weights += row_bytes) {
    CARILLON_UNROLL
    for (size_t q = 0; q < panels; ++q) {
      F w[kGemmVectors];
      const unsigned char* at = weights + q * panel_stride;
      frozen_load<form>(at, w);
      __builtin_prefetch(__builtin_bit_cast(const void*, reinterpret_cast<uintptr_t>(at) + kFrozenAhead));
      CARILLON_UNROLL
      for (size_t i = 0; i < rows; ++i) {
        const F a = splat(x[i * x_stride]);
        chain[i][2 * q] = fma(a, w[0], chain[i][2 * q]);
        chain[i][2 * q + 1] = fma(a, w[1], chain[i][2 * q + 1]);
      }
    }
  }
  float* sums = tile.sums;
  CARILLON_UNROLL
  for (size_t i = 0; i < rows; ++i, sums += nv * F::N) {
    CARILLON_UNROLL
    for (size_t j = 0; j < nv; ++j) {
      float* to = sums + j * F::N;
      store(to, tile.carry ? add(load(to), chain[i][j]) : chain[i][j]);
    }
  }
}

using FrozenTileKernel = void (*)(const FrozenTile&);

// By (rows − 1, log₂ panels); nullptr where a tile of so many rows takes fewer at once.
struct FrozenTileTable {
  FrozenTileKernel at[kFrozenRows][3];
};

template <WeightForm form, size_t rows>
constexpr void frozen_table_fill(FrozenTileTable& table) {
  table.at[rows - 1][0] = frozen_tile<form, rows, 1>;
  if constexpr (frozen_panels_at_once(rows) >= 2) table.at[rows - 1][1] = frozen_tile<form, rows, 2>;
  if constexpr (frozen_panels_at_once(rows) >= 4) table.at[rows - 1][2] = frozen_tile<form, rows, 4>;
  if constexpr (rows > 1) frozen_table_fill<form, rows - 1>(table);
}

template <WeightForm form>
constexpr FrozenTileTable frozen_table() {
  FrozenTileTable table{};
  frozen_table_fill<form, kFrozenRows>(table);
  return table;
}

template <WeightForm form>
constexpr FrozenTileTable kFrozenTiles = frozen_table<form>();

// c = relu(sum·scale + bias), each only where wanted and a rounding of its own.
CARILLON_INLINE F frozen_finished(const FrozenTask& task, F sum, size_t column, size_t count) {
  if (task.scales != nullptr) sum = mul(sum, load_part(task.scales + column, count));
  if (task.bias != nullptr) sum = add(sum, load_part(task.bias + column, count));
  return task.rectified ? relu(sum) : sum;
}

void frozen_store(const FrozenTask& task, const float* sums, size_t stride, size_t row, size_t rows, size_t column,
                  size_t columns) {
  for (size_t j = 0; j < columns; j += F::N) {
    const size_t count = smaller_of(F::N, columns - j);
    for (size_t i = 0; i < rows; ++i) {
      float* c = task.c + (row + i) * task.c_stride + column + j;
      const F x = frozen_finished(task, load(sums + i * stride + j), column + j, count);
      if (count == F::N) {
        store(c, x);
      } else {
        store_part(c, x, count);
      }
    }
  }
}

template <WeightForm form>
void frozen_product(const FrozenTask& task, size_t panel_begin, size_t panel_end) {
  constexpr size_t row_bytes = kGemmColumns * form_bytes(form).weight;
  const size_t tiles = tiles_of(task.rows, kFrozenRows);
  const size_t at_once = frozen_panels_at_once(tiles_of(task.rows, tiles));
  float sums[kFrozenRows * kGemmMostVectors * F::N];
  FrozenTile tile;
  tile.x_stride = task.k;
  tile.panel_stride = task.k * row_bytes;
  tile.sums = sums;
  for (size_t panel = panel_begin; panel < panel_end;) {
    size_t taken = at_once, log = at_once == 4 ? 2 : at_once == 2 ? 1 : 0;
    for (; taken > panel_end - panel; taken /= 2) --log;
    const unsigned char* weights = task.weights + panel * tile.panel_stride;
    const size_t column = panel * kGemmColumns;
    const size_t columns = smaller_of(taken * kGemmColumns, task.columns - column);
    for (size_t t = 0; t < tiles; ++t) {
      const size_t row = tile_begin(task.rows, tiles, t), rows = tile_begin(task.rows, tiles, t + 1) - row;
      size_t begin = 0;
      do {
        tile.depth = smaller_of(kDepthChunk, task.k - begin);
        tile.x = task.x + row * task.k + begin;
        tile.weights = weights + begin * row_bytes;
        tile.carry = begin != 0;
        kFrozenTiles<form>.at[rows - 1][log](tile);
        begin += tile.depth;
      } while (begin < task.k);
      frozen_store(task, sums, taken * kGemmColumns, row, rows, column, columns);
    }
    panel += taken;
  }
}

// What is left to do to sums that gemm_f32 has put into columns [column_begin, column_end) of c.
void frozen_finish(const FrozenTask& task, size_t column_begin, size_t column_end) {
  for (size_t r = 0; r < task.rows; ++r) {
    float* c = task.c + r * task.c_stride;
    for (size_t j = column_begin; j < column_end; j += F::N) {
      const size_t count = smaller_of(F::N, column_end - j);
      store_part(c + j, frozen_finished(task, load_part(c + j, count), j, count), count);
    }
  }
}

// ---- Forms -------------------------------------------------------------------------------------------------

// `rows` rows of a panel as f32; int8 without its scale.
template <WeightForm form>
void frozen_widen(const unsigned char* packed, size_t rows, float* out) {
  for (; rows != 0; --rows, packed += kGemmColumns * form_bytes(form).weight, out += kGemmColumns) {
    F w[kGemmVectors];
    frozen_load<form>(packed, w);
    store(out, w[0]);
    store(out + F::N, w[1]);
  }
}

// The upper half of the nearest bf16, ties to even; NaN stays NaN.
CARILLON_INLINE U frozen_round_bf16(F x) {
  const U u = bits(x);
  const U odd = bit_and(shift_right<16>(u), splat_u(1));
  const U rounded = shift_right<16>(add(add(u, splat_u(0x7fff)), odd));
  return select(unordered(x, x), splat_u(0x7fc0), rounded);
}

// The integer nearest to x, ties to even, within ±127; NaN gives 0.
CARILLON_INLINE F frozen_round_int8(F x) {
  const F most = splat(127.0f), shift = splat(0x1.8p23f);
  x = select(less(most, x), most, x);
  x = select(less(x, negate(most)), negate(most), x);
  x = select(unordered(x, x), zero(), x);
  return sub(add(x, shift), shift);
}

template <WeightForm form>
CARILLON_INLINE void frozen_narrow(const float* row, const float* scales, unsigned char* out) {
  if constexpr (form == WeightForm::f32) {
    __builtin_memcpy(out, row, kGemmColumns * sizeof(float));
  } else if constexpr (form == WeightForm::bf16) {
    const U low = frozen_round_bf16(load(row)), high = frozen_round_bf16(load(row + F::N));
    store_u(reinterpret_cast<uint32_t*>(out), bit_or(low, shift_left<16>(high)));
  } else {
    float integers[kGemmColumns];
    for (size_t v = 0; v < kGemmColumns; v += F::N) {
      store(integers + v, frozen_round_int8(div(load(row + v), load(scales + v))));
    }
    for (size_t i = 0; i < kGemmColumns; ++i) {
      out[i] = static_cast<unsigned char>(static_cast<signed char>(static_cast<int32_t>(integers[i])));
    }
  }
}

// Rows of a panel that are transposed before they are narrowed: they stay in L1.
constexpr size_t kFrozenSlice = 64;

CARILLON_INLINE void frozen_slice(const FrozenPacking& task, size_t panel, size_t p, size_t depth, float* out) {
  const float* from = task.weights + p * (task.along_depth ? 1 : task.stride);
  gemm_pack_panels(from, task.stride, task.along_depth, task.columns, depth, panel, panel + 1, out);
}

// scale = max|w|/127 of each output of a panel; NaN where a weight is not finite.
CARILLON_INLINE void frozen_scales(const FrozenPacking& task, size_t panel, float* scales) {
  float slice[kFrozenSlice * kGemmColumns];
  F most[kGemmVectors], poison[kGemmVectors];
  for (size_t v = 0; v < kGemmVectors; ++v) most[v] = poison[v] = zero();
  for (size_t p = 0; p < task.k; p += kFrozenSlice) {
    const size_t depth = smaller_of(kFrozenSlice, task.k - p);
    frozen_slice(task, panel, p, depth, slice);
    for (size_t i = 0; i < depth; ++i) {
      for (size_t v = 0; v < kGemmVectors; ++v) {
        const F w = load(slice + i * kGemmColumns + v * F::N);
        most[v] = select(less(most[v], abs(w)), abs(w), most[v]);
        poison[v] = fma(w, zero(), poison[v]);
      }
    }
  }
  for (size_t v = 0; v < kGemmVectors; ++v) {
    store(scales + v * F::N, add(div(most[v], splat(127.0f)), poison[v]));
  }
}

template <WeightForm form>
void frozen_pack(const FrozenPacking& task, size_t panel_begin, size_t panel_end) {
  constexpr size_t row_bytes = kGemmColumns * form_bytes(form).weight;
  float slice[kFrozenSlice * kGemmColumns];
  for (size_t panel = panel_begin; panel < panel_end; ++panel) {
    float* scales = task.scales == nullptr ? nullptr : task.scales + panel * kGemmColumns;
    if (form == WeightForm::int8) frozen_scales(task, panel, scales);
    unsigned char* out = task.packed + panel * task.k * row_bytes;
    for (size_t p = 0; p < task.k; p += kFrozenSlice) {
      const size_t depth = smaller_of(kFrozenSlice, task.k - p);
      frozen_slice(task, panel, p, depth, slice);
      for (size_t i = 0; i < depth; ++i, out += row_bytes) frozen_narrow<form>(slice + i * kGemmColumns, scales, out);
    }
  }
}
