// Softmax, its logarithm, cross entropy and argmax over few columns: N rows at once, one a lane, where a row fits into
// a register. The very operations of softmax-inl.h in its order: what a missing lane would add there, −inf to a maximum
// and +0 to a sum that is never −0, changes nothing and is left out here.

constexpr size_t kNarrowColumns = F::N >= 4 ? F::N : 0;

CARILLON_INLINE bool is_narrow(size_t columns) { return columns != 0 && columns <= kNarrowColumns; }

// N rows of which `rows` exist, by column; then their maxima, e = exp(x − max) and Σe.
struct NarrowRows {
  F x[F::N], e[F::N], max, sum;

  CARILLON_INLINE NarrowRows(const float* from, size_t rows, size_t columns) {
    CARILLON_UNROLL
    for (size_t r = 0; r < F::N; ++r) x[r] = r < rows ? load_part(from + r * columns, columns) : zero();
    transpose(x);
    F tree[F::N];
    for (size_t c = 0; c < columns; ++c) tree[c] = x[c];
    CARILLON_UNROLL
    for (size_t step = F::N / 2, live = columns; step != 0; step /= 2) {
      for (size_t c = 0; c + step < live; ++c) tree[c] = maximum(tree[c], tree[c + step]);
      live = smaller_of(live, step);
    }
    max = tree[0];
  }

  CARILLON_INLINE void exponentials(size_t columns) {
    F tree[F::N];
    for (size_t c = 0; c < columns; ++c) tree[c] = e[c] = exp(sub(x[c], max));
    CARILLON_UNROLL
    for (size_t step = F::N / 2, live = columns; step != 0; step /= 2) {
      for (size_t c = 0; c + step < live; ++c) tree[c] = add(tree[c], tree[c + step]);
      live = smaller_of(live, step);
    }
    sum = tree[0];
  }

  // log Σe − (x[label] − max)
  CARILLON_INLINE F loss(I label, size_t columns) const {
    F at_label = x[0];
    for (size_t c = 1; c < columns; ++c) {
      at_label = select(equal(label, splat_i(static_cast<int32_t>(c))), x[c], at_label);
    }
    return sub(log(sum), sub(at_label, max));
  }

  // e = flush((e / Σe − (column = label))·g)
  CARILLON_INLINE void gradient(I label, F g, size_t columns) {
    for (size_t c = 0; c < columns; ++c) {
      const F onehot = select(equal(label, splat_i(static_cast<int32_t>(c))), splat(1.0f), zero());
      e[c] = flush(mul(sub(div(e[c], sum), onehot), g));
    }
  }

  // e by rows again.
  CARILLON_INLINE void store_rows(float* to, size_t rows, size_t columns) {
    for (size_t c = columns; c < F::N; ++c) e[c] = zero();
    transpose(e);
    for (size_t r = 0; r < rows; ++r) store_part(to + r * columns, e[r], columns);
  }
};

CARILLON_INLINE I load_labels(const int32_t* labels, size_t count) {
  uint32_t lanes[F::N] = {};
  __builtin_memcpy(lanes, labels, count * sizeof(uint32_t));
  return as_i(load_u(lanes));
}

// g[r·stride] of the rows.
CARILLON_INLINE F load_strided(const float* g, size_t stride, size_t count) {
  if (stride == 0) return splat(*g);
  if (stride == 1) return load_part(g, count);
  float lanes[F::N] = {};
  for (size_t r = 0; r < count; ++r) lanes[r] = g[r * stride];
  return load(lanes);
}

void softmax_narrow(const float* x, float* y, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r += F::N) {
    const size_t count = smaller_of(F::N, rows - r);
    NarrowRows narrow(x + r * columns, count, columns);
    narrow.exponentials(columns);
    for (size_t c = 0; c < columns; ++c) narrow.e[c] = div(narrow.e[c], narrow.sum);
    narrow.store_rows(y + r * columns, count, columns);
  }
}

void log_softmax_narrow(const float* x, float* y, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r += F::N) {
    const size_t count = smaller_of(F::N, rows - r);
    NarrowRows narrow(x + r * columns, count, columns);
    narrow.exponentials(columns);
    const F sum = log(narrow.sum);
    for (size_t c = 0; c < columns; ++c) narrow.e[c] = sub(sub(narrow.x[c], narrow.max), sum);
    narrow.store_rows(y + r * columns, count, columns);
  }
}

// Losses where `losses` is not nullptr, their gradient where `y` is not.
void cross_entropy_narrow(const float* x, const int32_t* labels, const float* g, size_t g_stride, float* losses,
                          float* y, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r += F::N) {
    const size_t count = smaller_of(F::N, rows - r);
    NarrowRows narrow(x + r * columns, count, columns);
    narrow.exponentials(columns);
    const I label = load_labels(labels + r, count);
    if (losses != nullptr) store_part(losses + r, narrow.loss(label, columns), count);
    if (y == nullptr) continue;
    narrow.gradient(label, load_strided(g + r * g_stride, g_stride, count), columns);
    narrow.store_rows(y + r * columns, count, columns);
  }
}

void argmax_narrow(const float* x, int32_t* y, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r += F::N) {
    const size_t count = smaller_of(F::N, rows - r);
    const NarrowRows narrow(x + r * columns, count, columns);
    U first = splat_u(0);
    CARILLON_UNROLL
    for (size_t c = F::N; c-- > 0;) {
      if (c >= columns) continue;
      const F value = narrow.x[c];
      const M found = either(equal(value, narrow.max), unordered(value, value));
      first = select(found, splat_u(static_cast<uint32_t>(c)), first);
    }
    float lanes[F::N];
    store(lanes, from_bits(first));
    __builtin_memcpy(y + r, lanes, count * sizeof(int32_t));
  }
}
