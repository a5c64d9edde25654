// Elementwise functions: rules over F, then one driver a shape of arguments.

constexpr size_t kLine = 16;  // floats of a cache line

CARILLON_INLINE size_t smaller_of(size_t a, size_t b) { return a < b ? a : b; }

// ---- Rules of one argument (unary.def); exp, log, tanh, sigmoid, flush stand in math-inl.h, negate and sqrt are F's
// own.

CARILLON_INLINE F absolute(F x) { return abs(x); }
// −1, 0, 1 by the sign; ±0 and NaN stay what they are.
CARILLON_INLINE F sign(F x) {
  const F y = select(less(x, zero()), splat(-1.0f), x);
  return select(less(zero(), x), splat(1.0f), y);
}
CARILLON_INLINE F square(F x) { return mul(x, x); }
CARILLON_INLINE F reciprocal(F x) { return div(splat(1.0f), x); }
// x < 0 ? 0 : x, so that NaN passes (a maximum instruction would hide it from the NaN guard); relu(−0) = −0.
CARILLON_INLINE F relu(F x) { return select(less(x, zero()), zero(), x); }
CARILLON_INLINE F identity(F x) { return x; }

// ---- Rules of two arguments (binary.def)

CARILLON_INLINE F subtract(F a, F b) { return sub(a, b); }
CARILLON_INLINE F multiply(F a, F b) { return mul(a, b); }
CARILLON_INLINE F divide(F a, F b) { return div(a, b); }
// a < b ? a : b, NaN where either is NaN: the comparison gives b.
CARILLON_INLINE F minimum(F a, F b) { return select(unordered(a, a), a, select(less(a, b), a, b)); }
CARILLON_INLINE F maximum(F a, F b) { return select(unordered(a, a), a, select(less(b, a), a, b)); }
// a > b ? 1 : 0; NaN compares false.
CARILLON_INLINE F greater(F a, F b) { return select(less(b, a), splat(1.0f), zero()); }
CARILLON_INLINE F relu_gradient(F gradient, F output) { return select(less(zero(), output), gradient, zero()); }
CARILLON_INLINE F tanh_gradient(F gradient, F output) { return mul(gradient, sub(splat(1.0f), mul(output, output))); }

// Comparisons that the vectors do not have themselves.
CARILLON_INLINE M greater_equal(F a, F b) { return less_equal(b, a); }
CARILLON_INLINE M not_equal(F a, F b) { return flip(equal(a, b)); }

// ---- Drivers: whole vectors, with prefetch where the arrays are far, then one partial vector

using UnaryRule = F (*)(F);
using BinaryRule = F (*)(F, F);

// Asks for the line that lies `ahead` floats behind the one that begins at x + i.
CARILLON_INLINE void prefetch_line(const float* x, size_t i, size_t ahead) {
  if (F::N == kLine || i % kLine == 0) prefetch(x, i + ahead);
}

template <UnaryRule rule>
void unary_map(const float* x, float* y, size_t count) {
  size_t i = 0;
  if (const size_t ahead = prefetch_distance(count * sizeof(float), 1); ahead != 0) {
    for (; i + F::N <= count; i += F::N) {
      prefetch_line(x, i, ahead);
      store(y + i, rule(load(x + i)));
    }
  }
  for (; i + F::N <= count; i += F::N) store(y + i, rule(load(x + i)));
  if (i < count) store_part(y + i, rule(load_part(x + i, count - i)), count - i);
}

template <BinaryRule rule>
void binary_vector_vector(const float* a, const float* b, float* y, size_t count) {
  size_t i = 0;
  if (const size_t ahead = prefetch_distance(2 * count * sizeof(float), 2); ahead != 0) {
    for (; i + F::N <= count; i += F::N) {
      prefetch_line(a, i, ahead);
      prefetch_line(b, i, ahead);
      store(y + i, rule(load(a + i), load(b + i)));
    }
  }
  for (; i + F::N <= count; i += F::N) store(y + i, rule(load(a + i), load(b + i)));
  const size_t rest = count - i;
  if (rest != 0) store_part(y + i, rule(load_part(a + i, rest), load_part(b + i, rest)), rest);
}

// x beside a number: rule(x, other), or rule(other, x) where `reversed`.
template <BinaryRule rule, bool reversed>
CARILLON_INLINE F with_scalar(F x, F other) {
  return reversed ? rule(other, x) : rule(x, other);
}
template <BinaryRule rule, bool reversed>
CARILLON_INLINE void map_with_scalar(const float* x, float scalar, float* y, size_t count) {
  const F other = splat(scalar);
  size_t i = 0;
  if (const size_t ahead = prefetch_distance(count * sizeof(float), 1); ahead != 0) {
    for (; i + F::N <= count; i += F::N) {
      prefetch_line(x, i, ahead);
      store(y + i, with_scalar<rule, reversed>(load(x + i), other));
    }
  }
  for (; i + F::N <= count; i += F::N) store(y + i, with_scalar<rule, reversed>(load(x + i), other));
  if (i < count) store_part(y + i, with_scalar<rule, reversed>(load_part(x + i, count - i), other), count - i);
}

template <BinaryRule rule>
void binary_vector_scalar(const float* a, float b, float* y, size_t count) {
  map_with_scalar<rule, false>(a, b, y, count);
}

template <BinaryRule rule>
void binary_scalar_vector(float a, const float* b, float* y, size_t count) {
  map_with_scalar<rule, true>(b, a, y, count);
}

// A comparison as a rule: 1 where it holds, else 0.
using Comparison = M (*)(F, F);
template <Comparison holds>
CARILLON_INLINE F truth(F a, F b) {
  return select(holds(a, b), splat(1.0f), zero());
}
template <Comparison holds>
void binary_vector_vector(const float* a, const float* b, float* y, size_t count) {
  binary_vector_vector<truth<holds>>(a, b, y, count);
}
template <Comparison holds>
void binary_vector_scalar(const float* a, float b, float* y, size_t count) {
  binary_vector_scalar<truth<holds>>(a, b, y, count);
}
template <Comparison holds>
void binary_scalar_vector(float a, const float* b, float* y, size_t count) {
  binary_scalar_vector<truth<holds>>(a, b, y, count);
}

// An operand of which there are elements, or one for all.
struct WhereOperand {
  const float* x;
  bool full;
  CARILLON_INLINE F whole(size_t i) const { return full ? load(x + i) : splat(*x); }
  CARILLON_INLINE F part(size_t i, size_t count) const { return full ? load_part(x + i, count) : splat(*x); }
};

void where_f32(const float* const* operands, const bool* full, float* y, size_t count) {
  const WhereOperand condition{operands[0], full[0]};
  const WhereOperand a{operands[1], full[1]};
  const WhereOperand b{operands[2], full[2]};
  size_t i = 0;
  for (; i + F::N <= count; i += F::N) {
    store(y + i, select(equal(condition.whole(i), zero()), b.whole(i), a.whole(i)));
  }
  const size_t rest = count - i;
  if (rest == 0) return;
  store_part(y + i, select(equal(condition.part(i, rest), zero()), b.part(i, rest), a.part(i, rest)), rest);
}

// y[p·y_stride + c] = x[c·x_stride + p] for p in [0, rows), c in [0, columns); bits as they are.
void transpose_f32(const float* x, size_t x_stride, float* y, size_t y_stride, size_t rows, size_t columns) {
  for (size_t p = 0; p < rows; p += F::N) {
    const size_t high = smaller_of(F::N, rows - p);
    for (size_t c = 0; c < columns; c += F::N) {
      const size_t wide = smaller_of(F::N, columns - c);
      F tile[F::N];
      for (size_t i = 0; i < F::N; ++i) {
        const float* from = x + (c + i) * x_stride + p;
        tile[i] = i >= wide ? zero() : high == F::N ? load(from) : load_part(from, high);
      }
      transpose(tile);
      for (size_t i = 0; i < high; ++i) {
        float* to = y + (p + i) * y_stride + c;
        if (wide == F::N) {
          store(to, tile[i]);
        } else {
          store_part(to, tile[i], wide);
        }
      }
    }
  }
}

void fill_f32(float* y, float value, size_t count) {
  const F x = splat(value);
  size_t i = 0;
  for (; i + F::N <= count; i += F::N) store(y + i, x);
  if (i < count) store_part(y + i, x, count - i);
}

// average[i] = fma(keep, average[i], take·x[i]), flushed
void average_f32(const float* x, float* average, size_t count, float keep, float take) {
  const F k = splat(keep);
  const F t = splat(take);
  size_t i = 0;
  for (; i + F::N <= count; i += F::N) store(average + i, flush(fma(k, load(average + i), mul(t, load(x + i)))));
  const size_t rest = count - i;
  if (rest == 0) return;
  store_part(average + i, flush(fma(k, load_part(average + i, rest), mul(t, load_part(x + i, rest)))), rest);
}

// y[i] = float(x[i])·scale
void convert_u8_f32(const uint8_t* x, float scale, float* y, size_t count) {
  const F factor = splat(scale);
  size_t i = 0;
  for (; i + F::N <= count; i += F::N) store(y + i, mul(load_u8(x + i), factor));
  if (i == count) return;
  uint8_t last[F::N] = {};
  __builtin_memcpy(last, x + i, count - i);
  store_part(y + i, mul(load_u8(last), factor), count - i);
}
