// The probes over the vector type F of native/simd; included by probes_<isa>.cc inside the target region of its ISA.

// 32 registers hold 24 chains and two constants, 16 hold 12. Latency times throughput asks for 8 to 10 on cores of
// today.
#ifdef __aarch64__
constexpr size_t kChainGroups = 2;
#else
constexpr size_t kChainGroups = F::N == 16 ? 2 : 1;
#endif
constexpr size_t kGroupChains = 12;

// Factors that the compiler cannot know.
struct Neutral {
  F one, nil;
  CARILLON_INLINE Neutral() {
    volatile float values[2] = {1.0f, 0.0f};
    one = splat(values[0]);
    nil = splat(values[1]);
  }
};

CARILLON_INLINE float sum_of(const F* x, size_t count) {
  float lanes[F::N];
  F sum = x[0];
  for (size_t i = 1; i < count; ++i) sum = add(sum, x[i]);
  store(lanes, sum);
  float total = 0;
  for (float lane : lanes) total += lane;
  return total;
}

float fma_rounds(size_t rounds) {
  const Neutral neutral;
  F x[kChainGroups][kGroupChains];
  for (size_t g = 0; g < kChainGroups; ++g) {
    for (size_t c = 0; c < kGroupChains; ++c) x[g][c] = splat(static_cast<float>(c));
  }
  for (size_t round = 0; round < rounds; ++round) {
    CARILLON_UNROLL
    for (size_t g = 0; g < kChainGroups; ++g) {
      CARILLON_UNROLL
      for (size_t c = 0; c < kGroupChains; ++c) x[g][c] = fma(x[g][c], neutral.one, neutral.nil);
    }
  }
  return sum_of(x[0], kChainGroups * kGroupChains);
}

// Floats ahead of the loop that a prefetch fetches.
constexpr size_t kAhead = 256;

template <int read, int updated, int written, bool ahead>
float stream(float* const* arrays, size_t count) {
  const Neutral neutral;
  F sum[4] = {zero(), zero(), zero(), zero()};
  float* array[read + updated + written];
  for (int a = 0; a < read + updated + written; ++a) array[a] = arrays[a];
  for (size_t i = 0; i < count; i += kStreamStep) {
    if constexpr (ahead) {
      CARILLON_UNROLL
      for (int a = 0; a < read + updated + written; ++a) {
        for (size_t line = 0; line < kStreamStep; line += 16) __builtin_prefetch(array[a] + i + kAhead + line);
      }
    }
    CARILLON_UNROLL
    for (size_t part = 0; part < kStreamStep / F::N; ++part) {
      const size_t lane = i + part * F::N;
      F in = neutral.nil;
      CARILLON_UNROLL
      for (int a = 0; a < read; ++a) in = a == 0 ? load(array[a] + lane) : add(in, load(array[a] + lane));
      if constexpr (read > 0 && updated + written == 0) sum[part % 4] = add(sum[part % 4], in);
      CARILLON_UNROLL
      for (int a = read; a < read + updated; ++a) {
        store(array[a] + lane, fma(in, neutral.nil, load(array[a] + lane)));
      }
      CARILLON_UNROLL
      for (int a = read + updated; a < read + updated + written; ++a) {
        store(array[a] + lane, read > 0 ? fma(in, neutral.nil, neutral.one) : neutral.one);
      }
    }
  }
  return sum_of(sum, 4);
}

constexpr size_t kRowsBefore = 8;

template <int read, int updated>
float rows_by_number(float* const* arrays, const int32_t* rows, size_t count) {
  const Neutral neutral;
  F sum[4] = {zero(), zero(), zero(), zero()};
  for (size_t i = 0; i < count; ++i) {
    if (i + kRowsBefore < count) {
      const size_t next = static_cast<size_t>(rows[i + kRowsBefore]) * kRowFloats;
      CARILLON_UNROLL
      for (int a = 0; a < read + updated; ++a) {
        for (size_t line = 0; line < kRowFloats; line += 16) __builtin_prefetch(arrays[a] + next + line);
      }
    }
    const size_t row = static_cast<size_t>(rows[i]) * kRowFloats;
    CARILLON_UNROLL
    for (size_t part = 0; part < kRowFloats / F::N; ++part) {
      CARILLON_UNROLL
      for (int a = 0; a < read + updated; ++a) {
        float* const place = arrays[a] + row + part * F::N;
        if constexpr (updated == 0) {
          sum[part % 4] = add(sum[part % 4], load(place));
        } else {
          store(place, fma(load(place), neutral.one, neutral.nil));
        }
      }
    }
  }
  return sum_of(sum, 4);
}

template <int read, int updated, int written>
constexpr StreamProbe stream_probe() noexcept {
  return {{read, updated, written}, stream<read, updated, written, false>, stream<read, updated, written, true>};
}

constexpr ProbeTable make_probes(const char* name) noexcept {
  return {
      .name = name,
      .fma = fma_rounds,
      .flops = 2.0 * kChainGroups * kGroupChains * F::N,
      .streams = {stream_probe<0, 1, 0>(), stream_probe<0, 2, 0>(), stream_probe<0, 3, 0>(), stream_probe<0, 4, 0>(),
                  stream_probe<1, 1, 0>(), stream_probe<1, 2, 0>(), stream_probe<1, 3, 0>(), stream_probe<1, 4, 0>(),
                  stream_probe<1, 5, 0>(), stream_probe<1, 0, 0>(), stream_probe<0, 0, 1>(), stream_probe<1, 0, 1>(),
                  stream_probe<2, 0, 1>(), stream_probe<3, 0, 1>(), stream_probe<3, 1, 0>()},
      .rows = {{{1, 0}, rows_by_number<1, 0>},
               {{0, 1}, rows_by_number<0, 1>},
               {{0, 2}, rows_by_number<0, 2>},
               {{0, 3}, rows_by_number<0, 3>}},
  };
}
