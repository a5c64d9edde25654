// Packing of the operands of a product: copies that the tiles walk with stride 1. Transposes go through registers, N ×
// N elements at a time.

// right: element (p, j) at right[j·stride + p]; one panel of columns [column, column + kGemmColumns).
CARILLON_INLINE void gemm_pack_panel_transposed(const float* right, size_t stride, size_t columns, size_t k,
                                                size_t column, float* out) {
  for (size_t p = 0; p < k; p += F::N) {
    const size_t depth = smaller_of(F::N, k - p);
    for (size_t v = 0; v < kGemmVectors; ++v) {
      const size_t first = column + v * F::N;
      F rows[F::N];
      if (depth == F::N && first + F::N <= columns) {
        CARILLON_UNROLL
        for (size_t i = 0; i < F::N; ++i) rows[i] = load(right + (first + i) * stride + p);
      } else {
        for (size_t i = 0; i < F::N; ++i) {
          rows[i] = first + i < columns ? load_part(right + (first + i) * stride + p, depth) : zero();
        }
      }
      transpose(rows);
      float* to = out + p * kGemmColumns + v * F::N;
      if (depth == F::N) {
        CARILLON_UNROLL
        for (size_t i = 0; i < F::N; ++i) store(to + i * kGemmColumns, rows[i]);
      } else {
        for (size_t i = 0; i < depth; ++i) store(to + i * kGemmColumns, rows[i]);
      }
    }
  }
}

// Rows of k that are copied to one panel or tile before the next: a cache line of the source that two of them share is
// then read once, and rows a multiple of 4 KB apart, which share the places of one set of the first level, fit there.
constexpr size_t kGemmPackRows = 8;

// right: row p at right + p·stride; rows [p, p_end) of one panel.
CARILLON_INLINE void gemm_pack_panel_rows(const float* right, size_t stride, size_t columns, size_t column, size_t p,
                                          size_t p_end, float* out) {
  const size_t count = smaller_of(kGemmColumns, columns - column);
  for (; p < p_end; ++p) {
    const float* row = right + p * stride + column;
    float* to = out + p * kGemmColumns;
    for (size_t line = 0; line < kGemmColumns; line += kLine) prefetch(row + line, kGemmPackRows * stride);
    for (size_t v = 0; v < kGemmVectors; ++v) {
      const size_t at = v * F::N;
      store(to + at, count >= at + F::N ? load(row + at) : count > at ? load_part(row + at, count - at) : zero());
    }
  }
}

// Panels [panel_begin, panel_end), the first of them at `out`.
void gemm_pack_panels(const float* right, size_t stride, bool transposed, size_t columns, size_t k, size_t panel_begin,
                      size_t panel_end, float* out) {
  if (transposed) {
    for (size_t panel = panel_begin; panel < panel_end; ++panel, out += kGemmColumns * k) {
      gemm_pack_panel_transposed(right, stride, columns, k, panel * kGemmColumns, out);
    }
    return;
  }
  for (size_t p = 0; p < k; p += kGemmPackRows) {
    const size_t p_end = smaller_of(k, p + kGemmPackRows);
    float* to = out;
    for (size_t panel = panel_begin; panel < panel_end; ++panel, to += kGemmColumns * k) {
      gemm_pack_panel_rows(right, stride, columns, panel * kGemmColumns, p, p_end, to);
    }
  }
}

void gemm_pack_right_f32(const float* right, size_t stride, bool transposed, size_t columns, size_t k,
                         size_t panel_begin, size_t panel_end, float* packed) {
  gemm_pack_panels(right, stride, transposed, columns, k, panel_begin, panel_end,
                   packed + panel_begin * kGemmColumns * k);
}

// left: element (i, p) at left[p·depth_stride + i]; elements [row, row + mr) of rows [p, p_end), to k rows of mr.
CARILLON_INLINE void gemm_pack_tile(const float* left, size_t depth_stride, size_t row, size_t mr, size_t p,
                                    size_t p_end, float* out) {
  if (mr <= F::N) {
    // Whole vectors: what lies behind a row is overwritten by the next.
    for (; p + 1 < p_end; ++p) store(out + p * mr, load(left + p * depth_stride + row));
  }
  for (; p < p_end; ++p) {
    for (size_t r = 0; r < mr; r += F::N) {
      const size_t count = smaller_of(F::N, mr - r);
      store_part(out + p * mr + r, load_part(left + p * depth_stride + row + r, count), count);
    }
  }
}

void gemm_pack_left_f32(const float* left, size_t row_stride, size_t depth_stride, size_t rows, size_t k,
                        size_t tile_from, size_t tile_to, float* packed) {
  const size_t tiles = tiles_of(rows, kGemmRows);
  for (size_t begin = 0; begin < k; begin += kDepthChunk) {
    const size_t depth = smaller_of(kDepthChunk, k - begin);
    float* out = packed + gemm_left_chunk(rows, begin);
    const float* from = left + begin * depth_stride;
    if (depth_stride == 1) {
      const size_t row_end = tile_begin(rows, tiles, tile_to);
      for (size_t row = tile_begin(rows, tiles, tile_from); row < row_end; ++row) {
        __builtin_memcpy(out + row * (depth + kLeftPadding), from + row * row_stride, depth * sizeof(float));
      }
      continue;
    }
    for (size_t p = 0; p < depth; p += kGemmPackRows) {
      const size_t p_end = smaller_of(depth, p + kGemmPackRows);
      for (size_t tile = tile_from; tile < tile_to; ++tile) {
        const size_t row = tile_begin(rows, tiles, tile);
        const size_t mr = tile_begin(rows, tiles, tile + 1) - row;
        gemm_pack_tile(from, depth_stride, row, mr, p, p_end, out + row * depth);
      }
    }
  }
}
