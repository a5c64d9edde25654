// Softmax, its logarithm, cross entropy over integer labels, its gradient, and argmax; rows of [rows, columns],
// contiguous. A row: max over 16 lanes, e = exp(x − max), sum of e in the fixed order of reduce-inl.h.

CARILLON_INLINE float maximum_of(float a, float b) { return a != a || b != b ? a + b : (b < a ? a : b); }

// Largest element, NaN where the row has one, −inf where it is empty. Lanes and tree as in a sum.
CARILLON_INLINE float row_maximum(const float* x, size_t columns) {
  F lanes[kRegisters];
  for (size_t r = 0; r < kRegisters; ++r) lanes[r] = splat(-kInfinity);
  size_t i = 0;
  for (; i + kLanes <= columns; i += kLanes) {
    CARILLON_UNROLL
    for (size_t r = 0; r < kRegisters; ++r) lanes[r] = maximum(lanes[r], load(x + i + r * F::N));
  }
  for (size_t r = 0; i < columns; ++r, i += F::N) {
    const size_t count = smaller_of(F::N, columns - i);
    lanes[r] = select(first_lanes(count), maximum(lanes[r], load_part(x + i, count)), lanes[r]);
  }
  float tree[kLanes];
  for (size_t r = 0; r < kRegisters; ++r) store(tree + r * F::N, lanes[r]);
  CARILLON_UNROLL
  for (size_t step = kLanes / 2; step != 0; step /= 2) {
    CARILLON_UNROLL
    for (size_t l = 0; l < step; ++l) tree[l] = maximum_of(tree[l], tree[l + step]);
  }
  return tree[0];
}

// Adds exp(x − max); writes it to y where `written`.
template <bool written>
struct ExpTerm {
  const float* x;
  float* y;
  F max;
  CARILLON_INLINE F whole(F lane, size_t i) const {
    const F e = exp(sub(load(x + i), max));
    if constexpr (written) store(y + i, e);
    return add(lane, e);
  }
  CARILLON_INLINE F part(F lane, size_t i, size_t count) const {
    const F e = exp(sub(load_part(x + i, count), max));
    if constexpr (written) store_part(y + i, e, count);
    return add(lane, select(first_lanes(count), e, zero()));
  }
};

// y: e of each column; returns their sum.
float row_exponentials(const float* x, float* y, size_t columns) {
  return reduce(ExpTerm<true>{x, y, splat(row_maximum(x, columns))}, columns);
}

// y[r, c] = exp(x[r, c] − max_r) / Σ_c exp(x[r, c] − max_r)
void softmax_f32(const float* x, float* y, size_t rows, size_t columns) {
  if (is_narrow(columns)) return softmax_narrow(x, y, rows, columns);
  for (size_t r = 0; r < rows; ++r, x += columns, y += columns) {
    const F sum = splat(row_exponentials(x, y, columns));
    size_t i = 0;
    for (; i + F::N <= columns; i += F::N) store(y + i, div(load(y + i), sum));
    if (i < columns) store_part(y + i, div(load_part(y + i, columns - i), sum), columns - i);
  }
}

// y[r, c] = (x[r, c] − max_r) − log Σ_c exp(x[r, c] − max_r)
void log_softmax_f32(const float* x, float* y, size_t rows, size_t columns) {
  if (is_narrow(columns)) return log_softmax_narrow(x, y, rows, columns);
  for (size_t r = 0; r < rows; ++r, x += columns, y += columns) {
    const F max = splat(row_maximum(x, columns));
    const F sum = log(splat(reduce(ExpTerm<false>{x, nullptr, max}, columns)));
    size_t i = 0;
    for (; i + F::N <= columns; i += F::N) store(y + i, sub(sub(load(x + i), max), sum));
    if (i < columns) store_part(y + i, sub(sub(load_part(x + i, columns - i), max), sum), columns - i);
  }
}

// losses[r] = log Σ_c exp(x[r, c] − max_r) − (x[r, label_r] − max_r); labels in [0, columns).
void softmax_cross_entropy_f32(const float* x, const int32_t* labels, float* losses, size_t rows, size_t columns) {
  if (is_narrow(columns)) return cross_entropy_narrow(x, labels, nullptr, 0, losses, nullptr, rows, columns);
  for (size_t r = 0; r < rows; ++r, x += columns) {
    const float max = row_maximum(x, columns);
    const float sum = reduce(ExpTerm<false>{x, nullptr, splat(max)}, columns);
    const float distance = x[labels[r]] - max;
    store_part(losses + r, sub(log(splat(sum)), splat(distance)), 1);
  }
}

// flush((e / sum − onehot)·g); e / sum − 0 is exact.
CARILLON_INLINE F cross_entropy_gradient(F e, F sum, size_t i, I label, F g) {
  const I column = as_i(add(lane_numbers(), splat_u(static_cast<uint32_t>(i))));
  const F onehot = select(equal(column, label), splat(1.0f), zero());
  return flush(mul(sub(div(e, sum), onehot), g));
}

// Both, each with the very bits of its own kernel, from one set of exponentials; y may be x.
// y[r, c] = flush((softmax(x)[r, c] − (c = label_r))·g[r·g_stride]): the roundings of softmax, subtract, multiply,
// flush.
void softmax_cross_entropy_both_f32(const float* x, const int32_t* labels, const float* g, size_t g_stride,
                                    float* losses, float* y, size_t rows, size_t columns) {
  if (is_narrow(columns)) return cross_entropy_narrow(x, labels, g, g_stride, losses, y, rows, columns);
  for (size_t r = 0; r < rows; ++r, x += columns, y += columns) {
    const float max = row_maximum(x, columns);
    const float distance = x[labels[r]] - max;
    const F sum = splat(reduce(ExpTerm<true>{x, y, splat(max)}, columns));
    if (losses != nullptr) store_part(losses + r, sub(log(sum), splat(distance)), 1);
    const F factor = splat(g[r * g_stride]);
    const I label = splat_i(labels[r]);
    size_t i = 0;
    for (; i + F::N <= columns; i += F::N) store(y + i, cross_entropy_gradient(load(y + i), sum, i, label, factor));
    const size_t rest = columns - i;
    if (rest != 0) store_part(y + i, cross_entropy_gradient(load_part(y + i, rest), sum, i, label, factor), rest);
  }
}

void softmax_cross_entropy_gradient_f32(const float* x, const int32_t* labels, const float* g, size_t g_stride,
                                        float* y, size_t rows, size_t columns) {
  softmax_cross_entropy_both_f32(x, labels, g, g_stride, nullptr, y, rows, columns);
}

// Index of the first element that equals the row's maximum, or of the first NaN; 0 for an empty row.
CARILLON_INLINE int32_t row_argmax(const float* x, size_t columns) {
  const F max = splat(row_maximum(x, columns));
  for (size_t i = 0; i < columns; i += F::N) {
    const size_t count = smaller_of(F::N, columns - i);
    const F value = load_part(x + i, count);
    const M found = either(equal(value, max), unordered(value, value));
    const uint32_t word = bits_of(both(found, first_lanes(count)));
    if (word != 0) return static_cast<int32_t>(i) + __builtin_ctz(word);
  }
  return 0;
}

void argmax_f32(const float* x, int32_t* y, size_t rows, size_t columns) {
  if (is_narrow(columns)) return argmax_narrow(x, y, rows, columns);
  for (size_t r = 0; r < rows; ++r) y[r] = row_argmax(x + r * columns, columns);
}
