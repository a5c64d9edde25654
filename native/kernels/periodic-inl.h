// Periodic embeddings of numbers: waves of each column's own, mixed by weights of its own, and their gradients. The
// roundings are those of the operations that they consist of: (x·factor)·frequency + phase, cosine, products by the
// weights, sums over frequencies of row sums, bias.

// `whole`: there are whole registers of frequencies, and every count is F::N.
template <bool whole>
CARILLON_INLINE F periodic_load(const float* x, size_t count) {
  return whole ? load(x) : load_part(x, count);
}

// The turns of a column's waves from the frequency at `at` on, of a = x·factor.
template <bool whole>
CARILLON_INLINE F periodic_turn(const PeriodicTask& task, F a, size_t at, size_t count) {
  return add(mul(a, periodic_load<whole>(task.frequency + at, count)), periodic_load<whole>(task.phase + at, count));
}

// y: [rows, columns·mixes]. The sums of a row stand side by side in y, so that N of them are finished at once.
template <bool whole>
CARILLON_INLINE void periodic_rows(const PeriodicTask& task, const float* x, float* y, size_t rows) {
  const size_t k = task.frequencies;
  const size_t sums = task.columns * task.mixes;
  const F factor = splat(task.factor);
  float waves[kMostFrequencies + kLanes];  // behind the last frequency anything finite
  for (size_t row = 0; row < rows; ++row, x += task.columns, y += sums) {
    F lanes[F::N * kRegisters];
    size_t sum = 0, held = 0;
    for (size_t column = 0; column < task.columns; ++column) {
      const F a = mul(splat(x[column]), factor);
      for (size_t i = 0; i < k; i += F::N)
        store(waves + i, cos(periodic_turn<whole>(task, a, column * k + i, smaller_of(F::N, k - i))));
      for (size_t mix = 0; mix < task.mixes; ++mix) {
        const float* weight = task.weight + (column * task.mixes + mix) * k;
        F* chains = lanes + held * kRegisters;
        for (size_t r = 0; r < kRegisters; ++r) chains[r] = zero();
        // A chain is never −0, so what is missing of the last lanes adds +0.
        for (size_t i = 0, r = 0; i < k; i += F::N, r = (r + 1) % kRegisters) {
          const size_t count = smaller_of(F::N, k - i);
          chains[r] =
              add(chains[r], mul(periodic_load<whole>(waves + i, count), periodic_load<whole>(weight + i, count)));
        }
        if (++held < F::N && sum + held < sums) continue;
        for (size_t r = held * kRegisters; r < F::N * kRegisters; ++r) lanes[r] = zero();
        store_part(y + sum, add(add_trees(lanes), load_part(task.bias + sum, held)), held);
        sum += held;
        held = 0;
      }
    }
  }
}

void periodic_f32(const PeriodicTask& task, const float* x, float* y, size_t rows) {
  if (task.frequencies % F::N == 0) {
    periodic_rows<true>(task, x, y, rows);
  } else {
    periodic_rows<false>(task, x, y, rows);
  }
}

// Adds one term of a chain a column.
template <bool whole>
CARILLON_INLINE void periodic_add(float* chain, F term, size_t count) {
  if (whole) {
    store(chain, add(load(chain), term));
  } else {
    store_part(chain, add(load_part(chain, count), term), count);
  }
}

// Adds the rows [0, rows) to chains of the columns [begin, end): of the weights [columns, mixes, frequencies], and of
// phases and frequencies, [columns, frequencies] each. g: what flows back to y.
template <bool whole>
CARILLON_INLINE void periodic_gradient_rows(const PeriodicTask& task, const PeriodicChains& chains, const float* x,
                                            const float* g, size_t rows, size_t begin, size_t end) {
  const size_t k = task.frequencies, mixes = task.mixes;
  const F factor = splat(task.factor);
  for (size_t row = 0; row < rows; ++row, x += task.columns, g += task.columns * mixes) {
    for (size_t column = begin; column < end; ++column) {
      const F a = mul(splat(x[column]), factor);
      for (size_t i = 0; i < k; i += F::N) {
        const size_t count = smaller_of(F::N, k - i), at = column * k + i;
        const F turn = periodic_turn<whole>(task, a, at, count);
        const F wave = cos(turn);
        F flow = zero();
        for (size_t mix = 0; mix < mixes; ++mix) {
          const F flowing = splat(g[column * mixes + mix]);
          const size_t weight = (column * mixes + mix) * k + i;
          periodic_add<whole>(chains.weight + weight, mul(flowing, wave), count);
          flow = add(flow, mul(flowing, periodic_load<whole>(task.weight + weight, count)));
        }
        const F slope = mul(flow, negate(sin(turn)));
        periodic_add<whole>(chains.phase + at, slope, count);
        periodic_add<whole>(chains.frequency + at, mul(slope, a), count);
      }
    }
  }
}

void periodic_gradient_f32(const PeriodicTask& task, const PeriodicChains& chains, const float* x, const float* g,
                           size_t rows, size_t begin, size_t end) {
  if (task.frequencies % F::N == 0) {
    periodic_gradient_rows<true>(task, chains, x, g, rows, begin, end);
  } else {
    periodic_gradient_rows<false>(task, chains, x, g, rows, begin, end);
  }
}
