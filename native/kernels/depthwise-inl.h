// Depthwise convolutions: every channel with a kernel of its own, channels as vectors. Sums are those of the product
// over segments (gemm-inl.h), in its order: taps of a place, or places of a tap, one chain of fused multiply-adds each.

// Places at once: their chains hide the latency of an FMA (4 cycles, 2 a cycle), and share the loads of the weights.
constexpr size_t kDepthwisePlaces = 8;

// Taps of a weight gradient at once: their pointers fit the integer registers beside those of the walk.
constexpr size_t kDepthwiseTaps = 9;

// Sums of `places` places from `place` on, of the channels from `channel` on, `count` of them, side by side in t.
template <size_t places, bool whole>
CARILLON_INLINE void depthwise_tile(const GemmTask& task, size_t place, size_t channel, size_t count, float* t,
                                    size_t t_stride) {
  F chain[places];
  CARILLON_UNROLL
  for (size_t i = 0; i < places; ++i) chain[i] = zero();
  const size_t stride = task.left_row_stride;
  const float* const left = task.left + place * stride + channel;
  const float* weight = task.right + channel;
  for (size_t tap = 0; tap < task.k; ++tap, weight += task.right_stride) {
    const float* const x = left + task.segments[tap];
    const F w = load(weight);
    CARILLON_UNROLL
    for (size_t i = 0; i < places; ++i) {
      const float* const at = x + i * stride;
      chain[i] = fma(whole ? load(at) : load_part(at, count), w, chain[i]);
    }
  }
  CARILLON_UNROLL
  for (size_t i = 0; i < places; ++i) store(t + i * t_stride, chain[i]);
}

// Channels of `places` places from `place` on, finished.
template <size_t places>
void depthwise_places(const GemmTask& task, const GemmStore& put, bool finish, size_t place) {
  for (size_t channel = 0; channel < task.columns; channel += F::N) {
    const size_t count = smaller_of(F::N, task.columns - channel);
    if (put.plain() && count == F::N) {
      depthwise_tile<places, true>(task, place, channel, count, task.c + place * task.c_stride + channel,
                                   task.c_stride);
      continue;
    }
    float sums[places * F::N];
    if (count == F::N) {
      depthwise_tile<places, true>(task, place, channel, count, sums, F::N);
    } else {
      depthwise_tile<places, false>(task, place, channel, count, sums, F::N);
    }
    gemm_store_rows(task, {sums, F::N, place, places, channel, count}, put);
  }
  if (finish) gemm_finish(task, place, 0, places, task.columns);
}

using DepthwisePlaces = void (*)(const GemmTask&, const GemmStore&, bool, size_t);

// Kernels by their places − 1.
struct DepthwiseTable {
  DepthwisePlaces at[kDepthwisePlaces];
};

template <size_t places>
constexpr void depthwise_table_fill(DepthwiseTable& table) {
  table.at[places - 1] = depthwise_places<places>;
  if constexpr (places > 1) depthwise_table_fill<places - 1>(table);
}

constexpr DepthwiseTable depthwise_table() {
  DepthwiseTable table{};
  depthwise_table_fill<kDepthwisePlaces>(table);
  return table;
}

constexpr DepthwiseTable kDepthwise = depthwise_table();

void depthwise_f32(const GemmTask& task) {
  const GemmChunk chunk(0, task.k);
  const GemmStore put(task, chunk);
  const bool finish = (task.activation != Activation::identity && task.activation != Activation::relu) ||
                      task.backward != Backward::none;
  const size_t tiles = tiles_of(task.rows, kDepthwisePlaces);
  for (size_t tile = 0; tile < tiles; ++tile) {
    const size_t begin = tile_begin(task.rows, tiles, tile), end = tile_begin(task.rows, tiles, tile + 1);
    kDepthwise.at[end - begin - 1](task, put, finish, begin);
  }
}

// Adds the terms of `places` places to the chains of `taps` taps, of the channels from `channel` on.
template <size_t taps, bool whole>
CARILLON_INLINE void depthwise_weight_taps(const DepthwiseWeightTask& task, const float* x, const float* g,
                                           size_t places, size_t tap, size_t channel, size_t count) {
  F chain[taps];
  const float* from[taps];
  float* const sums = task.sums + tap * task.sums_stride + channel;
  CARILLON_UNROLL
  for (size_t i = 0; i < taps; ++i) {
    chain[i] = load(sums + i * task.sums_stride);
    from[i] = x + task.taps[tap + i] + channel;
  }
  size_t at = 0;
  g += channel;
  for (size_t place = 0; place < places; ++place, at += task.x_stride, g += task.g_stride) {
    const F flow = whole ? load(g) : load_part(g, count);
    CARILLON_UNROLL
    for (size_t i = 0; i < taps; ++i) {
      chain[i] = fma(whole ? load(from[i] + at) : load_part(from[i] + at, count), flow, chain[i]);
    }
  }
  CARILLON_UNROLL
  for (size_t i = 0; i < taps; ++i) store(sums + i * task.sums_stride, chain[i]);
}

template <size_t taps>
void depthwise_weight_channels(const DepthwiseWeightTask& task, const float* x, const float* g, size_t places,
                               size_t tap) {
  for (size_t channel = 0; channel < task.channels; channel += F::N) {
    const size_t count = smaller_of(F::N, task.channels - channel);
    if (count == F::N) {
      depthwise_weight_taps<taps, true>(task, x, g, places, tap, channel, count);
    } else {
      depthwise_weight_taps<taps, false>(task, x, g, places, tap, channel, count);
    }
  }
}

using DepthwiseTaps = void (*)(const DepthwiseWeightTask&, const float*, const float*, size_t, size_t);

// Kernels by their taps − 1.
struct DepthwiseWeightTable {
  DepthwiseTaps at[kDepthwiseTaps];
};

template <size_t taps>
constexpr void depthwise_weight_table_fill(DepthwiseWeightTable& table) {
  table.at[taps - 1] = depthwise_weight_channels<taps>;
  if constexpr (taps > 1) depthwise_weight_table_fill<taps - 1>(table);
}

constexpr DepthwiseWeightTable depthwise_weight_table() {
  DepthwiseWeightTable table{};
  depthwise_weight_table_fill<kDepthwiseTaps>(table);
  return table;
}

constexpr DepthwiseWeightTable kDepthwiseWeight = depthwise_weight_table();

void depthwise_weight_f32(const DepthwiseWeightTask& task) {
  for (size_t tap = 0; tap < task.tap_count; ++tap) {
    for (size_t channel = 0; channel < task.channels; channel += F::N) {
      store(task.sums + tap * task.sums_stride + channel, zero());
    }
  }
  const size_t batches = tiles_of(task.tap_count, kDepthwiseTaps);
  const float* g = task.g;
  size_t skipped = task.segment_skip;
  const ptrdiff_t* segment = task.segments;
  for (size_t rest = task.places; rest != 0; ++segment) {
    const size_t places = smaller_of(rest, task.segment_length - skipped);
    const float* const x = task.x + *segment + skipped * task.x_stride;
    for (size_t batch = 0; batch < batches; ++batch) {
      const size_t begin = tile_begin(task.tap_count, batches, batch);
      const size_t end = tile_begin(task.tap_count, batches, batch + 1);
      kDepthwiseWeight.at[end - begin - 1](task, x, g, places, begin);
    }
    g += places * task.g_stride;
    rest -= places;
    skipped = 0;
  }
}
